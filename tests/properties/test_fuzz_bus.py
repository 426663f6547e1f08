"""Fuzzing the bus in short: every decoder, every subject, every command; and that the oracle sees what is planted."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents import shell
from benchmarks import fuzz_bus as fuzz
from benchmarks import fuzz_decoders
from benchmarks.fuzz_bus_world import World
from benchmarks.fuzz_verdict import Verdict
from common import subjects
from common.bus.memory_bus import MemoryBus
from common.control_messages import Command
from common.messages import TradingState
from common.snapshot import MarketSnapshot
from common.wire import codec, columns, hedge_codec
from manager import patience


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> fuzz.Material:
    return asyncio.run(fuzz.material(tmp_path_factory.mktemp("keys")))


def run(part: Coroutine[Any, Any, Verdict]) -> Verdict:
    return asyncio.run(part)


def test_decoders_read_a_message_whole_or_refuse_it(made: fuzz.Material) -> None:
    verdict = fuzz_decoders.decoders(made, fuzz_decoders.decoder_cases(made, 31), 0, 4000)
    assert verdict.findings == [] and verdict.counts["read"] > 800 and verdict.counts["refused"] > 1500


def test_killed_stays_killed_and_nothing_is_steered(made: fuzz.Material, tmp_path: Path) -> None:
    verdict = run(fuzz.killed(made, tmp_path, 32, 0, 700))
    assert verdict.findings == [] and verdict.counts["command refused"] > 50


def test_odd_commands_are_answered(made: fuzz.Material, tmp_path: Path) -> None:
    verdict = run(fuzz.odd_commands(made, tmp_path, 33, 0, 300))
    assert verdict.findings == [] and verdict.counts["command refused"] > 150


def test_what_trades_on_mutated_news_passes_the_audit(made: fuzz.Material, tmp_path: Path) -> None:
    verdict = run(fuzz.active(made, tmp_path, 34, 0, 300))
    assert verdict.findings == [] and verdict.counts["orders of the manager"] > 5


# -- the oracle --------------------------------------------------------------------------------------------------------


def test_a_decoder_that_lets_a_wrong_length_through_is_found(
    made: fuzz.Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(_kind, _name, data, dtype, _rows=None):
        return columns.np.frombuffer(data[: len(data) - len(data) % dtype.itemsize], dtype)

    monkeypatch.setattr(hedge_codec, "column", careless)
    verdict = fuzz_decoders.decoders(made, fuzz_decoders.decoder_cases(made, 31), 0, 1500)
    assert any("reshape" in text or "cannot" in text or "not what is written" in text for text in verdict.crashes)


@pytest.mark.parametrize(
    ("where", "name", "dead"),
    [(MarketSnapshot, "check", "manager ended: IndexError"), (shell, "fitting", "ended: ExceptionGroup")],
)
def test_a_part_that_believes_everything_is_found(
    made: fuzz.Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, dead: str
) -> None:
    monkeypatch.setattr(where, name, lambda _, given: given)
    verdict = run(fuzz.killed(made, tmp_path, 32, 0, 1600))
    assert any(dead in text for text in verdict.crashes)


def test_a_proof_nobody_checks_is_found(made: fuzz.Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.security.audit_commands.prove_command", lambda *_: None)
    monkeypatch.setattr(
        fuzz, "ANSWER_S", 0.2
    )  # a fleet that scales has a long time for it, and nobody starts agents here
    verdict = run(fuzz.killed(made, tmp_path, 32, 0, 700))
    assert any(" became " in text for text in verdict.changes)


# -- what fuzzing found, and what stands beside it -----------------------------------------------------------------------


def test_a_command_sent_again_while_it_is_carried_out_is_answered_both_times(monkeypatch: pytest.MonkeyPatch) -> None:
    async def both() -> None:
        async with World(TradingState.ACTIVE) as world:
            wanted = codec.encode_command(Command("twice", "pause", "risk", "news"))
            held = asyncio.Event()

            async def slow(*_: object) -> int:
                await held.wait()
                return 0

            monkeypatch.setattr(world.desk, "set_trading_state", slow)
            asked = [
                asyncio.create_task(world.bus.request(subjects.control("pause"), wanted, timeout_s=10.0)) for _ in "ab"
            ]
            await asyncio.sleep(0.1)
            held.set()
            answers = [codec.decode_acknowledgement(await a) for a in asked]
            assert answers[0] == answers[1] and answers[0].accepted

    asyncio.run(both())


def test_no_number_that_is_none_enters_the_solver(
    made: fuzz.Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve, seen = patience.solve, []

    def watched(problem, *more):
        parts = (problem.exposure, problem.risk, problem.sensitivity, problem.cost, problem.impact, problem.rows)
        seen.append(all(np.isfinite(part).all() for part in parts))
        return solve(problem, *more)

    monkeypatch.setattr(patience, "solve", watched)
    verdict = run(fuzz.active(made, tmp_path, 35, 0, 400))
    assert verdict.findings == [] and len(seen) > 5 and all(seen)


def test_a_heartbeat_of_nobody_and_one_without_measure_are_refused() -> None:
    async def told() -> int:
        async with World(TradingState.KILLED) as world:
            beat = world.agents[0].heartbeat()
            before = len(world.manager.state.heartbeats)
            for name in ("gamma-9999", "nobody", "gamma-", "delta-0"):
                data = codec.encode_heartbeat(replace(beat, header=replace(beat.header, source=name)))
                await world.bus.publish(subjects.heartbeat("gamma-0"), data)
            await world.bus.publish(
                subjects.heartbeat("gamma-0"),
                codec.encode_heartbeat(replace(beat, node="x" * hedge_codec.HEARTBEAT_BYTES)),
            )
            await world.settle()
            assert len(world.manager.state.heartbeats) == before
            assert isinstance(world.bus, MemoryBus)
            return world.bus.refused

    assert asyncio.run(told()) >= 5

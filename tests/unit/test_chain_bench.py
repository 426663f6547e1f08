"""The chain's market and its bare parts: which ticks are worth an order, and that nothing is lost on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.config import AgentsConfig
from benchmarks import chain
from benchmarks.chain_market import SwingMarket, book_of, write_recording
from benchmarks.chain_roles import message, stamp_of
from common.control_messages import ProposalTaken
from common.limits import load_limits
from common.market.recorded import RecordedMarket
from common.messages import QuoteBatch
from execution.config import ExecutionConfig, PaperConfig
from execution.limits import load_execution_limits
from lab.closed_loop import run
from manager.config import ManagerConfig


def test_a_message_is_its_stamp_and_as_long_as_it_is_told() -> None:
    data = message(7, 123, True, 400)
    assert len(data) == 400 and stamp_of(data) == (7, 123, True)
    assert stamp_of(message(8, 5, False, 1)) == (8, 5, False), "never shorter than its stamp"


def test_ticks_come_at_the_rate_and_jump_when_they_should(tmp_path: Path) -> None:
    market = SwingMarket(ticks=64, rate=200.0)
    batches = list(RecordedMarket(write_recording(tmp_path / "swing.bin", market)).batches())
    ticks = batches[2:]
    times = np.array([b.header.event_time_ns for b in ticks])
    assert len(ticks) == 64 and (np.diff(times) == 5_000_000).all()
    mids = {b.header.source: [] for b in ticks}
    for b in ticks:
        mids[b.header.source].append((int(b.bid_ticks[0]) + int(b.ask_ticks[0]), market.jumps(b)))
    for moves in mids.values():
        steps = np.abs(np.diff([mid for mid, _ in moves]))
        jumped = np.array([jumps for _, jumps in moves[1:]])
        assert (steps[jumped] > 100).all() and (steps[~jumped] == 0).all()
    for b in batches:
        assert (b.bid_ticks < b.ask_ticks).all()


def test_the_limits_it_widens_are_there_to_be_widened() -> None:
    for name, changes in chain._WIDER.items():
        text = (chain.ROOT / "examples" / name).read_text()
        assert all(old in text for old in changes), f"{name} has changed: the bench would run into its limits"


@pytest.mark.slow
def test_nearly_every_jump_causes_an_order_and_no_other_tick_does_for_itself(tmp_path: Path) -> None:
    chain.write_inputs(tmp_path)
    market = SwingMarket(ticks=160, rate=200.0)
    execution = ExecutionConfig(
        store=tmp_path,
        limits=load_execution_limits(tmp_path / "execution_limits.toml"),
        paper=PaperConfig(latency_ms=1.0, jitter_ms=0.2),
    )
    limits = load_limits(tmp_path / "limits.toml")
    jumps: set[int] = set()

    def note(batch: QuoteBatch) -> None:
        if market.jumps(batch):
            jumps.add(batch.header.event_time_ns)

    # As the bench has it (``_CONFIG``): a jump is to cause its order at once.
    found = run(
        market,
        book_of(market),
        AgentsConfig(),
        ManagerConfig(patience_s=0.0),
        limits,
        execution,
        run_id="chain",
        on_batch=note,
    )
    assert len(jumps) == 20 and len(found.orders) >= 20
    spoken = {e.event.proposal.trigger for e in found.entries if isinstance(e.event, ProposalTaken)}
    assert spoken <= {"start", "price move", "positions"}, "what comes between the jumps is answered by nobody"
    ordered = {o.event_time_ns for o in found.orders}
    assert len(jumps & ordered) >= 18


@pytest.mark.live
@pytest.mark.system
@pytest.mark.slow
def test_a_bare_chain_loses_no_order(tmp_path: Path) -> None:
    market = SwingMarket(ticks=480, rate=200.0)
    shape = chain.FullRun(
        0, 0, 0, 0, 0, 0, (0, 0, 0), 400, 3_000, 600, 3_100, 2_100, {"gamma-0": ("AAA",), "gamma-1": ("BBB",)}
    )
    ages = chain.bare_run(tmp_path / "bare", market, shape)
    assert len(ages) == 10 and (ages > 0).all()

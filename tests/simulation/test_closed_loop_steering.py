"""A whole day steered by people, in process: stops hold, trades add up, agents use their parameters, all of it replays."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.config import AgentsConfig
from common.control_messages import Command, Cycle, JournalEntry, ProposalTaken
from common.factors import desk_of, without_desk
from common.limits import Limits, load_limits
from common.universe import FUTURE, Book
from common.wire.codec import decode_journal_entry, encode_journal_entry
from execution.config import ExecutionConfig
from execution.limits import load_execution_limits
from lab.audit import Run, audit
from lab.audit_steering import imported_lots
from lab.closed_loop import ClosedLoop, configs_of, instants
from lab.replay import replay_run
from lab.synthetic import SyntheticMarket
from manager.config import ManagerConfig
from tests.desks_world import three_desks

ROOT = Path(__file__).resolve().parents[2]
MARKET = SyntheticMarket(session_s=1200, step_s=60.0)
SEVERAL = three_desks(MARKET)
ONE = Book(SEVERAL.book_id, SEVERAL.account, SEVERAL.instrument, SEVERAL.quantity_lots)
N = len(MARKET.universe)
LIMITS = Limits.model_validate(
    {**load_limits(ROOT / "examples/limits.toml").model_dump(), "risk_aversion_per_usd": 1e-4}
)
EXECUTION = ExecutionConfig(store=Path(), limits=load_execution_limits(ROOT / "examples/execution_limits.toml"))
FIRST, OTHER = MARKET.universe.symbols[:2]
AT = int(np.flatnonzero(MARKET.universe.kind == FUTURE)[0])
HELD = MARKET.universe.instrument_id[int(SEVERAL.instrument[0])]


def script(book: Book) -> dict[int, list[tuple[str, dict[str, Any]]]]:
    """Commands by instant."""
    several = len(book.desk_names) > 1
    account, desk = book.account[0], book.desk_names[0]
    hand = {"instrument": MARKET.universe.instrument_id[AT], "limit": None, "desk": desk}

    def bring(*rows: list[Any]) -> tuple[str, dict[str, Any]]:
        return "book.import", {"file": "t.csv", "dry_run": False, "trades": list(rows)}

    out: dict[int, list[tuple[str, dict[str, Any]]]] = {
        2: [("agents.set", {"path": "gamma.interval_scale", "value": 0.5})],
        3: [("pause", {"scope": f"underlying:{FIRST}"})],
        4: [
            bring([2, "T1", account, HELD, -25, 10.0, 1, "", ""]),
            bring([2, "T1", account, HELD, -25, 10.0, 1, "", ""]),
        ],
        6: [("resume", {"scope": f"underlying:{FIRST}"}), ("pause", {"scope": "agent:vega-0"})],
        8: [("resume", {"scope": "agent:vega-0"}), ("agents.undo", {"version": 1})],
        9: [("hedge", {"side": "BUY", "lots": 3, **hand}), ("hedge", {"side": "BUY", "lots": 10**6, **hand})],
        11: [("kill", {"scope": f"underlying:{OTHER}"}), bring([2, "T1b", account, HELD, -12, 10.0, 1, "T1", ""])],
        13: [("resume", {"scope": f"underlying:{OTHER}"})],
        14: [("kill", {"scope": f"desk:{desk}"})] if several else [],
        17: [("resume", {"scope": f"desk:{desk}"})] if several else [],
    }
    return out


@cache
def steered(several: bool) -> ClosedLoop:
    agents, manager = configs_of("joint", AgentsConfig(), ManagerConfig())
    book = SEVERAL if several else ONE
    loop = ClosedLoop(MARKET, book, agents, manager, LIMITS, EXECUTION, "r")
    todo = script(book)
    for k, (now_ns, together) in enumerate(instants(MARKET.batches())):
        while (due := loop.execution.next_due_ns) is not None and due < now_ns:
            loop.feed(due, [])
        loop.feed(now_ns, together)
        for n, (action, arguments) in enumerate(todo.get(k, ())):
            loop.steer(Command(f"c{k}-{n}", action, "ann", "drill", json.dumps(arguments)))
        loop.manager.check()
    loop.settle()
    return loop


def over_the_wire(entries: list[JournalEntry]) -> list[JournalEntry]:
    return [decode_journal_entry(encode_journal_entry(e)) for e in entries]


@pytest.mark.parametrize("several", [False, True])
def test_every_command_was_carried_out_but_the_one_beyond_the_limits(several: bool) -> None:
    answers = {a.command_id: a for a in steered(several).acknowledged}
    refused = {name: a.text for name, a in answers.items() if not a.accepted}
    assert set(refused) == {"c9-1"} and "size: 1000000 lots, limit" in refused["c9-1"]
    assert "known already and ignored: T1" in answers["c4-1"].text


@pytest.mark.parametrize("several", [False, True])
def test_the_audit_finds_nothing_and_positions_are_book_fills_and_imports(several: bool) -> None:
    loop, book = steered(several), SEVERAL if several else ONE
    result, ledger = loop.result(), loop.manager.fold.ledger
    told = imported_lots(book, result.entries, N)
    assert told.sum() == -12
    position, claimed = book.net_lots(N) + ledger.net_lots(), book.desk_lots(N) + ledger.net_desk_lots()
    run = Run(MARKET.universe, book, result.entries, result.order_states, result.reports, position, LIMITS, claimed)
    assert audit(run) == []
    # It must be able to fail: a position that forgot the import is found.
    wrong = Run(MARKET.universe, book, result.entries, positions_lots=position - told.sum(axis=0))
    assert any("position of" in said for said in audit(wrong))


@pytest.mark.parametrize("several", [False, True])
def test_nothing_of_a_stopped_part_was_decided(several: bool) -> None:
    loop = steered(several)
    universe, stopped = MARKET.universe, set[str]()
    barred, free = 0, 0
    for entry in loop.entries:
        event = entry.event
        if (
            hasattr(event, "command")
            and event.acknowledgement.accepted
            and event.command.action in ("pause", "kill", "resume")
        ):
            scope = json.loads(event.command.arguments_json)["scope"]
            (stopped.discard if event.command.action == "resume" else stopped.add)(scope)
        elif isinstance(event, Cycle):
            for order in event.orders:
                touched = {f"underlying:{universe.symbols[int(universe.underlying[order.instrument])]}"}
                for agent, _ in order.allocation:
                    touched |= {f"agent:{without_desk(agent)}", f"desk:{desk_of(agent)}"}
                barred += bool(touched & stopped)
                free += bool(stopped)
            for c in event.crossings:
                barred += bool({f"desk:{c.buyer}", f"desk:{c.seller}"} & stopped)
    assert barred == 0 and free > 0, "others went on trading"


@pytest.mark.parametrize("several", [False, True])
def test_agents_say_which_parameters_they_used_and_all_of_it_replays(several: bool) -> None:
    loop, book = steered(several), SEVERAL if several else ONE
    entries = over_the_wire(loop.entries)
    used = {
        r.first
        for e in entries
        if isinstance(e.event, ProposalTaken)
        for r in e.event.proposal.inputs
        if r.stream == "parameters"
    }
    assert used == {1, 2}
    assert any(e.event.proposal.trigger == "parameters" for e in entries if isinstance(e.event, ProposalTaken))
    agents, manager = configs_of("joint", AgentsConfig(), ManagerConfig())
    found = replay_run(MARKET, book, entries, agents, manager, LIMITS, "r")
    assert found.difference == "" and found.identical and found.proposals == found.proposals_compared > 0

"""Three desks through the whole loop: positions add up desk by desk, crossing pays, and everything replays."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from agents.config import AgentsConfig
from common.control_messages import Cycle, JournalEntry
from common.factors import desk_of
from common.limits import Limits, load_limits
from common.limits_scopes import SumLimit
from common.universe import Book
from common.wire.codec import decode_journal_entry, encode_journal_entry
from execution.config import ExecutionConfig
from execution.limits import load_execution_limits
from lab.audit import Run, audit
from lab.baselines import Settings
from lab.closed_loop import ClosedLoop, RunResult, configs_of, instants, run
from lab.fills import external_cost_cents, fills_of
from lab.replay import replay_run
from lab.report import write_report
from lab.synthetic import SyntheticMarket
from manager.config import ManagerConfig
from manager.fold import apply
from manager.hash import state_hash
from manager.step import ManagerSetup, start
from tests.desks_world import NAMES, one_desk, three_desks

ROOT = Path(__file__).resolve().parents[2]
MARKET = SyntheticMarket(session_s=1200, step_s=60.0)
BOOK = three_desks(MARKET)
N = len(MARKET.universe)
LIMITS = Limits.model_validate(
    {**load_limits(ROOT / "examples/limits.toml").model_dump(), "risk_aversion_per_usd": 1e-4}
)
EXECUTION = ExecutionConfig(store=Path(), limits=load_execution_limits(ROOT / "examples/execution_limits.toml"))


@cache
def ran(mode: str, book: str = "all") -> RunResult:
    agents, manager = configs_of(mode, AgentsConfig(), ManagerConfig())
    return run(MARKET, of(book), agents, manager, LIMITS, EXECUTION, run_id="r")


def of(book: str) -> Book:
    if book == "two entities":
        return three_desks(MARKET, entities=("LLC", "LLC", "Ltd"))
    return BOOK if book == "all" else one_desk(BOOK, book)


def cycles(result: RunResult) -> list[Cycle]:
    return [e.event for e in result.entries if isinstance(e.event, Cycle)]


def audited(result: RunResult, book: Book) -> list[str]:
    fills = fills_of(result.reports)
    position = book.net_lots(N) + fills.net_lots(N)
    claimed = book.desk_lots(N) + result.desk_lots
    states, reports = result.order_states, result.reports
    return audit(Run(MARKET.universe, book, result.entries, states, reports, position, LIMITS, claimed))


@pytest.mark.parametrize("mode", ["joint", "plain", "alone", "none", "delta_only"])
def test_positions_per_desk_add_up_in_every_mode(mode: str) -> None:
    result = ran(mode)
    np.testing.assert_array_equal(result.desk_lots.sum(axis=0), result.traded_lots)
    assert audited(result, BOOK) == []
    crossed = [c for cycle in cycles(result) for c in cycle.crossings]
    assert bool(crossed) == (mode not in ("alone", "none"))
    moved = np.zeros((3, N), np.int64)
    for c in crossed:
        moved[NAMES.index(c.buyer), c.instrument] += c.lots
        moved[NAMES.index(c.seller), c.instrument] -= c.lots
    assert not moved.sum(axis=0).any()


def test_three_desks_together_cost_less_than_the_same_desks_each_alone() -> None:
    together = external_cost_cents(fills_of(ran("joint").reports), MARKET.universe)
    apart = [external_cost_cents(fills_of(ran("joint", name).reports), MARKET.universe) for name in NAMES]
    assert all(cost > 0 for cost in apart)
    assert 0 < together < 0.8 * sum(apart)


def test_a_limit_on_the_sum_of_all_desks_is_kept_and_stops_no_hedging() -> None:
    """Hedges that would have broken it used to be chosen and then left out, so that nothing was ordered in the whole run."""
    hard = 1e6
    limited = LIMITS.model_copy(update={"sum": {"deltas": SumLimit(factors=["delta:*"], hard_usd=hard)}})
    agents, manager = configs_of("joint", AgentsConfig(), ManagerConfig())
    result = run(MARKET, BOOK, agents, manager, limited, EXECUTION, run_id="r")
    assert fills_of(result.reports).net_lots(N).any()
    after = []
    for cycle in cycles(result):
        delta = np.array([name.startswith("delta:") for name in cycle.factor])
        after.append((abs(cycle.exposure_before[delta].sum()), abs(cycle.exposure_after[delta].sum())))
    assert max(now for now, _ in after) > 0.9 * hard, "it binds"
    assert all(x <= max(now, hard) * (1.0 + 1e-9) for now, x in after)


def test_joint_costs_less_than_plain_and_plain_less_than_alone() -> None:
    cost = {m: external_cost_cents(fills_of(ran(m).reports), MARKET.universe) for m in ("joint", "plain", "alone")}
    assert cost["joint"] < cost["plain"] < cost["alone"]


def test_desks_of_two_legal_entities_never_cross() -> None:
    book = of("two entities")
    result = ran("joint", "two entities")
    assert audited(result, book) == []
    pairs = {frozenset((c.buyer, c.seller)) for cycle in cycles(result) for c in cycle.crossings}
    assert pairs == {frozenset(("index", "flow"))}
    assert audited(result, BOOK) == [], "the same journal, were they one entity"
    doctored = three_desks(MARKET, entities=("LLC", "Ltd", "LLC"))
    assert any("two legal entities" in said for said in audited(result, doctored))


def test_every_desk_comes_inside() -> None:
    last = cycles(ran("joint"))[-1]
    for name in NAMES:
        at = [k for k, factor in enumerate(last.factor) if desk_of(factor) == name]
        assert at
        inside = (last.exposure_after[at] >= last.lower[at]) & (last.exposure_after[at] <= last.upper[at])
        assert inside.mean() > 0.5, name


def test_the_same_market_gives_the_same_record_to_the_byte() -> None:
    agents, manager = configs_of("joint", AgentsConfig(), ManagerConfig())
    again = run(MARKET, BOOK, agents, manager, LIMITS, EXECUTION, run_id="r")
    assert again.order_hash == ran("joint").order_hash and again.orders
    assert [encode_journal_entry(e) for e in again.entries] == [encode_journal_entry(e) for e in ran("joint").entries]


def test_the_record_replays_to_the_same_orders_crossings_and_proposals() -> None:
    agents, manager = configs_of("joint", AgentsConfig(), ManagerConfig())
    entries = over_the_wire(ran("joint").entries)
    found = replay_run(MARKET, BOOK, entries, agents, manager, LIMITS, "r")
    assert found.difference == "" and found.identical
    assert found.proposals == found.proposals_compared > 0


def over_the_wire(entries: tuple[JournalEntry, ...]) -> list[JournalEntry]:
    return [decode_journal_entry(encode_journal_entry(e)) for e in entries]


def test_state_adds_up_at_every_instant_and_a_standby_has_the_same() -> None:
    agents, manager = configs_of("joint", AgentsConfig(), ManagerConfig())
    market = SyntheticMarket(session_s=360, step_s=60.0)
    loop = ClosedLoop(market, BOOK, agents, manager, LIMITS, EXECUTION, "r")
    standby, folded = (
        start(ManagerSetup(market.universe, BOOK, manager, LIMITS, "r", sessions_ns=market.session_bounds_ns)),
        0,
    )
    for now_ns, together in instants(market.batches()):
        while (due := loop.execution.next_due_ns) is not None and due < now_ns:
            loop.feed(due, [])
        loop.feed(now_ns, together)
        loop.manager.check()
        for entry in over_the_wire(tuple(loop.entries[folded:])):
            apply(standby, entry)
        folded = len(loop.entries)
        ledger = loop.manager.fold.ledger
        np.testing.assert_array_equal(ledger.desk_lots().sum(axis=0), ledger.traded)
        assert sum(ledger.cash_cents.values()) == -sum_of_fills(loop)
    assert loop.manager.fold.ledger.crossings > 0
    assert state_hash(standby) == state_hash(loop.manager)


def sum_of_fills(loop: ClosedLoop) -> int:
    """Cents paid at the venue, from its own reports: what crossed inside adds nothing."""
    fills = fills_of(e.event for e in loop.entries if hasattr(e.event, "last_lots"))
    tick = np.rint(100 * MARKET.universe.tick_size * MARKET.universe.multiplier_usd).astype(np.int64)
    return int((fills.signed_lots * fills.last_ticks * tick[fills.instrument]).sum())


def opened() -> tuple[SyntheticMarket, Book]:
    market = SyntheticMarket(sessions=2, session_s=3600, step_s=300.0)
    return market, three_desks(market)


def test_the_report_has_every_desk(tmp_path: Path) -> None:
    settings = Settings(opened, AgentsConfig(), ManagerConfig(), LIMITS, EXECUTION)
    found = write_report(settings, tmp_path, "desks", modes=("joint",), workers=0)
    assert [d["desk"] for d in found["desks"]] == list(NAMES) and found["promise_violations"] == 0
    paid = sum(d["external_cost_usd"] for d in found["desks"])
    assert paid == pytest.approx(found["runs"]["joint"]["external_cost_usd"], abs=1.0)
    assert sum(d["crossed_lots"] for d in found["desks"]) > 0
    assert all(d["crossing_saved_usd"] > 0.0 for d in found["desks"])
    text = (tmp_path / "report.html").read_text()
    assert "<h2>Desks</h2>" in text and "saved by crossing" in text
    assert {e["factor"] for e in found["exposures"]} >= {f"delta:AAA@{name}" for name in NAMES}

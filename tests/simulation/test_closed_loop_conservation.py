"""The whole loop on a small synthetic market: it adds up, whatever the mode, and it does hedge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.config import AgentsConfig
from common.control_messages import Cycle, ProposalTaken
from common.limits import Limits, load_limits
from execution.config import ExecutionConfig
from execution.limits import load_execution_limits
from lab.audit import Run, audit
from lab.closed_loop import MODES, ClosedLoop, Mode, RunResult, configs_of, instants, run, split
from lab.exposures import paths_of, shares
from lab.fills import fills_of
from lab.marks import marks_of
from lab.pnl import pnl_path
from lab.synthetic import SyntheticMarket, short_book
from manager.config import ManagerConfig

ROOT = Path(__file__).resolve().parents[2]
MARKET = SyntheticMarket(session_s=3600, step_s=60.0)
BOOK = short_book(MARKET, 60)
LIMITS = load_limits(ROOT / "examples/limits.toml")
NARROW = Limits.model_validate({**LIMITS.model_dump(), "risk_aversion_per_usd": 1e-4})


def execution(tmp: Path) -> ExecutionConfig:
    return ExecutionConfig(store=tmp, limits=load_execution_limits(ROOT / "examples/execution_limits.toml"))


def ran(mode: Mode, tmp: Path, market: SyntheticMarket = MARKET, limits: Limits = NARROW) -> RunResult:
    agents, manager = configs_of(mode, AgentsConfig(), ManagerConfig())
    return run(market, BOOK, agents, manager, limits, execution(tmp), run_id=mode)


@pytest.mark.parametrize("mode", MODES)
def test_it_adds_up_in_every_mode(mode: Mode, tmp_path: Path) -> None:
    market = SyntheticMarket(session_s=900, step_s=60.0)
    result = ran(mode, tmp_path, market)
    n = len(market.universe)
    fills = fills_of(result.reports)
    np.testing.assert_array_equal(fills.net_lots(n), result.traded_lots)
    position = BOOK.net_lots(n) + fills.net_lots(n)
    found = audit(Run(market.universe, BOOK, result.entries, result.order_states, result.reports, position, NARROW))
    assert found == []
    assert (len(result.orders) == 0) == (mode == "none")
    assert any(isinstance(e.event, ProposalTaken) for e in result.entries)
    if mode == "delta_only":
        assert {market.universe.kind[o.instrument] for o in result.orders} == {0}
        said = {f for e in result.entries if isinstance(e.event, ProposalTaken) for f in e.event.proposal.factor}
        assert not any(f.startswith(("gamma:", "vega:")) for f in said)


def test_hedged_is_quieter_than_unhedged_and_exposures_come_inside(tmp_path: Path) -> None:
    result = ran("joint", tmp_path)
    marks = marks_of(MARKET, BOOK.instrument.tolist())
    fills = fills_of(result.reports)
    hedged = pnl_path("joint", MARKET.universe, BOOK, fills, marks)
    # The identity between parts and value on a real run: P&L = change of the value of everything held + cash.
    value = MARKET.universe.multiplier_usd * marks.points[-1]
    cash = -(
        fills.signed_lots
        * fills.last_ticks
        * (MARKET.universe.tick_size * MARKET.universe.multiplier_usd)[fills.instrument]
    )
    end = (BOOK.net_lots(len(MARKET.universe)) + result.traded_lots) @ value + cash.sum() - fills.fee_cents.sum() / 100
    first = fills.time_ns <= marks.times_ns[0]
    assert not first.any()
    start = BOOK.net_lots(len(MARKET.universe)) @ (MARKET.universe.multiplier_usd * marks.points[0])
    assert hedged.total[-1] == pytest.approx(end - start, abs=0.01)
    last = [e.event for e in result.entries if isinstance(e.event, Cycle)][-1]
    inside = (last.exposure_after >= last.lower) & (last.exposure_after <= last.upper)
    assert inside.mean() > 0.5
    found = shares(paths_of(result.entries, MARKET.universe, MARKET.session_bounds_ns))
    assert {s.factor for s in found} >= {"delta:AAA", "gamma:AAA", "factor:common", "vega:BBB/8-30d"}
    assert all(0.0 <= s.share_inside <= 1.0 and s.median_width > 0.0 for s in found)


def test_orders_wait_for_the_venue_between_batches(tmp_path: Path) -> None:
    """Latency is market time: no fill carries the time of the batch that caused it."""
    result = ran("joint", tmp_path, SyntheticMarket(session_s=600, step_s=60.0))
    decided = {o.client_order_id: o.event_time_ns for o in result.orders}
    filled = [r for r in result.reports if r.last_lots]
    assert filled
    assert all(r.event_time_ns - decided[r.client_order_id] >= 50_000_000 for r in filled)


def test_instants_group_equal_times_and_split_keeps_every_quote(tmp_path: Path) -> None:
    batches = list(SyntheticMarket(session_s=120, step_s=60.0).batches())
    grouped = list(instants(batches))
    assert [t for t, _ in grouped] == sorted({b.header.event_time_ns for b in batches})
    assert sum(len(b) for _, b in grouped) == len(batches)
    small = list(split(batches, 25))
    assert max(len(b.instrument) for b in small) <= 25
    for source in ("feed.AAA", "feed.BBB"):
        whole = np.concatenate([b.instrument for b in batches if b.header.source == source])
        parts = [b for b in small if b.header.source == source]
        np.testing.assert_array_equal(np.concatenate([b.instrument for b in parts]), whole)
        assert [b.header.sequence for b in parts] == list(range(1, len(parts) + 1))


def test_the_state_of_the_manager_adds_up_at_every_instant(tmp_path: Path) -> None:
    market = SyntheticMarket(session_s=600, step_s=60.0)
    agents, manager = configs_of("joint", AgentsConfig(), ManagerConfig())
    loop = ClosedLoop(market, BOOK, agents, manager, NARROW, execution(tmp_path), "r")
    for now_ns, together in instants(market.batches()):
        while (due := loop.execution.next_due_ns) is not None and due < now_ns:
            loop.feed(due, [])
            loop.manager.check()
        loop.feed(now_ns, together)
        loop.manager.check()

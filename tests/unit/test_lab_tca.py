"""Implementation shortfall against worked examples: every part by hand, in dollars."""

from __future__ import annotations

import math

import pytest

from common.messages import Side
from lab.tca import QUARTER_CENTS_PER_USD, costs_of, grouped, total, worked_of
from tests.tca_world import Tape, shares


def usd(quarter_cents: int) -> float:
    return quarter_cents / QUARTER_CENTS_PER_USD


def test_the_textbooks_order_costs_87_basis_points_in_the_stated_parts() -> None:
    """Maginn, Tuttle, McLeavey, Pinto, Managing Investment Portfolios (3rd ed. 2007), ch. 10: decided at 10.00, 700 of 1,000
    shares bought at 10.07 when the price stood at 10.05, commission 14, the rest given up at 10.08. Paper gains 80 on 10,000,
    the portfolio loses 7: a shortfall of 87, of it delay 35, price paid 14, commission 14, missed trade 24.
    """
    tape = Tape()
    tape.quote(0, 999, 1001)
    tape.order("impulse", 1, Side.BUY, 1000, 999, 1001)
    tape.quote(2, 1003, 1007)
    tape.fill("impulse", 3, 700, 1007, 1003, 1007, fee_cents=1400)
    tape.quote(4, 1007, 1009)
    tape.end("impulse", 5)
    tape.quote(6, 1007, 1009)
    worked = worked_of(tape.orders, tape.reports, tape.batches, shares())
    costs = costs_of(worked, shares())
    bill = total(worked, costs)
    assert (usd(bill.timing), usd(bill.spread), usd(bill.fees), usd(bill.opportunity)) == (35.0, 14.0, 14.0, 24.0)
    assert usd(bill.shortfall) == 87.0
    paper, real = 1000 * (10.08 - 10.00), 700 * (10.08 - 10.07) - 14.0
    assert usd(bill.shortfall) == pytest.approx(paper - real)
    assert bill.fill_rate == 0.7
    assert bill.latency_ms == 2000.0


def test_a_spread_splits_into_what_stays_and_what_comes_back() -> None:
    """Sold 10 at the bid 98 of 98/102; one second later 97/101, ten later 96/98: 1 and 3 of the 2 ticks a lot stayed."""
    tape = Tape()
    tape.quote(0, 98, 102)
    tape.order("s", 1, Side.SELL, 10, 98, 102)
    tape.fill("s", 2, 10, 98, 98, 102)
    tape.quote(2.5, 97, 101)
    tape.quote(11, 96, 98)
    tape.quote(20, 96, 98)
    worked = worked_of(tape.orders, tape.reports, tape.batches, shares())
    bill = total(worked, costs_of(worked, shares()))
    assert usd(bill.spread) == pytest.approx(0.20)
    assert [usd(x) for x in bill.impact] == pytest.approx([0.10, 0.30, 0.0])
    assert [usd(x) for x in bill.reversion] == pytest.approx([0.10, -0.10, 0.0])
    assert bill.seen_lots == (10, 10, 0)  # the recording ends before the minute is over


def test_two_agents_pay_for_their_lots_and_every_grouping_has_the_same_sums() -> None:
    universe = shares(tick_usd=0.25, multiplier=50.0)  # 12.50 USD a tick
    tape = Tape()
    tape.quote(0, 100, 102)
    tape.order("a", 1, Side.BUY, 3, 100, 102, allocation=(("vega-0", 2), ("gamma-0", 1)))
    tape.order("b", 1, Side.SELL, 2, 50, 54, instrument=1, allocation=(("gamma-0", -2),))
    tape.fill("a", 2, 2, 102, 100, 102, fee_cents=251)
    tape.fill("b", 2, 2, 50, 50, 54, fee_cents=250)
    tape.quote(3, 104, 106)
    tape.end("a", 4)
    tape.quote(5, 104, 106)
    worked = worked_of(tape.orders, tape.reports, tape.batches, universe)
    costs = costs_of(worked, universe)
    agents = {g.name: g for g in grouped(worked, costs, universe, "agent")}
    # Of the first two lots of "a" one is vega's, one gamma's: the one furthest behind its share comes first, then the other.
    assert (agents["vega-0"].filled_lots, agents["gamma-0"].filled_lots) == (1, 3)
    assert usd(agents["vega-0"].spread) == 12.50 and usd(agents["gamma-0"].spread) == 12.50 + 2 * 25.0
    assert usd(agents["vega-0"].opportunity) == 4 * 12.50 and agents["gamma-0"].opportunity == 0
    assert sum(usd(g.fees) for g in agents.values()) == 5.01
    for key in ("order", "agent", "underlying", "hour", "tactic"):
        groups = grouped(worked, costs, universe, key)  # type: ignore[arg-type]
        assert sum(g.shortfall for g in groups) == total(worked, costs).shortfall
        assert sum(g.filled_lots for g in groups) == 4
    by = {key: [g.name for g in grouped(worked, costs, universe, key)] for key in ("underlying", "hour", "tactic")}
    assert by == {"underlying": ["AAA", "BBB"], "hour": ["12:00 UTC"], "tactic": ["limit ioc"]}


def test_a_fill_at_a_one_sided_quote_has_no_spread_and_a_stranger_is_nobodys() -> None:
    from common.units import NO_PRICE

    tape = Tape()
    tape.quote(0, 100, 102)
    tape.order("a", 1, Side.BUY, 1, 100, 102)
    tape.fill("a", 2, 1, 103, NO_PRICE, 103, fee_cents=5)
    tape.orders.append(tape.order("b", 1, Side.BUY, 1, 100, 102))
    tape.fill("b", 2, 1, 102, 100, 102)
    known = [o for o in tape.orders if o.client_order_id == "a"]
    worked = worked_of(known, tape.reports, tape.batches, shares())
    groups = {g.name: g for g in grouped(worked, costs_of(worked, shares()), shares(), "agent")}
    assert (groups["gamma-0"].spread, usd(groups["gamma-0"].timing)) == (0, 0.02)
    assert (groups["nobody"].ordered_lots, groups["nobody"].filled_lots, usd(groups["nobody"].spread)) == (0, 1, 0.01)
    assert math.isnan(groups["nobody"].latency_ms)

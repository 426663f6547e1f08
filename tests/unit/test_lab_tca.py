"""Implementation shortfall against worked examples: every part by hand, in dollars."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from common.messages import OrdStatus, Side
from lab.tca import QUARTER_CENTS_PER_USD, costs_of, worked_of
from lab.tca_groups import Key, grouped, total
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


def test_nothing_is_held_against_an_order_that_never_reached_execution_and_it_is_counted() -> None:
    tape = Tape()
    tape.quote(0, 999, 1001)
    tape.order("unheard", 1, Side.BUY, 5, 999, 1001)
    tape.order("unfilled", 1, Side.BUY, 3, 999, 1001)
    tape.quote(2, 1099, 1101)
    tape.end("unfilled", 3)
    tape.quote(4, 1099, 1101)
    worked = worked_of(tape.orders, tape.reports, tape.batches, shares())
    costs = costs_of(worked, shares())
    unheard, unfilled = grouped(worked, costs, shares(), "order")
    assert (unheard.ordered_lots, unheard.shortfall, worked.placed.tolist()) == (5, 0, [False, True])
    assert usd(unfilled.opportunity) == 3 * 1.00


def test_a_replacement_is_an_order_for_what_was_not_filled_before_it() -> None:
    """Two of the textbook's orders: 700 of 1,000 filled, then replaced by a total of 900 that fills 200 more at 10.09 with the
    mid at 10.08, decided there; and a refused replacement, which asked nothing. By hand: the second bill is 200 x 0.01 spread.
    """
    tape = Tape()
    two = {"allocation": (("gamma-0", 600), ("vega-0", 400))}
    tape.quote(0, 999, 1001)
    tape.order("first", 1, Side.BUY, 1000, 999, 1001, **two)
    tape.quote(2, 1003, 1007)
    tape.fill("first", 3, 700, 1007, 1003, 1007, fee_cents=1400)
    tape.quote(4, 1007, 1009)
    tape.order("refused", 4.5, Side.BUY, 5000, 1007, 1009, orig_client_order_id="first")
    tape.end("refused", 4.6, OrdStatus.REJECTED)
    less = {"allocation": (("gamma-0", 540), ("vega-0", 360)), "orig_client_order_id": "first"}
    tape.order("second", 5, Side.BUY, 900, 1007, 1009, **less)
    tape.end("first", 5, OrdStatus.REPLACED)
    tape.fill("second", 6, 200, 1009, 1007, 1009)
    tape.quote(7, 1007, 1009)
    worked = worked_of(tape.orders, tape.reports, tape.batches, shares())
    costs = costs_of(worked, shares())
    first, refused, second = grouped(worked, costs, shares(), "order")
    assert (first.ordered_lots, first.filled_lots, usd(first.opportunity)) == (1000, 700, 24.0)
    assert (refused.ordered_lots, refused.filled_lots, refused.shortfall) == (0, 0, 0)
    assert (second.ordered_lots, second.filled_lots) == (200, 200)
    assert (usd(second.spread), usd(second.timing), second.fees, second.opportunity) == (2.0, 0.0, 0, 0)
    by_agent = {g.name: (g.ordered_lots, g.filled_lots) for g in grouped(worked, costs, shares(), "agent")}
    assert by_agent == {"gamma-0": (720, 540), "vega-0": (480, 360)}  # 600 + 540 - 420, 400 + 360 - 280


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
    for key in get_args(Key):
        groups = grouped(worked, costs, universe, key)
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

"""Whatever was traded: parts add up to the cash, groups to the whole, and spread and fees are those of the P&L."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import Side
from common.universe import Book
from lab.fills import cash_half_cents, spread_half_cents
from lab.marks import Marks
from lab.pnl import pnl_path
from lab.tca import QUARTER_CENTS_PER_USD, costs_of, worked_of
from lab.tca_groups import KEYS, grouped, total
from tests.execution_world import T0_NS
from tests.tca_world import Tape, shares

UNIVERSE = shares(tick_usd=0.05, multiplier=100.0)
ORDER = st.tuples(
    st.sampled_from(list(Side)),
    st.integers(0, 1),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),  # lots of each agent
    st.lists(st.tuples(st.integers(1, 6), st.integers(-3, 9), st.integers(0, 999)), max_size=4),  # fills
    st.integers(990, 1010),
    st.integers(1, 4),
)


def tape_of(orders: list[tuple[Side, int, list[int], list[tuple[int, int, int]], int, int]]) -> Tape:
    tape = Tape()
    for k, (side, at, lots, fills, bid, width) in enumerate(orders):
        now = 10.0 * k
        tape.quote(now, bid, bid + width, at)
        agents = tuple((f"agent-{n}", side.sign * share) for n, share in enumerate(lots))
        tape.order(f"o{k}", now + 1, side, sum(lots), bid, bid + width, instrument=at, allocation=agents)
        for n, (want, over, fee) in enumerate(fills):
            taken = min(want, sum(lots) - tape.filled.get(f"o{k}", 0))
            if taken:
                tape.fill(f"o{k}", now + 2 + n, taken, bid + over, bid + n, bid + n + width, fee)
        if tape.filled.get(f"o{k}", 0) < sum(lots):
            tape.end(f"o{k}", now + 8)
    return tape


@settings(max_examples=60)
@given(st.lists(ORDER, min_size=1, max_size=8))
def test_every_sum_is_the_whole_and_the_pnls(
    orders: list[tuple[Side, int, list[int], list[tuple[int, int, int]], int, int]],
) -> None:
    tape = tape_of(orders)
    worked = worked_of(tape.orders, tape.reports, tape.batches, UNIVERSE)
    costs = costs_of(worked, UNIVERSE)
    bill, fills = total(worked, costs), worked.fills
    assert bill.spread == 2 * int(spread_half_cents(fills, UNIVERSE).sum())
    assert bill.fees == 4 * int(fills.fee_cents.sum())
    # Cash paid beyond the arrival value of what was bought is the slippage, whatever its parts are called.
    arrival = {o.client_order_id: o.arrival_bid_ticks + o.arrival_ask_ticks for o in tape.orders}
    half = np.array([arrival[name] for name in fills.client_order_id], np.int64)
    worth = fills.signed_lots * half * 500  # 5 USD a tick: 1000 half cents, halved as the mid is doubled
    assert bill.spread + bill.timing == 2 * int((-cash_half_cents(fills, UNIVERSE) - worth).sum())
    assert bill.filled_lots == int(np.abs(fills.signed_lots).sum())
    assert bill.ordered_lots == sum(o.quantity_lots for o in tape.orders)
    for h, (stays, back) in enumerate(zip(bill.impact, bill.reversion, strict=True)):
        assert stays + back == int(costs.seen_spread[h].sum())
    for key in KEYS:
        groups = grouped(worked, costs, UNIVERSE, key)
        for column in ("spread", "timing", "fees", "opportunity", "ordered_lots", "filled_lots"):
            assert sum(getattr(g, column) for g in groups) == getattr(bill, column), (key, column)


@settings(max_examples=20)
@given(st.lists(ORDER, min_size=1, max_size=5))
def test_spread_and_fees_are_the_terms_of_the_pnl(
    orders: list[tuple[Side, int, list[int], list[tuple[int, int, int]], int, int]],
) -> None:
    tape = tape_of(orders)
    worked = worked_of(tape.orders, tape.reports, tape.batches, UNIVERSE)
    times = np.array([T0_NS - 1, T0_NS + 10**15], np.int64)
    marks = Marks(times, np.zeros(2, np.int64), np.full((2, 2), 50.0))
    empty = np.empty(0, np.int64)
    book = Book("b", (), empty.astype(np.uint32), empty)
    path = pnl_path("x", UNIVERSE, book, worked.fills, marks)
    bill = total(worked, costs_of(worked, UNIVERSE))
    assert round(-float(path.spread[-1]) * QUARTER_CENTS_PER_USD, 6) == bill.spread
    assert round(-float(path.fees[-1]) * QUARTER_CENTS_PER_USD, 6) == bill.fees

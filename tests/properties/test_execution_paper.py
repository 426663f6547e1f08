"""Fills of the paper venue against the tape it was given, read back by the test's own rule: newest quote at that time.

What rests has tests of its own (test_execution_paper_queue.py).
"""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import Order, Side, TimeInForce
from common.units import NS_PER_MS
from execution.config import PaperConfig
from execution.venues.paper import PaperVenue
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import FEE_CENTS, T0_NS, make_order, make_universe, quotes

UNIVERSE = make_universe()
SIDES = st.one_of(st.none(), st.integers(95, 105))
AT = st.sampled_from([0, 0, 0, 1])
WILD = st.tuples(AT, SIDES, SIDES, st.integers(0, 6), st.integers(0, 6))
GOOD = st.tuples(AT, st.integers(97, 99), st.integers(100, 102), st.integers(1, 6), st.integers(1, 6))
ORDER = st.tuples(AT, st.sampled_from(Side), st.integers(1, 8), st.integers(95, 105), st.sampled_from(TimeInForce))
WHAT = st.one_of(GOOD, WILD, ORDER, ORDER, ORDER, st.just("cancel"))
STEP = st.tuples(st.integers(0, 80), WHAT)
STEPS = st.lists(STEP, min_size=2, max_size=40)


def taking(steps: list) -> list:
    """The same steps with every order IOC."""
    return [(wait, (*what[:4], TimeInForce.IOC) if isinstance(what[1], Side) else what) for wait, what in steps]


def play(steps: list) -> tuple[list[VenueEvent], dict[str, Order], list[tuple[int, tuple]]]:
    """Events, orders by id and the tape as (time, quote row)."""
    venue = PaperVenue(UNIVERSE, PaperConfig(latency_ms=50.0, jitter_ms=20.0, seed=3))
    told: list[VenueEvent] = []
    orders: dict[str, Order] = {}
    tape: list[tuple[int, tuple]] = []
    now_ns = T0_NS
    for wait_ms, what in steps:
        now_ns += wait_ms * NS_PER_MS
        while (due := venue.next_due_ns) is not None and due < now_ns:
            told += venue.on_time(due)
        if what == "cancel":
            if orders:
                told += venue.cancel(next(reversed(orders)), now_ns)
        elif isinstance(what[1], Side):
            at, side, lots, limit, tif = what
            name = f"o{len(orders)}"
            orders[name] = make_order(name, at, side, lots, limit_ticks=limit, time_in_force=tif)
            told += venue.submit(orders[name], now_ns)
        else:
            tape.append((now_ns, what))
            told += venue.on_quotes(quotes(len(tape), what, at_ns=now_ns))
    for name in orders:
        told += venue.cancel(name, now_ns)
    while (due := venue.next_due_ns) is not None and due < now_ns + 10**9:
        told += venue.on_time(due)
    return told, orders, tape


def quoted(tape: list, instrument: int, at_ns: int, side: Side) -> tuple[int, int | None, int | None, int]:
    """(epoch of the side's quote, bid, ask, size the aggressor meets) as of a time."""
    epoch, bid, ask, size, last = 0, None, None, 0, None
    for when, (row, b, a, bid_lots, ask_lots) in tape:
        if when > at_ns or row != instrument:
            continue
        bid, ask, size = b, a, ask_lots if side is Side.BUY else bid_lots
        now = (a if side is Side.BUY else b, size)
        epoch += now != last
        last = now
    return epoch, bid, ask, size


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_fills_are_at_the_quoted_side_within_limit_and_size(steps: list) -> None:
    told, orders, tape = play(taking(steps))
    used: dict[tuple[int, Side, int], int] = defaultdict(int)
    for fill in (e for e in told if e.kind is VenueKind.FILL):
        order = orders[fill.client_order_id]
        epoch, bid, ask, size = quoted(tape, order.instrument, fill.event_time_ns, order.side)
        far = ask if order.side is Side.BUY else bid
        assert fill.ticks == far
        assert order.side.sign * (order.limit_ticks - fill.ticks) >= 0
        assert bid is None or ask is None or bid < ask
        assert fill.fee_cents == FEE_CENTS * fill.lots
        used[order.instrument, order.side, epoch] += fill.lots
        assert used[order.instrument, order.side, epoch] <= size


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_every_order_is_accepted_once_and_ends_once(steps: list) -> None:
    told, orders, _ = play(steps)
    for name, order in orders.items():
        mine = [e for e in told if e.client_order_id == name and e.kind is not VenueKind.CANCEL_REJECTED]
        filled = sum(e.lots for e in mine)
        ends = [e for e in mine if e.kind in (VenueKind.CANCELED, VenueKind.EXPIRED, VenueKind.REJECTED)]
        assert mine[0].kind is VenueKind.ACCEPTED
        assert [e.event_time_ns for e in mine] == sorted(e.event_time_ns for e in mine)
        assert len(ends) == (filled < order.quantity_lots)
        assert filled <= order.quantity_lots
        assert not ends or mine[-1] is ends[0]
        if order.time_in_force is TimeInForce.IOC:
            assert len({e.event_time_ns for e in mine}) == 1


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_a_marketable_order_is_not_left_unfilled(steps: list) -> None:
    """On arrival an IOC order takes all that stands at its limit or better: less would understate what a hedge gets."""
    told, orders, tape = play(taking(steps))
    used: dict[tuple[int, Side, int], int] = defaultdict(int)
    for event in told:
        if event.kind is VenueKind.CANCEL_REJECTED:
            continue
        order = orders[event.client_order_id]
        epoch, bid, ask, size = quoted(tape, order.instrument, event.event_time_ns, order.side)
        if event.kind is VenueKind.FILL:
            used[order.instrument, order.side, epoch] += event.lots
        if event.kind is VenueKind.CANCELED and order.time_in_force is TimeInForce.IOC:
            far = ask if order.side is Side.BUY else bid
            crossed = bid is not None and ask is not None and bid >= ask
            reaches = far is not None and order.side.sign * (order.limit_ticks - far) >= 0
            assert crossed or not reaches or used[order.instrument, order.side, epoch] == size

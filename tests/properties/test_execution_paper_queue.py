"""Queue position: against an explicit queue lot by lot, and what must hold whatever the quotes do."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import Side, TimeInForce
from common.units import NS_PER_MS
from execution.config import PaperConfig
from execution.venues.paper import PaperVenue
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import T0_NS, make_order, make_universe, quotes
from tests.paper_reference import ReferenceVenue

UNIVERSE = make_universe()
PRICE = st.integers(97, 103)
QUOTE = st.tuples(st.integers(97, 100), st.integers(1, 3), st.integers(0, 9), st.integers(0, 9)).map(
    lambda q: (q[0], q[0] + q[1], q[2], q[3])
)
SAME = st.tuples(st.just(99), st.just(101), st.integers(0, 30), st.integers(0, 30))
WILD = st.tuples(st.one_of(st.none(), PRICE), st.one_of(st.none(), PRICE), st.integers(0, 9), st.integers(0, 9))
ORDER = st.tuples(st.sampled_from(Side), st.integers(1, 9), PRICE, st.sampled_from([True, True, True, False]))
JOINS = st.one_of(
    st.tuples(st.just(Side.BUY), st.integers(1, 4), st.just(99), st.just(True)),
    st.tuples(st.just(Side.SELL), st.integers(1, 4), st.just(101), st.just(True)),
)
CANCEL = st.tuples(st.just("cancel"), st.integers(0, 30))
STEPS = st.lists(st.one_of(SAME, SAME, SAME, QUOTE, WILD, ORDER, JOINS, JOINS, CANCEL), min_size=3, max_size=40)
PERCENT = st.sampled_from([0, 25, 50, 100])


def instant_venue(percent: int = 25, **changes: object) -> PaperVenue:
    config = PaperConfig(latency_ms=0.0, jitter_ms=0.0, queue_trade_percent=percent)
    return PaperVenue(UNIVERSE, config.model_copy(update=changes))


class Tape:
    """Feeds steps to a venue, one millisecond apart; ``events`` are what each step caused."""

    def __init__(self, venue: PaperVenue) -> None:
        self.venue, self.now_ns, self.sequence, self.orders = venue, T0_NS, 0, 0

    def play(self, step: tuple) -> list[VenueEvent]:
        self.now_ns += NS_PER_MS
        if step[0] == "cancel":
            told = self.venue.cancel(f"o{step[1]}", self.now_ns)
        elif isinstance(step[0], Side):
            side, lots, limit, rests = step
            tif = TimeInForce.DAY if rests else TimeInForce.IOC
            order = make_order(f"o{self.orders}", side=side, lots=lots, limit_ticks=limit, time_in_force=tif)
            self.orders += 1
            told = self.venue.submit(order, self.now_ns)
        else:
            self.sequence += 1
            told = self.venue.on_quotes(quotes(self.sequence, (0, *step), at_ns=self.now_ns))
        return told + self.venue.on_time(self.now_ns)


def fills(events: list[VenueEvent]) -> Counter[tuple[str, int]]:
    out: Counter[tuple[str, int]] = Counter()
    for e in events:
        if e.kind is VenueKind.FILL:
            out[e.client_order_id, e.ticks] += e.lots
    return out


@settings(max_examples=400, deadline=None)
@given(STEPS, PERCENT)
def test_it_fills_as_a_queue_kept_lot_by_lot(steps: list, percent: int) -> None:
    tape, plain = Tape(instant_venue(percent)), ReferenceVenue(percent)
    for at, step in enumerate(steps):
        name = f"o{tape.orders}"
        told = fills(tape.play(step))
        if step[0] == "cancel":
            plain.cancel(f"o{step[1]}")
            expected: Counter[tuple[str, int]] = Counter()
        elif isinstance(step[0], Side):
            expected = plain.submit(name, *step)
        else:
            expected = plain.requote(step)
        assert told == expected, f"step {at}: {step}"


@settings(max_examples=200, deadline=None)
@given(STEPS, PERCENT)
def test_a_quote_gives_no_more_than_it_and_the_one_before_it_show(steps: list, percent: int) -> None:
    """Per step: lots filled against the far side stay within its size, those from the queue within what disappeared."""
    tape = Tape(instant_venue(percent))
    before: tuple = (None, None, 0, 0)
    for step in steps:
        told = [e for e in tape.play(step) if e.kind is VenueKind.FILL]
        if isinstance(step[0], Side) or step[0] == "cancel":
            continue
        shown = {Side.BUY: before[2] + step[3], Side.SELL: before[3] + step[2]}
        for side in Side:
            lots = sum(e.lots for e in told if tape.venue._tickets[e.client_order_id].order.side is side)
            assert lots <= shown[side]
        for e in told:  # resting orders fill at their own limit, and never where the market is better for nobody
            assert e.ticks == tape.venue._tickets[e.client_order_id].order.limit_ticks
        before = step


@settings(max_examples=200, deadline=None)
@given(STEPS, PERCENT)
def test_nobody_jumps_the_queue(steps: list, percent: int) -> None:
    """A lot goes to an order only when no earlier own order at its price or a better one still waits."""
    tape = Tape(instant_venue(percent))
    for step in steps:
        waiting = [t for queue in tape.venue._resting.values() for t in queue]
        was = {t.order.client_order_id: t.ahead_lots for t in waiting}
        leaves = {t.order.client_order_id: t.leaves_lots for t in waiting}
        for e in tape.play(step):
            if e.kind is not VenueKind.FILL or e.client_order_id not in leaves:
                continue
            mine = next(t for t in waiting if t.order.client_order_id == e.client_order_id)
            for other in waiting:
                same_side = other.order.side is mine.order.side
                if other is not mine and same_side and other.precedence < mine.precedence:
                    assert leaves[other.order.client_order_id] == 0
            leaves[e.client_order_id] -= e.lots
        for t in waiting:
            assert t.ahead_lots <= was[t.order.client_order_id]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(SAME, SAME, QUOTE, WILD), min_size=2, max_size=30), ORDER, st.integers(1, 9), PERCENT)
def test_a_bigger_order_fills_what_a_smaller_one_fills_and_then_more(
    steps: list, order: tuple, more: int, percent: int
) -> None:
    side, lots, limit, rests = order
    small, big = Tape(instant_venue(percent)), Tape(instant_venue(percent))
    done = {small: 0, big: 0}
    for at, step in enumerate(steps):
        for tape, size in ((small, lots), (big, lots + more)):
            told = tape.play(step)
            if at == 0:
                told = told + tape.play((side, size, limit, rests))
            done[tape] += sum(fills(told).values())
        assert done[small] == min(lots, done[big])


@settings(max_examples=100, deadline=None)
@given(STEPS, PERCENT, st.sampled_from([0.0, 1.5, 500.0]), st.sampled_from([0.0, 40.0]))
def test_the_same_input_gives_the_same_output_to_the_bit(
    steps: list, percent: int, half_life_ms: float, impact: float
) -> None:
    changes = {"refill_half_life_ms": half_life_ms, "impact_ticks_per_100_lots": impact, "latency_ms": 2.0}
    one, two = (Tape(instant_venue(percent, **changes)) for _ in range(2))
    assert [one.play(s) for s in steps] == [two.play(s) for s in steps]


@settings(max_examples=200, deadline=None)
@given(STEPS, PERCENT, st.sampled_from([0.5, 3.0, 500.0]), st.sampled_from([0.0, 40.0]))
def test_impact_only_ever_takes_away(steps: list, percent: int, half_life_ms: float, impact: float) -> None:
    """An IOC order with impact on never fills more, nor at a better price, than without, after the same own trades."""
    iocs = [s if not isinstance(s[0], Side) else (*s[:3], False) for s in steps]
    changes = {"refill_half_life_ms": half_life_ms, "impact_ticks_per_100_lots": impact}
    tape = Tape(instant_venue(percent, **changes))
    taken: Counter[Side] = Counter()
    quote: tuple = (None, None, 0, 0)
    for step in iocs:
        told = [e for e in tape.play(step) if e.kind is VenueKind.FILL]
        if isinstance(step[0], Side):
            side = step[0]
            far, shown = (quote[1], quote[3]) if side is Side.BUY else (quote[0], quote[2])
            taken[side] += sum(e.lots for e in told)
            assert taken[side] <= shown or not told
            assert all(side.sign * (e.ticks - far) >= 0 and side.sign * (step[2] - e.ticks) >= 0 for e in told)
        elif step[0] != "cancel":
            for side, at in ((Side.BUY, (1, 3)), (Side.SELL, (0, 2))):
                if tuple(np.take(quote, at)) != tuple(np.take(step, at)):
                    taken[side] = 0
            quote = step

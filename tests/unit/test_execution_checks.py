"""Each pre-trade rule at its edge: the last value that passes and the first that does not, worked out by hand."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import pytest

from common.messages import Order, OrdStatus, OrdType, Refusal, Side, TimeInForce
from common.snapshot import MarketSnapshot
from common.units import NS_PER_DAY, NS_PER_S
from execution.checks import Breach, breach, malformed, protected
from execution.exposure import Exposure
from execution.flow import Flow
from execution.limits import ExecutionLimits
from execution.orders import OrderRecord
from tests.execution_world import T0_NS, make_limits, make_order, make_universe, quotes, standing, tight

UNIVERSE = make_universe()


def check(
    order: Order,
    limits: ExecutionLimits | None = None,
    exposure: Exposure | None = None,
    flow: Flow | None = None,
    batches: tuple = (),
) -> Breach | None:
    snapshot = MarketSnapshot(UNIVERSE)
    for batch in batches or (standing(),):
        snapshot.apply(batch)
    return breach(order, limits or make_limits(), UNIVERSE, snapshot, exposure or Exposure(), flow or Flow())


def refusal(*args, **kwargs) -> Refusal:
    found = check(*args, **kwargs)
    return Refusal.NONE if found is None else found.refusal


def test_an_ordinary_order_passes() -> None:
    assert check(make_order("a")) is None


@pytest.mark.parametrize("name", ["", "x" * 37, "a b", "å", "a\n"])
def test_bad_ids_are_malformed(name: str) -> None:
    found = malformed(make_order(name), UNIVERSE)
    assert found is not None
    assert found.refusal is Refusal.MALFORMED


def test_an_id_of_36_characters_is_fine() -> None:
    assert malformed(make_order("x" * 36), UNIVERSE) is None


def test_an_index_that_contradicts_the_id_is_malformed() -> None:
    found = malformed(replace(make_order("a"), instrument=1), UNIVERSE)
    assert found is not None
    assert "index 1" in found.text


@pytest.mark.parametrize(("side", "lots", "good"), [(Side.BUY, 3, True), (Side.SELL, -3, True), (Side.SELL, 3, False)])
def test_allocations_add_up_to_the_signed_quantity(side: Side, lots: int, good: bool) -> None:
    order = make_order("a", side=side, lots=3, allocation=(("gamma-0", lots + 1), ("vega-0", -1)))
    assert (malformed(order, UNIVERSE) is None) == good


def test_unknown_unlisted_and_expired_instruments() -> None:
    assert refusal(replace(make_order("a"), instrument_id="ZZZ.F")) is Refusal.UNKNOWN_INSTRUMENT
    assert refusal(make_order("a", instrument=3)) is Refusal.UNKNOWN_INSTRUMENT
    late = standing(symbol="BBB", at_ns=T0_NS + NS_PER_DAY)
    order = make_order("a", instrument=7, event_time_ns=T0_NS + NS_PER_DAY)
    assert refusal(order, batches=(late,)) is Refusal.UNKNOWN_INSTRUMENT
    early = standing(symbol="BBB", at_ns=T0_NS + NS_PER_DAY - 1)
    assert (
        refusal(replace(order, event_time_ns=T0_NS), make_limits(max_order_age_s=1e6), batches=(early,)) is Refusal.NONE
    )


@pytest.mark.parametrize(("lots", "expected"), [(-1, "SIZE"), (0, "SIZE"), (5, "NONE"), (6, "SIZE")])
def test_size(lots: int, expected: str) -> None:
    assert refusal(make_order("a", lots=lots), make_limits(future=tight(max_order_lots=5))).name == expected


def test_notional_is_lots_times_price_times_multiplier() -> None:
    # 4 lots × 1002 ticks × 0.25 × 50 USD = 50,100 USD
    order = make_order("a", lots=4)
    assert refusal(order, make_limits(future=tight(max_notional_usd=50_100.0))) is Refusal.NONE
    found = check(order, make_limits(future=tight(max_notional_usd=50_099.0)))
    assert found == Breach(Refusal.NOTIONAL, "notional: 50100.00 USD, limit 50099.00 USD")


@pytest.mark.parametrize(
    ("side", "limit", "expected"),
    [
        (Side.BUY, 1011, "NONE"),
        (Side.BUY, 1012, "COLLAR"),
        (Side.BUY, 1, "NONE"),
        (Side.SELL, 991, "NONE"),
        (Side.SELL, 990, "COLLAR"),
        (Side.SELL, 9999, "NONE"),
    ],
)
def test_collar_of_ten_ticks_around_the_mid_of_1001(side: Side, limit: int, expected: str) -> None:
    limits = make_limits(future=tight(collar_ticks=10, collar_fraction=0.0))
    assert refusal(make_order("a", side=side, limit_ticks=limit), limits).name == expected


def test_the_wider_of_ticks_and_fraction_counts() -> None:
    limits = make_limits(future=tight(collar_ticks=1, collar_fraction=0.02))
    assert refusal(make_order("a", limit_ticks=1021), limits) is Refusal.NONE
    assert refusal(make_order("a", limit_ticks=1022), limits) is Refusal.COLLAR


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((0, None, 1002, 0, 5), "no bid"),
        ((0, 1000, None, 5, 0), "no ask"),
        ((0, None, None, 0, 0), "no quote"),
        ((0, 1003, 1002, 5, 5), "crossed"),
        ((0, 1002, 1002, 5, 5), "crossed or locked"),
        ((0, 1000, 1002, 0, 5), "without size"),
    ],
)
def test_an_unusable_reference_refuses(row: tuple, words: str) -> None:
    found = check(make_order("a"), batches=(standing(), quotes(2, row)))
    assert found is not None
    assert found.refusal is Refusal.STALE_REFERENCE
    assert words in found.text


def test_no_quotes_and_a_gap_refuse_until_a_snapshot_heals() -> None:
    other = standing(symbol="BBB")
    assert refusal(make_order("a"), batches=(other,)) is Refusal.STALE_REFERENCE
    gapped = (standing(), quotes(3, (0, 1000, 1002, 5, 5)))
    found = check(make_order("a"), batches=gapped)
    assert found is not None
    assert "gap" in found.text
    healed = (*gapped, quotes(3, (0, 1000, 1002, 5, 5), snapshot=True))
    assert check(make_order("a"), batches=healed) is None


def test_the_age_of_the_source_is_market_time_while_others_move_on() -> None:
    limits = make_limits(max_source_age_s=10.0)
    first = standing(at_ns=T0_NS)
    for after_ns, expected in ((10 * NS_PER_S, Refusal.NONE), (10 * NS_PER_S + 1, Refusal.STALE_REFERENCE)):
        other = standing(symbol="BBB", at_ns=T0_NS + after_ns)
        order = make_order("a", event_time_ns=T0_NS)
        assert refusal(order, limits, batches=(first, other)) is expected
        # The same if only the sender has seen newer quotes.
        assert refusal(replace(order, event_time_ns=T0_NS + after_ns), limits, batches=(first,)) is expected


def test_an_order_decided_long_ago_is_refused() -> None:
    limits = make_limits(max_order_age_s=5.0)
    batch = standing(at_ns=T0_NS + 5 * NS_PER_S)
    assert refusal(make_order("a", event_time_ns=T0_NS), limits, batches=(batch,)) is Refusal.NONE
    found = check(make_order("a", event_time_ns=T0_NS - 1), limits, batches=(batch,))
    assert found is not None
    assert found.text.startswith("order age")


@pytest.mark.parametrize(
    ("side", "position", "working", "expected"),
    [
        (Side.BUY, 4, 3, "NONE"),
        (Side.BUY, 5, 3, "POSITION"),
        (Side.BUY, -100, 0, "NONE"),
        (Side.SELL, -4, 3, "NONE"),
        (Side.SELL, -4, 4, "POSITION"),
        (Side.SELL, 100, 0, "NONE"),
    ],
)
def test_position_with_everything_on_the_same_side_filled(
    side: Side, position: int, working: int, expected: str
) -> None:
    exposure = Exposure(
        {0: position},
        working_buy_lots={0: working if side is Side.BUY else 99},
        working_sell_lots={0: working if side is Side.SELL else 99},
    )
    limits = make_limits(future=tight(max_position_lots=10))
    assert refusal(make_order("a", side=side, lots=3), limits, exposure).name == expected


def test_open_orders_and_rate_in_market_time() -> None:
    limits = make_limits(max_open_orders=2, max_orders_per_window=3, rate_window_s=10.0)
    assert refusal(make_order("a"), limits, Exposure(open_orders=1)) is Refusal.NONE
    assert refusal(make_order("a"), limits, Exposure(open_orders=2)) is Refusal.OPEN_ORDERS
    now_ns = T0_NS + NS_PER_S
    inside = Flow(deque([now_ns - 10 * NS_PER_S + 1, now_ns, now_ns]))
    assert refusal(make_order("a"), limits, flow=inside) is Refusal.RATE
    outside = Flow(deque([now_ns - 10 * NS_PER_S, now_ns, now_ns]))
    assert refusal(make_order("a"), limits, flow=outside) is Refusal.NONE
    assert list(outside.orders_ns) == [now_ns, now_ns]


def test_every_refusal_names_rule_value_and_limit() -> None:
    limits = make_limits(max_open_orders=1, future=tight(max_order_lots=5, max_position_lots=10))
    for found in (
        check(make_order("a", lots=6), limits),
        check(make_order("a", limit_ticks=2000), limits),
        check(make_order("a"), limits, Exposure({0: 10})),
        check(make_order("a"), limits, Exposure(open_orders=1)),
    ):
        assert found is not None
        rule, _, rest = found.text.partition(": ")
        assert rule
        assert any(c.isdigit() for c in rest.split("limit")[0])
        assert any(c.isdigit() for c in rest.split("limit")[1])


@pytest.mark.parametrize(
    ("side", "limit", "own", "rests", "expected"),
    [
        (Side.BUY, 1002, 1003, True, "NONE"),
        (Side.BUY, 1003, 1003, True, "SELF_CROSS"),
        (Side.BUY, 1003, 1003, False, "NONE"),  # two IOC orders never meet
        (Side.SELL, 1000, 999, True, "NONE"),
        (Side.SELL, 999, 999, True, "SELF_CROSS"),
    ],
)
def test_an_order_that_would_meet_one_of_our_own(side: Side, limit: int, own: int, rests: bool, expected: str) -> None:
    exposure = Exposure()
    force = TimeInForce.DAY if rests else TimeInForce.IOC
    other = Side.SELL if side is Side.BUY else Side.BUY
    working = make_order("own", side=other, limit_ticks=own, time_in_force=force)
    exposure.moved(None, OrderRecord(working, OrdStatus.NEW, leaves_lots=1))
    order = make_order("a", side=side, limit_ticks=limit)
    found = check(order, exposure=exposure)
    assert (found.refusal.name if found else "NONE") == expected
    if found is not None:
        assert str(limit) in found.text and "our order own" in found.text and str(own) in found.text
    exposure.moved(OrderRecord(working, OrdStatus.NEW, leaves_lots=1), OrderRecord(working, OrdStatus.CANCELED))
    assert check(order, exposure=exposure) is None


def test_equal_orders_and_messages_are_counted_in_market_time() -> None:
    limits = make_limits(max_same_orders=2, same_order_window_s=1.0, max_messages_per_window=4, rate_window_s=10.0)
    flow, now_ns = Flow(), T0_NS + NS_PER_S
    flow.take_order(make_order("x"), now_ns - NS_PER_S)
    flow.take_order(make_order("y"), now_ns)
    assert refusal(make_order("a"), limits, flow=flow) is Refusal.NONE  # the first has just left the window
    flow.take_order(make_order("a"), now_ns)
    found = check(make_order("b"), limits, flow=flow)
    assert found == Breach(
        Refusal.DUPLICATE_CONTENT, "duplicate: 2 orders of this content already in 1 s of market time, limit 2"
    )
    assert refusal(make_order("b", lots=2), limits, flow=flow) is Refusal.NONE
    flow.take_cancel(limits, now_ns)
    assert refusal(make_order("b", lots=2), limits, flow=flow) is Refusal.MESSAGE_RATE
    for _ in range(1000):
        flow.take_cancel(limits, now_ns)
    assert len(flow.messages_ns) == 4


def test_equal_orders_that_leave_the_window_together_are_forgotten_together() -> None:
    limits, flow = make_limits(max_same_orders=2, same_order_window_s=1.0), Flow()
    for k in range(3):
        flow.take_order(make_order(f"x{k}"), T0_NS + k)
    assert flow.alike_within(make_order("y"), limits, T0_NS) == 3
    assert flow.alike_within(make_order("y"), limits, T0_NS + 5 * NS_PER_S) == 0


def test_a_market_order_is_bounded_by_the_collar() -> None:
    limits = make_limits(future=tight(collar_ticks=10, collar_fraction=0.0))
    snapshot = MarketSnapshot(UNIVERSE)
    snapshot.apply(quotes(1, (0, 1000, 1003, 5, 5)))  # mid 1001.5
    for side, worst in ((Side.BUY, 1011), (Side.SELL, 992)):
        order = make_order("m", side=side, limit_ticks=0, ord_type=OrdType.MARKET)
        sent = protected(order, limits, UNIVERSE, snapshot)
        assert sent == replace(order, limit_ticks=worst)
        assert breach(sent, limits, UNIVERSE, snapshot, Exposure(), Flow()) is None
    unquoted = make_order("m", instrument=1, limit_ticks=0, ord_type=OrdType.MARKET)
    assert protected(unquoted, limits, UNIVERSE, snapshot) == unquoted
    found = breach(unquoted, limits, UNIVERSE, snapshot, Exposure(), Flow())
    assert found is not None and found.refusal is Refusal.STALE_REFERENCE
    found = malformed(make_order("m", ord_type=OrdType.MARKET), UNIVERSE)
    assert found is not None and "limit 0" in found.text

"""Pre-trade checks, independent of the manager: own limits, own reference prices, own positions.

``malformed`` looks at the message alone, ``breach`` at the order against limits, market and exposure. Both are pure,
cost microseconds and return the first rule broken with the value and the limit, or None.

A MARKET order is checked as a limit order at its worst price, the collar's edge (``protected``). A replacement counts with
the lots it adds to its original; it opens no order. An order that would meet a working order of ours is refused.

Reference: the mid of the live quote. It is unusable, and the order refused, when a side is absent or without size, when
the quote is crossed or locked, when the source has an open gap, or is older than ``max_source_age_s`` of market time
(now = the newest market time seen, or the order's own if that is later). The rate counts accepted orders in
market time: if the market stands still the window never empties, which is the safe side.
*Tested by* tests/unit/test_execution_checks.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from common.messages import Order, OrdType, Refusal, Side
from common.snapshot import MarketSnapshot
from common.subjects import feed_source
from common.units import NO_PRICE, NS_PER_S
from common.universe import FUTURE, Universe
from execution.exposure import Exposure
from execution.flow import Flow
from execution.limits import ExecutionLimits, KindLimits
from execution.tactics.order import malformed as unworkable

MAX_ID_LENGTH = 36
#: Of every other text, in characters, and of the parts of an allocation or of the cost: what is known of an order stays in
#: memory, so one message must not be able to hold megabytes of it.
MAX_TEXT_LENGTH, MAX_PARTS = 1000, 1000


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that refuses an order; ``text`` names rule, value and limit."""

    refusal: Refusal
    text: str


def malformed(order: Order, universe: Universe) -> Breach | None:
    """What makes a message no order at all, whoever sends it."""
    for name in (order.client_order_id, order.orig_client_order_id or "none"):
        if not 0 < len(name) <= MAX_ID_LENGTH or not name.isascii() or not name.isprintable() or " " in name:
            text = f"id: {len(name)} characters, limit 1 to {MAX_ID_LENGTH} printable ones without blanks"
            return Breach(Refusal.MALFORMED, text)
    if order.client_order_id == order.orig_client_order_id:
        return Breach(Refusal.MALFORMED, f"original: {order.client_order_id} replaces itself, limit a new id")
    if order.ord_type is OrdType.MARKET and order.limit_ticks:
        text = f"limit price: {order.limit_ticks} ticks in a MARKET order, limit 0; the collar is its worst price"
        return Breach(Refusal.MALFORMED, text)
    if text := unworkable(order, MAX_ID_LENGTH):
        return Breach(Refusal.MALFORMED, text)
    if universe.index.get(order.instrument_id, order.instrument) != order.instrument:
        row = universe.index[order.instrument_id]
        text = f"instrument: index {order.instrument}, but {order.instrument_id!r} has index {row}"
        return Breach(Refusal.MALFORMED, text)
    if found := _too_long(order):
        return found
    allocated = sum(lots for _, lots in order.allocation)
    if order.allocation and allocated != order.signed_lots:
        return Breach(Refusal.MALFORMED, f"allocation: {allocated} lots, limit exactly {order.signed_lots}")
    return None


def _too_long(order: Order) -> Breach | None:
    shared = (share.factor + share.agent for share in order.cost_shares)
    texts = (order.instrument_id, order.book_id, order.cycle_id, order.inputs_hash, order.cause_id)
    parts = max(len(order.allocation), len(order.cost_shares))
    if parts > MAX_PARTS:
        return Breach(Refusal.MALFORMED, f"parts: {parts} of an allocation or of the cost, limit {MAX_PARTS}")
    longest = max(map(len, (*texts, *shared, *(agent for agent, _ in order.allocation))))
    if longest > MAX_TEXT_LENGTH:
        return Breach(Refusal.MALFORMED, f"text: {longest} characters, limit {MAX_TEXT_LENGTH}")
    return None


def protected(order: Order, limits: ExecutionLimits, universe: Universe, snapshot: MarketSnapshot) -> Order:
    """The order as it may leave: a MARKET order with the edge of the collar as its limit, where there is a reference."""
    row = universe.index.get(order.instrument_id)
    if order.ord_type is not OrdType.MARKET or row is None:
        return order
    bid, ask = snapshot.bid_ticks.item(row), snapshot.ask_ticks.item(row)
    if bid == NO_PRICE or ask == NO_PRICE:
        return order
    mid = 0.5 * (bid + ask)
    allowed = _allowed_ticks(_kind(order, limits, universe), mid)
    worst = math.floor(mid + allowed) if order.side is Side.BUY else math.ceil(mid - allowed)
    return replace(order, limit_ticks=worst)


def breach(
    order: Order,
    limits: ExecutionLimits,
    universe: Universe,
    snapshot: MarketSnapshot,
    exposure: Exposure,
    flow: Flow,
    original: Order | None = None,
    reserved: bool = False,
) -> Breach | None:
    """The first rule that ``order`` (as ``protected`` gives it) breaks. Windows of ``flow`` are pruned, nothing is counted.

    ``original``: the order it replaces, if it replaces one. ``reserved``: a child, whose lots its parent holds already.
    """
    now_ns = max(snapshot.now_ns, order.event_time_ns)
    if found := _instrument(order, universe, now_ns):
        return found
    kind = _kind(order, limits, universe)
    return (
        _size(order, kind, universe)
        or _reference(order, limits, universe, snapshot, now_ns)
        or _collar(order, kind, snapshot)
        or _position(order, kind, exposure, 0 if reserved else added_lots(order, original))
        or _self_cross(order, exposure)
        or (_open_orders(limits, exposure) if original is None else None)
        or _rates(order, limits, flow, now_ns, original is None)
    )


def added_lots(order: Order, original: Order | None) -> int:
    """Lots that may fill because of this order and not without it."""
    return order.quantity_lots if original is None else max(order.quantity_lots - original.quantity_lots, 0)


def _kind(order: Order, limits: ExecutionLimits, universe: Universe) -> KindLimits:
    return limits.future if universe.kind.item(order.instrument) == FUTURE else limits.option


def _allowed_ticks(kind: KindLimits, mid: float) -> float:
    return max(float(kind.collar_ticks), kind.collar_fraction * abs(mid))


def _instrument(order: Order, universe: Universe, now_ns: int) -> Breach | None:
    row = universe.index.get(order.instrument_id)
    if row is None:
        return Breach(Refusal.UNKNOWN_INSTRUMENT, f"instrument: {order.instrument_id!r} is not in the universe")
    if not universe.listed.item(row):
        return Breach(Refusal.UNKNOWN_INSTRUMENT, f"instrument: {order.instrument_id!r} is not listed")
    expiry_ns = universe.expiry_ns.item(row)
    if 0 < expiry_ns <= now_ns:
        text = f"instrument: {order.instrument_id!r} expired at {expiry_ns} ns, market time is {now_ns} ns"
        return Breach(Refusal.UNKNOWN_INSTRUMENT, text)
    return None


def _size(order: Order, kind: KindLimits, universe: Universe) -> Breach | None:
    lots = order.quantity_lots
    if not 0 < lots <= kind.max_order_lots:
        return Breach(Refusal.SIZE, f"size: {lots} lots, limit 1 to {kind.max_order_lots}")
    at = order.instrument
    value_usd = lots * abs(order.limit_ticks) * universe.tick_size.item(at) * universe.multiplier_usd.item(at)
    if value_usd > kind.max_notional_usd:
        return Breach(Refusal.NOTIONAL, f"notional: {value_usd:.2f} USD, limit {kind.max_notional_usd:.2f} USD")
    return None


def _reference(
    order: Order, limits: ExecutionLimits, universe: Universe, snapshot: MarketSnapshot, now_ns: int
) -> Breach | None:
    at = order.instrument
    symbol = universe.underlyings[universe.underlying.item(at)].symbol
    source = snapshot.sources.get(feed_source(symbol))
    if source is None:
        return _stale(f"reference: no quotes of {symbol} yet")
    if source.gapped:
        return _stale(f"reference: gap in the quotes of {symbol} before sequence {source.sequence}")
    age_ns = now_ns - source.event_time_ns
    if age_ns > limits.max_source_age_ns:
        text = f"reference: quotes of {symbol} are {age_ns / NS_PER_S:.3f} s old, limit {limits.max_source_age_s:g} s"
        return _stale(text)
    order_age_ns = now_ns - order.event_time_ns
    if order_age_ns > limits.max_order_age_ns:
        return _stale(f"order age: {order_age_ns / NS_PER_S:.3f} s, limit {limits.max_order_age_s:g} s")
    bid, ask = snapshot.bid_ticks.item(at), snapshot.ask_ticks.item(at)
    if bid == NO_PRICE or ask == NO_PRICE:
        return _stale(f"reference: {order.instrument_id} has {_missing(bid, ask)}, limit two sides")
    if bid >= ask:
        return _stale(f"reference: {order.instrument_id} is crossed or locked, bid {bid} and ask {ask} ticks")
    if snapshot.bid_size_lots.item(at) <= 0 or snapshot.ask_size_lots.item(at) <= 0:
        return _stale(f"reference: {order.instrument_id} is quoted without size")
    return None


def _missing(bid: int, ask: int) -> str:
    return "no quote" if bid == ask else "no bid" if bid == NO_PRICE else "no ask"


def _stale(text: str) -> Breach:
    return Breach(Refusal.STALE_REFERENCE, text)


def _collar(order: Order, kind: KindLimits, snapshot: MarketSnapshot) -> Breach | None:
    mid = 0.5 * (snapshot.bid_ticks.item(order.instrument) + snapshot.ask_ticks.item(order.instrument))
    beyond = order.side.sign * (order.limit_ticks - mid)
    allowed = _allowed_ticks(kind, mid)
    if beyond > allowed:
        where = "above" if order.side is Side.BUY else "below"
        return Breach(Refusal.COLLAR, f"collar: {beyond:g} ticks {where} the mid {mid:g}, limit {allowed:g} ticks")
    return None


def _position(order: Order, kind: KindLimits, exposure: Exposure, lots: int) -> Breach | None:
    after = exposure.worst_after(order.instrument, order.side, lots)
    if lots and order.side.sign * after > kind.max_position_lots:
        text = f"position: {after} lots with everything working filled, limit {kind.max_position_lots}"
        return Breach(Refusal.POSITION, text)
    return None


def _self_cross(order: Order, exposure: Exposure) -> Breach | None:
    if (met := exposure.crossing(order, order.limit_ticks)) is None:
        return None
    name, ticks = met
    side = "below" if order.side is Side.BUY else "above"
    text = f"self-cross: {order.limit_ticks} ticks would meet our order {name}, limit {side} its {ticks} ticks"
    return Breach(Refusal.SELF_CROSS, text)


def _open_orders(limits: ExecutionLimits, exposure: Exposure) -> Breach | None:
    if exposure.open_orders < limits.max_open_orders:
        return None
    text = f"open orders: {exposure.open_orders} already open, limit {limits.max_open_orders}"
    return Breach(Refusal.OPEN_ORDERS, text)


def _rates(order: Order, limits: ExecutionLimits, flow: Flow, now_ns: int, new: bool) -> Breach | None:
    window = f"in {limits.rate_window_s:g} s of market time"
    if (messages := flow.messages_within(limits, now_ns)) >= limits.max_messages_per_window:
        text = f"message rate: {messages} messages already {window}, limit {limits.max_messages_per_window}"
        return Breach(Refusal.MESSAGE_RATE, text)
    if not new:
        return None
    if (orders := flow.orders_within(limits, now_ns)) >= limits.max_orders_per_window:
        return Breach(Refusal.RATE, f"rate: {orders} orders already {window}, limit {limits.max_orders_per_window}")
    if (alike := flow.alike_within(order, limits, now_ns)) >= limits.max_same_orders:
        window = f"in {limits.same_order_window_s:g} s of market time"
        text = f"duplicate: {alike} orders of this content already {window}, limit {limits.max_same_orders}"
        return Breach(Refusal.DUPLICATE_CONTENT, text)
    return None

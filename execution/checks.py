"""Pre-trade checks, independent of the manager: own limits, own reference prices, own positions.

``malformed`` looks at the message alone, ``breach`` at the order against limits, market and exposure. Both are pure,
cost microseconds and return the first rule broken with the value and the limit, or None.

Reference: the mid of the live quote. It is unusable, and the order refused, when a side is absent or without size, when
the quote is crossed or locked, when the source has an open gap, or is older than ``max_source_age_s`` of market time
(now = the newest market time seen, or the order's own if that is later). The rate counts accepted orders in
market time: if the market stands still the window never empties, which is the safe side.
*Tested by* tests/unit/test_execution_checks.py.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from common.messages import Order, Refusal, Side
from common.snapshot import MarketSnapshot
from common.subjects import feed_source
from common.units import NO_PRICE, NS_PER_S
from common.universe import FUTURE, Universe
from execution.exposure import Exposure
from execution.limits import ExecutionLimits, KindLimits

MAX_ID_LENGTH = 36


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that refuses an order; ``text`` names rule, value and limit."""

    refusal: Refusal
    text: str


def malformed(order: Order, universe: Universe) -> Breach | None:
    """What makes a message no order at all, whoever sends it."""
    name = order.client_order_id
    if not 0 < len(name) <= MAX_ID_LENGTH or not name.isascii() or not name.isprintable() or " " in name:
        text = f"id: {len(name)} characters, limit 1 to {MAX_ID_LENGTH} printable ones without blanks"
        return Breach(Refusal.MALFORMED, text)
    if universe.index.get(order.instrument_id, order.instrument) != order.instrument:
        row = universe.index[order.instrument_id]
        text = f"instrument: index {order.instrument}, but {order.instrument_id!r} has index {row}"
        return Breach(Refusal.MALFORMED, text)
    allocated = sum(lots for _, lots in order.allocation)
    if order.allocation and allocated != order.signed_lots:
        return Breach(Refusal.MALFORMED, f"allocation: {allocated} lots, limit exactly {order.signed_lots}")
    return None


def breach(
    order: Order,
    limits: ExecutionLimits,
    universe: Universe,
    snapshot: MarketSnapshot,
    exposure: Exposure,
    accepted_ns: deque[int],
) -> Breach | None:
    """The first rule the order breaks. ``accepted_ns``: market times of accepted orders, oldest first, pruned here."""
    now_ns = max(snapshot.now_ns, order.event_time_ns)
    if found := _instrument(order, universe, now_ns):
        return found
    kind = limits.future if universe.kind.item(order.instrument) == FUTURE else limits.option
    return (
        _size(order, kind, universe)
        or _reference(order, limits, universe, snapshot, now_ns)
        or _collar(order, kind, snapshot)
        or _position(order, kind, exposure)
        or _flow(limits, exposure, accepted_ns, now_ns)
    )


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
    allowed = max(float(kind.collar_ticks), kind.collar_fraction * abs(mid))
    if beyond > allowed:
        where = "above" if order.side is Side.BUY else "below"
        return Breach(Refusal.COLLAR, f"collar: {beyond:g} ticks {where} the mid {mid:g}, limit {allowed:g} ticks")
    return None


def _position(order: Order, kind: KindLimits, exposure: Exposure) -> Breach | None:
    after = exposure.worst_after(order.instrument, order.side, order.quantity_lots)
    if order.side.sign * after > kind.max_position_lots:
        text = f"position: {after} lots with everything working filled, limit {kind.max_position_lots}"
        return Breach(Refusal.POSITION, text)
    return None


def _flow(limits: ExecutionLimits, exposure: Exposure, accepted_ns: deque[int], now_ns: int) -> Breach | None:
    if exposure.open_orders >= limits.max_open_orders:
        text = f"open orders: {exposure.open_orders} already open, limit {limits.max_open_orders}"
        return Breach(Refusal.OPEN_ORDERS, text)
    while accepted_ns and accepted_ns[0] <= now_ns - limits.rate_window_ns:
        accepted_ns.popleft()
    if len(accepted_ns) >= limits.max_orders_per_window:
        text = (
            f"rate: {len(accepted_ns)} orders already in {limits.rate_window_s:g} s of market time, "
            f"limit {limits.max_orders_per_window}"
        )
        return Breach(Refusal.RATE, text)
    return None

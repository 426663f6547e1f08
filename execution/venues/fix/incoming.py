"""What a FIX venue says, as events of the port. Pure: a message and what is known of its order in, events out.

| ExecType (150) | becomes |
|---|---|
| 0 New | ACCEPTED |
| F Trade | FILL, once by (ExecID, ClOrdID) |
| 4 Canceled | CANCELED |
| C Expired, 3 Done for day | EXPIRED |
| 8 Rejected | REJECTED; NOT_FOUND with OrdRejReason 5; DUPLICATE with 6 |
| 5 Replaced | REPLACED, under the new id |
| I Order status | what OrdStatus says |
| G Trade correct, H Trade cancel | DISPUTED, once by ExecID: trading pauses, the book is left to people |
| D Restated | DISPUTED if the quantity changed |
| 6 Pending cancel, E Pending replace, A, 7, 9, B | nothing |

Whatever a report says, fills it implies and we lack are booked first (`view.made_good`). What cannot be read is DISPUTED,
never dropped.
*Tested by* tests/unit/test_fix_incoming.py, tests/properties/test_fix_round_trip.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from common.messages import Order, Side
from execution.venues.fix.message import FixMessage, Tag
from execution.venues.fix.naming import Contracts
from execution.venues.fix.outgoing import MARK
from execution.venues.fix.view import OrderView, made_good
from execution.venues.port import VenueEvent, VenueKind

_TRADE: Final = "F"
_STATUS: Final = "I"
_SILENT: Final = ("6", "E", "A", "7", "9", "B")
_ENDED = {"4": VenueKind.CANCELED, "C": VenueKind.EXPIRED, "3": VenueKind.EXPIRED}
_UNKNOWN_ORDER: Final = "5"
_DUPLICATE_ORDER: Final = "6"
EXEC_ID_LENGTH: Final = 256
_SIDES = {"1": Side.BUY, "2": Side.SELL}


@dataclass(frozen=True, slots=True)
class Now:
    """What an event needs that no message says: market time, and the quotes of the order's contract then."""

    time_ns: int
    bid_ticks: int
    ask_ticks: int


def order_named(message: FixMessage) -> str:
    """The order of ours that a report or a cancel reject speaks of: its own id, or the order a cancel named."""
    given, original = message.text(Tag.ClOrdID), message.text(Tag.OrigClOrdID)
    if MARK in given:
        return original or given.rpartition(MARK)[0]
    return given


def mismatch(message: FixMessage, order: Order, contracts: Contracts) -> str:
    """Why a report is of another contract or side than the order, "" if it is not."""
    side, symbol = message.text(Tag.Side), message.text(Tag.Symbol)
    if side and _SIDES.get(side) is not order.side:
        return f"a report of it has Side {side!r}"
    own = contracts.name(order.instrument).symbol
    return f"a report of it has Symbol {symbol!r}, ordered was {own}" if symbol and symbol != own else ""


def report_events(message: FixMessage, view: OrderView, contracts: Contracts, now: Now) -> list[VenueEvent]:
    """Events of an ExecutionReport (8) of ``view``'s order; the view is brought up to them."""
    return _Reading(message, view, contracts, now).events()


def cancel_reject_event(message: FixMessage, now_ns: int) -> VenueEvent:
    """Event of an OrderCancelReject (9): the cancel came too late, or the replacement is refused."""
    if message.text(Tag.CxlRejResponseTo) == "2":
        text = f"the replacement is refused: {message.text(Tag.Text)}"
        return VenueEvent(VenueKind.REPLACE_REJECTED, message.text(Tag.ClOrdID), now_ns, text=text)
    return VenueEvent(VenueKind.CANCEL_REJECTED, order_named(message), now_ns, text=message.text(Tag.Text))


def disputed(name: str, now_ns: int, text: str) -> VenueEvent:
    """The venue says what cannot be."""
    return VenueEvent(VenueKind.DISPUTED, name, now_ns, text=text)


class _Reading:
    """One report being read; lives for one call."""

    def __init__(self, message: FixMessage, view: OrderView, contracts: Contracts, now: Now) -> None:
        self._message = message
        self._view = view
        self._contracts = contracts
        self._now = now

    def events(self) -> list[VenueEvent]:
        try:
            wrong = mismatch(self._message, self._view.order, self._contracts)
            told = self._trade() if self._kind in (_TRADE, "1", "2") else self._other()
        except ValueError as error:
            return [self._disputed(f"a report of it cannot be read: {error}")]
        return [*told, *([self._disputed(wrong)] if wrong and told else [])]

    @property
    def _kind(self) -> str:
        return self._message.text(Tag.ExecType)

    @property
    def _cum_lots(self) -> int | None:
        """The venue's CumQty of this order alone."""
        said = self._message.lots(Tag.CumQty)
        return None if said is None else max(said - self._view.base_lots, 0)

    @property
    def _average_ticks(self) -> Decimal | None:
        """AvgPx in ticks; None where it is absent, zero, or mixes in what replaced orders had filled."""
        price = self._message.decimal(Tag.AvgPx)
        if not price or self._view.base_lots:
            return None
        return self._contracts.ticks(self._view.order.instrument, price)

    # -- trades --------------------------------------------------------------------------------------------------------

    def _trade(self) -> list[VenueEvent]:
        view, venue_id = self._view, self._message.text(Tag.ExecID)
        lots, price, cum = self._message.lots(Tag.LastQty), self._message.decimal(Tag.LastPx), self._cum_lots
        if not venue_id or not lots or price is None:
            return [self._disputed("a trade without ExecID, LastQty or LastPx")]
        if len(venue_id) > EXEC_ID_LENGTH:
            return [self._disputed(f"a trade with an ExecID of {len(venue_id)} characters, limit {EXEC_ID_LENGTH}")]
        exec_id = view.exec_id(venue_id)
        if exec_id in view.exec_ids:
            return []
        exact = self._contracts.ticks(view.order.instrument, price)
        ticks = int(exact.to_integral_value(ROUND_HALF_EVEN))
        out: list[VenueEvent] = []
        if cum is not None:
            if view.is_covered(cum - lots, cum):
                view.exec_ids.add(exec_id)
                return []
            out += self._missing(cum - lots, ticks, lots)
            if cum <= view.cum_lots:
                view.exec_ids.add(exec_id)
                text = f"trade {venue_id} of {lots} lots makes {cum} by the venue's count, {view.cum_lots} are booked already"
                return [*out, self._disputed(text)]
            lots = min(lots, cum - view.cum_lots)
        view.book(exec_id, lots, ticks)
        out.append(self._fill(exec_id, lots, ticks))
        if exact != ticks:
            out.append(self._disputed(f"trade {venue_id} at {price} is off the grid, booked at the nearest tick"))
        return out

    def _missing(self, up_to_lots: int, other_ticks: int = 0, other_lots: int = 0) -> list[VenueEvent]:
        """Fills the venue counts and never told."""
        fills = made_good(self._view, up_to_lots, self._average_ticks, other_ticks, other_lots)
        return [self._fill(*fill, text="never reported; booked from the venue's count") for fill in fills]

    def _fill(self, exec_id: str, lots: int, ticks: int, text: str = "") -> VenueEvent:
        return VenueEvent(
            VenueKind.FILL,
            self._view.name,
            self._now.time_ns,
            exec_id,
            lots,
            ticks,
            self._fee_cents(lots),
            self._now.bid_ticks,
            self._now.ask_ticks,
            text,
        )

    def _fee_cents(self, lots: int) -> int:
        """The venue's commission if it states one in money, else by the universe's table."""
        stated = self._message.decimal(Tag.Commission) if self._message.text(Tag.CommType) == "3" else None
        if stated is None or self._kind != _TRADE:
            return self._contracts.fee_cents(self._view.order.instrument, lots)
        return int((stated * 100).to_integral_value(ROUND_HALF_EVEN))

    # -- everything else -----------------------------------------------------------------------------------------------

    def _other(self) -> list[VenueEvent]:
        kind, cum = self._kind, self._cum_lots
        if kind in ("G", "H"):
            return self._changed_trade(kind)
        out = self._missing(cum) if cum else []
        if kind == _STATUS:
            return out + self._standing(cum)
        if kind in ("0", "5"):
            return [*out, self._plain(VenueKind.ACCEPTED if kind == "0" else VenueKind.REPLACED)]
        if kind in _ENDED:
            return [*out, self._plain(_ENDED[kind])]
        if kind == "8":
            return [*out, self._rejected()]
        if kind == "D":
            return out + self._restated()
        return out if kind in _SILENT else [*out, self._disputed(f"ExecType {kind!r} is not known")]

    def _changed_trade(self, kind: str) -> list[VenueEvent]:
        venue_id = self._message.text(Tag.ExecID)
        if venue_id in self._view.disputed:
            return []
        self._view.disputed.add(venue_id)
        did = "corrected" if kind == "G" else "cancelled"
        about = self._message.text(Tag.ExecRefID) or "without naming it"
        now = f"{self._message.text(Tag.LastQty) or '?'} lots at {self._message.text(Tag.LastPx) or '?'}"
        return [
            self._disputed(
                f"the venue {did} trade {about} ({venue_id}: {now}); the booked fill stands until people decide"
            )
        ]

    def _standing(self, cum: int | None) -> list[VenueEvent]:
        """Answer to OrderStatusRequest."""
        status = self._message.text(Tag.OrdStatus)
        ended = status in ("2", *_ENDED)
        if status == "8":
            return [self._rejected()]
        short = ended and cum is not None and cum < self._view.cum_lots
        wrong = (
            [self._disputed(f"the venue ended it with {cum} lots, {self._view.cum_lots} are booked")] if short else []
        )
        if status in _ENDED:
            return [self._plain(_ENDED[status]), *wrong]
        if status == "2" and self._view.cum_lots + self._view.base_lots < self._view.order.quantity_lots:
            return [self._disputed(f"the venue says filled, {self._view.cum_lots} lots are booked"), *wrong]
        return wrong if status == "2" else [self._plain(VenueKind.ACCEPTED)]

    def _rejected(self) -> VenueEvent:
        reason = self._message.text(Tag.OrdRejReason)
        if reason == _UNKNOWN_ORDER:
            return self._plain(VenueKind.NOT_FOUND, "the venue has no such order")
        if reason == _DUPLICATE_ORDER:
            return self._plain(VenueKind.DUPLICATE)
        return self._plain(VenueKind.REJECTED, f"refused by the venue (OrdRejReason {reason or 'not given'})")

    def _restated(self) -> list[VenueEvent]:
        quantity = self._message.lots(Tag.OrderQty)
        if quantity is None or quantity == self._view.order.quantity_lots:
            return []
        why = self._message.text(Tag.ExecRestatementReason) or "not given"
        asked = self._view.order.quantity_lots
        return [
            self._disputed(f"the venue restated its quantity to {quantity} from {asked} (ExecRestatementReason {why})")
        ]

    def _plain(self, kind: VenueKind, otherwise: str = "") -> VenueEvent:
        text = self._message.text(Tag.Text) or otherwise
        return VenueEvent(kind, self._view.name, self._now.time_ns, self._message.text(Tag.ExecID), text=text)

    def _disputed(self, text: str) -> VenueEvent:
        return disputed(self._view.name, self._now.time_ns, f"order {self._view.name}: {text}")

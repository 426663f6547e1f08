"""What we say to a FIX venue: orders, cancels, replacements, questions, combos. Pure; times and ids are arguments.

An order's ClOrdID is our ``client_order_id``. A cancel needs a ClOrdID of its own each time it is asked: the order's id,
``~`` and a number the caller never repeats.
*Tested by* tests/unit/test_fix_translate.py, tests/properties/test_fix_round_trip.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from common.messages import Order, OrdType, Side, TimeInForce
from common.units import NS_PER_S
from execution.venues.fix.message import Fields, FixMessage, MsgType, Tag
from execution.venues.fix.naming import Contracts

#: Between an order's id and the number of a cancel; our order ids are base32 and never hold it.
MARK: Final = "~"
_SIDE = {Side.BUY: "1", Side.SELL: "2"}
_TIME_IN_FORCE = {TimeInForce.DAY: "0", TimeInForce.IOC: "3"}
_MARKET, _LIMIT = "1", "2"
#: MassStatusReqType and MassCancelRequestType of everything.
_ALL: Final = "7"


@dataclass(frozen=True, slots=True)
class Leg:
    """One contract of a combo: row in the universe, the side when the combo is bought, lots a lot of the combo."""

    instrument: int
    side: Side
    ratio: int


@dataclass(frozen=True, slots=True)
class Combo:
    """Several contracts as one order; the price of the combo is per lot, in ticks of its first leg, and may be negative."""

    legs: tuple[Leg, ...]


def new_order(order: Order, contracts: Contracts, account: str, wall_ns: int) -> FixMessage:
    """NewOrderSingle (D)."""
    return FixMessage(
        MsgType.NEW_ORDER, ((Tag.ClOrdID, order.client_order_id), *_terms(order, contracts, account, wall_ns))
    )


def replacement(order: Order, original_id: str, contracts: Contracts, account: str, wall_ns: int) -> FixMessage:
    """OrderCancelReplaceRequest (G): ``order`` takes the place of ``original_id``; its quantity is the total."""
    ids = ((Tag.OrigClOrdID, original_id), (Tag.ClOrdID, order.client_order_id))
    return FixMessage(MsgType.REPLACE, (*ids, *_terms(order, contracts, account, wall_ns)))


def cancel(order: Order, number: int, contracts: Contracts, wall_ns: int) -> FixMessage:
    """OrderCancelRequest (F); ``number`` makes its id new."""
    fields: Fields = (
        (Tag.OrigClOrdID, order.client_order_id),
        (Tag.ClOrdID, f"{order.client_order_id}{MARK}{number}"),
        *contracts.name(order.instrument).tags,
        (Tag.Side, _SIDE[order.side]),
        (Tag.TransactTime, utc(wall_ns)),
        (Tag.OrderQty, str(order.quantity_lots)),
    )
    return FixMessage(MsgType.CANCEL, fields)


def status(order: Order, contracts: Contracts) -> FixMessage:
    """OrderStatusRequest (H)."""
    named = contracts.name(order.instrument).tags
    return FixMessage(MsgType.STATUS, ((Tag.ClOrdID, order.client_order_id), *named, (Tag.Side, _SIDE[order.side])))


def mass_status(number: int) -> FixMessage:
    """OrderMassStatusRequest (AF) of every order."""
    return FixMessage(MsgType.MASS_STATUS, ((Tag.MassStatusReqID, f"M{number}"), (Tag.MassStatusReqType, _ALL)))


def mass_cancel(number: int, wall_ns: int) -> FixMessage:
    """OrderMassCancelRequest (q) of every order."""
    fields = ((Tag.ClOrdID, f"Q{MARK}{number}"), (Tag.MassCancelRequestType, _ALL), (Tag.TransactTime, utc(wall_ns)))
    return FixMessage(MsgType.MASS_CANCEL, fields)


def test_request(name: str) -> FixMessage:
    """TestRequest (1): its answer shows that everything before it has been heard."""
    return FixMessage(MsgType.TEST_REQUEST, ((Tag.TestReqID, name),))


def multileg(order: Order, combo: Combo, contracts: Contracts, account: str, wall_ns: int) -> FixMessage:
    """NewOrderMultileg (AB). ``order`` gives side, lots, price and life of the whole; its instrument is the first leg.

    Raises ``ValueError`` for fewer than two legs, a ratio below one, or a first leg that is not the order's instrument.
    """
    if len(combo.legs) < 2 or any(leg.ratio < 1 for leg in combo.legs):
        raise ValueError("a combo needs two legs or more, with ratios from 1")
    if combo.legs[0].instrument != order.instrument:
        raise ValueError("the first leg of a combo is its order's instrument")
    legs: list[tuple[int, str]] = []
    for leg in combo.legs:
        legs += contracts.name(leg.instrument).leg
        legs += [(Tag.LegRatioQty, str(leg.ratio)), (Tag.LegSide, _SIDE[leg.side])]
    terms = [(tag, value) for tag, value in _terms(order, contracts, account, wall_ns) if tag not in _NAME_TAGS]
    symbol = contracts.name(order.instrument).symbol
    head = [(Tag.ClOrdID, order.client_order_id), (Tag.Symbol, symbol), (Tag.SecurityType, "MLEG")]
    return FixMessage(MsgType.MULTILEG, (*head, *terms, (Tag.NoLegs, str(len(combo.legs))), *legs))


_NAME_TAGS = (
    Tag.Symbol,
    Tag.SecurityType,
    Tag.MaturityMonthYear,
    Tag.MaturityDate,
    Tag.PutOrCall,
    Tag.StrikePrice,
    Tag.SecurityExchange,
)


def _terms(order: Order, contracts: Contracts, account: str, wall_ns: int) -> Fields:
    return (
        *(((Tag.Account, account),) if account else ()),
        # Automated execution, no broker intervention.
        (Tag.HandlInst, "1"),
        *contracts.name(order.instrument).tags,
        (Tag.Side, _SIDE[order.side]),
        (Tag.TransactTime, utc(wall_ns)),
        (Tag.OrderQty, str(order.quantity_lots)),
        *pricing(order.instrument, _worst_ticks(order), contracts),
        (Tag.TimeInForce, _TIME_IN_FORCE[order.time_in_force]),
    )


def _worst_ticks(order: Order) -> int | None:
    """The limit; a market order leaves as a limit at the collar's edge, since FIX has no market order with a worst price."""
    return None if order.ord_type is OrdType.MARKET and not order.limit_ticks else order.limit_ticks


def pricing(instrument: int, limit_ticks: int | None, contracts: Contracts) -> Fields:
    """OrdType, and Price unless the order is at the market (no limit)."""
    if limit_ticks is None:
        return ((Tag.OrdType, _MARKET),)
    return ((Tag.OrdType, _LIMIT), (Tag.Price, contracts.price(instrument, limit_ticks)))


def utc(wall_ns: int) -> str:
    """UTCTimestamp with milliseconds."""
    whole, rest = divmod(wall_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(whole, UTC):%Y%m%d-%H:%M:%S}.{rest // 1_000_000:03d}"

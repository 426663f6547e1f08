"""What we say to a FIX venue: orders, cancels, replacements, questions, combos. Pure; times and ids are arguments.

An order's ClOrdID is our ``client_order_id``. A cancel needs a ClOrdID of its own each time it is asked: the order's id,
``~`` and a number the caller never repeats.
*Tested by* tests/unit/test_fix_translate.py, tests/properties/test_fix_round_trip.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from common.messages import Order, OrdType, Side, TimeInForce
from common.tactics import Combo
from common.units import NS_PER_S
from execution.venues.fix.message import Fields, FixMessage, MsgType, Tag
from execution.venues.fix.naming import Contracts

#: Between an order's id and the number of a cancel; our order ids are base32 and never hold it.
MARK: Final = "~"
_SIDE = {Side.BUY: "1", Side.SELL: "2"}
_TIME_IN_FORCE = {TimeInForce.DAY: "0", TimeInForce.IOC: "3"}
_MARKET, _LIMIT = "1", "2"
#: MultiLegRptTypeReq: reports of the whole and of each leg.
_WHOLE_AND_LEGS: Final = "1"
#: MassStatusReqType and MassCancelRequestType of everything.
_ALL: Final = "7"


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
    """OrderCancelRequest (F); ``number`` makes its id new. Of the first leg of a combo it cancels the whole."""
    combo = _combo(order)
    fields: Fields = (
        (Tag.OrigClOrdID, order.client_order_id),
        (Tag.ClOrdID, f"{order.client_order_id}{MARK}{number}"),
        *_named(order, contracts),
        (Tag.TransactTime, utc(wall_ns)),
        (Tag.OrderQty, str(order.quantity_lots if combo is None else units(order, combo))),
    )
    return FixMessage(MsgType.CANCEL, fields)


def status(order: Order, contracts: Contracts) -> FixMessage:
    """OrderStatusRequest (H); of the first leg of a combo it asks about the whole."""
    return FixMessage(MsgType.STATUS, ((Tag.ClOrdID, order.client_order_id), *_named(order, contracts)))


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


def multileg(legs: Sequence[Order], contracts: Contracts, account: str, wall_ns: int) -> FixMessage:
    """NewOrderMultileg (AB): the combo that the legs name is bought, each leg to the side its order says.

    Price is what one unit may cost, in the points of the first leg's price, and may be negative; LegRefID (654) is the leg's own
    id. Raises ``ValueError`` for legs that name no combo, or not this one.
    """
    combo = _combo(legs[0])
    if combo is None or len(legs) < 2 or tuple(leg.client_order_id for leg in legs) != combo.leg_ids:
        raise ValueError("a combo needs two legs or more, the ones it names")
    group: list[tuple[int, str]] = []
    for leg in legs:
        group += contracts.name(leg.instrument).leg
        ratio = combo.ratio(leg.client_order_id)
        group += [(Tag.LegRatioQty, str(ratio)), (Tag.LegSide, _SIDE[leg.side]), (Tag.LegRefID, leg.client_order_id)]
    fields: Fields = (
        (Tag.ClOrdID, combo.combo_id),
        *(((Tag.Account, account),) if account else ()),
        (Tag.HandlInst, "1"),
        *_whole(legs[0], contracts),
        (Tag.TransactTime, utc(wall_ns)),
        (Tag.OrderQty, str(units(legs[0], combo))),
        (Tag.OrdType, _LIMIT),
        (Tag.Price, contracts.net_price(legs[0].instrument, combo.net_limit_cents)),
        (Tag.TimeInForce, _TIME_IN_FORCE[legs[0].time_in_force]),
        (Tag.MultiLegRptTypeReq, _WHOLE_AND_LEGS),
        (Tag.NoLegs, str(len(legs))),
        *group,
    )
    return FixMessage(MsgType.MULTILEG, fields)


def units(leg: Order, combo: Combo) -> int:
    """Units of a combo that one of its legs stands for."""
    return leg.quantity_lots // combo.ratio(leg.client_order_id)


def _combo(order: Order) -> Combo | None:
    """The combo of an order that is sent, asked about and cancelled as the first leg of one."""
    combo = order.combo
    return combo if combo is not None and combo.combo_id == order.client_order_id else None


def _named(order: Order, contracts: Contracts) -> Fields:
    """Contract and side of an order at the venue."""
    if _combo(order) is not None:
        return _whole(order, contracts)
    return *contracts.name(order.instrument).tags, (Tag.Side, _SIDE[order.side])


def _whole(first: Order, contracts: Contracts) -> Fields:
    """A combo as reports name it: by the root of its first leg; it is bought."""
    symbol = contracts.name(first.instrument).symbol
    return (Tag.Symbol, symbol), (Tag.SecurityType, "MLEG"), (Tag.Side, _SIDE[Side.BUY])


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

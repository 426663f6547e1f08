"""What a FIX venue says of a combo (AB), as events of its legs. Pure.

| MultiLegReportingType (442) | becomes |
|---|---|
| 2, of one leg | events of that leg: named by LegRefID (654), else by ClOrdID, else by its contract |
| 3 or absent, a trade | nothing: each leg's own report tells its fill |
| 3 or absent, anything else | the same of every leg, CumQty times its ratio |

The standard leaves open whether CumQty of a leg's report counts the leg or the whole, so it is not read. What the whole counts as
filled and no leg told is booked at the legs' limits, and disputed: nobody has told the prices.
*Tested by* tests/unit/test_fix_combo.py, tests/integration/test_fix_combo.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from common.tactics import Combo
from execution.venues.fix.incoming import Now, disputed, report_events
from execution.venues.fix.message import FixMessage, Tag
from execution.venues.fix.naming import Contracts
from execution.venues.fix.view import OrderView
from execution.venues.port import VenueEvent, VenueKind

_LEG: Final = "2"
_TRADES: Final = ("F", "1", "2")
_NOT_OF_A_LEG: Final = (Tag.CumQty, Tag.LeavesQty, Tag.AvgPx, Tag.OrderQty)
_NOT_OF_THE_WHOLE: Final = (Tag.Side, Tag.Symbol, Tag.LeavesQty, Tag.AvgPx, Tag.LastQty, Tag.LastPx)


def combo_events(
    message: FixMessage, combo: Combo, views: Sequence[OrderView], contracts: Contracts, nows: Sequence[Now]
) -> list[VenueEvent]:
    """Events of an ExecutionReport (8) of a combo; ``views`` and ``nows`` of its legs in their order, brought up to them."""
    if message.text(Tag.MultiLegReportingType) != _LEG:
        return _of_whole(message, combo, views, contracts, nows)
    at = _which(message, combo, views, contracts)
    if at is None:
        text = f"order {combo.combo_id}: a report is of none of its legs"
        return [disputed(combo.combo_id, nows[0].time_ns, text)]
    view, told = views[at], _without(message, _NOT_OF_A_LEG)
    if message.text(Tag.ExecType) in _TRADES and _booked_already(told, view):
        return []
    return report_events(told, view, contracts, nows[at])


def _of_whole(
    message: FixMessage, combo: Combo, views: Sequence[OrderView], contracts: Contracts, nows: Sequence[Now]
) -> list[VenueEvent]:
    if message.text(Tag.ExecType) in _TRADES:
        return []
    out: list[VenueEvent] = []
    for view, now in zip(views, nows, strict=True):
        try:
            told = _times(_without(message, _NOT_OF_THE_WHOLE), combo.ratio(view.name))
        except ValueError as error:
            return [*out, disputed(view.name, now.time_ns, f"order {view.name}: a report cannot be read: {error}")]
        events = report_events(told, view, contracts, now)
        out += events
        if any(e.kind is VenueKind.FILL for e in events):
            text = f"order {view.name}: a leg's fill was never told; booked at its limit from the count of the combo"
            out.append(disputed(view.name, now.time_ns, text))
    return out


def _which(message: FixMessage, combo: Combo, views: Sequence[OrderView], contracts: Contracts) -> int | None:
    """Place of the leg that a report is of, None if it is none's or could be several's."""
    for name in (message.text(Tag.LegRefID), message.text(Tag.ClOrdID)):
        if name in combo.leg_ids and (name != combo.combo_id or name == message.text(Tag.LegRefID)):
            return combo.leg_ids.index(name)
    fits = [
        k
        for k, view in enumerate(views)
        if all(message.first.get(tag, value) == value for tag, value in contracts.name(view.order.instrument).tags)
    ]
    return fits[0] if len(fits) == 1 else None


def _booked_already(message: FixMessage, view: OrderView) -> bool:
    """A late trade of lots that the count of the whole has made good: noted, not booked again."""
    exec_id, lots = view.exec_id(message.text(Tag.ExecID)), message.number(Tag.LastQty)
    made_good = sum(high - low for low, high in view.covered)
    if exec_id in view.exec_ids or not 0 < lots <= made_good:
        return False
    view.exec_ids.add(exec_id)
    low, high = view.covered.pop()
    view.covered += [(low, high - lots)] if high - lots > low else []
    return True


def _without(message: FixMessage, tags: Sequence[Tag]) -> FixMessage:
    return FixMessage(message.msg_type, tuple((tag, value) for tag, value in message.fields if tag not in tags))


def _times(message: FixMessage, ratio: int) -> FixMessage:
    """Quantities of a leg from those of the whole. Raises ``ValueError`` for what is no whole number of lots."""
    counted = {tag: lots for tag in (Tag.CumQty, Tag.OrderQty) if (lots := message.lots(tag)) is not None}
    fields = tuple((tag, str(counted[Tag(tag)] * ratio) if tag in counted else value) for tag, value in message.fields)
    return FixMessage(message.msg_type, fields)

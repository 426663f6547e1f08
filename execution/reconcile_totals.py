"""One order as this store has it against what the venue says it has filled of it. Pure.

Only one difference is named of an order, the first that holds: lots that differ make money differ, too.
*Tested by* tests/unit/test_reconcile_totals.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from execution.orders import OrderRecord
from execution.reconcile import BreakKind, Difference
from execution.venues.statement import OrderTotal


@dataclass(frozen=True, slots=True)
class Booked:
    """Our side: the record, and lots and sum of lots × ticks of every fill stored for it and for what it replaced."""

    record: OrderRecord
    lots: int
    notional_ticks: int

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.record.ord_status.name}: {_filled(self.lots, self.notional_ticks)}"


def order_difference(ours: Booked, theirs: OrderTotal) -> Difference | None:
    """What is not the same of one order, None if nothing is.

    An order that works here and has ended there is none: the answer has ended it here, too, by way of the ledger.
    """
    kind = _kind(ours, theirs)
    if kind is None:
        return None
    name = theirs.client_order_id
    said = "no such order"
    if theirs.known:
        notional = None if theirs.notional_ticks is None else float(theirs.notional_ticks)
        said = f"{'open' if theirs.open else 'ended'}: {_filled(theirs.cum_lots, notional)}"
    return Difference(kind, name, name, ours.text, theirs.wrong or said)


def _kind(ours: Booked, theirs: OrderTotal) -> BreakKind | None:
    if not theirs.known:
        return BreakKind.ORDER_ONLY_HERE if ours.lots else None
    if theirs.wrong:
        return BreakKind.ORDER_OTHER
    if theirs.cum_lots != ours.lots:
        return BreakKind.ORDER_LOTS
    if theirs.open and not ours.record.open:
        return BreakKind.ORDER_OPEN_THERE
    if theirs.notional_ticks is not None and abs(theirs.notional_ticks - ours.notional_ticks) > theirs.slack_ticks:
        return BreakKind.ORDER_MONEY
    return None


def _filled(lots: int, notional_ticks: float | None) -> str:
    if not lots:
        return "nothing filled"
    at = "" if notional_ticks is None else f" at {notional_ticks / lots:.6g} ticks on average"
    return f"{lots} lots filled{at}"

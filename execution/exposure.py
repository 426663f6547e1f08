"""What execution itself knows of positions: fills and working lots per instrument, in whole lots, and what they cost.

Positions count what this store has traded; what a desk held at the open is the manager's business.
*Tested by* tests/properties/test_execution_core.py, tests/unit/test_execution_checks.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from common.lifecycle import CASH, Outcome
from common.messages import Order, Side, TimeInForce
from execution.orders import OrderRecord
from execution.tactics.order import worked


@dataclass(slots=True)
class Exposure:
    """Signed lots held and unsigned working lots per instrument index; number of open orders.

    ``traded_lots``: signed, every fill; ``position_lots`` the same after what has settled and been delivered.
    ``levels``: ids of open orders per (instrument, side, whether it may rest) and worst price in ticks.
    ``cash``: per instrument (-Σ signed lots × ticks, Σ fees in cents) of what was traded.
    """

    position_lots: dict[int, int] = field(default_factory=dict)
    traded_lots: dict[int, int] = field(default_factory=dict)
    working_buy_lots: dict[int, int] = field(default_factory=dict)
    working_sell_lots: dict[int, int] = field(default_factory=dict)
    open_orders: int = 0
    levels: dict[tuple[int, Side, bool], dict[int, dict[str, None]]] = field(default_factory=dict)
    cash: dict[int, tuple[int, int]] = field(default_factory=dict)

    def moved(self, before: OrderRecord | None, after: OrderRecord) -> None:
        """Account for one record replacing another of the same order."""
        was_open = before is not None and before.open
        leaves = after.leaves_lots - (before.leaves_lots if before is not None else 0)
        filled = after.own_lots - (before.own_lots if before is not None else 0)
        order = after.order
        at, side = order.instrument, order.side
        # A parent holds lots and is not at the venue; its children are there and hold none of their own.
        if was_open != after.open and not worked(order):
            self.open_orders += 1 if after.open else -1
            self._level(after)
        if after.parent:
            return
        if leaves:
            working = self.working_buy_lots if side is Side.BUY else self.working_sell_lots
            working[at] = working.get(at, 0) + leaves
        if filled:
            self.position_lots[at] = self.position_lots.get(at, 0) + side.sign * filled
            self.traded_lots[at] = self.traded_lots.get(at, 0) + side.sign * filled

    def _level(self, record: OrderRecord) -> None:
        """Enter an order that has opened at its price, take one that has ended from it."""
        order, ticks = record.order, record.worst_ticks
        prices = self.levels.setdefault((order.instrument, order.side, _rests(order)), {})
        if record.open:
            prices.setdefault(ticks, {})[order.client_order_id] = None
            return
        names = prices[ticks]
        del names[order.client_order_id]
        if not names:
            del prices[ticks]

    def paid(self, instrument: int, signed_lots: int, ticks: int, fee_cents: int) -> None:
        """Account for the money of one fill."""
        cash, fees = self.cash.get(instrument, (0, 0))
        self.cash[instrument] = (cash - signed_lots * ticks, fees + fee_cents)

    def settled(self, outcome: Outcome) -> None:
        """Let a position settle: it is gone, what it paid is cash, what it delivered is a position in the future."""
        lots = self.position_lots.pop(outcome.instrument, 0)
        if not lots:
            return
        if outcome.future == CASH:
            self.paid(outcome.instrument, -lots, outcome.value_ticks, 0)
            return
        bought = outcome.future_lots * lots
        self.position_lots[outcome.future] = self.position_lots.get(outcome.future, 0) + bought
        self.paid(outcome.future, bought, outcome.strike_ticks, 0)

    def worst_after(self, instrument: int, side: Side, lots: int) -> int:
        """Signed position if this order and everything working on its side fills and nothing on the other does."""
        position = self.position_lots.get(instrument, 0)
        if side is Side.BUY:
            return position + self.working_buy_lots.get(instrument, 0) + lots
        return position - self.working_sell_lots.get(instrument, 0) - lots

    def reduces(self, order: Order, lots: int) -> bool:
        """True if ``lots`` of the order, with all that works on its side, leave the position nearer to zero or at it."""
        position = self.position_lots.get(order.instrument, 0)
        return (
            position * order.side.sign < 0
            and order.side.sign * self.worst_after(order.instrument, order.side, lots) <= 0
        )

    def crossing(self, order: Order, worst_ticks: int) -> tuple[str, int] | None:
        """A working order of ours (id, price in ticks) that this one would meet, or None. Two IOC orders never meet."""
        other = Side.SELL if order.side is Side.BUY else Side.BUY
        for rests in (True, False) if _rests(order) else (True,):
            for ticks, names in self.levels.get((order.instrument, other, rests), {}).items():
                if order.side.sign * (worst_ticks - ticks) >= 0:
                    return next(iter(names)), ticks
        return None


def _rests(order: Order) -> bool:
    return order.time_in_force is not TimeInForce.IOC

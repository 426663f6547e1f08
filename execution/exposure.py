"""What execution itself knows of positions: fills and working lots per instrument, in whole lots.

Positions count what this store has traded; what a desk held at the open is the manager's business.
*Tested by* tests/properties/test_execution_core.py, tests/unit/test_execution_checks.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from common.messages import Side
from execution.orders import OrderRecord


@dataclass(slots=True)
class Exposure:
    """Signed traded lots and unsigned working lots per instrument index; number of open orders."""

    position_lots: dict[int, int] = field(default_factory=dict)
    working_buy_lots: dict[int, int] = field(default_factory=dict)
    working_sell_lots: dict[int, int] = field(default_factory=dict)
    open_orders: int = 0

    def moved(self, before: OrderRecord | None, after: OrderRecord) -> None:
        """Account for one record replacing another of the same order."""
        was_open = before is not None and before.open
        leaves = after.leaves_lots - (before.leaves_lots if before is not None else 0)
        filled = after.cum_lots - (before.cum_lots if before is not None else 0)
        at, side = after.order.instrument, after.order.side
        self.open_orders += int(after.open) - int(was_open)
        if leaves:
            working = self.working_buy_lots if side is Side.BUY else self.working_sell_lots
            working[at] = working.get(at, 0) + leaves
        if filled:
            self.position_lots[at] = self.position_lots.get(at, 0) + side.sign * filled

    def worst_after(self, instrument: int, side: Side, lots: int) -> int:
        """Signed position if this order and everything working on its side fills and nothing on the other does."""
        position = self.position_lots.get(instrument, 0)
        if side is Side.BUY:
            return position + self.working_buy_lots.get(instrument, 0) + lots
        return position - self.working_sell_lots.get(instrument, 0) - lots

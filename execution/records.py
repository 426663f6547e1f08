"""Our side of an order, for a venue's adapter that must name it or compare with it.

An order that is worked is never at a venue, its children are (docs/tactics.md): they are named, it is not.
*Tested by* tests/unit/test_execution_records.py, tests/unit/test_fix_ledger.py, tests/integration/test_fix_fixcore.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from execution.orders import OrderRecord
from execution.state import ExecutionState
from execution.store import Store
from execution.tactics.order import worked


class StoredRecords:
    """``venues.port.OwnRecords`` over the running core's state, and the store for what memory has let go."""

    def __init__(self, state: ExecutionState, store: Store) -> None:
        self._state = state
        self._store = store

    def record(self, client_order_id: str) -> OrderRecord | None:
        """See ``OwnRecords``."""
        known = self._state.orders.get(client_order_id)
        return known or next(iter(self._store.get([client_order_id])), None)

    def fills(self, client_order_id: str) -> Sequence[tuple[str, int, int]]:
        """See ``OwnRecords``."""
        return [(r.exec_id, r.last_lots, r.last_ticks) for r in self._store.fills(client_order_id)]

    def open_orders(self) -> Sequence[str]:
        """See ``OwnRecords``."""
        return [name for name in self._state.open if not worked(self._state.orders[name].order)]

    def quoted(self, instrument: int) -> tuple[int, int]:
        """See ``OwnRecords``."""
        snapshot = self._state.snapshot
        return snapshot.bid_ticks.item(instrument), snapshot.ask_ticks.item(instrument)

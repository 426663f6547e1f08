"""The tables of the durable store and how an older store becomes a newer one.

Migrations are numbered from 1 and applied in order; what one of them says never changes once a store may have it.
*Tested by* tests/contract/test_execution_store.py.
"""

from __future__ import annotations

from common.messages import OrdStatus, TradingState

#: Of the statuses as they are now; a migration names those of its time.
#: SETTLED is of no order, so that the index of open orders need not know it.
TERMINAL = ", ".join(str(int(s)) for s in OrdStatus if s.terminal and s is not OrdStatus.SETTLED)
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE service (
            one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL, holder TEXT NOT NULL,
            trading_state INTEGER NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL)""",
        f"INSERT INTO service VALUES (1, 0, '', {int(TradingState.ACTIVE)}, '', '')",
        """CREATE TABLE orders (
            row INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL UNIQUE, content BLOB NOT NULL,
            ord_status INTEGER NOT NULL, cum_lots INTEGER NOT NULL, leaves_lots INTEGER NOT NULL,
            cancel_asked INTEGER NOT NULL, refusal INTEGER NOT NULL, text TEXT NOT NULL)""",
        "CREATE INDEX open_orders ON orders (row) WHERE ord_status NOT IN (4, 5, 6, 7)",
        """CREATE TABLE reports (
            sequence INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL, exec_id TEXT NOT NULL,
            instrument INTEGER NOT NULL, signed_lots INTEGER NOT NULL, event_time_ns INTEGER NOT NULL,
            content BLOB NOT NULL)""",
        "CREATE UNIQUE INDEX fills ON reports (exec_id) WHERE signed_lots <> 0",
        "CREATE INDEX fills_of_order ON reports (client_order_id) WHERE signed_lots <> 0",
        # Small running sums, written in the transaction of what they sum, so that a restart reads a few rows.
        "CREATE TABLE positions (instrument INTEGER PRIMARY KEY, lots INTEGER NOT NULL, fills INTEGER NOT NULL)",
    ),
    (
        """CREATE TABLE stopped (
            scope TEXT PRIMARY KEY, trading_state INTEGER NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL)""",
    ),
    (
        # Replaced orders are terminal too, and what an index leaves out must be what a query leaves out.
        "DROP INDEX open_orders",
        "CREATE INDEX open_orders ON orders (row) WHERE ord_status NOT IN (4, 5, 6, 7, 9)",
        "ALTER TABLE orders ADD COLUMN replaced_by TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE orders ADD COLUMN inherited_lots INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE orders ADD COLUMN protection_ticks INTEGER",
        # Minus signed lots times ticks, and fees: what the drawdown stop needs of the fills.
        "ALTER TABLE positions ADD COLUMN cash_lot_ticks INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE positions ADD COLUMN fee_cents INTEGER NOT NULL DEFAULT 0",
        """UPDATE positions SET
            cash_lot_ticks = (SELECT -coalesce(sum(signed_lots * report_ticks(content)), 0) FROM reports
                WHERE reports.instrument = positions.instrument AND signed_lots <> 0),
            fee_cents = (SELECT coalesce(sum(report_fee_cents(content)), 0) FROM reports
                WHERE reports.instrument = positions.instrument AND signed_lots <> 0)""",
    ),
    (
        # Children of worked orders (docs/tactics.md): orders of execution's own, which nobody lists as the manager's.
        "ALTER TABLE orders ADD COLUMN parent TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX children ON orders (parent) WHERE parent <> ''",
        "ALTER TABLE reports ADD COLUMN child_order_id TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX fills_of_child ON reports (child_order_id) WHERE child_order_id <> ''",
    ),
    # What has settled, each once; such a report is about no order and bears the settlement's id twice.
    ("CREATE UNIQUE INDEX settlements ON reports (exec_id) WHERE client_order_id = exec_id",),
)

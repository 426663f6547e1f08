"""What a scope holds: opening book, client trades, hedges and settlements together, at one version of the ledger.

*Tested by* tests/unit/test_budgets_scopes.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.messages import F64, I64
from common.universe import Book, Universe
from manager.exposures import Bools, Rows
from manager.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Holding:
    """Signed lots (n,), read-only; of what is not 0 rows, expiry_ns and multiplier_usd (r,). ``ledger``: whose version it is."""

    ledger: Ledger
    version: int
    lots: I64
    rows: Rows
    expiry_ns: I64
    multiplier_usd: F64

    def without(self, out: Bools) -> Holding:
        """The same without some of its rows, (r,)."""
        kept = self.rows[~out], self.expiry_ns[~out], self.multiplier_usd[~out]
        return Holding(self.ledger, self.version, self.lots, *kept)


def holding_of(ledger: Ledger, book: Book, universe: Universe, scope: str) -> Holding:
    """Of ``firm``, ``desk:rates`` or ``underlying:SPX``."""
    lots = _lots(ledger, book, universe, scope)
    lots.flags.writeable = False
    rows = np.flatnonzero(lots)
    return Holding(ledger, ledger.version, lots, rows, universe.expiry_ns[rows], universe.multiplier_usd[rows])


def _lots(ledger: Ledger, book: Book, universe: Universe, scope: str) -> I64:
    n, (head, _, name) = len(universe), scope.partition(":")
    if head == "desk" and name in ledger.desks:
        desk = ledger.desks.index(name)
        return np.asarray(book.desk_lots(n)[desk] + ledger.net_desk_lots()[desk])
    lots = np.asarray(book.net_lots(n) + ledger.net_lots())
    if head == "underlying":
        return np.where(universe.underlying == universe.symbols.index(name), lots, 0)
    return lots

"""What a scope holds: opening book, client trades, hedges and settlements together, at one version of the ledger.

*Tested by* tests/unit/test_manager_holding.py, tests/unit/test_budgets_scopes.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from common.messages import F64, I64, Header
from common.universe import Book, Universe
from manager.exposures import Bools, Rows
from manager.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Holding:
    """Signed lots (n,), read-only; of what is not 0 rows, expiry_ns and multiplier_usd (r,).

    ended_ns, ended_cents (k,): expiry of each contract that has settled and what it was worth to the scope then; a delivered
    future is worth it from then on. ``ledger``, ``version``, ``outcomes``, ``settled``: what it was found in.
    """

    ledger: Ledger
    version: int
    outcomes: int
    lots: I64
    rows: Rows
    expiry_ns: I64
    multiplier_usd: F64
    ended_ns: I64
    ended_cents: I64
    settled: I64

    def still(self, ledger: Ledger) -> bool:
        """Whether nothing has changed since."""
        return self.ledger is ledger and self.version == ledger.version and self.outcomes == len(ledger.outcomes)

    def settles_as(self, ledger: Ledger) -> bool:
        """Whether nothing has settled since."""
        same = self.ledger is ledger and self.outcomes == len(ledger.outcomes)
        return same and np.array_equal(self.settled, ledger.settled)

    def without(self, out: Bools) -> Holding:
        """The same without some of its rows, (r,)."""
        return replace(
            self, rows=self.rows[~out], expiry_ns=self.expiry_ns[~out], multiplier_usd=self.multiplier_usd[~out]
        )


@dataclass(frozen=True, slots=True)
class Marked:
    """What these rows (r,) were worth a lot, points, when the market had seen ``header`` and no more."""

    header: Header
    now_ns: int
    rows: Rows
    points: F64


def holding_of(ledger: Ledger, book: Book, universe: Universe, scope: str, last: Holding | None = None) -> Holding:
    """Of ``firm``, ``desk:rates`` or ``underlying:SPX``. ``last``: of the same scope before, whose settlements may stand."""
    lots = _lots(ledger, book, universe, scope)
    lots.flags.writeable = False
    rows = np.flatnonzero(lots)
    columns = lots, rows, universe.expiry_ns[rows], universe.multiplier_usd[rows]
    found = len(ledger.outcomes)
    if last is not None and last.settles_as(ledger):
        return Holding(ledger, ledger.version, found, *columns, last.ended_ns, last.ended_cents, last.settled)
    return Holding(ledger, ledger.version, found, *columns, *_ended(ledger, universe, scope), ledger.settled.copy())


def _lots(ledger: Ledger, book: Book, universe: Universe, scope: str) -> I64:
    n, (head, _, name) = len(universe), scope.partition(":")
    if head == "desk":
        desk = ledger.desks.index(name)
        return np.asarray(book.desk_lots(n)[desk] + ledger.net_desk_lots()[desk])
    lots = np.asarray(book.net_lots(n) + ledger.net_lots())
    if head == "underlying":
        return np.where(universe.underlying == universe.symbols.index(name), lots, 0)
    return lots


def _ended(ledger: Ledger, universe: Universe, scope: str) -> tuple[I64, I64]:
    """Expiries and cents (k,) of the contracts that have settled, of the firm or a desk."""
    head, _, name = scope.partition(":")
    if head == "firm":
        settled = ledger.settled
    elif head == "desk":
        settled = ledger.settled[[ledger.desks.index(name)]]
    else:  # no P&L is asked of an underlying
        return np.empty(0, np.int64), np.empty(0, np.int64)
    at = np.array(list(ledger.outcomes), np.intp)
    gone = dict(zip(at.tolist(), (-settled[:, at].sum(axis=0)).tolist(), strict=True))
    for row, (_, future, future_lots, _) in ledger.outcomes.items():
        if future in gone:  # it was delivered before it came to its own end
            gone[future] += future_lots * gone[row]
    cents = [ledger.cents(row, gone[row], value, 0) if gone[row] else 0 for row, (value, *_) in ledger.outcomes.items()]
    return universe.expiry_ns[at], np.array(cents, np.int64)

"""``hedgerow book import`` and ``diff``: client trades and books of a running system, read strictly, whole or not at all.

Trades file: the columns of ``hedgerow`` trades (docs/FILES.md: trade_id, account, instrument, quantity, price, ts, side) and,
where needed, ``corrects`` or ``cancels``: the trade_id that a line replaces or takes back.
*Tested by* tests/unit/test_deploy_book.py, tests/e2e/test_steering.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from common.errors import InputError
from common.files.read import read_book, read_trades
from common.instruments_contracts import Contracts
from common.universe import Book, Universe
from deploy.tables import rows

#: What these commands can be told to do about a bad file: they set nothing aside and take no terms of a person's own.
REMEDY: Final = "mend these lines and give the command again (formats: docs/FILES.md)"
_TERMS: Final = Contracts(advice="these commands know the built-in roots only (docs/FILES.md)")

Table = TypeVar("Table")


def _read(reader: Callable[..., Table], path: Path) -> Table:
    try:
        return reader(path, contracts=_TERMS)
    except InputError as error:
        raise InputError(error.path, error.problems, REMEDY if "--" in error.remedy else error.remedy) from None


def import_arguments(path: Path, *, dry_run: bool) -> dict[str, Any]:
    """What the command ``book.import`` carries. Raises ``InputError`` with every bad line."""
    table = _read(read_trades, path)
    names = [i.id for i in table.listing.instruments]
    account = table.account or ("",) * len(table)
    trades = [
        [
            int(table.line[k]),
            table.trade_id[k],
            account[k],
            names[int(table.instrument[k])],
            int(table.quantity_lots[k]),
            float(table.price[k]),
            int(table.trade_time_ns[k]),
            table.corrects[k],
            table.cancels[k],
        ]
        for k in range(len(table))
    ]
    return {"file": path.name, "dry_run": dry_run, "trades": trades}


@dataclass(frozen=True)
class Difference:
    """One line of a diff: what the file holds, what clients hold now (opening book and imported trades), and our hedges."""

    account: str
    instrument: str
    file_lots: int
    client_lots: int
    known: bool

    @property
    def change(self) -> int:
        """Lots that the file's book would add."""
        return self.file_lots - self.client_lots


def differences(path: Path, universe: Universe, book: Book, status: Mapping[str, Any]) -> list[Difference]:
    """What a book file would change against what clients hold now, by account and instrument; equal lines are left out.

    Raises ``InputError`` with every bad line. Our own hedges are no part of it.
    """
    found = _read(read_book, path)
    names = [i.id for i in found.listing.instruments]
    theirs: dict[tuple[str, str], int] = defaultdict(int)
    for account, at, lots in zip(found.account, found.instrument, found.quantity_lots, strict=True):
        theirs[account, names[int(at)]] += int(lots)
    now: dict[tuple[str, str], int] = defaultdict(int)
    for account, row, lots in zip(book.account, book.instrument, book.quantity_lots, strict=True):
        now[account, universe.instrument_id[int(row)]] += int(lots)
    for held in status["imports"]["net"]:
        now[held["account"], held["instrument"]] += held["lots"]
    keys = sorted(theirs.keys() | now.keys())
    lines = [Difference(a, name, theirs[a, name], now[a, name], name in universe.index) for a, name in keys]
    return [line for line in lines if line.change]


def as_json(lines: list[Difference], status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The diff as JSON-ready rows; ``hedged_lots``: what we have traded in the instrument."""
    traded = status["positions"]["traded"]
    return [
        {
            "account": d.account,
            "instrument": d.instrument,
            "file_lots": d.file_lots,
            "client_lots": d.client_lots,
            "change": d.change,
            "hedged_lots": traded.get(d.instrument, 0),
            "known": d.known,
        }
        for d in lines
    ]


def table(lines: list[Difference], status: Mapping[str, Any]) -> str:
    """The diff for people."""
    if not lines:
        return "no difference: the file holds what clients hold now"
    traded = status["positions"]["traded"]
    body = [
        (
            d.account,
            d.instrument,
            f"{d.file_lots:+d}",
            f"{d.client_lots:+d}",
            f"{d.change:+d}",
            f"{traded.get(d.instrument, 0):+d}",
            "" if d.known else "not in this run's universe",
        )
        for d in lines
    ]
    return rows(("account", "instrument", "file", "clients now", "change", "our hedges", ""), body)

"""Opening books: a CSV that a desk would recognise in, checked rows out. A file with one bad line is refused whole.

Columns (header line first, any order, comma separated, UTF-8):

| column | need | form |
|---|---|---|
| ``account`` | yes | text |
| ``instrument`` | this or the next four | OSI symbol, padded or not, or canonical id |
| ``underlying``, ``expiry``, ``strike``, ``right`` | instead | root, ISO date, points, C or P (F: a future) |
| ``quantity`` | yes | signed whole lots |
| ``average_price`` | no | points, finite, not negative; empty: unknown |
| ``as_of`` | no | ISO time with its offset (``2018-01-26T16:00:00-05:00``) |

Instruments that the market does not list are held, never traded, and priced off the surface.
*Tested by* tests/unit/test_books.py.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from common.errors import InputError, Problem
from common.instruments import CALL, PUT, Instrument, future, option, parse_instrument
from common.messages import F64, I64, U32
from common.universe import Book, Desk

T = TypeVar("T", int, float, str)

REMEDY = "mend these lines and load the file again (columns: docs/MARKET.md)"
LOTS_MAX = 10**9

_WHOLE = re.compile(r"[+-]?\d{1,10}\Z", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)\Z", re.ASCII)
_EXPLICIT = ("underlying", "expiry", "strike", "right")
_KNOWN = ("account", "instrument", *_EXPLICIT, "quantity", "average_price", "as_of")


@dataclass(frozen=True)
class BookRows:
    """A checked book file of r rows.

    ``instruments`` holds each contract once; ``instrument`` (r,) points into it. ``quantity_lots`` (r,) signed;
    ``average_price`` (r,) in points, NaN where unknown; ``as_of`` as given, or empty.
    """

    book_id: str
    instruments: tuple[Instrument, ...]
    account: tuple[str, ...]
    instrument: U32
    quantity_lots: I64
    average_price: F64
    as_of: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.account)

    def to_book(self, index: Mapping[str, int], desks: tuple[Desk, ...] = ()) -> Book:
        """The book in the rows of a universe; ``index`` maps ids to rows. Raises ``KeyError`` on a missing id."""
        rows = np.array([index[i.id] for i in self.instruments], dtype=np.uint32)
        return Book(self.book_id, self.account, rows[self.instrument], self.quantity_lots, self.average_price, desks)


def load_book(
    path: str | Path,
    *,
    underlyings: Collection[str] | None = None,
    open_ns: int | None = None,
    book_id: str | None = None,
    accounts: Collection[str] | None = None,
) -> BookRows:
    """Read and check a book; ``underlyings``: those the market knows, ``open_ns``: its first instant (None: unchecked).

    ``accounts``: those of the desks (None: any). ``book_id`` defaults to the file's stem. Raises ``InputError`` with every
    bad line, in file order.
    """
    reader = _Reader(str(path), underlyings, open_ns, accounts)
    text = read_text(path, REMEDY)
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(lines, None)
        reader.take_header(header)
        for cells in lines:
            if cells:
                reader.take(lines.line_num, cells)
    except csv.Error as error:
        reader.problems.append(Problem(lines.line_num, f"not CSV: {error}"))
    return reader.finish(book_id or Path(path).stem)


def read_text(path: str | Path, remedy: str) -> str:
    """The text of a UTF-8 file. Raises ``InputError`` if it is missing, unreadable, empty or not UTF-8."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise InputError(str(path), [Problem(0, error.strerror or "unreadable")], "give a readable file") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(str(path), [Problem(line, "not UTF-8 text")], "save it as UTF-8") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(str(path), [Problem(line, "a NUL byte: not a text file")], remedy)
    if not text.strip():
        raise InputError(str(path), [Problem(0, "the file is empty")], remedy)
    return text


def check_header(path: str, header: list[str], known: Collection[str]) -> dict[str, int]:
    """Column name to position. Raises ``InputError`` on an empty, repeated or unknown column."""
    names = [name.strip().lower() for name in header]
    problems = []
    for name in dict.fromkeys(names):
        if name not in known:
            problems.append(Problem(1, f"unknown column {name!r}; known: {', '.join(known)}"))
        elif names.count(name) > 1:
            problems.append(Problem(1, f"column {name!r} appears {names.count(name)} times"))
    if problems:
        raise InputError(path, problems, REMEDY)
    return {name: at for at, name in enumerate(names)}


def parse_price(text: str, name: str) -> float:
    """A price in points. Raises ``ValueError`` unless it is a plain decimal, finite and not negative."""
    if not _DECIMAL.match(text):
        raise ValueError(f"{name} {text!r} is not a number")
    value = float(text)
    if value < 0.0 or not math.isfinite(value):
        raise ValueError(f"{name} {text} is negative" if value < 0.0 else f"{name} {text!r} is not finite")
    return value


def parse_time(text: str, name: str) -> datetime:
    """An ISO time with its offset. Raises ``ValueError`` if it is naive or not a time."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name} {text!r} is not an ISO time") from None
    if value.tzinfo is None:
        raise ValueError(f"{name} {text!r} has no time zone; write its offset (…-05:00 or …Z)")
    return value


class _Reader:
    """Collects rows and problems; ``finish`` gives one or raises the other."""

    def __init__(
        self,
        path: str,
        underlyings: Collection[str] | None,
        open_ns: int | None,
        known_accounts: Collection[str] | None,
    ) -> None:
        self.path = path
        self.underlyings = underlyings
        self.open_ns = open_ns
        self.known_accounts = known_accounts
        self.problems: list[Problem] = []
        self.column: dict[str, int] = {}
        self.width = 0
        self.row_of: dict[str, int] = {}
        self.instruments: list[Instrument] = []
        self.parsed: dict[tuple[str, ...], int] = {}
        self.accounts: list[str] = []
        self.rows: list[int] = []
        self.lots: list[int] = []
        self.prices: list[float] = []
        self.as_of: list[str] = []

    def take_header(self, header: list[str] | None) -> None:
        self.column = check_header(self.path, header or [], _KNOWN)
        self.width = len(self.column)
        has_id = "instrument" in self.column
        explicit = [name for name in _EXPLICIT if name in self.column]
        if has_id and explicit:
            text = f"columns instrument and {', '.join(explicit)} both name the contract; keep one of the two forms"
            raise InputError(self.path, [Problem(1, text)], REMEDY)
        needed = ("account", "quantity", *(("instrument",) if has_id or not explicit else _EXPLICIT))
        missing = [name for name in needed if name not in self.column]
        if missing:
            raise InputError(self.path, [Problem(1, f"missing column {name!r}") for name in missing], REMEDY)

    def take(self, line: int, cells: list[str]) -> None:
        if len(cells) != self.width:
            self.problems.append(Problem(line, f"{len(cells)} cells under {self.width} columns"))
            return
        wrong: list[str] = []
        account = self._cell(cells, "account")
        if not account:
            wrong.append("account is empty")
        elif self.known_accounts is not None and account not in self.known_accounts:
            wrong.append(f"account {account!r} belongs to no desk; the desks have {', '.join(self.known_accounts)}")
        row = _noting(wrong, 0, self._instrument, cells)
        lots = _noting(wrong, 0, self._lots, cells)
        price = _noting(wrong, 0.0, self._price, cells)
        as_of = _noting(wrong, "", self._as_of, cells)
        if wrong:
            self.problems.extend(Problem(line, reason) for reason in wrong)
            return
        self.accounts.append(account)
        self.rows.append(row)
        self.lots.append(lots)
        self.prices.append(price)
        self.as_of.append(as_of)

    def finish(self, book_id: str) -> BookRows:
        if self.problems:
            raise InputError(self.path, self.problems, REMEDY)
        if not self.rows:
            raise InputError(self.path, [Problem(0, "no positions: a header and nothing below it")], REMEDY)
        return BookRows(
            book_id,
            tuple(self.instruments),
            tuple(self.accounts),
            np.array(self.rows, np.uint32),
            np.array(self.lots, np.int64),
            np.array(self.prices, np.float64),
            tuple(self.as_of),
        )

    def _cell(self, cells: list[str], name: str) -> str:
        at = self.column.get(name)
        return "" if at is None else cells[at].strip()

    def _lots(self, cells: list[str]) -> int:
        text = self._cell(cells, "quantity")
        if not _WHOLE.match(text):
            raise ValueError(f"quantity {text!r} is not a whole number of lots")
        lots = int(text)
        if abs(lots) > LOTS_MAX:
            raise ValueError(f"quantity {text} is beyond {LOTS_MAX:,} lots")
        return lots

    def _price(self, cells: list[str]) -> float:
        text = self._cell(cells, "average_price")
        return parse_price(text, "average_price") if text else math.nan

    def _as_of(self, cells: list[str]) -> str:
        text = self._cell(cells, "as_of")
        if text:
            parse_time(text, "as_of")
        return text

    def _instrument(self, cells: list[str]) -> int:
        names = ("instrument",) if "instrument" in self.column else _EXPLICIT
        key = tuple(self._cell(cells, name) for name in names)
        known = self.parsed.get(key)
        if known is not None:
            return known
        found = parse_instrument(key[0]) if len(key) == 1 else _from_columns(*key)
        if self.underlyings is not None and found.underlying not in self.underlyings:
            raise ValueError(f"unknown underlying {found.underlying!r}; this market has {', '.join(self.underlyings)}")
        if self.open_ns is not None and found.expiry_ns <= self.open_ns:
            raise ValueError(f"{found.id} has expired when the market opens")
        row = self.row_of.setdefault(found.id, len(self.instruments))
        if row == len(self.instruments):
            self.instruments.append(found)
        self.parsed[key] = row
        return row


def _noting(wrong: list[str], otherwise: T, read: Callable[[list[str]], T], cells: list[str]) -> T:
    """What ``read`` gives; if it refuses, its reason goes to ``wrong``, so that one line can show several faults."""
    try:
        return read(cells)
    except ValueError as error:
        wrong.append(str(error))
        return otherwise


def _from_columns(root: str, expiry: str, strike: str, right: str) -> Instrument:
    try:
        day = date.fromisoformat(expiry)
    except ValueError:
        raise ValueError(f"expiry {expiry!r} is not an ISO date") from None
    if right == "F":
        if strike not in ("", "0"):
            raise ValueError(f"a future has no strike, but strike is {strike!r}")
        return future(root, day)
    if right not in ("C", "P"):
        raise ValueError(f"right {right!r} is neither C, P nor F")
    return option(root, day, parse_price(strike, "strike"), CALL if right == "C" else PUT)

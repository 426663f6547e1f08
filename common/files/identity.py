"""Which contract each row speaks of: every distinct spelling is parsed once, every contract stands once in the listing.

Where a row names its contract by a symbol and repeats parts of it in other columns, they must agree; terms that a file
states (currency, multiplier, exchange) must be those known of the root.
*Tested by* tests/unit/test_files_identity.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from common.books import parse_price
from common.files.faults import Faults
from common.files.layouts import IDENTITY, Column, Layout
from common.files.tables import Listing, Rows
from common.files.values import codes, parse_day
from common.instruments import CALL, NEVER_NS, PUT, Instrument, future, option
from common.instruments_cme import parse_cme
from common.instruments_contracts import Contracts
from common.instruments_fix import TAGS, parse_fix
from common.universe import FUTURE

_SIDE = {"C": CALL, "P": PUT, "F": 0}
Cells = Mapping[str, str]


@dataclass(frozen=True)
class Resolver:
    """Turns the identity cells of a row (by field, empty text: absent) into its contract."""

    layout: Layout
    contracts: Contracts
    reference: date | None

    def __call__(self, cells: Cells) -> Instrument:
        """The contract. Raises ``ValueError`` that names what is wrong."""
        if self.layout.scheme == "fix":
            return parse_fix(cells, self.contracts.terms, self.contracts.listed_root)
        if self.layout.scheme == "explicit":
            found = self._explicit(cells)
        else:
            found = self._symbol(cells)
            self._agree(found, cells)
        self._terms_agree(found, cells)
        return found

    def _column(self, name: str) -> Column:
        return self.layout.columns[name]

    def _day(self, cells: Cells) -> date:
        column = self._column("expiry")
        return parse_day(cells["expiry"], column.names[0], column.stamp.form)

    def _right(self, cells: Cells) -> int:
        column = self._column("right")
        text = cells.get("right", "")
        code = column.values.get(text.lower(), column.values.get(text, text))
        if code not in _SIDE:
            raise ValueError(f"{column.names[0]} {text!r} is neither C, P nor F")
        return _SIDE[code]

    def _strike(self, cells: Cells) -> float:
        strike = parse_price(cells.get("strike", ""), self._column("strike").names[0])
        if abs(strike - round(strike, 4)) > 1e-9:
            raise ValueError(f"strike {cells['strike']} has more than four decimals")
        return strike

    def _explicit(self, cells: Cells) -> Instrument:
        for name in ("root", "expiry"):
            if not cells.get(name):
                raise ValueError(f"{self._column(name).names[0]} is empty")
        day, right = self._day(cells), self._right(cells)
        root = self.contracts.listed_root(cells["root"], day)
        if right:
            return option(root, day, self._strike(cells), right, self.contracts.terms)
        if cells.get("strike", "") not in ("", "0", "0.0"):
            raise ValueError(f"a future has no strike, but strike is {cells['strike']!r}")
        return future(root, day, self.contracts.terms)

    def _symbol(self, cells: Cells) -> Instrument:
        text = cells.get("symbol", "")
        if not text:
            raise ValueError(f"{self._column('symbol').names[0]} is empty")
        if self.layout.scheme == "cme" and cells.get("expiry"):
            return parse_cme(text, self.reference, self.contracts.terms, self._day(cells))
        return self.contracts.parser(self.layout.scheme, self.reference)(text)

    def _agree(self, found: Instrument, cells: Cells) -> None:
        """The parts that other columns repeat are those of the symbol."""
        if cells.get("root") and cells["root"] != found.root:
            raise ValueError(f"{self._column('root').names[0]} {cells['root']!r} contradicts {cells['symbol']}")
        if cells.get("right") and self._right(cells) != found.right:
            raise ValueError(f"{self._column('right').names[0]} {cells['right']!r} contradicts {cells['symbol']}")
        if cells.get("strike") and found.kind != FUTURE and self._strike(cells) != found.strike:
            raise ValueError(f"{self._column('strike').names[0]} {cells['strike']} contradicts {cells['symbol']}")
        if cells.get("expiry") and found.expiry_ns != NEVER_NS:
            column = self._column("expiry")
            if column.stamp.form in ("s", "ms", "us", "ns"):
                contradicts = _epoch_ns(cells["expiry"], column) != found.expiry_ns
            else:
                contradicts = self._day(cells) != found.expiry
            if contradicts:
                raise ValueError(f"{column.names[0]} {cells['expiry']} contradicts {cells['symbol']}")

    def _terms_agree(self, found: Instrument, cells: Cells) -> None:
        for name, known in (("currency", found.currency), ("mic", found.mic)):
            if cells.get(name) and cells[name] != known:
                raise ValueError(f"{name} {cells[name]!r} contradicts the {known} known of {found.root}")
        if cells.get("multiplier") and parse_price(cells["multiplier"], "multiplier") != found.multiplier:
            raise ValueError(
                f"multiplier {cells['multiplier']} contradicts the {found.multiplier:g} known of {found.root}"
            )
        if cells.get("contract_size") and cells["contract_size"] != "REGULAR":
            raise ValueError(f"contractSize {cells['contract_size']!r} is not REGULAR: an adjusted or mini contract")
        if cells.get("exchange") and cells["exchange"] != "deribit":
            raise ValueError(f"exchange {cells['exchange']!r}: only Deribit's names are read")


def _epoch_ns(text: str, column: Column) -> int:
    factor = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[column.stamp.form]
    if not text.isdigit():
        raise ValueError(f"{column.names[0]} {text!r} is not a time in {column.stamp.form} since 1970")
    return int(text) * factor


def identity_fields(layout: Layout) -> tuple[str, ...]:
    """The fields of a layout that name the contract or are checked against it."""
    names = tuple(TAGS) if layout.scheme == "fix" else IDENTITY
    return tuple(name for name in names if name in layout.columns)


def resolve(columns: Mapping[str, pa.Array], resolver: Resolver, faults: Faults) -> tuple[Listing, Rows]:
    """The contracts of a file and the one of each row (r,); -1 where the row names none (a fault says why)."""
    fields = [name for name in identity_fields(resolver.layout) if name in columns]
    coded = [codes(_dates(columns[name])) for name in fields]
    combined = coded[0][0]
    for where, texts in coded[1:]:
        _, combined = np.unique(combined * len(texts) + where, return_inverse=True)
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    row_of: dict[str, int] = {}
    instruments: list[Instrument] = []
    place = np.full(len(first), -1, np.intp)
    wrong: dict[int, str] = {}
    for at in np.argsort(first, kind="stable"):
        row = int(first[at])
        cells = {name: texts[int(where[row])] or "" for name, (where, texts) in zip(fields, coded, strict=True)}
        try:
            found = resolver(cells)
        except ValueError as error:
            wrong[int(at)] = str(error)
            continue
        place[at] = row_of.setdefault(found.id, len(instruments))
        if place[at] == len(instruments):
            instruments.append(found)
    if wrong:
        faults.add(np.isin(inverse, list(wrong)), lambda row: wrong[int(inverse[row])])
    return Listing(tuple(instruments)), place[inverse]


def _dates(array: pa.Array) -> pa.Array:
    """A typed time without a time of day is a date; anything else stays as it is."""
    if pa.types.is_timestamp(array.type) and array.type.tz is None:
        days = array.cast(pa.date32(), safe=False)
        if pc.all(pc.equal(days.cast(array.type), array)).as_py() is not False:
            return days
    return array

"""What a profile is: which columns a file of some origin has, what each means, and in which unit it is written.

A `Layout` reads one kind of table (`chain`, `quotes`, `book`, `trades`, `surface`). ``scheme`` says how a row names its
contract: ``any``, ``osi``, ``deribit``, ``cme`` (one column ``symbol``), ``explicit`` (root, expiry, strike, right) or
``fix`` (tags). The built-in ones stand in `profiles`; a person writes one in a mapping file (`mapping`).
*Tested by* tests/unit/test_files_profiles.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from common.errors import Problem
from common.files.values import PRICE_MAX, SIZE_MAX, VOL_MAX, Number, Stamp

ISO = Stamp()
PRICE = Number(0.0, PRICE_MAX, "a price")
SIZE = Number(0.0, SIZE_MAX, "a size")
VOL = Number(0.0, VOL_MAX, "a volatility (1 is 100 %)")
LOTS = Number(-1e9, 1e9, "lots", whole=True)
LOTS_HELD = Number(0.0, 1e9, "lots", whole=True)

#: Fields that name a contract, or are checked against the terms of the one they name.
IDENTITY = ("symbol", "root", "expiry", "strike", "right", "currency", "exchange", "contract_size", "mic", "multiplier")
#: Per table: the numbers and the times that a layout may bring, and those that it must.
NUMBERS: dict[str, dict[str, Number]] = {
    "chain": dict.fromkeys(("bid", "ask", "last", "mark", "underlying_price"), PRICE)
    | dict.fromkeys(("bid_size", "ask_size", "volume", "open_interest"), SIZE)
    | {"vendor_iv": VOL},
    "quotes": dict.fromkeys(("bid", "ask"), PRICE) | dict.fromkeys(("bid_size", "ask_size"), SIZE),
    "book": {"quantity": LOTS, "long_quantity": LOTS_HELD, "short_quantity": LOTS_HELD, "average_price": PRICE},
    "trades": {"quantity": LOTS, "price": PRICE},
    "surface": {"strike": PRICE, "vol": VOL, "forward": PRICE, "discount": Number(0.0, 10.0, "a discount factor")},
}
TIMES: dict[str, tuple[str, ...]] = {
    "chain": ("as_of", "last_trade", "receive_time"),
    "quotes": ("event_time", "receive_time"),
    "book": ("as_of",),
    "trades": ("trade_time",),
    "surface": ("as_of", "expiry"),
}
TEXTS: dict[str, tuple[str, ...]] = {
    "chain": (),
    "quotes": (),
    "book": ("account",),
    "trades": ("trade_id", "account", "side", "corrects", "cancels"),
    "surface": ("underlying",),
}
NEEDED: dict[str, tuple[str, ...]] = {
    "chain": ("bid", "ask"),
    "quotes": ("event_time", "bid", "ask"),
    "book": ("account",),
    "trades": ("trade_id", "quantity", "price", "trade_time"),
    "surface": ("underlying", "expiry", "strike", "vol"),
}
#: Fields whose cell must not be empty where their column is there.
FILLED = frozenset(
    (
        "account",
        "event_time",
        "trade_id",
        "quantity",
        "price",
        "trade_time",
        "side",
        "underlying",
        "strike",
        "vol",
        "expiry",
    )
)


@dataclass(frozen=True)
class Column:
    """One field of a layout: the header names that may carry it, whether the column must be there, units and times.

    ``scale`` turns the cell into the table's unit; ``stamp`` is how a time is written (a date: ``iso`` or a pattern, or an
    epoch unit); ``values`` renames texts (``call``: ``C``).
    """

    names: tuple[str, ...]
    needed: bool = True
    scale: float = 1.0
    stamp: Stamp = ISO
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """One profile for one table. ``unique``: fields that no two rows may share; ``others``: extra columns are let pass.

    ``delay_ns``: from the time in the file to the moment its state was known (the length of a bar that is stamped at its
    start). ``as_of_ns``, ``reference``: of the whole file, where the mapping says so.
    """

    profile: str
    table: str
    scheme: str
    columns: Mapping[str, Column]
    unique: tuple[str, ...] = ()
    others: bool = True
    ignored: tuple[str, ...] = ()
    delay_ns: int = 0
    as_of_ns: int | None = None
    reference: date | None = None
    delimiter: str = ","

    def bind(self, header: Sequence[str]) -> dict[str, str]:
        """Field to the header cell that carries it, as written."""
        written = {name.strip().lower(): name for name in header}
        return {
            field_name: written[name.lower()]
            for field_name, column in self.columns.items()
            for name in column.names[::-1]
            if name.lower() in written
        }

    def missing(self, header: Sequence[str]) -> list[str]:
        """Names of needed columns that the header lacks."""
        bound = self.bind(header)
        return [c.names[0] for field_name, c in self.columns.items() if c.needed and field_name not in bound]

    def header_problems(self, header: Sequence[str], line: int) -> list[Problem]:
        """What is wrong with a header for this layout: repeated, missing, unknown columns."""
        names = [name.strip().lower() for name in header]
        found = [
            Problem(line, f"column {name!r} appears {names.count(name)} times")
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        ]
        found += [Problem(line, f"missing column {name!r}") for name in self.missing(header)]
        known = {name.lower() for column in self.columns.values() for name in column.names} | set(self.ignored)
        if not self.others:
            found += [Problem(line, f"unknown column {name!r}") for name in dict.fromkeys(names) if name not in known]
        return found

    def unread(self, header: Sequence[str]) -> tuple[str, ...]:
        """Columns of the header that this layout leaves alone."""
        used = set(self.bind(header).values())
        return tuple(name.strip() for name in header if name not in used)

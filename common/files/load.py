"""A raw file and a layout become checked columns: the step that all readers share.

*Tested by* tests/unit/test_files_read.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from common.files.faults import Faults
from common.files.identity import Resolver, identity_fields, resolve
from common.files.layouts import FILLED, NUMBERS, TEXTS, TIMES, Layout
from common.files.raw import RawFile
from common.files.tables import NO_TIME, Listing, Rows, Source
from common.files.values import codes, numbers, times
from common.instruments_contracts import Contracts
from common.messages import F64, I64
from common.units import NS_PER_S

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class Loaded:
    """Columns (r,) of the rows kept; absent numbers NaN, times ``NO_TIME``, texts empty."""

    source: Source
    listing: Listing
    instrument: Rows
    line: I64
    numbers: dict[str, F64]
    times: dict[str, I64]
    texts: dict[str, tuple[str, ...]]

    def number(self, name: str) -> F64:
        """A column of numbers; all NaN if the file has none of that name."""
        return self.numbers.get(name, np.full(len(self.line), np.nan))

    def time(self, name: str, otherwise: int | None = None) -> I64:
        """A column of times; where absent ``otherwise``."""
        found = self.times.get(name, np.full(len(self.line), NO_TIME, np.int64))
        return found if otherwise is None else np.where(found == NO_TIME, otherwise, found)

    def text(self, name: str) -> tuple[str, ...]:
        """A column of texts; all empty if the file has none of that name."""
        return self.texts.get(name, ("",) * len(self.line))


def load(
    raw: RawFile, layout: Layout, contracts: Contracts, quarantine: str | Path | None, as_of_ns: int | None
) -> Loaded:
    """Check every row against the layout. Raises ``InputError`` with every fault, or sets the faulty rows aside."""
    bound = layout.bind(raw.header)
    cells = raw.read(list(dict.fromkeys(bound.values())))
    columns = {name: cells[written] for name, written in bound.items()}
    faults = Faults(raw)
    listing, instrument = Listing(()), np.zeros(len(raw), np.intp)
    known = layout.as_of_ns if layout.as_of_ns is not None else as_of_ns
    if identity_fields(layout) and layout.table != "surface" and len(raw):
        reference = layout.reference or _day_of(known)
        listing, instrument = resolve(columns, Resolver(layout, contracts, reference), faults)
    found = Loaded(Source(raw.path, layout.profile, 0), listing, instrument, raw.line, {}, {}, {})
    for name, rule in NUMBERS[layout.table].items():
        if name in columns:
            column = layout.columns[name]
            scaled = replace(rule, scale=column.scale)
            found.numbers[name] = numbers(columns[name], column.names[0], scaled, name in FILLED, faults)
    for name in TIMES[layout.table]:
        if name in columns:
            column = layout.columns[name]
            stamps = times(columns[name], column.names[0], column.stamp, name in FILLED, faults)
            delayed = np.where(stamps == NO_TIME, NO_TIME, stamps + layout.delay_ns)
            found.times[name] = delayed if name == "event_time" else stamps
    for name in TEXTS[layout.table]:
        if name in columns:
            found.texts[name] = _texts(columns[name], layout, name, faults)
    _contradictions(found, faults)
    _repeated(found, layout, faults)
    keep, aside = faults.settle(quarantine)
    return _kept(found, keep, aside, layout.unread(raw.header))


def _day_of(instant_ns: int | None) -> date | None:
    return None if instant_ns is None else datetime.fromtimestamp(instant_ns // NS_PER_S, UTC).date()


def _texts(array: pa.Array, layout: Layout, name: str, faults: Faults) -> tuple[str, ...]:
    column = layout.columns[name]
    where, texts = codes(array)
    said = [column.values.get(text or "", text or "") for text in texts]
    if name in FILLED and "" in said:
        faults.add(where == said.index(""), f"{column.names[0]} is empty")
    if name == "side":
        for at, text in enumerate(said):
            if text and text not in ("buy", "sell"):
                faults.add(where == at, f"{column.names[0]} {text!r} is neither buy nor sell")
    return tuple(np.array(said, object)[where].tolist()) if said else ()


def _contradictions(found: Loaded, faults: Faults) -> None:
    """Faults of rows whose columns, each right by itself, make no sense together."""
    lots = found.number("quantity")
    if "side" in found.texts:
        faults.add(lots < 0.0, "quantity is negative, but a column names the side")
    if "trade_id" in found.texts:
        faults.add(lots == 0.0, "a trade of no lots")
    if "long_quantity" in found.numbers:
        neither = np.isnan(found.number("long_quantity")) & np.isnan(found.number("short_quantity"))
        faults.add(neither & ~faults.bad, "neither LongQty nor ShortQty")
    if "vol" in found.numbers:
        faults.add(found.number("vol") == 0.0, "vol 0 is no volatility")
        faults.add(found.number("strike") == 0.0, "strike 0 is no strike")


def _repeated(found: Loaded, layout: Layout, faults: Faults) -> None:
    """Faults for rows that repeat, in the fields of ``layout.unique``, an earlier row without a fault."""
    if not layout.unique or not len(found.line):
        return
    keys: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
    for name in layout.unique:
        if name in ("instrument", "row"):
            keys.append(found.instrument.astype(np.int64))
        if name == "row":
            keys += [column.view(np.int64) for column in found.numbers.values()]
            keys += list(found.times.values())
        elif name in found.numbers:
            keys.append(found.numbers[name].view(np.int64))
        elif name in found.times:
            keys.append(found.times[name])
        elif name in found.texts:
            keys.append(np.unique(np.array(found.texts[name]), return_inverse=True)[1].astype(np.int64))
    good = np.flatnonzero(~faults.bad)
    mixed = np.zeros(len(good), np.uint64)
    for key in keys:
        mixed = (mixed ^ key[good].view(np.uint64)) * _MIX
        mixed ^= mixed >> np.uint64(29)
    _, first, times_seen = np.unique(mixed, return_index=True, return_counts=True)
    if len(first) == len(good):
        return
    suspect = good[np.isin(mixed, mixed[first[times_seen > 1]])]
    seen: dict[tuple[int, ...], int] = {}
    what = "trade id" if layout.unique == ("trade_id",) else "row" if "row" in layout.unique else "point"
    what = "contract" if "instrument" in layout.unique else what
    for row in suspect:
        earlier = seen.setdefault(tuple(int(key[row]) for key in keys), int(row))
        if earlier != row:
            faults.add([int(row)], f"the same {what} as line {int(found.line[earlier])}")


def _kept(found: Loaded, keep: Rows, aside: int, ignored: tuple[str, ...]) -> Loaded:
    used, instrument = np.unique(found.instrument[keep], return_inverse=True)
    listing = Listing(tuple(found.listing.instruments[at] for at in used)) if len(found.listing) else found.listing
    return Loaded(
        Source(found.source.path, found.source.profile, len(keep), aside, ignored),
        listing,
        np.asarray(instrument, np.intp),
        found.line[keep],
        {name: column[keep] for name, column in found.numbers.items()},
        {name: column[keep] for name, column in found.times.items()},
        {name: tuple(column[row] for row in keep) for name, column in found.texts.items()},
    )

"""QuantConnect LEAN's raw files: quote bars of options, index options, futures options and futures, in their folders.

``option/usa/minute/goog/20151224_quote_american.zip`` holds one CSV without header per contract,
``20151224_goog_minute_quote_american_call_7500000_20160115.csv``: milliseconds since midnight, then open, high, low,
close and last size of the bid, and the same of the ask. Folder and names are the contract, the day, the zone and the
scale: prices of options and index options are ten-thousandths, of futures and futures options decimals; strikes in names are
always ten-thousandths. Clock: New York under ``usa``, UTC for futures and futures options (LEAN's Data/*/readme.md). The
state at the end of a bar is known at its end, so a quote's time is the bar's start plus its length.
*Tested by* tests/unit/test_files_lean.py.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa

from common.calendars.zones import instant_ns
from common.errors import InputError, Problem
from common.files.layouts import Column, Layout
from common.files.raw import BYTES_MAX, Broken, RawFile, csv_file, refuse
from common.files.tables import Rows
from common.messages import I64
from common.units import NS_PER_MIN, NS_PER_MS, NS_PER_S

_SIDES = ("open", "high", "low", "close", "size")
_CELLS = ("ms", *(f"bid_{x}" for x in _SIDES), *(f"ask_{x}" for x in _SIDES))
_IDENTITY = ("underlying", "expiry", "strike", "right", "ts")
_BAR_NS = {"minute": NS_PER_MIN, "second": NS_PER_S}
_OPTION = re.compile(
    r"^(?P<day>\d{8})_(?P<root>[a-z0-9]+)_(?P<bar>[a-z]+)_(?P<what>[a-z]+)_(?P<style>american|european)_"
    r"(?P<right>call|put)_(?P<strike>\d{1,12})_(?P<expiry>\d{8})\.csv\Z"
)
_FUTURE = re.compile(
    r"^(?P<day>\d{8})_(?P<root>[a-z0-9]+)_(?P<bar>[a-z]+)_(?P<what>[a-z]+)_(?P<month>\d{6})(_(?P<expiry>\d{8}))?\.csv\Z"
)
_KINDS = ("option", "indexoption", "futureoption", "future")
#: A zip archive with members, and one without.
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
#: What would make one record of several lines, or several of one.
_STRANGE = re.compile(rb'"|\r(?!\n)')
_MS_PER_DAY = 86_400_000
_FOLDERS = (
    "keep LEAN's folders above the file (option/usa/minute/goog/…): they name the market, the clock and the scale"
)


@dataclass(frozen=True)
class _Entry:
    name: str
    root: str
    expiry: str
    strike: str
    right: str
    midnight_ns: int


def is_lean(path: str | Path, raw: bytes) -> bool:
    """Whether a file is a LEAN archive, or a member of one by its name."""
    name = PurePath(path).name
    return raw[:4] in _ZIP or bool(_OPTION.match(name) or _FUTURE.match(name))


def lean_file(path: str | Path, raw: bytes) -> tuple[RawFile, Layout]:
    """The rows of an archive (or of one of its members) and their layout. Raises ``InputError``."""
    text = str(path)
    kind, zone = _where(text)
    members = _members(text, raw)
    entries, bars = [], set()
    problems: list[Problem] = []
    for name, _ in members:
        try:
            entry, bar = _entry(name, kind, zone)
            entries.append(entry)
            bars.add(bar)
        except ValueError as error:
            problems.append(Problem(0, str(error)))
    if len(bars) > 1:
        problems.append(Problem(0, f"bars of different lengths in one archive: {', '.join(sorted(bars))}"))
    if not members:
        problems.append(Problem(0, "the archive is empty"))
    if problems:
        raise InputError(text, problems, "give a LEAN quote archive (docs/FILES.md)")
    joined = _joined(text, entries, [body for _, body in members])
    scale = 1e-4 if kind in ("option", "indexoption") else 1.0
    return joined, replace(_LAYOUT, delay_ns=_BAR_NS[bars.pop()], columns=_columns(scale))


def _columns(scale: float) -> dict[str, Column]:
    names = {"event_time": "ts", "root": "underlying", "expiry": "expiry", "strike": "strike", "right": "right"}
    columns = {name: Column((written,)) for name, written in names.items()}
    columns |= {name: Column((f"{name}_close",), scale=scale) for name in ("bid", "ask")}
    return columns | {name: Column((name,)) for name in ("bid_size", "ask_size")}


_LAYOUT = Layout("lean", "quotes", "explicit", _columns(1.0), ("row",), ignored=_CELLS)


def _where(path: str) -> tuple[str, str]:
    """Kind of security and zone of the clock, from the folders above the file."""
    parts = [part.lower() for part in PurePath(path).parts]
    kind = next((part for part in reversed(parts) if part in _KINDS), None)
    if kind is None:
        raise refuse(
            path, 0, "nothing says whether these are options, index options, futures options or futures", _FOLDERS
        )
    market = parts[len(parts) - parts[::-1].index(kind) :][0]
    if kind in ("future", "futureoption"):
        return kind, "UTC"
    if market == "usa":
        return kind, "America/New_York"
    raise refuse(path, 0, f"the clock of market {market!r} is not known here", "use a mapping that names the zone")


def _members(path: str, raw: bytes) -> list[tuple[str, bytes]]:
    if raw[:4] not in _ZIP:
        return [(PurePath(path).name, raw)]
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if sum(info.file_size for info in archive.infolist()) > BYTES_MAX:
                raise refuse(path, 0, f"larger than {BYTES_MAX:,} bytes unpacked", "split it")
            return [(name, archive.read(name)) for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError) as error:
        raise refuse(path, 0, f"damaged zip archive: {error}", "fetch the file again") from error


def _entry(name: str, kind: str, zone: str) -> tuple[_Entry, str]:
    match = (_FUTURE if kind == "future" else _OPTION).match(name)
    if not match:
        raise ValueError(f"{name}: no name of a LEAN {kind} file")
    if match["what"] != "quote":
        raise ValueError(f"{name}: holds {match['what']}, not quotes")
    if match["bar"] not in _BAR_NS:
        raise ValueError(f"{name}: bars of a {match['bar']} are not read; minute and second are")
    midnight = _midnight_ns(match["day"], zone, name)
    root = match["root"].upper()
    if kind != "future":
        strike = int(match["strike"])
        text = f"{strike // 10_000}.{strike % 10_000:04d}"
        return _Entry(name, root, match["expiry"], text, match["right"][0].upper(), midnight), match["bar"]
    if match["expiry"] is None:
        raise ValueError(f"{name}: names a month, not an expiry date; this older LEAN form is not read")
    return _Entry(name, root, match["expiry"], "", "F", midnight), match["bar"]


def _midnight_ns(digits: str, zone: str, name: str) -> int:
    """What must be added to the wall clock of a day. Its offset is that of noon: US clocks change on Sunday nights."""
    try:
        day = date.fromisoformat(digits)
    except ValueError:
        raise ValueError(f"{name}: {digits} is not a calendar date") from None
    return instant_ns(day, time(12), zone) - 12 * 3600 * NS_PER_S


def _joined(path: str, entries: list[_Entry], bodies: list[bytes]) -> RawFile:
    """All members as one file of rows that know their member; a bad time makes a row a broken record."""
    bodies = [body if not body or body.endswith(b"\n") else body + b"\n" for body in bodies]
    if not any(body.strip() for body in bodies):
        raise refuse(path, 0, "the file is empty")
    for entry, body in zip(entries, bodies, strict=True):
        strange = _STRANGE.search(body)
        if strange:
            line = body.count(b"\n", 0, strange.start()) + 1
            raise refuse(path, line, f"{entry.name}: a quote or a carriage return inside a line; LEAN writes neither")
    raw = csv_file(path, b"".join(bodies), header=_CELLS)
    first = np.cumsum([0, *(body.count(b"\n") for body in bodies)])
    origin = np.searchsorted(first, raw.line - 1, side="right") - 1
    clock = raw.read(["ms"])["ms"].to_pylist()
    good = np.array([c.isascii() and c.isdigit() and len(c) < 9 and int(c) < _MS_PER_DAY for c in clock], np.bool_)
    keep = np.flatnonzero(good)

    def where(line: int) -> tuple[str, int]:
        member = int(np.searchsorted(first, line - 1, side="right")) - 1
        return entries[member].name, line - int(first[member])

    broken = [
        Broken(int(raw.line[row]), f"{clock[row]!r} is not a time in ms since midnight", raw.text_of(int(row)))
        for row in np.flatnonzero(~good)
    ]
    broken = [
        Broken(where(one.line)[1], f"{where(one.line)[0]}: {one.reason}", one.text)
        for one in sorted([*raw.broken, *broken], key=lambda one: one.line)
    ]
    origin = origin[keep]
    stamps = np.array([int(clock[row]) for row in keep], np.int64) * NS_PER_MS
    stamps += np.array([entry.midnight_ns for entry in entries], np.int64)[origin]
    return RawFile(
        path,
        (*_IDENTITY, *_CELLS[1:]),
        raw.line[keep] - first[origin],
        lambda wanted: _read(raw, entries, origin, keep, stamps, wanted),
        lambda row: raw.text_of(int(keep[row])),
        tuple(broken),
        tuple(entry.name for entry in entries),
        origin,
    )


def _read(
    raw: RawFile, entries: list[_Entry], origin: Rows, keep: Rows, stamps: I64, wanted: Sequence[str]
) -> dict[str, pa.Array]:
    cells = raw.read([name for name in wanted if name not in _IDENTITY])
    out = {name: column.take(pa.array(keep)) for name, column in cells.items()}
    of = {"underlying": "root", "expiry": "expiry", "strike": "strike", "right": "right"}
    for name in wanted:
        if name == "ts":
            out[name] = pa.array(stamps, pa.timestamp("ns", "UTC"))
        elif name in of:
            texts = pa.array([getattr(entry, of[name]) for entry in entries], pa.string())
            out[name] = texts.take(pa.array(origin))
    return out

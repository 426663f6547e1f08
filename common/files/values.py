"""Cells to numbers and times, a column at a time; every cell that is not what its column promises becomes a fault.

Numbers are plain decimals, with an exponent where a program wrote one; no thousands separators, no NaN, no infinity.
Times name their zone themselves, are counted from 1970 UTC, or have their zone named by the mapping; a wall-clock time
that does not exist or exists twice on a change of clocks is refused. Absent: an empty cell, a null.
*Tested by* tests/unit/test_files_values.py, tests/properties/test_files_values.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from common.calendars.zones import instant_ns, utc_ns
from common.files.faults import Faults
from common.files.raw import refuse
from common.files.tables import NO_TIME
from common.messages import F64, I64
from common.units import NS_PER_MS, NS_PER_S, NS_PER_US

PRICE_MAX = 1e9
SIZE_MAX = 1e12
VOL_MAX = 100.0
#: Times outside these years are taken for a wrong unit.
_FIRST_NS = int(datetime(1980, 1, 1, tzinfo=UTC).timestamp()) * NS_PER_S
_LAST_NS = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * NS_PER_S
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
_WHOLE = r"^[+-]?\d{1,18}$"
_EPOCH_NS = {"s": NS_PER_S, "ms": NS_PER_MS, "us": NS_PER_US, "ns": 1}
_ISO = re.compile(
    r"^(?P<day>\d{4}-\d\d-\d\d)([T ](?P<time>\d\d:\d\d(:\d\d)?)(\.(?P<part>\d{1,9}))?)?(?P<zone>Z|[+-]\d\d(:?\d\d)?)?\Z",
    re.ASCII,
)
_ZONED = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$"
_FIX = re.compile(r"^(?P<stamp>\d{8}-\d\d:\d\d(:\d\d)?)(\.(?P<part>\d{1,9}))?Z?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Number:
    """What a number may be. ``scale`` is applied to the cell before the bounds are checked."""

    low: float
    high: float
    what: str
    whole: bool = False
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Stamp:
    """How a time is written: ``iso``, ``fix``, ``s``, ``ms``, ``us``, ``ns``, or a strptime pattern; zone of naive times."""

    form: str = "iso"
    zone: str | None = None


def text_of(array: pa.Array) -> pa.Array:
    """The cells as trimmed text, empty as null; parquet numbers and dates written out."""
    if pa.types.is_date(array.type):
        array = pc.strftime(array.cast(pa.date32()), "%Y-%m-%d")
    elif not pa.types.is_string(array.type):
        array = array.cast(pa.string())
    array = pc.utf8_trim_whitespace(array)
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def numbers(array: pa.Array, name: str, rule: Number, required: bool, faults: Faults) -> F64:
    """A column (r,) of numbers, NaN where absent or faulty. Raises ``InputError`` if parquet holds no numbers there."""
    kind = array.type
    if pa.types.is_string(kind):
        array = text_of(array)
        values = _parsed(array, name, rule.whole and rule.scale == 1.0, faults)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        values = np.asarray(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
        values = np.where(np.isinf(values), np.nan, values)
        spoilt = np.isnan(values) & _valid(array)
        faults.add(spoilt, f"{name} is not finite")
    else:
        raise refuse(faults.raw.path, 0, f"column {name!r} holds {kind}, not numbers")
    if required:
        faults.add(~_valid(array), f"{name} is empty")
    # Dividing by 10,000 rounds correctly where multiplying by 0.0001 does not.
    inverse = 1.0 / rule.scale
    values = values / round(inverse) if rule.scale < 1.0 and inverse == round(inverse) else values * rule.scale
    _bound(array, values, name, rule, faults)
    return values


def _bound(array: pa.Array, values: F64, name: str, rule: Number, faults: Faults) -> None:
    low, high = values < rule.low, values > rule.high
    if rule.low == 0.0:
        faults.add(low, lambda row: f"{name} {array[row].as_py()} is negative")
    else:
        faults.add(low, lambda row: f"{name} {array[row].as_py()} is too small for {rule.what}")
    faults.add(high, lambda row: f"{name} {array[row].as_py()} is too large for {rule.what}")
    if rule.whole:
        broken = np.abs(values - np.rint(values)) > 1e-9
        faults.add(broken, lambda row: f"{name} {str(array[row].as_py())!r} is not a whole number of lots")


def _valid(array: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(pc.is_valid(array).to_numpy(zero_copy_only=False), np.bool_)


def _parsed(array: pa.Array, name: str, whole: bool, faults: Faults) -> F64:
    """Text to floats. Arrow parses the whole column; only where it balks, or read NaN or inf, are cells looked at."""
    try:
        values = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
        checked = not whole and not bool(np.any(~np.isfinite(values) & _valid(array)))
    except pa.ArrowInvalid:
        checked = False
    if checked:
        return np.asarray(values, np.float64)
    matched = pc.match_substring_regex(array, _WHOLE if whole else _NUMBER)
    good = np.asarray(pc.fill_null(matched, False).to_numpy(zero_copy_only=False), np.bool_)
    noun = "a whole number of lots" if whole else "a number"
    faults.add(~good & _valid(array), lambda row: f"{name} {array[row].as_py()!r} is not {noun}")
    values = np.full(len(array), np.nan)
    at = np.flatnonzero(good)
    values[at] = np.array(array.take(pa.array(at)).to_pylist(), np.float64) if len(at) else np.nan
    infinite = np.isinf(values)
    faults.add(infinite, lambda row: f"{name} {array[row].as_py()} is not finite")
    values[infinite] = np.nan
    return values


def codes(array: pa.Array) -> tuple[NDArray[np.intp], list[str | None]]:
    """Each distinct text once, and per row (r,) its place; null is a text of its own."""
    encoded = text_of(array).dictionary_encode(null_encoding="encode")
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.intp), encoded.dictionary.to_pylist()


def times(array: pa.Array, name: str, stamp: Stamp, required: bool, faults: Faults) -> I64:
    """A column (r,) of UTC instants in ns, ``NO_TIME`` where absent or faulty. Raises ``InputError`` on a wrong type."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        values = _typed_times(array, name, stamp, faults)
    elif stamp.form in _EPOCH_NS:
        values = _epochs(array, name, stamp.form, faults)
    elif pa.types.is_string(kind) or pa.types.is_date(kind) or pa.types.is_null(kind):
        array = text_of(array)
        zoned = _zoned(array) if stamp.form == "iso" else None
        where, texts = codes(array) if zoned is None else (np.empty(0, np.intp), [])
        values = _each(where, texts, lambda text: parse_stamp(text, name, stamp), faults) if zoned is None else zoned
    else:
        raise refuse(faults.raw.path, 0, f"column {name!r} holds {kind}, not times")
    if required:
        faults.add(~_valid(array), f"{name} is empty")
    return values


def _zoned(array: pa.Array) -> I64 | None:
    """ISO times that all carry their offset, parsed in one go; None if any cell needs a closer look."""
    if not pc.all(pc.match_substring_regex(array, _ZONED), min_count=0).as_py():
        return None
    try:
        stamps = array.cast(pa.timestamp("ns", "UTC"))
    except pa.ArrowInvalid:
        return None
    values = np.asarray(pc.fill_null(stamps.cast(pa.int64()), NO_TIME).to_numpy(zero_copy_only=False), np.int64)
    inside = (values >= 0) & (values <= _LAST_NS)
    return values if bool(np.all(inside | (values == NO_TIME))) else None


def _each(where: NDArray[np.intp], texts: list[str | None], parse: Callable[[str], int], faults: Faults) -> I64:
    out = np.full(len(texts), NO_TIME, np.int64)
    wrong: dict[int, str] = {}
    for at, text in enumerate(texts):
        if text is not None:
            try:
                out[at] = parse(text)
            except ValueError as error:
                wrong[at] = str(error)
    if wrong:
        faults.add(np.isin(where, list(wrong)), lambda row: wrong[int(where[row])])
    return np.asarray(out[where])


def _epochs(array: pa.Array, name: str, unit: str, faults: Faults) -> I64:
    if pa.types.is_string(array.type):
        array = text_of(array)
        good = np.asarray(
            pc.fill_null(pc.match_substring_regex(array, r"^\d{1,19}(\.0)?$"), False).to_numpy(zero_copy_only=False)
        )
        faults.add(
            ~good & _valid(array), lambda row: f"{name} {array[row].as_py()!r} is not a time in {unit} since 1970"
        )
        plain = pc.replace_substring_regex(pc.if_else(pa.array(good), array, None), r"\.0$", "")
        counts = np.asarray(pc.fill_null(plain.cast(pa.uint64()), 0).to_numpy(zero_copy_only=False), np.float64)
        exact = pc.fill_null(plain.cast(pa.uint64()), 0).to_numpy(zero_copy_only=False)
    elif pa.types.is_integer(array.type):
        exact = pc.fill_null(array, 0).to_numpy(zero_copy_only=False)
        counts = exact.astype(np.float64)
        good = _valid(array)
    else:
        raise refuse(faults.raw.path, 0, f"column {name!r} holds {array.type}, not times in {unit} since 1970")
    factor = _EPOCH_NS[unit]
    off = good & ((counts * factor < _FIRST_NS) | (counts * factor > _LAST_NS))
    faults.add(
        off, lambda row: f"{name} {array[row].as_py()} is not a time in {unit} since 1970: its year is out of range"
    )
    usable = good & ~off
    return np.where(usable, np.where(usable, exact, 0).astype(np.int64) * factor, NO_TIME)


def _typed_times(array: pa.Array, name: str, stamp: Stamp, faults: Faults) -> I64:
    if array.type.tz is None:
        if stamp.zone is None:
            raise refuse(faults.raw.path, 0, f"column {name!r} holds times without a zone; name it in a mapping (zone)")
        where, texts = codes(pc.strftime(array, "%Y-%m-%dT%H:%M:%S"))
        return _each(where, texts, lambda text: parse_stamp(text, name, stamp), faults)
    array = array.cast(pa.timestamp("ns", array.type.tz))
    values = np.asarray(pc.fill_null(array.cast(pa.int64()), NO_TIME).to_numpy(zero_copy_only=False), np.int64)
    off = _valid(array) & ((values < _FIRST_NS) | (values > _LAST_NS))
    faults.add(off, lambda row: f"{name} {array[row].as_py()} is out of range")
    return values


def parse_stamp(text: str, name: str, stamp: Stamp) -> int:
    """UTC ns of one time. Raises ``ValueError`` if it is no time, has no zone, or falls into a change of clocks."""
    part = ""
    if stamp.form == "iso":
        match = _ISO.match(text)
        if not match or match["time"] is None:
            raise ValueError(f"{name} {text!r} is not an ISO time")
        part = match["part"] or ""
        bare, zone = f"{match['day']}T{match['time']}", (match["zone"] or "").replace("Z", "+00:00")
        local = _checked(lambda: datetime.fromisoformat(bare + zone), name, text, "an ISO time")
    elif stamp.form == "fix":
        match = _FIX.match(text)
        if not match:
            raise ValueError(f"{name} {text!r} is not a FIX UTCTimestamp (YYYYMMDD-HH:MM:SS)")
        part, bare = match["part"] or "", match["stamp"]
        pattern = "%Y%m%d-%H:%M:%S" if bare.count(":") == 2 else "%Y%m%d-%H:%M"
        local = _checked(lambda: datetime.strptime(bare, pattern).replace(tzinfo=UTC), name, text, "a time")
    else:
        local = _checked(lambda: datetime.strptime(text, stamp.form), name, text, f"a time of the form {stamp.form}")
        part = f"{local.microsecond:06d}"
        local = local.replace(microsecond=0)
    if local.tzinfo is None:
        if stamp.zone is None:
            raise ValueError(
                f"{name} {text!r} has no time zone; write its offset (…-05:00 or …Z) or name it in a mapping"
            )
        try:
            whole = instant_ns(local.date(), local.time(), stamp.zone)
        except ValueError as error:
            raise ValueError(f"{name} {text!r}: {error}") from None
    else:
        whole = utc_ns(local)
    if not 0 <= whole <= _LAST_NS:
        raise ValueError(f"{name} {text!r} is out of range")
    return whole + int(part.ljust(9, "0") or "0")


def _checked(make: Callable[[], datetime], name: str, text: str, what: str) -> datetime:
    try:
        return make()
    except ValueError:
        raise ValueError(f"{name} {text!r} is not {what}") from None


def parse_day(text: str, name: str, form: str = "iso") -> date:
    """A calendar date: ``iso`` (also ``YYYYMMDD``) or a strptime pattern. Raises ``ValueError`` if it is none."""
    try:
        if form == "iso":
            digits = re.match(r"^\d{4}-?\d\d-?\d\d\Z", text, re.ASCII)
            if not digits:
                raise ValueError
            return date.fromisoformat(text)
        return datetime.strptime(text, form).date()
    except ValueError:
        raise ValueError(
            f"{name} {text!r} is not {'an ISO date' if form == 'iso' else f'a date of the form {form}'}"
        ) from None

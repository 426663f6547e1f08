"""Columns parsed at once agree with cells parsed one by one by Python."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from common.files.faults import Faults
from common.files.raw import csv_file
from common.files.values import Number, Stamp, numbers, parse_stamp, times

ANY = Number(-math.inf, math.inf, "anything")
FINITE = st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def _faults(rows: int) -> Faults:
    return Faults(csv_file("f", b"x\n" + b"1\n" * rows))


@settings(deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=20), st.booleans())
def test_numbers_keep_every_bit(values: list[float], spoil: bool) -> None:
    cells = [repr(value) for value in values] + (["x"] if spoil else [])
    faults = _faults(len(cells))
    found = numbers(pa.array(cells), "n", ANY, False, faults)
    assert found[: len(values)].tolist() == values
    assert list(faults.reasons) == ([len(values)] if spoil else [])


@settings(deadline=None)
@given(st.lists(st.text("0123456789.+-eE_ naifNx", max_size=8), min_size=1, max_size=10))
def test_a_cell_is_a_number_or_a_fault_and_never_both(cells: list[str]) -> None:
    faults = _faults(len(cells))
    found = numbers(pa.array(cells), "n", ANY, False, faults)
    for row, cell in enumerate(cells):
        if row in faults.reasons:
            assert math.isnan(found[row])
        elif cell.strip():
            assert found[row] == float(cell) and math.isfinite(found[row])
        else:
            assert math.isnan(found[row])


@settings(deadline=None)
@given(st.lists(st.tuples(MOMENTS, OFFSETS, st.integers(0, 999), st.sampled_from("T ")), min_size=1, max_size=10))
def test_times_to_the_nanosecond(parts: list[tuple[datetime, timezone, int, str]]) -> None:
    cells, wanted = [], []
    for moment, zone, nanos, separator in parts:
        local = moment.replace(tzinfo=zone)
        stamp = local.isoformat(separator, timespec="microseconds")
        cells.append(f"{stamp[:26]}{nanos:03d}{stamp[26:]}")
        since = local - datetime(1970, 1, 1, tzinfo=UTC)
        wanted.append((since // timedelta(microseconds=1)) * 1000 + nanos)
    faults = _faults(len(cells))
    assert times(pa.array(cells), "ts", Stamp(), True, faults).tolist() == wanted
    assert [parse_stamp(cell, "ts", Stamp()) for cell in cells] == wanted
    assert not faults.reasons

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from common.errors import InputError
from common.files.faults import Faults
from common.files.raw import csv_file
from common.files.tables import NO_TIME
from common.files.values import Number, Stamp, numbers, parse_day, parse_stamp, times

PRICE = Number(0.0, 1e9, "a price")
LOTS = Number(-1e9, 1e9, "lots", whole=True)


def _faults(rows: int) -> Faults:
    return Faults(csv_file("f", b"x\n" + b"1\n" * rows))


def _read(cells: list[str], rule: Number = PRICE, required: bool = False) -> tuple[list[float], dict[int, list[str]]]:
    faults = _faults(len(cells))
    values = numbers(pa.array(cells, pa.string()), "bid", rule, required, faults)
    return [None if np.isnan(v) else v for v in values], faults.reasons  # type: ignore[misc]


def test_numbers_as_people_and_programs_write_them() -> None:
    cells = ["1", " 2.5 ", "+3", ".5", "4.", "1e-05", "1.0000000000000003e-05", "", "0"]
    assert _read(cells) == ([1.0, 2.5, 3.0, 0.5, 4.0, 1e-05, 1.0000000000000003e-05, None, 0.0], {})


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("-3", "bid -3 is negative"),
        ("NaN", "'NaN' is not a number"),
        ("inf", "'inf' is not a number"),
        ("1,5", "'1,5' is not a number"),
        ("1_000", "'1_000' is not a number"),
        ("0x10", "'0x10' is not a number"),
        ("1 2", "'1 2' is not a number"),
        ("--1", "'--1' is not a number"),
        ("١", "is not a number"),
        ("true", "'true' is not a number"),
        ("1" + "0" * 400, "is not finite"),
        ("1e999", "is not finite"),
        ("1e12", "bid 1e12 is too large for a price"),
    ],
)
def test_what_is_no_price(cell: str, words: str) -> None:
    values, reasons = _read(["1", cell, "2"])
    assert values[0] == 1.0 and values[2] == 2.0
    assert list(reasons) == [1] and words in reasons[1][0]


def test_whole_numbers() -> None:
    values, reasons = _read(["3", "-4", "+5", "2.5", "2.0", "1e3", "99999999999"], LOTS)
    assert values[:3] == [3.0, -4.0, 5.0]
    assert sorted(reasons) == [3, 4, 5, 6]
    assert "'2.0' is not a whole number of lots" in reasons[4][0] and "too large for lots" in reasons[6][0]


def test_a_scale_is_exact_and_keeps_lots_whole() -> None:
    assert _read(["120800"], Number(0.0, 1e9, "a price", scale=1e-4))[0] == [12.08]
    values, reasons = _read(["1.5", "0.25"], Number(-1e9, 1e9, "lots", whole=True, scale=10.0))
    assert values == [15.0, 2.5] and "'0.25' is not a whole number of lots" in reasons[1][0]


def test_an_empty_cell_where_one_is_needed() -> None:
    assert _read(["1", ""], required=True)[1] == {1: ["bid is empty"]}


@pytest.mark.parametrize(
    "column", [pa.array([1.5, None]), pa.array([1, None], pa.int32()), pa.array([Decimal("1.5"), None])]
)
def test_typed_columns_of_parquet(column: pa.Array) -> None:
    faults = _faults(2)
    values = numbers(column, "bid", PRICE, True, faults)
    assert values[0] in (1.0, 1.5) and faults.reasons == {1: ["bid is empty"]}


def test_wrong_types_and_values_of_parquet() -> None:
    for column in (pa.array([True, False]), pa.array([[1.0], [2.0]]), pa.array([b"1", b"2"])):
        with pytest.raises(InputError, match=r"column .bid. holds .*, not numbers"):
            numbers(column, "bid", PRICE, True, _faults(2))
    faults = _faults(3)
    numbers(pa.array([float("nan"), float("inf"), -1.0]), "bid", PRICE, False, faults)
    assert {row: reasons[0] for row, reasons in faults.reasons.items()} == {
        0: "bid is not finite",
        1: "bid is not finite",
        2: "bid -1.0 is negative",
    }


def _ns(*parts: int, extra_ns: int = 0) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 10**9 + extra_ns  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "stamp", "instant"),
    [
        ("2018-01-29T09:30:00-05:00", Stamp(), _ns(2018, 1, 29, 14, 30)),
        ("2018-01-29 14:30:00+00:00", Stamp(), _ns(2018, 1, 29, 14, 30)),
        ("2018-01-29T14:30Z", Stamp(), _ns(2018, 1, 29, 14, 30)),
        ("2018-01-29T14:30:00.123456789Z", Stamp(), _ns(2018, 1, 29, 14, 30, extra_ns=123_456_789)),
        ("2018-01-29T09:30:00", Stamp("iso", "America/New_York"), _ns(2018, 1, 29, 14, 30)),
        ("20180129-14:30:00.5", Stamp("fix"), _ns(2018, 1, 29, 14, 30, extra_ns=500_000_000)),
        ("29.01.2018 15:30", Stamp("%d.%m.%Y %H:%M", "Europe/Zurich"), _ns(2018, 1, 29, 14, 30)),
        ("1517236200000", Stamp("ms"), _ns(2018, 1, 29, 14, 30)),
        ("1517236200000001", Stamp("us"), _ns(2018, 1, 29, 14, 30, extra_ns=1000)),
        ("1517236200000000001", Stamp("ns"), _ns(2018, 1, 29, 14, 30, extra_ns=1)),
        ("1517236200.0", Stamp("s"), _ns(2018, 1, 29, 14, 30)),
    ],
)
def test_times(text: str, stamp: Stamp, instant: int) -> None:
    faults = _faults(2)
    assert times(pa.array([text, ""]), "ts", stamp, False, faults).tolist() == [instant, NO_TIME]
    assert not faults.reasons


@pytest.mark.parametrize(
    ("text", "stamp", "words"),
    [
        ("2018-01-29T09:30:00", Stamp(), "has no time zone"),
        ("2018-01-29", Stamp(), "is not an ISO time"),
        ("29.01.2018", Stamp(), "is not an ISO time"),
        ("2018-13-29T09:30:00Z", Stamp(), "is not an ISO time"),
        ("2018-01-29T24:30:00Z", Stamp(), "is not an ISO time"),
        ("9999-01-01T00:00:00Z", Stamp(), "out of range"),
        ("1890-01-01T00:00:00Z", Stamp(), "out of range"),
        ("2018-03-11T02:30:00", Stamp("iso", "America/New_York"), "clocks of America/New_York change"),
        ("2018-11-04T01:30:00", Stamp("iso", "America/New_York"), "clocks of America/New_York change"),
        ("1517236200000", Stamp("us"), "its year is out of range"),
        ("1517236200000000", Stamp("ms"), "its year is out of range"),
        ("-5", Stamp("ms"), "is not a time in ms since 1970"),
        ("1e12", Stamp("ms"), "is not a time in ms since 1970"),
        ("99999999999999999999", Stamp("ms"), "is not a time in ms since 1970"),
        ("2018-01-29T14:30:00Z", Stamp("fix"), "is not a FIX UTCTimestamp"),
        ("", Stamp(), "ts is empty"),
    ],
)
def test_what_is_no_time(text: str, stamp: Stamp, words: str) -> None:
    faults = _faults(1)
    assert times(pa.array([text]), "ts", stamp, True, faults).tolist() == [NO_TIME]
    assert len(faults.reasons[0]) == 1 and words in faults.reasons[0][0]


def test_typed_times_of_parquet() -> None:
    noon = datetime(2018, 1, 29, 12, tzinfo=UTC)
    faults = _faults(2)
    column = pa.array([noon, None], pa.timestamp("us", "America/New_York"))
    assert times(column, "ts", Stamp(), False, faults).tolist() == [_ns(2018, 1, 29, 12), NO_TIME]
    naive = pa.array([datetime(2018, 1, 29, 12, 0, 0, 5), None], pa.timestamp("us"))
    with pytest.raises(InputError, match="holds times without a zone; name it in a mapping"):
        times(naive, "ts", Stamp(), False, faults)
    assert times(naive, "ts", Stamp("iso", "UTC"), False, faults).tolist() == [
        _ns(2018, 1, 29, 12, extra_ns=5000),
        NO_TIME,
    ]
    with pytest.raises(InputError, match="holds double, not times"):
        times(pa.array([1.0, 2.0]), "ts", Stamp("ms"), False, faults)
    assert not faults.reasons


def test_days() -> None:
    assert (
        parse_day("2018-03-16", "expiry") == parse_day("20180316", "expiry") == parse_day("16.3.2018", "e", "%d.%m.%Y")
    )
    for text in ("2018-02-30", "16.03.2018", "2018-W01-1", "2018-3-16"):
        with pytest.raises(ValueError, match="is not an ISO date"):
            parse_day(text, "expiry")


def test_an_offset_is_kept_by_the_fast_way_and_the_slow() -> None:
    text = "2018-01-29T09:30:00.25-05:00"
    assert times(pa.array([text]), "ts", Stamp(), True, _faults(1))[0] == parse_stamp(text, "ts", Stamp())

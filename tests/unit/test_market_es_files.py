"""Small files of the E-mini form, each with one thing wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.errors import InputError, Unavailable
from common.market.es_files import FUTURES_FILE, OPTIONS_FILE, option_underlyings, read_futures, read_options
from common.units import NO_PRICE

MINUTES = [datetime(2020, 1, 6, 15, m, tzinfo=UTC) for m in (0, 0, 1)]
OPTIONS: dict[str, Any] = {
    "ts": pa.array(MINUTES, pa.timestamp("us", "UTC")),
    "underlying": pa.array(["ESH0", "ESH0", "ESH0"]),
    "expiry": pa.array([date(2020, 3, 20)] * 3),
    "right": pa.array(["C", "P", "C"]),
    "strike": pa.array([3200.0, 3200.0, 3200.0]),
    "bid_close": pa.array([60.25, None, 60.5]),
    "bid_size": pa.array([10, 0, 11], pa.int32()),
    "ask_close": pa.array([60.75, 48.05, 61.0]),
    "ask_size": pa.array([12, 3, 13], pa.int32()),
}
FUTURES: dict[str, Any] = {
    "ts": pa.array(MINUTES[1:], pa.timestamp("us", "UTC")),
    "contract_month": pa.array(["2020-03", "2020-03"]),
    "bid_close": pa.array([3230.25, None]),
    "bid_size": pa.array([7.0, 9.0]),
    "ask_close": pa.array([3230.5, 3230.75]),
    "ask_size": pa.array([8.0, 9.0]),
}


def _write(folder: Path, name: str, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), folder / name)
    return folder


def test_rows_come_as_they_stand(tmp_path: Path) -> None:
    rows = read_options(_write(tmp_path, OPTIONS_FILE, OPTIONS))
    assert sorted(i.id for i in rows.instruments) == ["ESH0 2020-03-20 3200 C @XCME", "ESH0 2020-03-20 3200 P @XCME"]
    assert [rows.instruments[c].right for c in rows.contract] == [1, -1, 1]
    assert rows.bid_ticks.tolist() == [1205, NO_PRICE, 1210]
    assert rows.ask_ticks.tolist() == [1215, 961, 1220]
    assert (rows.bid_size_lots.tolist(), rows.ask_size_lots.tolist()) == ([10, 0, 11], [12, 3, 13])
    assert option_underlyings(tmp_path) == ("ESH0",)


def test_a_size_without_a_price_is_no_quote(tmp_path: Path) -> None:
    rows = read_futures(_write(tmp_path, FUTURES_FILE, FUTURES))
    assert [i.id for i in rows.instruments] == ["ESH0 2020-03-20 F @XCME"]
    assert rows.bid_ticks.tolist() == [12921, NO_PRICE]
    assert rows.bid_size_lots.tolist() == [7, 0]


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("bid_close", pa.array([60.25, None, -0.5]), "row 3: bid_close is negative"),
        ("bid_close", pa.array([60.25, 48.01, 60.5]), "row 2: bid_close is not a whole number of ticks"),
        ("ask_close", pa.array([60.75, float("inf"), 61.0]), "row 2: ask_close is not a price"),
        ("ask_close", pa.array([float("nan"), 48.05, 61.0]), "row 1: ask_close is not a price"),
        ("ask_size", pa.array([12, 3, -1], pa.int32()), "row 3: ask_size is not a size"),
        ("underlying", pa.array(["ESH0", "ZZZZ", "ESH0"]), "row 2: unknown root 'ZZZZ'"),
        ("underlying", pa.array(["ESH0", None, "ESH0"]), "row 2: underlying is empty"),
        ("right", pa.array(["C", "P", "X"]), "row 3: right 'X'"),
        ("strike", pa.array([3200.0, 3200.0, 0.0]), "row 3: strike 0"),
        ("ts", pa.array([MINUTES[0], MINUTES[1], None], pa.timestamp("us", "UTC")), "row 3: ts is empty"),
        ("ts", pa.array([MINUTES[0]] * 3, pa.timestamp("us", "UTC")), "row 3: a second row"),
        ("ts", pa.array([m.replace(tzinfo=None) for m in MINUTES], pa.timestamp("us")), "'ts' has no time zone"),
        ("ts", pa.array(["2020-01-06"] * 3), "'ts' holds string, not a time"),
        ("bid_close", pa.array(["1", "2", "3"]), "'bid_close' holds string, not a price"),
        ("expiry", pa.array(["2020-03-20"] * 3), "'expiry' holds string, not a date"),
        ("ask_size", None, "missing column 'ask_size'"),
    ],
)
def test_one_bad_row_refuses_the_file(tmp_path: Path, column: str, values: Any, words: str) -> None:
    columns = {k: v for k, v in (OPTIONS | {column: values}).items() if v is not None}
    with pytest.raises(InputError, match=words) as refusal:
        read_options(_write(tmp_path, OPTIONS_FILE, columns))
    assert refusal.value.exit_code == 4


def test_an_unknown_contract_month_is_refused(tmp_path: Path) -> None:
    wrong = FUTURES | {"contract_month": pa.array(["2020-03", "2020-04"])}
    with pytest.raises(InputError, match="row 2: unknown contract month '2020-04'"):
        read_futures(_write(tmp_path, FUTURES_FILE, wrong))


def test_absent_empty_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no such file"):
        read_options(tmp_path)
    empty = {name: values.slice(0, 0) for name, values in OPTIONS.items()}
    with pytest.raises(InputError, match="no rows"):
        read_options(_write(tmp_path, OPTIONS_FILE, empty))
    (tmp_path / OPTIONS_FILE).write_text("ts,bid\n")
    with pytest.raises(InputError, match="not a Parquet file"):
        read_options(tmp_path)

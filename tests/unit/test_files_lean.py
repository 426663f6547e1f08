from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from common.files.read import read_quotes
from tests.files_world import CONTRACTS, FORMATS, refused, written

FOLDER = "option/usa/minute/xyz"
MEMBER = "20260130_xyz_minute_quote_american_call_500000_20260320.csv"
PUT = "20260130_xyz_minute_quote_american_put_475000_20260320.csv"
FUTURE = "20200105_es_minute_quote_202003_20200320.csv"
ROW = "34200000,120800,125600,120800,125000,10,126900,126900,125800,126000,12\n"


def _zip(members: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


def _ns(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 10**9  # type: ignore[arg-type]


def test_an_option_archive(tmp_path: Path) -> None:
    path = written(
        tmp_path, _zip({MEMBER: ROW, PUT: ROW + ROW.replace("34200000", "34260000")}), f"{FOLDER}/20260130_quote.zip"
    )
    table = read_quotes(path, contracts=CONTRACTS)
    assert table.listing.ids == ("XYZ 2026-03-20 50 C @XCBO", "XYZ 2026-03-20 47.5 P @XCBO")
    assert table.instrument.tolist() == [0, 1, 1]
    assert table.line.tolist() == [1, 1, 2]
    # Ten-thousandths; 09:30 in New York in January is 14:30 UTC; the state of a minute is known at its end.
    assert (table.bid[0], table.ask[0], table.bid_size[0], table.ask_size[0]) == (12.5, 12.6, 10.0, 12.0)
    assert table.event_time_ns.tolist() == [
        _ns(2026, 1, 30, 14, 31),
        _ns(2026, 1, 30, 14, 31),
        _ns(2026, 1, 30, 14, 32),
    ]


def test_summer_time(tmp_path: Path) -> None:
    path = written(tmp_path, ROW, f"{FOLDER}/{MEMBER.replace('20260130', '20260701').replace('20260320', '20260918')}")
    assert read_quotes(path, contracts=CONTRACTS).event_time_ns[0] == _ns(2026, 7, 1, 13, 31)


def test_futures_and_their_options_are_decimals_in_utc(tmp_path: Path) -> None:
    row = "82800000,3243.25,3243.5,3243,3243.25,11,3243.5,3243.75,3243.5,3243.5,9\n"
    future = read_quotes(written(tmp_path, _zip({FUTURE: row}), "future/cme/minute/es/20200105_quote.zip"))
    assert future.listing.ids == ("ESH0 2020-03-20 F @XCME",)
    assert (future.bid[0], future.event_time_ns[0]) == (3243.25, _ns(2020, 1, 5, 23, 1))
    name = "lean/futureoption/cme/minute/es/20200320/20200105_es_minute_quote_american_call_32500000_20200320.csv"
    option = read_quotes(FORMATS / name)
    assert option.listing.ids == ("ESH0 2020-03-20 3250 C @XCME",)
    assert option.bid[0] == 30.25 and np.isnan(option.bid[1]) and option.ask[1] == 31.0


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        (f"{FOLDER}/a.zip", {MEMBER.replace("quote", "trade"): ROW}, "holds trade, not quotes"),
        (f"{FOLDER}/a.zip", {MEMBER.replace("minute", "hour"): ROW}, "bars of a hour are not read"),
        (f"{FOLDER}/a.zip", {"readme.txt": ROW}, "no name of a LEAN option file"),
        (f"{FOLDER}/a.zip", {}, "the archive is empty"),
        (f"{FOLDER}/a.zip", {MEMBER: ""}, "the file is empty"),
        (f"{FOLDER}/a.zip", {MEMBER: ROW, MEMBER.replace("minute", "second"): ROW}, "bars of different lengths"),
        (f"{FOLDER}/a.zip", {MEMBER.replace("20260130", "20260230"): ROW}, "is not a calendar date"),
        ("a.zip", {MEMBER: ROW}, "nothing says whether these are options"),
        ("option/india/minute/xyz/a.zip", {MEMBER: ROW}, "the clock of market 'india' is not known"),
        ("future/cme/minute/es/a.zip", {FUTURE.replace("_20200320", ""): ROW}, "names a month, not an expiry date"),
    ],
)
def test_archives_that_are_not_read(tmp_path: Path, name: str, body: dict[str, str], words: str) -> None:
    found = refused(read_quotes, written(tmp_path, _zip(body), name), contracts=CONTRACTS)
    assert any(words in reason for _, reason in found), found


def test_damaged_archives(tmp_path: Path) -> None:
    whole = _zip({MEMBER: ROW * 50})
    for at, body in enumerate((whole[:-30], whole[:60] + b"\0\0\0\0" + whole[64:])):
        found = refused(read_quotes, written(tmp_path, body, f"{FOLDER}/{at}.zip"), contracts=CONTRACTS)
        assert "damaged zip archive" in found[0][1]


def test_faults_name_the_member_and_its_own_line(tmp_path: Path) -> None:
    bad = ROW.replace("34200000", "99999999") + "1,2\n" + ROW.replace("125000", "x")
    body = _zip({PUT: ROW, MEMBER: ROW.replace("34200000", "34320000") + bad})
    found = refused(read_quotes, written(tmp_path, body, f"{FOLDER}/a.zip"), contracts=CONTRACTS)
    assert sorted(found) == [
        (2, f"{MEMBER}: '99999999' is not a time in ms since midnight"),
        (3, f"{MEMBER}: 2 cells under 11 columns"),
        (4, f"{MEMBER}: bid_close 'x' is not a number"),
    ]


def test_terms_are_not_guessed(tmp_path: Path) -> None:
    found = refused(read_quotes, written(tmp_path, ROW, f"{FOLDER}/{MEMBER}"))
    assert "unknown root 'XYZ'; define its terms" in found[0][1]

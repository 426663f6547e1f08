from __future__ import annotations

import csv
from pathlib import Path

import pytest

from common.errors import InputError, UsageError
from common.files.read import read_book, read_chain, read_quotes
from tests.files_world import FORMATS, refused, written

HEAD = "instrument,bid,ask\n"
GOOD = "SPX   180316P02700000,24.3,24.9\n"
BAD = "SPX   180316P02750000,x,-1\n"
SHORT = "SPX   180316P02800000,1\n"
QUOTED = '"SPX   180316P02850000","a, b",2\n'
DOUBLE = "SPX 2018-03-16 2700 P,25,26\n"


def _records(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_bad_records_are_set_aside_word_for_word_and_the_rest_loads(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + GOOD + BAD + SHORT + QUOTED + DOUBLE)
    aside = tmp_path / "aside.csv"
    table = read_chain(path, quarantine=aside)
    assert len(table) == 1 and table.source.set_aside == 4
    assert table.listing.ids == ("SPX 2018-03-16 2700 P @XCBO",)
    assert _records(aside) == [
        ["line", "reason", "record"],
        ["3", "bid 'x' is not a number", BAD.strip()],
        ["3", "ask -1 is negative", BAD.strip()],
        ["4", "2 cells under 3 columns", SHORT.strip()],
        ["5", "bid 'a, b' is not a number", QUOTED.strip()],
        ["6", "the same contract as line 2", DOUBLE.strip()],
    ]


def test_only_on_request(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + GOOD + BAD)
    assert len(refused(read_chain, path)) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["file.csv"]


def test_a_clean_file_leaves_no_quarantine_file(tmp_path: Path) -> None:
    aside = tmp_path / "aside.csv"
    assert read_chain(written(tmp_path, HEAD + GOOD), quarantine=aside).source.set_aside == 0
    assert not aside.exists()


@pytest.mark.parametrize("body", [HEAD + BAD, "instrument,bid\n" + "SPX,1\n", HEAD, HEAD + GOOD + "\xff"])
def test_what_refuses_the_file_whole_still_does(tmp_path: Path, body: str) -> None:
    path = written(tmp_path, body.encode("latin-1"))
    aside = tmp_path / "aside.csv"
    with pytest.raises(InputError):
        read_chain(path, quarantine=aside)
    assert not aside.exists()


def test_only_an_older_quarantine_file_is_replaced(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + GOOD + BAD)
    precious = written(tmp_path, "the only copy\n", "precious.csv")
    with pytest.raises(UsageError, match="exists and is no quarantine file"):
        read_chain(path, quarantine=precious)
    assert precious.read_text() == "the only copy\n"
    with pytest.raises(UsageError, match="is the file that is being read"):
        read_chain(path, quarantine=path)
    with pytest.raises(UsageError, match="cannot be written"):
        read_chain(path, quarantine=tmp_path / "no" / "folder.csv")
    aside = tmp_path / "aside.csv"
    for _ in range(2):
        read_chain(path, quarantine=aside)
    assert len(_records(aside)) == 3


def test_numbers_of_what_is_kept_are_untouched(tmp_path: Path) -> None:
    lines = (FORMATS / "book.csv").read_text().splitlines()
    path = written(tmp_path, "\n".join([*lines[:2], "DESK-A,XYZ   180316P02700000,1,,", *lines[2:]]))
    table = read_book(path, quarantine=tmp_path / "aside.csv")
    assert table.quantity_lots.tolist() == [-25, 7, 40]
    assert table.line.tolist() == [2, 4, 5]
    assert table.listing == read_book(FORMATS / "book.csv").listing


def test_members_of_an_archive_are_named(tmp_path: Path) -> None:
    name = "futureoption/cme/minute/es/20200320/20200105_es_minute_quote_american_call_32500000_20200320.csv"
    path = written(
        tmp_path, "82800000,1,1,1,1,1,2,2,2,2,2\nnoon,1,1,1,1,1,2,2,2,2,2\n82860000,1,1,1,-1,1,2,2,2,2,2\n", name
    )
    aside = tmp_path / "aside.csv"
    assert len(read_quotes(path, quarantine=aside)) == 1
    assert [row[:2] for row in _records(aside)[1:]] == [
        ["2", f"{path.name}: 'noon' is not a time in ms since midnight"],
        ["3", f"{path.name}: bid_close -1 is negative"],
    ]

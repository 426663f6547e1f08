from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.errors import InputError, UsageError
from common.files.mapping import load_mapping
from common.files.read import read_book, read_chain, read_quotes
from tests.files_world import FORMATS, refused, written

MINIMAL = """table = "chain"
[columns.symbol]
from = "Sym"
[columns.bid]
from = "B"
[columns.ask]
from = "A"
"""
FILE = "Sym,B,A\nSPX   180316P02700000,24.3,24.9\n"


def _ns(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 10**9  # type: ignore[arg-type]


def test_a_file_of_somebody_elses_making() -> None:
    table = read_chain(FORMATS / "custom.csv", mapping=FORMATS / "custom.toml")
    assert table.source.profile == "custom" and table.source.ignored == ("Note",)
    assert table.listing.ids == ("SPX 2018-03-16 2700 P @XCBO", "SPX 2018-03-16 2900 C @XCBO")
    assert table.as_of_ns.tolist() == [_ns(2018, 1, 29, 21)] * 2
    assert (table.bid[0], table.ask[0]) == (24.3, 24.9)


def test_cme_symbols_are_read_from_the_reference_date() -> None:
    table = read_quotes(FORMATS / "cme_quotes.csv", profile="custom", mapping=FORMATS / "cme_quotes.toml")
    assert table.listing.ids == (
        "ESH0 2020-03-20 3250 C @XCME",
        "EW1 2020-02-07 3200 P @XCME",
        "ESH0 2020-03-20 F @XCME",
    )


def test_the_moment_of_the_file(tmp_path: Path) -> None:
    mapping = written(tmp_path, "as_of = 2018-01-29T16:00:00-05:00\n" + MINIMAL, "map.toml")
    path = written(tmp_path, FILE)
    assert read_chain(path, mapping=mapping, as_of_ns=5).as_of_ns.tolist() == [_ns(2018, 1, 29, 21)]


def test_columns_that_the_mapping_does_not_know_refuse_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, FILE.replace("A\n", "A,Delta\n", 1).replace("24.9\n", "24.9,0.4\n"))
    assert refused(read_chain, path, mapping=written(tmp_path, MINIMAL, "a.toml")) == [(1, "unknown column 'delta'")]
    for ignore in ('["delta"]', '["Delta"]', '["*"]'):
        mapping = written(tmp_path, f"ignore = {ignore}\n" + MINIMAL, "b.toml")
        assert read_chain(path, mapping=mapping).source.ignored == ("Delta",)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("table = chain\n", 1, "not TOML"),
        (MINIMAL.replace('"chain"', '"greeks"'), 1, "table"),
        (MINIMAL.replace("columns.bid", "columns.bit"), 0, "no field 'bit' in chain"),
        (MINIMAL.replace('[columns.ask]\nfrom = "A"\n', ""), 0, "no column is given for ask"),
        (MINIMAL + 'format = "epoch"\n', 8, "is none of iso, fix"),
        (MINIMAL + 'zone = "EST"\n', 8, "no IANA zone"),
        (MINIMAL + "scale = 0\n", 8, "greater than 0"),
        (MINIMAL + "scale = inf\n", 8, "finite"),
        (MINIMAL + "unit = 2\n", 8, "not permitted"),
        ("as_of = 2018-01-29T16:00:00\n" + MINIMAL, 1, "timezone"),
        ("reference = 2018-01-29T16:00:00\n" + MINIMAL, 1, "reference is a date"),
        ("columns = 3\n", 1, "columns"),
    ],
)
def test_a_bad_mapping_is_refused_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        load_mapping(written(tmp_path, text, "map.toml"))
    assert any(words in p.reason and (p.line == line or not line) for p in refusal.value.problems), refusal.value


def test_a_mapping_for_another_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="maps chain, but book is to be read"):
        read_book(written(tmp_path, FILE), mapping=written(tmp_path, MINIMAL, "map.toml"))

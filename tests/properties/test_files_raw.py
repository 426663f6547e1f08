"""The fast way through a CSV and the record-by-record way tell the same story, and so does Python's csv module."""

from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from common.files.raw import _plain, _quoted, csv_file

CELL = st.text(st.characters(codec="utf-8", exclude_characters=',"\r\n\0', exclude_categories=["Cs"]), max_size=6)
LINES = st.lists(st.lists(CELL, min_size=1, max_size=4), max_size=8)


def _story(raw: object) -> tuple[object, ...]:
    columns = raw.read(list(raw.header))  # type: ignore[attr-defined]
    cells = [columns[name].to_pylist() for name in raw.header]  # type: ignore[attr-defined]
    texts = [raw.text_of(row) for row in range(len(raw.line))]  # type: ignore[attr-defined]
    return raw.header, raw.line.tolist(), cells, texts, raw.broken  # type: ignore[attr-defined]


@settings(deadline=None)
@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_two_ways_one_story(lines: list[list[str]], ending: str, last: bool) -> None:
    text = ending.join(["a,b,c", *(",".join(cells) for cells in lines)]) + (ending if last else "")
    assert _story(_plain("f", text.encode(), ",", None)) == _story(_quoted("f", text, ",", None))


ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)


@settings(deadline=None)
@given(st.lists(st.lists(ANY, min_size=3, max_size=3), min_size=1, max_size=6))
def test_what_pythons_csv_writes_is_read_back(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["a", "b", "c"], *rows])
    raw = csv_file("f", out.getvalue().encode())
    columns = raw.read(["a", "b", "c"])
    assert [list(row) for row in zip(*(columns[n].to_pylist() for n in "abc"), strict=True)] == rows
    assert not raw.broken
    for at, row in enumerate(rows):
        assert next(csv.reader(io.StringIO(raw.text_of(at), newline=""))) == row

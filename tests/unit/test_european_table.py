"""The table and the picture of any rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import table


def row(name: str, value: object, bar: str, holds: bool) -> dict[str, object]:
    return {
        "id": name,
        "what": "a | b",
        "value": value,
        "unit": "x",
        "bar": bar,
        "holds": holds,
        "peer": "peer 1",
        "samples": 3,
        "seconds": 1.0,
        "noise": "calibration loop max/min 1.10, load 0.5",
    }


@pytest.mark.parametrize(
    ("value", "bar", "factor"),
    [
        (8.0, "4 or more", 2.0),
        (5e-11, "at most 1e-10", 2.0),
        (60_000, "30,000 or more; goal 80,000", 2.0),
        (6.0, "≤ 12 µs", 2.0),
        ("no peer", "4 or more", None),
        (3.0, "", None),
        (0.0, "at most 1", None),
        (3.0, "as stated", None),
    ],
)
def test_margin_points_the_same_way_for_both_kinds_of_bar(value, bar, factor):
    assert table.margin(row("a", value, bar, True)) == (None if factor is None else pytest.approx(factor))


def test_three_files(tmp_path: Path):
    rows = [
        row("a.one", 8.0, "4 or more", True),
        row("a.two", "no peer", "4 or more", False),
        row("a.three", 1.0, "", True),
    ]
    written, picture = table.write(rows, tmp_path / "out")
    text = written.read_text()
    assert "missed: a.two" in text and "a \\| b" in text and text.count("calibration loop") == 3
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [json.loads(line)["id"] for line in (tmp_path / "out/results.jsonl").read_text().splitlines()] == [
        "a.one",
        "a.two",
        "a.three",
    ]

"""The registry of figures: an id is claimed once, a row that did not come counts as missed, an unknown id is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import registry
from benchmarks.registry import Context, Entry, Row, bench, measure
from benchmarks.run import chosen_for, run_bench
from common.errors import UsageError


def test_an_id_is_claimed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ENTRIES", [])
    bench("a.one", what="one", minutes=1)(lambda _: [])
    with pytest.raises(ValueError, match=r"a\.one"):
        bench("a.one", "a.two", what="again", minutes=1)(lambda _: [])


def test_a_missing_row_is_missed_and_every_row_has_the_promised_fields(tmp_path: Path) -> None:
    entry = Entry(("a.one", "a.two"), "two figures", 0.1, lambda _: [Row("a.one", "one", 1.5, "ms", "at most 2", True)])
    rows = measure(entry, Context(tmp_path, tmp_path))
    fields = {"id", "what", "value", "unit", "bar", "holds", "peer", "samples", "seconds", "noise"}
    assert [(row["id"], row["holds"]) for row in rows] == [("a.one", True), ("a.two", False)]
    assert all(set(json.loads(json.dumps(row))) == fields for row in rows)


def test_the_list_names_every_id_once_and_a_prefix_chooses(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_bench("list", True, None) == 0
    names = [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]
    assert len(names) == len(set(names)) > 10
    assert {i for entry in chosen_for("takeover") for i in entry.ids} == {n for n in names if n.startswith("takeover.")}
    with pytest.raises(UsageError, match="bench list"):
        chosen_for("nothing")

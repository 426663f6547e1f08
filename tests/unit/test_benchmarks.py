"""The registry of figures: an id is claimed once, a row that did not come counts as missed, an unknown id is refused.

And the arithmetic of figures that are more than a quotient.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import many_books, registry
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


def test_cost_at_equal_risk_is_read_off_the_curve_and_nowhere_else() -> None:
    risk, cost = np.array([5_000.0, 3_000.0, 2_000.0]), np.array([6_000.0, 8_000.0, 11_000.0])
    assert many_books.cost_at(risk, cost, 4_000.0) == pytest.approx(7_000.0)
    assert many_books.cost_at(risk, cost, 2_000.0) == 11_000.0
    assert np.isnan(many_books.cost_at(risk, cost, 1_999.0)) and np.isnan(many_books.cost_at(risk, cost, 5_001.0))


def test_rows_at_equal_risk_leave_out_books_that_do_not_reach_it() -> None:
    curve = [(6_000.0, 5_000.0), (8_000.0, 3_000.0), (11_000.0, 2_000.0)]
    dearer = [(cost + 500.0, risk) for cost, risk in curve]
    books = [[(6_900.0 + k, 4_000.0), *curve, *dearer] for k in range(3)] + [[(1.0, 1_000.0), *curve, *dearer]]
    found = {row.id.rpartition(".")[2]: row for row in many_books.equal_risk_rows(np.array(books))}
    assert {name: (row.value, row.holds, row.samples) for name, row in found.items()} == {
        "joint_plain": (-99.0, True, 3), "joint_alone": (-599.0, True, 3), "plain_alone": (-500.0, True, 3),
    }  # fmt: skip
    assert "3 of 4 books" in found["joint_plain"].what
    worse = list(many_books.equal_risk_rows(np.array([[(7_100.0 + k, 4_000.0), *curve, *dearer] for k in range(3)])))
    assert not worse[0].holds and worse[1].holds

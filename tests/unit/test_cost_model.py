"""The file of measured costs: read, refused with a reason, and charged by the manager in place of its own shares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.cost_model import CostModel, CostRow, load_cost_model, to_text
from common.errors import InputError
from deploy.config import load
from tests.tca_world import shares


def row(**changes: Any) -> dict[str, Any]:
    return {
        "underlying": "AAA", "kind": "future", "source": "fitted", "orders": 50,
        "spread_share": 0.8, "impact_share": 0.3, "root_impact_share": 0.2, **changes,
    }  # fmt: skip


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    model = CostModel(made_from=("run-1",), rows=(CostRow(**row()), CostRow(**row(kind="option", source="prior"))))
    (tmp_path / "cost.json").write_text(to_text(model))
    assert load_cost_model(tmp_path / "cost.json") == model


def test_rows_speak_for_their_instruments_and_the_settings_for_the_rest() -> None:
    columns = CostModel(rows=(CostRow(**row()), CostRow(**row(underlying="ZZZ")))).columns(shares(), 0.1, 0.0)
    assert columns.tolist() == [[0.8, 1.0], [0.3, 0.1], [0.2, 0.0]]
    assert np.array_equal(CostModel().columns(shares(), 0.1, 0.0), [[1.0, 1.0], [0.1, 0.1], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is no JSON"),
        ("[]", "file: "),
        (json.dumps({"version": 2}), "version: Input should be 1"),
        (json.dumps({"rows": [row(impact_share=-1)]}), "rows.0.impact_share: "),
        (json.dumps({"rows": [row(), row()]}), "more than one row for AAA future"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "cost.json"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        load_cost_model(path)


def test_a_settings_file_names_it_and_the_settings_hold_it(tmp_path: Path) -> None:
    (tmp_path / "cost.json").write_text(to_text(CostModel(rows=(CostRow(**row()),))))
    (tmp_path / "run.toml").write_text(f'[manager]\ncost_model = "{tmp_path / "cost.json"}"\n')
    settings = load(tmp_path / "run.toml", {}, {})
    assert settings.manager.cost_model.rows[0].spread_share == 0.8
    again = type(settings).model_validate(settings.model_dump(mode="json"))
    assert again.manager.cost_model == settings.manager.cost_model
    with pytest.raises(InputError, match="cannot be read"):
        load(None, {"manager.cost_model": str(tmp_path / "nowhere.json")}, {})

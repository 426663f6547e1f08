from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from common.market.config import REPOSITORY, CsvConfig, DemoConfig, EsOptionsConfig, MarketConfig


def test_defaults_are_the_stated_ones() -> None:
    demo = MarketConfig().demo
    assert (str(demo.start), str(demo.end), demo.step_s) == ("2018-01-29", "2018-02-09", 120)
    assert MarketConfig.model_validate(MarketConfig().model_dump(mode="json")) == MarketConfig()


def test_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HEDGEROW_DATA", raising=False)
    assert MarketConfig().data_dir == REPOSITORY.parent / "shared" / "data"
    monkeypatch.setenv("HEDGEROW_DATA", str(tmp_path))
    assert MarketConfig().data_dir == tmp_path
    assert MarketConfig(data=tmp_path / "x").data_dir == tmp_path / "x"


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        (DemoConfig, {"start": "2018-02-09", "end": "2018-01-29"}, "lies before start"),
        (DemoConfig, {"step_s": 0}, "greater than or equal to 1"),
        (DemoConfig, {"sed": 1}, "Extra inputs"),
        (EsOptionsConfig, {"start": "2020-01-05T23:00:00"}, "timezone"),
        (CsvConfig, {"correlation": -0.5}, "must not be negative"),
    ],
)
def test_nonsense_is_refused(
    model: type[DemoConfig | EsOptionsConfig | CsvConfig], values: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        model.model_validate(values)

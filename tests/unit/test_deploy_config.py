"""Settings: what wins, and that nonsense is named where it was said."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError, UsageError
from deploy.config import FLAGS, RunConfig, load


def _file(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text)
    return path


def test_flags_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    path = _file(tmp_path, "[live]\nspeed = 2\nmanagers = 3\nwall_seconds = 50\n")
    env = {"HEDGEROW_LIVE__SPEED": "4", "HEDGEROW_LIVE__MANAGERS": "4", "HEDGEROW_NATS_URL": "nats://x", "HOME": "/"}
    live = load(path, {"live.speed": 8.0, "live.duration_s": None}, env).live
    assert (live.speed, live.managers, live.wall_seconds, live.duration_s) == (8.0, 4, 50.0, None)
    assert load(None, {}, {}) == RunConfig()


def test_a_run_reads_back_the_settings_it_was_given() -> None:
    config = load(None, {"market.demo.seed": 11, "book": Path("b.csv")}, {"HEDGEROW_MARKET__DEMO__END": "2018-01-31"})
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[live]\nspeed = \n", 2, "not TOML"),
        ("[live]\nspeed = 1\n\n[paper]\nlatncy_ms = 3\n", 5, "paper.latncy_ms is no setting"),
        ("\n[lve]\nx = 1\n", 2, "lve is no setting"),
        ('[live]\nmanagers = 2\nspeed = "x"\n', 3, "valid number"),
        ("[live]\nmanagers = 9\n", 2, "less than or equal to 5"),
        ("live = 3\n", 1, "table"),
        ("[market.csv]\ndaily_vol = 0.1\ncorrelation = nan\n", 3, "correlation is not a finite number"),
        ("[live]\nspeed = inf\n", 2, "not a finite number"),
        ('[market.demo]\nend = "2017-01-01"\n', 1, "lies before start"),
    ],
)
def test_a_mistake_in_the_file_has_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load(_file(tmp_path, text), {}, {})
    assert [p.line for p in caught.value.problems] == [line]
    assert "config schema" in caught.value.remedy and caught.value.exit_code == 4


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    for path, words in ((tmp_path / "bytes.toml", "UTF-8"), (tmp_path, "directory"), (tmp_path / "no", "No such file")):
        with pytest.raises(InputError, match=words):
            load(path, {}, {})


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"HEDGEROW_LIVE__SPEED": "fast"}, "HEDGEROW_LIVE__SPEED=fast: live.speed"),
        ({"HEDGEROW_LIVE__SPED": "3"}, "HEDGEROW_LIVE__SPED=3: live.sped is no setting"),
        ({"HEDGEROW_LVE__X": "3"}, "lve is no setting"),
        ({"HEDGEROW_LIVE__SPEED": "1", "HEDGEROW_LIVE__SPEED__X": "3"}, ""),
        ({"HEDGEROW_LIVE__SPEED__X": "3"}, "valid number"),
        ({"HEDGEROW_LIVE__SPEED": "NaN"}, "not a finite number"),
        ({"HEDGEROW_MARKET__DEMO__END": "2017-01-01"}, "HEDGEROW_MARKET__DEMO__END=2017-01-01: market.demo end"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(env: dict[str, str], words: str) -> None:
    if not words:  # a value stands where the second wants a section: the first holds
        assert load(None, {}, env).live.speed == 1.0
        return
    with pytest.raises(UsageError, match=words) as caught:
        load(None, {}, env)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("key", "value"), [("live.speed", 0.0), ("live.speed", -1.0), ("live.speed", 1e9), ("market.demo.seed", -1)]
)
def test_a_mistake_in_a_flag_names_the_flag(key: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"{FLAGS[key]} {value}: {key} should be"):
        load(None, {key: value}, {})


def test_the_file_is_not_blamed_for_a_flag_nor_the_flag_for_the_file(tmp_path: Path) -> None:
    good, bad = _file(tmp_path, "[live]\nspeed = 3\n"), tmp_path / "bad.toml"
    bad.write_text("live = 3\n")
    with pytest.raises(UsageError, match="--speed"):
        load(good, {"live.speed": 0.0}, {})
    with pytest.raises(InputError, match=r"bad\.toml:1"):
        load(bad, {"live.speed": 3.0}, {})


def test_every_flag_names_a_setting() -> None:
    schema = RunConfig().model_dump()
    for dotted in FLAGS:
        at: object = schema
        for key in dotted.split("."):
            assert isinstance(at, dict) and key in at, dotted
            at = at[key]

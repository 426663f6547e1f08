"""Execution's limits file: read whole or refused with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from execution.config import ExecutionConfig
from execution.limits import load_execution_limits
from tests.execution_world import ROOT, make_limits

EXAMPLE = ROOT / "examples" / "execution_limits.toml"


def _line(text: str, start: str, after: str = "") -> int:
    lines = text.splitlines()
    first = lines.index(after) if after else 0
    return next(i for i, line in enumerate(lines) if i >= first and line.startswith(start)) + 1


def test_the_example_loads() -> None:
    limits = load_execution_limits(EXAMPLE)
    assert limits.rate_window_ns == 60_000_000_000
    assert limits.option.collar_fraction == 0.25


@pytest.mark.parametrize(
    ("old", "new", "start", "table", "words"),
    [
        ("max_open_orders = 500", "max_open_orders = 0", "max_open_orders", "", "greater than 0"),
        ("max_open_orders = 500", "max_open_order = 500", "max_open_order ", "", "unknown key"),
        ("collar_ticks = 40", "collar_ticks = 1.5", "collar_ticks", "[option]", "integer"),
        ("max_order_lots = 500", 'max_order_lots = "many"', "max_order_lots", "[future]", "integer"),
        ("rate_window_s = 60.0", "rate_window_s = nan", "rate_window_s", "", "finite"),
        ("max_position_lots = 5000", "", "[future]", "", "required"),
        ("rate_window_s = 60.0", "rate_window_s == 60.0", "rate_window_s", "", "not TOML"),
    ],
)
def test_each_mistake_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, start: str, table: str, words: str
) -> None:
    text = EXAMPLE.read_text()
    assert old in text
    path = tmp_path / "limits.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_execution_limits(path)
    assert caught.value.exit_code == 4
    found = [p for p in caught.value.problems if words in p.reason]
    assert found, str(caught.value)
    assert found[0].line == _line(path.read_text(), start, table)
    assert "nothing was loaded" in str(caught.value)


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_execution_limits(tmp_path / "none.toml")


def test_a_speed_of_zero_is_no_setting(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="speed"):
        ExecutionConfig(store=tmp_path, limits=make_limits(), speed=0.0)

"""Limits files: read whole, or refused whole with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError, Refused
from common.limits import Limits, load_limits, split_path

EXAMPLE = Path(__file__).parents[2] / "examples" / "limits.toml"


def load(tmp_path: Path, text: str) -> Limits:
    path = tmp_path / "limits.toml"
    path.write_text(text)
    return load_limits(path)


def changed(tmp_path: Path, old: str, new: str) -> InputError:
    text = EXAMPLE.read_text()
    assert old in text
    with pytest.raises(InputError) as caught:
        load(tmp_path, text.replace(old, new, 1))
    return caught.value


def line_of(needle: str) -> int:
    return next(n for n, line in enumerate(EXAMPLE.read_text().splitlines(), 1) if needle in line)


def test_example_loads_and_lets_the_demo_book_hedge_fully() -> None:
    limits = load_limits(EXAMPLE)
    assert limits.unknown_underlyings(("SPX", "NDX")) == ()
    for name, opening in (("gamma:SPX", 2e6), ("vega:SPX/8-30d", 4e5), ("delta:NDX", 1e6)):
        limit = limits.of_factor(name)
        assert limit is not None and limit.soft_usd <= limit.hard_usd and limit.hard_usd > opening


@pytest.mark.parametrize(
    ("old", "new", "word", "at"),
    [
        ("soft_usd = 2_500_000", "soft_usd = -1.0", "greater than or equal to 0", "soft_usd = 2_500_000"),
        ("soft_usd = 2_500_000", "soft_usd = 13_000_000", "above hard", "soft_usd = 2_500_000"),
        ("soft_usd = 2_500_000", "soft_usd = nan", "finite", "soft_usd = 2_500_000"),
        ('factor."gamma:*"', 'factor."gama:*"', "unknown factor", 'factor."gamma:*"'),
        ('unit = "USD per vol point"', 'unit = "EUR"', "unknown unit", 'unit = "USD per vol point"'),
        ('base_currency = "USD"', 'base_currency = "EUR"', "unknown unit", "base_currency"),
        ("cost_usd = 250_000", "cost_usd = 1e308", "less than or equal to 1", "cost_usd = 250_000"),
        ("orders = 50_000", "orders = 1000000000000000000000", "less than or equal to 1", "orders = 50_000"),
        ("max_lots_future", "max_lots_futures", "unknown key", "max_lots_future"),
        ("orders = 50_000", "orders = 1.5", "integer", "orders = 50_000"),
        ("cost_usd = 250_000", "cost_usd = 2_000_000", "contradicts the firm", "cost_usd = 250_000"),
        ("flow_by_kind.cross_asset", "flow_by_kind.delta", "unknown agent kind", "flow_by_kind.cross_asset"),
        ("soft_usd = 2_500_000", "soft_usd = 1\nsoft_usd = 2", "not TOML", "soft_usd = 2_500_000"),
    ],
)
def test_mistake_is_refused_with_its_line(tmp_path: Path, old: str, new: str, word: str, at: str) -> None:
    error = changed(tmp_path, old, new)
    assert any(word in p.reason for p in error.problems), error
    assert any(abs(p.line - line_of(at)) <= new.count("\n") for p in error.problems if word in p.reason), error
    assert error.exit_code == 4


def test_underlying_above_the_firm_is_a_contradiction(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"contradicts 'delta:\*'"):
        load(tmp_path, EXAMPLE.read_text() + '\n[factor."delta:SPX"]\nsoft_usd = 1.0\nhard_usd = 9e9\n')


def test_missing_file_and_bad_bytes_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_limits(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        load_limits(tmp_path / "bytes.toml")


def test_most_specific_pattern_holds() -> None:
    limits = load_limits(EXAMPLE)
    tight = limits.with_change("factor.vega:SPX/*.soft_usd", 1_000.0, "risk", "event")
    tighter = tight.with_change("factor.vega:SPX/8-30d.hard_usd", 2_000.0, "risk", "event")
    assert tighter.of_factor("vega:NDX/8-30d") == limits.of_factor("vega:*")
    assert tighter.of_factor("vega:SPX/31-60d").soft_usd == 1_000.0
    assert tighter.of_factor("vega:SPX/8-30d").hard_usd == 2_000.0
    assert tighter.of_factor("proxy:ABC") is None


def test_change_makes_a_new_version_with_who_and_why() -> None:
    limits = load_limits(EXAMPLE)
    new = limits.with_change("flow.cost_usd", "300000", "ann", "quiet day")
    assert (new.version, new.who, new.why, new.flow.cost_usd) == (limits.version + 1, "ann", "quiet day", 300_000.0)
    assert new.with_change("order.max_lots_option", 20.0, "ann", "x").order.max_lots_option == 20
    assert limits.flow.cost_usd == 1_000_000


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("flow.cost_usd", -1),
        ("flow.cost_usd", "much"),
        ("flow.cost_usd", float("nan")),
        ("flow.cost_usd", 1_000.0),  # below what cross-asset may spend
        ("order.max_lots_future", 1.5),
        ("order", 3),
        ("version", 9),
        ("nothing.at.all", 1),
        ("factor.delta:SPX.hard_usd", 1e12),
        ("factor.proxy:ABC.soft_usd", 1.0),
        ("factor.gamma:*.soft_usd", 1e9),
    ],
)
def test_change_that_makes_no_sense_is_refused(path: str, value: float | str) -> None:
    with pytest.raises(Refused):
        load_limits(EXAMPLE).with_change(path, value, "ann", "test")


def test_paths_keep_dots_inside_names() -> None:
    assert split_path("factor.delta:BRK.B.soft_usd") == ("factor", "delta:BRK.B", "soft_usd")
    assert split_path('factor."delta:BRK.B".soft_usd') == ("factor", "delta:BRK.B", "soft_usd")
    assert split_path("firm") == ("firm",)

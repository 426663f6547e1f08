"""Limits at every scope: read with their line, contradictions refused with a reason, patterns of desks."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError, Refused
from common.limits import Limits, load_limits
from common.limits_scopes import covers, known_pattern

BASE = (Path(__file__).parents[2] / "examples" / "limits.toml").read_text()
FULL = Path(__file__).parents[2] / "examples" / "limits_scopes.toml"


def load(tmp_path: Path, more: str) -> Limits:
    path = tmp_path / "limits.toml"
    path.write_text(BASE + "\n" + more)
    return load_limits(path)


def refused(tmp_path: Path, more: str) -> str:
    with pytest.raises(InputError) as caught:
        load(tmp_path, more)
    assert all(p.line > BASE.count("\n") for p in caught.value.problems), caught.value
    return str(caught.value)


def test_the_example_of_every_scope_loads() -> None:
    limits = load_limits(FULL)
    for what in ("risk", "drawdown", "margin", "order", "flow"):
        assert "firm" in limits.scoped(what) and len(limits.scoped(what)) > 1, what
    assert limits.sum and limits.approval.widening == "second_person"
    assert limits.unknown_underlyings(("SPX", "IXIC")) == () and limits.unknown_desks(("index", "tech")) == ()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("[risk_by_kind.gamma]\nsoft_usd = 2.0\nhard_usd = 1.0", "above hard"),
        ("[risk_by_kind.gamma]\nsoft_usd = 1.0\nhard_usd = 9e9", "contradicts the firm"),
        ("[risk_by_kind.delta]\nsoft_usd = 1.0\nhard_usd = 1.0", "unknown agent kind"),
        ("[drawdown_by_desk.rates]\nstop_usd = 9e9", "contradicts the firm"),
        ("[order_by_kind.gamma]\nmax_lots_option = 501", "contradicts the firm"),
        ("[flow_by_desk.rates]\ncost_usd = 2e6", "contradicts the firm"),
        ("[flow_by_desk.a]\ncost_usd = 6e5\n[flow_by_desk.b]\ncost_usd = 6e5", "together"),
        ("[flow_by_agent.nobody]\ncost_usd = 1.0", "unknown agent"),
        ('[sum.all]\nfactors = ["delta:*", "gamma:*"]\nhard_usd = 1.0', "different units"),
        ('[sum.all]\nfactors = ["dleta:*"]\nhard_usd = 1.0', "unknown factor"),
        ("[margin_grid]\nspot_moves = [-1.0, 0.5]", "-100 %"),
        ('[factor."delta:*@rates"]\nsoft_usd = 1.0\nhard_usd = 9e9', "contradicts 'delta:*'"),
    ],
)
def test_a_contradiction_is_refused_with_its_line(tmp_path: Path, more: str, reason: str) -> None:
    assert reason in refused(tmp_path, more)


def test_a_desk_has_limits_of_its_own(tmp_path: Path) -> None:
    limits = load(tmp_path, '[factor."delta:*@rates"]\nsoft_usd = 1.0\nhard_usd = 2.0')
    found = limits.of_factor("delta:SPX@rates")
    assert found is not None and found.hard_usd == 2.0
    other = limits.of_factor("delta:SPX@index")
    assert other is not None and other.hard_usd == 150_000_000
    assert limits.unknown_desks(("index",)) == ("rates",)


def test_patterns() -> None:
    assert covers("delta:*", "delta:SPX") and covers("delta:*", "delta:SPX@rates")
    assert covers("delta:SPX@rates", "delta:SPX@rates") and not covers("delta:SPX@rates", "delta:SPX@index")
    assert not covers("delta:*@rates", "delta:SPX")
    assert known_pattern("vega:SPX/*@rates") and not known_pattern("delta:*@") and not known_pattern("delta:S*X")


def test_a_limit_that_stood_nowhere_can_be_set_live(tmp_path: Path) -> None:
    limits = load(tmp_path, "").with_change("flow_by_desk.rates.cost_usd", 1e5, "anna", "new desk")
    assert limits.flow_by_desk["rates"].cost_usd == 1e5
    limits = limits.with_change("margin.worst_loss_usd", 5e6, "anna", "new limit")
    assert limits.margin is not None and limits.margin.worst_loss_usd == 5e6
    with pytest.raises(Refused, match="no limit"):
        limits.with_change("risk_by_desk.rates.soft_usd", 1.0, "anna", "half a limit")


def test_a_desk_that_the_book_does_not_have_is_refused_before_anything_starts(tmp_path: Path) -> None:
    from deploy.config import load as settings_of
    from deploy.setup import prepare

    path = tmp_path / "limits.toml"
    path.write_text(BASE + "\n[flow_by_desk.rates]\ncost_usd = 1.0\n")
    with pytest.raises(InputError, match="no desk 'rates'") as caught:
        prepare(settings_of(None, {"limits": str(path)}), "check")
    assert caught.value.problems[0].line > BASE.count("\n")

"""Rows of scopes in the programme of several desks: what they let through, the last look lets through as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from common import factors
from common.limits_scopes import MarginLimit, SumLimit
from manager import events as ev
from manager.config import ManagerConfig
from tests.desks_world import Desks
from tests.manager_world import limits

DELTA, GAMMA = "delta:SPX", "gamma:SPX"
LEFT_OUT = ("orders left out: limit of a scope", "crossings left out: limit of a scope")


def beyond(seed: int, **scopes: Any) -> Desks:
    """Three desks far outside, whose firm, or one of them, is held by a limit that is broken or nearly so."""
    rng = np.random.default_rng(seed)
    config = ManagerConfig(patience_s=0.0)
    desks = Desks(entities={"a": "LLC", "b": "LLC", "c": "LLC"}, limits=limits(**scopes), config=config)
    menu = sorted({0, *rng.choice(desks.world.rows_of("SPX")[1:], 5, replace=False).tolist()})
    for name in "abc":
        width = {factors.at_desk(DELTA, name): 2e5, factors.at_desk(GAMMA, name): 4e5}
        desks.says(name, {DELTA: float(rng.normal() * 3e6), GAMMA: float(rng.normal() * 3e6)}, width, menu=menu)
    return desks


def left_out(desks: Desks) -> int:
    desks.send(ev.Decide(desks.now_ns, 0))
    return sum(desks.state.seen[name] for name in LEFT_OUT)


def scope(limit: str) -> dict[str, Any]:
    """A limit far below where the desks stand, or what a desk that holds nothing may lose."""
    if limit.startswith("sum"):
        factor = DELTA if limit == "sum" else factors.at_desk(DELTA, "a")
        return {"sum": {"deltas": SumLimit(factors=[factor], hard_usd=1e5)}}
    margin = MarginLimit(worst_loss_usd=3e4)
    return (
        {"margin_by_desk": {"a": margin}}
        if limit == "margin of a desk"
        else {"margin": MarginLimit(worst_loss_usd=1.0)}
    )


@pytest.mark.parametrize("limit", ["sum", "sum of a desk", "margin", "margin of a desk"])
def test_the_last_look_leaves_nothing_out_of_what_the_rows_let_through(limit: str) -> None:
    many = [beyond(seed, **scope(limit)) for seed in range(20)]
    assert [left_out(desks) for desks in many] == [0] * 20
    crossed = sum(len(desks.cycle().crossings) for desks in many if desks.cycle() is not None)
    assert bool(sum(len(desks.orders) for desks in many)) is (limit != "margin"), "a loss of 1 USD lets nothing leave"
    assert crossed > 0, "what two desks cross leaves the firm as it was"


@pytest.mark.parametrize("limit", ["sum", "sum of a desk", "margin", "margin of a desk"])
def test_planted_without_the_rows_the_last_look_has_work(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manager.books_problem.scope_rows_of_desks", no_rows)
    assert sum(left_out(beyond(seed, **scope(limit))) > 0 for seed in range(20)) > 10


def no_rows(state: Any, view: Any, whole: Any, menu: Any, *_: Any) -> Any:
    none = np.zeros((0, 2 * len(menu.index)))
    return (none, np.zeros(0)), (none, np.zeros(0), np.zeros(0, np.int64))


def test_a_broken_sum_of_all_desks_comes_back_in_one_solve() -> None:
    """By what each desk stated: every order takes the sum of the deltas inward, or leaves it."""
    for seed in range(20):
        desks = beyond(seed, **scope("sum"))
        left_out(desks)
        table, names = desks.state.fold.table, desks.state.fold.ledger.desks
        rows = [table.index[factors.at_desk(DELTA, name)] for name in names]
        was = float(table.exposure[rows].sum())
        for o in desks.orders:
            lots = [(names.index(factors.desk_of(agent)), n) for agent, n in o.allocation]
            moved = sum(float(table.sensitivity[rows[d], o.instrument]) * n for d, n in lots)
            assert abs(was) <= 1e5 or moved * was <= 0.0, seed

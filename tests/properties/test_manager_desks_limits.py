"""Desks that cross and order under limits of every scope: by trying every set of orders, no limit is broken or worsened.

A crossing is booked whole and at once, so it counts in every set; an order may fill or not. What a limit counts is added up here
from exposures, sensitivities and cells; only which factors a scope has and how they covary is the manager's own word.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from common import factors
from common.limits_scopes import MarginLimit, RiskLimit, SumLimit
from common.messages import F64
from manager import events as ev
from manager.budgets_scopes import covariance_of, held_lots, in_scope, in_sum
from manager.config import ManagerConfig
from tests.budgets_world import GRID
from tests.desks_world import Desks
from tests.manager_world import assign, limits

BUCKETS = ("8-30d", "31-60d", "61-90d")
KEYS = ("gamma/SPX", "cross_asset/common", *(f"vega/SPX/{bucket}" for bucket in BUCKETS))
SUMS = (["delta:*"], ["delta:SPX@a"], ["delta:SPX@a", "delta:SPX@b"], ["gamma:*"], ["vega:SPX/*@b"], ["factor:common"])
#: Subsets of so many orders are tried one by one, of more so many at random.
TRIED, DRAWN = 9, 500


def limits_of(rng: np.random.Generator, kind: str) -> dict[str, Any]:
    """One or two limits, from far broken to wide."""
    size = float(10 ** rng.uniform(3.5, 6.5))
    risk = RiskLimit(soft_usd=0.9e-1 * size, hard_usd=1e-1 * size)
    margin = MarginLimit(worst_loss_usd=size)
    return {
        "sum": {"sum": {"s": SumLimit(factors=SUMS[int(rng.integers(len(SUMS)))], hard_usd=size)}},
        "risk": {"risk": risk, "risk_by_kind": {"gamma": RiskLimit(soft_usd=size, hard_usd=1.1 * size)}},
        "risk of a desk": {"risk_by_desk": {"b": risk}},
        "margin": {"margin": margin, "margin_by_desk": {"a": margin}, "margin_grid": GRID},
    }[kind]


def desks_of(rng: np.random.Generator, kind: str) -> Desks:
    """Two desks of one entity and one of another, or three of one; each has agents for delta, gamma, vega, the common factor."""
    entities = {"a": "LLC", "b": "LLC", "c": str(rng.choice(["LLC", "Ltd"]))}
    desks = Desks(entities=entities, limits=limits(**limits_of(rng, kind)), config=ManagerConfig(patience_s=0.0))
    desks.owner = {
        factors.at_desk(key, name): f"{key.partition('/')[0]}-{k}" for k, name in enumerate("abc") for key in KEYS
    }
    desks.send(ev.CommandArrived(0, assign(desks.owner, "all-keys")))
    return desks


def keys_move(desks: Desks, rng: np.random.Generator) -> None:
    """Some agents are replaced: nobody speaks for their factors until the new ones do."""
    desks.owner = {k: f"{a.rpartition('-')[0]}-9" if rng.random() < 0.3 else a for k, a in desks.owner.items()}
    desks.send(ev.CommandArrived(0, assign(desks.owner, "some-move")))


def everybody_speaks(desks: Desks, rng: np.random.Generator, silent: float) -> None:
    menu = sorted({0, *rng.choice(desks.world.rows_of("SPX")[1:], 6, replace=False).tolist()})
    for name in "abc":
        said = {
            "gamma/SPX": ({"delta:SPX": 3e6, "gamma:SPX": 2e6}, {"delta:SPX": 2e5, "gamma:SPX": 1e5}),
            "cross_asset/common": ({"factor:common": 5e6}, {"factor:common": 1e6}),
            KEYS[-1]: ({f"vega:SPX/{x}": 5e4 for x in BUCKETS}, {f"vega:SPX/{x}": 3e3 for x in BUCKETS}),
        }
        for key, (scale, width) in said.items():
            if key == "gamma/SPX" or rng.random() >= silent:
                wide = {factors.at_desk(factor, name): x for factor, x in width.items()}
                exposure = {factor: float(rng.normal() * x) for factor, x in scale.items()}
                desks.says(name, exposure, wide, menu=menu, agent=desks.owner[factors.at_desk(key, name)])


def subsets(count: int) -> F64:
    if count <= TRIED:
        return np.array(list(itertools.product([0.0, 1.0], repeat=count))).reshape(2**count, count)
    return np.random.default_rng(0).integers(0, 2, (DRAWN, count)).astype(np.float64)


def worst(desks: Desks, rows: Any) -> dict[str, tuple[float, float]]:
    """By limit: the worst over every set of open orders, and what is allowed."""
    state, table = desks.state, desks.state.fold.table
    names, orders = state.fold.ledger.desks, list(state.fold.orders.open.values())
    moved = [table.change(rows, x.order.instrument, x.open_lots(names)) for x in orders]
    moves = np.nan_to_num(np.array(moved).reshape(len(orders), len(rows)))
    after, out = table.told[rows] + subsets(len(orders)) @ moves, dict[str, tuple[float, float]]()
    for name, limit in state.fold.limits.sum.items():
        total = after[:, in_sum(state, limit.factors, rows)].sum(axis=1)
        out[name] = float(np.abs(total).max()), limit.hard_usd
    for scope, risk in state.fold.limits.scoped("risk").items():
        mine = in_scope(state, scope, rows)
        x, c = after[:, mine], covariance_of(state, rows[mine])
        out[scope] = float(np.sqrt(np.maximum(np.einsum("si,ij,sj->s", x, c, x), 0.0).max())), risk.hard_usd
    for scope, margin in state.fold.limits.scoped("margin").items():
        if state.margin is not None:
            mine_only = scope.partition(":")[2]
            lots = [x.open_lots(names) for x in orders]
            mine_lots = np.array([n[names.index(mine_only)] if mine_only else np.sum(n) for n in lots])
            cells = state.margin.per_lot(np.array([x.order.instrument for x in orders], np.intp))
            held = state.margin.of(held_lots(state, scope).astype(np.float64))
            pnl = held + subsets(len(orders)) @ (mine_lots[:, None] * np.nan_to_num(cells))
            out[f"margin {scope}"] = float(-pnl.min()), margin.worst_loss_usd
    return out


@pytest.mark.parametrize("silent", [0.0, 0.4])
@pytest.mark.parametrize("kind", ["sum", "risk", "risk of a desk", "margin"])
def test_no_set_of_orders_and_no_crossing_breaks_or_worsens_a_limit(kind: str, silent: float) -> None:
    crossed = ordered = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        desks = desks_of(rng, kind)
        for turn in range(2):
            if turn and silent:
                keys_move(desks, rng)
            everybody_speaks(desks, rng, silent)
            rows, last = np.flatnonzero(~np.isnan(desks.state.fold.table.told)), desks.cycle()
            before = worst(desks, rows)
            ordered += len(desks.decide())
            crossed += len(desks.cycle().crossings) if desks.cycle() is not last else 0
            for name, (now, allowed) in worst(desks, rows).items():
                was = before.get(name, (0.0, 0.0))[0]
                assert now <= max(allowed, was) * (1.0 + 1e-6) + 1e-3, (seed, name, was, allowed)
            for life in list(desks.state.fold.orders.open.values()):
                if rng.random() < 0.4:
                    desks.fill(life.order)
            desks.feed(3.0)
    assert crossed > 10 and ordered > 10

"""The factor table against a recomputation from scratch."""

from __future__ import annotations

import numpy as np
import pytest

from common import factors
from common.limits import FactorLimit
from manager.exposures import FactorTable, factor_names, limit_columns
from tests.manager_world import Desk, limits, sensitivity, universe


def test_names_cover_what_agents_may_own() -> None:
    names = factor_names(universe())
    assert len(names) == 2 * (3 + len(factors.BUCKET_NAMES)) + 1 == len(set(names))
    assert {factors.key_of(n).partition("/")[0] for n in names} == set(factors.KINDS)
    assert [factors.underlying_of(n) for n in ("delta:SPX", "vega:NDX/8-30d", "factor:common")] == ["SPX", "NDX", ""]


def test_zero_by_nature_is_true_of_the_desk() -> None:
    world = universe()
    table = FactorTable(world)
    names = [n for n in table.names if not n.startswith("proxy")]
    true = sensitivity(world, names, range(len(world)))
    rows = [table.index[n] for n in names]
    assert (true[table.nature[rows]] == 0.0).all()
    assert np.isnan(table.sensitivity[~table.nature]).all()


def test_fills_move_the_exposure_by_the_sensitivity_and_unknown_becomes_nan() -> None:
    desk = Desk()
    desk.propose("gamma-0", {factors.delta("SPX"): 1e6}, 1e5, menu=[0, 4])
    desk.propose("cross_asset-0", {factors.COMMON: 2e6}, 1e5, menu=[0])
    table = desk.state.fold.table
    table.fill(4, 3)
    true = sensitivity(desk.world, [factors.delta("SPX")], [4])[0, 0]
    assert table.exposure[table.index["delta:SPX"]] == pytest.approx(1e6 + 3 * true)
    assert np.isnan(table.exposure[table.index[factors.COMMON]])
    assert not table.live(desk.now_ns)[table.index[factors.COMMON]]


def test_limit_columns_follow_the_patterns() -> None:
    names = ("delta:SPX", "gamma:SPX", "factor:common")
    soft, hard = limit_columns(limits(factor={"delta:*": FactorLimit(soft_usd=1.0, hard_usd=2.0)}), names)
    assert soft.tolist() == [1.0, np.inf, np.inf] and hard.tolist() == [2.0, np.inf, np.inf]

"""Hard limits hold for every subset of working and new orders filled; a broken one is never made worse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import factors
from common.limits import FactorLimit
from common.universe import OPTION
from manager.config import ManagerConfig
from tests import manager_world
from tests.manager_world import SYMBOLS, Desk, limits, sensitivity

NAMES = [factors.delta("SPX"), factors.gamma("SPX"), factors.delta("NDX"), factors.gamma("NDX")]


def desk_with(delta_hard: float, gamma_hard: float, mode: str) -> Desk:
    table = {
        "delta:*": FactorLimit(soft_usd=delta_hard, hard_usd=delta_hard),
        "gamma:*": FactorLimit(soft_usd=gamma_hard, hard_usd=gamma_hard),
    }
    return Desk(limits=limits(factor=table), config=ManagerConfig(netting=mode))


def propose(desk: Desk, exposures: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    for u, symbol in enumerate(SYMBOLS):
        rows = [int(j) for j in desk.world.rows_of(symbol)]
        menu = sorted({u, *rng.choice(rows, 6, replace=False).tolist()})
        alone = {int(j): float(rng.integers(-25, 26)) for j in menu}
        mine = {factors.delta(symbol): exposures[2 * u], factors.gamma(symbol): exposures[2 * u + 1]}
        widths = {factors.delta(symbol): 2e5, factors.gamma(symbol): 1e5}
        desk.propose(f"gamma-{u}", mine, widths, menu=menu, alone=alone)


def subsets_worst(desk: Desk, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """(highest, lowest) exposure over every subset of open orders, and each order's own move, from the true Greeks."""
    moves = [
        sensitivity(desk.world, NAMES, [life.order.instrument])[:, 0] * life.order.side.sign * life.leaves_lots
        for life in desk.state.fold.orders.open.values()
    ]
    # The worst subset for a factor is every order that pushes it that way.
    up = sum((np.maximum(move, 0.0) for move in moves), np.zeros(4))
    down = sum((np.minimum(move, 0.0) for move in moves), np.zeros(4))
    return start + up, start + down, moves


exposure = st.lists(st.floats(-4e6, 4e6), min_size=4, max_size=4)


@settings(max_examples=60, deadline=None)
@given(
    exposure,
    st.floats(1e6, 8e6),
    st.floats(5e5, 4e6),
    st.integers(0, 1_000),
    st.sampled_from(["joint", "plain", "alone"]),
)
def test_every_subset_of_orders_stays_inside_and_no_order_worsens_a_breach(
    exposures: list[float], delta_hard: float, gamma_hard: float, seed: int, mode: str
) -> None:
    desk = desk_with(delta_hard, gamma_hard, mode)
    start = np.array(exposures)
    hard = np.array([delta_hard, gamma_hard, delta_hard, gamma_hard])
    propose(desk, exposures, seed)
    desk.decide()
    # A second decision while the first one's orders work: they count as what they could become.
    propose(desk, exposures, seed + 1)
    desk.decide()
    highest, lowest, moves = subsets_worst(desk, start)
    slack = 1e-6 * hard
    assert (highest <= np.maximum(hard, start) + slack).all()
    assert (lowest >= np.minimum(-hard, start) - slack).all()
    for move in moves:
        assert (move[start > hard] <= slack[start > hard]).all() and (
            move[start < -hard] >= -slack[start < -hard]
        ).all()


def test_a_breach_is_cured_first_and_as_far_as_the_market_lets() -> None:
    """The gap took delta to three times its hard limit: a wide interval would do nothing, the limit must."""
    desk = desk_with(2e6, 1e9, "joint")
    desk.propose("gamma-0", {factors.delta("SPX"): 6e6}, 5e7, menu=[0])
    (order,) = desk.decide()
    assert order.signed_lots == -30, "the whole displayed size: 30 lots of 135,000 USD"
    desk.fill(order)
    desk.feed(1.0)
    desk.propose("gamma-0", {factors.delta("SPX"): 6e6 - 30 * 135_000.0}, 5e7, menu=[0])
    assert desk.decide() == [], "inside again"


@pytest.mark.parametrize("right", [1, -1])
@pytest.mark.parametrize("exposure_usd", [-3e6, 3e6])
def test_a_contract_with_next_to_no_effect_changes_no_cure(
    exposure_usd: float, right: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gamma beyond its hard limit, with and without a far put or deep call whose lot moves gamma by 5e-9 USD.

    Nobody would cure a limit with that contract, so what it costs per unit says nothing about what a cure may cost.
    """
    monkeypatch.setattr(manager_world, "MONEYNESS", (0.7, 0.94, 1.0, 1.06))
    monkeypatch.setattr(manager_world, "DAYS", (3, 20))
    gamma, hard = factors.gamma("SPX"), 2e6
    ordered = []
    for with_it in (False, True):
        desk = desk_with(5e8, hard, "joint")
        world = desk.world
        of_spx = [int(j) for j in world.rows_of("SPX")]
        far = [j for j in of_spx if world.kind[j] == OPTION and world.strike[j] < 2_000.0]
        one = [j for j in far if world.right[j] == right and world.expiry_ns[j] == world.expiry_ns[far].max()]
        menu = sorted({*of_spx} - {*far} | ({*one} if with_it else set()))
        assert len(one) == 1 and 1e-9 < abs(sensitivity(world, [gamma], one)[0, 0]) < 1e-8
        wide = {factors.delta("SPX"): 3e5, gamma: 9e5}
        desk.propose("gamma-0", {factors.delta("SPX"): 0.0, gamma: exposure_usd}, wide, menu=menu)
        orders = desk.decide()
        assert desk.state.fold.last_cycle is not None and desk.state.fold.last_cycle.method == "joint"
        moved = sum(float(sensitivity(world, [gamma], [o.instrument])[0, 0]) * o.signed_lots for o in orders)
        assert abs(exposure_usd + moved) <= hard
        ordered.append({(o.instrument, o.signed_lots) for o in orders})
    assert ordered[0] == ordered[1]


def test_a_tightened_limit_acts_on_what_already_works() -> None:
    desk = desk_with(5e6, 1e9, "joint")
    desk.propose("gamma-0", {factors.delta("SPX"): 4.9e6}, 1e5, menu=[0])
    assert desk.decide()
    from tests.unit.test_manager_control import command

    desk.send(command("limits.set", path="factor.delta:*.soft_usd", value=1e6))
    desk.send(command("limits.set", "c2", path="factor.delta:*.hard_usd", value=1e6))
    desk.propose("gamma-0", {factors.delta("SPX"): 4.9e6}, 1e5, menu=[0])
    for order in desk.decide():
        assert order.signed_lots < 0

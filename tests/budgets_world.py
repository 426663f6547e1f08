"""Helpers of the budget tests: the test desk of ``manager_world`` under limits that are divided and watched."""

from __future__ import annotations

from collections.abc import Iterable

from common.control_messages import BudgetRound
from common.limits_scopes import DrawdownStop, MarginGrid, MarginLimit, RiskLimit, SumLimit
from tests.manager_world import Desk, all_agents, limits

RISK = RiskLimit(soft_usd=150_000.0, hard_usd=2e6)


def desk(**changes: object) -> Desk:
    """A desk whose firm has a risk budget; ``changes`` of its limits."""
    return Desk(limits=limits(**{"risk": RISK, **changes}))


def rounds(of: Desk) -> list[BudgetRound]:
    """Every round in the journal."""
    return [e.event for e in of.journal if isinstance(e.event, BudgetRound)]


def busy(of: Desk, scales: Iterable[float], *, fill: bool = True) -> Desk:
    """Agents speak, orders are decided and filled, time passes."""
    for scale in scales:
        all_agents(of, scale)
        for order in of.decide():
            of.fill(order, None if fill else 0)
        of.feed(20.0)
        of.decide()
    return of


STOP = DrawdownStop(stop_usd=50_000.0)
MARGIN = MarginLimit(worst_loss_usd=5e5)
GRID = MarginGrid(spot_moves=[-0.1, -0.05, 0.0, 0.05, 0.1], vol_moves=[-0.25, 0.0, 0.25])


def watching() -> dict[str, object]:
    """A limit of every sort on the firm, none of them tight."""
    return {
        "sum": {"deltas": SumLimit(factors=["delta:*"], hard_usd=1e9)},
        "drawdown": DrawdownStop(stop_usd=1e9),
        "margin": MarginLimit(worst_loss_usd=1e9),
        "margin_grid": GRID,
        "risk": RiskLimit(soft_usd=1e6, hard_usd=1e9),
    }

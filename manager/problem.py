"""From a view and a menu to the QP: prices of risk, rows for limits and budgets, the extra row of a broken limit.

*Tested by* tests/properties/test_netting_limits.py, tests/unit/test_manager_edge.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.kernels import netting as kernels
from common.messages import F64
from common.units import CENTS_PER_USD
from manager.budgets_flows import emergency_room
from manager.budgets_rows import scope_rows
from manager.exposures import Bools, Rows
from manager.flows import COST, NOTIONAL
from manager.menu import Menu
from manager.netting import Problem, columns, room_of
from manager.risk_price import kinks
from manager.state import ManagerState
from manager.view import View

#: The extra row of a broken limit has next to no quadratic part: this share of its factor's.
_LINEAR = 1e-3


@dataclass(frozen=True, slots=True)
class Stated:
    """A problem and where its rows come from: ``factor_of`` gives the view's row of each of its factors.

    ``forced``: True for the extra row of a broken hard limit.
    """

    problem: Problem
    factor_of: Rows
    forced: Bools

    def take(self, at: Rows) -> Stated:
        """The same problem with a part of its instruments; factors that nothing moves any more are left out."""
        p = self.problem
        i = kernels.moved_rows(np.ascontiguousarray(p.sensitivity[:, at]))
        both = np.concatenate([at, at + len(p.cost)])
        problem = Problem(
            exposure=p.exposure[i],
            lower=p.lower[i],
            upper=p.upper[i],
            kink=p.kink[i],
            risk=p.risk[np.ix_(i, i)],
            sensitivity=p.sensitivity[np.ix_(i, at)],
            cost=p.cost[at],
            impact=p.impact[at],
            buy_cap=p.buy_cap[at],
            sell_cap=p.sell_cap[at],
            rows=p.rows[:, both],
            room=p.room,
            spread=p.spread,
            root=p.root[at],
        )
        return Stated(problem, self.factor_of[i], self.forced[i])


def problem_of(state: ManagerState, view: View, menu: Menu, now_ns: int) -> Stated:
    """The QP of one decision. Factors that nothing on the menu moves are left out: no trade changes them."""
    config, fold = state.setup.config, state.fold
    moved = kernels.moved_rows(np.ascontiguousarray(menu.sensitivity))
    w, dearest = kinks(
        menu.sensitivity[moved], menu.cost, view.weighs_cost[moved], config.kink_multiple, config.admissible_multiple
    )
    risk = state.risk_price.matrix(
        view.rows, fold.limits.risk_aversion_per_usd, state.volatility.sigma_daily(), fold.table.sensitivity
    )[np.ix_(moved, moved)]
    broken = np.flatnonzero(np.abs(view.exposure[moved]) > view.hard[moved])
    factor_of = np.concatenate([moved, moved[broken]])
    rows, room = _rows(state, view, menu, now_ns)
    problem = Problem(
        exposure=view.exposure[factor_of],
        lower=np.concatenate([view.lower[moved], -view.hard[moved[broken]]]),
        upper=np.concatenate([view.upper[moved], view.hard[moved[broken]]]),
        kink=np.concatenate([w, config.breach_multiple * dearest[broken]]),
        risk=_with_broken(risk, broken),
        sensitivity=menu.sensitivity[factor_of],
        cost=menu.cost,
        impact=menu.impact,
        buy_cap=menu.buy_cap,
        sell_cap=menu.sell_cap,
        rows=rows,
        room=room,
        spread=config.correlation_shrink,
        root=menu.root,
    )
    return Stated(problem, factor_of, np.arange(len(factor_of)) >= len(moved))


def _with_broken(risk: F64, broken: Rows) -> F64:
    f, b = len(risk), len(broken)
    if not b:
        return risk
    out = np.zeros((f + b, f + b))
    out[:f, :f] = risk
    out[range(f, f + b), range(f, f + b)] = _LINEAR * np.diag(risk)[broken]
    return out


def _rows(state: ManagerState, view: View, menu: Menu, now_ns: int) -> tuple[F64, F64]:
    """Rows on (z+, z-) and their room: hard limits both ways over every subset of orders, then flow budgets in USD.

    A limit that is already broken leaves no room: no single order may make it worse.
    """
    universe, flows, day = state.setup.universe, state.fold.flows, state.days.of(now_ns)
    more, left_there = scope_rows(state, view, menu)
    urgent = emergency_room(state, view, day)
    left = [flows.room(scope, day) for scope in ("firm", *(f"underlying:{s}" for s in universe.symbols))]
    left_usd = np.array([((x[COST] + urgent) / CENTS_PER_USD, x[NOTIONAL] / CENTS_PER_USD) for x in left])
    owner = universe.underlying[menu.index].astype(np.int64)
    spend = menu.cost_cents / CENTS_PER_USD, menu.notional_cents / CENTS_PER_USD
    factors = np.ascontiguousarray(menu.sensitivity), view.hard, view.highest, view.lowest
    return kernels.limit_rows(*factors, *spend, owner, left_usd, more, left_there)


def whole_lot_may_pay(p: Problem) -> bool:
    """False where no trade of whole lots can lower the objective, found without a solve.

    The objective is convex, so factor i, outside by r_i at the standing price p_i, gives back at most |p_i| per unit and
    |p_i r_i| in all: a lot of j gives at most Σ_i |p_i| min(|r_i|, |S_ij|) over the factors it moves inward. Where that is
    no more than c_j for every j and side, it is no more for any sum of whole lots. (W couples factors: a hedge that moves
    nothing inward but lowers the variance through correlation is not looked for.)
    """
    c = columns(p)
    r, price = kernels.standing(*c[:5])
    return kernels.any_lot_pays(r, price, *c[5:7], *room_of(p)[:2])

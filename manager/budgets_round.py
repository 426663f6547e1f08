"""One division of the firm's budgets: what it saw, what it gave, why. The result is a journal entry; the maths: ``budgets.py``.

*Risk.* The firm's soft risk budget is divided among the factors that somebody speaks for, by shares of risk (equal per
agent, weighted per kind, or of the tail); what a factor does not need flows to those that use all they have, by what the
price of risk says a dollar of budget saves there. Never above what people allow a factor, never below half a lot. What works
takes nothing from anybody: whoever decides counts it as done, and hard limits hold for every part of it. *Cost.* The firm's
cost of the day goes to the agent kinds by risk at stake and by risk removed per dollar so far, never below what they have used
and reserved. *Stops.* Each scope's risk, P&L, drawdown and worst loss.
*Tested by* tests/unit/test_budgets_round.py, tests/simulation/test_budgets_closed_loop.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from common.control_messages import BudgetRound
from common.factors import KINDS, kind_of, without_desk
from common.limits_scopes import DrawdownStop, MarginLimit
from common.messages import F64
from manager import budgets
from manager.budgets_marks import MarginCells, margin_cells
from manager.budgets_scopes import covariance_of, held_lots, in_scope, levels_usd, risk_of, watched, worst_loss_usd
from manager.budgets_tail import pnl_states
from manager.budgets_triggers import futures
from manager.exposures import Rows
from manager.flows import COST, NO_LIMIT
from manager.menu import fresh_underlyings
from manager.state import ManagerState
from manager.view import View, known_of, view_of


@dataclass(frozen=True, slots=True)
class _Shares:
    """Columns (f,) over the live rows: exposure, used, price, share, soft limit; ``published``: agents must hear."""

    names: tuple[str, ...]
    exposure: F64
    used: F64
    price: F64
    share: F64
    soft: F64
    published: bool


@dataclass(frozen=True, slots=True)
class _Scope:
    risk: float
    open: float
    pnl: float
    high: float
    stop: float
    worst: float
    why: str


def hold(state: ManagerState, why: tuple[str, ...]) -> tuple[BudgetRound, MarginCells | None]:
    """The round that is due for these reasons; nothing is changed. Also the margin cells that hold from now on."""
    fold, day = state.fold, state.days.of(state.now_ns)
    view, sigma = view_of(state, state.now_ns), state.volatility.sigma_daily()
    shares = _risk_shares(state, view) if fold.limits.risk is not None else _nothing()
    spender, cost, spent = _cost_shares(state, view, day) if fold.limits.risk is not None else ((), [], [])
    cells, missing = _cells(state) if fold.limits.scoped("margin") else (None, np.empty(0, np.intp))
    scopes = watched(state)
    known = known_of(state)
    found = [_scope(state, scope, known, cells, day) for scope in scopes]
    return BudgetRound(
        number=1 if fold.last_round is None else fold.last_round.number + 1,
        reasons=why,
        market_seen=state.market.seen(),
        limits_version=fold.limits.version,
        day=day,
        published=shares.published,
        factor=shares.names,
        exposure=shares.exposure,
        used=shares.used,
        price_of_risk=shares.price,
        share=shares.share,
        soft_limit=shares.soft,
        sigma_daily=sigma,
        mid=futures(state),
        fresh=fresh_underlyings(state).astype(np.uint8),
        scope=scopes,
        risk_usd=np.array([x.risk for x in found]),
        open_usd=np.array([x.open for x in found]),
        pnl_usd=np.array([x.pnl for x in found]),
        high_usd=np.array([x.high for x in found]),
        stop_usd=np.array([x.stop for x in found]),
        worst_loss_usd=np.array([x.worst for x in found]),
        reduce_only=tuple(x.why for x in found),
        spender=spender,
        cost_cents=np.array(cost, np.int64),
        spent_cents=np.array(spent, np.int64),
        unpriced=len(missing),
    ), cells


def _nothing() -> _Shares:
    none = np.empty(0)
    return _Shares((), none, none, none, none, none, False)


def _risk_shares(state: ManagerState, view: View) -> _Shares:
    fold, rows = state.fold, view.rows
    limit = fold.limits.risk
    if not len(rows) or limit is None:
        return _nothing()
    names = tuple(fold.table.names[i] for i in rows)
    # Whatever the signs of the exposures, no more risk than the magnitudes of the covariances say.
    covariance = np.abs(covariance_of(state, rows))
    exposure = np.maximum(np.abs(view.highest), np.abs(view.lowest))
    most = fold.allowed[rows]
    least = np.minimum(_half_lot(state, rows), most)
    now = np.minimum(fold.soft[rows], most)
    wanted = np.maximum(exposure, np.maximum(np.abs(view.lower), np.abs(view.upper)))
    used = np.clip(np.where(np.isfinite(now), wanted / np.maximum(now, 1e-12), 0.0), 0.0, 1.0)
    price = _prices(state, names)
    base = _base_share(state, rows)
    x = _divide(state, rows, covariance, base, view)
    # USD of risk that the last unit of each budget costs; its inverse is what a USD of budget buys.
    marginal = covariance @ x / math.sqrt(float(x @ covariance @ x))
    share = budgets.shifted(
        base, used, np.abs(price) / np.maximum(marginal, 1e-300), state.setup.config.budgets.transfer
    )
    x = _divide(state, rows, covariance, share, view)
    soft = budgets.within(x, least, most, covariance, limit.soft_usd)
    soft = _within_scopes(state, rows, np.minimum(soft, most), least)
    old = fold.divided[rows]
    same = fold.last_round is not None and fold.last_round.factor == names
    if same and np.isfinite(old).all():
        # Half the way, as a ratio: a budget that wanders does not flap. A limit that people tightened holds at once.
        soft = np.clip(np.where(old > 0.0, np.sqrt(soft * old), soft), least, most)
        soft = _within_risk(soft, least, covariance, limit.soft_usd)
    heard = same and budgets.steady(old, soft, state.setup.config.budgets.hysteresis) and bool((old <= most).all())
    return _Shares(names, view.exposure, used, price, share, old if heard else soft, not heard)


def _within_risk(soft: F64, least: F64, covariance: F64, risk: float) -> F64:
    now = math.sqrt(float(soft @ covariance @ soft))
    return soft if now <= risk else np.maximum(soft * risk / now, least)


def _divide(state: ManagerState, rows: Rows, covariance: F64, share: F64, view: View) -> F64:
    """Exposures (f,) of unit risk that use it by ``share``."""
    if state.fold.limits.division.rule != "cvar":
        return budgets.budgeted(covariance, share)
    config, table, universe = state.setup.config.budgets, state.fold.table, state.setup.universe
    head = tuple(table.names[i].partition(":")[0] for i in rows)
    sigma = state.volatility.sigma_daily()
    sd = np.sqrt(np.diag(universe.covariance_daily))
    returns = universe.covariance_daily / np.outer(sd, sd) * np.outer(sigma, sigma)
    signed = np.where(view.exposure < 0.0, -1.0, 1.0)
    drawn = pnl_states(
        head,
        np.maximum(table.underlying[rows], 0),
        covariance_of(state, rows),
        returns,
        config.cvar_states,
        config.seed,
    )
    try:
        return budgets.cvar_budgeted(drawn * signed, share, config.cvar_level)
    except ValueError:  # a long gamma loses little: it has no tail to divide by
        return budgets.budgeted(covariance, share)


def _base_share(state: ManagerState, rows: Rows) -> F64:
    """Shares (f,) before need: equal for every agent, or weighted by kind; within it equal for every factor."""
    division, table = state.fold.limits.division, state.fold.table
    owners = [str(table.owner[i]) for i in rows]
    who = owners if division.rule == "equal" else [kind_of(a) for a in owners]
    weight = {name: 1.0 if division.rule == "equal" else division.weight.get(name, 1.0) for name in who}
    share = np.array([weight[name] / who.count(name) for name in who])
    return np.asarray(share / share.sum())


def _half_lot(state: ManagerState, rows: Rows) -> F64:
    """Half of what a middling instrument moves each factor by, (f,): a narrower budget could not be met by whole lots."""
    table = state.fold.table
    size = np.where(table.stated[rows], np.abs(table.sensitivity[rows]), 0.0)
    out = np.zeros(len(rows))
    for i, of_row in enumerate(size):
        moving = np.sort(of_row[of_row > 0.0])  # a tenth of the time of np.median
        if len(moving):
            out[i] = 0.25 * (moving[(len(moving) - 1) // 2] + moving[len(moving) // 2])
    return out


def _prices(state: ManagerState, names: tuple[str, ...]) -> F64:
    solved = state.fold.last_solved
    known = {} if solved is None else dict(zip(solved.factor, solved.price_of_risk.tolist(), strict=True))
    return np.array([known.get(name, 0.0) for name in names])


def _within_scopes(state: ManagerState, rows: Rows, soft: F64, least: F64) -> F64:
    """Scale the budgets of each scope that has a soft risk limit of its own."""
    out = soft.copy()
    for scope, limit in state.fold.limits.scoped("risk").items():
        mine = np.flatnonzero(in_scope(state, scope, rows)) if scope != "firm" else np.empty(0, np.intp)
        if not len(mine):
            continue
        own = np.abs(covariance_of(state, rows[mine]))
        risk = math.sqrt(float(out[mine] @ own @ out[mine]))
        if risk > limit.soft_usd:
            out[mine] = np.maximum(out[mine] * limit.soft_usd / risk, least[mine])
    return out


def _cost_shares(state: ManagerState, view: View, day: int) -> tuple[tuple[str, ...], list[int], list[int]]:
    """Kinds, the cost budget of the day of each, and what it has used and reserved, in cents."""
    fold, config = state.fold, state.setup.config.budgets
    spoken = {kind_of(str(fold.table.owner[i])) for i in view.rows}
    kinds = tuple(k for k in KINDS if k in spoken or (f"kind:{k}", day) in fold.flows.meters)
    if not kinds:
        return (), [], []
    scopes = tuple(f"kind:{k}" for k in kinds)
    price = np.abs(_prices(state, tuple(fold.table.names[i] for i in view.rows)))
    stake = {k: float((price * np.abs(view.exposure))[in_scope(state, f"kind:{k}", view.rows)].sum()) for k in kinds}
    worth = {k: _removed_per_cent(state, k) for k in kinds}
    want = [
        config.equal_cost_share / len(kinds)
        + 0.5 * (1.0 - config.equal_cost_share) * (_part(stake, k, len(kinds)) + _part(worth, k, len(kinds)))
        for k in kinds
    ]
    spent = [0 if (m := fold.flows.meters.get((s, day))) is None else m.level(COST) for s in scopes]
    total = fold.flows.limit("firm")[COST]
    most = [min(fold.flows.limit(s)[COST], total, NO_LIMIT) for s in scopes]
    return scopes, budgets.divided(total, spent, want, most), spent


def _part(of: dict[str, float], name: str, count: int) -> float:
    total = sum(of.values())
    return of[name] / total if total > 0.0 and math.isfinite(total) else 1.0 / count


def _removed_per_cent(state: ManagerState, kind: str) -> float:
    """USD of risk taken off per cent paid by the agents of a kind so far; 0 before they have paid."""
    ledger = state.fold.ledger
    paid = sum(c for (_, agent), c in ledger.accounts.items() if kind_of(without_desk(agent)) == kind)
    removed = sum(usd for a, usd in state.fold.risk_removed_usd.items() if kind_of(without_desk(a)) == kind)
    return max(removed, 0.0) / paid if paid > 0 else 0.0


def _cells(state: ManagerState) -> tuple[MarginCells, Rows]:
    """Cells of everything held or on a live menu."""
    fold, n = state.fold, len(state.setup.universe)
    held = np.zeros(n, np.bool_)
    for lots in state.setup.book.desk_lots(n) + fold.ledger.net_desk_lots():
        held[np.flatnonzero(lots)] = True
    for proposal in fold.proposals.values():
        held[proposal.menu.astype(np.intp)] = True
    return margin_cells(state.market, np.flatnonzero(held), fold.limits.margin_grid, state.now_ns)


def _scope(state: ManagerState, scope: str, known: View, cells: MarginCells | None, day: int) -> _Scope:
    limits = state.fold.limits
    risk = risk_of(state, scope, known.rows, known.exposure)
    stop: DrawdownStop | None = limits.scoped("drawdown").get(scope)
    margin: MarginLimit | None = limits.scoped("margin").get(scope)
    worst = math.nan if margin is None or cells is None else worst_loss_usd(cells, held_lots(state, scope))
    why, open_usd, pnl, high = "", math.nan, math.nan, math.nan
    if stop is not None:
        open_usd, pnl, high, why = _drawdown(state, scope, stop, day)
    if not why and margin is not None and worst > margin.worst_loss_usd:
        why = f"worst loss {worst:,.0f} USD is above the limit of {margin.worst_loss_usd:,.0f}"
    return _Scope(risk, open_usd, pnl, high, math.nan if stop is None else stop.stop_usd, worst, why)


def _drawdown(state: ManagerState, scope: str, stop: DrawdownStop, day: int) -> tuple[float, float, float, str]:
    """(level that counts as 0, P&L and its high of the day, why it is stopped). A stop holds until the day ends."""
    last, times = state.fold.last_round, state.fold.round_ns
    # What has expired since the last round still counts at its payoff; from here on the level is without it.
    level, then = levels_usd(state, scope, state.now_ns, times[-1] if times else state.now_ns)
    if last is None or last.day != day or scope not in last.scope or math.isnan(last.open_usd[last.scope.index(scope)]):
        return level, 0.0, 0.0, ""
    k = last.scope.index(scope)
    pnl = then - float(last.open_usd[k])
    if math.isnan(pnl) or math.isnan(level):
        return float(last.open_usd[k]), math.nan, float(last.high_usd[k]), last.reduce_only[k]
    high = max(float(last.high_usd[k]), pnl)
    before = last.reduce_only[k] if last.reduce_only[k].startswith("drawdown") else ""
    # Only a wider stop lifts it, which may need a second person: one who tightens must not go around that.
    why = "" if stop.stop_usd > last.stop_usd[k] else before
    if high - pnl >= stop.stop_usd:
        why = why or f"drawdown of {high - pnl:,.0f} USD from the day's high reached the stop of {stop.stop_usd:,.0f}"
    return level - pnl, pnl, high, why

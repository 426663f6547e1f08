"""When budgets are divided: on a timer, and at once where the market moved, data went stale, a limit was hit, an agent lost.

Read from the state and leaving no trace in it, so that a replay that looks only where the record has a round finds the same
one. Urgent reasons (a stop, a new day, new limits, a takeover) wait for nobody; the others for ``min_gap_s`` and for room
in the hour.
*Tested by* tests/unit/test_budgets_round.py.
"""

from __future__ import annotations

import numpy as np

from common.control_messages import BudgetRound
from common.messages import F64
from common.units import NS_PER_S
from manager.budgets_scopes import below_high, watched
from manager.flows import COST
from manager.menu import fresh_underlyings
from manager.state import ManagerState

HOUR_NS = 3_600 * NS_PER_S
#: A new high counts once it is this part of the stop above the last one, so that rounds stay rare.
HIGH_STEP = 0.1
#: An exposure has hit its budget where it was inside this part of it at the last round.
_WAS_INSIDE = 0.9


def reasons(state: ManagerState) -> tuple[str, ...]:
    """Why a round is due now, each reason in words; empty where none is, or where it must wait."""
    if not watched(state):
        return ()
    last, now_ns, config = state.fold.last_round, state.now_ns, state.setup.config.budgets
    if last is None:
        return ("first round",) if np.isfinite(futures(state)).any() else ()
    urgent = _urgent(state, last)
    if urgent:
        return urgent
    times = state.fold.round_ns
    if now_ns - times[-1] < config.min_gap_s * NS_PER_S:
        return ()
    if sum(t > now_ns - HOUR_NS for t in times) >= config.rounds_per_hour:
        return ()
    found = ["timer"] if now_ns - times[-1] >= config.slow_s * NS_PER_S else []
    return (*found, *_moved(state, last), *_stale(state, last), *_agents(state, last), *_hit(state, last))


def futures(state: ManagerState) -> F64:
    """Mid (u,) of each underlying's future, points; NaN without one."""
    at = state.setup.universe.fronts(state.now_ns)
    return np.where(at >= 0, state.market.mid_of(at), np.nan)


def _urgent(state: ManagerState, last: BudgetRound) -> tuple[str, ...]:
    fold, out = state.fold, []
    if fold.round_epoch != fold.epoch:
        out.append("takeover")
    if last.day != state.days.of(state.now_ns):
        out.append("new day")
    if last.limits_version != fold.limits.version:
        out.append(f"limits version {fold.limits.version}")
    for scope, limit in fold.limits.scoped("drawdown").items():
        if last.why_reduce_only(scope) or scope not in last.scope or out:
            continue
        below = below_high(state, scope)
        if below >= limit.stop_usd:
            out.append(f"{scope} fell {below:,.0f} USD from the day's high")
        elif -below >= HIGH_STEP * limit.stop_usd:
            out.append(f"new high of {scope}")
    return tuple(out)


def _moved(state: ManagerState, last: BudgetRound) -> list[str]:
    with np.errstate(divide="ignore", invalid="ignore"):
        sigmas = np.abs(np.log(futures(state) / last.mid)) / last.sigma_daily
    threshold = state.setup.config.budgets.move_sigma
    symbols = state.setup.universe.symbols
    return [f"{symbols[u]} moved {sigmas[u]:.1f} sigma" for u in np.flatnonzero(sigmas >= threshold)]


def _stale(state: ManagerState, last: BudgetRound) -> list[str]:
    fresh, symbols = fresh_underlyings(state), state.setup.universe.symbols
    changed = np.flatnonzero(fresh != (last.fresh != 0))
    return [f"data of {symbols[u]} {'is back' if fresh[u] else 'went stale'}" for u in changed]


def _agents(state: ManagerState, last: BudgetRound) -> list[str]:
    """Factors that had an agent at the last round and have none now, and the other way round."""
    if state.fold.limits.risk is None:
        return []
    table = state.fold.table
    live = {table.names[i] for i in np.flatnonzero(table.live(state.now_ns))}
    lost, found = sorted(set(last.factor) - live), sorted(live - set(last.factor))
    out = [f"nobody speaks for {lost[0]}" + (f" and {len(lost) - 1} more" if len(lost) > 1 else "")] if lost else []
    return out + (
        [f"somebody speaks for {found[0]}" + (f" and {len(found) - 1} more" if len(found) > 1 else "")] if found else []
    )


def _hit(state: ManagerState, last: BudgetRound) -> list[str]:
    """Budgets that were reached since the last round: exposure at its soft limit, cost nearly spent."""
    fold, out = state.fold, list[str]()
    if not last.factor:
        return out
    at = np.array([fold.table.index[name] for name in last.factor], np.intp)
    now, soft = np.abs(fold.table.exposure[at]), fold.soft[at]
    for k in np.flatnonzero((now >= soft) & (np.abs(last.exposure) < _WAS_INSIDE * soft)):
        out.append(f"{last.factor[k]} reached its budget")
    day, nearly = state.days.of(state.now_ns), state.setup.config.budgets.nearly_spent
    for scope, share, spent in zip(last.spender, last.cost_cents.tolist(), last.spent_cents.tolist(), strict=True):
        meter = fold.flows.meters.get((scope, day))
        level = 0 if meter is None else meter.level(COST)
        # The room must have halved since: a kind that gets no more does not ask for ever.
        if level >= nearly * share and share - level < 0.5 * (share - spent):
            out.append(f"{scope} has spent {100.0 * level / max(share, 1):.0f} % of its cost budget")
    return out

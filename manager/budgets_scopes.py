"""How a scope stands: its residual risk, its worst loss, its P&L; whether it may only reduce. Read from the state, no trace.

Scopes: ``firm``, ``desk:rates``, ``kind:gamma`` (what its agents own), ``underlying:SPX``. Risk is the standard deviation over
one day of the P&L of the exposures left, by the manager's one covariance (``risk_price.py``), with the volatilities of the
last round, so that it is a function of the journal alone.
*Tested by* tests/unit/test_budgets_scopes.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from common.factors import DESK_MARK, desk_of, key_of, kind_of_key, underlying_of
from common.limits_scopes import RiskLimit, covers
from common.messages import F64, I64
from common.units import CENTS_PER_USD
from manager.budgets_marks import MarginCells, marks
from manager.exposures import Bools, Rows
from manager.holding import Holding, Marked, holding_of
from manager.state import ManagerState


def sigma_of(state: ManagerState) -> F64:
    """Volatility per √day of each underlying at the last round; before the first, as it runs now."""
    last = state.fold.last_round
    # A copy: what came out of a record is read-only, and kernels are loaded for what may be written.
    return state.volatility.sigma_daily() if last is None else last.sigma_daily.copy()


def covariance_of(state: ManagerState, rows: Rows) -> F64:
    """Covariance (r, r) over one day of the P&L of one unit of each factor, USD² per unit².

    A factor is one for all desks: what two of them cross leaves the risk of both together as it was.
    """
    table, horizon = state.fold.table, state.setup.config.horizon_days
    one = len(state.fold.ledger.desks) == 1
    base, at = (rows, None) if one else np.unique(rows % table.per_desk, return_inverse=True)
    of_base = state.risk_price.matrix(base, 1.0 / horizon, sigma_of(state), table.sensitivity)
    return of_base if at is None else np.asarray(of_base[np.ix_(at, at)])


def in_scope(state: ManagerState, scope: str, rows: Rows) -> Bools:
    """Which of these rows of the factor table belong to a scope, (r,)."""
    return np.asarray(_of_scope(state.fold.table.names, scope)[rows])


def in_sum(state: ManagerState, patterns: Sequence[str], rows: Rows) -> Bools:
    """Which rows a sum limit counts: those that one of its patterns covers, of every desk where it names none."""
    return np.asarray(_of_sum(state.fold.table.names, tuple(patterns))[rows])


@lru_cache(maxsize=64)
def _of_scope(names: tuple[str, ...], scope: str) -> Bools:
    head, _, wanted = scope.partition(":")
    if head == "firm":
        return np.ones(len(names), np.bool_)
    of = {"desk": desk_of, "kind": lambda name: kind_of_key(key_of(name)), "underlying": underlying_of}[head]
    return np.array([of(name) == wanted for name in names], np.bool_)


@lru_cache(maxsize=64)
def _of_sum(names: tuple[str, ...], patterns: tuple[str, ...]) -> Bools:
    return np.array([any(_counts(pattern, name) for pattern in patterns) for name in names], np.bool_)


def counted(state: ManagerState) -> Bools:
    """Rows of the factor table that a hard limit counts, alone or together with others, (f,)."""
    fold, names = state.fold, state.fold.table.names
    out: Bools = np.isfinite(fold.hard)
    for limit in fold.limits.sum.values():
        out = out | _of_sum(names, tuple(limit.factors))
    for scope in fold.limits.scoped("risk"):
        out = out | _of_scope(names, scope)
    return out


def tells_desks_apart(patterns: list[str]) -> bool:
    """Whether a sum limit names a desk, so that what two desks cross may change it."""
    return any(DESK_MARK in pattern for pattern in patterns)


def _counts(pattern: str, name: str) -> bool:
    return covers(pattern, name if DESK_MARK in pattern else name.partition(DESK_MARK)[0])


def risk_of(state: ManagerState, scope: str, rows: Rows, exposure: F64) -> float:
    """Residual risk of a scope in USD per √day; exposure (r,) of the rows."""
    mine = np.flatnonzero(in_scope(state, scope, rows))
    if not len(mine):
        return 0.0
    return deviation(exposure[mine], covariance_of(state, rows[mine]))


def deviation(exposure: F64, covariance: F64) -> float:
    """Standard deviation of the P&L of exposures (r,) with a covariance (r, r), USD."""
    return math.sqrt(max(float(exposure @ covariance @ exposure), 0.0))


def watched(state: ManagerState) -> tuple[str, ...]:
    """Scopes with a limit on risk, drawdown or margin, the firm first."""
    return state.fold.limits.watched


def held_lots(state: ManagerState, scope: str) -> I64:
    """Signed lots (n,) of a scope, read-only: opening book and everything traded."""
    return _holding(state, scope).lots


def _holding(state: ManagerState, scope: str) -> Holding:
    """Looked at every tick, while positions change with a fill: found once for each of their versions."""
    ledger, kept = state.fold.ledger, state.holdings.get(scope)
    if kept is None or not kept.still(ledger):
        kept = state.holdings[scope] = holding_of(ledger, state.setup.book, state.setup.universe, scope, kept)
    return kept


def levels_usd(state: ManagerState, scope: str, *as_of_ns: int) -> tuple[float, ...]:
    """Realised and marked value of what a scope holds and has paid, USD, up to a constant; NaN where a mark is missing.

    One level for each time, from the same marks: what had expired by then is left out. The firm's is after fees, a desk's
    before them. What a client trade was worth at once over its price is no part of it: neither a good deal nor a price that
    was typed wrong, and corrected, is a gain or a loss of those who hold and hedge.
    """
    held, ledger = _holding(state, scope), state.fold.ledger
    if (late := held.expiry_ns <= min(as_of_ns)).any():
        held = held.without(late)
    per_lot, lots = _marks(state, held.rows) * held.multiplier_usd, held.lots[held.rows]
    head, _, name = scope.partition(":")
    cash = sum(cents for agent, cents in ledger.cash_cents.items() if head == "firm" or desk_of(agent) == name)
    fees = ledger.fee_cents if head == "firm" else 0
    edge = sum(cents for desk, cents in ledger.edge_cents.items() if head == "firm" or desk == name)
    out = []
    for ns in as_of_ns:
        # What a contract that is left out was paid since is left out as well: it was part of no level either.
        open_then, since = held.expiry_ns > ns, int(held.ended_cents[held.ended_ns <= ns].sum())
        out.append(float(lots[open_then] @ per_lot[open_then]) + (cash - fees - edge - since) / CENTS_PER_USD)
    return tuple(out)


def _marks(state: ManagerState, rows: Rows) -> F64:
    """Points (r,): a round that follows from a look at the drawdown marks the same rows at the same quotes again."""
    at, last = (state.market.last_header, state.now_ns), state.marked
    if last is None or last.header is not at[0] or last.now_ns != at[1] or last.rows is not rows:
        last = state.marked = Marked(*at, rows, marks(state.market, rows, state.now_ns))
    return last.points


def worst_loss_usd(cells: MarginCells, lots: I64) -> float:
    """Largest loss over the grid, at least 0, USD."""
    return max(-float(cells.of(lots.astype(np.float64)).min(initial=0.0)), 0.0)


def part_of(state: ManagerState, scope: str, instrument: int, agents: Sequence[tuple[str, int]]) -> int:
    """Lots of an order, unsigned, that are a scope's."""
    head, _, name = scope.partition(":")
    if head == "underlying" and state.setup.universe.symbols[int(state.setup.universe.underlying[instrument])] != name:
        return 0
    return sum(abs(n) for agent, n in agents if head != "desk" or desk_of(agent) == name)


def worst_of_cells(state: ManagerState, cells: MarginCells, scope: str) -> F64:
    """Loss (cells,) of what a scope holds and of the worst for each cell of its open orders, USD; unknown contracts count 0."""
    worst = -cells.of(held_lots(state, scope).astype(np.float64))
    for life in state.fold.orders.open.values():
        order = life.order
        mine = order.side.sign * part_of(state, scope, order.instrument, tuple(life.open_by_agent().items()))
        loss = -cells.per_lot(np.array([order.instrument], np.intp))[0] * mine
        worst = worst + np.maximum(np.nan_to_num(loss), 0.0)
    return worst


def drawdown_of(state: ManagerState, scope: str) -> float:
    """USD below the day's high, at least 0; NaN where ``below_high`` is."""
    below = below_high(state, scope)
    return below if math.isnan(below) else max(below, 0.0)


def below_high(state: ManagerState, scope: str) -> float:
    """USD below the day's high as far as the rounds have seen it, negative above it; NaN before the first or unmarked."""
    last = state.fold.last_round
    if last is None or scope not in last.scope or last.day != state.days.of(state.now_ns):
        return math.nan
    k = last.scope.index(scope)
    if math.isnan(last.open_usd[k]):
        return math.nan
    (level,) = levels_usd(state, scope, state.fold.round_ns[-1])
    pnl = level - float(last.open_usd[k])
    return float(last.high_usd[k]) - pnl


def why_reduce_only(state: ManagerState, scope: str, risk_usd: float) -> str:
    """Why a scope may only reduce its risk now; empty where it may do more."""
    limit: RiskLimit | None = state.fold.limits.scoped("risk").get(scope)
    if limit is not None and risk_usd > limit.hard_usd:
        return f"risk {risk_usd:,.0f} USD is above the hard limit of {limit.hard_usd:,.0f}"
    last = state.fold.last_round
    return "" if last is None or last.day != state.days.of(state.now_ns) else last.why_reduce_only(scope)

"""The last look at an order before it exists: nothing leaves that could break a scope's limit, or worsen a broken one.

Every subset of the orders, filled in any part beside any subset of what works already, stays inside:
- *linear* (sums of exposures; P&L in each cell of the margin grid): what an order could do for the worse, alone, is taken
  off the room; a limit that is broken has none.
- *risk* (a quadratic r(x)² = x'Cx): with g = C x, r² grows over a subset of orders Δ_k by no more than Σ_k max(0, 2 g'Δ_k +
  Δ_k'CΔ_k + Σ_l≠k max(0, Δ_k'CΔ_l)), which must fit between r² and the hard limit's square; a scope that may only reduce
  has no room at all.
Counted is what anybody has ever said (``view.known_of``): of an agent that is silent, too.
A crossing is two sides like orders, but a limit that counts both desks does not look at them: together they have what they had.
Orders come worthiest first; one that does not fit is cut to the lots that do, where its parts may be cut, else left out.
*Tested by* tests/unit/test_budgets_gate.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from common.factors import desk_of, without_desk
from common.kernels import netting as kernels
from common.messages import F64, I64
from manager.allocation import split
from manager.budgets_scopes import (
    covariance_of,
    deviation,
    in_scope,
    in_sum,
    part_of,
    watched,
    why_reduce_only,
    worst_of_cells,
)
from manager.exposures import Bools, Rows, limit_columns
from manager.state import ManagerState
from manager.view import View, known_of

if TYPE_CHECKING:
    from manager.ticket import Draft

_SLACK = 1e-9


class LinearGate:
    """Rows (r,): ``per_lot`` (k, r) is what a lot of each order could do for the worse, ``room`` (r,) what is left."""

    def __init__(self, per_lot: F64, room: F64) -> None:
        self.per_lot, self.room = per_lot, np.maximum(room, 0.0)
        self._slack = _SLACK * np.maximum(self.room, 1.0)

    def fits(self, order: int, lots: int) -> bool:
        """Whether so many lots fit beside what has been taken; an order whose effect is unknown never does."""
        return bool((self.per_lot[order] * lots <= self.room + self._slack).all())

    def take(self, order: int, lots: int) -> None:
        """These lots are ordered."""
        self.room = self.room - self.per_lot[order] * lots


class RiskGate:
    """One scope's risk: ``per_lot`` (k, f) of each order, ``working`` (w, f) whole orders, ``room`` USD² that r² may grow."""

    def __init__(self, exposure: F64, covariance: F64, per_lot: F64, working: F64, room: float) -> None:
        self._pull, self._c, self.per_lot = covariance @ exposure, covariance, per_lot
        self._items: F64 = working
        # What works already cannot be taken back: an order may not add to what it could do.
        self._room = max(room, self._growth(self._items))
        self._slack = _SLACK * max(float(exposure @ self._pull), 1.0)

    def fits(self, order: int, lots: int) -> bool:
        """Whether no subset of the orders could raise the risk above what is allowed."""
        return self._growth(self._with(order, lots)) <= self._room + self._slack

    def take(self, order: int, lots: int) -> None:
        """These lots are ordered."""
        self._items = self._with(order, lots)

    def _with(self, order: int, lots: int) -> F64:
        return np.vstack([self._items, lots * self.per_lot[order]])

    def _growth(self, items: F64) -> float:
        return kernels.risk_growth(np.ascontiguousarray(items), self._c, self._pull)


Gate = LinearGate | RiskGate
#: The two desks of each side of a crossing, (k, 2), own first, -1 for an order; empty where nothing is crossed.
Partners = I64


def admitted(state: ManagerState, drafts: Sequence[Draft], sides: int = 0) -> tuple[Draft, ...]:
    """The orders, or parts of orders, that no limit of any scope stands against, in their order.

    ``sides``: so many of the first are sides of crossings, two after two.
    """
    several = len(state.fold.ledger.desks) > 1
    if not drafts or not (several or state.fold.limits.sum or watched(state) or _silent(state).any()):
        return tuple(drafts)
    view = known_of(state)
    per_lot, working = _factor_moves(state, drafts, view.rows)
    partners = _partners(state, drafts, sides)
    gates = [
        *_stocks(state, per_lot, working, view, partners),
        *_margins(state, drafts, sides),
        *_risks(state, per_lot, working, view, partners),
    ]
    kept = []
    for k, d in enumerate(drafts):
        lots = _most(gates, k, d.lots, may_cut=not several)
        if lots < d.lots:
            state.seen["orders cut: limit of a scope" if lots else "orders left out: limit of a scope"] += 1
        if lots:
            for gate in gates:
                gate.take(k, lots)
            kept.append(cut(d, lots))
    return tuple(kept)


def cut(d: Draft, lots: int) -> Draft:
    """The same order with fewer lots, dealt to its agents in their old proportion."""
    if lots == d.lots:
        return d
    agents = split(lots, {agent: float(n) for agent, n in d.agents}, d.agents[0][0])
    return replace(d, lots=lots, agents=agents, worth=d.worth * lots / d.lots)


def _most(gates: Sequence[Gate], order: int, lots: int, *, may_cut: bool) -> int:
    """Most lots that every gate lets through. What a gate lets through, it lets through in part."""

    def fit(n: int) -> bool:
        return all(gate.fits(order, n) for gate in gates)

    if fit(lots):
        return lots
    low, high = 0, lots if may_cut else 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fit(middle) else (low, middle)
    return low


def _by_desk(state: ManagerState, d: Draft) -> I64:
    """Signed lots of an order by desk, (desks,)."""
    desks = state.fold.ledger.desks
    return d.side.sign * np.array([sum(n for a, n in d.agents if desk_of(a) == desk) for desk in desks], np.int64)


def _partners(state: ManagerState, drafts: Sequence[Draft], sides: int) -> Partners:
    """See ``Partners``; the first ``sides`` drafts are sides of crossings, two after two."""
    if not sides:
        return np.empty((0, 2), np.int64)
    desks = state.fold.ledger.desks
    own = [desks.index(desk_of(d.agents[0][0])) for d in drafts[:sides]]
    pairs = [(own[k], own[k ^ 1]) for k in range(sides)]
    return np.array(pairs + [(-1, -1)] * (len(drafts) - sides), np.int64)


def _factor_moves(state: ManagerState, drafts: Sequence[Draft], rows: Rows) -> tuple[F64, F64]:
    """What one lot of each draft (k, r), and each working order in whole (w, r), does to factors."""
    table, orders, desks = state.fold.table, state.fold.orders.open.values(), state.fold.ledger.desks
    if len(desks) == 1:
        at, sign = [d.instrument for d in drafts], np.array([d.side.sign for d in drafts])
        per_lot = table.sensitivity[rows[None, :], np.array(at, np.intp)[:, None]] * sign[:, None]
    else:
        own = (table.change(rows, d.instrument, _by_desk(state, d)) / d.lots for d in drafts)
        per_lot = np.array([*own])
    working = np.array([table.change(rows, x.order.instrument, x.open_lots(desks)) for x in orders])
    working = working.reshape(len(orders), len(rows))
    return np.where(np.isnan(per_lot), 0.0, per_lot), np.where(np.isnan(working), 0.0, working)


def _beside(state: ManagerState, per_lot: F64, rows: Rows, partners: Partners) -> F64:
    """What a lot of each order does to ``rows`` (k, r) that one limit counts: of a factor that it counts for both desks of a
    crossing a side does nothing, for the other undoes it."""
    if not len(partners):
        return per_lot
    desk, base = np.divmod(rows, state.fold.table.per_desk)
    counted = np.zeros((len(state.fold.ledger.desks), int(base.max(initial=0)) + 1), np.bool_)
    counted[desk, base] = True
    undone = (partners[:, 1] >= 0)[:, None] & counted[partners[:, 1]][:, base]
    return np.where(undone, 0.0, per_lot)


def _stocks(state: ManagerState, per_lot: F64, working: F64, view: View, partners: Partners) -> list[Gate]:
    """Limits on sums; of several desks the firm's on each factor; those on one factor that nobody speaks for now."""
    sums = state.fold.limits.sum.values()
    groups = [(in_sum(state, limit.factors, view.rows), limit.hard_usd) for limit in sums]
    groups += [*_firms(state, view.rows), *_alone(state, view.rows)]
    now = view.exposure - working.sum(axis=0)
    out: list[Gate] = []
    for mine, hard_usd in groups:
        step = _beside(state, per_lot[:, mine], view.rows[mine], partners).sum(axis=1)
        moves, total = working[:, mine].sum(axis=1), float(now[mine].sum())
        worst = np.array([total + np.maximum(moves, 0.0).sum(), -total + np.maximum(-moves, 0.0).sum()])
        grows = np.maximum(np.stack([step, -step], axis=1), 0.0)
        out.append(LinearGate(grows, hard_usd - worst))
    return out


def _firms(state: ManagerState, rows: Rows) -> Iterator[tuple[Bools, float]]:
    table = state.fold.table
    if len(state.fold.ledger.desks) == 1:
        return
    base = rows % table.per_desk
    _, hard = limit_columns(state.fold.limits, tuple(without_desk(name) for name in table.names[: table.per_desk]))
    for k in np.unique(base[np.isfinite(hard[base])]):
        yield base == k, float(hard[k])


def _alone(state: ManagerState, rows: Rows) -> Iterator[tuple[Bools, float]]:
    for k in np.flatnonzero(_silent(state)[rows]):
        yield np.arange(len(rows)) == k, float(state.fold.hard[rows[k]])


def _silent(state: ManagerState) -> Bools:
    """Rows with a hard limit of their own that were spoken for once and are not now, (f,): the programme does not know them."""
    table = state.fold.table
    return np.asarray(np.isfinite(state.fold.hard) & ~np.isnan(table.told) & ~table.live(state.now_ns))


def _margins(state: ManagerState, drafts: Sequence[Draft], sides: int) -> list[Gate]:
    cells, out = state.margin, []
    found = state.fold.limits.scoped("margin")
    if not found or cells is None:
        return []
    at = np.array([d.instrument for d in drafts], np.intp)
    lost = -cells.per_lot(at) * np.array([d.side.sign for d in drafts])[:, None]
    for scope, limit in found.items():
        part = np.array([part_of(state, scope, d.instrument, d.agents) / d.lots for d in drafts])[:, None]
        if not scope.startswith("desk:"):
            part[:sides] = 0.0
        worst = worst_of_cells(state, cells, scope)
        # A contract without cells could do anything; one that is not the scope's does nothing to it.
        unsure = np.where(np.isnan(lost), np.inf, lost)
        grows = np.maximum(np.multiply(unsure, part, out=np.zeros(lost.shape), where=part > 0.0), 0.0)
        out.append(LinearGate(grows, limit.worst_loss_usd - worst))
    return list(out)


def _risks(state: ManagerState, per_lot: F64, working: F64, view: View, partners: Partners) -> list[Gate]:
    limits, rows = state.fold.limits.scoped("risk"), view.rows
    now = view.exposure - working.sum(axis=0)
    out: list[Gate] = []
    for scope in watched(state):
        mine = np.flatnonzero(in_scope(state, scope, rows))
        if not len(mine):
            continue
        c = covariance_of(state, rows[mine])
        risk = deviation(now[mine], c)
        why = why_reduce_only(state, scope, risk)
        if not why and scope not in limits:
            continue
        room = 0.0 if why else limits[scope].hard_usd ** 2 - risk**2
        moves = _beside(state, per_lot[:, mine], rows[mine], partners)
        out.append(RiskGate(now[mine], c, moves, working[:, mine], room))
    return out

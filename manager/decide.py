"""One decision: from what the agents last said to orders, or to nothing. See README.md for the maths.

*Tested by* tests/unit/test_manager_step.py, tests/unit/test_manager_modes.py, tests/unit/test_manager_edge.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from common.factors import without_desk
from common.messages import F64, I64, Proposal
from common.universe import FUTURE
from manager.cycles import Decision, cycle_of, enter
from manager.events import Instruction
from manager.menu import Menu, Most, choose, menu_of
from manager.netting import Problem, Solution, objective, standing_price
from manager.patience import decide_lots, later_of
from manager.problem import Stated, problem_of, whole_lot_may_pay
from manager.scopes import AGENT, stopped_names
from manager.state import ManagerState
from manager.ticket import Draft, left_out, let_out, priced_drafts, wished_draft
from manager.view import View, view_of
from manager.wishes import fit, wish_columns

#: Bound on what is decided anew because a part was left out; beyond it what is left goes if it gains, else nothing.
MAX_TURNS = 8


def decide(state: ManagerState, now_ns: int, wall_ns: int) -> list[Instruction]:
    """Every cycle that is due now, recorded and submitted."""
    mode = state.setup.config.netting
    if mode == "none":
        return []
    if mode == "alone":
        return _alone(state, now_ns, wall_ns)
    view = view_of(state, now_ns)
    if not len(view.rows):
        return []
    if mode == "plain":
        plain = _wished(state, view, "plain", live_proposals(state, view), now_ns)
        return [] if plain is None else _close(state, plain, now_ns, wall_ns)
    if view.calm:
        state.seen["no-trade: everybody inside"] += 1
        return []
    joint = _joint(state, view, now_ns)
    return [] if joint is None else _close(state, joint, now_ns, wall_ns)


def _joint(state: ManagerState, view: View, now_ns: int) -> Decision | None:
    """The cheapest trade. Where a limit or budget that the solve does not know stands against a part of it, it is decided anew
    without that part: what was to hedge an option hedges nothing without it."""
    most: dict[tuple[int, int], int] = {}
    first: Decision | None = None
    for turn in range(1, MAX_TURNS + 1):
        found = _planned(state, view, now_ns, most)
        if isinstance(found, Solution):
            return _wished(state, view, f"fallback: {found.failure}", live_proposals(state, view), now_ns, found)
        if found is None:
            break
        planned, problem = found
        first = first or planned
        kept = let_out(state, planned.drafts, now_ns)
        less = left_out(planned.drafts, kept)
        if not less or (turn == MAX_TURNS and _improve(state, problem, kept)):
            return replace(planned, drafts=kept)
        most |= less
    # What was wanted stands in the record, with no orders.
    return None if first is None else replace(first, drafts=())


def _planned(state: ManagerState, view: View, now_ns: int, most: Most) -> tuple[Decision, Problem] | Solution | None:
    """One solve and the drafts of its lots, none let out yet; the solution if it failed, None where no trade pays."""
    config = state.setup.config
    menu = menu_of(state, view.rows, view.working, now_ns, need_all=True).within(most)
    if not len(menu.index):
        state.seen["no-trade: nothing usable"] += 1
        return None
    stated = problem_of(state, view, menu, now_ns)
    if not whole_lot_may_pay(stated.problem):
        state.seen["no-trade: no whole lot pays"] += 1
        return None
    if len(menu.index) > config.menu_max:
        pull = _on_rows(view, stated, standing_price(stated.problem))
        futures = state.setup.universe.kind[menu.index] == FUTURE
        chosen = choose(menu, pull, futures, config.menu_max)
        menu, stated = menu.take(chosen), stated.take(chosen)
    later = later_of(stated.problem, menu.shown_buy, menu.shown_sell, config.patience)
    warm = _warm(state, view, stated, menu)
    solution, lots = decide_lots(
        stated.problem, later, stated.forced, config.iteration_limit, config.min_gain_usd, warm
    )
    if solution.failure:
        return solution
    price = _on_rows(view, stated, solution.price)
    forced = _on_rows(view, stated, np.where(stated.forced, solution.price, 0.0))
    drafts = priced_drafts(state, view, menu, lots, price, forced)
    worth = tuple(sorted(drafts, key=lambda d: (-d.worth, d.instrument)))
    proposals = live_proposals(state, view)
    decision = Decision("joint", view, menu, proposals, solution.lots, price, solution.iterations, worth)
    return decision, stated.problem


def _on_rows(view: View, stated: Stated, price: F64) -> F64:
    """Prices of the problem's factors on the view's rows; a broken limit's extra row adds to its factor's."""
    out = np.zeros(len(view.rows))
    np.add.at(out, stated.factor_of, price)
    return out


def _warm(state: ManagerState, view: View, stated: Stated, menu: Menu) -> tuple[F64, F64] | None:
    """What the last solve left to do, and its prices: both stand in the record, so a replay starts alike."""
    last = state.fold.last_solved
    if last is None or stated.forced.any():  # a broken limit's extra row has no price of its own to begin with
        return None
    prices = dict(zip(last.factor, last.price_of_risk.tolist(), strict=True))
    lots, names = np.zeros(len(menu.index)), state.fold.table.names
    if len(last.menu):
        at = np.minimum(np.searchsorted(last.menu, menu.index), len(last.menu) - 1)
        lots = np.where(last.menu[at] == menu.index, (last.solution_lots - last.ordered_lots)[at], 0.0)
    known = np.array([prices.get(names[i], 0.0) for i in view.rows[stated.factor_of].tolist()])
    return np.clip(lots, -menu.sell_cap, menu.buy_cap), known


def live_proposals(state: ManagerState, view: View) -> tuple[Proposal, ...]:
    """What the owners of a view's rows last said, by agent."""
    agents = sorted({str(a) for a in state.fold.table.owner[view.rows]})
    return tuple(state.fold.proposals[a] for a in agents)


def unused(state: ManagerState, proposals: tuple[Proposal, ...]) -> list[Proposal]:
    """Proposals whose wish is new: not used by an earlier cycle, nor made before the agent's own last trade was done.

    A wish cannot be re-based as an exposure can, so one that does not know of the agent's own fills or working orders
    would be traded twice.
    """
    fold = state.fold
    stopped = stopped_names(fold, AGENT)
    working = {without_desk(agent) for life in fold.orders.open.values() for agent, _ in life.order.allocation}
    return [
        p
        for p in proposals
        if fold.consumed.get(p.agent) != p.header.id
        and p.agent not in working
        and p.agent not in stopped
        and p.position_version >= fold.ledger.last_fill.get(p.agent, 0)
    ]


def _wished(
    state: ManagerState,
    view: View,
    method: str,
    proposals: tuple[Proposal, ...],
    now_ns: int,
    failed: Solution | None = None,
) -> Decision | None:
    """Sum the unused wishes and scale them into the limits. None where there is nothing to do."""
    # An agent alone does not know what the others have working.
    working = {} if method == "alone" else view.working
    menu = menu_of(state, view.rows, working, now_ns, need_all=False)
    if not len(menu.index):
        return None
    wishes = wish_columns(unused(state, proposals), menu.index)
    total = sum(wishes.values(), np.zeros(len(menu.index)))
    stated = problem_of(state, view, menu, now_ns)
    lots: I64 = fit(stated.problem, total)
    if failed is None and not lots.any():
        return None
    drafts = let_out(
        state,
        (
            wished_draft(state, view, menu, int(j), int(lots[j]), {a: float(x[j]) for a, x in wishes.items()})
            for j in np.flatnonzero(lots)
        ),
        now_ns,
    )
    if failed is not None and not _improve(state, stated.problem, drafts):
        drafts = ()
    price = _on_rows(view, stated, standing_price(stated.problem))
    return Decision(method, view, menu, proposals, total, price, 0 if failed is None else failed.iterations, drafts)


def _improve(state: ManagerState, problem: Problem, drafts: tuple[Draft, ...]) -> bool:
    """Whether the drafts alone lower the objective by enough."""
    nothing = np.zeros(len(problem.cost))
    trade = nothing.copy()
    for d in drafts:
        trade[d.column] += d.side.sign * d.lots
    return objective(problem, nothing) - objective(problem, trade) > state.setup.config.min_gain_usd


def _alone(state: ManagerState, now_ns: int, wall_ns: int) -> list[Instruction]:
    """Each agent's wish its own cycle and orders; a later agent's limits and budgets see the earlier one's orders."""
    out: list[Instruction] = []
    view = view_of(state, now_ns)
    for proposal in unused(state, live_proposals(state, view)):
        decision = _wished(state, view_of(state, now_ns), "alone", (proposal,), now_ns)
        if decision is not None:
            out += _close(state, decision, now_ns, wall_ns)
    return out


def _close(state: ManagerState, d: Decision, now_ns: int, wall_ns: int) -> list[Instruction]:
    wishes = wish_columns(unused(state, d.proposals), d.menu.index)
    return enter(state, cycle_of(state, d, wishes.values(), now_ns), wall_ns)

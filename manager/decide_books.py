"""One decision where the book has several desks: what cancels between them is crossed at mid, the net goes to the market.

Desks of one legal entity are decided together; each entity has a cycle of its own, since between entities nothing may
cross. See ``decide.py`` for one desk and README.md for the maths.
*Tested by* tests/unit/test_manager_desks.py, tests/simulation/test_closed_loop_desks.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from common.control_messages import Crossing
from common.factors import without_desk
from common.messages import F64, I64, Proposal
from common.universe import Book
from manager.books_orders import (
    PartOf,
    crossed,
    crossed_lots,
    crossings_of,
    drafts_of,
    moved_by_desks,
    part_by_price,
    part_by_wish,
    sides_of,
)
from manager.books_patience import decide_books_lots, later_of_books
from manager.books_problem import StatedBooks, books_problem_of, fit_books, lots_may_pay
from manager.books_qp import BooksSolution, objective_books
from manager.budgets_flows import within_flows
from manager.budgets_gate import admitted
from manager.cycles import Decision, cycle_of, enter, next_cycle_id
from manager.decide import MAX_TURNS, live_proposals, unused
from manager.events import Instruction, Publish
from manager.exposures import limit_columns
from manager.menu import Menu, Most, menu_of
from manager.netting import standing_price
from manager.scopes import AGENT, DESK, frozen, stopped_names
from manager.state import ManagerState
from manager.ticket import Draft, left_out
from manager.view import View, view_of
from manager.wishes import wish_columns

Wishes = Mapping[tuple[str, str], F64]
#: (desk, instrument).
Pairs = frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class _Round:
    """What one legal entity decides on. ``desks``: positions among the book's; ``book`` (f,): desk of each row among them.

    ``wishing``: the proposals whose wishes have not been used.
    """

    desks: tuple[int, ...]
    names: tuple[str, ...]
    view: View
    whole: View
    book: I64
    proposals: tuple[Proposal, ...]
    wishing: tuple[Proposal, ...]
    now_ns: int


@dataclass(frozen=True, slots=True)
class _Decided:
    """What to do: ``market`` (desks, m) goes out as ``drafts``, the rest is crossed; price (f,) on the view's rows.

    ``refused``: desks and instruments that may not cross, since a scope's limit stands against it; ``less``: orders that may not
    go whole, and what may, since a limit or budget does.
    """

    method: str
    menu: Menu
    solution: F64
    market: I64
    price: F64
    iterations: int
    drafts: tuple[Draft, ...]
    crossings: tuple[Crossing, ...]
    refused: Pairs
    less: Most


def entities(book: Book) -> tuple[tuple[int, ...], ...]:
    """Desks of each legal entity, in the order of the book."""
    of: dict[str, list[int]] = {}
    for d, desk in enumerate(book.desks):
        of.setdefault(desk.legal_entity, []).append(d)
    return tuple(map(tuple, of.values()))


def decide_books(state: ManagerState, now_ns: int, wall_ns: int) -> list[Instruction]:
    """Every cycle that is due now, recorded and submitted, entity by entity; a later one sees the earlier one's orders."""
    mode = state.setup.config.netting
    out: list[Instruction] = []
    if mode == "none":
        return out
    # An agent may wish for desks of two entities: its wishes are used up together, not by the first entity's cycle.
    wishing = tuple(unused(state, live_proposals(state, view_of(state, now_ns))))
    for entity in entities(state.setup.book):
        desks = _taking_part(state, entity, now_ns)
        if not desks:
            continue
        it = replace(_round(state, desks, now_ns), wishing=wishing)
        if mode == "alone":
            out += _alone(state, it, wall_ns)
            continue
        if not len(it.view.rows):
            continue
        decided = _plain(state, it, "plain") if mode == "plain" else _joint(state, it)
        if decided is not None:
            out += _close(state, it, decided, wall_ns)
    return out


def _taking_part(state: ManagerState, entity: tuple[int, ...], now_ns: int) -> tuple[int, ...]:
    """Desks of an entity that trade or are crossed with: neither they nor all of their agents are stopped."""
    fold, names = state.fold, state.setup.book.desk_names
    stopped = stopped_names(fold, DESK)
    desks = tuple(d for d in entity if names[d] not in stopped)
    if not stopped_names(fold, AGENT):
        return desks
    rows = view_of(state, now_ns).rows
    awake = set(fold.table.desk[rows[~frozen(fold, rows)]].tolist())
    return tuple(d for d in desks if d in awake)


def _round(state: ManagerState, desks: tuple[int, ...], now_ns: int) -> _Round:
    whole, table = view_of(state, now_ns), state.fold.table
    view = whole.take(np.flatnonzero(np.isin(table.desk[whole.rows], desks)))
    at = {desk: k for k, desk in enumerate(desks)}
    book = np.array([at[int(d)] for d in table.desk[view.rows]], np.int64)
    names = tuple(state.setup.book.desk_names[d] for d in desks)
    return _Round(desks, names, view, whole, book, live_proposals(state, view), (), now_ns)


def _joint(state: ManagerState, it: _Round) -> _Decided | None:
    """The cheapest trade of all desks, decided anew without what a limit or budget that the solve does not know stands against:
    what could not be crossed with one desk may go to another or to the market, and what was to hedge an order, or was to be
    crossed along with it, is worth nothing without it and would be taken back the next time and made again, for ever."""
    closed: Pairs = frozenset()
    most: dict[tuple[int, int], int] = {}
    first: _Decided | None = None
    for turn in range(1, MAX_TURNS + 1):
        found = _planned(state, it, closed, most)
        if isinstance(found, BooksSolution):
            return _plain(state, it, f"fallback: {found.failure}", found.iterations)
        if found is None:
            break
        decided, stated = found
        first = first or decided
        if not decided.refused and not decided.less:
            return decided
        if turn == MAX_TURNS and _improves(state, stated, _kept(it, decided)):
            return decided
        closed |= decided.refused
        most.update(decided.less)
    # What was wanted stands in the record, with no orders.
    return None if first is None else replace(first, drafts=(), crossings=())


def _planned(
    state: ManagerState, it: _Round, closed: Pairs, most: Most
) -> tuple[_Decided, StatedBooks] | BooksSolution | None:
    """One solve, what may go of it and what may not; the solution if it failed, None where no trade pays.

    ``closed``: what a desk may not trade; ``most``: the most that the market is to be sent.
    """
    config, view = state.setup.config, it.view
    if view.calm and _firm_calm(state, it.whole):
        state.seen["no-trade: everybody inside"] += 1
        return None
    menu = menu_of(state, view.rows, view.working, it.now_ns, need_all=True).within(most)
    if not len(menu.index):
        state.seen["no-trade: nothing usable"] += 1
        return None
    stated = books_problem_of(state, view, it.whole, menu, it.desks, it.now_ns, closed)
    if not lots_may_pay(stated.problem):
        state.seen["no-trade: no whole lot pays"] += 1
        return None
    if len(menu.index) > config.menu_max:
        menu = menu.take(_choose(state, it, menu, stated))
        stated = books_problem_of(state, view, it.whole, menu, it.desks, it.now_ns, closed)
    p, limit = stated.problem, config.iteration_limit
    later = later_of_books(p, menu.shown_buy, menu.shown_sell, config.patience)
    found, lots = decide_books_lots(p, later, stated.forced, limit, config.min_gain_usd)
    if found.failure:
        return found
    price, forced = stated.price(found.price)
    part_of = part_by_price(state, view, menu, it.book, price, forced)
    decided = _decided(state, it, "joint", menu, found.lots.sum(axis=0), lots, price, found.iterations, part_of)
    return decided, stated


def _kept(it: _Round, d: _Decided) -> I64:
    """What is left of a decision once some of its orders may not go, (desks, m)."""
    lots = crossed_lots(it.names, d.menu, d.crossings)
    for draft in d.drafts:
        lots[:, draft.column] += d.market[:, draft.column]
    return lots


def _firm_calm(state: ManagerState, whole: View) -> bool:
    """Nobody's sum over the desks is beyond the firm's soft limit."""
    table = state.fold.table
    per_desk = table.per_desk
    total = np.zeros(per_desk)
    np.add.at(total, whole.rows % per_desk, whole.exposure)
    soft, _ = limit_columns(state.fold.limits, tuple(without_desk(name) for name in table.names[:per_desk]))
    return bool((np.abs(total) <= soft).all())


def _choose(state: ManagerState, it: _Round, menu: Menu, stated: StatedBooks) -> I64:
    """Columns of at most ``menu_max`` instruments by risk removed per cost for the desk that gains most, futures first."""
    pull, _ = stated.price(standing_price(stated.problem.shared))
    worth = np.zeros(len(menu.index))
    for desk in range(len(it.desks)):
        at = np.flatnonzero(it.book == desk)
        worth = np.maximum(worth, np.abs(pull[at] @ menu.sensitivity[at]))
    futures = state.setup.universe.kind[menu.index] == 0
    best = np.lexsort((menu.index, -worth / menu.cost, ~futures))[: state.setup.config.menu_max]
    return np.sort(best)


def _wishes(it: _Round, menu: Menu) -> Wishes:
    """Unused wishes by (agent, desk), lots (m,)."""
    out: dict[tuple[str, str], F64] = {}
    for p in it.wishing:
        for desk, lots in zip(p.desk, p.desk_alone_lots, strict=True):
            if desk in it.names:
                out[p.agent, desk] = wish_columns((replace(p, alone_lots=lots),), menu.index)[p.agent]
    return out


def _plain(state: ManagerState, it: _Round, method: str, iterations: int | None = None) -> _Decided | None:
    """The sum of each desk's wishes, scaled into the limits; of desks that wish for opposite sides the sum is left.

    ``iterations`` where it stands in for a solve that failed: then only if it gains.
    """
    working = {} if method == "alone" else it.view.working
    menu = menu_of(state, it.view.rows, working, it.now_ns, need_all=False)
    if not len(menu.index):
        return None
    wishes = _wishes(it, menu)
    total = np.zeros((len(it.names), len(menu.index)))
    for (_, desk), wish in wishes.items():
        total[it.names.index(desk)] += wish
    stated = books_problem_of(state, it.view, it.whole, menu, it.desks, it.now_ns)
    lots = fit_books(stated.problem, total)
    if iterations is None and not lots.any():
        return None
    price, _ = stated.price(standing_price(stated.problem.shared))
    part_of = part_by_wish(state, it.view, menu, it.book, it.names, wishes)
    decided = _decided(state, it, method, menu, total.sum(axis=0), lots, price, iterations or 0, part_of)
    if iterations is not None and not _improves(state, stated, _kept(it, decided)):
        return replace(decided, drafts=(), crossings=())
    return decided


def _improves(state: ManagerState, stated: StatedBooks, lots: I64) -> bool:
    p, trade = stated.problem, lots.astype(np.float64)
    return objective_books(p, np.zeros_like(trade)) - objective_books(p, trade) > state.setup.config.min_gain_usd


def _alone(state: ManagerState, entity: _Round, wall_ns: int) -> list[Instruction]:
    """Each agent's wish for each desk its own cycle and orders: nothing is netted, nothing crossed."""
    out: list[Instruction] = []
    for proposal in entity.wishing:
        for desk, lots in zip(proposal.desk, proposal.desk_alone_lots, strict=True):
            if desk not in entity.names:
                continue
            its = replace(proposal, desk=(desk,), desk_alone_lots=lots[None, :])
            it = replace(_round(state, entity.desks, entity.now_ns), proposals=(proposal,), wishing=(its,))
            decided = _plain(state, it, "alone")
            if decided is not None:
                out += _close(state, it, decided, wall_ns)
    return out


def _decided(
    state: ManagerState,
    it: _Round,
    method: str,
    menu: Menu,
    solution: F64,
    lots: I64,
    price: F64,
    iterations: int,
    part_of: PartOf,
) -> _Decided:
    """Part what the desks trade (desks, m) into crossings and orders, and leave out what a scope's limit stands against.

    A crossing stands or falls with both of its sides. Crossings come first: they are free.
    """
    market = lots - crossed(lots)
    drafts = drafts_of(it.names, menu, market, part_of)
    crossings = crossings_of(state, it.names, menu, lots - market, part_of, next_cycle_id(state))
    both = [sides_of(crossing) for crossing in crossings]
    first = [side for sides in both for side in sides]
    kept = {id(d) for d in admitted(state, (*first, *drafts), sides=len(first))}
    stand = [all(id(side) in kept for side in sides) for sides in both]
    out = [(c, sides) for c, sides, stands in zip(crossings, both, stand, strict=True) if not stands]
    if out:
        state.seen["crossings left out: limit of a scope"] += len(out)
    refused = {
        (desk, c.instrument)
        for c, sides in out
        for desk, side in zip((c.buyer, c.seller), sides, strict=True)
        if id(side) not in kept
    }
    kept_crossings = tuple(c for c, stands in zip(crossings, stand, strict=True) if stands)
    free = tuple(within_flows(state, [d for d in drafts if id(d) in kept], state.days.of(it.now_ns)))
    less = left_out(drafts, free)
    return _Decided(method, menu, solution, market, price, iterations, free, kept_crossings, frozenset(refused), less)


def _close(state: ManagerState, it: _Round, d: _Decided, wall_ns: int) -> list[Instruction]:
    """A recorded cycle, its orders and its crossings."""
    decision = Decision(d.method, it.view, d.menu, it.proposals, d.solution, d.price, d.iterations, d.drafts)
    cycle, lots = cycle_of(state, decision, _wishes(it, d.menu).values(), it.now_ns), _kept(it, d)
    after = it.view.exposure + moved_by_desks(d.menu, it.book, lots)
    cycle = replace(cycle, exposure_after=after, desk=it.names, desk_lots=lots, crossings=d.crossings)
    out = enter(state, cycle, wall_ns)
    if d.crossings:
        out.append(Publish(state.fold.ledger.update(state.now_ns, wall_ns, cycle.cycle_id)))
    return out

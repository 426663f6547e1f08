"""From a view and a menu to the QP of several desks: own limits on own trades, the firm's on what the market sees.

Every desk's factors are rows of their own; the price of risk stays one covariance of the firm's P&L, so that risk left by
one desk and the opposite left by another is not charged twice. A hard limit of a desk bounds its own trades, crossed or
not; the firm's limit for a factor bounds the sum over desks, which only the market's side can change.
*Tested by* tests/unit/test_manager_desks.py, tests/properties/test_desks_conserve.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from common.factors import without_desk
from common.messages import F64, I64
from common.universe import OPTION
from manager.attribution import deal
from manager.books_lots import allowed_books
from manager.books_qp import FIRM, BooksProblem
from manager.budgets_rows import scope_rows_of_desks
from manager.exposures import Bools, Rows, limit_columns
from manager.menu import Menu, moves, unknown_rows
from manager.netting import Problem, outside, standing_price
from manager.problem import Stated, problem_of
from manager.risk_price import kinks
from manager.state import ManagerState
from manager.view import View, known_of

#: Crossing a lot is charged this share of its cost in the market, a side: both sides together less than one order, so that
#: crossing always goes first, and what would not be worth an order is not crossed either. Charged next to nothing, desks
#: give each other hundreds of lots of nearly alike options for next to nothing, and a lot forth and back at every quote, since
#: the intervals move with what a desk holds. It is no external cost.
CROSSING_SHARE = 0.4
#: A row that only prices an excess has next to no quadratic part: this share of its factor's.
_LINEAR = 1e-3
_DELTAS, _CONVEX = ("delta:", "proxy:"), ("gamma:", "vega:")


@dataclass(frozen=True, slots=True)
class StatedBooks:
    """A problem of several desks; ``on_rows`` (F, f): 1 where a factor of it is one of the view's rows.

    A factor of the firm is every desk's row of it. ``forced`` (F,): True for a row that a broken hard limit added.
    """

    problem: BooksProblem
    on_rows: F64
    forced: Bools

    def price(self, dual: F64) -> tuple[F64, F64]:
        """Prices of risk on the view's rows, and the part of them that broken limits force, (f,) each."""
        return dual @ self.on_rows, np.where(self.forced, dual, 0.0) @ self.on_rows


@dataclass(frozen=True, slots=True)
class _Extra:
    """Rows beside the agents' own (e,): what a broken limit, or the firm's sum beyond its soft limit, is charged."""

    exposure: F64
    limit: F64
    kink: F64
    book: I64
    factor_of: Rows
    forced: Bools


def books_problem_of(
    state: ManagerState,
    view: View,
    whole: View,
    menu: Menu,
    desks: tuple[int, ...],
    now_ns: int,
    closed: frozenset[tuple[str, int]] = frozenset(),
) -> StatedBooks:
    """The QP of the desks of one legal entity. ``view`` holds their rows, ``whole`` everybody's.

    ``closed``: desk and instrument of what may not be traded for it.
    """
    # The rows on the desks' own limits are stated below: here they would bound what the market sees.
    free = problem_of(state, replace(view, hard=np.full(len(view.rows), np.inf)), menu, now_ns)
    book = _book_of(state, view, desks)
    known = known_of(state)
    firm_extra, firm_rows, firm_room = _firm(state, view, whole, known, menu)
    extra = _join(_broken(state, view, menu, book), firm_extra)
    shut = _unwatched(state, view, menu, book, len(desks))
    unknown = unknown_rows(state, view.rows)
    for k, desk in enumerate(desks):
        shut[k, moves(state, unknown[state.fold.table.desk[unknown] == desk], menu.index)] = 1.0
        mine = [at for name, at in closed if name == state.setup.book.desk_names[desk]]
        shut[k, np.isin(menu.index, mine)] = 1.0
    names = tuple(state.setup.book.desk_names[d] for d in desks)
    of_market, of_desks = scope_rows_of_desks(state, view, known, menu, book, names)
    own = _own_rows(view, menu, book, shut)
    shared = _with_extra(free, extra, menu)
    rows = np.vstack([shared.rows, firm_rows, of_market[0]])
    room = np.concatenate([shared.room, firm_room, of_market[1]])
    # Beyond what the caps allow anyway: such a row never binds.
    tight = rows @ np.concatenate([menu.buy_cap, menu.sell_cap]) > room
    return StatedBooks(
        BooksProblem(
            replace(shared, rows=rows[tight], room=room[tight]),
            np.concatenate([book[free.factor_of], extra.book]),
            len(desks),
            CROSSING_SHARE * menu.cost,
            np.vstack([own[0], of_desks[0]]),
            np.concatenate([own[1], of_desks[1]]),
            np.concatenate([own[2], of_desks[2]]),
        ),
        _on_rows(state, view, np.concatenate([free.factor_of, extra.factor_of]), extra),
        np.concatenate([free.forced, extra.forced]),
    )


def _on_rows(state: ManagerState, view: View, factor_of: Rows, extra: _Extra) -> F64:
    out = np.zeros((len(factor_of), len(view.rows)))
    out[np.arange(len(factor_of)), factor_of] = 1.0
    base = view.rows % state.fold.table.per_desk
    for k, at in enumerate(extra.factor_of, start=len(factor_of) - len(extra.factor_of)):
        if extra.book[k - len(factor_of)] == FIRM:
            out[k] = base == base[at]
    return out


def _book_of(state: ManagerState, view: View, desks: tuple[int, ...]) -> I64:
    at = {desk: k for k, desk in enumerate(desks)}
    return np.array([at[int(d)] for d in state.fold.table.desk[view.rows]], np.int64)


def _with_extra(free: Stated, extra: _Extra, menu: Menu) -> Problem:
    p, at = free.problem, extra.factor_of
    f, e = len(p.exposure), len(at)
    risk = np.zeros((f + e, f + e))
    risk[:f, :f] = p.risk
    row = {int(i): k for k, i in enumerate(free.factor_of)}
    risk[range(f, f + e), range(f, f + e)] = [_LINEAR * p.risk[row[int(i)], row[int(i)]] for i in at]
    return replace(
        p,
        exposure=np.concatenate([p.exposure, extra.exposure]),
        lower=np.concatenate([p.lower, -extra.limit]),
        upper=np.concatenate([p.upper, extra.limit]),
        kink=np.concatenate([p.kink, extra.kink]),
        risk=risk,
        sensitivity=np.vstack([p.sensitivity, menu.sensitivity[at]]),
    )


def _moved(menu: Menu) -> Bools:
    return np.asarray((np.abs(menu.sensitivity) > 0.0).any(axis=1))


def _broken(state: ManagerState, view: View, menu: Menu, book: I64) -> _Extra:
    """A desk's own hard limit that is broken: the excess has a dominant price."""
    at = np.flatnonzero((np.abs(view.exposure) > view.hard) & _moved(menu))
    config = state.setup.config
    _, dearest = kinks(menu.sensitivity[at], menu.cost, view.weighs_cost[at], 1.0, config.admissible_multiple)
    kink = config.breach_multiple * dearest
    return _Extra(view.exposure[at], view.hard[at], kink, book[at], at, np.ones(len(at), np.bool_))


def _join(a: _Extra, b: _Extra) -> _Extra:
    names = ("exposure", "limit", "kink", "book", "factor_of", "forced")
    return _Extra(**{name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in names})


def _firm(state: ManagerState, view: View, whole: View, known: View, menu: Menu) -> tuple[_Extra, F64, F64]:
    """The firm's limit of each factor on the sum over desks: what is beyond it, rows on (z+, z-), room.

    A desk that nobody speaks for takes its part of the room (``known``); nothing is traded to bring back what it may have.
    """
    table, config, m = state.fold.table, state.setup.config, len(menu.index)
    per_desk = table.per_desk
    bases = np.unique(view.rows % per_desk)
    soft, hard = limit_columns(state.fold.limits, tuple(without_desk(table.names[k]) for k in bases))
    extra: list[tuple[float, float, float, int, int, bool]] = []
    rows, room = [np.zeros((0, 2 * m))], []
    for k, base in enumerate(bases):
        of_all, of_mine = np.flatnonzero(whole.rows % per_desk == base), np.flatnonzero(view.rows % per_desk == base)
        s = menu.sensitivity[of_mine]
        if not np.isfinite(soft[k]) or not np.abs(s).any():
            continue
        up, down = np.maximum(s, 0.0).max(axis=0), np.maximum(-s, 0.0).max(axis=0)
        rows.append(np.vstack([np.hstack([up, down]), np.hstack([down, up])]))
        of_known = np.flatnonzero(known.rows % per_desk == base)
        room += [hard[k] - known.highest[of_known].sum(), hard[k] + known.lowest[of_known].sum()]
        total, first = float(whole.exposure[of_all].sum()), int(of_mine[0])
        if abs(total) > soft[k] and np.abs(menu.sensitivity[first]).any():
            weighs = np.ones(1, np.bool_)
            w, dearest = kinks(s[:1], menu.cost, weighs, config.kink_multiple, config.admissible_multiple)
            is_broken = abs(total) > hard[k]
            kink = config.breach_multiple * float(dearest[0]) if is_broken else float(w[0])
            extra.append((total, float(hard[k] if is_broken else soft[k]), kink, FIRM, first, bool(is_broken)))
    exposure, limit, kink_of, book, at, forced = (list(x) for x in zip(*extra, strict=True)) if extra else [[]] * 6
    found = _Extra(
        np.array(exposure, np.float64),
        np.array(limit, np.float64),
        np.array(kink_of, np.float64),
        np.array(book, np.int64),
        np.array(at, np.intp),
        np.array(forced, np.bool_),
    )
    return found, np.vstack(rows), np.maximum(np.array(room, np.float64), 0.0)


def _own_rows(view: View, menu: Menu, book: I64, closed: F64) -> tuple[F64, F64, I64]:
    """Rows on (x+, x-) of one desk each: its hard limits both ways, and none of what is ``closed`` (desks, m) to it."""
    limited = np.flatnonzero(np.isfinite(view.hard) & _moved(menu))
    up, down = np.maximum(menu.sensitivity[limited], 0.0), np.maximum(-menu.sensitivity[limited], 0.0)
    shut = np.flatnonzero(closed.any(axis=1))
    rows = np.vstack([np.hstack([up, down]), np.hstack([down, up]), np.hstack([closed[shut], closed[shut]])])
    room = np.concatenate([view.hard[limited] - view.highest[limited], view.hard[limited] + view.lowest[limited]])
    whose = np.concatenate([book[limited], book[limited], shut])
    return rows, np.concatenate([np.maximum(room, 0.0), np.zeros(len(shut))]), whose.astype(np.int64)


def _unwatched(state: ManagerState, view: View, menu: Menu, book: I64, desks: int) -> F64:
    """1 where a desk may not trade an instrument, (desks, m), since nobody of the desk would see what it brings.

    Crossing is free, so what one desk is rid of would flow to where nobody looks. A desk needs its delta of the underlying
    live, for an option also every gamma and vega factor that the option moves and that some desk has live.
    """
    table, universe = state.fold.table, state.setup.universe
    per_desk, m = table.per_desk, len(menu.index)
    watched = np.zeros((desks, len(universe.symbols)), np.bool_)
    live, moved = np.zeros((desks, per_desk), np.bool_), np.zeros((per_desk, m), np.bool_)
    for k, (row, desk) in enumerate(zip(view.rows, book, strict=True)):
        if table.names[row].startswith(_DELTAS):
            watched[desk, table.underlying[row]] = True
        elif table.names[row].startswith(_CONVEX):
            live[desk, row % per_desk] = True
            moved[row % per_desk] |= np.abs(menu.sensitivity[k]) > 0.0
    blind = (~live).astype(np.float64) @ moved.astype(np.float64) > 0.0
    option = universe.kind[menu.index] == OPTION
    return np.asarray((~watched[:, universe.underlying[menu.index]] | (blind & option)).astype(np.float64))


def lots_may_pay(p: BooksProblem) -> bool:
    """False where no trade of whole lots, in the market or between two desks, can lower the objective.

    As ``problem.whole_lot_may_pay``, desk by desk; a crossed lot may bring what it is worth to both sides.
    """
    q = p.shared
    r, price = outside(q.exposure, q.lower, q.upper), np.abs(standing_price(q))
    inward, far = -np.sign(r)[:, None] * q.sensitivity, np.abs(r)[:, None]
    buy = price[:, None] * np.minimum(np.maximum(inward, 0.0), far)
    sell = price[:, None] * np.minimum(np.maximum(-inward, 0.0), far)
    member = p.book[None, :] == np.arange(p.books)[:, None]
    of_firm = p.book == FIRM
    buys, sells = (member @ buy).max(axis=0), (member @ sell).max(axis=0)
    pays = (buys + buy[of_firm].sum(axis=0) > q.cost) & (q.buy_cap >= 1.0)
    pays |= (sells + sell[of_firm].sum(axis=0) > q.cost) & (q.sell_cap >= 1.0)
    return bool((pays | (buys + sells > 2.0 * p.crossing_cost)).any())


def fit_books(p: BooksProblem, wish: F64) -> I64:
    """Whole lots (desks, m) of the desks' wishes, scaled into caps, rows and own rows; nothing if that takes too long."""
    lots = np.sign(wish) * np.floor(np.abs(wish) + 0.5)
    _into_caps(p, lots)
    for _ in range(8):
        if allowed_books(p, lots):
            return lots.astype(np.int64)
        lots = np.trunc(lots * 0.999 * min(1.0, _share(p, lots)))
    return np.zeros(lots.shape, np.int64)


def _into_caps(p: BooksProblem, lots: F64) -> None:
    """Take what the market cannot give off the side that wants it, pro rata."""
    z = lots.sum(axis=0)
    for j in np.flatnonzero((z > p.shared.buy_cap) | (z < -p.shared.sell_cap)):
        side = 1.0 if z[j] > 0.0 else -1.0
        over = int(np.ceil(abs(z[j]) - (p.shared.buy_cap[j] if side > 0.0 else p.shared.sell_cap[j])))
        same = np.maximum(side * lots[:, j], 0.0)
        lots[:, j] -= side * np.array(deal(over, same.tolist()))


def _share(p: BooksProblem, lots: F64) -> float:
    """The part of a trade that every row has room for."""
    z = lots.sum(axis=0)
    mine = np.concatenate([np.maximum(lots, 0.0), np.maximum(-lots, 0.0)], axis=1)
    used = np.concatenate(
        [
            p.shared.rows @ np.concatenate([np.maximum(z, 0.0), np.maximum(-z, 0.0)]),
            (p.own_rows * mine[p.own_book]).sum(1),
        ]
    )
    room = np.concatenate([p.shared.room, p.own_room])
    over = used > room
    return float((room[over] / used[over]).min(initial=1.0))

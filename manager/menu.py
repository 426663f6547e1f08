"""What can be traded now, and what it costs: instruments from the agents' menus that may be used, as columns.

Usable: listed, both sides standing uncrossed with size, its source neither gapped nor stale, not resting, its
sensitivity stated now by every live owner of a factor of its underlying; an option only where somebody watches the
delta it brings; nothing that moves a factor that a hard limit counts while nobody says where it stands.
*Tested by* tests/unit/test_manager_menu.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from common.factors import key_of
from common.kernels import menu as kernels
from common.limits import OrderCaps
from common.messages import F64, I64, Side
from common.snapshot import MarketSnapshot
from common.subjects import feed_source
from common.units import CENTS_PER_USD, NS_PER_S
from common.universe import OPTION
from manager.budgets_rows import order_left, scope_caps
from manager.budgets_scopes import counted
from manager.exposures import Bools, FactorTable, Rows
from manager.scopes import stopped_underlyings
from manager.state import ManagerState

_Ticks = NDArray[np.int32]
#: (instrument, sign of the side) to most lots of an order; without an entry as many as there are.
Most = Mapping[tuple[int, int], int]
#: Impact is never quite 0, so that the cheapest trade is unique: this share of the cost for each lot.
_UNIQUE = 1e-4


@dataclass(frozen=True, slots=True)
class Menu:
    """m instruments: index (m,), sensitivity of the live factors (f, m), and per lot in USD what it costs and reserves.

    cost_cents, notional_cents: what one lot reserves. buy_cap, sell_cap: lots that may be ordered; shown_buy, shown_sell: that
    could be, did no order of ours work.
    """

    index: Rows
    sensitivity: F64
    cost: F64
    impact: F64
    root: F64
    cost_cents: I64
    notional_cents: I64
    buy_cap: F64
    sell_cap: F64
    shown_buy: F64
    shown_sell: F64

    def within(self, most: Most) -> Menu:
        """The same columns with no more lots, now or later, than ``most`` says."""
        if not most:
            return self
        buy, sell = Side.BUY.sign, Side.SELL.sign
        return replace(
            self,
            buy_cap=_fewer(most, self.index, self.buy_cap, buy),
            sell_cap=_fewer(most, self.index, self.sell_cap, sell),
            shown_buy=_fewer(most, self.index, self.shown_buy, buy),
            shown_sell=_fewer(most, self.index, self.shown_sell, sell),
        )

    def take(self, at: NDArray[np.intp]) -> Menu:
        """The same columns for a part of the instruments."""
        return Menu(
            self.index[at],
            self.sensitivity[:, at],
            self.cost[at],
            self.impact[at],
            self.root[at],
            self.cost_cents[at],
            self.notional_cents[at],
            self.buy_cap[at],
            self.sell_cap[at],
            self.shown_buy[at],
            self.shown_sell[at],
        )


def _fewer(most: Most, index: Rows, caps: F64, side: int) -> F64:
    out = caps.copy()
    for k, j in enumerate(index.tolist()):
        out[k] = min(out[k], most.get((j, side), out[k]))
    return out


def fresh_underlyings(state: ManagerState) -> Bools:
    """Whose source may be traded on, (u,): seen, no open gap, not older than the newest market time allows."""
    oldest = state.market.now_ns - int(state.setup.config.max_source_age_s * NS_PER_S)
    sources = (state.market.sources.get(feed_source(s)) for s in state.setup.universe.symbols)
    return np.array([s is not None and not s.gapped and s.event_time_ns >= oldest for s in sources], np.bool_)


def menu_of(state: ManagerState, live: Rows, working: Mapping[int, int], now_ns: int, *, need_all: bool) -> Menu:
    """Everything usable from the menus of the live agents, instruments ascending.

    ``need_all``: every live owner must state the sensitivity (joint netting); without, what is unknown is excluded only
    where the table has never seen it. With it, what rests since its orders ended unfilled stays for the patience as
    something that may be had later (``patience.py``), with no lots now.
    """
    fold, universe, market = state.fold, state.setup.universe, state.market
    listed = np.zeros(len(universe), np.bool_)
    for agent in set(fold.table.owner[live].tolist()):
        if agent in fold.proposals:
            listed[fold.proposals[agent].menu] = True
    at = np.flatnonzero(listed)
    table = fold.table
    if need_all:
        ok = kernels.known(at, live, table.stated, table.nature)
    else:
        ok = ~np.isnan(table.sensitivity[np.ix_(live, at)]).any(axis=0)
    fronts = universe.fronts(now_ns) if universe.rolls else np.zeros(0, np.intp)
    resting = [j for j, until in fold.rest_until_ns.items() if until > now_ns]
    rests, out = np.zeros(len(universe), np.bool_), np.zeros(len(universe), np.bool_)
    if resting:
        patience_ns = int(state.setup.config.patience_s * NS_PER_S)
        waits = {j for j, since in fold.unfilled_since_ns.items() if need_all and now_ns - since < patience_ns}
        out[[j for j in resting if j not in waits]] = True
        rests[resting] = True
    ok &= kernels.tradable(
        at, universe.listed, universe.underlying, universe.kind, OPTION, *_quotes(market),
        fresh_underlyings(state) & ~stopped_underlyings(state), _delta_watched(state, live), fronts, universe.rolls, out,
    )  # fmt: skip
    # Of several desks each one has its own to wait for (``books_problem.py``).
    if len(fold.ledger.desks) == 1 and len(unknown := unknown_rows(state, live)):
        ok &= ~moves(state, unknown, at)
    return columns_of(state, live, at[ok], working, rests[at[ok]])


def unknown_rows(state: ManagerState, live: Rows) -> Rows:
    """Rows that a hard limit counts, and nobody says where they stand now: what moves them may break it.

    So while keys move, at the start, and where an agent is silent, of all or of an underlying that it does not see. The common
    factor and proxies go on at what was last said of them, in a limit on several factors also at nothing before: another market's
    silence stops no hedge.
    """
    fold, table = state.fold, state.fold.table
    if fold.assignment is None:
        return live[:0]
    said = table.owner != ""
    unknown = said & (_of_one_market(table.names) | np.isnan(table.exposure))
    if silent := _unsaid(table, np.flatnonzero(said), fold.assignment.owner):
        unknown |= _owned(table.names, silent)
    unknown[live] = False
    return np.flatnonzero(unknown & guarded(state)) if unknown.any() else live[:0]


def _unsaid(table: FactorTable, said: Rows, owner: Mapping[str, str]) -> frozenset[str]:
    """Keys of whose underlying, for that desk, their owner has said nothing."""
    row_of = _first_rows(table.names)
    unsaid = owner.keys() - {_keys(table.names)[i] for i in said}
    if not unsaid:
        return frozenset()
    places = {(table.owner[i], table.underlying[i], table.desk[i]) for i in said}
    rows = ((key, row_of[key]) for key in unsaid)
    return frozenset(key for key, i in rows if (owner[key], table.underlying[i], table.desk[i]) not in places)


def guarded(state: ManagerState) -> Bools:
    """Rows that may be moved only while it is known where they stand, (f,): those with a hard limit of their own, and what of one
    underlying a hard limit on several factors counts."""
    fold = state.fold
    return np.asarray(np.isfinite(fold.hard) | (_of_one_market(fold.table.names) & counted(state)))


def moves(state: ManagerState, rows: Rows, at: Rows) -> Bools:
    """Which of the instruments (m,) move any of these rows, or may: where nobody has said."""
    return np.asarray((state.fold.table.sensitivity[np.ix_(rows, at)] != 0.0).any(axis=0))


@lru_cache(maxsize=4)
def _owned(names: tuple[str, ...], keys: frozenset[str]) -> Bools:
    """Which factors belong to these keys."""
    return np.array([key in keys for key in _keys(names)], np.bool_)


@lru_cache(maxsize=4)
def _keys(names: tuple[str, ...]) -> tuple[str, ...]:
    """The key of each factor."""
    return tuple(map(key_of, names))


@lru_cache(maxsize=4)
def _first_rows(names: tuple[str, ...]) -> dict[str, int]:
    """The first row of each key."""
    return {key: i for i, key in reversed([*enumerate(_keys(names))])}


@lru_cache(maxsize=4)
def _of_one_market(names: tuple[str, ...]) -> Bools:
    """Which factors are an underlying's own."""
    return np.array([name.startswith(("delta:", "gamma:", "vega:")) for name in names], np.bool_)


def _delta_watched(state: ManagerState, live: Rows) -> Bools:
    table, watched = state.fold.table, np.zeros(len(state.setup.universe.symbols), np.bool_)
    watched[table.underlying[live[_deltas(table.names)[live]]]] = True
    return watched


@lru_cache(maxsize=4)
def _deltas(names: tuple[str, ...]) -> Bools:
    """Which factors are the delta of an underlying."""
    return np.array([name.startswith(("delta:", "proxy:")) for name in names], np.bool_)


def columns_of(state: ManagerState, live: Rows, at: Rows, working: Mapping[int, int], rests: Bools) -> Menu:
    """These instruments (m,) as a menu; what ``rests`` (m,) is stated and has no lots now."""
    universe, market, config = state.setup.universe, state.market, state.setup.config
    tick_cents = state.fold.ledger.tick_cents
    cost, impact, root, cost_cents, notional_cents = kernels.dealt(
        at, *_quotes(market), tick_cents, universe.fee_cents, state.cost_shares, _UNIQUE, CENTS_PER_USD
    )
    cap = _order_cap(state.fold.limits.order, universe.kind[at], notional_cents)
    cap = np.where(order_left(state, at), scope_caps(state, live, at, notional_cents, cap), 0.0)
    for j, (lots, until_ns) in state.fold.too_large.items():
        if until_ns > state.now_ns:
            cap[at == j] = np.minimum(cap[at == j], lots)
    most_buy, most_sell = _shrinking(state, at, cap) if state.fold.reduce_only_until_ns else (cap, cap)
    own = np.array([working.get(j, 0) for j in at.tolist()], np.int64) if working else np.zeros(len(at), np.int64)
    sizes = market.bid_size_lots, market.ask_size_lots
    return Menu(
        at,
        state.fold.table.sensitivity[np.ix_(live, at)],
        cost,
        impact,
        root,
        cost_cents,
        notional_cents,
        *kernels.ordered(at, *sizes, config.quote_share, most_buy, most_sell, own, rests),
    )


def _quotes(market: MarketSnapshot) -> tuple[_Ticks, _Ticks, _Ticks, _Ticks]:
    return market.bid_ticks, market.ask_ticks, market.bid_size_lots, market.ask_size_lots


def _shrinking(state: ManagerState, at: Rows, cap: F64) -> tuple[F64, F64]:
    """Lots of either side that execution lets out where it is reduce-only: toward no traded position, not through it."""
    until_ns, traded = state.fold.reduce_only_until_ns, state.fold.ledger.traded[at]
    held = [u for u, until in until_ns.items() if until > state.now_ns]
    only = np.isin(state.setup.universe.underlying[at], held)
    return (
        np.where(only, np.minimum(cap, np.maximum(-traded, 0)), cap),
        np.where(only, np.minimum(cap, np.maximum(traded, 0)), cap),
    )


def _order_cap(caps: OrderCaps, kind: NDArray[np.uint8], notional_cents: I64) -> F64:
    lots = np.array((caps.max_lots_future, caps.max_lots_option), np.float64)[(kind == OPTION).view(np.uint8)]
    by_notional = np.floor(caps.max_notional_usd * CENTS_PER_USD / np.maximum(notional_cents, 1))
    return np.asarray(np.minimum(lots, by_notional))


def choose(menu: Menu, price: F64, futures: Bools, most: int) -> Rows:
    """Columns of at most ``most`` instruments by risk removed per cost at the standing price of risk, futures first.

    Futures stay because they take back the delta that options bring. Ties by lowest index; the choice is the cycle's
    menu.
    """
    score = np.abs(price @ menu.sensitivity) / menu.cost
    best = np.lexsort((menu.index, -score, ~futures))[:most]
    return np.sort(best)

"""What can be traded now, and what it costs: instruments from the agents' menus that may be used, as columns.

Usable: listed, both sides standing uncrossed with size, its source neither gapped nor stale, not resting, its
sensitivity stated now by every live owner of a factor of its underlying; an option only where somebody watches the
delta it brings.
*Tested by* tests/unit/test_manager_menu.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from common.limits import OrderCaps
from common.messages import F64, I64
from common.subjects import feed_source
from common.units import CENTS_PER_USD, NO_PRICE, NS_PER_S
from common.universe import OPTION
from manager.budgets_rows import scope_caps
from manager.exposures import Bools, Rows
from manager.scopes import stopped_underlyings
from manager.state import ManagerState

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
    grid = np.ix_(live, at)
    known = (fold.table.stated[grid] | fold.table.nature[grid]) if need_all else ~np.isnan(fold.table.sensitivity[grid])
    bid, ask = market.bid_ticks[at], market.ask_ticks[at]
    usable = fresh_underlyings(state) & ~stopped_underlyings(state)
    ok = (universe.listed[at] != 0) & usable[universe.underlying[at]]
    ok &= (bid > NO_PRICE) & (ask > NO_PRICE) & (bid < ask) & (bid >= 0)
    ok &= (market.bid_size_lots[at] > 0) & (market.ask_size_lots[at] > 0)
    ok &= known.all(axis=0)
    ok &= _delta_watched(state, live)[universe.underlying[at]] | (universe.kind[at] != OPTION)
    if universe.rolls:  # hedges are made in the front alone; the others are left by the roll
        ok &= (universe.kind[at] == OPTION) | (universe.fronts(now_ns)[universe.underlying[at]] == at)
    resting = [j for j, until in fold.rest_until_ns.items() if until > now_ns]
    rests = np.zeros(len(universe), np.bool_)
    if resting:
        patience_ns = int(state.setup.config.patience_s * NS_PER_S)
        waits = {j for j, since in fold.unfilled_since_ns.items() if need_all and now_ns - since < patience_ns}
        out = np.zeros(len(universe), np.bool_)
        out[[j for j in resting if j not in waits]] = True
        rests[resting] = True
        ok &= ~out[at]  # a tenth of the time of np.isin
    return columns_of(state, live, at[ok], working, rests[at[ok]])


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
    bid, ask = market.bid_ticks[at].astype(np.float64), market.ask_ticks[at].astype(np.float64)
    tick_cents, fee_cents = state.fold.ledger.tick_cents[at], universe.fee_cents[at]
    half_spread_cents = 0.5 * (ask - bid) * tick_cents
    spread_share, impact_share, root_share = state.cost_shares[:, at]
    cost = np.maximum(spread_share * half_spread_cents + fee_cents, 0.01) / CENTS_PER_USD
    sizes = np.minimum(market.bid_size_lots[at], market.ask_size_lots[at])
    impact = impact_share * half_spread_cents / CENTS_PER_USD / sizes + _UNIQUE * cost
    notional_cents = np.ceil(ask * tick_cents).astype(np.int64)
    cap = _order_cap(state.fold.limits.order, universe.kind[at], notional_cents)
    cap = scope_caps(state, live, at, notional_cents, cap)
    for j, (lots, until_ns) in state.fold.too_large.items():
        if until_ns > state.now_ns:
            cap[at == j] = np.minimum(cap[at == j], lots)
    own = np.array([working.get(int(j), 0) for j in at], np.int64)
    shown_buy = np.minimum(np.floor(market.ask_size_lots[at] * config.quote_share), cap)
    shown_sell = np.minimum(np.floor(market.bid_size_lots[at] * config.quote_share), cap)
    if state.fold.reduce_only_until_ns:
        shown_buy, shown_sell = _shrinking(state, at, shown_buy, shown_sell)
    return Menu(
        at,
        state.fold.table.sensitivity[np.ix_(live, at)],
        cost,
        impact,
        root_share * half_spread_cents / CENTS_PER_USD / np.sqrt(sizes),
        np.ceil(half_spread_cents).astype(np.int64) + fee_cents,
        notional_cents,
        # An order against one of our own that still works could trade with it.
        np.where(rests | (own < 0), 0.0, np.maximum(shown_buy - np.maximum(own, 0), 0.0)),
        np.where(rests | (own > 0), 0.0, np.maximum(shown_sell - np.maximum(-own, 0), 0.0)),
        shown_buy,
        shown_sell,
    )


def _shrinking(state: ManagerState, at: Rows, buy: F64, sell: F64) -> tuple[F64, F64]:
    """Lots of either side that execution lets out where it is reduce-only: toward no traded position, not through it."""
    until_ns, traded = state.fold.reduce_only_until_ns, state.fold.ledger.traded[at]
    held = [u for u, until in until_ns.items() if until > state.now_ns]
    only = np.isin(state.setup.universe.underlying[at], held)
    return (
        np.where(only, np.minimum(buy, np.maximum(-traded, 0)), buy),
        np.where(only, np.minimum(sell, np.maximum(traded, 0)), sell),
    )


def _order_cap(caps: OrderCaps, kind: NDArray[np.uint8], notional_cents: I64) -> F64:
    lots = np.where(kind == OPTION, caps.max_lots_option, caps.max_lots_future)
    by_notional = np.floor(caps.max_notional_usd * CENTS_PER_USD / np.maximum(notional_cents, 1))
    return np.asarray(np.minimum(lots, by_notional), np.float64)


def choose(menu: Menu, price: F64, futures: Bools, most: int) -> Rows:
    """Columns of at most ``most`` instruments by risk removed per cost at the standing price of risk, futures first.

    Futures stay because they take back the delta that options bring. Ties by lowest index; the choice is the cycle's
    menu.
    """
    score = np.abs(price @ menu.sensitivity) / menu.cost
    best = np.lexsort((menu.index, -score, ~futures))[:most]
    return np.sort(best)

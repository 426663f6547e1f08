"""A small synthetic market for the tests of kernels and agents: known smile, quotes at true prices ± half a spread.

Prices come from scipy's normal distribution, not from the project's kernels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from agents.config import AgentsConfig
from agents.sharding import all_keys, assign
from agents.step import AgentSetup, AgentState, Decide, start, step
from common.messages import AssignmentUpdate, BudgetUpdate, Header, PositionUpdate, Proposal, QuoteBatch
from common.units import NO_PRICE, NS_PER_DAY, NS_PER_S, NS_PER_YEAR
from common.universe import FUTURE, OPTION, Book, Underlying, Universe

NOW_NS = 1_517_840_000 * NS_PER_S
DAYS = (5, 12, 25, 46, 74)
HELD_DAYS = (18, 60, 120)


def black_price(forward, strike, tau, vol, rate, right):
    """Black-76 by scipy; arrays."""
    s = vol * np.sqrt(tau)
    d1 = np.log(forward / strike) / s + 0.5 * s
    value = right * (forward * norm.cdf(right * d1) - strike * norm.cdf(right * (d1 - s)))
    return np.exp(-rate * tau) * value


def true_vol(log_moneyness, tau):
    """The smile of the synthetic market: level, skew that fades with √τ, curvature; positive everywhere used."""
    z = log_moneyness / np.sqrt(np.maximum(tau, 1 / 365))
    return 0.16 + 0.02 * np.sqrt(tau) - 0.08 * z + 0.10 * z * z


@dataclass
class Market:
    """Universe, and quotes of it at a time and price. One future a symbol unless listed in ``without_future``."""

    universe: Universe
    future_price: dict[str, float]
    listed_rows: dict[str, np.ndarray]
    sequence: dict[str, int]

    def forward(self, symbol: str, expiry_ns) -> np.ndarray:
        """Forward for expiries."""
        u = self.universe.underlyings[self.universe.underlying_index(symbol)]
        base_ns = NOW_NS + 40 * NS_PER_DAY
        return self.future_price[symbol] * np.exp(u.carry_per_year * (expiry_ns - base_ns) / NS_PER_YEAR)

    def quotes(self, symbol: str, now_ns: int = NOW_NS, *, spread: float = 0.01, crossed=(), rows=None) -> QuoteBatch:
        """The next batch of one underlying: every listed contract, or ``rows``."""
        u = self.universe
        at = self.listed_rows[symbol] if rows is None else np.asarray(rows)
        tau = (u.expiry_ns[at] - now_ns) / NS_PER_YEAR
        forward = self.forward(symbol, u.expiry_ns[at])
        rate = u.underlyings[u.underlying_index(symbol)].rate_per_year
        strike = np.where(u.kind[at] == OPTION, u.strike[at], forward)
        vol = true_vol(np.log(strike / forward), tau)
        option = black_price(forward, strike, np.maximum(tau, 1e-9), vol, rate, u.right[at])
        mid = np.where(u.kind[at] == OPTION, option, self.future_price[symbol])
        half = np.where(u.kind[at] == OPTION, np.maximum(spread * mid / 2, u.tick_size[at]), u.tick_size[at])
        bid = np.maximum(np.round((mid - half) / u.tick_size[at]), 0).astype(np.int32)
        ask = np.maximum(np.round((mid + half) / u.tick_size[at]), bid + 1).astype(np.int32)
        bad = np.isin(at, np.asarray(crossed, np.int64))
        bid = np.where(bad, ask + 1, bid).astype(np.int32)
        self.sequence[symbol] = self.sequence.get(symbol, 0) + 1
        head = Header(f"feed.{symbol}", self.sequence[symbol], now_ns, receive_time_ns=now_ns + 7)
        size = np.full(len(at), 30, np.int32)
        return QuoteBatch(head, at.astype(np.uint32), bid, ask, size, size.copy())


def make_market(
    symbols: dict[str, float], *, without_future: tuple[str, ...] = (), strikes: int = 34, tick: float = 0.01
) -> Market:
    """``strikes`` strikes for each of DAYS are listed; unlisted strikes and expiries (HELD_DAYS) stand besides."""
    rows: list[tuple] = []
    underlyings = []
    listed: dict[str, np.ndarray] = {}
    for i, (symbol, price) in enumerate(symbols.items()):
        first = len(rows)
        future = -1
        if symbol not in without_future:
            future = first
            rows.append((f"{symbol} F", FUTURE, i, NOW_NS + 40 * NS_PER_DAY, 0.0, 0, 50.0, 0.25, 120, 1))
        underlyings.append(Underlying(symbol, future, 0.013, 0.02))
        for days in DAYS:
            sd = 0.17 * np.sqrt(days / 365)
            for k in price * np.exp(sd * np.linspace(-2.5, 2.0, strikes)):
                rows += [_option(symbol, i, days, float(np.round(k, 1)), right, tick, 1) for right in (1, -1)]
        end = len(rows)
        listed[symbol] = np.arange(first, end)
        for days in HELD_DAYS + DAYS[1:3]:
            for z in (-1.7, -0.33, 0.4, 1.3):
                k = float(np.round(price * np.exp(0.17 * np.sqrt(days / 365) * z), 1)) + 0.05
                rows += [_option(symbol, i, days, k, right, tick, 0) for right in (1, -1)]
    columns = list(zip(*rows, strict=True))
    n = len(symbols)
    sigma = 0.01 * (1 + 0.2 * np.arange(n))
    universe = Universe(
        instrument_id=tuple(columns[0]),
        kind=np.array(columns[1], np.uint8),
        underlying=np.array(columns[2], np.uint16),
        expiry_ns=np.array(columns[3], np.int64),
        strike=np.array(columns[4]),
        right=np.array(columns[5], np.int8),
        style=np.zeros(len(rows), np.uint8),
        multiplier_usd=np.array(columns[6]),
        tick_size=np.array(columns[7]),
        fee_cents=np.array(columns[8], np.int64),
        listed=np.array(columns[9], np.uint8),
        underlyings=tuple(underlyings),
        covariance_daily=np.outer(sigma, sigma) * (0.15 * np.eye(n) + 0.85),
    )
    return Market(universe, dict(symbols), listed, {})


def _option(symbol, i, days, strike, right, tick, listed):
    expiry_ns = NOW_NS + days * NS_PER_DAY
    side = "C" if right > 0 else "P"
    tag = "" if listed else " X"
    return (f"{symbol} {days}d {strike} {side}{tag}", OPTION, i, expiry_ns, strike, right, 100.0, tick, 65, listed)


def make_book(universe: Universe, positions: int, seed: int = 5) -> Book:
    """Short-biased random book over all options; some rows repeat an instrument."""
    rng = np.random.default_rng(seed)
    options = np.flatnonzero(universe.kind == OPTION)
    at = rng.choice(options, positions).astype(np.uint32)
    lots = rng.integers(-30, 21, positions).astype(np.int64)
    return Book("desk", tuple("A" for _ in at), at, lots)


def position_update(version: int = 0, at=(), lots=()) -> PositionUpdate:
    """What was traded since the open."""
    head = Header("manager", version + 1, NOW_NS)
    return PositionUpdate(head, version, np.array(at, np.uint32), np.array(lots, np.int64))


def budget_update(epoch: int = 1, risk_aversion: float = 1e-7, **limits: float) -> BudgetUpdate:
    """Budgets; ``limits`` by factor name with ``__`` for ``:``."""
    names = tuple(name.replace("__", ":") for name in limits)
    soft = np.array(list(limits.values()), np.float64)
    return BudgetUpdate(Header("manager", 100 + epoch, NOW_NS), epoch, names, soft, np.zeros(len(soft)), risk_aversion)


def assignment_of(universe: Universe, book: Book, config: AgentsConfig, version: int = 1) -> AssignmentUpdate:
    """Every key to its rendezvous owner."""
    owner = assign(all_keys(universe, book, NOW_NS), config.shards)
    return AssignmentUpdate(Header("manager", 50 + version, NOW_NS), version, owner)


def feed(state: AgentState, *events) -> list[Proposal]:
    """Step through events, collecting proposals."""
    out: list[Proposal] = []
    for event in events:
        state, more = step(state, event)
        out += more
    return out


def ready_agent(market: Market, book: Book, kind: str, config: AgentsConfig | None = None, **budget) -> AgentState:
    """An agent that owns all keys of its kind, with quotes of every underlying applied."""
    config = config or AgentsConfig(shards={"gamma": 1, "vega": 1, "cross_asset": 1})
    state = start(AgentSetup(market.universe, book, kind, 0, config, 1))
    feed(state, position_update(), budget_update(**budget), assignment_of(market.universe, book, config))
    for symbol in market.universe.symbols:
        feed(state, replace(market.quotes(symbol), snapshot=True))
    return state


def first_proposal(state: AgentState) -> Proposal:
    """What it proposes now; fails with its status if it does not."""
    proposals = feed(state, Decide())
    assert len(proposals) == 1, state.status
    return proposals[0]


def absent(batch: QuoteBatch, row: int) -> QuoteBatch:
    """The batch with one contract's bid absent."""
    bid = batch.bid_ticks.copy()
    bid[batch.instrument == row] = NO_PRICE
    return QuoteBatch(batch.header, batch.instrument, bid, batch.ask_ticks, batch.bid_size_lots, batch.ask_size_lots)

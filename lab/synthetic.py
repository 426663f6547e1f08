"""A small seeded market for tests and benchmarks: index futures and European options, nothing taken from a real day.

Futures follow correlated geometric Brownian motion without overnight moves; volatilities are one smile in ln(K/F)/√τ
whose level wanders; half spreads are a share of the premium. Deterministic: two iterations are equal byte for byte.
*Tested by* tests/unit/test_lab_synthetic.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from common.kernels.black76 import black76
from common.kernels.layout import DELTA, GREEKS, PRICE
from common.messages import F64, Header, QuoteBatch
from common.subjects import feed_source
from common.units import NS_PER_DAY, NS_PER_S, NS_PER_YEAR, TRADING_DAYS_PER_YEAR
from common.universe import EUROPEAN, FUTURE, OPTION, Book, Underlying, Universe

SESSION_S = 23_400
_OPEN_NS = 1_767_364_200 * NS_PER_S  # Friday 2026-01-02 14:30 UTC
_EXPIRY_DAYS = (9, 16, 37, 72)
_VOL = 0.2
_CORRELATION = 0.8
_FUTURE_MULTIPLIER, _FUTURE_TICK = 50.0, 0.25
_OPTION_MULTIPLIER, _OPTION_TICK = 100.0, 0.05


@dataclass(frozen=True)
class SyntheticMarket:
    """``sessions`` days of ``session_s`` seconds; every quote anew each ``step_s``, in batches of ``batch_max``.

    ``strikes`` per expiry and side; 8 × strikes options for each symbol.
    """

    symbols: tuple[str, ...] = ("AAA", "BBB")
    sessions: int = 1
    session_s: int = SESSION_S
    step_s: float = 60.0
    strikes: int = 12
    batch_max: int = 200
    seed: int = 1

    @cached_property
    def universe(self) -> Universe:
        """Futures first in each underlying's block, then options by expiry, strike, right."""
        rows: list[tuple[str, int, int, int, float, int]] = []
        underlyings = []
        for k, symbol in enumerate(self.symbols):
            underlyings.append(Underlying(symbol, len(rows), 0.01, 0.02))
            rows.append((f"{symbol}-FUT", FUTURE, k, _OPEN_NS + 80 * NS_PER_DAY, 0.0, 0))
            for days in _EXPIRY_DAYS:
                width = 1.6 * _VOL * np.sqrt(days / 365.0)
                for moneyness in np.linspace(-width, width, self.strikes):
                    strike = round(self._start(k) * np.exp(moneyness) / 5.0) * 5.0
                    expiry = _OPEN_NS + days * NS_PER_DAY
                    for name, right in (("C", 1), ("P", -1)):
                        rows.append((f"{symbol}-{days}D-{strike:g}{name}", OPTION, k, expiry, strike, right))
        ids, kind, underlying, expiry_ns, strikes, rights = zip(*rows, strict=True)
        option = np.array(kind) == OPTION
        daily = _VOL**2 / TRADING_DAYS_PER_YEAR
        u = len(self.symbols)
        return Universe(
            instrument_id=ids,
            kind=np.array(kind, np.uint8),
            underlying=np.array(underlying, np.uint16),
            expiry_ns=np.array(expiry_ns, np.int64),
            strike=np.array(strikes, np.float64),
            right=np.array(rights, np.int8),
            style=np.full(len(ids), EUROPEAN, np.uint8),
            multiplier_usd=np.where(option, _OPTION_MULTIPLIER, _FUTURE_MULTIPLIER),
            tick_size=np.where(option, _OPTION_TICK, _FUTURE_TICK),
            fee_cents=np.where(option, 65, 130).astype(np.int64),
            listed=np.ones(len(ids), np.uint8),
            underlyings=tuple(underlyings),
            covariance_daily=daily * (_CORRELATION + (1.0 - _CORRELATION) * np.eye(u)),
            covariance_source="stated: 20 % a year, correlation 0.8",
        )

    @staticmethod
    def _start(k: int) -> float:
        return 3000.0 + 2000.0 * k

    @property
    def statements(self) -> tuple[str, ...]:
        """Nothing is real."""
        return ("Everything is modelled: a seeded random market for tests and benchmarks, no real quote in it.",)

    @property
    def session_bounds_ns(self) -> tuple[tuple[int, int], ...]:
        """One session a calendar day."""
        starts = (_OPEN_NS + d * NS_PER_DAY for d in range(self.sessions))
        return tuple((s, s + self.session_s * NS_PER_S) for s in starts)

    def batches(self) -> Iterator[QuoteBatch]:
        """Every quote of every underlying at every step."""
        rng = np.random.default_rng(self.seed)
        u = len(self.symbols)
        price = np.array([self._start(k) for k in range(u)])
        level = np.full(u, _VOL)
        root = np.linalg.cholesky(_CORRELATION + (1.0 - _CORRELATION) * np.eye(u))
        sequence = [0] * u
        days = self.step_s / SESSION_S
        for opens, closes in self.session_bounds_ns:
            for now in range(opens, closes + 1, int(self.step_s * NS_PER_S)):
                z = root @ rng.standard_normal(u)
                price *= np.exp(_VOL * np.sqrt(days / TRADING_DAYS_PER_YEAR) * z)
                level += 0.01 * np.sqrt(days) * rng.standard_normal(u) - 0.05 * days * (level - _VOL)
                for k in range(u):
                    yield from self._quotes(k, now, price[k], level[k], sequence)

    def _quotes(self, k: int, now: int, future: float, level: float, sequence: list[int]) -> Iterator[QuoteBatch]:
        universe = self.universe
        every = universe.rows_of(self.symbols[k])
        live = universe.expiry_ns[every] > now
        rows = every[live]
        mid = theoretical(universe, k, now, future, level)[0][live]
        tick = universe.tick_size[rows]
        option = universe.kind[rows] == OPTION
        half = np.where(option, np.maximum(0.005 * mid, 0.5 * tick), 0.5 * tick)
        bid = np.maximum(np.floor((mid - half) / tick + 0.5), 1).astype(np.int32)
        ask = np.maximum(np.ceil((mid + half) / tick - 0.5), bid + 1).astype(np.int32)
        size = np.where(option, 50, 400).astype(np.int32)
        for start in range(0, len(rows), self.batch_max):
            part = slice(start, start + self.batch_max)
            sequence[k] += 1
            yield QuoteBatch(
                Header(feed_source(self.symbols[k]), sequence[k], now),
                rows[part].astype(np.uint32),
                bid[part],
                ask[part],
                size[part],
                size[part],
            )


def theoretical(universe: Universe, k: int, now_ns: int, future: float, level: float) -> tuple[F64, F64]:
    """Model price and delta in points of every instrument of underlying ``k``, in row order."""
    rows = universe.rows_of(universe.symbols[k])
    u = universe.underlyings[k]
    tau = np.maximum(universe.expiry_ns[rows] - now_ns, NS_PER_S) / NS_PER_YEAR
    forward = future * np.exp(u.carry_per_year * (universe.expiry_ns[rows] - universe.expiry_ns[rows[0]]) / NS_PER_YEAR)
    option = universe.kind[rows] == OPTION
    strike = np.where(option, universe.strike[rows], 1.0)
    z = np.log(strike / forward) / np.sqrt(tau)
    vol = np.maximum(level - 0.05 * z + 0.05 * z * z, 0.05)
    right = np.where(option, universe.right[rows], 1).astype(np.float64)
    out = np.empty((GREEKS, len(rows)))
    black76(forward, strike, tau, vol, np.full(len(rows), u.rate_per_year), right, out)
    return np.where(option, out[PRICE], future), np.where(option, out[DELTA], 1.0)


def short_book(market: SyntheticMarket, positions: int, seed: int = 7, book_id: str = "desk") -> Book:
    """A desk short ``positions`` options picked at random, its delta at the open taken out with futures."""
    rng = np.random.default_rng(seed)
    universe = market.universe
    options = np.flatnonzero(universe.kind == OPTION)
    picked = np.sort(rng.choice(options, size=min(positions, len(options)), replace=False))
    lots = -rng.integers(1, 20, len(picked))
    instrument, quantity = list(picked), list(lots)
    for k, u in enumerate(universe.underlyings):
        mine = universe.rows_of(u.symbol)
        delta = dict(zip(mine.tolist(), theoretical(universe, k, _OPEN_NS, market._start(k), _VOL)[1], strict=True))
        total = sum(float(q) * delta[int(i)] for i, q in zip(picked, lots, strict=True) if int(i) in delta)
        hedge = -round(total * _OPTION_MULTIPLIER / _FUTURE_MULTIPLIER)
        if hedge:
            instrument.append(u.future_instrument)
            quantity.append(hedge)
    count = len(instrument)
    return Book(book_id, ("clients",) * count, np.array(instrument, np.uint32), np.array(quantity, np.int64))

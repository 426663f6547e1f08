"""Marks on a grid of market times: the standing mid where an instrument is quoted, a fitted surface where it is not.

Grid: each session's open, then every 30 minutes, then its close; overnight is one step from close to open. A mark is
(1) the last mid of a usable quote, if there ever was one; (2) for an option without quotes, Black-76 on the smile
fitted to the out-of-the-money mids of its expiry, between listed expiries linear in total variance at equal normalised
strike; (3) after expiry, intrinsic value on the forward that stood then. *Tested by* tests/unit/test_lab_marks.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.kernels.black76 import black76
from common.kernels.implied_vol import implied_vol
from common.kernels.layout import GREEKS, PRICE, VEGA
from common.kernels.smile import FIT_SIZE, fit_smile, smile_vol
from common.messages import F64, I64, QuoteBatch
from common.ports import MarketSource
from common.units import NO_PRICE, NS_PER_MIN, NS_PER_YEAR
from common.universe import FUTURE, OPTION, Universe

GRID_NS = 30 * NS_PER_MIN


@dataclass(frozen=True)
class Marks:
    """``points`` (g, n) per instrument at ``times_ns`` (g,), NaN where nothing is known; ``session`` (g,)."""

    times_ns: I64
    session: I64
    points: F64


def grid(session_bounds_ns: Iterable[tuple[int, int]], step_ns: int = GRID_NS) -> tuple[I64, I64]:
    """Grid times and the session of each, both (g,)."""
    times: list[int] = []
    session: list[int] = []
    for k, (opens, closes) in enumerate(session_bounds_ns):
        inside = [*range(opens, closes, step_ns), closes]
        times += inside
        session += [k] * len(inside)
    return np.array(times, np.int64), np.array(session, np.int64)


class Marker:
    """Collects marks while batches pass by: ``on_batch`` for each in order, then ``finish``."""

    def __init__(
        self, universe: Universe, off_grid: Iterable[int], session_bounds_ns: Iterable[tuple[int, int]]
    ) -> None:
        self.universe = universe
        self.off_grid = np.array(sorted(set(off_grid)), np.intp)
        self._times, self._session = grid(session_bounds_ns)
        self._at = 0
        self._mid = np.full(len(universe), np.nan)
        self._half_spread = np.full(len(universe), np.nan)
        self._now = 0
        self._heard: set[str] = set()
        self._rows: list[F64] = []
        self._kept: list[tuple[int, int]] = []
        self._settled: dict[int, float] = {}
        self._expiries = _expiry_rows(universe)

    def on_batch(self, batch: QuoteBatch) -> None:
        """Take a batch in; batches come in order of event time."""
        time = batch.header.event_time_ns
        if time > self._now:
            self._close_time(time)
            self._now = time
        self._heard.add(batch.header.source)
        at = batch.instrument
        bid, ask = batch.bid_ticks, batch.ask_ticks
        ok = (bid > NO_PRICE) & (ask > NO_PRICE) & (bid < ask) & (batch.bid_size_lots > 0) & (batch.ask_size_lots > 0)
        rows = at[ok]
        tick = self.universe.tick_size[rows]
        low, high = bid[ok] * tick, ask[ok] * tick
        self._mid[rows] = 0.5 * (low + high)
        self._half_spread[rows] = 0.5 * (high - low)

    def finish(self) -> Marks:
        """The marks up to the last batch. Raises ``ValueError`` if nothing was ever marked."""
        self._close_time(self._now + 1)
        if self._rows and self._kept[-1][0] < self._now and self._at < len(self._times):
            self._record(self._now, int(self._session[self._at]))
        if not self._rows:
            raise ValueError("no grid time with quotes of every underlying: nothing to mark")
        points = np.array(self._rows)
        for g in range(len(points) - 2, -1, -1):
            points[g] = np.where(np.isnan(points[g]), points[g + 1], points[g])
        kept = np.array(self._kept, np.int64)
        return Marks(kept[:, 0].copy(), kept[:, 1].copy(), points)

    def _close_time(self, following_ns: int) -> None:
        """Everything up to ``_now`` has been seen and the next batch is at ``following_ns``."""
        if not self._kept and len(self._heard) < len(self.universe.underlyings):
            # The first mark waits until every underlying has spoken; grid times before that do not count.
            while self._at < len(self._times) and self._times[self._at] < following_ns:
                self._at += 1
            return
        if not self._kept:
            self._record(self._now, int(self._session[max(self._at - 1, 0)]))
        while self._at < len(self._times) and self._times[self._at] < following_ns:
            if self._times[self._at] > self._kept[-1][0]:
                self._record(int(self._times[self._at]), int(self._session[self._at]))
            self._at += 1

    def _record(self, time_ns: int, session: int) -> None:
        row = self._mid.copy()
        live = self.off_grid[np.isnan(row[self.off_grid])]
        if len(live):
            row[live] = self._surface(live, time_ns)
        self._settle(row, time_ns)
        self._rows.append(row)
        self._kept.append((time_ns, session))

    def _settle(self, row: F64, time_ns: int) -> None:
        u = self.universe
        expired = np.flatnonzero((u.kind == OPTION) & (u.expiry_ns <= time_ns))
        for i in expired:
            if int(i) not in self._settled:
                forward = self._forward(int(u.underlying[i]), int(u.expiry_ns[i]), time_ns)
                self._settled[int(i)] = max(float(u.right[i]) * (forward - float(u.strike[i])), 0.0)
            row[i] = self._settled[int(i)]

    def _forward(self, underlying: int, expiry_ns: int, time_ns: int) -> float:
        """Forward of an expiry from the future, or by parity at the nearest listed expiry where there is no future."""
        u = self.universe.underlyings[underlying]
        if (future := u.front(time_ns)) >= 0:
            base, base_ns = float(self._mid[future]), int(self.universe.expiry_ns[future])
        else:
            base, base_ns = self._parity(underlying, expiry_ns, time_ns)
        return base * float(np.exp(u.carry_per_year * (expiry_ns - base_ns) / NS_PER_YEAR))

    def _parity(self, underlying: int, expiry_ns: int, time_ns: int) -> tuple[float, int]:
        """K + e^(rτ) (C - P) where call and put are closest, at the listed expiry nearest to ``expiry_ns``; NaN without."""
        universe, rate = self.universe, self.universe.underlyings[underlying].rate_per_year
        for listed_ns, rows in sorted(self._expiries[underlying], key=lambda e: abs(e[0] - expiry_ns)):
            calls = {float(universe.strike[i]): self._mid[i] for i in rows if universe.right[i] > 0}
            puts = {float(universe.strike[i]): self._mid[i] for i in rows if universe.right[i] < 0}
            gaps = {k: calls[k] - puts[k] for k in calls.keys() & puts.keys() if np.isfinite(calls[k] - puts[k])}
            if gaps:
                strike = min(gaps, key=lambda k: (abs(gaps[k]), k))
                years = max(listed_ns - time_ns, 0) / NS_PER_YEAR
                return strike + float(np.exp(rate * years)) * gaps[strike], listed_ns
        return float("nan"), expiry_ns

    def _surface(self, rows: NDArray[np.intp], time_ns: int) -> F64:
        out = np.full(len(rows), np.nan)
        u = self.universe
        for k in range(len(u.underlyings)):
            mine = np.flatnonzero(u.underlying[rows] == k)
            if not len(mine):
                continue
            taus, fits = self._fits(k, time_ns)
            if len(taus):
                out[mine] = self._price(rows[mine], k, time_ns, taus, fits)
        return out

    def _fits(self, underlying: int, time_ns: int) -> tuple[F64, F64]:
        """Times to expiry (e,) ascending and fits (e, FIT_SIZE) of the expiries that can be fitted."""
        u = self.universe
        taus, fits = [], []
        for expiry_ns, rows in self._expiries[underlying]:
            tau = (expiry_ns - time_ns) / NS_PER_YEAR
            forward = self._forward(underlying, expiry_ns, time_ns)
            rows = rows[np.isfinite(self._mid[rows])]
            rows = rows[(u.strike[rows] - forward) * u.right[rows] >= 0.0]
            if tau <= 0.0 or not len(rows) or not np.isfinite(forward):
                continue
            vol = np.empty(len(rows))
            columns = _columns(u, rows, forward, tau)
            implied_vol(self._mid[rows], *columns, vol)
            greeks = np.empty((GREEKS, len(rows)))
            black76(columns[0], columns[1], columns[2], np.where(np.isnan(vol), 0.2, vol), *columns[3:], greeks)
            weight = (greeks[VEGA] / np.maximum(self._half_spread[rows], 0.5 * u.tick_size[rows])) ** 2
            fit = np.zeros(FIT_SIZE)
            if fit_smile(np.log(u.strike[rows] / forward), vol, weight, float(np.log(forward)), tau, fit):
                taus.append(tau)
                fits.append(fit)
        return np.array(taus), np.array(fits).reshape(len(fits), FIT_SIZE)

    def _price(self, rows: NDArray[np.intp], underlying: int, time_ns: int, taus: F64, fits: F64) -> F64:
        u = self.universe
        tau = np.maximum((u.expiry_ns[rows] - time_ns) / NS_PER_YEAR, 0.0)
        forward = np.array([self._forward(underlying, int(e), time_ns) for e in u.expiry_ns[rows]])
        vol = np.array(
            [_vol(taus, fits, t, np.log(k / f)) for t, k, f in zip(tau, u.strike[rows], forward, strict=True)]
        )
        rate = np.full(len(rows), u.underlyings[underlying].rate_per_year)
        out = np.empty((GREEKS, len(rows)))
        black76(forward, u.strike[rows], tau, vol, rate, u.right[rows].astype(np.float64), out)
        return np.asarray(out[PRICE])


def _columns(u: Universe, rows: NDArray[np.intp], forward: float, tau: float) -> tuple[F64, F64, F64, F64, F64]:
    n = len(rows)
    rate = u.underlyings[int(u.underlying[rows[0]])].rate_per_year
    right = u.right[rows].astype(np.float64)
    return np.full(n, forward), u.strike[rows].copy(), np.full(n, tau), np.full(n, rate), right


def _vol(taus: F64, fits: F64, tau: float, log_moneyness: float) -> float:
    """Volatility at a tenor and ln(K/F): linear in total variance between fits at equal ln(K/F)/√τ, flat outside."""
    if tau <= 0.0:
        return 0.0
    i = int(np.searchsorted(taus, tau))
    if i < len(taus) and abs(taus[i] - tau) * NS_PER_YEAR < 1.0:
        return float(smile_vol(fits[i], fits[i][0] + log_moneyness))
    near, far = max(i - 1, 0), min(i, len(taus) - 1)
    vols = [float(smile_vol(fits[k], fits[k][0] + log_moneyness * np.sqrt(taus[k] / tau))) for k in (near, far)]
    if near == far:
        return vols[0]
    share = (tau - taus[near]) / (taus[far] - taus[near])
    variance = (1.0 - share) * vols[0] ** 2 * taus[near] + share * vols[1] ** 2 * taus[far]
    return float(np.sqrt(variance / tau))


def _expiry_rows(universe: Universe) -> list[list[tuple[int, NDArray[np.intp]]]]:
    """Per underlying the listed expiries, ascending, with the rows of their options."""
    out = []
    for k in range(len(universe.underlyings)):
        rows = np.flatnonzero((universe.underlying == k) & (universe.kind == OPTION) & (universe.listed == 1))
        expiries = np.unique(universe.expiry_ns[rows])
        out.append([(int(e), rows[universe.expiry_ns[rows] == e]) for e in expiries])
    return out


def unlisted_rows(universe: Universe, rows: Iterable[int]) -> list[int]:
    """Those of ``rows`` that may need the surface: every option (a listed one may never have been quoted)."""
    return [int(i) for i in rows if universe.kind[i] != FUTURE]


def marks_of(source: MarketSource, rows: Iterable[int]) -> Marks:
    """Marks of a whole source; ``rows`` are the instruments held or traded."""
    marker = Marker(source.universe, unlisted_rows(source.universe, rows), source.session_bounds_ns)
    for batch in source.batches():
        marker.on_batch(batch)
    return marker.finish()

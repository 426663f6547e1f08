"""American options: Greek sets a second and their errors, against QuantLib's QD+ fixed-point engine.

Speed: every option with a volatility of its own, so that no exercise boundary is shared; QuantLib's fast scheme prices
the same options in the same rounds, its Greeks (delta, gamma, vega, rho; theta by the equation) from five prices. Errors:
against QuantLib's high-precision scheme; delta and gamma of five-point differences of its prices.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from benchmarks.registry import Context, Row, bench
from common.kernels.american import american
from common.kernels.jit import F64
from common.kernels.layout import DELTA, GAMMA, GREEKS, PRICE

#: Short rounds, so that most of them meet a machine that nobody else is using.
ROUNDS = 61
RANDOM, WIDE, WIDE_GREEKS, PEER = 60, 2400, 300, 20
_IDS = (
    "american.sets_per_s",
    "american.vs_quantlib",
    "american.price_error",
    "american.delta_error",
    "american.gamma_error",
)


def desk_contracts() -> F64:
    """Rows (7, n): spot, strike, days, vol, rate, yield, right; 60 random ones and a grid, 7 to 400 days, yield > 0."""
    rng = np.random.default_rng(20260130)
    n = RANDOM
    right = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    spot = rng.uniform(80.0, 120.0, n)
    days, vol = rng.integers(7, 401, n).astype(float), rng.uniform(0.1, 0.6, n)
    rows = [spot, np.full(n, 100.0), days, vol, rng.uniform(0.005, 0.08, n), rng.uniform(0.005, 0.06, n), right]
    grid = np.meshgrid([90.0, 100.0, 110.0], [7.0, 30.0, 91.0, 182.0, 400.0], [0.15, 0.35], [0.02, 0.05], [-1.0, 1.0])
    s, d, v, q, w = (axis.ravel() for axis in grid)
    fixed = [s, np.full(len(s), 100.0), d, v, np.full(len(s), 0.04), q, w]
    return np.concatenate([np.array(rows), np.array(fixed)], axis=1)


def wide_contracts() -> F64:
    """Rows as `desk_contracts`: 1 day-5 years, vol 5-100 %, rates 0-12 %, yields -2-12 % (calls 0-12 %), 3 deviations."""
    rng = np.random.default_rng(7)
    n = WIDE
    days = np.floor(np.exp(rng.uniform(0.0, np.log(1825.0), n))) + 1.0
    vol = np.exp(rng.uniform(np.log(0.05), 0.0, n))
    right = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    rate, dividend = rng.uniform(0.0, 0.12, n), rng.uniform(-0.02, 0.12, n)
    # Calls with a negative yield are left out: never exercised early while the rate is above it, so European prices.
    dividend = np.where(right > 0, np.abs(dividend), dividend)
    spot = 100.0 * np.exp(rng.uniform(-3.0, 3.0, n) * vol * np.sqrt(days / 365))
    return np.array([spot, np.full(n, 100.0), days, vol, rate, dividend, right])


def greeks_of(rows: F64) -> F64:
    """(GREEKS, n) of the kernel."""
    out = np.empty((GREEKS, rows.shape[1]))
    spot, strike, days, vol, rate, dividend, right = (np.ascontiguousarray(row) for row in rows)
    american(spot, strike, days / 365, vol, rate, dividend, right, out)
    return out


class Peer:
    """One contract in QuantLib, repriced by moving its quotes."""

    def __init__(self, ql: Any, row: F64, scheme: Any) -> None:
        self.row = [float(x) for x in row]
        spot, strike, days, vol, rate, dividend, right = self.row
        today = ql.Date(30, 1, 2026)
        ql.Settings.instance().evaluationDate = today
        count = ql.Actual365Fixed()
        self.spot, self.vol = ql.SimpleQuote(spot), ql.SimpleQuote(vol)
        self.rate, self.dividend = ql.SimpleQuote(rate), ql.SimpleQuote(dividend)
        process = ql.BlackScholesMertonProcess(
            ql.QuoteHandle(self.spot),
            ql.YieldTermStructureHandle(ql.FlatForward(today, ql.QuoteHandle(self.dividend), count)),
            ql.YieldTermStructureHandle(ql.FlatForward(today, ql.QuoteHandle(self.rate), count)),
            ql.BlackVolTermStructureHandle(
                ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(self.vol), count)
            ),
        )
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if right > 0 else ql.Option.Put, strike)
        self.option = ql.VanillaOption(payoff, ql.AmericanExercise(today, today + int(days)))
        self.option.setPricingEngine(ql.QdFpAmericanEngine(process, scheme))

    def price(self, factor: float = 1.0) -> float:
        """Price with the spot multiplied by ``factor``."""
        self.spot.setValue(self.row[0] * factor)
        return float(self.option.NPV())

    def greek_set(self) -> None:
        """Five prices: spot, up, down, vol and rate moved."""
        for factor in (1.0, 1.001, 0.999):
            self.price(factor)
        self.spot.setValue(self.row[0])
        for quote, value in ((self.vol, self.row[3]), (self.rate, self.row[4])):
            quote.setValue(value + 1e-4)
            self.option.NPV()
            quote.setValue(value)


def _differences(peer: Peer) -> tuple[float, float]:
    # Delta and gamma·S by five points; NaN where a point is exercised at once (a kink inside the stencil).
    h = min(0.002, 0.05 * peer.row[3] * (peer.row[2] / 365) ** 0.5)
    points = [peer.price(1.0 + k * h) for k in (-2, -1, 0, 1, 2)]
    spot, strike, right = peer.row[0], peer.row[1], peer.row[6]
    inner = [right * (spot * (1.0 + k * h) - strike) for k in (-2, -1, 0, 1, 2)]
    if any(p <= i + 1e-9 * spot for p, i in zip(points, inner, strict=True)):
        return float("nan"), float("nan")
    a, b, c, d, e = points
    return (a - 8 * b + 8 * d - e) / (12 * h * spot), (-a + 16 * b - 30 * c + 16 * d - e) / (12 * h * h * spot)


def _speeds(ql: Any) -> tuple[list[float], list[float]]:
    # Seconds a set of ours and of QuantLib, a pair a round.
    ours, theirs = [], []
    desk = desk_contracts()
    rows = desk.copy()
    rows[3] *= 1.0 + 1e-4 * np.arange(rows.shape[1])
    picked = np.linspace(0, desk.shape[1] - 1, PEER).astype(int)
    peers = [Peer(ql, desk[:, i], ql.QdFpAmericanEngine.fastScheme()) for i in picked]
    greeks_of(rows[:, :4])
    for _ in range(ROUNDS):
        start = time.perf_counter()
        greeks_of(rows)
        ours.append((time.perf_counter() - start) / rows.shape[1])
        start = time.perf_counter()
        for peer in peers:
            peer.greek_set()
        theirs.append((time.perf_counter() - start) / PEER)
    return ours, theirs


def _errors(ql: Any) -> tuple[F64, F64, F64, F64]:
    # Over the desk's contracts, then the wide ones: price error / S of each; delta, gamma·S errors; which are the desk's.
    desk, wide = desk_contracts(), wide_contracts()
    rows = np.concatenate([desk, wide], axis=1)
    ours = greeks_of(rows)
    n, measured = rows.shape[1], desk.shape[1] + WIDE_GREEKS
    price, delta, gamma = np.empty(n), np.full(n, np.nan), np.full(n, np.nan)
    scheme = ql.QdFpAmericanEngine.highPrecisionScheme()
    for i in range(n):
        peer, spot = Peer(ql, rows[:, i], scheme), rows[0, i]
        price[i] = np.abs(ours[PRICE, i] - peer.price()) / spot
        if i < measured:
            d, g = _differences(peer)
            delta[i], gamma[i] = abs(ours[DELTA, i] - d), abs(ours[GAMMA, i] * spot - g)
    # Gamma in units of its scale, that of a European option at the money: n(0)/(σ√τ).
    gamma /= np.maximum(0.4 / (rows[3] * np.sqrt(rows[2] / 365)), 1.0)
    return price, delta, gamma, np.arange(n) < desk.shape[1]


@bench(*_IDS, what="American price and eight Greeks: speed and error against QuantLib's QD+", minutes=1.5)
def american_rows(context: Context) -> Iterable[Row]:
    """Five rows; a missing QuantLib leaves the speed and fails the comparisons."""
    del context
    try:
        import QuantLib as ql  # noqa: N813
    except ImportError:
        for name in _IDS:
            yield Row(
                name, "QuantLib is not installed: pip install QuantLib", "missing peer", "", "", False, "QuantLib"
            )
        return
    ours, theirs = _speeds(ql)
    rate, best = 1.0 / statistics.median(ours), 1.0 / min(ours)
    ratio = statistics.median(t / o for t, o in zip(theirs, ours, strict=True))
    peer = f"QuantLib {ql.__version__} QdFpAmericanEngine"
    what = f"price and 8 Greeks, 7-400 days, a boundary each; one core, median of {ROUNDS} rounds, best {best:,.0f}"
    yield Row(_IDS[0], what, round(rate), "sets/s", "25,000 or more; goal 50,000", rate >= 25_000, peer, ROUNDS)
    what = (
        f"against its fast scheme, {1.0 / statistics.median(theirs):,.0f} sets/s of price and 5 Greeks (5 prices a set), "
        f"same rounds of {PEER} contracts of theirs and all of ours; best against best {min(theirs) / min(ours):.1f}"
    )
    yield Row(_IDS[1], what, round(ratio, 1), "times", "12 or more", ratio >= 12.0, peer, ROUNDS)
    price, delta, gamma, desk = _errors(ql)
    domain = "1 day-5 years, vol 5-100 %, rates 0-12 %, yields -2-12 %, of calls 0-12 %"
    for name, errors, what, unit, bar in (
        (_IDS[2], price, "|price - high precision|/S", "of S", 1e-5),
        (_IDS[3], delta, "|delta - five-point difference|", "", 1e-4),
        (_IDS[4], gamma, "|gamma - five-point difference|/(n(0)/(S σ√τ))", "of scale", 1e-4),
    ):
        told = np.isfinite(errors)
        close, far = errors[desk & told], errors[np.logical_not(desk) & told]
        text = f"{what}: desk's {close.size} contracts max {close.max():.1e}; {far.size} wide ({domain}) max {far.max():.1e}"
        left_out = int(np.isnan(errors[: desk.sum() + WIDE_GREEKS]).sum())
        text += f", p99 {np.percentile(far, 99):.1e}; {left_out} at the boundary left out"
        worst = float(max(close.max(), far.max()))
        yield Row(name, text, worst, unit, f"{bar:g} or less", worst <= bar, peer, int(told.sum()))

"""Paths inside each day's high and low, through its open and close, correlated across underlyings.

Construction, per day. (1) Draw ``candidates`` Brownian bridges of the log price from open to close for all underlyings
together, with the given correlation of increments and the day's volatility of Garman and Klass, "On the estimation of
security price volatilities from historical data" (Journal of Business 53, 1980). (2) Keep the one whose own maximum
and minimum need the least stretching to become the day's high and low. (3) Stretch it: above the higher of open and
close by one factor, so that its maximum is the high, below the lower by another, so that its minimum is the low;
between them it stays as drawn. When and in which order high and low come is the draw's; the signs of the increments,
and so very nearly their correlation, stay.
*Tested by* tests/properties/test_market_bridge.py, tests/golden/test_market_demo.py.
"""

from __future__ import annotations

import numpy as np

from common.messages import F64

CANDIDATES = 512
#: Ranges are compared up to this share of the day's volatility: a day that opened at its high is no special case.
_SOFT = 0.05
_LEAST_VOL = 1e-6


def garman_klass_vol(log_ohlc: F64) -> F64:
    """Volatility of each day (...,) from log open, high, low, close (..., 4), per square root of the session."""
    o, h, low, c = np.moveaxis(log_ohlc, -1, 0)
    variance = 0.5 * (h - low) ** 2 - (2.0 * np.log(2.0) - 1.0) * (c - o) ** 2
    return np.asarray(np.sqrt(np.maximum(variance, _LEAST_VOL**2)))


def bridged_day(ohlc: F64, correlation: F64, steps: int, rng: np.random.Generator) -> F64:
    """Index levels (u, steps + 1) of one day: open first, close last, high and low touched exactly, never left.

    ohlc (u, 4) open, high, low, close > 0 with low <= open, close <= high; correlation (u, u) positive definite;
    steps >= 2. Raises ``ValueError`` if they are not, or if no candidate can reach high and low (a day without steps
    between open and close).
    """
    levels = np.asarray(ohlc, np.float64)
    inside = (levels[:, 2] <= levels[:, [0, 3]].min(axis=1)) & (levels[:, 1] >= levels[:, [0, 3]].max(axis=1))
    if not (np.all(levels > 0.0) and np.all(np.isfinite(levels)) and np.all(inside)):
        raise ValueError("a day's open and close must lie between its low and its high, all positive")
    log_ohlc = np.log(levels)
    o, high, low, c = log_ohlc.T
    vol = garman_klass_vol(log_ohlc)
    drawn = _bridges(o, c, vol, correlation, steps, rng)
    top, bottom = np.maximum(o, c), np.minimum(o, c)
    above = np.max(drawn, axis=2) - top
    below = bottom - np.min(drawn, axis=2)
    strain = _strain(above, high - top, vol) + _strain(below, bottom - low, vol)
    total = strain.sum(axis=1)
    best = int(np.argmin(total))
    if not np.isfinite(total[best]):
        raise ValueError(f"no path of {steps} steps can touch the day's high and low")
    path = _stretched(drawn[best], log_ohlc, above[best], below[best])
    return _exact(path, levels)


def _bridges(o: F64, c: F64, vol: F64, correlation: F64, steps: int, rng: np.random.Generator) -> F64:
    """Candidate log paths (k, u, steps + 1)."""
    normal = rng.standard_normal((CANDIDATES, steps, len(o)))
    increments = normal @ np.linalg.cholesky(correlation).T * (vol / np.sqrt(steps))
    walk = np.zeros((CANDIDATES, len(o), steps + 1))
    np.cumsum(np.swapaxes(increments, 1, 2), axis=2, out=walk[:, :, 1:])
    share = np.arange(steps + 1) / steps
    walk -= walk[:, :, -1:] * share
    return np.asarray(walk + o[:, None] + (c - o)[:, None] * share)


def _strain(own: F64, wanted: F64, vol: F64) -> F64:
    """How far excursions (k, u) are from the wanted (u,), as |log ratio|; infinite where stretching cannot help."""
    soft = _SOFT * vol
    strain = np.abs(np.log((own + soft) / (wanted + soft)))
    return np.where((own <= 0.0) & (wanted > 0.0), np.inf, strain)


def _stretched(path: F64, log_ohlc: F64, above: F64, below: F64) -> F64:
    o, high, low, c = log_ohlc.T
    top, bottom = np.maximum(o, c)[:, None], np.minimum(o, c)[:, None]
    up = ((high - top[:, 0]) / np.where(above > 0.0, above, 1.0))[:, None]
    down = ((bottom[:, 0] - low) / np.where(below > 0.0, below, 1.0))[:, None]
    over, under = np.maximum(path - top, 0.0), np.maximum(bottom - path, 0.0)
    return np.asarray(np.clip(path, bottom, top) + up * over - down * under)


def _exact(log_path: F64, ohlc: F64) -> F64:
    """Levels whose open, close, maximum and minimum are the day's to the last bit."""
    levels = np.exp(log_path)
    for row, (o, high, low, c) in zip(levels, ohlc, strict=True):
        np.clip(row, low, high, out=row)
        row[np.argmax(row[1:-1]) + 1 if high > max(o, c) else 0] = high
        row[np.argmin(row[1:-1]) + 1 if low < min(o, c) else 0] = low
        row[0], row[-1] = o, c
    return levels

"""Half spreads and sizes of the modelled option quotes: a fit to the real E-mini option day of 2020-01-06.

    ln(spread / F)  = a0 + a1 ln(mid / F) + a2 max(x, 0) + a3 max(-x, 0)
    ln(bid size)    = b0 + b1 ln(mid / F) + b2 max(x, 0) + b3 max(-x, 0)
    x = ± ln(K / F) / sqrt(T)   (+ for calls, - for puts: positive out of the money), F the mid of the future

Median regression (least absolute deviations) over every two-sided row of the day; then a0 and b0 are shifted so that
the median of spread / mid and the median bid size of the fit are those of the day. ``python -m
common.market.spread_fit`` fits again and prints the constants below with their checks.
*Tested by* tests/golden/test_market_spread_fit.py.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.market.es_files import QuoteRows, read_futures, read_options
from common.messages import F64, I32
from common.units import NO_PRICE, NS_PER_S, NS_PER_YEAR

#: Monday's Globex session opens on Sunday 2020-01-05 at 23:00 UTC; earlier rows are indications.
SESSION_START_NS = 1_578_265_200 * NS_PER_S

SPREAD_COEFFICIENTS = (-7.0526, 0.3487, 0.053, 2.6648)
SIZE_COEFFICIENTS = (3.3902, 0.0287, 16.0326, -4.8817)
#: Standard deviation of ln(bid size) about its fit.
SIZE_SCATTER = 1.276
#: 1st and 99th percentile of x in the sample; the fit is not used beyond.
X_BOUNDS = (-0.151, 0.195)
#: Median spread of the front future in basis points of its price, and its median bid size in lots.
FUTURE_SPREAD_BP = 0.77
FUTURE_SIZE_LOTS = 61


@dataclass(frozen=True)
class Sample:
    """Two-sided option rows (r,): spread and mid in points, F in points, x as above, bid and ask size in lots."""

    spread: F64
    mid: F64
    forward: F64
    x: F64
    bid_size: F64
    ask_size: F64


def features(mid_over_forward: F64, x: F64) -> F64:
    """Regressors (..., 4): 1, ln(mid / F), max(x, 0), max(-x, 0); x is held inside ``X_BOUNDS``."""
    held = np.clip(x, *X_BOUNDS)
    columns = (np.ones_like(held), np.log(mid_over_forward), np.maximum(held, 0.0), np.maximum(-held, 0.0))
    return np.stack(columns, axis=-1)


def fitted_spread(mid: F64, forward: F64, x: F64) -> F64:
    """Median spread in points for mids > 0 in points; arguments broadcast."""
    return np.asarray(forward * np.exp(features(mid / forward, x) @ np.array(SPREAD_COEFFICIENTS)))


def fitted_size(mid: F64, forward: F64, x: F64) -> F64:
    """Median size in lots, not rounded; arguments as `fitted_spread`."""
    return np.asarray(np.exp(features(mid / forward, x) @ np.array(SIZE_COEFFICIENTS)))


def least_absolute(design: F64, target: F64, rounds: int = 60) -> F64:
    """Median regression by iteratively reweighted least squares; design (r, c), target (r,); returns (c,)."""
    beta = np.linalg.solve(design.T @ design, design.T @ target)
    for _ in range(rounds):
        weight = 1.0 / np.maximum(np.abs(target - design @ beta), 1e-4)
        weighted = design * weight[:, None]
        beta = np.linalg.solve(weighted.T @ design, weighted.T @ target)
    return np.asarray(beta)


def load_sample(data_dir: Path) -> Sample:
    """Two-sided rows of the session with the mid of their future at the same minute."""
    options = read_options(data_dir).since(SESSION_START_NS)
    futures = read_futures(data_dir).since(SESSION_START_NS)
    future_mid = {
        (futures.instruments[c].underlying, int(t)): 0.125 * (int(b) + int(a))
        for c, t, b, a in zip(futures.contract, futures.ts_ns, futures.bid_ticks, futures.ask_ticks, strict=True)
        if b > NO_PRICE and a > NO_PRICE
    }
    symbols = [i.underlying for i in options.instruments]
    forward = np.array([
        future_mid.get((symbols[c], int(t)), np.nan) for c, t in zip(options.contract, options.ts_ns, strict=True)
    ])  # fmt: skip
    keep = (options.bid_ticks > NO_PRICE) & (options.ask_ticks > NO_PRICE) & np.isfinite(forward)
    return _sample(options, forward, keep)


def _sample(options: QuoteRows, forward: F64, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Sample:
    contract = options.contract[keep]
    strike, right, expiry, tick = (
        np.array([getattr(i, name) for i in options.instruments])[contract]
        for name in ("strike", "right", "expiry_ns", "tick_size")
    )

    def lots(column: I32) -> F64:
        return column[keep].astype(np.float64)

    bid, ask = options.bid_ticks[keep] * tick, options.ask_ticks[keep] * tick
    years = (expiry - options.ts_ns[keep]) / NS_PER_YEAR
    x = right * np.log(strike / forward[keep]) / np.sqrt(years)
    sizes = (lots(options.bid_size_lots), lots(options.ask_size_lots))
    return Sample(ask - bid, 0.5 * (ask + bid), forward[keep], x, *sizes)


def fit(sample: Sample) -> tuple[F64, F64, float]:
    """Spread coefficients (4,), size coefficients (4,), scatter of ln size."""
    design = features(sample.mid / sample.forward, sample.x)
    spread = least_absolute(design, np.log(sample.spread / sample.forward))
    fitted = sample.forward * np.exp(design @ spread)
    spread[0] += np.log(np.median(sample.spread / sample.mid) / np.median(fitted / sample.mid))
    sized = sample.bid_size > 0
    log_size = np.log(sample.bid_size[sized])
    size = least_absolute(design[sized], log_size)
    size[0] += np.log(np.median(sample.bid_size)) - np.median(design @ size)
    return spread, size, float(np.std(log_size - design[sized] @ size))


def main(data_dir: Path) -> None:
    """Fit and print."""
    sample = load_sample(data_dir)
    spread, size, scatter = fit(sample)
    design = features(sample.mid / sample.forward, sample.x)
    fitted = sample.forward * np.exp(design @ spread)
    print(f"rows                     {len(sample.mid)}")
    print(f"SPREAD_COEFFICIENTS    = {tuple(round(float(v), 4) for v in spread)}")
    print(f"SIZE_COEFFICIENTS      = {tuple(round(float(v), 4) for v in size)}")
    print(f"SIZE_SCATTER           = {scatter:.3f}")
    print(f"X_BOUNDS               = {tuple(round(float(v), 3) for v in np.quantile(sample.x, [0.01, 0.99]))}")
    print(
        f"median spread / mid      real {np.median(sample.spread / sample.mid):.4%} "
        f"fit {np.median(fitted / sample.mid):.4%}"
    )
    print(f"median spread, points    real {np.median(sample.spread):.3f} fit {np.median(fitted):.3f}")
    print(f"median bid size, lots    real {np.median(sample.bid_size):.0f} fit {np.median(np.exp(design @ size)):.1f}")
    print(f"median ask size, lots    real {np.median(sample.ask_size):.0f}")
    print(f"median |ln real - ln fit|  {np.median(np.abs(np.log(sample.spread / fitted))):.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("HEDGEROW_DATA", "../shared/data")))

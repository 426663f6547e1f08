"""Chains with a known truth for the surface tests: prices from scipy's normal distribution, never from the product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, time

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from common.instruments import instant_ns
from common.market.config import default_data_dir
from common.market.es_files import FUTURES_FILE, OPTIONS_FILE
from common.surfaces.chain import ChainQuotes
from common.units import NS_PER_DAY, NS_PER_YEAR
from lab.surface_chains import SPX_FILE

F64 = NDArray[np.float64]
AS_OF_NS = instant_ns(date(2026, 1, 30), time(16, 0))
DATA = default_data_dir()
needs_spx = pytest.mark.skipif(
    not (DATA / SPX_FILE).is_file(), reason="the SPX chain is not in HEDGEROW_DATA or ../shared/data"
)
needs_es = pytest.mark.skipif(
    not ((DATA / OPTIONS_FILE).is_file() and (DATA / FUTURES_FILE).is_file()),
    reason="the E-mini files are not in HEDGEROW_DATA or ../shared/data",
)


def black(forward: float, strike: F64, total_vol: F64, right: F64) -> F64:
    """Undiscounted Black prices from scipy."""
    d1 = np.log(forward / strike) / total_vol + 0.5 * total_vol
    return np.asarray(right * (forward * ndtr(right * d1) - strike * ndtr(right * (d1 - total_vol))))


def essvi_w(k: F64, theta: float, rho: float, psi: float) -> F64:
    """Total variance as Hendriks and Martini write it."""
    return np.asarray(0.5 * (theta + rho * psi * k + np.sqrt((psi * k + theta * rho) ** 2 + theta**2 * (1 - rho**2))))


def raw_svi_w(k: F64, a: float, b: float, rho: float, m: float, sigma: float) -> F64:
    """Total variance as Gatheral writes it."""
    return np.asarray(a + b * (rho * (k - m) + np.sqrt((k - m) ** 2 + sigma**2)))


def chain_of(
    days: Sequence[float],
    w_of: Callable[[int, F64], F64],
    *,
    forward: Callable[[float], float] = lambda tau: 5000.0 * float(np.exp(0.02 * tau)),
    rate: float = 0.04,
    half_spread_vol: float = 0.002,
    deviations: F64 | None = None,
) -> ChainQuotes:
    """Calls and puts at the same strikes, mids exact, spreads of ``half_spread_vol`` either side in volatility."""
    z = np.linspace(-4.0, 3.0, 29) if deviations is None else deviations
    columns: list[list[F64]] = [[], [], [], [], []]
    for i, day in enumerate(days):
        tau = round(day * NS_PER_DAY) / NS_PER_YEAR
        f, discount = forward(tau), float(np.exp(-rate * tau))
        deviation = float(np.sqrt(w_of(i, np.zeros(1))[0]))
        strike = f * np.exp(z * deviation)
        total = np.sqrt(w_of(i, np.log(strike / f)))
        half = half_spread_vol * np.sqrt(tau)
        for right in (1.0, -1.0):
            side = np.full(len(strike), right)
            mid = black(f, strike, total, side)
            wide = 0.5 * (black(f, strike, total + half, side) - black(f, strike, np.maximum(total - half, 1e-6), side))
            wide = np.minimum(wide, 0.45 * mid)
            expiry = np.full(len(strike), AS_OF_NS + round(day * NS_PER_DAY), np.float64)
            for column, values in zip(
                columns, (expiry, strike, side, discount * (mid - wide), discount * (mid + wide)), strict=True
            ):
                column.append(values)
    expiry_ns, strikes, rights, bid, ask = (np.concatenate(c) for c in columns)
    days_of = np.round((expiry_ns - AS_OF_NS) / NS_PER_DAY, 6)
    exact = np.array([AS_OF_NS + round(d * NS_PER_DAY) for d in days_of.tolist()], np.int64)
    return ChainQuotes("TEST", exact, strikes, rights, bid, ask, np.full(len(bid), -1, np.int64))

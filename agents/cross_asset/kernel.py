"""Sums between underlyings, and one step of their covariance. *Tested by* tests/unit/test_agents_cross_asset.py."""

from __future__ import annotations

from common.kernels.jit import F64, I64, strict_kernel
from common.kernels.surface import DELTA_USD, GAMMA_USD


@strict_kernel
def weighted_exposures(lots: F64, underlying: I64, greeks: F64, weight: F64, out: F64) -> None:
    """Σ w_U delta_U and Σ w_U² ΓF²_U of h positions into ``out`` (2,), USD.

    lots (h,) signed; underlying (h,); greeks (h, LOT_GREEKS) per lot; weight (u,), 0 for underlyings left out (their
    NaN Greeks do no harm).
    """
    out[:] = 0.0
    for i in range(len(lots)):
        w = weight[underlying[i]]
        if w != 0.0:
            out[0] += w * lots[i] * greeks[i, DELTA_USD]
            out[1] += w * w * lots[i] * greeks[i, GAMMA_USD]


@strict_kernel
def decay_and_add(covariance: F64, log_return: F64, days: float, half_life_days: float) -> None:
    """One EWMA step in place: C ← q C + (1 - q) r r'/days with q = 2^(-days/half life); C (u, u) per day, r (u,).

    A pair with a NaN return keeps its old value.
    """
    keep = 0.5 ** (days / half_life_days)
    n = len(log_return)
    for i in range(n):
        for j in range(n):
            product = log_return[i] * log_return[j]
            if product == product:
                covariance[i, j] = keep * covariance[i, j] + (1.0 - keep) * product / days

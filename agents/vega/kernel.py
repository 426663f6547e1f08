"""Sums over the book per expiry bucket. *Tested by* tests/unit/test_agents_vega.py against a QuantLib portfolio."""

from __future__ import annotations

from typing import Final

from common.kernels.jit import F64, I64, strict_kernel
from common.kernels.surface import THETA_USD, VANNA_USD, VEGA_USD, VOLGA_USD

_NS_PER_DAY: Final = 86_400 * 1_000_000_000

#: Columns of `bucket_exposures`.
VEGA: Final = 0
VANNA: Final = 1
VOLGA: Final = 2
THETA: Final = 3
SUMS: Final = 4


@strict_kernel
def buckets_of(expiry_ns: I64, now_ns: int, last_day: F64, out: I64) -> None:
    """Bucket of each expiry (m,) into ``out``: the first with days < last_day + 1, as ``factors.bucket_index``."""
    for i in range(len(expiry_ns)):
        days = float(expiry_ns[i] - now_ns) / _NS_PER_DAY
        bucket = 0
        while bucket < len(last_day) - 1 and days >= last_day[bucket] + 1.0:
            bucket += 1
        out[i] = bucket


@strict_kernel
def bucket_exposures(lots: F64, underlying: I64, bucket: I64, greeks: F64, out: F64) -> None:
    """Vega, vanna, volga and theta of h positions per underlying and bucket into ``out`` (u, buckets, SUMS).

    lots (h,) signed; underlying, bucket (h,); greeks (h, LOT_GREEKS) per lot. A NaN Greek makes its sums NaN.
    """
    out[:] = 0.0
    for i in range(len(lots)):
        u, b = underlying[i], bucket[i]
        out[u, b, 0] += lots[i] * greeks[i, VEGA_USD]
        out[u, b, 1] += lots[i] * greeks[i, VANNA_USD]
        out[u, b, 2] += lots[i] * greeks[i, VOLGA_USD]
        out[u, b, 3] += lots[i] * greeks[i, THETA_USD]

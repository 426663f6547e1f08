"""Theta, rho, vanna, volga and charm of a book's totals, from what a tick has prepared.

They are wanted less often than price, delta, gamma and vega, so they are summed when they are read; nothing is kept for
a position. With q the spot's yield (on a forward: r), A, B, d1, d2 as in ``book.py`` and n = n(d1):
theta = -A n s/(2τ) + q φ A N(φ d1) - r φ B N(φ d2); rho = φ τ B N(φ d2), on a forward -τ V; vanna = -A n d2/(σ U);
volga = A n √τ d1 d2/σ; charm = (q φ A N(φ d1) - A n ((r - q)/s - d2/(2τ))) / U.
Source: derivatives of Black (1976), eq. 16 and Merton (1973), eq. 38.
*Tested by* tests/properties/test_book_risk_events.py (against `evaluate`), tests/unit/test_book_risk_book.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.book import climb, fold_block, halves
from common.kernels.jit import F64, I32, I64, U8, exact_kernel, inline, kernel, strict_kernel
from common.kernels.layout import BLACK76, FUTURE, INVERSE, SPOT

_POINT: Final = 0.01
_PER_CENT: Final = 0.01
_BASIS_POINT: Final = 1e-4
_DAYS_PER_YEAR: Final = 365.0


@strict_kernel
def _rates(terms: F64, table: F64) -> None:
    # (4, e): τ >= 0, 1/(2τ) or 0, rate, yield; 0 where unknown, since no position there has a weight.
    for e in range(terms.shape[1]):
        tau = terms[0, e] if terms[0, e] > 0.0 else 0.0
        table[0, e] = tau
        table[1, e] = 0.5 / tau if tau > 0.0 else 0.0
        for r in range(1, 3):
            table[r + 1, e] = terms[r, e] if -np.inf < terms[r, e] < np.inf and tau > 0.0 else 0.0


@kernel
def _spread(model: U8, expiry: I32, table: F64, lanes: F64) -> None:
    # The terms of each lane, (5, LANES): τ, 1/(2τ), r, q, 1 on a forward. Apart, so that the loop after it is vector code.
    for i in range(256):
        e, m = expiry[i], model[i]
        linear = m in (SPOT, FUTURE)
        forward = m in (BLACK76, INVERSE)
        rate = 0.0 if linear else table[2, e]
        lanes[0, i] = table[0, e]
        lanes[1, i] = table[1, e]
        lanes[2, i] = rate
        lanes[3, i] = rate if forward else (0.0 if linear else table[3, e])
        lanes[4, i] = 1.0 if forward else 0.0


@inline
def _slow_block(p: F64, lanes: F64, x: float, price: float, out: F64) -> None:
    for i in range(256):
        right = p[5, i]
        d1, d2, density, asset, cash = halves(x, price, p[0, i], p[1, i], p[2, i], p[3, i], p[4, i], right)
        half_per_tau, rate, income = lanes[1, i], lanes[2, i], lanes[3, i]
        smooth = density if p[7, i] > 0.0 else 0.0
        per_vol = p[6, i] * p[7, i]
        asset, cash = right * asset, right * cash
        carried = income * asset
        out[0, i] = carried - smooth * p[2, i] * half_per_tau - rate * cash
        out[1, i] = lanes[0, i] * (cash - lanes[4, i] * asset)
        # Without volatility, at the forward: the limit from above; away from it the density is 0.
        out[2, i] = -density * d2 * per_vol if p[7, i] > 0.0 else 0.5 * density * p[6, i]
        out[3, i] = smooth * p[6, i] * d1 * d2 * per_vol
        out[4, i] = carried - smooth * ((rate - income) * p[7, i] - d2 * half_per_tau)


@kernel
def slow_sums(price: float, prepared: F64, weight: F64, model: U8, expiry: I32, terms: F64, sums: F64) -> None:
    """Group sums (b, 5, GROUPS) of theta, rho, U vanna, volga and U charm, per year and per 1.00, at ``price``.

    prepared (b, PREPARED, LANES), weight, model, expiry (b, LANES), terms (TERMS, e).
    """
    table = np.empty((4, terms.shape[1]))
    _rates(terms, table)
    lanes = np.empty((5, 256))
    greeks = np.empty((5, 256))
    scratch = np.empty(128)
    x = math.log(price)
    for b in range(len(prepared)):
        _spread(model[b], expiry[b], table, lanes)
        _slow_block(prepared[b], lanes, x, price, greeks)
        for g in range(5):
            fold_block(greeks[g], weight[b], scratch, sums[b, g])


@exact_kernel
def settle_slow(sums: F64, hole: F64, first: I64, general: F64, tree: F64, leaf: int) -> None:
    """USD totals of theta ... charm of one underlying into row ``leaf`` of ``tree``, and up to the firm's at row 1.

    Theta and charm per calendar day, rho per basis point, vanna per point per 1 %, volga per point²; ``general`` (cells,
    GREEKS), USD, is added.
    """
    scales = (1.0 / _DAYS_PER_YEAR, _BASIS_POINT, _POINT * _PER_CENT, _POINT * _POINT, 1.0 / _DAYS_PER_YEAR)
    for c in range(len(first) - 1):
        for g in range(5):
            total = 0.0
            for q in range(first[c], first[c + 1]):
                total += sums[q >> 4, g, q & 15] + hole[q >> 4, q & 15]
            tree[leaf, c, 4 + g] = scales[g] * total + general[c, 4 + g]
    climb(tree, leaf, 4, 9)

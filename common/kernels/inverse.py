"""Coin-settled (inverse) options and futures, as on Deribit: quoted, margined and settled in the coin.

*Value.* A call pays max(S - K, 0) USD in coin, max(S - K, 0)/S coins. In USD it is a Black-76 option; a coin is worth S =
F e^(-(r-q)τ) USD, r the dollar's and q the coin's rate, so in coin V = e^(-qτ) φ (N(φ d1) - (K/F) N(φ d2)): the undiscounted
Black-76 price divided by the forward, discounted at the coin's rate. Deribit's marks have q = 0 (mark price = Black(F, K, σ,
τ)/F, F the future of that expiry, or a synthetic one). ``rate_per_year`` below is q.
*Greeks* are derivatives of V (coin) by F (USD per coin). With A = φ F D N(φ d1), B = φ K D N(φ d2), m = F D n(d1), D =
e^(-qτ), s = σ√τ: delta = B/F² (of a call positive, but smaller than N(d1)/F: a coin-settled premium loses USD value with
the coin), gamma = (m/s - 2B)/F³ (negative deep in the money), vanna = -m d1/(σ F²). A position of h coins of cash and one
option is worth h + V coins, (h + V) F USD: `in_usd`. The delta that Deribit shows is that of the USD value, N(d1) at
q = 0; subtracting the premium V, which is coin itself, leaves F × the delta in coin (the "net transaction delta").
Source: Alexander and Imeraj (2023), "Delta hedging bitcoin options with a smile", Quantitative Finance 23; Lucic and
Sepp (2024), "Valuation and hedging of cryptocurrency inverse options", Quantitative Finance 24.
*Accuracy, limits, NaN*: as ``european.py``, in coin.
*Tested by* tests/unit/test_european_inverse.py.
"""

from __future__ import annotations

import numpy as np

from common.kernels.european import charm_row, price_columns
from common.kernels.jit import F64, strict_kernel


@strict_kernel
def _in_coin(block: F64, result: F64, n: int) -> None:
    # USD Greeks of price_columns, then charm -> the same rows of the value in coin.
    for i in range(n):
        forward, tau = block[0, i], block[2, i]
        per = 1.0 / forward
        price, delta, gamma, vega, theta = result[0, i], result[1, i], result[2, i], result[3, i], result[4, i]
        # RHO by the spot formula is τ B, which has no cancellation; at expiry B = A - V is exact.
        cash = result[5, i] / tau if tau >= 1e-12 else delta * forward - price
        result[0, i] = price * per
        result[1, i] = cash * per * per
        result[2, i] = gamma * per - 2.0 * cash * per * per * per
        result[3, i] = vega * per
        result[4, i] = theta * per
        result[5, i] = -max(tau, 0.0) * price * per
        result[6, i] = (forward * result[6, i] - vega) * per * per
        result[7, i] *= per
        result[8, i] = (forward * result[8, i] - theta) * per * per


@strict_kernel
def inverse(forward: F64, strike: F64, tau_years: F64, vol: F64, rate_per_year: F64, right: F64, out: F64) -> None:
    """Greeks in coin, by the forward, of n coin-settled options on one coin into ``out`` (8 or 9, n), rows of ``layout``.

    forward, strike (n,) USD per coin > 0; tau_years (n,) ACT/365; vol (n,) per √year; rate_per_year (n,) the coin's own
    rate, 0 on Deribit; right (n,) +1 call, -1 put: contiguous float64. PRICE in coin as quoted; DELTA coin per USD; GAMMA
    coin per USD²; VEGA, VOLGA coin per 1.00 of vol; THETA coin per year; RHO coin per 1.00 of rate at fixed forward.
    """
    block, safe, result = np.empty((7, 128)), np.empty((7, 128)), np.empty((9, 128))
    for start in range(0, len(forward), 128):
        n = price_columns(
            forward, strike, tau_years, vol, rate_per_year, rate_per_year, right, start, block, safe, result
        )
        charm_row(block, result, n)
        _in_coin(block, result, n)
        for g in range(out.shape[0]):
            for i in range(n):
                out[g, start + i] = result[g, i]


@strict_kernel
def inverse_future(forward: F64, out: F64) -> None:
    """Greeks in coin of n coin-settled futures of 1 USD notional into ``out`` (8 or 9, n), rows of ``layout``.

    P&L from F0 to F of a long contract is 1/F0 - 1/F coins, so PRICE is -1/F: only its changes are money. DELTA 1/F²,
    GAMMA -2/F³, the rest 0. forward (n,) USD per coin; NaN, infinity or <= 0 gives NaN.
    """
    for i in range(len(forward)):
        f = forward[i]
        good = (f > 0.0) & (f < np.inf)
        per = 1.0 / f if good else np.nan
        for g in range(out.shape[0]):
            out[g, i] = 0.0 if good else np.nan
        out[0, i] = -per
        out[1, i] = per * per
        out[2, i] = -2.0 * per * per * per


@strict_kernel
def in_usd(forward: F64, coin: F64, out: F64) -> None:
    """USD Greeks, by the forward, of n holdings worth ``coin[PRICE]`` coins each: coin (9, n) -> out (9, n), may be one.

    The product rule on F × V: DELTA = V + F V', GAMMA = 2 V' + F V'', VANNA = ∂V/∂σ + F ∂²V/∂F∂σ, CHARM = ∂V/∂t + F ∂²V/∂F∂t,
    the rest times F. Of an option from `inverse` this is Black-76 in USD. A future is marked to market in coin, so it
    is worth nothing: set its PRICE to 0 first; DELTA is then 1/F coin, one USD of notional a USD.
    """
    for i in range(len(forward)):
        f = forward[i]
        price, delta, gamma, vega, theta = coin[0, i], coin[1, i], coin[2, i], coin[3, i], coin[4, i]
        out[0, i] = f * price
        out[1, i] = price + f * delta
        out[2, i] = 2.0 * delta + f * gamma
        out[3, i] = f * vega
        out[4, i] = f * theta
        out[5, i] = f * coin[5, i]
        out[6, i] = vega + f * coin[6, i]
        out[7, i] = f * coin[7, i]
        out[8, i] = theta + f * coin[8, i]

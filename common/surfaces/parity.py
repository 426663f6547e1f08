"""Forward and discount factor of each expiry from put-call parity: call - put = D (F - K), a line in the strike.

Each expiry gives a robust weighted line (`surface_fit_quotes.parity_line`). Its slope says D, but a day from expiry
an error of one part in ten thousand is four points of rate; so zero rates are averaged over expiries near in ln τ,
weighted by their precision, and F is read at the weighted mean strike of its own pairs, where D hardly matters. An
expiry without a pair gets ln F by interpolation in time.
*Tested by* tests/unit/test_surfaces_parity.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from common.kernels.surface_fit_quotes import (
    GAP_ERROR,
    LINE,
    MEAN_GAP,
    MEAN_STRIKE,
    PAIRS,
    SCATTER,
    SLOPE,
    SLOPE_ERROR,
    pair_up,
)
from common.messages import F64, I64
from common.surfaces.chain import ChainQuotes, FitSettings
from common.surfaces.filters import REASONS, U8, USED

#: Flags of a forward, bits.
UNTRADED_PAIRS: Final = 1  # too few pairs traded today: all two-sided ones were read
FEW_PAIRS: Final = 2
INTERPOLATED: Final = 4  # no pair: between its neighbours
KNOWN: Final = 8  # given, not estimated
POOR_FIT: Final = 16  # pairs disagree by more than their spreads
FLAG_NAMES: Final = {1: "untraded pairs", 2: "few pairs", 4: "interpolated", 8: "known", 16: "poor fit"}

#: Width in ln τ of the average of zero rates, and the rate's own noise across expiries.
_WIDTH: Final = 0.35
_RATE_NOISE: Final = 5e-4
_RATE_BOUNDS: Final = (-0.1, 0.3)
_FEW: Final = 4
_NOT_TRADED: Final = REASONS.index("not_traded_today")
_WIDE: Final = REASONS.index("wide")


@dataclass(frozen=True, slots=True, eq=False)
class Forwards:
    """Columns (s,), expiries ascending. forward, forward_error in points (NaN: none); discount; own_discount: the
    line's own, NaN where it says nothing; discount_error of that; pairs read; scatter of the pairs in half spreads;
    flags as bits."""

    expiry_ns: I64
    tau_years: F64
    forward: F64
    forward_error: F64
    discount: F64
    own_discount: F64
    discount_error: F64
    pairs: I64
    scatter: F64
    flags: I64


def forwards(chain: ChainQuotes, reason: U8, expiry_ns: I64, tau_years: F64, settings: FitSettings) -> Forwards:
    """Forwards of the expiries ``expiry_ns`` (s,) ascending, ``tau_years`` (s,) away in calendar years.

    ``reason`` (n,) from `filters.quoted`: pairs are read from two-sided quotes, first from those that traded.
    """
    usable = np.where(reason == USED, 2, np.where((reason == _NOT_TRADED) | (reason == _WIDE), 1, 0))
    lines, rank = _lines(chain, usable, expiry_ns, settings)
    n = len(expiry_ns)
    own, error = lines[:, SLOPE].copy(), lines[:, SLOPE_ERROR]
    rate, rate_error = _zero_rates(own, error, tau_years)
    smooth, smooth_error = _smooth(rate, rate_error, tau_years)
    discount = np.exp(-smooth * tau_years)
    forward = lines[:, MEAN_STRIKE] + lines[:, MEAN_GAP] / discount
    # Its mean strike is not the forward: what is not known of D turns the line about it.
    forward_error = np.hypot(lines[:, GAP_ERROR], lines[:, MEAN_GAP] * smooth_error * tau_years) / discount
    flags = np.where((rank == 1) & (lines[:, PAIRS] > 0), UNTRADED_PAIRS, 0)
    flags |= np.where((lines[:, PAIRS] > 0) & (lines[:, PAIRS] < _FEW), FEW_PAIRS, 0)
    flags |= np.where(lines[:, SCATTER] > 1.0, POOR_FIT, 0)
    for i in range(n):
        known = chain.known.get(int(expiry_ns[i]))
        if known is not None:
            forward[i], forward_error[i], discount[i], flags[i] = known.forward, 0.0, known.discount, KNOWN
    _interpolate(forward, tau_years, flags)
    pairs = lines[:, PAIRS].astype(np.int64)
    return Forwards(expiry_ns, tau_years, forward, forward_error, discount, own, error, pairs, lines[:, SCATTER], flags)


def _lines(chain: ChainQuotes, usable: I64, expiry_ns: I64, settings: FitSettings) -> tuple[F64, I64]:
    known = np.array(sorted(chain.known), np.int64)
    rows = np.flatnonzero((usable > 0) & ~np.isin(chain.expiry_ns, known))
    rows = rows[np.lexsort((-chain.right[rows], chain.strike[rows], chain.expiry_ns[rows]))]
    first = np.searchsorted(chain.expiry_ns[rows], np.append(expiry_ns, np.iinfo(np.int64).max))
    bid, ask = chain.bid[rows], chain.ask[rows]
    lines, rank = np.empty((len(expiry_ns), LINE)), np.zeros(len(expiry_ns), np.int64)
    pair_up(
        first,
        chain.strike[rows],
        chain.right[rows],
        0.5 * (bid + ask),
        0.5 * (ask - bid),
        usable[rows].astype(np.int64),
        settings.least_pairs,
        lines,
        rank,
    )
    return lines, rank


def _zero_rates(discount: F64, error: F64, tau: F64) -> tuple[F64, F64]:
    says = (discount > 0.0) & np.isfinite(error)
    safe = np.where(says, discount, 1.0)
    rate = -np.log(safe) / tau
    says &= (rate > _RATE_BOUNDS[0] - 1.0) & (rate < _RATE_BOUNDS[1] + 1.0)
    return np.where(says, rate, 0.0), np.where(says, error / (safe * tau), np.inf)


def _smooth(rate: F64, error: F64, tau: F64) -> tuple[F64, F64]:
    """Zero rates averaged over expiries near in ln τ and their errors; 0, infinite where nobody says anything."""
    precision = 1.0 / (np.where(np.isfinite(error), error, 1e9) ** 2 + _RATE_NOISE**2)
    precision[~np.isfinite(error)] = 0.0
    away = (np.log(tau)[:, None] - np.log(tau)[None, :]) / _WIDTH
    # The far tail is kept thin but never empty, so a lone informative expiry serves all.
    weight = precision[None, :] * (np.exp(-0.5 * away**2) + 1e-6 / (1.0 + away**2))
    total = weight.sum(axis=1)
    says = total > 0.0
    safe = np.where(says, total, 1.0)
    mean = np.where(says, (weight @ rate) / safe, 0.0)
    return np.clip(mean, *_RATE_BOUNDS), np.where(says, 1.0 / np.sqrt(safe), np.inf)


def _interpolate(forward: F64, tau: F64, flags: I64) -> None:
    """ln F linear in time where it is missing; beyond the ends by the carry of the two nearest expiries."""
    have = np.isfinite(forward) & (forward > 0.0)
    forward[~have] = np.nan
    if have.sum() < 2 or have.all():
        return  # one forward alone says nothing about carry
    t, x = tau[have], np.log(forward[have])
    for i in np.flatnonzero(~have):
        value = float(np.interp(tau[i], t, x))
        if tau[i] > t[-1]:
            value += (x[-1] - x[0]) / (t[-1] - t[0]) * (tau[i] - t[-1])
        if tau[i] < t[0]:
            value -= (x[-1] - x[0]) / (t[-1] - t[0]) * (t[0] - tau[i])
        forward[i] = np.exp(value)
        flags[i] |= INTERPOLATED

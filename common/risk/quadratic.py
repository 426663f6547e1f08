"""A book as a quadratic form of the moves of its underlyings: what parametric VaR needs.

P&L ≈ δ'x + ½ x'Γx with x = (spot shares, vol shocks) of u underlyings. A volatility depends on its shock by the rule of
the scenarios and, unless strikes are sticky, on the spot through the smile (chain rule; the smile's slope and bend by
central differences).
*Tested by* tests/unit/test_risk_var_quadratic.py against full revaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from common.kernels.layout import DELTA, GAMMA, VANNA, VEGA, VOLGA
from common.messages import F64
from common.risk.dollars import PER_CENT, desk_greeks
from common.risk.evaluate import evaluate
from common.risk.holdings import Holdings, is_option
from common.risk.scenarios import Rules, vol_weight
from common.surfaces.dynamics import STICKY_STRIKE
from common.units import VOL_POINT

#: Move of ln S over which the slope of the smile is read.
_STEP: Final = 1e-3


@dataclass(frozen=True)
class Quadratic:
    """δ (2u,) and Γ (2u, 2u) USD per unit of a factor; ``linear`` (n, 2): each row's slopes to its spot and vol shock."""

    delta: F64
    gamma: F64
    linear: F64


def quadratic(holdings: Holdings, rules: Rules) -> Quadratic:
    """The form at the start. NaN where a row cannot be valued; take `Holdings.priced` first."""
    desk = desk_greeks(holdings.columns, evaluate(holdings.columns), holdings.usd_per_point)
    spot, spot_spot = desk[DELTA], desk[GAMMA] / PER_CENT
    vol, spot_vol, vol_vol = (
        desk[VEGA] / VOL_POINT,
        desk[VANNA] / (PER_CENT * VOL_POINT),
        desk[VOLGA] / VOL_POINT**2,
    )
    weight = vol_weight(holdings, rules)
    slope, bend = _smile(holdings, rules)
    crossed = slope if rules.vol == "relative" else np.zeros(len(holdings))
    ss = spot_spot + 2.0 * spot_vol * slope + vol_vol * slope**2 + vol * bend
    sx = (spot_vol + vol_vol * slope) * weight + vol * crossed
    xx = vol_vol * weight**2
    linear = np.stack([spot + vol * slope, vol * weight], axis=1)
    u = len(holdings.symbols)
    delta, gamma = np.zeros(2 * u), np.zeros((2 * u, 2 * u))
    at = holdings.underlying
    np.add.at(delta, at, linear[:, 0])
    np.add.at(delta, u + at, linear[:, 1])
    np.add.at(gamma, (at, at), ss)
    np.add.at(gamma, (at, u + at), sx)
    np.add.at(gamma, (u + at, at), sx)
    np.add.at(gamma, (u + at, u + at), xx)
    return Quadratic(delta, gamma, linear)


def row_exposures(form: Quadratic, holdings: Holdings) -> F64:
    """Linear exposures (n, 2u) of each row, so that parts of a parametric VaR can be given to rows."""
    u = len(holdings.symbols)
    out = np.zeros((len(holdings), 2 * u))
    rows = np.arange(len(holdings))
    out[rows, holdings.underlying] = form.linear[:, 0]
    out[rows, u + holdings.underlying] = form.linear[:, 1]
    return out


def _smile(holdings: Holdings, rules: Rules) -> tuple[F64, F64]:
    """dσ/ds and d²σ/ds² (n,) of each row's volatility by the spot share s, through the smile alone."""
    n, loose = len(holdings), 1.0 - rules.stickiness
    slope, bend = np.zeros(n), np.zeros(n)
    if rules.stickiness == STICKY_STRIKE:
        return slope, bend
    if holdings.smile is None:
        raise ValueError("the smile moves with the spot, but these holdings came without a smile")
    options = np.flatnonzero(is_option(holdings.columns))
    rows = holdings.rows_of_smile[options]
    up, down = (holdings.smile.vol(rows, np.full(len(options), h)) for h in (_STEP, -_STEP))
    here = holdings.columns.vol[options]
    first, second = (up - down) / (2.0 * _STEP), (up - 2.0 * here + down) / _STEP**2
    # σ(loose × ln(1 + s)): the logarithm brings its own second derivative, -1.
    slope[options] = loose * first
    bend[options] = loose**2 * second - loose * first
    return slope, bend

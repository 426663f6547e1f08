"""The price of risk left outside an interval: one covariance of the firm's P&L, one horizon, one risk aversion.

½ r'Wr is a/2 × the variance over H days of the P&L of r. With σ per √day, η vol points per √day, h days between delta
hedges: delta σ² H; gamma (USD per 1 %, so ΓF² = 100 G) ½ (100 G)² σ⁴ h H, from Var(R²) = 2σ⁴h²; vega η² H. Where the
common factor is stated, the variance of the deltas is split into common (σ_c², on ``factor:common``) and idiosyncratic
(on ``delta:U``), so that a dollar of it is charged once; where it is not, the deltas carry their full covariance.
Correlation of gammas is the square of that of returns; of vegas, falling with the log distance of the buckets.
*Tested by* tests/unit/test_manager_risk_price.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from common import factors
from common.kernels import netting as kernels
from common.messages import F64
from common.universe import Universe
from manager.config import ManagerConfig
from manager.exposures import Bools, Rows

#: A middling expiry of each bucket, days.
BUCKET_DAYS = dict(zip(factors.BUCKET_NAMES, (4.0, 18.0, 45.0, 75.0, 135.0, 270.0, 540.0, 1000.0), strict=True))
_ONE_PER_CENT = 100.0
#: Choices of live rows that are kept; beyond, all are forgotten.
_STILLS_KEPT = 64


@dataclass(frozen=True, slots=True)
class _Still:
    """Of one choice of rows: underlying of each, positions by head, correlation (f, f). Never written to."""

    u: Rows
    delta: Rows
    common: Rows
    gamma: Rows
    vega: Rows
    corr: F64


class RiskPrice:
    """Builds W for the factors of a solve; correlations are fixed by the prior, volatilities run."""

    def __init__(self, universe: Universe, names: tuple[str, ...], config: ManagerConfig) -> None:
        self._config = config
        sd = np.sqrt(np.diag(universe.covariance_daily))
        self._returns = universe.covariance_daily / np.outer(sd, sd)
        self._head = np.array([name.partition(":")[0] for name in names])
        self._u = np.array(
            [universe.symbols.index(s) if (s := factors.underlying_of(n)) else 0 for n in names], np.intp
        )
        self._futures = np.array([u.future_instrument for u in universe.underlyings], np.intp)
        days = np.array([BUCKET_DAYS.get(factors.bucket_of(name), 1.0) for name in names])
        v = config.vol_of_vol
        self._eta = v.points_30d * (30.0 / days) ** v.decay
        self._corr = self._correlation(np.log(days))
        #: Idiosyncratic parts: of one underlying the same for every desk.
        self._same = (1.0 - config.correlation_shrink) * (self._u[:, None] == self._u[None, :])
        np.fill_diagonal(self._same, 1.0)
        self._common_rows, self._delta_rows = (np.flatnonzero(self._head == h) for h in ("factor", "delta"))
        self._stills: dict[bytes, _Still] = {}

    def _correlation(self, log_days: F64) -> F64:
        v, f = self._config.vol_of_vol, len(self._head)
        across = self._returns[np.ix_(self._u, self._u)]
        out = np.zeros((f, f))
        for heads, block in (
            (("delta", "proxy"), across),
            (("gamma",), across**2),
            (
                ("vega",),
                np.exp(-v.bucket_distance * np.abs(log_days[:, None] - log_days[None, :]))
                * np.where(self._u[:, None] == self._u[None, :], 1.0, v.underlying_correlation),
            ),
            (("factor",), np.ones((f, f))),
        ):
            at = np.flatnonzero(np.isin(self._head, heads))
            out[np.ix_(at, at)] = block[np.ix_(at, at)]
        out *= 1.0 - self._config.correlation_shrink
        np.fill_diagonal(out, 1.0)
        return out

    def matrix(self, rows: Rows, risk_aversion_per_usd: float, sigma_daily: F64, sensitivity: F64) -> F64:
        """W over ``rows``, USD per unit², (f, f); the eigenvalues of its correlation are at least the shrinkage.

        ``sensitivity`` is the whole table (all factors, instruments): the betas of the common factor (its change per USD of
        each underlying's delta, of the first desk that knows; 1 where none does) are read off the futures. σ_c² is fitted
        by least squares on the covariances, leaving each underlying a part of its own variance.
        """
        c, still = self._config, self._still(rows)
        u, delta, common, gamma, vega, corr = still.u, still.delta, still.common, still.gamma, still.vega, still.corr
        sigma = sigma_daily[u]
        scale = sigma.copy()
        if len(common):
            rows_of = (self._common_rows, self._delta_rows, self._futures)
            shrink = self._config.correlation_shrink
            variance, idiosyncratic = kernels.common_variance(sensitivity, *rows_of, self._returns, sigma_daily, shrink)
            scale[delta] = np.sqrt(idiosyncratic[u[delta]])
            scale[common] = math.sqrt(variance)
        scale[gamma] = _ONE_PER_CENT * math.sqrt(0.5 * c.hedge_days) * sigma[gamma] ** 2
        scale[vega] = self._eta[rows][vega]
        scale *= math.sqrt(risk_aversion_per_usd * c.horizon_days)
        return np.asarray(scale[:, None] * corr * scale[None, :])

    def turn(self, fronts: Rows) -> None:
        """From now on betas are read off these futures (u,): the fronts after a roll."""
        self._futures = fronts

    def _still(self, rows: Rows) -> _Still:
        """What of W over these rows never changes; kept, since the same rows are live decision after decision."""
        key = rows.tobytes()
        found = self._stills.get(key)
        if found is None:
            head, u = self._head[rows], self._u[rows]
            delta, common, gamma, vega = (np.flatnonzero(head == h) for h in ("delta", "factor", "gamma", "vega"))
            corr = self._corr[np.ix_(rows, rows)]
            if len(common):
                corr[np.ix_(delta, delta)] = self._same[np.ix_(rows[delta], rows[delta])]
            found = _Still(u, delta, common, gamma, vega, corr)
            if len(self._stills) >= _STILLS_KEPT:
                self._stills.clear()
            self._stills[key] = found
        return found


def kinks(
    sensitivity: F64, cost: F64, weighs: Bools, kink_multiple: float, admissible_multiple: float
) -> tuple[F64, F64]:
    """(w, dearest) in USD per unit, (f,): w where the interval weighs cost already, 0 elsewhere.

    w = ``kink_multiple`` × the dearest admissible c_j / |S_ij|; admissible is what costs at most
    ``admissible_multiple`` × the cheapest for that factor; an instrument that does not move a factor is no way to pay
    for it. ``dearest`` is that c_j / |S_ij| itself, whether the interval weighs cost or not: what a broken limit's price is a
    multiple of. Over all that move the factor, one contract with next to no effect would make that price so high that
    DAQP finds no solution.
    """
    w, dearest = kernels.dearest(
        np.ascontiguousarray(sensitivity), np.ascontiguousarray(cost), kink_multiple, admissible_multiple
    )
    return np.where(weighs, w, 0.0), dearest

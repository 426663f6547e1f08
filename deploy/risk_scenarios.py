"""Grid, VaR and reverse stress of ``hedgerow risk``: settings in, plain mappings for tables, pictures and JSON out.

*Tested by* tests/unit/test_risk_cli_report.py, tests/e2e/test_risk_cli.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from common.limits import Limits
from common.market.history import DAILY, HOURLY, History, load_history
from common.messages import F64
from common.risk.holdings import Holdings
from common.risk.quadratic import quadratic
from common.risk.scenarios import Grid, Rules, Shocks, pnl_by_underlying, spot_vol_grid, worst_loss
from common.risk.stress import LOSS, Breach, Reach, break_limits, break_loss
from common.risk.var import (
    delta_gamma,
    delta_normal,
    es_components,
    es_interval,
    ewma_scaled,
    tail,
    var_interval,
)
from deploy.risk_report import Positions, day_of, number, require

Progress = Callable[[str, float], None]
EWMA_DECAY: Final = 0.94
BOOTSTRAP_SEED: Final = 20
#: A limit of nothing is broken by anything.
_LEAST_LIMIT: Final = 1e-9


@dataclass(frozen=True)
class Settings:
    """What scenarios to run. Moves are shares (0.1 is 10 %); ``beta`` by underlying, 1 where none is given."""

    spot_moves: F64
    vol_moves: F64
    rules: Rules
    smile: str
    beta: dict[str, float]
    days: float = 0.0
    level: float = 0.99
    history: str = DAILY
    periods: int = 1000
    farthest: float = 8.0
    loss_usd: float | None = None

    def betas(self, symbols: tuple[str, ...]) -> F64:
        """Betas (u,) of underlyings to the common move."""
        return np.array([self.beta.get(s, 1.0) for s in symbols])

    @property
    def of_history(self) -> Rules:
        """Rules of moves read from history: volatilities move by shares of themselves."""
        return Rules(vol="relative", stickiness=self.rules.stickiness)


def grid_report(positions: Positions, settings: Settings, progress: Progress) -> dict[str, Any]:
    """P&L over spot × vol moves of the book as it is."""
    grid = spot_vol_grid(
        require(positions),
        settings.spot_moves,
        settings.vol_moves,
        settings.rules,
        betas=settings.betas(positions.symbols),
        days=settings.days,
        progress=lambda share: progress("grid", share),
    )
    return _grid(grid, settings)


def _grid(grid: Grid, settings: Settings) -> dict[str, Any]:
    pnl, spot, vol = grid.worst()
    return {
        "spot_moves": grid.spot_moves.tolist(),
        "vol_moves": grid.vol_moves.tolist(),
        "vol_rule": grid.rules.vol,
        "smile": settings.smile,
        "days": grid.days,
        "betas": dict(zip(grid.symbols, grid.betas.tolist(), strict=True)),
        "pnl_usd": grid.total_usd.tolist(),
        "by_underlying_usd": {s: grid.by_underlying_usd[u].tolist() for u, s in enumerate(grid.symbols)},
        "worst": {"pnl_usd": pnl, "spot_move": spot, "vol_move": vol},
        "worst_loss_usd": worst_loss(grid),
        "worst_loss_separately_usd": worst_loss(grid, separately=True),
    }


def read_history(positions: Positions, settings: Settings, data_dir: Path) -> History:
    """The past of the underlyings held, up to the day before the market's."""
    before = day_of(positions.view.now_ns)
    return load_history(settings.history, positions.symbols, data_dir, before, settings.periods)


def var_report(positions: Positions, settings: Settings, history: History, progress: Progress) -> dict[str, Any]:
    """VaR and ES of the book as it is, by four methods; what each underlying adds to two of them."""
    held, level, rules = require(positions), settings.level, settings.of_history
    plain = _revalued(held, history.spot, history.vol, rules, lambda share: progress("VaR, historical", share))
    scaled = ewma_scaled(np.concatenate([history.spot, history.vol], axis=1), EWMA_DECAY)
    u = len(positions.symbols)
    filtered = _revalued(
        held, np.maximum(scaled[:, :u], -0.99), scaled[:, u:], rules, lambda share: progress("VaR, filtered", share)
    )
    form, covariance = quadratic(held, rules), covariance_of(history)
    linear = delta_normal(form.delta, covariance, level)
    curved = delta_gamma(form.delta, form.gamma, covariance, level)
    parametric = [
        {"method": "delta-normal", "var_usd": linear.var_usd, "es_usd": linear.es_usd},
        {
            "method": "delta-gamma, Cornish-Fisher",
            "var_usd": number(curved.var_usd),
            "es_usd": number(curved.es_usd),
            "skewness": curved.skewness,
            "excess_kurtosis": curved.excess_kurtosis,
            "why": curved.why,
        },
    ]
    by_underlying = linear.component_usd[:u] + linear.component_usd[u:]
    shortfalls = es_components(plain, level)
    return {
        "level": level,
        "period": {DAILY: "day", HOURLY: "hour"}.get(settings.history, "period"),
        "statements": list(history.statements),
        "methods": [
            _historical("historical", plain.sum(axis=1), level),
            _historical(f"historical, scaled to today's volatility (EWMA {EWMA_DECAY})", filtered.sum(axis=1), level),
            *parametric,
        ],
        "components": {
            s: {
                "delta_normal_var_usd": float(by_underlying[i]),
                "delta_normal_es_usd": float(by_underlying[i] * linear.es_per_var),
                "historical_es_usd": float(shortfalls[i]),
            }
            for i, s in enumerate(positions.symbols)
        },
        "pnl_usd": plain.sum(axis=1).tolist(),
        "ends": list(history.ends),
    }


def _revalued(held: Holdings, spot: F64, vol: F64, rules: Rules, progress: Callable[[float], None]) -> F64:
    return pnl_by_underlying(held, Shocks.of(spot, vol), rules, progress)


def _historical(name: str, pnl: F64, level: float) -> dict[str, Any]:
    found = tail(pnl, level)
    interval, shortfall = var_interval(pnl, level), es_interval(pnl, level, seed=BOOTSTRAP_SEED)
    return {
        "method": name,
        "var_usd": found.var_usd,
        "es_usd": found.es_usd,
        "var_interval_usd": [number(interval.low), number(interval.high)],
        "es_interval_usd": [number(shortfall.low), number(shortfall.high)],
        "states": found.states,
    }


def covariance_of(history: History) -> F64:
    """Sample covariance (2u, 2u) of (spot shares, vol shares) of one period."""
    return np.atleast_2d(np.cov(np.concatenate([history.spot, history.vol], axis=1).T))


def stress_report(
    positions: Positions, settings: Settings, limits: Limits, history: History, progress: Progress
) -> dict[str, Any]:
    """The smallest move that breaks each limit of the book as it is."""
    held = require(positions)
    rows = held.rows_of_smile
    limited = [
        (f, x) for f in positions.factors(settings.betas(positions.symbols), rows) if (x := limits.of_factor(f.name))
    ]
    hard = np.array([max(x.hard_usd, _LEAST_LIMIT) for _, x in limited])
    reach = Reach(farthest=settings.farthest, step=0.25, directions=32)
    covariance, rules = covariance_of(history), settings.of_history
    lines: list[Breach] = break_limits(
        held, [f for f, _ in limited], hard, covariance, rules, reach, lambda share: progress("reverse stress", share)
    )
    if settings.loss_usd is not None:
        told = settings.loss_usd
        lines.append(
            break_loss(held, told, covariance, rules, reach, lambda share: progress("reverse stress, loss", share))
        )
    return {
        "farthest_sigma": settings.farthest,
        "vol_rule": rules.vol,
        "smile": settings.smile,
        "norm": "standard deviations (Mahalanobis) of one period's spot and volatility moves; " + history.statements[0],
        "lines": [_breach(line, positions.symbols) for line in lines],
    }


def _breach(line: Breach, symbols: tuple[str, ...]) -> dict[str, Any]:
    moved = (
        {} if not np.isfinite(line.sigmas) else dict(zip(symbols, zip(line.spot, line.vol, strict=True), strict=True))
    )
    return {
        "limit": line.limit,
        "unit": line.unit,
        "hard": line.hard,
        "now": number(line.now),
        "then": number(line.then),
        "sigma": number(line.sigmas),
        "moves": {
            s: {"spot": float(spot), "vol": float(vol)}
            for s, (spot, vol) in moved.items()
            if line.limit == LOSS or spot or vol
        },
    }

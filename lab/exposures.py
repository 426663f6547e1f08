"""Exposures against their intervals over time, from the proposals of a journal, and the risk that was left.

An agent speaks at least whenever an exposure moved by a quarter of its half-width or crossed an edge, so what it last
said holds until it speaks again (or its proposal expires) to that accuracy. Time counts while markets are open.

*Residual risk* is the standard deviation per √day of the P&L of the exposures that are left, √(e'Ve), with
V = W / (a H): the covariance by which the manager prices risk (``manager/risk_price.py``), at the prior volatilities,
so that it is one yardstick for every run. *Outside risk* is the same of what lies outside the intervals. Both are
averaged over time.
*Tested by* tests/unit/test_lab_exposures.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.control_messages import JournalEntry, ProposalTaken
from common.factors import desk_of
from common.messages import F64, I64, Proposal
from common.universe import Universe
from manager.config import ManagerConfig
from manager.exposures import factor_names
from manager.risk_price import RiskPrice


@dataclass(frozen=True)
class ExposurePaths:
    """What was said at ``times_ns`` (p,): exposure, lower, upper (p, f) in the factor's unit, NaN where nobody speaks.

    ``weight_s`` (p,): seconds of open market for which a row stood.
    """

    factor: tuple[str, ...]
    times_ns: I64
    exposure: F64
    lower: F64
    upper: F64
    weight_s: F64

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where somebody spoke for a factor (p, f)."""
        return np.isfinite(self.exposure)

    def outside(self) -> F64:
        """Signed part of the exposure beyond its interval (p, f); 0 inside and where nothing is known."""
        left = self.exposure - np.clip(self.exposure, self.lower, self.upper)
        return np.where(self.known, left, 0.0)


@dataclass(frozen=True)
class FactorShare:
    """One factor over a run: share of the known time inside, median width of the interval in its unit."""

    factor: str
    share_inside: float
    known_s: float
    median_width: float
    mean_abs: float


def paths_of(
    entries: Iterable[JournalEntry], universe: Universe, session_bounds_ns: Sequence[tuple[int, int]]
) -> ExposurePaths:
    """Paths of every factor an accepted proposal of the journal speaks for."""
    said = [e.event.proposal for e in entries if isinstance(e.event, ProposalTaken) and not e.event.refusal]
    names = tuple(n for n in factor_names(universe, _desks(said)) if any(n in p.factor for p in said))
    column = {name: k for k, name in enumerate(names)}
    times, rows = _rows(said, column)
    last = max((p.header.event_time_ns for p in said), default=0)
    weight = _open_seconds(times, max(last, int(times[-1])) if len(times) else 0, session_bounds_ns)
    return ExposurePaths(names, times, rows[:, 0], rows[:, 1], rows[:, 2], weight)


def _desks(said: Iterable[Proposal]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(desk_of(name) for p in said for name in p.factor)) or ("",)


def _rows(said: list[Proposal], column: dict[str, int]) -> tuple[I64, F64]:
    now = np.full((3, len(column)), np.nan)
    expires = np.zeros(len(column), np.int64)
    times: list[int] = []
    rows: list[F64] = []
    for p in sorted(said, key=lambda p: p.header.event_time_ns):
        time = p.header.event_time_ns
        now[:, expires < time] = np.nan
        at = [column[name] for name in p.factor]
        now[0, at], now[1, at], now[2, at] = p.exposure, p.lower, p.upper
        expires[at] = p.expires_ns
        if times and times[-1] == time:
            rows[-1] = now.copy()
        else:
            times.append(time)
            rows.append(now.copy())
    return np.array(times, np.int64), np.array(rows).reshape(len(rows), 3, len(column))


def _open_seconds(times: I64, end_ns: int, sessions: Sequence[tuple[int, int]]) -> F64:
    """Seconds of open market between each time and the next (the last: ``end_ns``)."""
    if not len(times):
        return np.empty(0)
    edges = np.append(times, end_ns)
    passed = np.zeros(len(edges))
    for opens, closes in sessions:
        passed += np.clip(edges, opens, closes) - opens
    return np.diff(passed) / 1e9


def shares(paths: ExposurePaths) -> list[FactorShare]:
    """Per factor: share of time inside, time known, median width, mean |exposure|; weighted by open-market time."""
    out = []
    for k, name in enumerate(paths.factor):
        known = paths.known[:, k]
        weight = np.where(known, paths.weight_s, 0.0)
        total = float(weight.sum())
        e, low, high = paths.exposure[known, k], paths.lower[known, k], paths.upper[known, k]
        inside = (e >= low) & (e <= high)
        w = weight[known]
        out.append(
            FactorShare(
                factor=name,
                share_inside=float((w * inside).sum() / total) if total else float("nan"),
                known_s=total,
                median_width=_weighted_median(high - low, w),
                mean_abs=float((w * np.abs(e)).sum() / total) if total else float("nan"),
            )
        )
    return out


def _weighted_median(x: F64, weight: F64) -> float:
    if not len(x) or not weight.sum() > 0.0:
        return float(np.median(x)) if len(x) else float("nan")
    order = np.argsort(x)
    at = np.searchsorted(np.cumsum(weight[order]), 0.5 * weight.sum())
    return float(x[order][min(int(at), len(x) - 1)])


@dataclass(frozen=True)
class ResidualRisk:
    """Time averages in USD per √day; see the module."""

    all_usd_per_sqrt_day: float
    outside_usd_per_sqrt_day: float


def residual_risk(paths: ExposurePaths, entries: Iterable[JournalEntry], universe: Universe) -> ResidualRisk:
    """Residual and outside risk of a run; NaN where no market time passed."""
    total = float(paths.weight_s.sum())
    if not total > 0.0:
        return ResidualRisk(float("nan"), float("nan"))
    variance = daily_variance(paths.factor, entries, universe)
    share = paths.weight_s / total
    values = []
    for left in (np.where(paths.known, paths.exposure, 0.0), paths.outside()):
        per_row = np.einsum("pi,ij,pj->p", left, variance, left)
        values.append(float((share * np.sqrt(np.maximum(per_row, 0.0))).sum()))
    return ResidualRisk(*values)


def daily_variance(factor: tuple[str, ...], entries: Iterable[JournalEntry], universe: Universe) -> F64:
    """V (f, f): variance of the P&L of one day per unit² of the factors, at the prior volatilities."""
    config = ManagerConfig()
    said = [entry.event.proposal for entry in entries if isinstance(entry.event, ProposalTaken)]
    names = factor_names(universe, _desks(said))
    index = {name: i for i, name in enumerate(names)}
    sensitivity = np.full((len(names), len(universe)), np.nan)
    for p in said:
        at = np.array([index[n] for n in p.factor], np.intp)
        sensitivity[np.ix_(at, p.menu.astype(np.intp))] = p.sensitivity
    rows = np.array([index[name] for name in factor], np.intp)
    sigma = np.sqrt(np.diag(universe.covariance_daily))
    w = RiskPrice(universe, names, config).matrix(rows, 1.0, sigma, sensitivity)
    return np.asarray(w / config.horizon_days)

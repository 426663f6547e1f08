"""The figures of a report, from outcomes and marks to one JSON-ready dictionary. Amounts in US dollars unless named.

*Tested by* tests/simulation/test_closed_loop_report.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from common.control_messages import Cycle, JournalEntry
from common.factors import unit_of
from common.units import CENTS_PER_USD, NS_PER_MS
from common.universe import Universe
from lab.baselines import Outcome
from lab.exposures import FactorShare, shares
from lab.fills import external_cost_cents, spread_half_cents
from lab.pnl import HALF_CENTS_PER_USD, PnlPath, summary

DEFINITIONS = {
    "external_cost_usd": "Spread paid plus fees of all fills; the spread of a fill is its distance from the mid of the quote "
    "it met.",
    "residual_risk_usd_per_sqrt_day": "Time average, over open-market time, of the standard deviation per day of the P&L of "
    "the exposures that are left, sqrt(e'Ve); V is the covariance by which the manager prices risk, at the prior "
    "volatilities.",
    "outside_risk_usd_per_sqrt_day": "The same of the part of the exposures that lies outside the intervals, sqrt(r'Vr).",
    "std_30min_usd": "Sample standard deviation of the P&L changes on a 30-minute grid of the sessions; the step from a close "
    "to the next open is one of them.",
    "std_daily_usd": "Sample standard deviation of the P&L changes from close to close.",
    "share_inside": "Share of open-market time for which an exposure, as last stated by its owner, lay in its interval. An "
    "owner speaks at least when it has moved by a quarter of the half-width.",
    "median_width": "Time-weighted median of upper minus lower edge, in the factor's unit.",
    "crossing_saved_usd": "Half spreads and fees that a desk did not pay because it crossed with another desk at mid.",
    "imported_usd": "P&L of client trades told while the run lasted: lots x multiplier x (mark - price), from the trade's own "
    "time (if that is later than it was told, from then). A corrected or cancelled trade never was; its correction counts from "
    "its own time. Every run of the comparison was told of them at the same market time.",
    "marks": "Standing mids; options without quotes on a smile fitted to the quoted ones; expired ones at intrinsic value.",
}


def figures(
    hedged: Outcome,
    outcomes: Mapping[str, Outcome],
    pnl: Mapping[str, PnlPath],
    universe: Universe,
    risk_aversion_per_usd: float,
    statements: Sequence[str],
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """``report.json``. ``hedged`` is the run reported on (live, or the joint closed loop); ``pnl`` by name of run."""
    everything = {**outcomes, hedged.name: hedged}
    violations = [f"{name}: {said}" for name, out in everything.items() for said in out.violations]
    found = {
        "hedged_run": hedged.name,
        "orders": hedged.orders,
        "fills": len(hedged.fills),
        "refused": hedged.refused,
        "cycles": hedged.cycles,
        "methods": hedged.methods,
        "order_hash": hedged.order_hash,
        "runs": {name: _run(out, pnl.get(name), universe) for name, out in everything.items()},
        "pnl": {name: summary(path) for name, path in pnl.items()},
        "hedge_effect": _effect(pnl, hedged.name),
        "netting": _netting(outcomes, pnl, universe),
        "exposures": [_exposure(s) for s in shares(hedged.paths)],
        "desks": list(hedged.desks),
        "client_trades": len(hedged.trades),
        "risk_aversion_per_usd": risk_aversion_per_usd,
        "promise_violations": len(violations),
        "violations": violations,
        "statements": list(statements),
        "definitions": DEFINITIONS,
        **extra,
    }
    return {name: _finite(value) for name, value in found.items()}


def _run(out: Outcome, path: PnlPath | None, universe: Universe) -> dict[str, Any]:
    return {
        "orders": out.orders,
        "fills": len(out.fills),
        "lots": int(np.abs(out.fills.signed_lots).sum()),
        "refused": out.refused,
        "cycles": out.cycles,
        "methods": out.methods,
        "external_cost_usd": external_cost_cents(out.fills, universe) / CENTS_PER_USD,
        "spread_usd": float(spread_half_cents(out.fills, universe).sum()) / HALF_CENTS_PER_USD,
        "fees_usd": float(out.fills.fee_cents.sum()) / CENTS_PER_USD,
        "wished_cost_usd": out.wished_cost_cents / CENTS_PER_USD,
        "residual_risk_usd_per_sqrt_day": out.residual.all_usd_per_sqrt_day,
        "outside_risk_usd_per_sqrt_day": out.residual.outside_usd_per_sqrt_day,
        "std_30min_usd": None if path is None else path.std_30min_usd(),
        "std_daily_usd": None if path is None else path.std_daily_usd(),
        "order_hash": out.order_hash,
        "promise_violations": len(out.violations),
        "quotes": out.quotes,
        "seconds": round(out.seconds, 2),
    }


def _effect(pnl: Mapping[str, PnlPath], hedged: str) -> dict[str, Any]:
    """How much lower the hedged standard deviations are, as ratios."""
    out: dict[str, Any] = {}
    for other in ("unhedged", "delta_only"):
        if other in pnl and hedged in pnl:
            mine, theirs = pnl[hedged], pnl[other]
            out[f"{other}_over_hedged_30min"] = _ratio(theirs.std_30min_usd(), mine.std_30min_usd())
            out[f"{other}_over_hedged_daily"] = _ratio(theirs.std_daily_usd(), mine.std_daily_usd())
    return out


def _netting(outcomes: Mapping[str, Outcome], pnl: Mapping[str, PnlPath], universe: Universe) -> dict[str, Any]:
    """Cost and risk of joint, plain and alone side by side, and what joint saves."""
    modes = [m for m in ("joint", "plain", "alone") if m in outcomes]
    cost = {m: external_cost_cents(outcomes[m].fills, universe) / CENTS_PER_USD for m in modes}
    out: dict[str, Any] = {"external_cost_usd": cost}
    out["std_30min_usd"] = {m: pnl[m].std_30min_usd() for m in modes if m in pnl}
    if "joint" in cost:
        out["saved_usd"] = {m: cost[m] - cost["joint"] for m in modes if m != "joint"}
        out["cost_over_joint"] = {m: _ratio(cost[m], cost["joint"]) for m in modes if m != "joint"}
    return out


def _exposure(share: FactorShare) -> dict[str, Any]:
    return {
        "factor": share.factor,
        "unit": unit_of(share.factor),
        "share_inside": share.share_inside,
        "median_width_usd": share.median_width,
        "mean_abs_exposure": share.mean_abs,
        "known_s": share.known_s,
    }


def tick_to_decision_ms(entries: Sequence[JournalEntry]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Wall milliseconds from the tick's entry to the record of the cycle, per cycle with orders, of a live run."""
    waits = [
        (e.wall_ns - o.receive_time_ns) / NS_PER_MS
        for e in entries
        if isinstance(e.event, Cycle) and e.wall_ns
        for o in e.event.orders[:1]
        if o.receive_time_ns
    ]
    return np.array([w for w in waits if w >= 0.0])


def _ratio(a: float, b: float) -> float:
    return a / b if b else math.inf


def _finite(value: Any) -> Any:
    """JSON has no NaN: numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value

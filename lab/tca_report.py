"""The transaction costs of a run as one JSON-ready dictionary: what ``hedgerow tca`` prints and the report's page shows.

*Tested by* tests/unit/test_tca_report.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from common.cost_model import CostModel
from common.messages import ExecutionReport, Order, QuoteBatch
from common.units import NS_PER_MS
from common.universe import Universe
from lab.cost_fit import Prior, cost_model
from lab.tca import HORIZONS_S, QUARTER_CENTS_PER_USD, Costs, Worked, costs_of, worked_of
from lab.tca_groups import KEYS, Group, Key, grouped, total

DEFINITIONS: Final = {
    "shortfall_usd": "What trading cost against a paper portfolio filled at the mid of the decision: spread, timing, fees and "
    "opportunity. A cost is positive.",
    "spread_usd": "Distance of each fill from the mid at that moment, as in the P&L.",
    "timing_usd": "What the mid moved against the order between decision and fill.",
    "opportunity_usd": "What the mid moved against the lots left unfilled, from the decision to the order's end.",
    "impact_usd": "Part of the spread that the mid had moved on by, so long after the fill (market seconds).",
    "reversion_usd": "Part of the spread that had not moved on: the realised spread of who filled the order.",
    "latency_ms": "Median market time from the decision to an order's first fill.",
}


def tca_of(
    orders: Iterable[Order],
    reports: Sequence[ExecutionReport],
    batches: Iterable[QuoteBatch],
    universe: Universe,
    run_id: str,
    prior: Prior | None = None,
) -> tuple[dict[str, Any], Worked, Costs, CostModel]:
    """(what is told, orders with their quotes, the bill, the model fitted from them)."""
    worked = worked_of(orders, reports, batches, universe)
    costs = costs_of(worked, universe)
    model = cost_model(worked, universe, [run_id], prior)
    told = {
        "run_id": run_id,
        "horizons_s": list(HORIZONS_S),
        "total": row(total(worked, costs)),
        "not_placed": {"orders": int((~worked.placed).sum()), "lots": int(worked.asked_lots[~worked.placed].sum())},
        **{f"by_{key}": table(worked, costs, universe, key) for key in KEYS if key != "order"},
        "tick_to_report_ms": _wall_ms(worked),
        "cost_model": model.model_dump(mode="json"),
        "definitions": DEFINITIONS,
    }
    return told, worked, costs, model


def table(worked: Worked, costs: Costs, universe: Universe, key: Key) -> list[dict[str, Any]]:
    """Rows of one grouping, JSON-ready."""
    return [row(group) for group in grouped(worked, costs, universe, key)]


def row(group: Group) -> dict[str, Any]:
    """One group in US dollars; None where there is no number."""
    return {
        "name": group.name,
        "orders": group.orders,
        "ordered_lots": group.ordered_lots,
        "filled_lots": group.filled_lots,
        "fill_rate": _number(group.fill_rate),
        "shortfall_usd": _usd(group.shortfall),
        "spread_usd": _usd(group.spread),
        "timing_usd": _usd(group.timing),
        "fees_usd": _usd(group.fees),
        "opportunity_usd": _usd(group.opportunity),
        "impact_usd": [_usd(x) for x in group.impact],
        "reversion_usd": [_usd(x) for x in group.reversion],
        "seen_lots": list(group.seen_lots),
        "latency_ms": _number(group.latency_ms),
    }


def _usd(quarter_cents: int) -> float:
    return quarter_cents / QUARTER_CENTS_PER_USD


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _wall_ms(worked: Worked) -> dict[str, float | None]:
    """Wall milliseconds from the tick's entry to the order's first report: median and 99th percentile; None in a replay."""
    entered = np.array([o.receive_time_ns for o in worked.orders], np.int64)
    known = (entered > 0) & (worked.first_report_wall_ns > entered)
    waits = (worked.first_report_wall_ns - entered)[known] / NS_PER_MS
    if not len(waits):
        return {"p50": None, "p99": None}
    p50, p99 = np.percentile(waits, (50.0, 99.0))
    return {"p50": float(p50), "p99": float(p99)}

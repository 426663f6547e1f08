"""The figures of ``hedgerow risk`` as one plain mapping: what the tables show, the pictures draw and ``--json`` prints.

Its keys and units stand in docs/risk.md. Numbers that are not known are None, never 0.
*Tested by* tests/unit/test_risk_cli_report.py, tests/e2e/test_risk_cli.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from common.errors import UsageError
from common.instruments import NEVER_NS, Instrument
from common.kernels import layout
from common.limits import Limits
from common.messages import F64, I64
from common.risk.buckets import CELL_NAMES, SPOT_CELL, buckets_of
from common.risk.columns import Columns
from common.risk.dollars import DESK_NAMES, desk_greeks
from common.risk.evaluate import evaluate
from common.risk.factors import Factor, factors_of
from common.risk.holdings import Holdings, Rows
from common.risk.ladder import LEVELS, LimitLine, Rung, build_ladder, worst_subset
from common.risk.market import MarketView, SurfaceSmile
from common.units import NS_PER_S
from deploy.risk_inputs import Inputs

SCHEMA = "hedgerow.risk.1"
UNITS = {
    "value_usd": "USD; futures are margined and count 0",
    "delta_usd": "USD of the underlying",
    "gamma_usd_per_pct": "USD of delta per 1 %",
    "vega_usd_per_point": "USD per volatility point",
    "theta_usd_per_day": "USD per calendar day",
    "rho_usd_per_bp": "USD per basis point",
    "vanna_usd_per_point_per_pct": "USD of vega per 1 %",
    "volga_usd_per_point2": "USD of vega per volatility point",
    "charm_usd_per_day": "USD of delta per calendar day",
}


@dataclass(frozen=True)
class Positions:
    """Every contract held or ordered, each once. per_lot (GREEKS, n) desk Greeks of one lot, NaN without a price.

    orders (r, n) signed lots: what each working order adds. ``reasons``: rows without a price, and why.
    """

    contracts: tuple[Instrument, ...]
    symbols: tuple[str, ...]
    underlying: I64
    bucket: I64
    columns: Columns
    usd_per_point: F64
    lots: I64
    orders: I64
    per_lot: F64
    reasons: dict[int, str]
    view: MarketView

    @property
    def after(self) -> I64:
        """Lots (n,) with every working order filled whole."""
        return np.asarray(self.lots + self.orders.sum(axis=0))

    def holdings(self, lots: I64) -> Holdings:
        """The contracts with a price, at the given lots; what nobody holds is left out."""
        smile = SurfaceSmile(self.view.surfaces, self.contracts)
        quantity = self.usd_per_point * lots
        whole = Holdings(self.columns, quantity, self.underlying, self.symbols, smile, np.arange(len(lots)))
        rows = np.flatnonzero(np.isfinite(self.per_lot).all(axis=0) & (lots != 0))
        return whole.take(rows)

    def factors(self, betas: F64, rows: Rows | None = None) -> tuple[Factor, ...]:
        """Factors over all rows, or over some of them, in that order; betas (u,) to the common one."""
        at = np.arange(len(self.lots)) if rows is None else rows
        return factors_of(self.underlying[at], self.symbols, self.bucket[at], CELL_NAMES, betas)


def positions_of(inputs: Inputs) -> Positions:
    """Book and working orders as rows over the same contracts, valued once."""
    rows: dict[str, int] = {}
    contracts: list[Instrument] = []
    for contract in (*inputs.contracts, *(o.instrument for o in inputs.orders)):
        if contract.id not in rows:
            rows[contract.id] = len(contracts)
            contracts.append(contract)
    n = len(contracts)
    lots, orders = np.zeros(n, np.int64), np.zeros((len(inputs.orders), n), np.int64)
    lots[: len(inputs.lots)] = inputs.lots
    for k, order in enumerate(inputs.orders):
        orders[k, rows[order.instrument.id]] = order.lots
    view = inputs.view
    columns, reasons = view.columns(contracts)
    usd = np.empty(n)
    for i, contract in enumerate(contracts):
        usd[i], why = view.usd_per_point(contract)
        if why:
            reasons.setdefault(i, why)
    symbols = tuple(dict.fromkeys(c.underlying for c in contracts))
    return Positions(
        contracts=tuple(contracts),
        symbols=symbols,
        underlying=np.array([symbols.index(c.underlying) for c in contracts], np.int64),
        bucket=_buckets(contracts, view.now_ns),
        columns=columns,
        usd_per_point=usd,
        lots=lots,
        orders=orders,
        per_lot=_per_lot(columns, usd),
        reasons=reasons,
        view=view,
    )


def _buckets(contracts: list[Instrument], now_ns: int) -> I64:
    expiry = np.array([c.expiry_ns for c in contracts], np.int64)
    return np.where(expiry == NEVER_NS, SPOT_CELL, buckets_of(expiry, now_ns))


def _per_lot(columns: Columns, usd: F64) -> F64:
    desk = desk_greeks(columns, evaluate(columns), usd)
    margined = np.isin(columns.model, (layout.FUTURE, layout.INVERSE_FUTURE))
    # A future is settled every day: its price is not money that is held. NaN stays NaN.
    desk[layout.PRICE] = np.where(margined, 0.0 * desk[layout.PRICE], desk[layout.PRICE])
    desk[:, ~np.isfinite(desk).all(axis=0)] = np.nan
    return desk


def base_report(inputs: Inputs, positions: Positions, deepest: int) -> dict[str, Any]:
    """Everything but limits, grid, VaR and stress."""
    ladder = build_ladder(
        [c.id for c in positions.contracts],
        positions.underlying,
        positions.symbols,
        positions.bucket,
        CELL_NAMES,
        positions.per_lot,
        positions.lots,
        positions.after,
    )
    lost = sorted(i for i in range(len(positions.lots)) if not np.isfinite(positions.per_lot[:, i]).all())
    return {
        "schema": SCHEMA,
        "units": UNITS,
        "at": iso(inputs.view.now_ns),
        "book": {
            "name": inputs.book,
            "contracts": int(np.count_nonzero(positions.lots)),
            "lots": int(np.abs(positions.lots).sum()),
        },
        "market": {"name": inputs.market, "statements": list(inputs.view.statements)},
        "ladder": [_rung(rung) for rung in ladder.walk(deepest)],
        "unpriced": [f"{positions.contracts[i].id}: {positions.reasons.get(i, 'no Greeks')}" for i in lost],
        "orders": _orders(inputs, positions),
        "limits": [],
    }


def _rung(rung: Rung) -> dict[str, Any]:
    contract = rung.level == len(LEVELS) - 1
    return {
        "depth": rung.level,
        "level": LEVELS[rung.level],
        "name": rung.name,
        "lots_before": rung.lots_before if contract else None,
        "lots_after": rung.lots_after if contract else None,
        "before": figures(rung.before),
        "after": figures(rung.after),
        "unpriced": 0 if contract else rung.unpriced,
    }


def _orders(inputs: Inputs, positions: Positions) -> list[dict[str, Any]]:
    out = []
    for order, lots in zip(inputs.orders, positions.orders, strict=True):
        row = int(np.flatnonzero(lots)[0])
        out.append(
            {
                "order": order.order,
                "instrument": order.instrument.id,
                "lots": order.lots,
                "price": number(order.price),
                "adds": figures(positions.per_lot[:, row] * order.lots),
            }
        )
    return out


def limit_lines(positions: Positions, limits: Limits, betas: F64) -> list[dict[str, Any]]:
    """Every limited factor: before, after all fills, worst subset of the working orders. Unpriced rows are left out."""
    per_lot = np.nan_to_num(positions.per_lot)
    out = []
    for factor in positions.factors(betas):
        limit = limits.of_factor(factor.name)
        if limit is None:
            continue
        lot = factor.contributions(per_lot)
        before, adds = float(lot @ positions.lots), np.asarray(positions.orders @ lot, np.float64)
        low, high, worst, chosen = worst_subset(before, adds)
        line = LimitLine(
            factor.name,
            factor.unit,
            before,
            before + float(adds.sum()),
            low,
            high,
            worst,
            chosen,
            limit.soft_usd,
            limit.hard_usd,
        )
        out.append(_limit(line))
    return out


def _limit(line: LimitLine) -> dict[str, Any]:
    return {
        "factor": line.factor,
        "unit": line.unit,
        "before": line.before,
        "after": line.after,
        "low": line.low,
        "high": line.high,
        "worst": line.worst,
        "worst_orders": list(line.orders),
        "soft": line.soft,
        "hard": line.hard,
        "used": number(line.used),
        "broken": bool(line.used > 1.0),
    }


def figures(values: F64) -> dict[str, float | None]:
    """Desk Greeks (GREEKS,) by name."""
    return {name: number(value) for name, value in zip(DESK_NAMES, values, strict=True)}


def number(value: float) -> float | None:
    """A plain number; None if it is not finite."""
    x = float(value)
    return x if math.isfinite(x) else None


def iso(time_ns: int) -> str:
    """UTC to the second."""
    return datetime.fromtimestamp(time_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day_of(time_ns: int) -> date:
    """UTC date of an instant."""
    return datetime.fromtimestamp(time_ns // NS_PER_S, UTC).date()


def require(positions: Positions) -> Holdings:
    """What scenarios are run on. Raises ``UsageError`` if nothing of the book has a price."""
    held = positions.holdings(positions.lots)
    if not len(held):
        raise UsageError(
            "no contract of this book has a price in this market at this time; nothing to run scenarios on"
        )
    return held

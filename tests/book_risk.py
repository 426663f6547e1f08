"""A book whose every contract is remembered apart from the engine, and its value by QuantLib, for the tests of the book."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import QuantLib as ql  # noqa: N813

from common.kernels import layout
from common.messages import F64
from common.risk.book import Positions, RiskBook, Terms
from common.risk.buckets import CELLS, SPOT_CELL, buckets_of
from common.risk.columns import Columns
from common.risk.dollars import desk_greeks
from common.risk.evaluate import evaluate
from common.units import NS_PER_DAY, NS_PER_YEAR

NOW_NS = 1_700_000_000 * 1_000_000_000
DAYS = (0.2, 3, 7.5, 29, 45, 80, 150, 400, 900)
FAST = (layout.SPOT, layout.FUTURE, layout.EUROPEAN, layout.BLACK76, layout.INVERSE)
ALL = (*FAST, layout.AMERICAN, layout.AMERICAN_FUTURE, layout.INVERSE_FUTURE)
ON_FORWARD = (layout.FUTURE, layout.BLACK76, layout.AMERICAN_FUTURE, layout.INVERSE, layout.INVERSE_FUTURE)
LINEAR = (layout.SPOT, layout.FUTURE, layout.INVERSE_FUTURE)


@dataclass
class Contract:
    """One contract, as a person would write it down."""

    model: int
    expiry_ns: int
    strike: float
    right: int
    vol: float
    multiplier: float
    lots: int


class World:
    """What is held and what the market says, as plain dictionaries; no part of it is read from a `RiskBook`."""

    def __init__(self, rng: np.random.Generator, underlyings: int, contracts: int, models: tuple[int, ...]) -> None:
        self.rng = rng
        self.models = models
        self.now_ns = NOW_NS
        self.next_key = 0
        self.held: list[dict[int, Contract]] = [{} for _ in range(underlyings)]
        self.price = [100.0 * (1 + u) for u in range(underlyings)]
        self.fx = [1.0 + 0.1 * u for u in range(underlyings)]
        self.terms: list[dict[int, tuple[float, float, float]]] = []
        for _ in range(underlyings):
            expiries = [NOW_NS + int(d * NS_PER_DAY) for d in DAYS]
            self.terms.append({e: self.some_terms() for e in expiries})
        for u in range(underlyings):
            self.write_down(u, self.new_contracts(u, contracts))

    def some_terms(self) -> tuple[float, float, float]:
        return (
            float(self.rng.uniform(-0.01, 0.06)),
            float(self.rng.uniform(-0.01, 0.04)),
            float(self.rng.uniform(0.97, 1.03)),
        )

    def new_contracts(self, u: int, n: int) -> dict[int, Contract]:
        rng = self.rng
        out = {}
        for _ in range(n):
            model = int(rng.choice(self.models))
            linear = model in LINEAR
            # Keys jump about, so that arrival and layout differ.
            self.next_key += 1
            out[(self.next_key * 7919) % 100_003] = Contract(
                model,
                int(rng.choice(list(self.terms[u]))),
                0.0 if linear else float(np.round(self.price[u] * math.exp(rng.normal(0.0, 0.15)), 2)),
                0 if linear else int(rng.choice([-1, 1])),
                math.nan if linear else float(rng.uniform(0.05, 0.8)),
                float(rng.choice([1.0, 50.0, 100.0])),
                int(rng.integers(-40, 41)),
            )
        return out

    def write_down(self, u: int, contracts: dict[int, Contract]) -> None:
        self.held[u].update(contracts)

    def positions(self, contracts: dict[int, Contract] | None = None, underlying: int = 0) -> Positions:
        """Columns of ``contracts`` on one underlying, or of everything, in an order drawn anew."""
        rows = [(underlying, k, c) for k, c in contracts.items()] if contracts is not None else []
        if contracts is None:
            rows = [(u, k, c) for u, held in enumerate(self.held) for k, c in held.items()]
        rows = [rows[i] for i in self.rng.permutation(len(rows))]
        return Positions(
            np.array([k for _, k, _ in rows], np.int64),
            np.array([u for u, _, _ in rows], np.int64),
            np.array([c.model for _, _, c in rows], np.uint8),
            np.array([c.expiry_ns for _, _, c in rows], np.int64),
            np.array([c.strike for _, _, c in rows], np.float64),
            np.array([c.right for _, _, c in rows], np.int8),
            np.array([c.vol for _, _, c in rows], np.float64),
            np.array([c.multiplier for _, _, c in rows], np.float64),
            np.array([c.lots for _, _, c in rows], np.int64),
        )

    def terms_columns(self, only: dict[int, dict[int, tuple[float, float, float]]] | None = None) -> Terms:
        wanted = only if only is not None else dict(enumerate(self.terms))
        rows = [(u, e, *t) for u, terms in wanted.items() for e, t in terms.items()]
        rows = [rows[i] for i in self.rng.permutation(len(rows))]
        table = [np.array([row[i] for row in rows], np.float64) for i in (2, 3, 4)]
        return Terms(np.array([r[0] for r in rows], np.int64), np.array([r[1] for r in rows], np.int64), *table)

    def book(self) -> RiskBook:
        """A book built from nothing with what stands now."""
        return RiskBook(self.positions(), self.terms_columns(), np.array(self.price), np.array(self.fx), self.now_ns)

    def evaluated_totals(self, u: int) -> tuple[F64, F64]:
        """All nine desk Greeks (CELLS, 9) of one underlying, row by row through `evaluate`, and Σ|·| (9,)."""
        held = list(self.held[u].values())
        terms = np.array([self.terms[u][c.expiry_ns] for c in held]).reshape(-1, 3)
        forward = np.array([c.model in ON_FORWARD for c in held], np.bool_)
        expiry_ns = np.array([c.expiry_ns for c in held], np.int64)
        columns = Columns(
            np.array([c.model for c in held], np.uint8),
            self.price[u] * np.where(forward, terms[:, 2], 1.0),
            np.array([c.strike for c in held]),
            (expiry_ns - self.now_ns) / NS_PER_YEAR,
            np.array([c.vol for c in held]),
            terms[:, 0],
            terms[:, 1],
            np.array([float(c.right) for c in held]),
        )
        usd_per_point = np.array([c.lots * c.multiplier * self.fx[u] for c in held])
        desk = desk_greeks(columns, evaluate(columns), usd_per_point)
        cell = np.where(columns.model == layout.SPOT, SPOT_CELL, buckets_of(expiry_ns, self.now_ns))
        totals = [[math.fsum(desk[g, cell == c]) for g in range(layout.GREEKS)] for c in range(CELLS)]
        return np.array(totals), np.abs(desk).sum(axis=1)

    def gross_usd(self, u: int) -> float:
        """USD of notional held, long and short alike: the scale that rounding errors are measured by."""
        return sum(abs(c.lots) * c.multiplier for c in self.held[u].values()) * self.fx[u] * self.price[u]

    def quantlib_totals(self, u: int) -> tuple[F64, F64]:
        """Value, delta, gamma, vega in USD (CELLS, 4) of one underlying without its American contracts, and Σ|·| (4,)."""
        parts: list[list[list[float]]] = [[[] for _ in range(4)] for _ in range(CELLS)]
        for c in self.held[u].values():
            if c.model in (layout.AMERICAN, layout.AMERICAN_FUTURE):
                continue
            cell = SPOT_CELL if c.model == layout.SPOT else int(buckets_of(np.array([c.expiry_ns]), self.now_ns)[0])
            rate, dividend, ratio = self.terms[u][c.expiry_ns]
            base = self.price[u] * (ratio if c.model in ON_FORWARD else 1.0)
            tau = max((c.expiry_ns - self.now_ns) / NS_PER_YEAR, 0.0)
            usd = usd_greeks(c, base, tau, rate, dividend)
            for g in range(4):
                parts[cell][g].append(c.lots * c.multiplier * self.fx[u] * usd[g])
        totals = np.array([[math.fsum(row) for row in cell] for cell in parts])
        scale = np.array([math.fsum(abs(x) for cell in parts for x in cell[g]) for g in range(4)])
        return totals, scale


def usd_greeks(c: Contract, base: float, tau: float, rate: float, dividend: float) -> tuple[float, ...]:
    """Value, dollar delta, gamma per 1 %, vega per point of one unit, USD; a coin-settled option is worth Black-76 in USD."""
    if c.model == layout.INVERSE_FUTURE:
        return 0.0, 1.0, 0.0, 0.0
    if c.model in LINEAR:
        return base, base, 0.0, 0.0
    growth = math.exp(-(rate if c.model in (layout.BLACK76, layout.INVERSE) else dividend) * tau)
    discount = math.exp(-rate * tau)
    if tau == 0.0 or c.vol == 0.0:
        inside = c.right * (base * growth - c.strike * discount)
        exercised = 1.0 if inside > 0.0 else 0.5 * (inside == 0.0)
        return max(inside, 0.0), c.right * base * growth * exercised, 0.0, 0.0
    kind = ql.Option.Call if c.right == 1 else ql.Option.Put
    forward = base * growth / discount
    black = ql.BlackCalculator(ql.PlainVanillaPayoff(kind, c.strike), forward, c.vol * math.sqrt(tau), discount)
    return (
        black.value(),
        base * black.delta(base),
        0.01 * base * base * black.gamma(base),
        0.01 * black.vega(tau),
    )


def same_bits(a: F64, b: F64) -> bool:
    """Equal bit for bit, any NaN equal to any."""
    return bool(a.shape == b.shape and ((a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))).all())

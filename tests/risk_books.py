"""Small books for the tests of scenarios, VaR and stress, and their worth by QuantLib."""

from __future__ import annotations

import numpy as np
import QuantLib as ql  # noqa: N813

from common.kernels import layout
from common.messages import F64
from common.risk.columns import Columns
from common.risk.holdings import Holdings, Rows


def columns(**cells: object) -> Columns:
    """Columns of n rows; what is not given is a European option at the money, one year, 20 %, no rates."""
    n = max((np.size(x) for x in cells.values()), default=1)
    default = {
        "model": layout.EUROPEAN,
        "base": 100.0,
        "strike": 100.0,
        "tau_years": 1.0,
        "vol": 0.2,
        "rate_per_year": 0.0,
        "yield_per_year": 0.0,
        "right": 1.0,
    }
    full = {name: np.broadcast_to(np.asarray(cells.get(name, x), np.float64), n).copy() for name, x in default.items()}
    return Columns(**(full | {"model": full["model"].astype(np.uint8)}))  # type: ignore[arg-type]


def holdings(quantity: object, underlying: object = 0, symbols: tuple[str, ...] = ("A",), **cells: object) -> Holdings:
    """Holdings of one or more rows."""
    c = columns(**cells)
    n = max(len(c), np.size(quantity), np.size(underlying))
    if len(c) < n:
        c = c.take(np.zeros(n, np.intp))
    return Holdings(
        c,
        np.broadcast_to(np.asarray(quantity, np.float64), n).copy(),
        np.broadcast_to(np.asarray(underlying, np.int64), n).copy(),
        symbols,
    )


def random_holdings(seed: int, n: int, u: int = 3) -> Holdings:
    """A mixed book of options on spots and futures, and the underlyings themselves, on u underlyings."""
    rng = np.random.default_rng(seed)
    models = np.array([layout.SPOT, layout.FUTURE, layout.EUROPEAN, layout.BLACK76, layout.EUROPEAN])
    model = rng.choice(models, n)
    option = model >= layout.EUROPEAN
    at = rng.integers(0, u, n)
    base = np.array([50.0, 100.0, 3000.0, 20.0])[at % 4]
    return holdings(
        rng.integers(-50, 51, n) * 100.0,
        at,
        tuple(f"U{i}" for i in range(u)),
        model=model,
        base=base,
        strike=np.where(option, base * rng.uniform(0.7, 1.3, n), 0.0),
        tau_years=rng.uniform(0.01, 2.0, n),
        vol=rng.uniform(0.08, 0.6, n),
        rate_per_year=rng.uniform(-0.01, 0.06, n),
        yield_per_year=rng.uniform(0.0, 0.04, n),
        right=np.where(option, rng.choice([1.0, -1.0], n), 0.0),
    )


def black_scholes(c: Columns, i: int) -> float:
    """Price of row ``i`` by QuantLib; the underlying itself where it is no option."""
    model, base, tau = int(c.model[i]), float(c.base[i]), float(c.tau_years[i])
    if model in (layout.SPOT, layout.FUTURE):
        return base
    rate = float(c.rate_per_year[i])
    carry = rate - float(c.yield_per_year[i]) if model == layout.EUROPEAN else 0.0
    kind = ql.Option.Call if c.right[i] > 0 else ql.Option.Put
    payoff = ql.PlainVanillaPayoff(kind, float(c.strike[i]))
    forward, deviation = base * np.exp(carry * tau), float(c.vol[i]) * np.sqrt(tau)
    return float(ql.BlackCalculator(payoff, float(forward), float(deviation), float(np.exp(-rate * tau))).value())


def worth(book: Holdings, c: Columns) -> F64:
    """Worth (n,) USD of each row by QuantLib, with the market of ``c``."""
    return np.array([black_scholes(c, i) for i in range(len(c))]) * book.usd_per_point


class LineSmile:
    """σ(K) = level + slope ln(K/base): a straight skew whose every reading is known."""

    def __init__(self, c: Columns, level: float, slope: float) -> None:
        self.log_moneyness = np.log(np.where(c.strike > 0.0, c.strike, c.base) / c.base)
        self.level, self.slope = level, slope

    def vol(self, rows: Rows, log_shift: F64) -> F64:
        """Read at strike × exp(-log_shift)."""
        return np.asarray(self.level + self.slope * (self.log_moneyness[rows] - log_shift))

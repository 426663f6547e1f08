"""The cost model estimated from orders that filled: half spread paid, linear and square-root impact, with standard errors.

Per order, in quoted half spreads h of its decision: y = slippage against arrival a filled lot / h, on x = filled lots over those
displayed then: y = spread_share + ½ impact_share x + root_impact_share √x + noise, so that the cost of z lots is that of
``common/cost_model.py`` (linear and square-root impact: Almgren and Chriss 2001; Almgren, Thum, Hauptmann, Li 2005).
Least squares weighted by filled lots; standard errors robust to unequal variance (HC1: White 1980; MacKinnon and White 1985).
The market's own moves are noise here, which is unbiased only while orders do not foresee them.

A share that comes out negative, or whose column does not vary, is left out (0, with no error stated), the rest is fitted again.
The prior stands, and the row says why, where fewer than ``ORDERS_MIN`` orders filled, where less than ``FILLED_MIN`` of the
ordered lots did (a limit fills when the market comes to it: what filled is then a selection of the cheap), and where the error
of the spread share is above ``ERROR_MAX``. *Tested by* tests/properties/test_cost_fit.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.cost_model import CostModel, CostRow, Kind
from common.messages import F64, I64, Order
from common.tactics import TacticKind
from common.units import NO_PRICE
from common.universe import Universe
from lab.tca import Worked, kind_of

ORDERS_MIN: Final = 30
FILLED_MIN: Final = 0.8
ERROR_MAX: Final = 0.25
#: Least variation of the sizes, as a coefficient of variation, for an impact to be told from the spread.
_VARIES: Final = 1e-3


@dataclass(frozen=True)
class Prior:
    """What stands where too little was seen: the manager's own settings."""

    spread_share: float = 1.0
    impact_share: float = 0.1
    root_impact_share: float = 0.0


@dataclass(frozen=True)
class Fit:
    """Shares (3,): spread, linear, square root; their standard errors (3,), NaN for one left out."""

    shares: F64
    errors: F64


def fit(paid: F64, size: F64, weight: F64) -> Fit:
    """Least squares of ``paid`` (m,) half spreads a lot on ``size`` (m,) of displayed lots, weights (m,) positive.

    Raises ``ValueError`` for fewer than four rows.
    """
    if len(paid) < 4:
        raise ValueError(f"{len(paid)} orders are too few to fit three shares")
    columns = np.stack([np.ones_like(size), 0.5 * size, np.sqrt(size)], axis=1)
    used = [0, 1, 2] if float(np.std(size)) > _VARIES * float(np.mean(size)) else [0]
    while True:
        shares, errors = _least_squares(columns[:, used], paid, weight)
        if (shares >= 0.0).all() or used == [0]:
            break
        # The one furthest below nil in its own error goes first; the spread itself stays.
        worst = min(range(1, len(used)), key=lambda k: float(shares[k] / errors[k])) if len(used) > 1 else 0
        used.pop(worst)
    out, se = np.zeros(3), np.full(3, np.nan)
    out[used], se[used] = np.maximum(shares, 0.0), errors
    return Fit(out, se)


def _least_squares(x: F64, y: F64, weight: F64) -> tuple[F64, F64]:
    root = np.sqrt(weight)[:, None]
    inverse = np.linalg.pinv((x * root).T @ (x * root))
    shares = inverse @ (x.T @ (weight * y))
    scores = x * (weight * (y - x @ shares))[:, None]
    spare = len(y) / max(len(y) - x.shape[1], 1)
    variance = np.diag(inverse @ (scores.T @ scores) @ inverse) * spare
    return shares, np.sqrt(np.maximum(variance, 1e-300))


@dataclass(frozen=True)
class Observed:
    """Orders that filled and can be measured, columns (m,): row of the order, y, x and filled lots of the fit."""

    order: I64
    paid: F64
    size: F64
    lots: F64


def _at_once(order: Order) -> bool:
    """Whether it went to the venue as it was: what a worked order paid says how it was worked, not what taking costs."""
    return order.tactic.kind is TacticKind.DIRECT and order.follows is None


def observed(worked: Worked) -> Observed:
    """What the fit is made of. Left out: no fill, no two-sided quote or no displayed size at the decision, worked orders."""
    n = len(worked.orders)
    lots = np.zeros(n)
    slip = np.zeros(n)
    for f, k in enumerate(worked.fill_order.tolist()):
        if k >= 0:
            filled = int(worked.fills.signed_lots[f])
            lots[k] += abs(filled)
            slip[k] += filled * (2 * int(worked.fills.last_ticks[f]) - int(worked.arrival_twice[k]))
    ok = (lots > 0) & (worked.arrival_twice != NO_PRICE)
    ok &= np.array([_at_once(order) for order in worked.orders], np.bool_)
    ok &= (worked.arrival_spread_ticks > 0) & (worked.arrival_size_lots > 0)
    at = np.flatnonzero(ok)
    # Doubled mids over the whole spread: half spreads, with no tick size in between.
    paid = slip[at] / lots[at] / worked.arrival_spread_ticks[at]
    return Observed(at.astype(np.int64), paid, lots[at] / worked.arrival_size_lots[at], lots[at])


def cost_model(
    worked: Worked,
    universe: Universe,
    made_from: Sequence[str],
    prior: Prior | None = None,
    orders_min: int = ORDERS_MIN,
) -> CostModel:
    """A row for each underlying and kind that was traded, fitted or, with too few orders, the prior."""
    seen, prior = observed(worked), prior or Prior()
    instrument = np.array([worked.orders[k].instrument for k in seen.order], np.intp)
    symbol = np.array([universe.symbols[u] for u in universe.underlying[instrument]], object)
    kind = np.array([kind_of(universe, int(i)) for i in instrument], object)
    traded = {_group_of(universe, o.instrument) for o in worked.orders}
    rows = []
    for name, what in sorted(traded):
        at = np.flatnonzero((symbol == name) & (kind == what))
        mine = [_group_of(universe, o.instrument) == (name, what) and _at_once(o) for o in worked.orders]
        asked = int(worked.asked_lots[mine].sum())
        rows.append(_row(name, what, seen, at, asked, prior, orders_min))
    return CostModel(made_from=tuple(made_from), rows=tuple(rows))


def _group_of(universe: Universe, instrument: int) -> tuple[str, Kind]:
    return universe.symbols[int(universe.underlying[instrument])], kind_of(universe, instrument)


def _row(
    name: str, kind: Kind, seen: Observed, at: NDArray[np.intp], asked_lots: int, prior: Prior, orders_min: int
) -> CostRow:
    def standing(why: str) -> CostRow:
        return CostRow(
            underlying=name,
            kind=kind,
            source="prior",
            orders=len(at),
            why=why,
            spread_share=prior.spread_share,
            impact_share=prior.impact_share,
            root_impact_share=prior.root_impact_share,
        )

    if len(at) < max(orders_min, 4):
        return standing(f"{len(at)} orders filled, {max(orders_min, 4)} are needed")
    filled = float(seen.lots[at].sum()) / asked_lots
    if filled < FILLED_MIN:
        return standing(f"{100 * filled:.0f} % of the lots filled, a selection; {100 * FILLED_MIN:.0f} % are needed")
    found = fit(seen.paid[at], seen.size[at], seen.lots[at])
    if found.errors[0] > ERROR_MAX:
        return standing(f"error of the spread share {found.errors[0]:.2f}, at most {ERROR_MAX}")
    shares, errors = found.shares.tolist(), np.nan_to_num(found.errors).tolist()
    return CostRow(
        underlying=name,
        kind=kind,
        source="fitted",
        orders=len(at),
        spread_share=shares[0],
        spread_share_se=errors[0],
        impact_share=shares[1],
        impact_share_se=errors[1],
        root_impact_share=shares[2],
        root_impact_share_se=errors[2],
    )

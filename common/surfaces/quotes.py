"""From a chain to filtered quotes by expiry with forward, discount and the years that volatility is quoted in.

*Tested by* tests/unit/test_surfaces_filters.py, tests/unit/test_surfaces_fit.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.kernels.implied_vol import implied_vol
from common.messages import F64, I64
from common.surfaces.chain import ChainQuotes, FitSettings, Flags
from common.surfaces.early_exercise import premium_share
from common.surfaces.filters import REASONS, U8, USED, counts, quoted
from common.surfaces.parity import Forwards, forwards
from common.units import NS_PER_YEAR
from common.universe import EUROPEAN


@dataclass(frozen=True, slots=True, eq=False)
class FilteredQuotes:
    """The quotes a surface is fitted to. Slices (s,) ascending; quotes (n,) of slice i at first[i]:first[i+1], by
    strike.

    tau_years (s,): the years volatility is quoted in. bid, ask (n,) in points, of European options: those of American
    ones are scaled down by ``premium`` (n,), the share of mid that early exercise is worth. ``row`` (n,): rows of the
    chain. ``counted``: quotes of the chain by reason, used ones included. ``found``: forwards of all its expiries.
    """

    underlying: str
    as_of_ns: int
    expiry_ns: I64
    tau_years: F64
    forward: F64
    discount: F64
    first: I64
    strike: F64
    right: F64
    bid: F64
    ask: F64
    premium: F64
    row: I64
    counted: dict[str, int]
    found: Forwards

    @property
    def slice_of(self) -> I64:
        """Slice (n,) of each quote."""
        return np.repeat(np.arange(len(self.expiry_ns)), np.diff(self.first))


def filtered(chain: ChainQuotes, as_of_ns: int, settings: FitSettings) -> FilteredQuotes:
    """Filter ``chain`` as of ``as_of_ns`` and imply its forwards. A chain without a usable quote gives no slices."""
    reason = quoted(chain, as_of_ns, settings)
    sane = reason != REASONS.index("malformed")
    expiry = np.unique(chain.expiry_ns[sane & (chain.expiry_ns > as_of_ns)])
    calendar_years = (expiry - as_of_ns) / NS_PER_YEAR
    found = forwards(chain, reason, expiry, calendar_years, settings)
    slot = np.minimum(np.searchsorted(expiry, chain.expiry_ns), max(len(expiry) - 1, 0))
    forward = found.forward[slot] if len(expiry) else np.full(len(chain), np.nan)
    _mark(reason, "no_forward", ~(forward > 0.0))
    # At the forward itself the put is kept, so that each strike counts once.
    _mark(
        reason,
        "in_the_money",
        (chain.right * (chain.strike - forward) < 0.0) | ((chain.strike == forward) & (chain.right > 0.0)),
    )
    years = np.array([chain.tau_years.get(int(e), float(y)) for e, y in zip(expiry, calendar_years, strict=True)])
    _mark(reason, "no_volatility", ~_inside_bounds(chain, forward, found.discount, slot))
    rows = np.flatnonzero(reason == USED)
    rows = rows[np.lexsort((chain.right[rows], chain.strike[rows], chain.expiry_ns[rows]))]
    premium = np.zeros(len(rows))
    if chain.style != EUROPEAN and len(rows):
        premium = premium_share(chain, rows, as_of_ns, forward[rows], found.discount[slot[rows]])
    slices, first = np.unique(slot[rows], return_index=True)
    return FilteredQuotes(
        chain.underlying,
        as_of_ns,
        expiry[slices],
        years[slices],
        found.forward[slices],
        found.discount[slices],
        np.append(first, len(rows)).astype(np.int64),
        chain.strike[rows],
        chain.right[rows],
        chain.bid[rows] * (1.0 - premium),
        chain.ask[rows] * (1.0 - premium),
        premium,
        rows,
        counts(reason),
        found,
    )


def _mark(reason: U8, name: str, bad: Flags) -> None:
    reason[(reason == USED) & bad] = REASONS.index(name)


def _inside_bounds(chain: ChainQuotes, forward: F64, discount: F64, slot: I64) -> Flags:
    """A mid has a volatility while it lies between 0 and its bound: the forward, or the strike of a put."""
    if not len(discount):
        return np.zeros(len(chain), np.bool_)
    bound = discount[slot] * np.where(chain.right > 0.0, forward, chain.strike)
    return np.asarray(0.5 * (chain.bid + chain.ask) < 0.999 * bound)


def volatility(quotes: FilteredQuotes, price: F64) -> F64:
    """Volatility (n,) per √year of ``price`` (n,) for each quote; NaN outside the arbitrage bounds."""
    at = quotes.slice_of
    out = np.empty(len(price))
    none = np.zeros(len(price))
    implied_vol(
        price / quotes.discount[at], quotes.forward[at], quotes.strike, quotes.tau_years[at], none, quotes.right, out
    )
    return out

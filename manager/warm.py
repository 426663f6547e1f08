"""What a manager loads before it stands for the lease: a leader that loads kernels in its first round loses it.

*Tested by* tests/unit/test_manager_warm.py.
"""

from __future__ import annotations

import numpy as np

from common.limits_scopes import MarginGrid
from common.messages import Header, QuoteBatch
from common.snapshot import MarketSnapshot
from common.subjects import feed_source
from common.units import NS_PER_DAY
from common.universe import OPTION, Universe
from manager.budgets_marks import margin_cells, marks
from manager.exposures import Rows

#: A made-up option: at the money, a month to live, worth 2 % of its forward.
_LIFE_NS, _VALUE = 30 * NS_PER_DAY, 0.02


def warm(universe: Universe) -> None:
    """Load (or compile) every kernel of a budget round by valuing one option of each underlying at made-up quotes."""
    market = MarketSnapshot(universe)
    for u, underlying in enumerate(universe.underlyings):
        options = np.flatnonzero((universe.kind == OPTION) & (universe.underlying == u))
        if not len(options) or underlying.future_instrument < 0:
            continue
        rows = np.array([underlying.future_instrument, options[0]], np.intp)
        market.apply(_quotes(universe, rows, underlying.symbol))
        now_ns = int(universe.expiry_ns[options[0]]) - _LIFE_NS
        marks(market, np.array([options[-1]], np.intp), now_ns)
        margin_cells(market, rows, MarginGrid(), now_ns)


def _quotes(universe: Universe, rows: Rows, symbol: str) -> QuoteBatch:
    strike = float(universe.strike[rows[1]])
    ticks = np.rint(np.array([strike, _VALUE * strike]) / universe.tick_size[rows]).astype(np.int32)
    size = np.ones(2, np.int32)
    return QuoteBatch(Header(feed_source(symbol), 1, 0), rows.astype(np.uint32), ticks - 1, ticks + 1, size, size)

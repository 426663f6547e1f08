"""Why an agent proposes or does not, in one line for its heartbeat.

*Tested by* tests/unit/test_agents_step.py.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from common.subjects import feed_source
from common.units import NS_PER_S

if TYPE_CHECKING:
    from agents.step import AgentState

#: Its kernels are not loaded yet; what begins so and says more waits for news.
LOADING: Final = "starting"
HEDGING: Final = "hedging"
IDLE: Final = "idle"


def status_of(state: AgentState) -> str:
    """``hedging`` when nothing is in the way; else the first thing that is. Old news is not traded."""
    if state.assignment is None:
        return "starting: waiting for assignment"
    if not state.keys:
        return IDLE
    for symbol in state.symbols:
        if feed_source(symbol) not in state.snapshot.sources:
            return f"starting: waiting for {feed_source(symbol)}"
    if state.positions is None:
        return "starting: waiting for positions"
    if state.terms is None:
        return "starting: waiting for budgets"
    if not 0.0 < state.terms.risk_aversion_per_usd < math.inf:
        return "stopped: risk aversion in the budgets is not positive"
    return _market_status(state)


def _market_status(state: AgentState) -> str:
    oldest_ns = state.snapshot.now_ns - int(state.setup.config.max_source_age_s * NS_PER_S)
    for symbol, u in zip(state.symbols, state.selection.underlyings, strict=True):
        source = state.snapshot.sources[feed_source(symbol)]
        if source.gapped:
            return f"stopped: gap in {feed_source(symbol)}"
        if source.event_time_ns < oldest_ns:
            return f"stopped: {feed_source(symbol)} is stale"
        if not state.pricing.base_price(u) > 0.0:
            return f"starting: waiting for a usable price of {symbol}"
        if int(state.pricing.vols.base_time_ns[u]) < oldest_ns:
            return f"stopped: no usable price of {symbol}"
    if state.unpriced:
        return f"stopped: no volatility for {', '.join(state.unpriced)}"
    return HEDGING

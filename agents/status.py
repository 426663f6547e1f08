"""Why an agent proposes or does not, in one line for its heartbeat; and of which underlyings it can speak now.

Gamma and vega are an underlying's own: what cannot be seen of one silences no other. What the cross-asset kind says goes over all
its underlyings, so that it needs each of them.
*Tested by* tests/unit/test_agents_step.py, tests/unit/test_agents_blind.py.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from common.factors import CROSS_ASSET
from common.subjects import feed_source
from common.units import NS_PER_S

if TYPE_CHECKING:
    from agents.step import AgentState

#: Its kernels are not loaded yet; what begins so and says more waits for news.
LOADING: Final = "starting"
HEDGING: Final = "hedging"
IDLE: Final = "idle"
_UNHEARD: Final = f"{LOADING}: waiting for {feed_source('')}"


def status_of(state: AgentState) -> str:
    """``hedging`` when nothing is in the way, and what it is blind to where it hedges the rest; else the first thing that is."""
    if state.assignment is None:
        return "starting: waiting for assignment"
    if not state.keys:
        return IDLE
    blind = blind_of(state)
    waiting = [why for why in blind.values() if why.startswith(LOADING)]
    if why := next((why for why in waiting if why.startswith(_UNHEARD)), _stopped(state)):
        return why
    if waiting or (blind and not seen_of(state)):
        return waiting[0] if seen_of(state) else next(iter(blind.values()))
    unpriced = f"no volatility for {', '.join(state.unpriced)}"
    if state.mute:
        return f"stopped: {unpriced}"
    lost = [f"without {state.setup.universe.symbols[u]} ({why.partition(': ')[2]})" for u, why in blind.items()]
    return ", ".join([HEDGING, *lost, *([unpriced] if state.unpriced else [])])


def seen_of(state: AgentState) -> tuple[int, ...]:
    """Underlyings (rows of the universe) of which it can speak now; none while something is in the way of all."""
    if state.assignment is None or _stopped(state):
        return ()
    blind = blind_of(state)
    if blind and state.setup.kind == CROSS_ASSET:
        return ()
    return tuple(u for u in state.selection.underlyings if u not in blind)


def blind_of(state: AgentState) -> dict[int, str]:
    """Of its underlyings those that it cannot see now, and why: old news is not traded."""
    found = {
        u: _blindness(state, symbol, u) for symbol, u in zip(state.symbols, state.selection.underlyings, strict=True)
    }
    return {u: why for u, why in found.items() if why}


def _blindness(state: AgentState, symbol: str, u: int) -> str:
    source = state.snapshot.sources.get(feed_source(symbol))
    oldest_ns = state.snapshot.now_ns - int(state.setup.config.max_source_age_s * NS_PER_S)
    if source is None:
        return _UNHEARD + symbol
    if source.gapped:
        return f"stopped: gap in {feed_source(symbol)}"
    if source.event_time_ns < oldest_ns:
        return f"stopped: {feed_source(symbol)} is stale"
    if not state.pricing.base_price(u) > 0.0:
        return f"starting: waiting for a usable price of {symbol}"
    if int(state.pricing.vols.base_time_ns[u]) < oldest_ns:
        return f"stopped: no usable price of {symbol}"
    return ""


def _stopped(state: AgentState) -> str:
    """What is in the way of everything."""
    if state.positions is None:
        return "starting: waiting for positions"
    if state.terms is None:
        return "starting: waiting for budgets"
    if not 0.0 < state.terms.risk_aversion_per_usd < math.inf:
        return "stopped: risk aversion in the budgets is not positive"
    return ""

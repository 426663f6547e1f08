"""Which quotes of a chain a surface may read; every quote left out is counted under the first reason that excludes it.

*Tested by* tests/unit/test_surfaces_filters.py.
"""

from __future__ import annotations

from datetime import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.instruments import instant_ns, local_date
from common.messages import I64
from common.surfaces.chain import UNKNOWN, ChainQuotes, FitSettings, Flags

U8 = NDArray[np.uint8]

#: In the order in which they are asked.
REASONS: Final = (
    "used",
    "malformed",  # strike, right or time is no number
    "expired",
    "no_bid",  # absent or not positive
    "no_ask",
    "crossed",  # or locked
    "wide",  # spread beyond the cap
    "not_traded_today",
    "no_forward",  # its expiry has neither a known forward nor parity
    "in_the_money",  # left to its out-of-the-money twin
    "no_volatility",  # outside the arbitrage bounds
)
USED: Final = 0


def quoted(chain: ChainQuotes, as_of_ns: int, settings: FitSettings) -> U8:
    """Index into ``REASONS`` (n,) as far as a quote's own columns decide."""
    spread, mid = chain.ask - chain.bid, 0.5 * (chain.ask + chain.bid)
    sane = np.isfinite(chain.strike) & (chain.strike > 0.0) & (np.abs(chain.right) == 1.0)
    checks: tuple[tuple[str, Flags], ...] = (
        ("malformed", ~sane),
        ("expired", chain.expiry_ns <= as_of_ns),
        ("no_bid", ~(chain.bid > 0.0)),
        ("no_ask", ~((chain.ask > 0.0) & (chain.ask < np.inf))),
        ("crossed", chain.ask <= chain.bid),
        ("wide", spread > settings.widest_spread * mid),
        (
            "not_traded_today",
            ~traded(chain.last_trade_ns, as_of_ns) if settings.same_day_only else np.zeros(len(chain), np.bool_),
        ),
    )
    reason = np.zeros(len(chain), np.uint8)
    for name, bad in checks:
        reason[(reason == USED) & bad] = REASONS.index(name)
    return reason


def traded(last_trade_ns: I64, as_of_ns: int) -> Flags:
    """True where the last trade is unknown or fell on the New York day of ``as_of_ns``, and not after it."""
    day = instant_ns(local_date(as_of_ns), time(0, 0))
    return np.asarray((last_trade_ns == UNKNOWN) | ((last_trade_ns >= day) & (last_trade_ns <= as_of_ns)))


def counts(reason: U8) -> dict[str, int]:
    """Rows by reason, all reasons, in order; they sum to the rows of the chain."""
    found = np.bincount(reason, minlength=len(REASONS))
    return {name: int(found[i]) for i, name in enumerate(REASONS)}

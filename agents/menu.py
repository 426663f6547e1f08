"""The hedge menu of an agent: candidates of its own underlyings, the same for everybody who sees the same quotes.

*Tested by* tests/unit/test_agents_menu.py.
"""

from __future__ import annotations

import numpy as np

from agents.config import MenuConfig
from agents.pricing import Pricing, Rows


def build_menu(
    pricing: Pricing, underlyings: tuple[int, ...], now_ns: int, config: MenuConfig, *, futures_only: bool = False
) -> Rows:
    """Menu rows of ``underlyings`` in order: each future, then its options by expiry, as ``chain.pick`` finds them.

    ``futures_only`` serves the delta-hedged baseline. A contract whose quote is unusable now is never on the menu.
    """
    parts = [pricing.menu(u, now_ns, config.shortest_days, config.widest_spread_share_of_mid) for u in underlyings]
    rows = np.concatenate(parts) if parts else np.empty(0, np.int64)
    return rows[pricing.contracts.right[rows] == 0.0] if futures_only else rows

"""What each desk holds, pays and crosses, for status. Empty where the whole book is one desk.

*Tested by* tests/unit/test_manager_desks.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from common.factors import desk_of, without_desk
from common.messages import F64
from common.units import CENTS_PER_USD
from manager.ledger import CLIENT
from manager.state import ManagerState


def desk_rows(state: ManagerState, mid_cents: F64) -> list[dict[str, Any]]:
    """One row a desk; ``mid_cents`` (n,) values what it traded, NaN where there is no two-sided quote."""
    ledger, book = state.fold.ledger, state.setup.book
    if len(ledger.desks) == 1:
        return []
    lots, names = ledger.desk_lots(), state.setup.universe.instrument_id
    out = []
    for d, desk in enumerate(book.desks):
        at = np.flatnonzero(lots[d])
        ours = {agent: c for agent, c in ledger.cash_cents.items() if without_desk(agent) != CLIENT}
        cash = sum(cents for agent, cents in ours.items() if desk_of(agent) == desk.name)
        pnl = (cash + float(lots[d, at] @ mid_cents[at])) / CENTS_PER_USD
        cost = sum(
            c for (factor, agent), c in ledger.accounts.items() if desk.name in (desk_of(factor), desk_of(agent))
        )
        out.append(
            {
                "desk": desk.name,
                "legal_entity": desk.legal_entity,
                "accounts": list(desk.accounts),
                "traded": {names[j]: int(lots[d, j]) for j in at},
                "imported": {names[j]: int(ledger.imported[d, j]) for j in np.flatnonzero(ledger.imported[d])},
                "settled": {names[j]: int(ledger.settled[d, j]) for j in np.flatnonzero(ledger.settled[d])},
                "crossed_lots": ledger.crossed_lots.get(desk.name, 0),
                "cost_usd": cost / CENTS_PER_USD,
                "hedge_pnl_usd": pnl if math.isfinite(pnl) else None,
            }
        )
    return out


def crossings(state: ManagerState) -> dict[str, Any]:
    """How much changed hands at mid, and the half spreads and fees that both sides did not pay."""
    ledger = state.fold.ledger
    return {
        "count": ledger.crossings,
        "lots": sum(ledger.crossed_lots.values()) // 2,
        "saved_usd": ledger.crossing_saved_cents / CENTS_PER_USD,
    }

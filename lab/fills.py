"""Fills of a run as columns, and the cash they cost in integer cents.

*Tested by* tests/unit/test_lab_pnl.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.control_messages import JournalEntry
from common.messages import I64, ExecutionReport
from common.units import CENTS_PER_USD, NO_PRICE
from common.universe import Universe


@dataclass(frozen=True)
class Fills:
    """One row per fill, in the order they were reported. Columns (n,) int64; ``signed_lots`` positive for buys.

    ``bid_ticks``/``ask_ticks`` are the quote at the fill (``units.NO_PRICE`` where a side was absent).
    """

    time_ns: I64
    instrument: I64
    signed_lots: I64
    last_ticks: I64
    bid_ticks: I64
    ask_ticks: I64
    fee_cents: I64
    client_order_id: tuple[str, ...]
    exec_id: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.time_ns)

    def net_lots(self, instruments: int) -> I64:
        """Signed lots traded per instrument, shape (instruments,)."""
        out = np.zeros(instruments, np.int64)
        np.add.at(out, self.instrument, self.signed_lots)
        return out


def reports_of(entries: Iterable[JournalEntry]) -> list[ExecutionReport]:
    """Execution reports of a journal, in order."""
    return [e.event for e in entries if isinstance(e.event, ExecutionReport)]


def fills_of(reports: Iterable[ExecutionReport]) -> Fills:
    """Fills among execution reports; a report that comes twice (same ``exec_id``) counts once."""
    seen: set[str] = set()
    rows: list[tuple[int, ...]] = []
    order_ids: list[str] = []
    exec_ids: list[str] = []
    for r in reports:
        if r.last_lots == 0 or r.exec_id in seen:
            continue
        seen.add(r.exec_id)
        signed = r.side.sign * r.last_lots
        rows.append((r.event_time_ns, r.instrument, signed, r.last_ticks, r.bid_ticks, r.ask_ticks, r.fee_cents))
        order_ids.append(r.client_order_id)
        exec_ids.append(r.exec_id)
    table = np.array(rows, np.int64).reshape(len(rows), 7)
    time, row, lots, last, bid, ask, fee = (np.ascontiguousarray(table[:, k]) for k in range(7))
    return Fills(time, row, lots, last, bid, ask, fee, tuple(order_ids), tuple(exec_ids))


def half_cents_per_tick(universe: Universe) -> I64:
    """Value of one tick of one lot in half cents, shape (n,); half, so that a mid is exact too.

    Raises ``ValueError`` naming the first instrument whose tick is not a whole number of half cents.
    """
    exact = 2.0 * CENTS_PER_USD * universe.tick_size * universe.multiplier_usd
    whole = np.rint(exact)
    wrong = np.flatnonzero(np.abs(exact - whole) > 1e-6)
    if len(wrong):
        raise ValueError(f"tick of {universe.instrument_id[wrong[0]]} is {exact[wrong[0]] / 2} cents: not countable")
    return whole.astype(np.int64)


def cash_half_cents(fills: Fills, universe: Universe) -> I64:
    """Cash change of each fill before fees, half cents, shape (n,): what was paid is negative."""
    return -fills.signed_lots * fills.last_ticks * half_cents_per_tick(universe)[fills.instrument]


def spread_half_cents(fills: Fills, universe: Universe) -> I64:
    """Cost of each fill against the mid at the fill, half cents, shape (n,); positive is a cost.

    A fill at a one-sided quote has no mid: its cost is taken as nil and shows up in the P&L of the hedges.
    """
    per_tick = half_cents_per_tick(universe)[fills.instrument]
    two_sided = (fills.bid_ticks > NO_PRICE) & (fills.ask_ticks > NO_PRICE)
    twice_over_mid = 2 * fills.last_ticks - fills.bid_ticks - fills.ask_ticks
    return _halve(np.where(two_sided, fills.signed_lots * twice_over_mid * per_tick, 0))


def _halve(twice: NDArray[np.int64]) -> I64:
    # A half cent per tick is even in every contract here (whole cents per tick); round half to even if not.
    return np.rint(twice / 2).astype(np.int64)


def external_cost_cents(fills: Fills, universe: Universe) -> int:
    """Spread paid plus fees of all fills, whole cents."""
    return round(int(spread_half_cents(fills, universe).sum()) / 2) + int(fills.fee_cents.sum())

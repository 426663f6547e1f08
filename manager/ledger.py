"""Positions and costs from fills, each fill once. Whole lots and whole cents.

*Tested by* tests/unit/test_manager_ledger.py, tests/properties/test_manager_conservation.py.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from common.messages import CostShare, ExecutionReport, Header, Order, PositionUpdate
from common.units import CENTS_PER_USD, NO_PRICE
from common.universe import Universe
from manager.attribution import bill, deal
from manager.orders import SeenIds

SOURCE = "manager"


class Ledger:
    """Everything traded since the open: ``traded`` (n,) signed lots; ``version`` rises by one per fill."""

    def __init__(self, universe: Universe, history_max: int, exec_ids_kept: int) -> None:
        self.traded = np.zeros(len(universe), np.int64)
        self.touched: set[int] = set()
        self.by_agent: dict[str, dict[int, int]] = {}
        #: Position version of each agent's last fill.
        self.last_fill: dict[str, int] = {}
        self.version = 0
        self.history: deque[tuple[int, int, int]] = deque(maxlen=history_max)
        self.exec_ids = SeenIds(exec_ids_kept)
        self.fills = 0
        self.fee_cents = 0
        #: Against the mid when the order was decided: positive is paid, negative is gained while the order flew.
        self.cost_cents = 0
        #: Against the mid when it filled: the half spread paid.
        self.half_spread_cents = 0
        #: Who pays: cents by (factor, agent). Σ = cost_cents + fee_cents at every event.
        self.accounts: dict[tuple[str, str], int] = {}
        #: Cents each agent's fills brought in (sells) or took (buys), its part of the prices paid.
        self.cash_cents: dict[str, int] = {}
        self.tick_cents = universe.tick_size * universe.multiplier_usd * CENTS_PER_USD

    def book(self, report: ExecutionReport, order: Order | None, split: dict[str, int]) -> int:
        """Take a fill in; returns what it costs its budget in cents (slippage if paid, and the fee)."""
        at, lots = report.instrument, report.side.sign * report.last_lots
        self.traded[at] += lots
        self.touched.add(at)
        self.version += 1
        self.history.append((self.version, at, lots))
        for agent, part in split.items():
            self.last_fill[agent] = self.version
            mine = self.by_agent.setdefault(agent, {})
            mine[at] = mine.get(at, 0) + part
        self.fills += 1
        self.fee_cents += report.fee_cents
        slippage = 0 if order is None else self.cents(at, lots, report.last_ticks, _twice_mid(order))
        self.cost_cents += slippage
        self._charge(slippage + report.fee_cents, () if order is None else order.cost_shares)
        self._settle(-self.cents(at, lots, report.last_ticks, 0), split)
        if report.bid_ticks > NO_PRICE and report.ask_ticks > NO_PRICE:
            self.half_spread_cents += abs(self.cents(at, lots, report.last_ticks, report.bid_ticks + report.ask_ticks))
        return max(slippage, 0) + max(report.fee_cents, 0)

    def _charge(self, cents: int, shares: tuple[CostShare, ...]) -> None:
        for who, part in bill(cents, shares).items():
            self.accounts[who] = self.accounts.get(who, 0) + part

    def _settle(self, cents: int, split: dict[str, int]) -> None:
        for agent, part in zip(split, deal(cents, [abs(n) for n in split.values()]), strict=True):
            self.cash_cents[agent] = self.cash_cents.get(agent, 0) + part

    def cents(self, instrument: int, signed_lots: int, price_ticks: int, twice_mid_ticks: int) -> int:
        """Signed cents paid above mid (above nothing for a mid of 0), rounded half up."""
        value = signed_lots * (2 * price_ticks - twice_mid_ticks) * float(self.tick_cents[instrument]) / 2.0
        return int(np.floor(value + 0.5))

    def since(self, version: int) -> dict[int, int] | None:
        """Net signed lots per instrument traded after ``version``; None when that is no longer (or not yet) known."""
        if version == self.version:
            return {}
        if version > self.version or not self.history or version < self.history[0][0] - 1:
            return None
        out: dict[int, int] = {}
        for at_version, instrument, lots in reversed(self.history):
            if at_version <= version:
                break
            out[instrument] = out.get(instrument, 0) + lots
        return {j: n for j, n in sorted(out.items()) if n}

    def update(self, now_ns: int, wall_ns: int, cause_id: str) -> PositionUpdate:
        """The whole of it for the agents, sparse, instruments ascending."""
        at = np.array(sorted(self.touched), np.uint32)
        header = Header(SOURCE, self.version, now_ns, wall_ns, cause_id)
        return PositionUpdate(header, self.version, at, self.traded[at])


def _twice_mid(order: Order) -> int:
    return order.arrival_bid_ticks + order.arrival_ask_ticks


def per_lot_cents(tick_cents: float, order: Order, fee_cents: int) -> tuple[int, int]:
    """(cost, notional) one lot reserves: the half spread at the limit and the fee, and the limit price. Rounded up."""
    half_spread = abs(2 * order.limit_ticks - order.arrival_bid_ticks - order.arrival_ask_ticks) * tick_cents / 2.0
    return int(np.ceil(half_spread)) + fee_cents, int(np.ceil(abs(order.limit_ticks) * tick_cents))

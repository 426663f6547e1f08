"""Orders, their reports and the quotes they met, made by hand, for the tests of transaction costs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from common.messages import ExecutionReport, Order, OrdStatus, QuoteBatch, Refusal, Side
from common.units import NS_PER_S
from common.universe import FUTURE, OPTION, Underlying, Universe
from tests.execution_world import T0_NS, make_order, quotes


def shares(tick_usd: float = 0.01, multiplier: float = 1.0, fee_cents: int = 0) -> Universe:
    """Two instruments on two underlyings whose tick is ``tick_usd`` × ``multiplier`` dollars a lot."""
    n = 2
    return Universe(
        instrument_id=("AAA.F", "BBB.C"),
        kind=np.array([FUTURE, OPTION], np.uint8),
        underlying=np.array([0, 1], np.uint16),
        expiry_ns=np.full(n, T0_NS + 10**18, np.int64),
        strike=np.full(n, 100.0),
        right=np.array([0, 1], np.int8),
        style=np.zeros(n, np.uint8),
        multiplier_usd=np.full(n, multiplier),
        tick_size=np.full(n, tick_usd),
        fee_cents=np.full(n, fee_cents, np.int64),
        listed=np.ones(n, np.uint8),
        underlyings=(Underlying("AAA", 0, 0.0, 0.0), Underlying("BBB", -1, 0.0, 0.0)),
        covariance_daily=np.eye(2) * 1e-4,
    )


@dataclass
class Tape:
    """A market and what was done in it; times in seconds after ``T0_NS``."""

    orders: list[Order] = field(default_factory=list)
    reports: list[ExecutionReport] = field(default_factory=list)
    batches: list[QuoteBatch] = field(default_factory=list)
    filled: dict[str, int] = field(default_factory=dict)

    def quote(self, at_s: float, bid: int, ask: int, instrument: int = 0, size: int = 100) -> None:
        at_ns = T0_NS + int(at_s * NS_PER_S)
        self.batches.append(quotes(len(self.batches) + 1, (instrument, bid, ask, size, size), at_ns=at_ns))

    def order(self, name: str, at_s: float, side: Side, lots: int, bid: int, ask: int, **changes: object) -> Order:
        values: dict[str, object] = {
            "event_time_ns": T0_NS + int(at_s * NS_PER_S),
            "arrival_bid_ticks": bid,
            "arrival_ask_ticks": ask,
            "allocation": (("gamma-0", side.sign * lots),),
        }
        order = make_order(name, side=side, lots=lots, **{**values, **changes})
        self.orders.append(order)
        return order

    def fill(self, name: str, at_s: float, lots: int, ticks: int, bid: int, ask: int, fee_cents: int = 0) -> None:
        done = self.filled[name] = self.filled.get(name, 0) + lots
        order = self._of(name)
        status = OrdStatus.FILLED if done == order.quantity_lots else OrdStatus.PARTIALLY_FILLED
        self._report(order, at_s, status, lots, ticks, fee_cents, bid, ask)

    def end(self, name: str, at_s: float, status: OrdStatus = OrdStatus.CANCELED) -> None:
        self._report(self._of(name), at_s, status, 0, 0, 0, 0, 0)

    def _of(self, name: str) -> Order:
        return next(o for o in self.orders if o.client_order_id == name)

    def _report(
        self, order: Order, at_s: float, status: OrdStatus, lots: int, ticks: int, fee_cents: int, bid: int, ask: int
    ) -> None:
        done = self.filled.get(order.client_order_id, 0)
        sequence = len(self.reports) + 1
        self.reports.append(
            ExecutionReport(
                sequence=sequence,
                exec_id=f"F{sequence}",
                client_order_id=order.client_order_id,
                ord_status=status,
                last_lots=lots,
                last_ticks=ticks,
                cum_lots=done,
                leaves_lots=0 if status.terminal else order.quantity_lots - done,
                fee_cents=fee_cents,
                instrument=order.instrument,
                side=order.side,
                refusal=Refusal.NONE,
                text="",
                event_time_ns=T0_NS + int(at_s * NS_PER_S),
                receive_time_ns=0,
                bid_ticks=bid,
                ask_ticks=ask,
            )
        )

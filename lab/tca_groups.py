"""The rows of a bill of transaction costs summed by order, agent, underlying, hour or tactic; every grouping has the same sums.

*Tested by* tests/unit/test_lab_tca.py, tests/properties/test_tca_conserve.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from common.messages import F64, I64, Order
from common.tactics import TacticKind
from common.units import NS_PER_MS
from common.universe import Universe
from lab.tca import NOBODY, Costs, Worked

Key = Literal["order", "agent", "underlying", "hour", "tactic"]
KEYS: Final[tuple[Key, ...]] = ("order", "agent", "underlying", "hour", "tactic")


@dataclass(frozen=True)
class Group:
    """One line of a table: sums in quarter cents, lots, and what is measured per order. ``latency_ms`` NaN where none filled."""

    name: str
    orders: int
    ordered_lots: int
    filled_lots: int
    spread: int
    timing: int
    fees: int
    opportunity: int
    impact: tuple[int, ...]
    reversion: tuple[int, ...]
    seen_lots: tuple[int, ...]
    latency_ms: float

    @property
    def shortfall(self) -> int:
        """Implementation shortfall."""
        return self.spread + self.timing + self.fees + self.opportunity

    @property
    def fill_rate(self) -> float:
        """Filled lots over ordered lots; NaN where nothing was ordered."""
        return self.filled_lots / self.ordered_lots if self.ordered_lots else float("nan")


def grouped(worked: Worked, costs: Costs, universe: Universe, key: Key) -> list[Group]:
    """The rows summed by ``key``, in order of name (orders: of decision). Whatever the key, the sums are the same."""
    name_of = _namer(worked, costs, universe, key)
    names = [name_of(r) for r in range(len(costs.agent))]
    latency_ms = first_fill_ms(worked)
    decided = np.argsort(np.where(costs.order < 0, len(worked.orders), costs.order), kind="stable")
    groups = list(dict.fromkeys(names[r] for r in decided)) if key == "order" else sorted(set(names))
    label = np.array(names, object)
    return [_group(str(name), np.flatnonzero(label == name), costs, latency_ms) for name in groups]


def total(worked: Worked, costs: Costs) -> Group:
    """All rows as one group."""
    return _group("total", np.arange(len(costs.agent)), costs, first_fill_ms(worked))


def first_fill_ms(worked: Worked) -> F64:
    """Market milliseconds from decision to first fill (o,); NaN for an order without a fill."""
    out = np.full(len(worked.orders), np.nan)
    for f in range(len(worked.fills) - 1, -1, -1):
        k = int(worked.fill_order[f])
        if k >= 0:
            out[k] = (int(worked.fills.time_ns[f]) - worked.orders[k].event_time_ns) / NS_PER_MS
    return out


def tactic_of(order: Order) -> str:
    """How an order is worked: ``limit ioc``, ``passive day``, ``limit ioc follows``."""
    direct = order.tactic.kind is TacticKind.DIRECT
    kind = order.ord_type.name if direct else order.tactic.kind.name
    return f"{kind.lower()} {order.time_in_force.name.lower()}{' follows' if order.follows is not None else ''}"


def _namer(worked: Worked, costs: Costs, universe: Universe, key: Key) -> Callable[[int], str]:
    def of_order(r: int) -> str:
        k = int(costs.order[r])
        if k < 0:
            return NOBODY
        order = worked.orders[k]
        if key == "order":
            return order.client_order_id
        if key == "underlying":
            return universe.symbols[int(universe.underlying[order.instrument])]
        if key == "hour":
            return str(np.datetime64(order.event_time_ns, "ns").astype("datetime64[h]"))[-2:] + ":00 UTC"
        return tactic_of(order)

    return (lambda r: costs.agent[r]) if key == "agent" else of_order


def _group(name: str, at: NDArray[np.intp], costs: Costs, latency_ms: F64) -> Group:
    mine = np.unique(costs.order[at])
    waits = latency_ms[mine[mine >= 0]]
    waits = waits[np.isfinite(waits)]

    def added(column: I64) -> int:
        return int(column[at].sum())

    def by_horizon(columns: I64) -> tuple[int, ...]:
        return tuple(int(x) for x in columns[:, at].sum(axis=1))

    return Group(
        name,
        int((mine >= 0).sum()),
        added(costs.ordered_lots),
        added(costs.filled_lots),
        added(costs.spread),
        added(costs.timing),
        added(costs.fees),
        added(costs.opportunity),
        by_horizon(costs.impact),
        by_horizon(costs.reversion),
        by_horizon(costs.seen_lots),
        float(np.median(waits)) if len(waits) else float("nan"),
    )

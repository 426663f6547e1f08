"""Flow budgets in two phases: an order reserves, its fills consume, what will not fill is released.

Scopes are ``firm``, ``kind:gamma`` and ``underlying:SPX``, each per UTC day of market time; an order stays on the day
it was decided. Amounts are whole: (cost in cents, notional in cents, orders). Cost is consumed as realised, notional at
the order's limit price; an order counts unless it was refused. Invariant at every event: used + reserved ≤ limit, save
what was there when a limit was tightened below it and what a venue charged beyond the stated fee (``ceiling``).
*Tested by* tests/unit/test_manager_flows.py, tests/properties/test_manager_conservation.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from common.errors import HedgerowError
from common.factors import kind_of
from common.limits import Limits
from common.units import CENTS_PER_USD, NS_PER_DAY

COST, NOTIONAL, ORDERS = 0, 1, 2
NAMES = ("cost_cents", "notional_cents", "orders")
_NO_LIMIT = 2**62
Amount = tuple[int, int, int]


@dataclass(slots=True)
class Meter:
    """One scope on one day; lists of (cost cents, notional cents, orders)."""

    used: list[int] = field(default_factory=lambda: [0, 0, 0])
    reserved: list[int] = field(default_factory=lambda: [0, 0, 0])
    ceiling: list[int] = field(default_factory=lambda: [0, 0, 0])

    def level(self, i: int) -> int:
        """Used plus reserved."""
        return self.used[i] + self.reserved[i]


def day_of(now_ns: int) -> int:
    """UTC day number of a market time."""
    return now_ns // NS_PER_DAY


def scopes_of(symbol: str, agent_lots: Mapping[str, int]) -> dict[str, int]:
    """Scopes an order touches and its lots in each: the firm and the underlying in full, each kind its part."""
    total = sum(abs(n) for n in agent_lots.values())
    out = {"firm": total, f"underlying:{symbol}": total}
    for agent, lots in agent_lots.items():
        if lots and (kind := kind_of(agent)):
            out[f"kind:{kind}"] = out.get(f"kind:{kind}", 0) + abs(lots)
    return out


class Flows:
    """All meters and the limits they run against."""

    def __init__(self, limits: Limits) -> None:
        self.meters: dict[tuple[str, int], Meter] = {}
        self._limit = _limits_by_scope(limits)

    def set_limits(self, limits: Limits) -> None:
        """New limits hold from now on; what already stands above them stays and blocks anything new."""
        self._limit = _limits_by_scope(limits)
        for meter in self.meters.values():
            meter.ceiling = [meter.level(i) for i in range(3)]

    def limit(self, scope: str) -> Amount:
        """Limit of a scope in cents, cents and orders."""
        return self._limit.get(scope, (_NO_LIMIT, _NO_LIMIT, _NO_LIMIT))

    def room(self, scope: str, day: int) -> Amount:
        """What may still be reserved, never negative."""
        limit, meter = self.limit(scope), self.meters.get((scope, day))
        if meter is None:
            return limit
        cost, notional, orders = (max(limit[i] - meter.level(i), 0) for i in range(3))
        return (cost, notional, orders)

    def fits(self, scopes: Mapping[str, int], day: int, per_lot: tuple[int, int]) -> bool:
        """Whether one order with these lots per scope may be reserved."""
        for scope, lots in scopes.items():
            room = self.room(scope, day)
            if lots * per_lot[0] > room[COST] or lots * per_lot[1] > room[NOTIONAL] or room[ORDERS] < 1:
                return False
        return True

    def reserve(self, scopes: Mapping[str, int], day: int, per_lot: tuple[int, int], *, forced: bool = False) -> None:
        """Set aside one order. ``forced`` for an order another leader sent: it stands, so the ceiling rises to it."""
        self._forget_before(day - 1)
        for scope, lots in scopes.items():
            meter = self.meters.setdefault((scope, day), Meter())
            for i, amount in enumerate((lots * per_lot[0], lots * per_lot[1], 1)):
                meter.reserved[i] += amount
                if forced:
                    meter.ceiling[i] = max(meter.ceiling[i], meter.level(i))

    def consume(self, scopes: Mapping[str, int], day: int, per_lot: tuple[int, int], realised_cents: int) -> None:
        """A fill: its reservation goes, its realised cost and its notional are used. Kinds pay pro rata to lots."""
        total = scopes["firm"]
        for scope, lots in scopes.items():
            meter = self.meters.setdefault((scope, day), Meter())
            # Rounded up, so a kind never pays less than its part; the reservation was rounded up as well.
            cost = -(-realised_cents * lots // total)
            meter.reserved[COST] -= lots * per_lot[0]
            meter.reserved[NOTIONAL] -= lots * per_lot[1]
            meter.used[COST] += cost
            meter.used[NOTIONAL] += lots * per_lot[1]
            if cost > lots * per_lot[0]:
                meter.ceiling[COST] = max(meter.ceiling[COST], meter.level(COST))

    def late(self, scopes: Mapping[str, int], day: int, notional_per_lot: int, realised_cents: int) -> None:
        """A fill of an order whose reservation is gone: used without having been reserved, and the ceiling says so."""
        for scope, lots in scopes.items():
            meter = self.meters.setdefault((scope, day), Meter())
            meter.used[COST] += realised_cents
            meter.used[NOTIONAL] += lots * notional_per_lot
            for i in range(3):
                meter.ceiling[i] = max(meter.ceiling[i], meter.level(i))

    def close(
        self,
        order_scopes: Iterable[str],
        leaves: Mapping[str, int],
        day: int,
        per_lot: tuple[int, int],
        counts: bool,
    ) -> None:
        """An order ended: release the lots that did not fill (``leaves`` per scope); it counts unless refused."""
        for scope in order_scopes:
            meter = self.meters.setdefault((scope, day), Meter())
            lots = leaves.get(scope, 0)
            meter.reserved[COST] -= lots * per_lot[0]
            meter.reserved[NOTIONAL] -= lots * per_lot[1]
            meter.reserved[ORDERS] -= 1
            meter.used[ORDERS] += int(counts)

    def check(self) -> None:
        """Raise ``HedgerowError`` where a meter is negative or above its limit."""
        for (scope, day), meter in self.meters.items():
            limit = self.limit(scope)
            for i, name in enumerate(NAMES):
                if meter.used[i] < 0 or meter.reserved[i] < 0 or meter.level(i) > max(limit[i], meter.ceiling[i]):
                    raise HedgerowError(f"flow {scope} day {day} {name}: {meter}, limit {limit[i]}")

    def _forget_before(self, day: int) -> None:
        old = [key for key, m in self.meters.items() if key[1] < day and not any(m.reserved)]
        for key in old:
            del self.meters[key]


def _limits_by_scope(limits: Limits) -> dict[str, Amount]:
    scopes = [
        "firm",
        *(f"kind:{k}" for k in limits.flow_by_kind),
        *(f"underlying:{u}" for u in limits.flow_by_underlying),
    ]
    shares = {scope: limits.flow_share(scope) for scope in scopes}
    return {scope: (_cents(x.cost_usd), _cents(x.notional_usd), _count(x.orders)) for scope, x in shares.items()}


def _cents(usd: float | None) -> int:
    return _NO_LIMIT if usd is None else int(usd * CENTS_PER_USD)


def _count(orders: int | None) -> int:
    return _NO_LIMIT if orders is None else orders

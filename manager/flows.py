"""Flow budgets in two phases: an order reserves, its fills consume, what will not fill is released.

Scopes are ``firm``, ``desk:rates``, ``kind:gamma``, ``agent:gamma-0`` and ``underlying:SPX``, each per trading day; an
order stays on the day it was decided. Amounts are whole: (cost in cents, notional in cents, orders). Cost is
consumed as realised, notional at the order's limit price; an order counts unless it was refused. An order that cures a
broken hard limit and found no room left pays its cost from the scope ``emergency`` alone; its notional and count stay
where they belong. What people allow a kind may be tightened by the division of the firm's cost budget (``divide``).
Invariant at every event: used + reserved ≤ limit, save what was there when a limit was tightened below it and what a
venue charged beyond the stated fee (``ceiling``).
*Tested by* tests/unit/test_manager_flows.py, tests/properties/test_manager_conservation.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from common.errors import HedgerowError
from common.factors import desk_of, kind_of, without_desk
from common.limits import Limits
from common.units import CENTS_PER_USD

COST, NOTIONAL, ORDERS = 0, 1, 2
NAMES = ("cost_cents", "notional_cents", "orders")
NO_LIMIT = 2**62
#: The scope of the cost of orders that cure a broken hard limit.
EMERGENCY = "emergency"
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


def scopes_of(symbol: str, agent_lots: Mapping[str, int], *, emergency: bool = False) -> dict[str, int]:
    """Scopes an order touches and its lots in each: firm and underlying in full, each desk, kind and agent its part."""
    total = sum(abs(n) for n in agent_lots.values())
    out = {"firm": total, f"underlying:{symbol}": total}
    for agent, lots in agent_lots.items():
        if not lots:
            continue
        parts = {f"kind:{kind_of(agent)}": kind_of(agent), f"agent:{without_desk(agent)}": without_desk(agent)}
        parts[f"desk:{desk_of(agent)}"] = desk_of(agent)
        for scope, name in parts.items():
            if name:
                out[scope] = out.get(scope, 0) + abs(lots)
    if emergency:
        out[EMERGENCY] = total
    return out


def amounts(scopes: Mapping[str, int], per_lot: tuple[int, int]) -> dict[str, Amount]:
    """What one order sets aside in each of its scopes. Cost in the emergency scope is in no other."""
    out: dict[str, Amount] = {}
    urgent = EMERGENCY in scopes
    for scope, lots in scopes.items():
        cost, notional = lots * per_lot[0], lots * per_lot[1]
        if scope == EMERGENCY:
            out[scope] = (cost, 0, 0)
        else:
            out[scope] = (0 if urgent else cost, notional, 1)
    return out


class Flows:
    """All meters and the limits they run against."""

    def __init__(self, limits: Limits) -> None:
        self.meters: dict[tuple[str, int], Meter] = {}
        self._limit = _limits_by_scope(limits)
        #: Cost in cents that the division of one day gives each scope.
        self._share: dict[str, int] = {}
        self._share_day = -1

    def set_limits(self, limits: Limits) -> None:
        """New limits hold from now on; what already stands above them stays and blocks anything new."""
        self._limit = _limits_by_scope(limits)
        self._raise_ceilings()

    def divide(self, day: int, cost_cents: Mapping[str, int]) -> None:
        """The manager's division of a day's cost budget: each scope is held to its share and to what people allow it."""
        self._share, self._share_day = dict(cost_cents), day
        self._raise_ceilings()

    def _raise_ceilings(self) -> None:
        for meter in self.meters.values():
            meter.ceiling = [meter.level(i) for i in range(3)]

    def limit(self, scope: str, day: int | None = None) -> Amount:
        """Limit of a scope in cents, cents and orders; with a day, after that day's division."""
        limit = self._limit.get(scope, (NO_LIMIT, NO_LIMIT, NO_LIMIT))
        if day is None or day != self._share_day or scope not in self._share:
            return limit
        return (min(limit[COST], self._share[scope]), limit[NOTIONAL], limit[ORDERS])

    def room(self, scope: str, day: int) -> Amount:
        """What may still be reserved, never negative."""
        limit, meter = self.limit(scope, day), self.meters.get((scope, day))
        if meter is None:
            return limit
        cost, notional, orders = (max(limit[i] - meter.level(i), 0) for i in range(3))
        return (cost, notional, orders)

    def fits(self, scopes: Mapping[str, int], day: int, per_lot: tuple[int, int]) -> bool:
        """Whether one order with these lots per scope may be reserved."""
        for scope, wanted in amounts(scopes, per_lot).items():
            room = self.room(scope, day)
            if any(wanted[i] > room[i] for i in range(3)):
                return False
        return True

    def reserve(self, scopes: Mapping[str, int], day: int, per_lot: tuple[int, int], *, forced: bool = False) -> None:
        """Set aside one order. ``forced`` for an order another leader sent: it stands, so the ceiling rises to it."""
        self._forget_before(day - 1)
        for scope, wanted in amounts(scopes, per_lot).items():
            meter = self.meters.setdefault((scope, day), Meter())
            for i, amount in enumerate(wanted):
                meter.reserved[i] += amount
                if forced:
                    meter.ceiling[i] = max(meter.ceiling[i], meter.level(i))

    def consume(self, scopes: Mapping[str, int], day: int, per_lot: tuple[int, int], realised_cents: int) -> None:
        """A fill: its reservation goes, its realised cost and its notional are used. Kinds pay pro rata to lots."""
        total = scopes["firm"]
        for scope, wanted in amounts(scopes, per_lot).items():
            meter = self.meters.setdefault((scope, day), Meter())
            # Rounded up, so a kind never pays less than its part; the reservation was rounded up as well.
            cost = -(-realised_cents * scopes[scope] // total) if _pays(scopes, scope) else 0
            meter.reserved[COST] -= wanted[COST]
            meter.reserved[NOTIONAL] -= wanted[NOTIONAL]
            meter.used[COST] += cost
            meter.used[NOTIONAL] += wanted[NOTIONAL]
            if cost > wanted[COST]:
                meter.ceiling[COST] = max(meter.ceiling[COST], meter.level(COST))

    def late(self, scopes: Mapping[str, int], day: int, notional_per_lot: int, realised_cents: int) -> None:
        """A fill of an order whose reservation is gone: used without having been reserved, and the ceiling says so."""
        for scope, wanted in amounts(scopes, (0, notional_per_lot)).items():
            meter = self.meters.setdefault((scope, day), Meter())
            meter.used[COST] += realised_cents if _pays(scopes, scope) else 0
            meter.used[NOTIONAL] += wanted[NOTIONAL]
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
        lots = {scope: leaves.get(scope, 0) for scope in order_scopes}
        for scope, wanted in amounts(lots, per_lot).items():
            meter = self.meters.setdefault((scope, day), Meter())
            for i in range(3):
                meter.reserved[i] -= wanted[i]
            meter.used[ORDERS] += int(counts) * wanted[ORDERS]

    def check(self) -> None:
        """Raise ``HedgerowError`` where a meter is negative or above its limit."""
        for (scope, day), meter in self.meters.items():
            limit = self.limit(scope, day)
            for i, name in enumerate(NAMES):
                if meter.used[i] < 0 or meter.reserved[i] < 0 or meter.level(i) > max(limit[i], meter.ceiling[i]):
                    raise HedgerowError(f"flow {scope} day {day} {name}: {meter}, limit {limit[i]}")

    def _forget_before(self, day: int) -> None:
        old = [key for key, m in self.meters.items() if key[1] < day and not any(m.reserved)]
        for key in old:
            del self.meters[key]


def _pays(scopes: Mapping[str, int], scope: str) -> bool:
    """Whether a scope bears the cost of an order: the emergency scope instead of all others, where it is named."""
    return EMERGENCY not in scopes or scope == EMERGENCY


def _limits_by_scope(limits: Limits) -> dict[str, Amount]:
    shares = {scope: limits.flow_share(scope) for scope in limits.scoped("flow")}
    out = {scope: (_cents(x.cost_usd), _cents(x.notional_usd), _count(x.orders)) for scope, x in shares.items()}
    return {**out, EMERGENCY: (_cents(limits.flow.emergency_cost_usd), NO_LIMIT, NO_LIMIT)}


def _cents(usd: float | None) -> int:
    return NO_LIMIT if usd is None else int(usd * CENTS_PER_USD)


def _count(orders: int | None) -> int:
    return NO_LIMIT if orders is None else orders

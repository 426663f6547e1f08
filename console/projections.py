"""What people see of a run, made from the manager's ``status``; read-only, it holds no state of its own.

``view_of`` turns one status dictionary into a ``View``: flat rows with units in their names, ready for a terminal, a
web page or JSON. A part that is missing (an execution that cannot be reached, an agent that has not spoken) becomes an
empty row or None, never an error: the screen must live when parts of the system do not.
*Tested by* tests/unit/test_console_view.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from common.factors import BUCKET_NAMES, desk_of, without_desk
from common.messages import ENDED
from common.units import NS_PER_MS, NS_PER_S
from console.trading import trading_now

MS_PER_S = 1_000.0


@dataclass(frozen=True)
class FactorRow:
    """One exposure against its interval, in the factor's unit; ``place`` is inside, above, below or unknown."""

    name: str
    unit: str
    owner: str
    exposure: float | None
    lower: float | None
    upper: float | None
    price_of_risk: float | None
    limit: float | None

    @property
    def place(self) -> str:
        """Where the exposure lies."""
        if self.exposure is None or self.lower is None or self.upper is None:
            return "unknown"
        if self.exposure > self.upper:
            return "above"
        return "below" if self.exposure < self.lower else "inside"


@dataclass(frozen=True)
class AgentRow:
    """One agent: sign of life, what it last said and why. ``trigger`` is empty before its first proposal."""

    name: str
    state: str
    heartbeat_age_s: float | None
    trigger: str
    proposals: int
    decide_p50_us: float
    decide_p99_us: float
    rss_bytes: int
    loop: str
    incarnation: int
    keys: tuple[str, ...]


@dataclass(frozen=True)
class BudgetRow:
    """One flow budget of today: used and reserved of its limit. Names end in their unit, ``cost_usd``."""

    scope: str
    budget: str
    used: float
    reserved: float
    limit: float | None


@dataclass(frozen=True)
class NettingRow:
    """One instrument of the last cycle, in lots: what the agents wished, what was solved, what was ordered."""

    instrument: str
    wished: float
    solved: float
    ordered: int


@dataclass(frozen=True)
class OrderRow:
    """One of the latest orders; ``signed_lots`` positive for a buy, ``filled_lots`` of them."""

    client_order_id: str
    instrument: str
    signed_lots: int
    filled_lots: int
    status: str


@dataclass(frozen=True)
class DeskRow:
    """One of several desks: lots it crossed with others, what its orders cost, what its hedges brought at mids; USD."""

    name: str
    crossed_lots: int
    cost_usd: float | None
    hedge_pnl_usd: float | None


@dataclass(frozen=True)
class Latency:
    """Tick to order in milliseconds; None before the first order."""

    p50_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True)
class View:
    """Everything on the screen at one moment."""

    run_id: str
    state: str
    why: str
    leader: str
    epoch: int
    standby: tuple[str, ...]
    market_time_ns: int
    speed: float | None
    source_age_s: dict[str, float]
    agents: tuple[AgentRow, ...]
    factors: tuple[FactorRow, ...]
    budgets: tuple[BudgetRow, ...]
    netting: tuple[NettingRow, ...]
    method: str
    latest: tuple[OrderRow, ...]
    orders: int
    working: int
    refused: int
    filled: int
    cycles: int
    cost_usd: float | None
    wished_cost_usd: float | None
    pnl_usd: float | None
    unhedged_pnl_usd: float | None
    latency: Latency
    memory_bytes: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    desks: tuple[DeskRow, ...] = ()
    crossing_saved_usd: float = 0.0

    @property
    def memory_total_bytes(self) -> int:
        """Memory of the whole system, or of the agents where the launcher did not measure it."""
        return sum(self.memory_bytes.values()) or sum(a.rss_bytes for a in self.agents)


def view_of(status: Mapping[str, Any], extra: Mapping[str, Any] | None = None) -> View:
    """The view of a status dictionary (``manager/status.py`` plus the shell's ``leader``, ``standby``, ``execution``).

    ``extra`` is what only the launcher knows: ``speed``, ``memory_bytes`` {process: bytes}, ``pnl_usd``,
    ``unhedged_pnl_usd``, ``notes``.
    """
    more = dict(extra or {})
    leader, orders, cycle = (_map(status.get(name)) for name in ("leader", "orders", "cycle"))
    costs = _map(status.get("costs"))
    state, why = trading_now(_map(status.get("execution")), _map(status.get("trading")))
    sources = (_map(s) for s in _list(status.get("sources")))
    return View(
        run_id=str(status.get("run_id", "")),
        state=state,
        why=why,
        leader=str(leader.get("holder", "")),
        epoch=_int(leader.get("epoch")),
        standby=tuple(map(str, _list(status.get("standby")))),
        market_time_ns=_int(status.get("now_ns")),
        speed=_float(more.get("speed")),
        source_age_s={str(s.get("underlying")): age for s in sources if (age := _float(s.get("age_s"))) is not None},
        agents=tuple(a for a in map(_agent, map(_map, _list(status.get("agents")))) if a.state != ENDED or a.keys),
        factors=tuple(sorted((_factor(_map(f)) for f in _list(status.get("factors"))), key=_rank)),
        budgets=tuple(_budget(_map(b)) for b in _list(status.get("flows"))),
        netting=tuple(_netting(_map(r)) for r in _list(cycle.get("trades"))),
        method=str(cycle.get("method", "")),
        latest=tuple(_order(_map(o)) for o in _list(orders.get("latest"))),
        orders=_int(orders.get("decided")),
        working=_int(orders.get("open")),
        refused=sum(map(_int, _map(status.get("refused_orders")).values())),
        filled=_int(orders.get("fills")),
        cycles=_int(_map(status.get("counts")).get("cycles")),
        cost_usd=_sum(costs, "half_spread_usd", "fees_usd"),
        wished_cost_usd=_float(costs.get("wished_usd")),
        pnl_usd=_float(more.get("pnl_usd")),
        unhedged_pnl_usd=_float(more.get("unhedged_pnl_usd")),
        latency=_latency(_map(status.get("execution"))),
        memory_bytes=dict(more.get("memory_bytes", {})),
        notes=tuple(more.get("notes", ())),
        desks=tuple(_desk(_map(d)) for d in _list(status.get("desks"))),
        crossing_saved_usd=_float(_map(status.get("crossings")).get("saved_usd")) or 0.0,
    )


def one_line(view: View) -> str:
    """The view as one line, for a log or a pipe."""
    outside = sum(f.place in ("above", "below") for f in view.factors)
    alive = sum(a.heartbeat_age_s is not None and a.heartbeat_age_s < 3.0 for a in view.agents)
    parts = [
        f"market {market_clock(view.market_time_ns)}",
        view.state,
        f"leader {view.leader or 'none'} epoch {view.epoch}",
        f"agents {alive}/{len(view.agents)}",
        f"outside {outside}/{len(view.factors)}",
        f"orders {view.orders}",
        f"fills {view.filled}",
    ]
    if view.cost_usd is not None:
        parts.append(f"cost {view.cost_usd:,.0f} USD")
    if view.pnl_usd is not None:
        parts.append(f"P&L {view.pnl_usd:+,.0f} USD")
    if view.latency.p50_ms is not None and view.latency.p99_ms is not None:
        parts.append(f"tick to order {view.latency.p50_ms:.1f}/{view.latency.p99_ms:.1f} ms")
    return " | ".join(parts)


def market_clock(ns: int) -> str:
    """Market time as people read it, UTC, to the second; "no data" before the first batch."""
    return datetime.fromtimestamp(ns / NS_PER_S, UTC).strftime("%a %Y-%m-%d %H:%M:%S") if ns else "no data"


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _int(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _sum(values: Mapping[str, Any], *names: str) -> float | None:
    found = [x for name in names if (x := _float(values.get(name))) is not None]
    return sum(found) if found else None


def _rank(row: FactorRow) -> tuple[str, int, str, float]:
    head, _, rest = without_desk(row.name).partition(":")
    rank = {"delta": 0, "gamma": 1, "vega": 2, "factor": 3, "proxy": 4}.get(head, 5)
    underlying, _, bucket = rest.partition("/")
    return desk_of(row.name), rank, underlying, BUCKET_NAMES.index(bucket) if bucket in BUCKET_NAMES else -1


def _factor(f: Mapping[str, Any]) -> FactorRow:
    return FactorRow(
        name=str(f.get("factor", "")),
        unit=str(f.get("unit", "")),
        owner=str(f.get("owner", "")),
        exposure=_float(f.get("exposure")) if f.get("live", True) else None,
        lower=_float(f.get("lower")),
        upper=_float(f.get("upper")),
        price_of_risk=_float(f.get("price_of_risk")),
        limit=_float(f.get("hard")),
    )


def _agent(a: Mapping[str, Any]) -> AgentRow:
    heard_ms = _float(a.get("heard_ms"))
    return AgentRow(
        name=str(a.get("agent", "")),
        state=str(a.get("state", "unknown")),
        heartbeat_age_s=None if heard_ms is None else heard_ms / MS_PER_S,
        trigger=str(a.get("trigger", "")),
        proposals=_int(a.get("proposals")),
        decide_p50_us=_float(a.get("decide_p50_us")) or 0.0,
        decide_p99_us=_float(a.get("decide_p99_us")) or 0.0,
        rss_bytes=_int(a.get("rss_bytes")),
        loop=str(a.get("loop", "")),
        incarnation=_int(a.get("incarnation")),
        keys=tuple(map(str, _list(a.get("keys")))),
    )


def _budget(b: Mapping[str, Any]) -> BudgetRow:
    used, reserved = _float(b.get("used")) or 0.0, _float(b.get("reserved")) or 0.0
    return BudgetRow(str(b.get("scope", "")), str(b.get("budget", "")), used, reserved, _float(b.get("limit")))


def _netting(r: Mapping[str, Any]) -> NettingRow:
    wished, solved = _float(r.get("wished")) or 0.0, _float(r.get("solution")) or 0.0
    return NettingRow(str(r.get("instrument", "")), wished, solved, _int(r.get("ordered")))


def _order(o: Mapping[str, Any]) -> OrderRow:
    sign = -1 if o.get("side") == "SELL" else 1
    return OrderRow(
        client_order_id=str(o.get("client_order_id", "")),
        instrument=str(o.get("instrument", "")),
        signed_lots=sign * _int(o.get("lots")),
        filled_lots=_int(o.get("filled")),
        status=str(o.get("status", "")),
    )


def _desk(d: Mapping[str, Any]) -> DeskRow:
    cost, pnl = _float(d.get("cost_usd")), _float(d.get("hedge_pnl_usd"))
    return DeskRow(str(d.get("desk", "")), _int(d.get("crossed_lots")), cost, pnl)


def _latency(execution: Mapping[str, Any]) -> Latency:
    p50, p99 = (_float(execution.get(f"tick_to_order_{q}_ns")) for q in ("p50", "p99"))
    return Latency(p50 / NS_PER_MS if p50 else None, p99 / NS_PER_MS if p99 else None)

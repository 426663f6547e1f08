"""What people see of a run, made from the manager's ``status``; read-only, it holds no state of its own.

``view_of`` turns one status dictionary into a ``View``: flat rows with units in their names, ready for a terminal, a
web page or JSON. A part that is missing (an execution that cannot be reached, an agent that has not spoken) becomes an
empty row or None, never an error: the screen must live when parts of the system do not.
*Tested by* tests/unit/test_console_projections.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.factors import key_of, unit_of
from common.units import CENTS_PER_USD, NS_PER_S


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
    """One agent: sign of life, what it last said and why."""

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
    """One flow budget: used and reserved of its limit, in ``unit``."""

    scope: str
    unit: str
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
class FillRow:
    """One fill."""

    time_ns: int
    instrument: str
    signed_lots: int
    price: float
    fee_cents: int
    client_order_id: str


@dataclass(frozen=True)
class Latency:
    """Tick to order in milliseconds; None before the first order."""

    p50_ms: float | None = None
    p99_ms: float | None = None
    samples: int = 0


@dataclass(frozen=True)
class View:
    """Everything on the screen at one moment."""

    run_id: str
    state: str
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
    cycle: dict[str, Any]
    fills: tuple[FillRow, ...]
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
    leader = _map(status.get("leader"))
    counts = _map(status.get("orders"))
    cost = _map(status.get("cost"))
    return View(
        run_id=str(status.get("run_id", "")),
        state=_state(status),
        leader=str(leader.get("holder", "")),
        epoch=int(leader.get("epoch", status.get("epoch", 0))),
        standby=tuple(status.get("standby", ())),
        market_time_ns=int(status.get("market_time_ns", 0)),
        speed=more.get("speed"),
        source_age_s={str(k): float(v) for k, v in _map(status.get("source_age_s")).items()},
        agents=tuple(_agent(name, _map(a)) for name, a in sorted(_map(status.get("agents")).items())),
        factors=tuple(_factor(name, _map(f)) for name, f in sorted(_map(status.get("factors")).items(), key=_order)),
        budgets=tuple(_budget(_map(b)) for b in status.get("budgets", ())),
        netting=tuple(_netting(_map(r)) for r in _map(status.get("cycle")).get("netting", ())),
        cycle=dict(_map(status.get("cycle"))),
        fills=tuple(_fill(_map(f)) for f in status.get("fills", ())),
        orders=int(counts.get("total", 0)),
        working=int(counts.get("working", 0)),
        refused=int(counts.get("refused", 0)),
        filled=int(counts.get("fills", 0)),
        cycles=int(status.get("cycles", 0)),
        cost_usd=_cents(cost.get("paid_cents")),
        wished_cost_usd=_cents(cost.get("wished_cents")),
        pnl_usd=more.get("pnl_usd"),
        unhedged_pnl_usd=more.get("unhedged_pnl_usd"),
        latency=_latency(_map(status.get("execution"))),
        memory_bytes=dict(more.get("memory_bytes", {})),
        notes=tuple(more.get("notes", ())),
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
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ns / NS_PER_S, UTC).strftime("%a %Y-%m-%d %H:%M:%S") if ns else "no data"


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _order(item: tuple[str, object]) -> tuple[int, str]:
    rank = {"delta": 0, "gamma": 1, "vega": 2, "factor": 3}
    return rank.get(item[0].partition(":")[0], 4), item[0]


def _state(status: Mapping[str, Any]) -> str:
    execution = _map(status.get("execution"))
    if execution and not execution.get("reachable", True):
        return "EXECUTION UNREACHABLE"
    return str(status.get("trading_state", "UNKNOWN")).upper()


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _cents(value: object) -> float | None:
    number = _float(value)
    return None if number is None else number / CENTS_PER_USD


def _factor(name: str, f: Mapping[str, Any]) -> FactorRow:
    return FactorRow(
        name=name,
        unit=unit_of(name),
        owner=str(f.get("owner", "") or key_of(name)),
        exposure=_float(f.get("exposure")),
        lower=_float(f.get("lower")),
        upper=_float(f.get("upper")),
        price_of_risk=_float(f.get("price_of_risk")),
        limit=_float(f.get("hard_limit")),
    )


def _agent(name: str, a: Mapping[str, Any]) -> AgentRow:
    return AgentRow(
        name=name,
        state=str(a.get("state", "unknown")),
        heartbeat_age_s=_float(a.get("heartbeat_age_s")),
        trigger=str(a.get("trigger", "")),
        proposals=int(a.get("proposals", 0)),
        decide_p50_us=float(a.get("decide_p50_us", 0.0)),
        decide_p99_us=float(a.get("decide_p99_us", 0.0)),
        rss_bytes=int(a.get("rss_bytes", 0)),
        loop=str(a.get("loop", "")),
        incarnation=int(a.get("incarnation", 0)),
        keys=tuple(a.get("keys", ())),
    )


def _budget(b: Mapping[str, Any]) -> BudgetRow:
    return BudgetRow(
        scope=str(b.get("scope", "")),
        unit=str(b.get("unit", "")),
        used=float(b.get("used", 0.0)),
        reserved=float(b.get("reserved", 0.0)),
        limit=_float(b.get("limit")),
    )


def _netting(r: Mapping[str, Any]) -> NettingRow:
    return NettingRow(
        str(r.get("instrument", "")), float(r.get("wished", 0)), float(r.get("solved", 0)), int(r.get("ordered", 0))
    )


def _fill(f: Mapping[str, Any]) -> FillRow:
    return FillRow(
        time_ns=int(f.get("time_ns", 0)),
        instrument=str(f.get("instrument", "")),
        signed_lots=int(f.get("signed_lots", 0)),
        price=float(f.get("price", 0.0)),
        fee_cents=int(f.get("fee_cents", 0)),
        client_order_id=str(f.get("client_order_id", "")),
    )


def _latency(execution: Mapping[str, Any]) -> Latency:
    ms = _map(execution.get("tick_to_order_ms"))
    return Latency(_float(ms.get("p50")), _float(ms.get("p99")), int(ms.get("samples", 0)))

"""What the manager knows, as JSON for the command line and the console. A projection: nothing reads it back.

*Tested by* tests/unit/test_manager_status.py.
"""

from __future__ import annotations

import math
from typing import Any

from common.control_messages import Cycle
from common.factors import is_agent, successor_of, unit_of
from common.messages import F64
from common.units import CENTS_PER_USD, NS_PER_MS, NS_PER_S
from manager.budgets_view import budgets_view, limits_view
from manager.desk_status import crossings, desk_rows
from manager.flows import COST, NO_LIMIT, NOTIONAL, ORDERS
from manager.fold import MANUAL
from manager.menu import fresh_underlyings
from manager.rolls import rolls_view
from manager.state import ManagerState
from manager.steering_view import imports_of, parameters_of, trading_of
from manager.strike import pnl_view
from manager.view import view_of

_BUDGETS = (("cost_usd", COST, CENTS_PER_USD), ("notional_usd", NOTIONAL, CENTS_PER_USD), ("orders", ORDERS, 1))


def status(state: ManagerState, wall_ns: int) -> dict[str, Any]:
    """Everything people look at; plain numbers, text, lists and mappings. Numbers that are not finite become None."""
    fold = state.fold
    return {
        "run_id": state.setup.run_id,
        "netting": state.setup.config.netting,
        "now_ns": state.now_ns,
        "wall_ns": wall_ns,
        "trading": trading_of(state),
        "leader": {
            "holder": fold.holder,
            "epoch": fold.epoch,
            "leading": state.leading,
            "reconciled": state.reconciled,
        },
        "journal_sequence": fold.sequence,
        "limits": fold.limits.model_dump(mode="json"),
        "limits_log": limits_view(state, wall_ns),
        "budgets": budgets_view(state),
        "flows": _flows(state),
        "factors": _factors(state),
        "cycle": None if fold.last_cycle is None else _cycle(state, fold.last_cycle),
        "counts": {key: int(n) for key, n in sorted((fold.counts + state.seen).items())},
        "refused_proposals": dict(sorted(fold.refused_proposals.items())),
        "refused_orders": dict(sorted(fold.refused_orders.items())),
        "believed": _believed(state),
        "orders": _orders(state),
        "costs": _costs(state),
        "accounts": _accounts(state),
        "positions": _positions(state),
        "imports": imports_of(state),
        "parameters": parameters_of(state),
        "pnl": pnl_view(state),
        "rolls": rolls_view(state),
        "desks": desk_rows(state, _mid_cents(state)),
        "crossings": crossings(state),
        "agents": _agents(state, wall_ns),
        "assignment": _assignment(state),
        "sources": _sources(state),
    }


def _flows(state: ManagerState) -> list[dict[str, Any]]:
    day, flows = state.days.of(state.now_ns), state.fold.flows
    metered = [s for s, d in sorted(flows.meters) if d == day and not s.startswith(("firm", "agent:"))]
    scopes = ["firm", *metered]
    out = []
    for scope in scopes:
        meter, limit = flows.meters.get((scope, day)), flows.limit(scope, day)
        for name, i, unit in _BUDGETS:
            out.append(
                {
                    "scope": scope,
                    "budget": name,
                    "used": 0 if meter is None else meter.used[i] / unit,
                    "reserved": 0 if meter is None else meter.reserved[i] / unit,
                    "limit": None if limit[i] >= NO_LIMIT else limit[i] / unit,
                }
            )
    return out


def _factors(state: ManagerState) -> list[dict[str, Any]]:
    table, fold, view = state.fold.table, state.fold, view_of(state, state.now_ns)
    at_row = {int(row): k for k, row in enumerate(view.rows)}
    solved = fold.last_solved
    prices = {} if solved is None else dict(zip(solved.factor, solved.price_of_risk.tolist(), strict=True))
    out = []
    for i, name in enumerate(table.names):
        if not table.owner[i]:
            continue
        k = at_row.get(i)
        exposure = _number(table.exposure[i] if k is None else view.exposure[k])
        lower, upper = _number(table.lower[i]), _number(table.upper[i])
        inside = None
        if exposure is not None:
            inside = (lower is None or lower <= exposure) and (upper is None or exposure <= upper)
        out.append(
            {
                "factor": name,
                "unit": unit_of(name),
                "owner": str(table.owner[i]),
                "exposure": exposure,
                "lower": lower,
                "upper": upper,
                "inside": inside,
                "live": k is not None,
                "soft": _number(fold.soft[i]),
                "hard": _number(fold.hard[i]),
                "price_of_risk": prices.get(name, 0.0),
            }
        )
    return out


def _believed(state: ManagerState) -> list[dict[str, Any]]:
    """What execution's refusals have taught, while it is believed; ``lots``: the most that is asked for, None if as ever."""
    fold, universe = state.fold, state.setup.universe
    out: list[dict[str, Any]] = [
        {"scope": universe.symbols[u], "what": "reduce-only", "lots": None, "until_ns": until}
        for u, until in sorted(fold.reduce_only_until_ns.items())
    ]
    out += [
        {"scope": universe.instrument_id[j], "what": "largest order", "lots": lots, "until_ns": until}
        for j, (lots, until) in sorted(fold.too_large.items())
    ]
    return [row for row in out if row["until_ns"] > state.now_ns]


def _cycle(state: ManagerState, cycle: Cycle) -> dict[str, Any]:
    names = state.setup.universe.instrument_id
    wished = cycle.method != MANUAL
    rows = zip(cycle.menu.tolist(), cycle.wished_lots, cycle.solution_lots, cycle.ordered_lots, strict=True)
    return {
        "cycle_id": cycle.cycle_id,
        "method": cycle.method,
        "iterations": cycle.iterations,
        "proposals": list(cycle.proposal_id),
        "trades": [
            {"instrument": names[j], "wished": float(w), "solution": float(s), "ordered": int(o)}
            for j, w, s, o in rows
            if o or abs(w) >= 0.5
        ],
        "cost_usd": cycle.cost_cents / CENTS_PER_USD,
        "wished_cost_usd": cycle.wished_cost_cents / CENTS_PER_USD if wished else None,
        "saved_usd": (cycle.wished_cost_cents - cycle.cost_cents) / CENTS_PER_USD if wished else None,
    }


def _orders(state: ManagerState) -> dict[str, Any]:
    fold = state.fold
    lives = [*list(fold.orders.ended.values())[-20:], *fold.orders.open.values()]
    return {
        "decided": fold.orders.decided,
        "open": len(fold.orders.open),
        "fills": fold.ledger.fills,
        "latest": [
            {
                "client_order_id": x.order.client_order_id,
                "instrument": x.order.instrument_id,
                "side": x.order.side.name,
                "lots": x.order.quantity_lots,
                "filled": x.cum_lots,
                "status": x.status.name,
                "cycle_id": x.order.cycle_id,
            }
            for x in lives[-20:]
        ],
    }


def _costs(state: ManagerState) -> dict[str, float]:
    ledger = state.fold.ledger
    return {
        "slippage_usd": ledger.cost_cents / CENTS_PER_USD,
        "half_spread_usd": ledger.half_spread_cents / CENTS_PER_USD,
        "fees_usd": ledger.fee_cents / CENTS_PER_USD,
        "total_usd": (ledger.cost_cents + ledger.fee_cents) / CENTS_PER_USD,
        "modelled_usd": state.fold.modelled_cost_cents / CENTS_PER_USD,
        "wished_usd": state.fold.wished_cost_cents / CENTS_PER_USD,
    }


def _accounts(state: ManagerState) -> dict[str, Any]:
    """Who paid for what, to the cent, and what each agent's hedges have brought at the mids of now."""
    ledger = state.fold.ledger
    agents = sorted({*ledger.by_agent, *(agent for _, agent in ledger.accounts), *state.fold.risk_removed_usd} - {""})
    by_factor = [
        {"factor": factor, "agent": agent, "cost_usd": cents / CENTS_PER_USD}
        for (factor, agent), cents in sorted(ledger.accounts.items())
    ]
    mid_cents = _mid_cents(state)
    return {
        "by_factor": by_factor,
        "by_agent": [
            {
                "agent": agent,
                "cost_usd": sum(c for (_, a), c in ledger.accounts.items() if a == agent) / CENTS_PER_USD,
                "risk_removed_usd": _number(state.fold.risk_removed_usd.get(agent, 0.0)),
                "hedge_pnl_usd": _hedge_pnl(ledger.by_agent.get(agent, {}), ledger.cash_cents.get(agent, 0), mid_cents),
            }
            for agent in agents
        ],
    }


def _mid_cents(state: ManagerState) -> F64:
    return state.market.mid() / state.setup.universe.tick_size * state.fold.ledger.tick_cents


def _hedge_pnl(lots: dict[int, int], cash_cents: int, mid_cents: F64) -> float | None:
    """USD; None where something held has no two-sided quote."""
    value = sum(n * float(mid_cents[j]) for j, n in lots.items() if n)
    return _number((cash_cents + value) / CENTS_PER_USD)


def _positions(state: ManagerState) -> dict[str, Any]:
    ledger, names = state.fold.ledger, state.setup.universe.instrument_id
    traded = {names[j]: int(ledger.traded[j]) for j in sorted(ledger.touched)}
    agents = {
        agent: {names[j]: n for j, n in sorted(mine.items()) if n} for agent, mine in sorted(ledger.by_agent.items())
    }
    net = ledger.imported.sum(axis=0)
    imported = {names[j]: int(net[j]) for j in sorted(ledger.imported_at)}
    net = ledger.settled.sum(axis=0)
    settled = {names[j]: int(net[j]) for j in range(len(net)) if net[j]}
    return {
        "version": ledger.version,
        "traded": traded,
        "imported": imported,
        "settled": settled,
        "by_agent": agents,
    }


def _agents(state: ManagerState, wall_ns: int) -> list[dict[str, Any]]:
    out = []
    for name in sorted({*filter(is_agent, state.heartbeats), *state.fold.proposals}):
        row: dict[str, Any] = {"agent": name, "proposal": None, "state": "unheard", "keys": []}
        proposal = state.fold.proposals.get(name)
        if proposal is not None:
            row["proposal"] = proposal.header.id
            row["trigger"] = proposal.trigger
            row["reported"] = {k: _number(v) for k, v in zip(proposal.reported, proposal.reported_value, strict=True)}
        if name in state.heartbeats:
            beat, at_ns = state.heartbeats[name]
            row.update(
                state=beat.state,
                incarnation=beat.incarnation,
                loop=beat.loop,
                pid=beat.pid,
                proposals=beat.proposals,
                batches=beat.batches,
                gaps=beat.gaps,
                unusable_quotes=beat.unusable_quotes,
                decide_p50_us=_number(beat.decide_p50_us),
                decide_p99_us=_number(beat.decide_p99_us),
                rss_bytes=beat.rss_bytes,
                keys=list(beat.keys),
                heard_ms=(wall_ns - at_ns) / NS_PER_MS,
            )
        if (successor := state.heartbeats.get(successor_of(name))) is not None:
            row["successor_heard_ms"] = (wall_ns - successor[1]) / NS_PER_MS
        out.append(row)
    return out


def _assignment(state: ManagerState) -> dict[str, Any]:
    update = state.fold.assignment
    return {"version": 0, "owner": {}} if update is None else {"version": update.version, "owner": dict(update.owner)}


def _sources(state: ManagerState) -> list[dict[str, Any]]:
    market, fresh = state.market, fresh_underlyings(state)
    sigma = state.volatility.sigma_daily()
    out = []
    for u, symbol in enumerate(state.setup.universe.symbols):
        source = market.sources.get(f"feed.{symbol}")
        out.append(
            {
                "underlying": symbol,
                "sequence": 0 if source is None else source.sequence,
                "age_s": None if source is None else (market.now_ns - source.event_time_ns) / NS_PER_S,
                "gaps": 0 if source is None else source.gaps,
                "usable": bool(fresh[u]),
                "volatility_daily": float(sigma[u]),
            }
        )
    return out


def _number(value: float) -> float | None:
    x = float(value)
    return x if math.isfinite(x) else None

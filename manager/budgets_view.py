"""Limits and budgets as JSON for the command line and the console: every limit of every scope, what waits, the last round.

A projection: nothing reads it back. Numbers that are not known become None.
*Tested by* tests/unit/test_deploy_tables.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from common.factors import unit_of, without_desk
from common.limits_scopes import FLOWS, covers, specificity
from common.units import CENTS_PER_USD
from manager.budgets_scopes import drawdown_of, held_lots, in_sum, risk_of, why_reduce_only, worst_loss_usd
from manager.flows import EMERGENCY, NO_LIMIT
from manager.state import ManagerState
from manager.view import View, known_of, view_of

_PER = (CENTS_PER_USD, CENTS_PER_USD, 1)


def limits_view(state: ManagerState, wall_ns: int) -> dict[str, Any]:
    """``tree``: one row a limit; ``pending``: what waits for a second person; ``history``: changes (docs/budgets.md).

    ``changed_since`` of what waits: what its limit is now where that is not what it was then; it cannot be approved so.
    """
    log = state.fold.limits_log
    return {
        "tree": list(_tree(state)),
        "pending": [asdict(p) | {"changed_since": log.changed_since(p)} for p in log.waiting(wall_ns)],
        "history": [asdict(c) for c in log.history],
        "approval": log.limits.approval.model_dump(),
    }


def budgets_view(state: ManagerState) -> dict[str, Any]:
    """The last round with its reasons, how each watched scope stands now, and the division that holds."""
    fold, last = state.fold, state.fold.last_round
    known = known_of(state)
    scopes = () if last is None else last.scope
    return {
        "rounds": int(fold.counts["budget rounds"]),
        "last": None
        if last is None
        else {
            "number": last.number,
            "now_ns": fold.round_ns[-1],
            "reasons": list(last.reasons),
            "published": last.published,
            "unpriced": last.unpriced,
        },
        "scopes": [_standing(state, scope, known) for scope in scopes],
        "factors": []
        if last is None
        else [
            {"factor": n, "share": float(s), "used": float(u), "soft": float(b), "price_of_risk": float(p)}
            for n, s, u, b, p in zip(
                last.factor, last.share, last.used, last.soft_limit, last.price_of_risk, strict=True
            )
        ],
        "cost": []
        if last is None
        else [
            {"scope": n, "budget_usd": int(c) / CENTS_PER_USD, "spent_usd": int(s) / CENTS_PER_USD}
            for n, c, s in zip(last.spender, last.cost_cents, last.spent_cents, strict=True)
        ],
    }


def _standing(state: ManagerState, scope: str, known: View) -> dict[str, Any]:
    risk = risk_of(state, scope, known.rows, known.exposure)
    limited = scope in state.fold.limits.scoped("drawdown")
    return {
        "scope": scope,
        "risk_usd": _number(risk),
        "drawdown_usd": _number(drawdown_of(state, scope)) if limited else None,
        "worst_loss_usd": _worst(state, scope),
        "reduce_only": why_reduce_only(state, scope, risk),
    }


def _worst(state: ManagerState, scope: str) -> float | None:
    if state.margin is None or scope not in state.fold.limits.scoped("margin"):
        return None
    return _number(worst_loss_usd(state.margin, held_lots(state, scope)))


def _tree(state: ManagerState) -> Iterator[dict[str, Any]]:
    """Every limit: scope, what, path of the change, soft, limit, used, reserved, unit, who, when, why."""
    known, limits = known_of(state), state.fold.limits
    for scope, risk in limits.scoped("risk").items():
        now = risk_of(state, scope, known.rows, known.exposure)
        path = _path("risk", scope, "hard_usd")
        yield _row(state, scope, "risk", path, risk.hard_usd, "USD/√day", used=now, soft=risk.soft_usd)
    for scope, stop in limits.scoped("drawdown").items():
        path = _path("drawdown", scope, "stop_usd")
        yield _row(state, scope, "drawdown", path, stop.stop_usd, "USD", used=drawdown_of(state, scope))
    for scope, margin in limits.scoped("margin").items():
        path, worst = _path("margin", scope, "worst_loss_usd"), _worst(state, scope)
        yield _row(state, scope, "worst loss", path, margin.worst_loss_usd, "USD", used=worst)
    for name, total in limits.sum.items():
        now = abs(float(known.exposure[in_sum(state, total.factors, known.rows)].sum()))
        unit = unit_of(total.factors[0])
        yield _row(state, "firm", f"sum {name}", f"sum.{name}.hard_usd", total.hard_usd, unit, used=now)
    yield from _flows(state)
    for scope, caps in limits.scoped("order").items():
        for key, cap in caps.model_dump(exclude_none=True).items():
            yield _row(state, scope, f"order {key}", _path("order", scope, key), cap, "USD" if "usd" in key else "lots")
    yield from _factors(state, view_of(state, state.now_ns))


def _flows(state: ManagerState) -> Iterator[dict[str, Any]]:
    flows, day = state.fold.flows, state.days.of(state.now_ns)
    scopes = dict.fromkeys((*state.fold.limits.scoped("flow"), *(s for s, d in sorted(flows.meters) if d == day)))
    for scope in scopes:
        meter, limit, said = flows.meters.get((scope, day)), flows.limit(scope, day), flows.limit(scope)
        for i, key in enumerate(FLOWS):
            if limit[i] >= NO_LIMIT or (scope == EMERGENCY and i):
                continue
            path = "flow.emergency_cost_usd" if scope == EMERGENCY else _path("flow", scope, key)
            used, reserved = (0, 0) if meter is None else (meter.used[i], meter.reserved[i])
            yield _row(
                state,
                scope,
                key.replace("_usd", "") + " a day",
                path,
                limit[i] / _PER[i],
                "USD" if i < 2 else "orders",
                used=used / _PER[i],
                reserved=reserved / _PER[i],
                divided_of=(math.inf if said[i] >= NO_LIMIT else said[i] / _PER[i]) if limit[i] < said[i] else None,
            )


def _factors(state: ManagerState, view: View) -> Iterator[dict[str, Any]]:
    table, limits = state.fold.table, state.fold.limits
    for k, i in enumerate(view.rows):
        name = table.names[i]
        pattern = max((p for p in limits.factor if covers(p, name)), key=specificity, default=None)
        pattern = pattern or max(
            (p for p in limits.factor if covers(p, without_desk(name))), key=specificity, default=None
        )
        if pattern is None:
            continue
        moves = float(max(view.highest[k] - view.exposure[k], view.exposure[k] - view.lowest[k]))
        hard, soft = float(state.fold.hard[i]), float(state.fold.soft[i])
        path, now = f"factor.{pattern}.hard_usd", abs(float(view.exposure[k]))
        allowed = float(state.fold.allowed[i])
        less = allowed if soft < allowed else None
        yield _row(
            state, name, "exposure", path, hard, unit_of(name), used=now, reserved=moves, soft=soft, divided_of=less
        )


def _path(what: str, scope: str, key: str) -> str:
    head, _, name = scope.partition(":")
    return f"{what}.{key}" if head == "firm" else f"{what}_by_{head}.{name}.{key}"


def _row(
    state: ManagerState,
    scope: str,
    what: str,
    path: str,
    limit: float,
    unit: str,
    *,
    used: float | None = None,
    reserved: float | None = None,
    soft: float | None = None,
    divided_of: float | None = None,
) -> dict[str, Any]:
    """``divided_of``: what people set, where the division of the budgets leaves less (of the soft limit if there is one)."""
    log = state.fold.limits_log
    change, first = log.last_change(path), state.setup.limits
    return {
        "divided": divided_of is not None,
        "divided_of": _number(divided_of),
        "scope": scope,
        "what": what,
        "path": path,
        "used": _number(used),
        "reserved": _number(reserved),
        "soft": _number(soft),
        "limit": _number(limit),
        "unit": unit,
        "version": first.version if change is None else change.version,
        "who": first.who if change is None else change.who,
        "why": first.why if change is None else change.why,
        "now_ns": None if change is None else change.now_ns,
        "wall_ns": None if change is None else change.wall_ns,
        "approved_by": "" if change is None else change.approved_by,
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(np.float64(value))

"""What in a limits file contradicts what: each finding names the key and says why.

A part may not exceed its whole, soft may not exceed hard, and the parts that every dollar falls into exactly one of
(kinds, desks, underlyings) may not together promise more cost or notional than the firm has.
*Tested by* tests/unit/test_limits.py, tests/unit/test_limits_scopes.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from common import factors
from common.limits_scopes import FLOWS, covers, known_pattern
from common.toml_lines import Loc

if TYPE_CHECKING:
    from common.limits import Limits

Found = tuple[Loc, str]


def contradictions(limits: Limits) -> list[Found]:
    """Everything that makes no sense, with the key it stands under; empty where the file is sound."""
    rules = (_factors, _sums, _flows, _parts, _orders, _names, _agents)
    return [found for rule in rules for found in rule(limits)]


def _factors(limits: Limits) -> Iterator[Found]:
    for pattern, limit in limits.factor.items():
        loc = ("factor", pattern)
        if not known_pattern(pattern):
            yield loc, "unknown factor; see common/factors.py for the names"
            continue
        if limit.unit is not None and limit.unit != factors.unit_of(pattern):
            yield (*loc, "unit"), f"unknown unit {limit.unit!r}: it is {factors.unit_of(pattern)!r}"
        if limit.soft_usd > limit.hard_usd:
            yield (*loc, "soft_usd"), f"soft {limit.soft_usd:g} is above hard {limit.hard_usd:g}"
        for wider, general in limits.factor.items():
            if wider == pattern or not covers(wider, pattern):
                continue
            for key in ("soft_usd", "hard_usd"):
                mine, firms = getattr(limit, key), getattr(general, key)
                if mine > firms:
                    yield (*loc, key), f"{mine:g} contradicts {wider!r}, whose {key} is {firms:g}"


def _sums(limits: Limits) -> Iterator[Found]:
    for name, total in limits.sum.items():
        loc = ("sum", name, "factors")
        wrong = [p for p in total.factors if not known_pattern(p)]
        if wrong:
            yield loc, f"unknown factor {', '.join(map(repr, wrong))}; see common/factors.py for the names"
        elif len({factors.unit_of(p) for p in total.factors}) > 1:
            yield loc, "factors of different units have no sum"


def _flows(limits: Limits) -> Iterator[Found]:
    for head in ("kind", "underlying", "desk", "agent"):
        table = f"flow_by_{head}"
        shares = getattr(limits, table)
        for name, share in shares.items():
            for key in FLOWS:
                part, whole = getattr(share, key), getattr(limits.flow, key)
                if part is not None and part > whole:
                    yield (table, name, key), f"{part:g} contradicts the firm's {key} of {whole:g}"
        for key in ("cost_usd", "notional_usd") if head != "agent" else ():
            parts = [p for share in shares.values() if (p := getattr(share, key)) is not None]
            whole = getattr(limits.flow, key)
            if sum(parts) > whole and max(parts) <= whole:
                last = [name for name, share in shares.items() if getattr(share, key) is not None][-1]
                yield (table, last, key), f"together {sum(parts):g} contradicts the firm's {key} of {whole:g}"


def _parts(limits: Limits) -> Iterator[Found]:
    """Risk, drawdown and margin: soft within hard, and no part beyond the firm's."""
    for what, keys in (
        ("risk", ("soft_usd", "hard_usd")),
        ("drawdown", ("stop_usd",)),
        ("margin", ("worst_loss_usd",)),
    ):
        for scope, limit in limits.scoped(what).items():
            head, _, name = scope.partition(":")
            loc: Loc = (what,) if scope == "firm" else (f"{what}_by_{head}", name)
            if what == "risk" and limit.soft_usd > limit.hard_usd:
                yield (*loc, "soft_usd"), f"soft {limit.soft_usd:g} is above hard {limit.hard_usd:g}"
            firm = getattr(limits, what)
            for key in keys if firm is not None and what != "margin" else ():
                if getattr(limit, key) > getattr(firm, key):
                    yield (*loc, key), f"{getattr(limit, key):g} contradicts the firm's {key} of {getattr(firm, key):g}"


def _orders(limits: Limits) -> Iterator[Found]:
    for head in ("kind", "underlying", "desk"):
        for name, share in getattr(limits, f"order_by_{head}").items():
            for key, part in share.model_dump(exclude_none=True).items():
                whole = getattr(limits.order, key)
                if part > whole:
                    yield (f"order_by_{head}", name, key), f"{part:g} contradicts the firm's {key} of {whole:g}"


def _names(limits: Limits) -> Iterator[Found]:
    for table in ("flow_by_kind", "order_by_kind", "risk_by_kind"):
        for name in getattr(limits, table):
            if name not in factors.KINDS:
                yield (table, name), f"unknown agent kind; known: {', '.join(factors.KINDS)}"


def _agents(limits: Limits) -> Iterator[Found]:
    for name in limits.flow_by_agent:
        if factors.kind_of(name) not in factors.KINDS or factors.desk_of(name):
            yield ("flow_by_agent", name), "unknown agent; the name is its kind and shard, as gamma-0"

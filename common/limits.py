"""Limits as people write them: one TOML file, read whole or refused whole, changed only into a new validated version.

A factor pattern is a factor name or a prefix ending in ``*``, with ``@DESK`` for one desk alone; the most specific one
holds. ``delta:*`` is the firm's limit for the delta of *each* underlying; ``delta:SPX`` may only be tighter. Flow budgets
are per trading day. Amounts are US dollars in the factor's own unit (see ``common/factors.py``). Scopes are
``firm``, ``desk:rates``, ``kind:gamma``, ``agent:gamma-0``, ``underlying:SPX``. What each part means:
``common/limits_scopes.py``; what contradicts what: ``common/limits_checks.py``; who may widen: ``common/limits_changes.py``.
*Tested by* tests/unit/test_limits.py, tests/unit/test_limits_scopes.py.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from common import factors
from common.errors import InputError, Problem, Refused
from common.limits_checks import contradictions
from common.limits_scopes import (
    FLOWS,
    Approval,
    Division,
    DrawdownStop,
    FactorLimit,
    FlowBudget,
    FlowShare,
    Frozen,
    MarginGrid,
    MarginLimit,
    OrderCaps,
    OrderShare,
    RiskLimit,
    SumLimit,
    covers,
    specificity,
)
from common.toml_lines import Loc, line_of, line_of_error, lines_of

__all__ = ["FLOWS", "FactorLimit", "FlowBudget", "FlowShare", "Limits", "OrderCaps", "OrderShare", "load_limits"]

_REMEDY = "correct the file and start again; examples/limits.toml and docs/budgets.md show every key"
#: Tables whose entries may be added by a change: everything in them is optional or stands alone.
_OPEN_TABLES = ("flow_by_", "order_by_", "drawdown", "margin")


class Limits(Frozen):
    """Everything the risk managers decide. Frozen; ``with_change`` makes the next version."""

    version: int = Field(ge=1)
    who: str = Field(min_length=1)
    why: str = ""
    firm: str = Field(min_length=1)
    base_currency: str
    risk_aversion_per_usd: float = Field(gt=0.0, le=1e3)
    factor: dict[str, FactorLimit]
    order: OrderCaps
    flow: FlowBudget
    flow_by_kind: dict[str, FlowShare] = Field(default_factory=dict)
    flow_by_underlying: dict[str, FlowShare] = Field(default_factory=dict)
    flow_by_desk: dict[str, FlowShare] = Field(default_factory=dict)
    flow_by_agent: dict[str, FlowShare] = Field(default_factory=dict)
    order_by_kind: dict[str, OrderShare] = Field(default_factory=dict)
    order_by_underlying: dict[str, OrderShare] = Field(default_factory=dict)
    order_by_desk: dict[str, OrderShare] = Field(default_factory=dict)
    sum: dict[str, SumLimit] = Field(default_factory=dict)
    risk: RiskLimit | None = None
    risk_by_kind: dict[str, RiskLimit] = Field(default_factory=dict)
    risk_by_underlying: dict[str, RiskLimit] = Field(default_factory=dict)
    risk_by_desk: dict[str, RiskLimit] = Field(default_factory=dict)
    drawdown: DrawdownStop | None = None
    drawdown_by_desk: dict[str, DrawdownStop] = Field(default_factory=dict)
    margin: MarginLimit | None = None
    margin_by_underlying: dict[str, MarginLimit] = Field(default_factory=dict)
    margin_by_desk: dict[str, MarginLimit] = Field(default_factory=dict)
    margin_grid: MarginGrid = MarginGrid()
    division: Division = Division()
    approval: Approval = Approval()

    @field_validator("base_currency")
    @classmethod
    def _only_usd(cls, value: str) -> str:
        if value != "USD":
            raise ValueError(f"unknown unit {value!r}: the base currency is USD, as every factor and price is")
        return value

    def of_factor(self, name: str) -> FactorLimit | None:
        """Limit of one factor from the most specific pattern, or None where nobody set one."""
        best = max((p for p in self.factor if covers(p, name)), key=specificity, default=None)
        return None if best is None else self.factor[best]

    def flow_share(self, scope: str) -> FlowShare:
        """Flow budget of a scope (``firm``, ``kind:gamma``, ...); empty where nobody set one."""
        head, _, name = scope.partition(":")
        if head == "firm":
            return FlowShare(**self.flow.model_dump(include=set(FLOWS)))
        table: dict[str, FlowShare] = getattr(self, f"flow_by_{head}", {})
        return table.get(name, FlowShare())

    def scoped(self, what: str) -> Mapping[str, Any]:
        """Every limit of one sort by scope: ``risk``, ``drawdown``, ``margin``, ``order``, ``flow``; the firm first."""
        return self._by_scope[what]

    @property
    def watched(self) -> tuple[str, ...]:
        """Scopes with a limit on risk, drawdown or margin, the firm first."""
        return self._watched

    # Asked for many times a decision, of limits that never change; a leading underscore keeps it out of equality and hashes.
    @cached_property
    def _by_scope(self) -> dict[str, dict[str, Any]]:
        return {what: self._scoped(what) for what in ("risk", "drawdown", "margin", "order", "flow")}

    @cached_property
    def _watched(self) -> tuple[str, ...]:
        found = {scope for what in ("risk", "drawdown", "margin") for scope in self._by_scope[what]}
        return tuple(sorted(found, key=lambda scope: (scope != "firm", scope)))

    def _scoped(self, what: str) -> dict[str, Any]:
        firm = getattr(self, what)
        out = {} if firm is None else {"firm": firm}
        for head in ("desk", "kind", "underlying", "agent"):
            table: dict[str, Any] | None = self.__dict__.get(f"{what}_by_{head}")
            if table:
                out |= {f"{head}:{name}": limit for name, limit in sorted(table.items())}
        return out

    def unknown_underlyings(self, symbols: Iterable[str]) -> tuple[str, ...]:
        """Underlyings named by a limit that the universe does not have, sorted."""
        known = set(symbols) | {"*"}
        named = {n for t in ("flow", "order", "risk", "margin") for n in getattr(self, f"{t}_by_underlying")}
        for pattern in (*self.factor, *(p for s in self.sum.values() for p in s.factors)):
            head, _, rest = factors.without_desk(pattern).partition(":")
            if head != "factor":
                named.add(rest.partition("/")[0])
        return tuple(sorted(named - known))

    def unknown_desks(self, desks: Iterable[str]) -> tuple[str, ...]:
        """Desks named by a limit that the book does not have, sorted."""
        return tuple(sorted({desk for _, desk in self.named_desks()} - set(desks) - {""}))

    def named_desks(self) -> Iterator[tuple[Loc, str]]:
        """Each key that names a desk, and the desk."""
        for table in (f"{what}_by_desk" for what in ("flow", "order", "risk", "drawdown", "margin")):
            yield from (((table, desk), desk) for desk in getattr(self, table))
        patterns: list[tuple[Loc, str]] = [(("factor", p), p) for p in self.factor]
        patterns += [(("sum", name, "factors"), p) for name, s in self.sum.items() for p in s.factors]
        yield from ((loc, desk) for loc, p in patterns if (desk := factors.desk_of(p)))

    def with_change(self, path: str, value: float | int | str, who: str, why: str) -> Limits:
        """The next version with one number changed.

        ``path`` is dotted: ``order.max_lots_future``, ``factor.delta:SPX.soft_usd`` (a pattern without a limit of its
        own starts from the limit that covers it). Raises ``Refused`` with every reason if the result makes no sense.
        """
        data = self.model_dump()
        self._set(data, path, value)
        data.update(version=self.version + 1, who=who, why=why)
        limits, problems = _validate(data)
        if limits is None:
            raise Refused("; ".join(f"{'.'.join(loc)}: {reason}" for loc, reason in problems))
        return limits

    def _set(self, data: dict[str, Any], path: str, value: float | int | str) -> None:
        keys = split_path(path)
        if keys[0] in ("version", "who", "why"):
            raise Refused(f"{keys[0]} follows from the change itself")
        if keys[0] == "factor" and len(keys) == 3 and keys[1] not in self.factor:
            covering = self.of_factor(keys[1])
            if covering is None:
                raise Refused(f"no limit covers {keys[1]!r}; write it into the limits file with soft_usd and hard_usd")
            data["factor"][keys[1]] = covering.model_dump()
        if keys[0].startswith(_OPEN_TABLES) and keys[0] in data:
            _open(data, keys)
        at: Any = data
        for key in keys[:-1]:
            if not isinstance(at, dict) or key not in at:
                raise Refused(f"no limit {path!r}")
            at = at[key]
        if not isinstance(at, dict) or keys[-1] not in at or isinstance(at[keys[-1]], dict | list):
            raise Refused(f"no limit {path!r}")
        old = at[keys[-1]]
        at[keys[-1]] = None if value == "none" and not isinstance(old, str) else _number(value, old)


def split_path(path: str) -> tuple[str, ...]:
    """Keys of a dotted path; the name of a factor or underlying may itself hold dots, and be quoted as in the file."""
    head, dot, rest = path.partition(".")
    if not dot:
        return (head,)
    middle, dot, last = rest.rpartition(".")
    return (head, middle.strip('"'), last) if dot else (head, rest)


def load_limits(path: str | Path) -> Limits:
    """Read a limits file. Raises ``InputError`` with a line number for each thing wrong; nothing is half-loaded."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), [Problem(0, f"cannot be read: {error}")], "give a readable TOML file") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(str(path), [Problem(line_of_error(error), f"not TOML: {error}")], _REMEDY) from error
    limits, problems = _validate(data)
    if limits is None:
        lines = lines_of(text)
        found = [Problem(line_of(lines, loc), f"{'.'.join(loc)}: {reason}") for loc, reason in problems]
        raise InputError(str(path), sorted(found, key=lambda p: p.line), _REMEDY)
    return limits


def _open(data: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Make the table that a path names, if it is not there yet; validation says what is missing in it."""
    fields: dict[str, type[Frozen]] = {
        "flow": FlowShare,
        "order": OrderShare,
        "drawdown": DrawdownStop,
        "margin": MarginLimit,
    }
    names = list(fields[keys[0].partition("_")[0]].model_fields)
    if keys[0] in ("drawdown", "margin"):
        if data[keys[0]] is None:
            data[keys[0]] = dict.fromkeys(names)
    elif keys[0] != "margin_grid" and len(keys) == 3:
        data[keys[0]].setdefault(keys[1], dict.fromkeys(names))


def _validate(data: Mapping[str, Any]) -> tuple[Limits | None, list[tuple[Loc, str]]]:
    try:
        limits = Limits.model_validate(data)
    except ValidationError as error:
        return None, [(tuple(str(part) for part in e["loc"]), _reason(e["type"], e["msg"])) for e in error.errors()]
    problems = contradictions(limits)
    return (None, problems) if problems else (limits, [])


def _reason(kind: str, message: str) -> str:
    return "unknown key" if kind == "extra_forbidden" else message.removeprefix("Value error, ")


def _number(value: float | int | str, old: object) -> object:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return value
    whole = math.isfinite(number) and number == int(number)
    return int(number) if whole and not isinstance(old, float) else number

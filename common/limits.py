"""Limits as people write them: one TOML file, read whole or refused whole, changed only into a new validated version.

A factor pattern is a factor name or a prefix ending in ``*``; the most specific one holds. ``delta:*`` is the firm's
limit for the delta of *each* underlying; ``delta:SPX`` may only be tighter. Flow budgets are per UTC day of market
time. Amounts are US dollars in the factor's own unit (see ``common/factors.py``).
*Tested by* tests/unit/test_limits.py.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from common import factors
from common.errors import InputError, Problem, Refused
from common.toml_lines import Loc, line_of, line_of_error, lines_of

_REMEDY = "correct the file and start again; examples/limits.toml shows every key"
_FLOWS = ("cost_usd", "notional_usd", "orders")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class FactorLimit(_Frozen):
    """Limit on |exposure| of each factor a pattern covers: agents stay inside soft, no order may go beyond hard."""

    soft_usd: float = Field(ge=0.0)
    hard_usd: float = Field(ge=0.0)
    unit: str | None = None


class OrderCaps(_Frozen):
    """Largest single order."""

    max_lots_future: int = Field(gt=0)
    max_lots_option: int = Field(gt=0)
    max_notional_usd: float = Field(gt=0.0)


class FlowBudget(_Frozen):
    """What may be spent and traded a day. Notional is lots × multiplier × price."""

    cost_usd: float = Field(ge=0.0)
    notional_usd: float = Field(ge=0.0)
    orders: int = Field(ge=0)


class FlowShare(_Frozen):
    """A part of the firm's flow budget; what is absent is bounded by the firm's alone."""

    cost_usd: float | None = Field(default=None, ge=0.0)
    notional_usd: float | None = Field(default=None, ge=0.0)
    orders: int | None = Field(default=None, ge=0)


class Limits(_Frozen):
    """Everything the risk managers decide. Frozen; ``with_change`` makes the next version."""

    version: int = Field(ge=1)
    who: str = Field(min_length=1)
    why: str = ""
    firm: str = Field(min_length=1)
    base_currency: str
    risk_aversion_per_usd: float = Field(gt=0.0)
    factor: dict[str, FactorLimit]
    order: OrderCaps
    flow: FlowBudget
    flow_by_kind: dict[str, FlowShare] = Field(default_factory=dict)
    flow_by_underlying: dict[str, FlowShare] = Field(default_factory=dict)

    @field_validator("base_currency")
    @classmethod
    def _only_usd(cls, value: str) -> str:
        if value != "USD":
            raise ValueError(f"unknown unit {value!r}: the base currency is USD, as every factor and price is")
        return value

    def of_factor(self, name: str) -> FactorLimit | None:
        """Limit of one factor from the most specific pattern, or None where nobody set one."""
        best = max((p for p in self.factor if _covers(p, name)), key=_specificity, default=None)
        return None if best is None else self.factor[best]

    def flow_share(self, scope: str) -> FlowShare:
        """Flow budget of a scope: ``firm``, ``kind:gamma`` or ``underlying:SPX``; empty where nobody set one."""
        head, _, name = scope.partition(":")
        if head == "firm":
            return FlowShare(**self.flow.model_dump())
        table = self.flow_by_kind if head == "kind" else self.flow_by_underlying
        return table.get(name, FlowShare())

    def unknown_underlyings(self, symbols: Iterable[str]) -> tuple[str, ...]:
        """Underlyings named by a limit that the universe does not have, sorted."""
        known = set(symbols) | {"*"}
        named = set(self.flow_by_underlying)
        for pattern in self.factor:
            head, _, rest = pattern.partition(":")
            if head != "factor":
                named.add(rest.partition("/")[0])
        return tuple(sorted(named - known))

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
        at: Any = data
        for key in keys[:-1]:
            if not isinstance(at, dict) or key not in at:
                raise Refused(f"no limit {path!r}")
            at = at[key]
        if not isinstance(at, dict) or keys[-1] not in at or isinstance(at[keys[-1]], dict):
            raise Refused(f"no limit {path!r}")
        at[keys[-1]] = _number(value, at[keys[-1]])


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
        text = Path(path).read_text(encoding="utf-8")
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


def _validate(data: Mapping[str, Any]) -> tuple[Limits | None, list[tuple[Loc, str]]]:
    try:
        limits = Limits.model_validate(data)
    except ValidationError as error:
        return None, [(tuple(str(part) for part in e["loc"]), _reason(e["type"], e["msg"])) for e in error.errors()]
    problems = [*_factor_problems(limits), *_flow_problems(limits)]
    return (None, problems) if problems else (limits, [])


def _reason(kind: str, message: str) -> str:
    return "unknown key" if kind == "extra_forbidden" else message.removeprefix("Value error, ")


def _factor_problems(limits: Limits) -> list[tuple[Loc, str]]:
    out: list[tuple[Loc, str]] = []
    for pattern, limit in limits.factor.items():
        loc = ("factor", pattern)
        if not _known(pattern):
            out.append((loc, "unknown factor; see common/factors.py for the names"))
            continue
        if limit.unit is not None and limit.unit != factors.unit_of(pattern):
            out.append(((*loc, "unit"), f"unknown unit {limit.unit!r}: it is {factors.unit_of(pattern)!r}"))
        if limit.soft_usd > limit.hard_usd:
            out.append(((*loc, "soft_usd"), f"soft {limit.soft_usd:g} is above hard {limit.hard_usd:g}"))
        for wider, general in limits.factor.items():
            if wider == pattern or not _covers(wider, pattern):
                continue
            for key in ("soft_usd", "hard_usd"):
                mine, firms = getattr(limit, key), getattr(general, key)
                if mine > firms:
                    out.append(((*loc, key), f"{mine:g} contradicts {wider!r}, whose {key} is {firms:g}"))
    return out


def _flow_problems(limits: Limits) -> list[tuple[Loc, str]]:
    out: list[tuple[Loc, str]] = []
    for table, shares in (("flow_by_kind", limits.flow_by_kind), ("flow_by_underlying", limits.flow_by_underlying)):
        for name, share in shares.items():
            if table == "flow_by_kind" and name not in factors.KINDS:
                out.append(((table, name), f"unknown agent kind; known: {', '.join(factors.KINDS)}"))
            for key in _FLOWS:
                part, whole = getattr(share, key), getattr(limits.flow, key)
                if part is not None and part > whole:
                    out.append(((table, name, key), f"{part:g} contradicts the firm's {key} of {whole:g}"))
    return out


def _known(pattern: str) -> bool:
    head, colon, rest = pattern.partition(":")
    if not colon or "*" in rest[:-1]:
        return False
    if head in ("delta", "gamma", "proxy"):
        return bool(rest) and "/" not in rest
    if head == "vega":
        underlying, slash, bucket = rest.partition("/")
        return rest == "*" or bool(underlying and slash and (bucket == "*" or bucket in factors.BUCKET_NAMES))
    return pattern == factors.COMMON


def _covers(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _specificity(pattern: str) -> tuple[int, int]:
    return (0 if pattern.endswith("*") else 1, len(pattern))


def _number(value: float | int | str, old: object) -> object:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return value
    whole = math.isfinite(number) and number == int(number)
    return int(number) if whole and not isinstance(old, float) else number

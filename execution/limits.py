"""Execution's own limits: a TOML file of its own, so that a mistake in the manager's limits is not repeated here.

Read whole or refused whole, with a line number for each thing wrong; ``examples/execution_limits.toml`` shows all keys.
*Tested by* tests/unit/test_execution_limits.py.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.errors import InputError, Problem
from common.units import NS_PER_S

_REMEDY = "correct the file and start again; examples/execution_limits.toml shows every key"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class KindLimits(_Frozen):
    """Limits of one kind of instrument. The collar is the larger of ticks and fraction of the mid, from the mid."""

    max_order_lots: int = Field(gt=0)
    max_notional_usd: float = Field(gt=0.0)
    collar_ticks: int = Field(ge=0)
    collar_fraction: float = Field(ge=0.0)
    max_position_lots: int = Field(gt=0)


class ExecutionLimits(_Frozen):
    """Everything checked before an order leaves. Ages and windows are in market time.

    Messages are orders, replacements and cancels; cancels are counted, never refused. Orders are the same whose instrument,
    side, quantity, price, type and time in force are. The drawdown is that of what this store has traded, marked to mid.
    """

    max_open_orders: int = Field(gt=0)
    max_orders_per_window: int = Field(gt=0)
    max_messages_per_window: int = Field(gt=0)
    rate_window_s: float = Field(gt=0.0)
    max_same_orders: int = Field(gt=0)
    same_order_window_s: float = Field(gt=0.0)
    max_drawdown_usd: float = Field(gt=0.0)
    max_source_age_s: float = Field(gt=0.0)
    max_order_age_s: float = Field(gt=0.0)
    future: KindLimits
    option: KindLimits

    @property
    def rate_window_ns(self) -> int:
        """Window of the order rate, market nanoseconds."""
        return round(self.rate_window_s * NS_PER_S)

    @property
    def same_order_window_ns(self) -> int:
        """Window over which orders of the same content are counted, market nanoseconds."""
        return round(self.same_order_window_s * NS_PER_S)

    @property
    def max_source_age_ns(self) -> int:
        """Largest age of a reference source, market nanoseconds."""
        return round(self.max_source_age_s * NS_PER_S)

    @property
    def max_order_age_ns(self) -> int:
        """Largest age of the decision behind an order, market nanoseconds."""
        return round(self.max_order_age_s * NS_PER_S)


def load_execution_limits(path: str | Path) -> ExecutionLimits:
    """Read the file. Raises ``InputError`` (file, line, reason, remedy); nothing is half-loaded."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), [Problem(0, f"cannot be read: {error}")], "give a readable TOML file") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        raise InputError(str(path), [Problem(int(at[1]) if at else 0, f"not TOML: {error}")], _REMEDY) from error
    try:
        return ExecutionLimits.model_validate(data)
    except ValidationError as error:
        problems = [
            Problem(
                _line_of(text, tuple(str(part) for part in e["loc"])),
                f"{'.'.join(str(part) for part in e['loc'])}: "
                + ("unknown key" if e["type"] == "extra_forbidden" else e["msg"]),
            )
            for e in error.errors()
        ]
        raise InputError(str(path), sorted(problems, key=lambda p: p.line), _REMEDY) from None


def _line_of(text: str, loc: tuple[str, ...]) -> int:
    """Line of a key, or of its table where the key is missing; 0 (the whole file) where the table is missing too."""
    table, found = "", 0
    wanted = loc[0] if len(loc) > 1 else ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if header := re.match(r"\[\s*([\w-]+)\s*\]", line):
            table = header[1]
            if table == loc[0]:
                found = number
        elif table == wanted and re.match(rf"{re.escape(loc[-1])}\s*=", line):
            return number
    return found

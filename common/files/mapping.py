"""The mapping file (``--mapping FILE``, profile ``custom``): which column of a person's own file is which field.

    table = "chain"                               # chain, quotes, book, trades, surface
    symbols = "explicit"                          # any, osi, deribit, cme, explicit, fix
    as_of = 2026-01-30T16:00:00-05:00             # of the whole file, where no column says
    reference = 2026-01-30                        # from which one-digit years are read
    ignore = ["delta", "gamma"]                   # or ["*"]; any other column refuses the file

    [columns.expiry]
    from = "Exp"
    format = "%d.%m.%Y"                           # iso, fix, s, ms, us, ns, or a strptime pattern
    [columns.as_of]
    from = "Time"
    format = "%d.%m.%Y %H:%M:%S"
    zone = "Europe/Zurich"                        # of times without an offset
    [columns.bid]
    from = "Bid"
    scale = 0.01
    [columns.right]
    from = "Type"
    values = { Call = "C", Put = "P" }

*Tested by* tests/unit/test_files_mapping.py.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from common.calendars.zones import zone_of
from common.files.layouts import FILLED, IDENTITY, NEEDED, NUMBERS, TEXTS, TIMES, Column, Layout
from common.files.toml import load_toml
from common.files.values import Stamp
from common.instruments_fix import TAGS
from common.units import NS_PER_S, NS_PER_US

_REMEDY = "mend the mapping file (docs/FILES.md)"
_UNIQUE = {
    "chain": ("instrument", "as_of"),
    "quotes": ("row",),
    "book": (),
    "trades": ("trade_id",),
    "surface": ("underlying", "expiry", "strike", "as_of"),
}
_FORMS = ("iso", "fix", "s", "ms", "us", "ns")


class ColumnMap(BaseModel):
    """One field."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    source: Annotated[str, Field(alias="from", min_length=1)]
    scale: Annotated[float, Field(gt=0.0)] = 1.0
    format: str = "iso"
    zone: str | None = None
    values: dict[str, str] = {}

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, value: str | None) -> str | None:
        if value is not None:
            zone_of(value)
        return value

    @field_validator("format")
    @classmethod
    def _is_a_format(cls, value: str) -> str:
        if value not in _FORMS and "%" not in value:
            raise ValueError(f"{value!r} is none of {', '.join(_FORMS)} and no strptime pattern")
        return value


class MappingFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: Literal["chain", "quotes", "book", "trades", "surface"]
    symbols: Literal["any", "osi", "deribit", "cme", "explicit", "fix"] = "any"
    as_of: AwareDatetime | None = None
    reference: date | None = None
    delimiter: Literal[",", ";", "\t", "|"] = ","
    ignore: tuple[str, ...] = ()
    delay_s: Annotated[float, Field(ge=0.0, le=86_400.0)] = 0.0
    columns: dict[str, ColumnMap] = Field(min_length=1)

    @field_validator("reference", mode="before")
    @classmethod
    def _a_date(cls, value: Any) -> Any:
        if isinstance(value, datetime):
            raise ValueError("reference is a date, without a time")
        return value

    @model_validator(mode="after")
    def _fields_fit(self) -> MappingFile:
        known = {*NUMBERS[self.table], *TIMES[self.table], *TEXTS[self.table]}
        if self.table != "surface":
            known |= set(TAGS if self.symbols == "fix" else IDENTITY)
        strange = [name for name in self.columns if name not in known]
        if strange:
            raise ValueError(f"no field {strange[0]!r} in {self.table}; known: {', '.join(sorted(known))}")
        needed = [*NEEDED[self.table]]
        if self.table != "surface":
            needed += {"explicit": ["root", "expiry", "right"], "fix": ["Symbol"]}.get(self.symbols, ["symbol"])
        if self.table == "book" and not {"long_quantity", "short_quantity"} <= set(self.columns):
            needed.append("quantity")
        missing = [name for name in needed if name not in self.columns]
        if missing:
            raise ValueError(f"no column is given for {', '.join(missing)}")
        return self

    def layout(self) -> Layout:
        """The same as the readers use it."""
        columns = {
            name: Column((c.source,), name in FILLED or name in NEEDED[self.table] or name in _NAMING, c.scale,
                         Stamp(c.format, c.zone), c.values)
            for name, c in self.columns.items()
        }  # fmt: skip
        as_of_ns = None
        if self.as_of is not None:
            as_of_ns = int(self.as_of.timestamp()) * NS_PER_S + self.as_of.microsecond * NS_PER_US
        return Layout(
            "custom",
            self.table,
            self.symbols,
            columns,
            _UNIQUE[self.table],
            others="*" in self.ignore,
            ignored=tuple(name.strip().lower() for name in self.ignore),
            delay_ns=round(self.delay_s * NS_PER_S),
            as_of_ns=as_of_ns,
            reference=self.reference,
            delimiter=self.delimiter,
        )


_NAMING = frozenset(("symbol", "root", "right", "Symbol"))


def load_mapping(path: str | Path) -> Layout:
    """The layout of a mapping file. Raises ``InputError`` with every faulty line."""
    return load_toml(path, MappingFile, _REMEDY).layout()

"""Curves as people write them: the text of one TOML or CSV file, taken whole or refused whole with line numbers.

TOML (``as_of`` needs an offset or Z; rates continuous per year; tenors such as ``2D``, ``1W``, ``3M``, ``5Y``, or a date)::

    base_currency = "USD"
    [discount.USD]
    source = "OIS close"
    as_of = 2026-01-30T21:00:00Z
    max_age_s = 86400
    tenors = ["1M", "1Y"]
    zero_rates = [0.0415, 0.0400]      # or discount_factors = [...]
    [dividend_yield.SPX]               # the same keys
    [dividends.AAPL]                   # instead of a yield: discrete dividends, exchange time America/New_York unless told
    source = "declared and expected"
    as_of = 2026-01-30T21:00:00Z
    max_age_s = 604800
    currency = "USD"
    ex_dates = [2026-02-09, 2026-05-11]
    amounts = [0.26, 0.27]             # or proportions = [...]
    complete_until = 2026-07-31
    tail_yield_per_year = 0.004
    [fx."EUR/USD"]
    source = "..."
    as_of = 2026-01-30T21:00:00Z
    max_age_s = 3600
    bid = 1.0871
    ask = 1.0873

CSV (no dividend schedules), a row a knot, the header as here; FX rows leave tenor, kind and value empty and fill bid and ask::

    curve,name,source,as_of,max_age_s,tenor,kind,value,bid,ask
    discount,USD,OIS close,2026-01-30T21:00:00Z,86400,1M,zero_rate,0.0415,,

Pure functions of text: whoever opens the file passes its text and the path for the messages.
*Tested by* tests/unit/test_curves_files.py.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from common.calendars.zones import NEW_YORK, Moment, utc_ns, zone_of
from common.errors import InputError, Problem
from common.risk.curves import (
    DiscountCurve,
    DividendYieldCurve,
    FxQuote,
    FxRates,
    LogLinearCurve,
    Provenance,
)
from common.risk.dividends import Dividend, DividendSchedule
from common.risk.market_curves import MarketCurves
from common.toml_lines import line_of, line_of_error, lines_of

REMEDY: Final = "correct the file and load it again; docs/time.md shows every key"
CSV_HEADER: Final = ("curve", "name", "source", "as_of", "max_age_s", "tenor", "kind", "value", "bid", "ask")
_TENOR = re.compile(r"^(?P<count>[1-9]\d{0,3})(?P<unit>[DWMY])\Z", re.ASCII)
_PAIR = re.compile(r"^(?P<base>[A-Z]{3,5})/(?P<quoted>[A-Z]{3,5})\Z", re.ASCII)
_KINDS = {"zero_rate": "zero_rates", "discount_factor": "discount_factors"}


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source: str = Field(min_length=1)
    as_of: Moment
    max_age_s: float = Field(gt=0.0)

    @property
    def provenance(self) -> Provenance:
        """Source, moment and age limit as the curve carries them."""
        return Provenance(self.source, utc_ns(self.as_of), self.max_age_s)


class _Curve(_Written):
    tenors: tuple[str | date, ...] = Field(min_length=1)
    zero_rates: tuple[float, ...] | None = None
    discount_factors: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        given = [v for v in (self.zero_rates, self.discount_factors) if v is not None]
        if len(given) != 1:
            raise ValueError("give either zero_rates or discount_factors")
        if len(given[0]) != len(self.tenors):
            raise ValueError(f"{len(self.tenors)} tenors but {len(given[0])} values")
        return self

    def curve(self, kind: type[LogLinearCurve], name: str) -> LogLinearCurve:
        """The curve itself. Raises ``ValueError`` on tenors or values that make none."""
        years = [tenor_years(t, self.as_of) for t in self.tenors]
        if self.zero_rates is not None:
            return kind.from_zero_rates(name, self.provenance, years, self.zero_rates)
        return kind.from_factors(name, self.provenance, years, self.discount_factors or ())


class _Dividends(_Written):
    currency: str = Field(pattern=r"^[A-Z]{3,5}$")
    ex_dates: tuple[date, ...]
    amounts: tuple[float, ...] | None = None
    proportions: tuple[float, ...] | None = None
    complete_until: date
    tail_yield_per_year: float = 0.0
    zone: str = NEW_YORK

    def schedule(self, name: str) -> DividendSchedule:
        """The schedule itself. Raises ``ValueError`` on columns that make none."""
        given = [v for v in (self.amounts, self.proportions) if v is not None]
        if len(given) != 1 or len(given[0]) != len(self.ex_dates):
            raise ValueError("give either amounts or proportions, one for each of ex_dates")
        what = "amount" if self.amounts is not None else "proportion"
        dividends = tuple(Dividend(d, **{what: v}) for d, v in zip(self.ex_dates, given[0], strict=True))
        zone_of(self.zone)
        return DividendSchedule(
            name, self.currency, self.provenance, dividends, self.complete_until, self.tail_yield_per_year, self.zone
        )


class _Fx(_Written):
    bid: float
    ask: float

    def quote(self, name: str) -> FxQuote:
        """The quote itself. Raises ``ValueError`` on a name that is no pair, or sides that are no quote."""
        pair = _PAIR.match(name)
        if not pair:
            raise ValueError(f"{name!r} is no pair such as EUR/USD")
        return FxQuote(pair["base"], pair["quoted"], self.bid, self.ask, self.provenance)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    base_currency: str = Field(pattern=r"^[A-Z]{3,5}$")
    discount: dict[str, _Curve] = Field(default_factory=dict)
    dividend_yield: dict[str, _Curve] = Field(default_factory=dict)
    dividends: dict[str, _Dividends] = Field(default_factory=dict)
    fx: dict[str, _Fx] = Field(default_factory=dict)


def tenor_years(tenor: str | date, as_of: datetime) -> float:
    """ACT/365 years from ``as_of`` to a tenor; months and years by the calendar (31 January + 1M: end of February).

    A date means the same time of day as ``as_of``, in UTC. Raises ``ValueError`` if it is neither, or not after ``as_of``.
    """
    start = as_of.astimezone(UTC).date()
    if isinstance(tenor, date):
        days = (tenor - start).days
    elif _TENOR.match(tenor):
        count, unit = int(tenor[:-1]), tenor[-1]
        days = count * {"D": 1, "W": 7}[unit] if unit in "DW" else _months(start, count * (12 if unit == "Y" else 1))
    else:
        try:
            days = (date.fromisoformat(tenor) - start).days
        except ValueError:
            raise ValueError(f"tenor {tenor!r} is neither 2D, 1W, 3M, 5Y nor a date") from None
    if days <= 0:
        raise ValueError(f"tenor {tenor} lies {-days} days before the curve's own date {start}")
    return days / 365.0


def _months(start: date, months: int) -> int:
    year, month = start.year + (start.month - 1 + months) // 12, (start.month - 1 + months) % 12 + 1
    if year > date.max.year:
        raise ValueError(f"a tenor of {months} months ends after the year {date.max.year}")
    return (date(year, month, min(start.day, monthrange(year, month)[1])) - start).days


def curves_from_toml(text: str, path: str) -> MarketCurves:
    """Curves of a TOML text. Raises ``InputError`` with every mistake and its line; ``path`` is for the messages."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(path, [Problem(line_of_error(error), str(error))], REMEDY) from None
    lines = lines_of(text)
    return _curves(data, path, lambda loc: line_of(lines, loc))


def curves_from_csv(text: str, path: str, base_currency: str) -> MarketCurves:
    """Curves of a CSV text; a curve's rows may stand anywhere and must agree on source, as_of, max_age_s and kind.

    Raises ``InputError`` with every mistake and its line.
    """
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    data: dict[str, Any] = {"base_currency": base_currency, "discount": {}, "dividend_yield": {}, "fx": {}}
    lines: dict[tuple[str, ...], int] = {}
    problems: list[Problem] = []
    try:
        header = tuple(next(rows, ()))
        if header != CSV_HEADER:
            raise InputError(path, [Problem(1, f"the header must be {','.join(CSV_HEADER)}")], REMEDY)
        for cells in rows:
            if cells:
                reason = _take_row(cells, rows.line_num, data, lines)
                problems += [Problem(rows.line_num, reason)] if reason else []
    except csv.Error as error:
        problems.append(Problem(rows.line_num, str(error)))
    if problems:
        raise InputError(path, problems, REMEDY)
    return _curves(data, path, lambda loc: line_of(lines, loc))


def _take_row(cells: list[str], line: int, data: dict[str, Any], lines: dict[tuple[str, ...], int]) -> str | None:
    """Put one row into ``data``, in the shape of the TOML file; the reason if it does not fit."""
    if len(cells) != len(CSV_HEADER):
        return f"{len(cells)} cells, {len(CSV_HEADER)} wanted"
    row = dict(zip(CSV_HEADER, cells, strict=True))
    told = {key: row[key] for key in ("source", "as_of", "max_age_s")}
    if row["curve"] not in ("discount", "dividend_yield", "fx"):
        return f"curve {row['curve']!r} is neither discount, dividend_yield nor fx"
    table, name = data[row["curve"]], row["name"]
    unused = ("tenor", "kind", "value") if row["curve"] == "fx" else ("bid", "ask")
    if any(row[key] for key in unused):
        return f"{', '.join(unused)} must be empty in a row of {row['curve']}"
    if row["curve"] == "fx":
        if name in table:
            return f"{name} stands twice; first in line {lines['fx', name]}"
        table[name] = {**told, "bid": row["bid"], "ask": row["ask"]}
        lines["fx", name] = line
        return None
    kind = _KINDS.get(row["kind"])
    if kind is None:
        return f"kind {row['kind']!r} is neither {' nor '.join(_KINDS)}"
    entry = table.setdefault(name, {**told, "tenors": [], kind: []})
    lines.setdefault((row["curve"], name), line)
    if {k: entry[k] for k in told} != told or kind not in entry:
        return f"{name}: source, as_of, max_age_s or kind differ from line {lines[row['curve'], name]}"
    for key, cell in (("tenors", row["tenor"]), (kind, row["value"])):
        lines[row["curve"], name, key, str(len(entry[key]))] = line
        entry[key].append(cell)
    return None


def _curves(data: Mapping[str, Any], path: str, line: Callable[[tuple[str, ...]], int]) -> MarketCurves:
    try:
        written = _File.model_validate(data)
    except ValidationError as error:
        found = [(tuple(str(part) for part in e["loc"]), e["msg"]) for e in error.errors()]
        raise InputError(path, [Problem(line(loc), f"{'.'.join(loc)}: {why}") for loc, why in found], REMEDY) from None
    problems: list[Problem] = []

    def each(table: str, names: Sequence[str], make: Callable[[str], Any]) -> dict[str, Any]:
        made = {}
        for name in names:
            try:
                made[name] = make(name)
            except ValueError as error:
                problems.append(Problem(line((table, name)), f"{table}.{name}: {error}"))
        return made

    discount = each("discount", list(written.discount), lambda n: written.discount[n].curve(DiscountCurve, n))
    dividend = each(
        "dividend_yield",
        list(written.dividend_yield),
        lambda n: written.dividend_yield[n].curve(DividendYieldCurve, n),
    )
    schedules = each("dividends", list(written.dividends), lambda n: written.dividends[n].schedule(n))
    quotes = each("fx", list(written.fx), lambda n: written.fx[n].quote(n))
    try:
        fx = FxRates(written.base_currency, list(quotes.values()))
        curves = MarketCurves(discount, dividend, fx, schedules)
    except ValueError as error:
        problems.append(Problem(0, str(error)))
    if problems:
        raise InputError(path, problems, REMEDY)
    return curves

"""CME symbols of futures and options on futures: ``ESH0``, ``ESH20``, ``ESH0 C3250``, ``EW1J0 P3200``, ``E3AH0 C3250``.

A symbol names a month, not a day: the day follows from the listing rule of its series (below), or from a date column.
The one year digit is read against a reference date that the caller passes: the earliest year with that digit in which the
contract's month is not before the month of the reference. Without a reference a one-digit year is refused.

| series | expires | style | hour, New York |
|---|---|---|---|
| ``ES``, ``NQ`` with H, M, U, Z | third Friday, or the Thursday before Good Friday | American | 09:30 |
| ``EW1`` to ``EW4``, ``QN1`` to ``QN4`` | first to fourth Friday, or the business day before a holiday | European | 16:00 |
| ``EW`` | last business day of the month | European | 16:00 |
| ``E1A`` to ``E5A``; ``B``; ``C``; ``D`` | first to fifth Monday; Tuesday; Wednesday; Thursday | European | 16:00 |

Weekly and end-of-month options are exercised into the first quarterly future that still trades when they expire
(CME, "Weekly and End-of-Month Options on E-mini S&P 500 Futures"). Where a Monday to Thursday series falls on a holiday
the exchange lists another day: the date must then be given.
*Tested by* tests/unit/test_symbols_cme.py, tests/properties/test_symbols_round_trip.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from common.calendars.exchanges import market_calendar
from common.calendars.settlement import (
    FRIDAY,
    QUARTERLY_MONTHS,
    Settlement,
    month_end_expiry,
    monthly_expiry,
    settlement_session,
)
from common.instruments import CALL, NEVER_NS, PM, PUT, Contract, Instrument, TermsOf, contract_of, future, option
from common.universe import EUROPEAN, FUTURE

MONTH_CODES = "FGHJKMNQUVXZ"
_WEEKDAY_LETTER = "ABCD"
_CODE = re.compile(rf"^(?P<root>[A-Z0-9]{{1,5}}?)(?P<month>[{MONTH_CODES}])(?P<year>\d{{1,2}})\Z", re.ASCII)
_OPTION = re.compile(r"^(?P<code>[A-Z0-9]{3,8}) ?(?P<right>[CP])(?P<strike>\d{1,7}(\.\d{1,4})?)\Z", re.ASCII)
_SERIES = re.compile(r"^(EW(?P<e>[1-4])?|QN(?P<q>[1-4])|E(?P<n>[1-5])(?P<day>[A-D]))\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class MonthCode:
    """A symbol's root, year and month."""

    root: str
    year: int
    month: int

    @property
    def symbol(self) -> str:
        """Root, month letter and one year digit: ``ESH0``."""
        return f"{self.root}{MONTH_CODES[self.month - 1]}{self.year % 10}"


def parse_month_code(text: str, reference: date | None) -> MonthCode:
    """``ESH0`` or ``ESH20``. Raises ``ValueError`` on another form, or one year digit without a reference date."""
    match = _CODE.match(text)
    if not match:
        raise ValueError(f"{text!r} is no CME symbol: root, month letter ({MONTH_CODES}) and one or two year digits")
    month, digits = MONTH_CODES.index(match["month"]) + 1, match["year"]
    if len(digits) == 2:
        return MonthCode(match["root"], 2000 + int(digits), month)
    if reference is None:
        raise ValueError(f"{text!r} has one year digit: say from which date it is to be read (as of)")
    first = reference.year if month >= reference.month else reference.year + 1
    return MonthCode(match["root"], first + (int(digits) - first) % 10, month)


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """The ``nth`` (1 is the first) ``weekday`` (0 is Monday) of a month. Raises ``ValueError`` if it has fewer."""
    first = date(year, month, 1)
    day = first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
    if day.month != month:
        raise ValueError(f"{year}-{month:02d} has no weekday number {nth} of that kind")
    return day


def is_series(root: str) -> bool:
    """Whether a root is one of the weekly or end-of-month series of the table above."""
    return _SERIES.match(root) is not None


def expiry_of(code: MonthCode) -> date:
    """Expiry date of a month code by the rule of its series. Raises ``ValueError`` where there is no rule."""
    year, month = code.year, code.month
    match = _SERIES.match(code.root)
    if match is None:
        if code.root not in ("ES", "NQ"):
            raise ValueError(f"no expiry rule is known for {code.root!r}; give the expiry date in a column")
        if month not in QUARTERLY_MONTHS:
            raise ValueError(f"{code.symbol}: {code.root} is listed for {', '.join('HMUZ')} only")
        return monthly_expiry(year, month)
    if match["day"]:
        day = nth_weekday(year, month, _WEEKDAY_LETTER.index(match["day"]), int(match["n"]))
        if not market_calendar("XNYS").is_session(day):
            raise ValueError(f"{code.symbol}: {day} is a holiday; give the expiry date in a column")
        return day
    if match["e"] or match["q"]:
        friday = nth_weekday(year, month, FRIDAY, int(match["e"] or match["q"]))
        day = settlement_session(friday, Settlement.CME_WEEKLY)
        if day.month != month:
            raise ValueError(f"{code.symbol}: {friday} is a holiday; give the expiry date in a column")
        return day
    return month_end_expiry(year, month)


def series_terms(root: str, expiry: date | None) -> Contract:
    """Terms of a weekly or end-of-month series; its underlying follows from the date. Raises ``ValueError`` without one."""
    if expiry is None:
        raise ValueError(f"{root}: a series of options has no perpetual")
    family = "NQ" if root.startswith("Q") else "ES"
    terms = contract_of(_next_quarterly(family, expiry).symbol)
    return Contract(
        terms.underlying,
        PM,
        EUROPEAN,
        terms.option_mic,
        terms.option_multiplier,
        terms.option_tick,
        terms.option_fee_cents,
        terms.future_mic,
        0.0,
        terms.future_tick,
        terms.future_fee_cents,
        on_future=True,
    )


def _next_quarterly(family: str, day: date) -> MonthCode:
    """The first quarterly future that still trades at 16:00 of ``day``; it settles at 09:30 of its own last day."""
    code = MonthCode(family, day.year, (day.month + 2) // 3 * 3)
    if monthly_expiry(code.year, code.month) <= day:
        late = code.month == 12
        code = MonthCode(family, code.year + late, 3 if late else code.month + 3)
    return code


def parse_cme(text: str, reference: date | None, terms_of: TermsOf, expiry: date | None = None) -> Instrument:
    """The future or option of a CME symbol. ``expiry``: its date where a column gives it, else by the series' rule.

    ``reference`` decides between decades. Raises ``ValueError`` that names what is wrong.
    """
    match = _OPTION.match(text)
    code = parse_month_code(match["code"] if match else text, expiry or reference)
    day = expiry or expiry_of(code)
    if match is None:
        if is_series(code.root):
            raise ValueError(f"{text!r} names a series of options; right and strike are missing")
        return future(code.symbol, day, terms_of)
    root = code.root if is_series(code.root) else code.symbol
    return option(root, day, float(match["strike"]), CALL if match["right"] == "C" else PUT, terms_of)


def format_cme(instrument: Instrument, year_digits: int = 1) -> str:
    """CME symbol of an instrument, the year in one or two digits. Raises ``ValueError`` if it has none."""
    if instrument.expiry_ns == NEVER_NS:
        raise ValueError(f"{instrument.id} has no CME symbol")
    day = instrument.expiry
    year = f"{day.year % 10**year_digits:0{year_digits}d}"
    if is_series(instrument.root):
        code = f"{instrument.root}{MONTH_CODES[day.month - 1]}{year}"
    else:
        found = parse_month_code(instrument.root, day)
        code = found.symbol[:-1] + f"{found.year % 10**year_digits:0{year_digits}d}"
    if instrument.kind == FUTURE:
        return code
    strike = f"{instrument.strike:.4f}".rstrip("0").rstrip(".")
    return f"{code} {'C' if instrument.right == CALL else 'P'}{strike}"

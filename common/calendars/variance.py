"""Years to expiry, on the calendar and on a clock that runs faster when the market moves more.

`act365_years` is the year fraction of every contract: ns to the settlement instant over 365 days of ns. A `VarianceClock`
weighs each stretch of time by how much variance it carries: the session 1, nights, weekends and holidays less, and a
window around an event (FOMC, earnings) more. It counts *weighted nanoseconds* ``W(t)``, whole numbers, so that

- ``tau(a, c) == tau(a, b) + tau(b, c)`` holds exactly in weighted ns, and to one rounding in years;
- ``W`` never falls, and rises on every step of 1 µs or more (the rate is at least 1e-3);
- with all weights equal the clock *is* ACT/365, to the bit.

The weights are scaled so that over the reference years one year has one weighted year on average: volatilities on the
two clocks stay comparable. A quote moves between clocks with its variance: ``σ² τ`` is the same on both.
One *variance-day* of an event is what an ordinary day, open to next open, carries.
*Tested by* tests/unit/test_calendars_variance.py, tests/properties/test_calendars_variance.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from typing import Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.calendars.exchanges import market_calendar
from common.calendars.sessions import Days, Flags, MarketCalendar
from common.calendars.zones import Moment, instant_ns, utc_ns
from common.messages import F64, I64
from common.units import NS_PER_DAY, NS_PER_MIN, NS_PER_YEAR

#: Slowest rate of the clock, weighted ns per ns: 1 µs is then at least one weighted ns.
RATE_MIN: Final = 1e-3
_MIDNIGHT: Final = time(0, 0)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class VarianceEvent(_Frozen):
    """Extra variance inside one window, on top of what the hour carries anyway."""

    name: str = Field(min_length=1)
    at: Moment = Field(description="Start of the window, with an offset.")
    minutes: int = Field(default=60, ge=1, le=7 * 1440, description="Length of the window.")
    variance_days: float = Field(gt=0.0, le=250.0, description="Ordinary trading days of variance added.")


class VarianceClockConfig(_Frozen):
    """Weights per hour of each kind of time, relative to each other; equal weights are ACT/365.

    The defaults are SPY's of 1998 to 2021 (daily bars): an hour of the night carries 0.16 of the variance of an hour of
    the session, an hour of the weekend 0.02 without moves beyond 5 % and 0.07 with them; single holidays are too few to
    tell from weekends (tests/golden/test_calendars_variance.py).
    """

    calendar: str = Field(default="XNYS", description="Whose sessions, nights and holidays.")
    session: float = Field(default=1.0, gt=0.0, description="While the market trades.")
    overnight: float = Field(
        default=0.16, gt=0.0, description="Between sessions on days that have one, halts included."
    )
    weekend: float = Field(default=0.03, gt=0.0, description="Saturdays and Sundays on the exchange's clocks.")
    holiday: float = Field(default=0.03, gt=0.0, description="Mondays to Fridays without a session.")
    reference_first: date = Field(default=date(1997, 1, 1), description="First day of the years that set the scale.")
    reference_last: date = Field(default=date(2024, 12, 31), description="Last; 28 years hold every weekday pattern.")
    events: tuple[VarianceEvent, ...] = ()

    @model_validator(mode="after")
    def _reference(self) -> Self:
        if (self.reference_last - self.reference_first).days < 364:
            raise ValueError("the reference years must span a year at least")
        return self


def act365_years(now_ns: I64 | int, expiry_ns: I64 | int) -> F64:
    """Years from now to expiry, ACT/365 in ns; broadcasts; negative once expired. Exact ns before the division."""
    return np.asarray((np.asarray(expiry_ns, np.int64) - np.asarray(now_ns, np.int64)) / NS_PER_YEAR)


def convert_vol(vol: F64, years_from: F64, years_to: F64) -> F64:
    """The volatility on another clock that has the same variance: ``vol sqrt(years_from / years_to)``; broadcasts.

    At or past expiry on either clock (years <= 0) no variance is left to keep and the volatility is returned as it is.
    """
    live = (years_from > 0.0) & (years_to > 0.0)
    ratio = np.divide(years_from, years_to, out=np.ones(np.broadcast(years_from, years_to).shape), where=live)
    return np.asarray(vol * np.sqrt(ratio))


class VarianceClock:
    """Weighted years between instants. Immutable; built once per configuration (about 0.1 s), then pure arithmetic."""

    def __init__(self, config: VarianceClockConfig) -> None:
        """Raises ``ValueError`` for an unknown calendar, an event outside it, or weights too far apart."""
        calendar = market_calendar(config.calendar)
        self.config = config
        edges, rates = _base_rates(calendar, config)
        rates = rates / _mean_rate(edges, rates, calendar, config)
        edges, rates = _with_events(edges, rates, config.events, _ordinary_day_ns(edges, rates, calendar))
        if rates.min() < RATE_MIN:
            raise ValueError(
                f"the clock of {config.calendar} would run at {rates.min():.2g} of the calendar's speed; at least {RATE_MIN:g}"
            )
        self._edges, self._rates = edges, rates
        steps = np.floor(rates * np.diff(edges)).astype(np.int64)
        self._weighted = np.concatenate([np.zeros(1, np.int64), np.cumsum(steps)])

    def weighted_ns(self, moments_ns: I64 | int) -> I64:
        """``W(t)``, weighted ns since the calendar began, int64, same shape. Raises ``ValueError`` outside the calendar.

        An expiry's ``W`` never changes: keep it, and a tick costs one look-up and one subtraction for the whole book.
        """
        moments = np.asarray(moments_ns, np.int64)
        if moments.size and (moments.min() < self._edges[0] or moments.max() > self._edges[-1]):
            first, last = self._edges[[0, -1]].astype("datetime64[ns]").astype("datetime64[D]")
            raise ValueError(f"the variance clock of {self.config.calendar} runs from {first} to {last}")
        row = np.minimum(np.searchsorted(self._edges, moments, side="right") - 1, len(self._rates) - 1)
        inside = np.floor(self._rates[row] * (moments - self._edges[row])).astype(np.int64)
        return np.asarray(self._weighted[row] + inside)

    def years(self, now_ns: I64 | int, expiry_ns: I64 | int) -> F64:
        """Weighted years from now to expiry; broadcasts; negative once expired. Rounding: 1 ns and one float."""
        return np.asarray((self.weighted_ns(expiry_ns) - self.weighted_ns(now_ns)) / NS_PER_YEAR)

    def vol_from_calendar(self, vol: F64, now_ns: int, expiry_ns: I64) -> F64:
        """A volatility quoted per calendar year (ACT/365), per year of this clock."""
        return convert_vol(vol, act365_years(now_ns, expiry_ns), self.years(now_ns, expiry_ns))

    def vol_to_calendar(self, vol: F64, now_ns: int, expiry_ns: I64) -> F64:
        """The inverse of `vol_from_calendar`."""
        return convert_vol(vol, self.years(now_ns, expiry_ns), act365_years(now_ns, expiry_ns))


def _base_rates(calendar: MarketCalendar, config: VarianceClockConfig) -> tuple[I64, F64]:
    """Edges (k + 1,) in UTC ns and the weight of each stretch between two of them (k,), without events."""
    off, off_start, off_end = _days_off(calendar)
    parts = [calendar.span_open_ns, calendar.span_close_ns, off_start, off_end]
    edges = np.unique(np.concatenate(parts))
    edges = edges[(edges >= calendar.first_ns) & (edges <= calendar.last_ns)]
    middle = edges[:-1] + np.diff(edges) // 2
    rates = np.full(len(middle), config.overnight)
    if len(off):
        row = np.searchsorted(off_start, middle, side="right") - 1
        inside = (row >= 0) & (middle < off_end[row])
        rates = np.where(inside, np.where(np.is_busday(off[row]), config.holiday, config.weekend), rates)
    return edges, np.where(calendar.is_open(middle), config.session, rates)


def _days_off(calendar: MarketCalendar) -> tuple[Days, I64, I64]:
    """Dates without a session, and where each starts and ends on the exchange's clocks (UTC ns)."""
    every = np.arange(calendar.day[0], calendar.day[-1] + 1)
    off = every[~np.isin(every, calendar.day)]
    start, end = (
        np.array([instant_ns(day, _MIDNIGHT, calendar.zone) for day in days.tolist()], np.int64)
        for days in (off, off + 1)
    )
    return off, start, end


def _mean_rate(edges: I64, rates: F64, calendar: MarketCalendar, config: VarianceClockConfig) -> float:
    """Time average of the weights over the reference years, those the calendar knows."""
    first = max(
        instant_ns(max(config.reference_first, calendar.first_day), _MIDNIGHT, calendar.zone), calendar.first_ns
    )
    last = instant_ns(config.reference_last, _MIDNIGHT, calendar.zone) + NS_PER_DAY
    held = np.maximum(np.minimum(edges[1:], last) - np.maximum(edges[:-1], first), 0).astype(np.float64)
    if not held.sum() >= 364 * NS_PER_DAY:
        raise ValueError(f"{calendar.name} holds less than a year of the reference years")
    # One weight everywhere must give the rate 1 to the bit, which a rounded mean would not.
    return float(rates[0]) if np.ptp(rates) == 0.0 else float(rates @ held / held.sum())


def _ordinary_day_ns(edges: I64, rates: F64, calendar: MarketCalendar) -> float:
    """Weighted ns from an open to the next day's: the median over sessions that follow each other day by day."""
    weighted = np.concatenate([[0.0], np.cumsum(rates * np.diff(edges))])
    at_open = np.interp(calendar.open_ns, edges, weighted)
    next_day = np.diff(calendar.day.astype(np.int64)) == 1
    return float(np.median(np.diff(at_open)[next_day]))


def _with_events(edges: I64, rates: F64, events: Sequence[VarianceEvent], day_ns: float) -> tuple[I64, F64]:
    """Edges and rates with each event's window cut in and its variance spread evenly over it."""
    for event in events:
        start = utc_ns(event.at)
        end = start + event.minutes * NS_PER_MIN
        if start < edges[0] or end > edges[-1]:
            raise ValueError(f"event {event.name!r} at {event.at.isoformat()} lies outside the calendar")
        finer = np.unique(np.concatenate([edges, [start, end]]))
        rates = rates[np.searchsorted(edges, finer[:-1], side="right") - 1]
        inside: Flags = (finer[:-1] >= start) & (finer[1:] <= end)
        rates = rates + np.where(inside, event.variance_days * day_ns / (end - start), 0.0)
        edges = finer
    return edges, rates

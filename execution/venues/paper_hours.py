"""When the paper venue trades: the sessions of the data, or those of a market's calendar, with the halts that are stated.

*Tested by* tests/unit/test_execution_paper_hours.py.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from common.calendars.day import Schedule, Spans, schedule_of, schedule_of_bounds
from common.calendars.exchanges import market_calendar
from common.calendars.zones import local_date
from common.units import NS_PER_MIN
from execution.config import PaperConfig

#: Days of the calendar before the first session of the data and after the last one that are known as well.
_MARGIN: Final = timedelta(days=14)


def hours_of(config: PaperConfig, sessions_ns: Spans) -> Schedule:
    """The schedule; without sessions and calendar the market is always open.

    Raises ``ValueError`` for an unknown calendar, for one without sessions of the data to say which years are meant, and
    for a halt that ends before it starts.
    """
    if not config.calendar:
        schedule = schedule_of_bounds(sessions_ns, config.pre_open_min * NS_PER_MIN)
        return schedule.with_halts(config.halts_ns)
    if not sessions_ns:
        raise ValueError(
            f"the calendar {config.calendar} needs the sessions of the data, which say which days are meant"
        )
    calendar = market_calendar(config.calendar)
    first = local_date(sessions_ns[0][0], calendar.zone) - _MARGIN
    last = local_date(sessions_ns[-1][1], calendar.zone) + _MARGIN
    first, last = max(first, calendar.first_day), min(last, calendar.last_day)
    return schedule_of(calendar, first, last, config.pre_open_min).with_halts(config.halts_ns)

"""Wall-clock times to UTC nanoseconds and back, with nothing guessed.

A naive ``datetime`` is refused. A zone is an IANA name (``America/New_York``); abbreviations such as ``EST`` are refused,
since they name an offset and not the rules of a place. A wall time that a change of the clocks skips or repeats is
refused as well: there is no single instant that it names.
*Tested by* tests/unit/test_calendars_zones.py.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator

from common.units import NS_PER_S, NS_PER_US

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NEW_YORK: Final = "America/New_York"
CHICAGO: Final = "America/Chicago"
UTC_NAME: Final = "UTC"


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises ``ValueError`` for an abbreviation or an unknown name."""
    if "/" not in name and name != UTC_NAME:
        raise ValueError(f"{name!r} is no IANA zone of a place; write it as Area/City, or UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"unknown time zone {name!r}") from None


def utc_ns(moment: datetime) -> int:
    """UTC ns since 1970 of an aware ``datetime``, exact to its microsecond. Raises ``ValueError`` if it is naive."""
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} names no time zone; write it with an offset or a Z")
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * NS_PER_S + since.microseconds * NS_PER_US


@lru_cache(maxsize=65_536)
def instant_ns(day: date, at: time, zone: str) -> int:
    """UTC ns of the wall time ``at`` on ``day`` in an IANA zone.

    Raises ``ValueError`` where the zone's clocks skip or repeat that wall time, and if ``at`` carries a zone of its own.
    """
    if at.tzinfo is not None:
        raise ValueError(f"{at.isoformat()} carries a zone of its own; the zone is {zone}")
    local = datetime.combine(day, at, zone_of(zone))
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise ValueError(f"the clocks of {zone} change at {day} {at}: that wall time names no single instant")
    return utc_ns(local)


def local_date(moment_ns: int, zone: str) -> date:
    """The date that the clocks of a zone show at an instant (UTC ns)."""
    return (EPOCH + timedelta(microseconds=moment_ns // NS_PER_US)).astimezone(zone_of(zone)).date()


def moment_of(written: object) -> datetime:
    """An aware ``datetime`` as people write it: itself, or ISO 8601 text with an offset or Z.

    Raises ``ValueError`` for naive times and for bare numbers, whose unit and origin would have to be guessed.
    """
    if isinstance(written, str):
        moment = datetime.fromisoformat(written)
    elif isinstance(written, datetime):
        moment = written
    else:
        raise ValueError(f"{written!r} is no moment; write it as 2026-01-30T21:00:00Z")
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} names no time zone; write it with an offset or a Z")
    return moment


#: Field of a pydantic model for a moment that people write.
Moment = Annotated[datetime, BeforeValidator(moment_of)]

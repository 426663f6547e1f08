"""Listed instruments: contract terms per root, canonical ids, OSI symbols.

Canonical id: ``SPX 2018-03-16 2700 P @XCBO`` (option), ``SPX 2018-03-16 F @XCME`` (future). OSI: root (padded to six or
not), yymmdd, C or P, strike × 1000 in eight digits: ``SPX   180316P02700000``, ``SPXW260202C06900000``.
The settlement instant of a contract is its expiry date at the hour of its trading class in New York (AM: 09:30, the
opening print; PM: 16:00), turned into UTC by the zone's own rules. A root that ``contract_of`` does not know is
refused: multiplier, hour and exercise style are never guessed.
*Tested by* tests/unit/test_instruments.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from common.units import NS_PER_S
from common.universe import AMERICAN, EUROPEAN, FUTURE, OPTION

NEW_YORK = ZoneInfo("America/New_York")
AM = time(9, 30)
PM = time(16, 0)
CALL = 1
PUT = -1

_OSI = re.compile(r"^(?P<root>[A-Z][A-Z0-9]{0,5}) {0,5}(?P<date>\d{6})(?P<right>[CP])(?P<strike>\d{8})\Z", re.ASCII)
_OPTION = re.compile(
    r"^(?P<root>[A-Z][A-Z0-9]{0,5}) (?P<date>\d{4}-\d{2}-\d{2}) (?P<strike>\d{1,7}(\.\d{1,4})?) (?P<right>[CP])"
    r"( @(?P<mic>[A-Z0-9]{4}))?\Z",
    re.ASCII,
)
_FUTURE = re.compile(
    r"^(?P<root>[A-Z][A-Z0-9]{0,5}) (?P<date>\d{4}-\d{2}-\d{2}) F( @(?P<mic>[A-Z0-9]{4}))?\Z", re.ASCII
)
_CME_QUARTERLY = re.compile(r"^(ES|NQ)[HMUZ]\d\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Contract:
    """Terms shared by every instrument of one root. Multipliers USD per point and lot, ticks in points, fees US cents.

    Fees are assumptions of the size of exchange plus clearing charges, per lot and side; they are not in any file.
    """

    underlying: str
    settlement: time
    style: int
    option_mic: str
    option_multiplier: float
    option_tick: float
    option_fee_cents: int
    future_mic: str
    future_multiplier: float
    future_tick: float
    future_fee_cents: int


def _index(underlying: str, settlement: time, mic: str, future_multiplier: float) -> Contract:
    return Contract(underlying, settlement, EUROPEAN, mic, 100.0, 0.05, 110, "XCME", future_multiplier, 0.25, 130)


_CONTRACTS: dict[str, Contract] = {
    "SPX": _index("SPX", AM, "XCBO", 50.0),
    "SPXW": _index("SPX", PM, "XCBO", 50.0),
    "NDX": _index("NDX", AM, "XPHL", 20.0),
    "NDXP": _index("NDX", PM, "XPHL", 20.0),
    # No options are listed on the Nasdaq Composite; the demo models them after those on the Nasdaq-100.
    "IXIC": _index("IXIC", AM, "XPHL", 20.0),
    "IXICP": _index("IXIC", PM, "XPHL", 20.0),
}
_FUTURE_MULTIPLIER = {"ES": 50.0, "NQ": 20.0}


def contract_of(root: str) -> Contract:
    """Terms of a root; a CME quarterly future (``ESH0``) is its own underlying. Raises ``ValueError`` if unknown."""
    known = _CONTRACTS.get(root)
    if known is not None:
        return known
    if _CME_QUARTERLY.match(root):
        multiplier = _FUTURE_MULTIPLIER[root[:2]]
        return Contract(root, AM, AMERICAN, "XCME", multiplier, 0.05, 130, "XCME", multiplier, 0.25, 130)
    raise ValueError(
        f"unknown root {root!r}; known: {', '.join(sorted(_CONTRACTS))}, ES or NQ with month and year (ESH0)"
    )


@lru_cache(maxsize=65536)
def instant_ns(day: date, at: time) -> int:
    """UTC ns of a New York wall-clock time on ``day``."""
    local = datetime.combine(day, at, NEW_YORK)
    return int(local.astimezone(UTC).timestamp()) * NS_PER_S


def local_date(instant: int) -> date:
    """New York date of a UTC instant in ns."""
    return datetime.fromtimestamp(instant // NS_PER_S, NEW_YORK).date()


@lru_cache(maxsize=65536)
def _iso_date(instant: int) -> str:
    return local_date(instant).isoformat()


@dataclass(frozen=True, slots=True)
class Instrument:
    """One contract. ``expiry_ns``: settlement instant (UTC); strike in points (0 for a future); right +1, -1 or 0."""

    root: str
    underlying: str
    expiry_ns: int
    kind: int
    strike: float
    right: int
    style: int
    multiplier: float
    tick_size: float
    fee_cents: int
    mic: str

    @property
    def id(self) -> str:
        """Canonical id, unique per contract."""
        day = _iso_date(self.expiry_ns)
        if self.kind == FUTURE:
            return f"{self.root} {day} F @{self.mic}"
        return f"{self.root} {day} {_strike_text(self.strike)} {'C' if self.right == CALL else 'P'} @{self.mic}"

    @property
    def osi(self) -> str:
        """OSI symbol, 21 characters, root padded. Raises ``ValueError`` for a future or a strike OSI cannot hold."""
        if self.kind == FUTURE:
            raise ValueError(f"a future has no OSI symbol: {self.id}")
        thousandths = round(self.strike * 1000)
        if thousandths >= 10**8 or abs(thousandths - self.strike * 1000) > 1e-6:
            raise ValueError(f"OSI cannot hold the strike of {self.id}")
        day = local_date(self.expiry_ns)
        return f"{self.root:<6}{day:%y%m%d}{'C' if self.right == CALL else 'P'}{thousandths:08d}"


def _strike_text(strike: float) -> str:
    return f"{strike:.4f}".rstrip("0").rstrip(".")


def option(root: str, expiry: date, strike: float, right: int) -> Instrument:
    """The option of ``root`` that expires on ``expiry``. Raises ``ValueError`` on an unknown root or a strike <= 0."""
    terms = contract_of(root)
    if not 0.0 < strike < 1e7:
        raise ValueError(f"strike {strike:g} is not between 0 and 10,000,000")
    if right not in (CALL, PUT):
        raise ValueError(f"right {right} is neither +1 (call) nor -1 (put)")
    return Instrument(
        root,
        terms.underlying,
        instant_ns(expiry, terms.settlement),
        OPTION,
        strike,
        right,
        terms.style,
        terms.option_multiplier,
        terms.option_tick,
        terms.option_fee_cents,
        terms.option_mic,
    )


def future(root: str, expiry: date) -> Instrument:
    """The future of ``root`` that settles on ``expiry``. Raises ``ValueError`` on an unknown root."""
    terms = contract_of(root)
    return Instrument(
        root,
        terms.underlying,
        instant_ns(expiry, terms.settlement),
        FUTURE,
        0.0,
        0,
        EUROPEAN,
        terms.future_multiplier,
        terms.future_tick,
        terms.future_fee_cents,
        terms.future_mic,
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a calendar date") from None


def _checked(found: Instrument, mic: str | None, text: str) -> Instrument:
    if mic is not None and mic != found.mic:
        raise ValueError(f"{text!r}: {found.root} is listed on {found.mic}, not {mic}")
    return found


def parse_instrument(text: str) -> Instrument:
    """Instrument of an OSI symbol (padded or not) or a canonical id (the ``@MIC`` may be left out).

    Raises ``ValueError`` that names what is wrong: the form, the date, the strike, the root or the venue.
    """
    match = _OSI.match(text)
    if match:
        digits = match["date"]
        day = _day(f"20{digits[:2]}-{digits[2:4]}-{digits[4:]}")
        return option(match["root"], day, int(match["strike"]) / 1000.0, CALL if match["right"] == "C" else PUT)
    match = _OPTION.match(text)
    if match:
        right = CALL if match["right"] == "C" else PUT
        return _checked(option(match["root"], _day(match["date"]), float(match["strike"]), right), match["mic"], text)
    match = _FUTURE.match(text)
    if match:
        return _checked(future(match["root"], _day(match["date"])), match["mic"], text)
    raise ValueError(
        f"{text!r} is neither an OSI symbol (SPX   180316P02700000) nor an id (SPX 2018-03-16 2700 P @XCBO, "
        "SPX 2018-03-16 F @XCME)"
    )

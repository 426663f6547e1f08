"""Listed instruments: contract terms, canonical ids, OSI symbols.

Canonical id: ``SPX 2018-03-16 2700 P @XCBO`` (option), ``SPX 2018-03-16 F @XCME`` (future). OSI: root (padded to six or
not), yymmdd, C or P, strike × 1000 in eight digits: ``SPX   180316P02700000``, ``SPXW260202C06900000``.
A perpetual has no date: ``BTC PERP @DRBT``. The settlement instant of a contract is its expiry date at the hour and in
the zone of its trading class (AM: 09:30 New York, the opening print; PM: 16:00), turned into UTC by the zone's own
rules. A root that nobody has given terms for is refused: multiplier, hour and exercise style are never guessed.
``contract_of`` knows the roots that the live system trades; files know more (common/instruments_contracts.py), other
spellings stand in common/instruments_{cme,deribit,fix}.py.
*Tested by* tests/unit/test_instruments.py, tests/properties/test_symbols_round_trip.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from common.calendars import zones
from common.universe import AMERICAN, EUROPEAN, FUTURE, OPTION

NEW_YORK = ZoneInfo("America/New_York")
#: Settlement instant of what never settles.
NEVER_NS = 2**63 - 1
AM = time(9, 30)
PM = time(16, 0)
CALL = 1
PUT = -1
_RIGHT = {"C": CALL, "P": PUT}

#: Root of a canonical id; OSI allows six characters of it, Deribit's linear pairs need the underscore.
ROOT = r"[A-Z][A-Z0-9_]{0,11}"
_OSI = re.compile(r"^(?P<root>[A-Z][A-Z0-9]{0,5}) {0,5}(?P<date>\d{6})(?P<right>[CP])(?P<strike>\d{8})\Z", re.ASCII)
_OPTION = re.compile(
    rf"^(?P<root>{ROOT}) (?P<date>\d{{4}}-\d{{2}}-\d{{2}}) (?P<strike>\d{{1,7}}(\.\d{{1,4}})?) (?P<right>[CP])"
    r"( @(?P<mic>[A-Z0-9]{4}))?\Z",
    re.ASCII,
)
_FUTURE = re.compile(
    rf"^(?P<root>{ROOT}) ((?P<date>\d{{4}}-\d{{2}}-\d{{2}}) F|PERP)( @(?P<mic>[A-Z0-9]{{4}}))?\Z", re.ASCII
)
_CME_QUARTERLY = re.compile(r"^(ES|NQ)[HMUZ]\d\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Contract:
    """Terms shared by every instrument of one root. Multipliers per point and lot, ticks in points, fees US cents.

    Fees are assumptions of the size of exchange plus clearing charges, per lot and side; they are not in any file.
    ``currency`` is the unit of prices, strikes apart; ``settlement_currency`` what is paid. ``inverse``: option prices
    and premiums in the coin (multiplier: coin per lot), futures quoted in ``currency`` and worth ``future_multiplier`` /
    price coin a lot. ``on_future``: options are exercised into, or settle against, a future. ``perpetual``: one without
    a date is listed. ``month_coded``: terms of a family whose futures are each an underlying (``ES``: ``ESH0``). A multiplier
    of 0: none are listed.
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
    zone: str = zones.NEW_YORK
    currency: str = "USD"
    settlement_currency: str = "USD"
    inverse: bool = False
    on_future: bool = False
    perpetual: bool = False
    month_coded: bool = False


#: Gives the terms of a root, where need be by the expiry date (None: a perpetual). Raises ``ValueError`` if unknown.
TermsOf = Callable[[str, date | None], Contract]


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
        return Contract(
            root, AM, AMERICAN, "XCME", multiplier, 0.05, 130, "XCME", multiplier, 0.25, 130, on_future=True
        )
    raise ValueError(
        f"unknown root {root!r}; known: {', '.join(sorted(_CONTRACTS))}, ES or NQ with month and year (ESH0)"
    )


def _known_terms(root: str, _expiry: date | None) -> Contract:
    return contract_of(root)


def instant_ns(day: date, at: time, zone: str = zones.NEW_YORK) -> int:
    """UTC ns of a wall-clock time on ``day``, in New York unless another zone is named."""
    return zones.instant_ns(day, at, zone)


def local_date(instant: int, zone: str = zones.NEW_YORK) -> date:
    """Date of a UTC instant in ns, in New York unless another zone is named."""
    return zones.local_date(instant, zone)


@lru_cache(maxsize=65536)
def _iso_date(instant: int, zone: str) -> str:
    return local_date(instant, zone).isoformat()


@dataclass(frozen=True, slots=True)
class Instrument:
    """One contract. ``expiry_ns``: settlement instant (UTC); strike in points (0 for a future); right +1, -1 or 0.

    ``multiplier``, ``currency``, ``inverse``, ``on_future``: as in `Contract`. ``zone``: where its expiry date is told.
    """

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
    zone: str = zones.NEW_YORK
    currency: str = "USD"
    settlement_currency: str = "USD"
    inverse: bool = False
    on_future: bool = False

    @property
    def expiry(self) -> date:
        """Expiry date as the venue tells it. Raises ``ValueError`` for a perpetual."""
        if self.expiry_ns == NEVER_NS:
            raise ValueError(f"{self.id} never expires")
        return local_date(self.expiry_ns, self.zone)

    @property
    def id(self) -> str:
        """Canonical id, unique per contract."""
        if self.expiry_ns == NEVER_NS:
            return f"{self.root} PERP @{self.mic}"
        day = _iso_date(self.expiry_ns, self.zone)
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
        if len(self.root) > 6 or "_" in self.root:
            raise ValueError(f"OSI cannot hold the root of {self.id}")
        day = self.expiry
        if not 2000 <= day.year < 2100:
            raise ValueError(f"OSI cannot hold the year of {self.id}")
        return f"{self.root:<6}{day:%y%m%d}{'C' if self.right == CALL else 'P'}{thousandths:08d}"


def _strike_text(strike: float) -> str:
    return f"{strike:.4f}".rstrip("0").rstrip(".")


def option(root: str, expiry: date, strike: float, right: int, terms_of: TermsOf = _known_terms) -> Instrument:
    """The option of ``root`` that expires on ``expiry``. Raises ``ValueError`` on an unknown root or a strike <= 0."""
    terms = terms_of(root, expiry)
    if terms.option_multiplier <= 0.0:
        raise ValueError(f"{root}: no terms of options are known")
    if not 0.0 < strike < 1e7:
        raise ValueError(f"strike {strike:g} is not between 0 and 10,000,000")
    if right not in (CALL, PUT):
        raise ValueError(f"right {right} is neither +1 (call) nor -1 (put)")
    return Instrument(
        root,
        terms.underlying,
        instant_ns(expiry, terms.settlement, terms.zone),
        OPTION,
        strike,
        right,
        terms.style,
        terms.option_multiplier,
        terms.option_tick,
        terms.option_fee_cents,
        terms.option_mic,
        terms.zone,
        terms.settlement_currency if terms.inverse else terms.currency,
        terms.settlement_currency,
        terms.inverse,
        terms.on_future,
    )


def future(root: str, expiry: date | None, terms_of: TermsOf = _known_terms) -> Instrument:
    """The future of ``root`` that settles on ``expiry`` (None: the perpetual). Raises ``ValueError`` on an unknown root."""
    terms = terms_of(root, expiry)
    if terms.future_multiplier <= 0.0:
        raise ValueError(f"{root}: no terms of futures are known")
    if expiry is None and not terms.perpetual:
        raise ValueError(f"{root}: no perpetual is listed; a future needs its date")
    return Instrument(
        root,
        terms.underlying,
        NEVER_NS if expiry is None else instant_ns(expiry, terms.settlement, terms.zone),
        FUTURE,
        0.0,
        0,
        EUROPEAN,
        terms.future_multiplier,
        terms.future_tick,
        terms.future_fee_cents,
        terms.future_mic,
        terms.zone,
        terms.currency,
        terms.settlement_currency,
        terms.inverse,
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


def parse_instrument(text: str, terms_of: TermsOf = _known_terms) -> Instrument:
    """Instrument of an OSI symbol (padded or not) or a canonical id (the ``@MIC`` may be left out).

    Raises ``ValueError`` that names what is wrong: the form, the date, the strike, the root or the venue.
    """
    match = _OSI.match(text)
    if match:
        digits = match["date"]
        expiry = _day(f"20{digits[:2]}-{digits[2:4]}-{digits[4:]}")
        return option(match["root"], expiry, int(match["strike"]) / 1000.0, _RIGHT[match["right"]], terms_of)
    match = _OPTION.match(text)
    if match:
        found = option(match["root"], _day(match["date"]), float(match["strike"]), _RIGHT[match["right"]], terms_of)
        return _checked(found, match["mic"], text)
    match = _FUTURE.match(text)
    if match:
        day = None if match["date"] is None else _day(match["date"])
        return _checked(future(match["root"], day, terms_of), match["mic"], text)
    raise ValueError(
        f"{text!r} is neither an OSI symbol (SPX   180316P02700000) nor an id (SPX 2018-03-16 2700 P @XCBO, "
        "SPX 2018-03-16 F @XCME)"
    )

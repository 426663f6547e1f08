"""Deribit names: ``BTC-27MAR26-100000-C``, ``BTC-27MAR26``, ``ETH-PERPETUAL``, ``XRP_USDC-30JUN23-0d625-C``.

Day of one or two digits, English month, year of two digits after 2000, strike with ``d`` for the decimal point (``D`` in
files that upper-case symbols), C or P. Everything is delivered at 08:00 UTC. Options on BTC and ETH are inverse: quoted
and settled in the coin, one coin a contract. Linear pairs (``SOL_USDC``) differ in multiplier and must be defined in a
contracts file. Combinations and spot pairs are refused.
*Tested by* tests/unit/test_symbols_deribit.py, tests/properties/test_symbols_round_trip.py.
"""

from __future__ import annotations

import re
from datetime import date, time

from common.instruments import CALL, NEVER_NS, PUT, Contract, Instrument, TermsOf, future, option
from common.universe import EUROPEAN, FUTURE

#: Four letters in the place of a MIC; Deribit's own is not asserted here.
VENUE = "DRBT"
DELIVERY = time(8, 0)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAME = re.compile(
    r"^(?P<root>[A-Z][A-Z0-9]{1,7}(_[A-Z]{3,4})?)-"
    rf"(PERPETUAL|(?P<day>\d{{1,2}})(?P<month>{'|'.join(MONTHS)})(?P<year>\d\d)"
    r"(-(?P<strike>\d{1,7}([dD]\d{1,4})?)-(?P<right>[CP]))?)\Z",
    re.ASCII,
)
_COMBINATION = re.compile(r"^[A-Z0-9_]+-[A-Z]{2,6}-\d{1,2}[A-Z]{3}\d\d", re.ASCII)


def _inverse(coin: str, option_tick: float, future_usd: float, future_tick: float) -> Contract:
    return Contract(
        coin,
        DELIVERY,
        EUROPEAN,
        VENUE,
        1.0,
        option_tick,
        0,
        VENUE,
        future_usd,
        future_tick,
        0,
        zone="UTC",
        settlement_currency=coin,
        inverse=True,
        on_future=True,
        perpetual=True,
    )


#: Ticks are the smallest that the venue quotes (options step by five of them above 0.005 coin).
DERIBIT: dict[str, Contract] = {
    "BTC": _inverse("BTC", 0.0001, 10.0, 0.5),
    "ETH": _inverse("ETH", 0.0001, 1.0, 0.05),
}


def parse_deribit(text: str, terms_of: TermsOf) -> Instrument:
    """The instrument of a Deribit name. Raises ``ValueError`` that names what is wrong."""
    match = _NAME.match(text)
    if not match:
        if _COMBINATION.match(text):
            raise ValueError(f"{text!r} is a combination; load its legs")
        raise ValueError(
            f"{text!r} is no Deribit name (BTC-27MAR26-100000-C, BTC-27MAR26, ETH-PERPETUAL, XRP_USDC-30JUN23-0d625-C)"
        )
    if match["day"] is None:
        return future(match["root"], None, terms_of)
    year, month = 2000 + int(match["year"]), MONTHS.index(match["month"]) + 1
    try:
        day = date(year, month, int(match["day"]))
    except ValueError:
        raise ValueError(f"{text!r}: {match['day']} {match['month']} {year} is not a calendar date") from None
    if match["right"] is None:
        return future(match["root"], day, terms_of)
    strike = float(match["strike"].lower().replace("d", "."))
    return option(match["root"], day, strike, CALL if match["right"] == "C" else PUT, terms_of)


def format_deribit(instrument: Instrument) -> str:
    """Deribit's name of an instrument. Raises ``ValueError`` for one that it does not list."""
    if instrument.mic != VENUE:
        raise ValueError(f"{instrument.id} is not listed on Deribit")
    if instrument.expiry_ns == NEVER_NS:
        return f"{instrument.root}-PERPETUAL"
    day = instrument.expiry
    name = f"{instrument.root}-{day.day}{MONTHS[day.month - 1]}{day.year % 100:02d}"
    if instrument.kind == FUTURE:
        return name
    strike = f"{instrument.strike:.4f}".rstrip("0").rstrip(".").replace(".", "d")
    return f"{name}-{strike}-{'C' if instrument.right == CALL else 'P'}"

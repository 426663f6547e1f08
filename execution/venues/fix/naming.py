"""How a contract is named to a FIX venue, and prices and quantities as FIX text. Pure.

| tag | value |
|---|---|
| Symbol 55 | root (``SPXW``, ``ESH0``) |
| SecurityType 167 | FUT or OPT; an option on a future is OPT too, 4.4 has no other word for it |
| MaturityMonthYear 200, MaturityDate 541 | ``YYYYMM`` and ``YYYYMMDD`` |
| StrikePrice 202, PutOrCall 201 | options only; 0 put, 1 call |
| SecurityExchange 207 | MIC |

Legs of a combo carry the same in 600, 609, 610, 611, 612, 616; FIX 4.4 gives a leg no PutOrCall, so its CFI code (608) says it.
*Tested by* tests/unit/test_fix_translate.py, tests/properties/test_fix_round_trip.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from common.errors import InputError, Problem
from common.instruments import parse_instrument
from common.instruments_fix import format_fix
from common.universe import Universe
from execution.venues.fix.message import Fields, Tag

TICKS_MAX = 2**31 - 1
_LEG_TAGS = {
    Tag.Symbol: Tag.LegSymbol,
    Tag.SecurityType: Tag.LegSecurityType,
    Tag.MaturityMonthYear: Tag.LegMaturityMonthYear,
    Tag.MaturityDate: Tag.LegMaturityDate,
    Tag.StrikePrice: Tag.LegStrikePrice,
    Tag.SecurityExchange: Tag.LegSecurityExchange,
}
#: Places of a net price.
_FINEST = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Name:
    """The tags of one contract, as an order and as a leg carry them."""

    tags: Fields
    leg: Fields

    @property
    def symbol(self) -> str:
        """Symbol (55)."""
        return self.tags[0][1]


class Contracts:
    """Names, ticks and fees of a universe's instruments, by row.

    Raises ``InputError`` if one cannot be named to a FIX venue, or two would share a name: an order must mean one contract.
    """

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._names: list[Name] = []
        seen: dict[Fields, str] = {}
        problems: list[Problem] = []
        for line, instrument_id in enumerate(universe.instrument_id, start=1):
            try:
                name = named(instrument_id)
            except ValueError as error:
                problems.append(Problem(line, f"{instrument_id!r} has no FIX name: {error}"))
                continue
            if (other := seen.setdefault(name.tags, instrument_id)) != instrument_id:
                problems.append(Problem(line, f"{instrument_id!r} and {other!r} have the same FIX name"))
            self._names.append(name)
        if problems:
            raise InputError("the universe", problems[:20], "use canonical ids, such as 'SPX 2018-03-16 2700 P @XCBO'")
        self._ticks = [Decimal(repr(float(size))) for size in universe.tick_size]

    def name(self, instrument: int) -> Name:
        """How a contract is named."""
        return self._names[instrument]

    def price(self, instrument: int, ticks: int) -> str:
        """Ticks as a price, exact and without an exponent."""
        return format((self._ticks[instrument] * ticks).normalize(), "f")

    def net_price(self, instrument: int, net_cents: int) -> str:
        """Money of one unit as a price of its first leg, without an exponent; rounded in our favour where it has no end."""
        multiplier = Decimal(repr(float(self._universe.multiplier_usd[instrument])))
        price = Decimal(net_cents) / 100 / multiplier
        return format(price.quantize(_FINEST, ROUND_FLOOR).normalize(), "f")

    def ticks(self, instrument: int, price: Decimal) -> Decimal:
        """A price in ticks; whole if it lies on the grid. Raises ``ValueError`` beyond 32 bits."""
        ticks = price / self._ticks[instrument]
        if abs(ticks) > TICKS_MAX:
            raise ValueError(f"a price of {price} is {ticks:.0f} ticks, limit {TICKS_MAX}")
        return ticks

    def fee_cents(self, instrument: int, lots: int) -> int:
        """Exchange and clearing fees by the universe's table, where the venue states none."""
        return lots * self._universe.fee_cents.item(instrument)


def named(instrument_id: str) -> Name:
    """Tags of a canonical instrument id. Raises ``ValueError`` if it is none or never expires."""
    known = format_fix(parse_instrument(instrument_id))
    month = {"MaturityMonthYear": known["MaturityDate"][:6]}
    strike = known.get("StrikePrice")
    if strike is not None:
        month["StrikePrice"] = format(Decimal(strike).normalize(), "f")
    if known["SecurityType"] == "OOF":
        known["SecurityType"] = "OPT"
    known |= month
    order = (
        "Symbol",
        "SecurityType",
        "MaturityMonthYear",
        "MaturityDate",
        "PutOrCall",
        "StrikePrice",
        "SecurityExchange",
    )
    tags = tuple((int(Tag[name]), known[name]) for name in order if name in known)
    leg = [(int(_LEG_TAGS[Tag(tag)]), value) for tag, value in tags if Tag(tag) in _LEG_TAGS]
    if "CFICode" in known:
        leg.insert(1, (int(Tag.LegCFICode), known["CFICode"]))
    return Name(tags, tuple(leg))

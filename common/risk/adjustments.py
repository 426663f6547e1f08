"""Corporate actions on listed options and shares, as the Options Clearing Corporation adjusts them, in exact arithmetic.

An option stands for ``multiplier × strike`` USD (the aggregate exercise price) against a *deliverable*: so many shares of
so many issues, and cash. What each action changes:

| action | quantity | strike | deliverable of one contract | root |
|---|---|---|---|---|
| whole split n:1 | × n | / n | stays 100 shares | same |
| other split n:m (3:2, reverse 1:10) | same | same | shares × n/m, fraction in cash | AAPL1 |
| special cash dividend D >= 12.50 USD a contract | same | - D | same | same |
| merger, spin-off | same | same | replaced share by share, fraction in cash | AAPL1 |

Premium and exercise price keep the multiplier 100 throughout: a 3:2-adjusted 50 call pays 50 × 100 for 150 shares (OCC
By-Laws, Article VI, section 11A as of 2007, which ended the rounding of strikes). A whole split rounds the strike to the
adjustment increment, one cent; `AdjustedPosition` keeps what that moved. Ordinary dividends adjust nothing.
Everything is ``int`` or ``Fraction``: aggregate exercise price and deliverable value are conserved exactly, the stated
rounding and the cash in lieu apart.

An adjustment is an event with an id. `apply` folds it into a book once: the same event again changes nothing, another
event under a known id is refused. Pure functions; events come from the outside, quantities are signed lots or shares.
*Tested by* tests/unit/test_adjustments_rules.py, tests/properties/test_adjustments_conserve.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from common.errors import Refused

#: Smallest special dividend that adjusts a contract, USD per contract (OCC Interpretation and Policy .01).
DE_MINIMIS_USD: Final = Fraction(25, 2)
STRIKE_INCREMENT: Final = Fraction(1, 100)
_ROOT = re.compile(r"^(?P<letters>[A-Z]+)(?P<number>[1-9]?)\Z")


@dataclass(frozen=True, slots=True)
class Deliverable:
    """What one contract hands over: ``shares`` per issue (symbol, count), and ``cash_usd``."""

    shares: tuple[tuple[str, Fraction], ...]
    cash_usd: Fraction = Fraction(0)

    def value_usd(self, prices: Mapping[str, Fraction]) -> Fraction:
        """Worth in USD at these prices per share. Raises ``KeyError`` for a missing price."""
        return self.cash_usd + sum((count * prices[symbol] for symbol, count in self.shares), Fraction(0))


@dataclass(frozen=True, slots=True)
class OptionContract:
    """One listed series. ``right`` +1 call, -1 put; ``multiplier`` USD of premium and of exercise price per point."""

    root: str
    expiry: date
    strike: Fraction
    right: int
    multiplier: int
    deliverable: Deliverable

    @property
    def exercise_usd(self) -> Fraction:
        """Aggregate exercise price of one contract."""
        return self.strike * self.multiplier

    def intrinsic_usd(self, prices: Mapping[str, Fraction]) -> Fraction:
        """Worth of one contract exercised at these prices per share."""
        return max(self.right * (self.deliverable.value_usd(prices) - self.exercise_usd), Fraction(0))

    def valuation_terms(self) -> tuple[str, Fraction, Fraction]:
        """(symbol, strike, multiplier) of the plain option with the same payoff, for a pricing engine.

        The payoff on n shares and cash C is ``n max(S - (K × multiplier - C) / n, 0)`` for a call. Raises ``ValueError``
        for a basket of issues, for cash alone, and where cash exceeds the exercise price: those are no plain options.
        """
        if len(self.deliverable.shares) != 1:
            raise ValueError(
                f"{self.root} delivers {len(self.deliverable.shares)} issues, so it is no option on one price"
            )
        ((symbol, count),) = self.deliverable.shares
        strike = (self.exercise_usd - self.deliverable.cash_usd) / count
        if strike <= 0:
            raise ValueError(f"{self.root}: the cash delivered exceeds the exercise price, so it is no option any more")
        return symbol, strike, count


@dataclass(frozen=True, slots=True)
class ShareHolding:
    """The underlying itself, held as shares."""

    symbol: str


Holding = OptionContract | ShareHolding


@dataclass(frozen=True, slots=True)
class AdjustedPosition:
    """Signed ``quantity`` (contracts or shares) of a holding.

    ``rounding_usd``: what rounding of strikes moved the aggregate exercise price of the whole position by, signed;
    ``cash_usd``: cash received (+) or owed (-) for fractions and exchanged shares so far.
    """

    holding: Holding
    quantity: int
    rounding_usd: Fraction = Fraction(0)
    cash_usd: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Split:
    """``new`` shares for ``old``: 2, 1 doubles them; 1, 10 is a reverse split. ``lieu_price_usd``: per new share."""

    id: str
    symbol: str
    ex_date: date
    new: int
    old: int
    lieu_price_usd: Fraction | None = None

    def __post_init__(self) -> None:
        if self.new < 1 or self.old < 1 or self.new == self.old:
            raise ValueError(f"{self.id}: {self.new} for {self.old} is no split")


@dataclass(frozen=True, slots=True)
class SpecialDividend:
    """A cash dividend outside the ordinary ones, USD per share."""

    id: str
    symbol: str
    ex_date: date
    amount_usd: Fraction

    def __post_init__(self) -> None:
        if self.amount_usd <= 0:
            raise ValueError(f"{self.id}: a dividend must be positive")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Merger, spin-off or change of name: each share of ``symbol`` becomes ``shares`` (symbol, count) and ``cash_usd``.

    A spin-off lists ``symbol`` itself with count 1. ``lieu_price_usd``: price per share at which fractions are paid out.
    """

    id: str
    symbol: str
    ex_date: date
    shares: tuple[tuple[str, Fraction], ...]
    cash_usd: Fraction = Fraction(0)
    lieu_price_usd: tuple[tuple[str, Fraction], ...] = ()

    def __post_init__(self) -> None:
        if self.cash_usd < 0 or any(count <= 0 for _, count in self.shares) or not (self.shares or self.cash_usd):
            raise ValueError(f"{self.id}: shares and cash exchanged must be positive")


Adjustment = Split | SpecialDividend | Exchange


@dataclass(frozen=True)
class AdjustedBook:
    """Positions, and the adjustments already in them by id."""

    positions: tuple[AdjustedPosition, ...]
    applied: Mapping[str, Adjustment] = field(default_factory=lambda: MappingProxyType({}))


def apply(book: AdjustedBook, event: Adjustment) -> AdjustedBook:
    """The book after an event; the same book if it holds that event already.

    Raises ``Refused`` if the id stands for another event, or if the terms given do not settle a position: then nothing is
    adjusted at all.
    """
    known = book.applied.get(event.id)
    if known is not None:
        if known != event:
            raise Refused(f"adjustment {event.id} is already applied with other terms: {known}")
        return book
    positions = tuple(adjusted(position, event) for position in book.positions)
    return AdjustedBook(positions, MappingProxyType({**book.applied, event.id: event}))


def adjusted(position: AdjustedPosition, event: Adjustment) -> AdjustedPosition:
    """One position after an event; untouched if it has nothing of the event's symbol, or expired before the ex-date."""
    holding = position.holding
    if isinstance(holding, ShareHolding):
        return _shares(position, holding, event) if holding.symbol == event.symbol else position
    if holding.expiry < event.ex_date or event.symbol not in dict(holding.deliverable.shares):
        return position
    if isinstance(event, SpecialDividend):
        return _special_dividend(position, holding, event)
    if isinstance(event, Split) and event.new % event.old == 0 and _standard(holding):
        return _whole_split(position, holding, event)
    return replace(position, holding=_new_deliverable(holding, event))


def adjusted_root(root: str) -> str:
    """Root of a series whose deliverable is no longer standard: AAPL, AAPL1, AAPL2. Raises ``Refused`` after AAPL9."""
    found = _ROOT.match(root)
    if found is None or found["number"] == "9":
        raise Refused(f"no adjusted root follows {root!r}")
    return f"{found['letters']}{int(found['number'] or 0) + 1}"


def _standard(contract: OptionContract) -> bool:
    """One issue, as many shares as the multiplier, no cash: then a whole split can multiply contracts instead."""
    shares = contract.deliverable.shares
    return len(shares) == 1 and shares[0][1] == contract.multiplier and contract.deliverable.cash_usd == 0


def _whole_split(position: AdjustedPosition, contract: OptionContract, event: Split) -> AdjustedPosition:
    times = event.new // event.old
    exact = contract.strike / times
    # Half a cent goes up: Fraction's own round() would go to the even cent.
    strike = (exact / STRIKE_INCREMENT + Fraction(1, 2)).__floor__() * STRIKE_INCREMENT
    if strike <= 0:
        raise Refused(f"{event.id}: the strike {contract.strike} of {contract.root} would round to zero")
    quantity = position.quantity * times
    moved = (strike - exact) * contract.multiplier * quantity
    return replace(
        position,
        holding=replace(contract, strike=strike),
        quantity=quantity,
        rounding_usd=position.rounding_usd + moved,
    )


def _special_dividend(position: AdjustedPosition, contract: OptionContract, event: SpecialDividend) -> AdjustedPosition:
    shares = dict(contract.deliverable.shares)[event.symbol]
    if event.amount_usd * shares < DE_MINIMIS_USD:
        return position
    strike = contract.strike - event.amount_usd * shares / contract.multiplier
    if strike <= 0:
        raise Refused(
            f"{event.id}: the dividend takes the strike {contract.strike} of {contract.root} to zero or below; "
            "such a series is adjusted by its deliverable: give the exchange's terms as an Exchange"
        )
    return replace(position, holding=replace(contract, strike=strike))


def _new_deliverable(contract: OptionContract, event: Split | Exchange) -> OptionContract:
    per_share, cash = _terms(event)
    held = dict(contract.deliverable.shares)
    turned = held.pop(event.symbol)
    for symbol, count in per_share:
        held[symbol] = held.get(symbol, Fraction(0)) + turned * count
    cash = contract.deliverable.cash_usd + turned * cash
    whole: list[tuple[str, Fraction]] = []
    for symbol, count in sorted(held.items()):
        rest = count - count.__floor__()
        cash += _in_lieu(event, symbol, rest)
        whole += [(symbol, count - rest)] if count != rest else []
    return replace(contract, root=adjusted_root(contract.root), deliverable=Deliverable(tuple(whole), cash))


def _shares(position: AdjustedPosition, holding: ShareHolding, event: Adjustment) -> AdjustedPosition:
    """Shares held. A dividend is paid by the cash ledger, not here; an exchange into several issues is refused."""
    if isinstance(event, SpecialDividend):
        return position
    per_share, cash = _terms(event)
    if len(per_share) > 1:
        raise Refused(f"{event.id}: shares of {event.symbol} become several holdings; book them as trades")
    symbol, count = per_share[0] if per_share else (holding.symbol, Fraction(0))
    due = position.quantity * count
    # Towards zero, so that long and short holders of the same number mirror each other.
    kept = int(due)
    paid = position.quantity * cash + _in_lieu(event, symbol, due - kept)
    return replace(position, holding=ShareHolding(symbol), quantity=kept, cash_usd=position.cash_usd + paid)


def _terms(event: Split | Exchange) -> tuple[tuple[tuple[str, Fraction], ...], Fraction]:
    if isinstance(event, Split):
        return ((event.symbol, Fraction(event.new, event.old)),), Fraction(0)
    return event.shares, event.cash_usd


def _in_lieu(event: Split | Exchange, symbol: str, fraction: Fraction) -> Fraction:
    """Cash for a fraction of a share. Raises ``Refused`` if there is one and the event names no price for it."""
    if fraction == 0:
        return Fraction(0)
    price = event.lieu_price_usd if isinstance(event, Split) else dict(event.lieu_price_usd).get(symbol)
    if price is None:
        raise Refused(f"{event.id}: {fraction} of a share of {symbol} is left over and no price in lieu is given")
    return fraction * price

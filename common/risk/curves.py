"""Discount, dividend and FX curves as market data: where they come from, how old they are, what they say.

Every item carries a `Provenance`. One rule for age, `read`: a reading before ``as_of`` is refused always (it would look
ahead); a reading more than ``max_age_s`` after it is refused, unless the caller asked for ``on_stale="flag"``: then it is
handed out with ``stale`` true, so that a screen can show it and nothing is traded on it unseen.

A curve is log-linear in its factor (piecewise flat forward rates), flat forward beyond its last knot, and stands on
instants: the factor from now to T is ``P(T) / P(now)``, so ``P(a, c) = P(a, b) P(b, c)`` whatever the knots.
Rates are continuous per ACT/365 year. NaN is refused in knots; asking for a time before ``as_of`` too.
*Tested by* tests/unit/test_curves_market.py, tests/properties/test_curves_market.py, tests/golden/test_curves_quantlib.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, Self, TypeVar

import numpy as np

from common.calendars.variance import act365_years
from common.errors import Refused
from common.messages import F64, I64
from common.units import NS_PER_S, NS_PER_YEAR

OnStale = Literal["raise", "flag"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """``source``: who said it; ``as_of_ns``: when it was true (UTC ns); ``max_age_s``: how long it may be used (s)."""

    source: str
    as_of_ns: int
    max_age_s: float

    def __post_init__(self) -> None:
        if not self.source:
            raise ValueError("market data needs a source")
        if not self.max_age_s > 0.0:
            raise ValueError(f"max_age_s must be positive, not {self.max_age_s}")

    def age_s(self, now_ns: int) -> float:
        """Seconds since ``as_of``."""
        return (now_ns - self.as_of_ns) / NS_PER_S

    def is_stale(self, now_ns: int) -> bool:
        """Older than it may be."""
        return self.age_s(now_ns) > self.max_age_s


class Sourced(Protocol):
    """Market data that knows where it comes from."""

    @property
    def name(self) -> str:
        """What it is, for people."""
        ...

    @property
    def provenance(self) -> Provenance:
        """Source, moment and age limit."""
        ...


ItemT = TypeVar("ItemT", bound=Sourced)


@dataclass(frozen=True, slots=True)
class Reading(Generic[ItemT]):
    """An item as read at one moment; ``stale`` only where the reader asked for flags."""

    item: ItemT
    age_s: float
    stale: bool


def read(item: ItemT, now_ns: int, on_stale: OnStale = "raise") -> Reading[ItemT]:
    """Read an item at ``now_ns`` by the rule above. Raises ``Refused`` with source, age and limit."""
    told = item.provenance
    age_s = told.age_s(now_ns)
    if age_s < 0.0:
        raise Refused(f"{item.name} of {told.source} is as of {-age_s:g} s after now: reading it would look ahead")
    if told.is_stale(now_ns) and on_stale == "raise":
        raise Refused(f"{item.name} of {told.source} is {age_s:g} s old; at most {told.max_age_s:g} s")
    return Reading(item, age_s, told.is_stale(now_ns))


@dataclass(frozen=True, eq=False)
class LogLinearCurve:
    """A factor that starts at 1 at ``as_of``: knots ``years`` (k,) > 0 ascending, ``log_factor`` (k,) its logarithm."""

    name: str
    provenance: Provenance
    years: F64
    log_factor: F64

    def __post_init__(self) -> None:
        if self.years.ndim != 1 or self.years.shape != self.log_factor.shape or not len(self.years):
            raise ValueError(f"{self.name}: needs one factor per knot, and one knot at least")
        if not (np.isfinite(self.years).all() and np.isfinite(self.log_factor).all()):
            raise ValueError(f"{self.name}: knots must be finite")
        if self.years[0] <= 0.0 or (np.diff(self.years) <= 0.0).any():
            raise ValueError(f"{self.name}: tenors must be positive and ascending, not {self.years.tolist()}")

    @classmethod
    def from_zero_rates(
        cls, name: str, provenance: Provenance, years: Sequence[float], zero_rates: Sequence[float]
    ) -> Self:
        """From continuous zero rates per year at tenors in ACT/365 years."""
        at = np.asarray(years, np.float64)
        return cls(name, provenance, at, -np.asarray(zero_rates, np.float64) * at)

    @classmethod
    def from_factors(cls, name: str, provenance: Provenance, years: Sequence[float], factors: Sequence[float]) -> Self:
        """From factors (discount factors) > 0 at tenors in ACT/365 years; 1 at zero is understood."""
        at = np.asarray(factors, np.float64)
        if not (at > 0.0).all():
            raise ValueError(f"{name}: factors must be positive")
        return cls(name, provenance, np.asarray(years, np.float64), np.log(at))

    @classmethod
    def flat(cls, name: str, provenance: Provenance, rate_per_year: float) -> Self:
        """One continuous rate at every tenor."""
        return cls.from_zero_rates(name, provenance, [1.0], [rate_per_year])

    def log_factor_at(self, moments_ns: I64 | int) -> F64:
        """Logarithm of the factor from ``as_of`` to each instant, any shape. Raises ``ValueError`` before ``as_of``."""
        moments = np.asarray(moments_ns, np.int64)
        if (moments < self.provenance.as_of_ns).any():
            raise ValueError(f"{self.name} says nothing before its own as_of")
        years = act365_years(self.provenance.as_of_ns, moments)
        at, value = np.concatenate([[0.0], self.years]), np.concatenate([[0.0], self.log_factor])
        last_forward = (value[-1] - value[-2]) / (at[-1] - at[-2])
        beyond = np.maximum(years - at[-1], 0.0)
        return np.asarray(np.interp(years, at, value) + last_forward * beyond)

    def factor(self, now_ns: int, until_ns: I64 | int) -> F64:
        """Factor from now to each instant (1 at now; above 1 for a negative rate); same shape as ``until_ns``."""
        return np.exp(self.log_factor_at(until_ns) - self.log_factor_at(now_ns))

    def rate(self, now_ns: int, until_ns: I64 | int) -> F64:
        """Continuous rate per year that gives `factor`; at ``until = now`` its limit, the forward rate there."""
        years = act365_years(now_ns, until_ns)
        # Over less than a second the quotient loses its digits, while the forward is flat there anyway.
        short = np.abs(years) * NS_PER_YEAR < NS_PER_S
        until = np.where(short, now_ns + NS_PER_S, until_ns)
        years = np.where(short, NS_PER_S / NS_PER_YEAR, years)
        return np.asarray((self.log_factor_at(now_ns) - self.log_factor_at(until)) / years)


class DiscountCurve(LogLinearCurve):
    """Discount factors of one currency; ``name`` is the currency."""


class DividendYieldCurve(LogLinearCurve):
    """Continuous yield of one underlying (dividends, borrow, a coin's carry); ``name`` is the underlying."""


def forward_price(
    spot: F64 | float, now_ns: int, expiry_ns: I64, discount: DiscountCurve, dividend: DividendYieldCurve
) -> F64:
    """Forward (points) of a spot with a continuous yield: ``S Q(T) / P(T)``; broadcasts spot and expiry."""
    return np.asarray(spot * dividend.factor(now_ns, expiry_ns) / discount.factor(now_ns, expiry_ns))


@dataclass(frozen=True, slots=True)
class FxQuote:
    """Bid and ask of one pair: units of ``quoted`` for one unit of ``base``; ``BTC/USD`` is base BTC, quoted USD."""

    base: str
    quoted: str
    bid: float
    ask: float
    provenance: Provenance

    def __post_init__(self) -> None:
        if not 0.0 < self.bid <= self.ask < np.inf:
            raise ValueError(f"{self.name}: bid {self.bid:g} and ask {self.ask:g} are not a two-sided quote")
        if self.base == self.quoted:
            raise ValueError(f"{self.name}: a currency has no rate against itself")

    @property
    def name(self) -> str:
        """``EUR/USD``."""
        return f"{self.base}/{self.quoted}"

    @property
    def mid(self) -> float:
        """Half-way between bid and ask."""
        return 0.5 * (self.bid + self.ask)


@dataclass(frozen=True, slots=True)
class FxRate:
    """One rate read: units of the target for one unit of the source; age of the oldest quote on the way."""

    mid: float
    bid: float
    ask: float
    age_s: float
    stale: bool
    path: tuple[str, ...]


class FxRates:
    """Rates between all currencies that are joined to ``base`` by quotes.

    The quotes form a tree: exactly one way between two currencies, so conversions never contradict each other
    (A→B→A returns the amount, A→B→C is A→C). A pair that would close a ring, or hangs on nothing, is refused.
    """

    def __init__(self, base: str, quotes: Sequence[FxQuote]) -> None:
        """Raises ``ValueError`` naming the pairs that close a ring or are not joined to ``base``."""
        self.base = base
        self.quotes = tuple(quotes)
        self._to_base: dict[str, tuple[FxQuote, ...]] = {base: ()}
        waiting = list(quotes)
        while waiting:
            joined = [q for q in waiting if (q.base in self._to_base) != (q.quoted in self._to_base)]
            rings = [q.name for q in waiting if q.base in self._to_base and q.quoted in self._to_base]
            if rings:
                raise ValueError(f"a second way between currencies that are already joined: {', '.join(rings)}")
            if not joined:
                raise ValueError(f"no way to {base} from {', '.join(q.name for q in waiting)}")
            quote = joined[0]
            near, far = (quote.base, quote.quoted) if quote.base in self._to_base else (quote.quoted, quote.base)
            self._to_base[far] = (quote, *self._to_base[near])
            waiting.remove(quote)

    @property
    def currencies(self) -> tuple[str, ...]:
        """Every currency that has a rate, sorted."""
        return tuple(sorted(self._to_base))

    def rate(self, source: str, target: str, now_ns: int, on_stale: OnStale = "raise") -> FxRate:
        """Units of ``target`` for one unit of ``source``. Raises ``Refused``: unknown currency, or stale by `read`.

        ``mid`` is the product of the mids on the way; bid sells at every step, ask buys.
        """
        for asked in (source, target):
            if asked not in self._to_base:
                raise Refused(f"no exchange rate for {asked}; known: {', '.join(self.currencies)}")
        ups, downs = list(self._to_base[source]), list(self._to_base[target])
        while ups and downs and ups[-1] is downs[-1]:
            ups.pop()
            downs.pop()
        at, mid, bid, ask, age, stale, path = source, 1.0, 1.0, 1.0, 0.0, False, [source]
        for quote in (*ups, *reversed(downs)):
            reading = read(quote, now_ns, on_stale)
            age, stale = max(age, reading.age_s), stale or reading.stale
            if quote.base == at:
                at, mid, bid, ask = quote.quoted, mid * quote.mid, bid * quote.bid, ask * quote.ask
            else:
                at, mid, bid, ask = quote.base, mid / quote.mid, bid / quote.ask, ask / quote.bid
            path.append(at)
        return FxRate(mid, bid, ask, age, stale, tuple(path))

    def to_base(self, currencies: Sequence[str], now_ns: int, on_stale: OnStale = "raise") -> F64:
        """Units of the base currency per unit of each currency (n,), at mid."""
        known = {c: self.rate(c, self.base, now_ns, on_stale).mid for c in dict.fromkeys(currencies)}
        return np.array([known[c] for c in currencies], np.float64)

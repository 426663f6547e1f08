from __future__ import annotations

import math

import numpy as np
import pytest

from common.errors import Refused
from common.risk.curves import DiscountCurve, DividendYieldCurve, FxQuote, FxRates, Provenance, forward_price, read
from common.units import NS_PER_DAY, NS_PER_S, NS_PER_YEAR

AS_OF = 1_769_806_800 * NS_PER_S
TOLD = Provenance("vendor close", AS_OF, 3_600.0)


def curve(*pairs: tuple[float, float]) -> DiscountCurve:
    return DiscountCurve.from_zero_rates("USD", TOLD, [p[0] for p in pairs], [p[1] for p in pairs])


def at(years: float) -> int:
    return AS_OF + round(years * NS_PER_YEAR)


def test_the_published_example_of_log_linear_discount_factors() -> None:
    # By hand: ln P(1) = -0.04, ln P(2) = -0.10; half-way ln P = -0.07, and 0.06 a year beyond the last knot.
    found = curve((1.0, 0.04), (2.0, 0.05)).factor(AS_OF, np.array([at(0.5), at(1.0), at(1.5), at(2.0), at(5.0)]))
    np.testing.assert_allclose(np.log(found), [-0.02, -0.04, -0.07, -0.10, -0.28], rtol=1e-12)


def test_factors_and_zero_rates_are_two_ways_to_write_one_curve() -> None:
    years, rates = [0.1, 1.0, 7.0], [0.05, -0.01, 0.03]
    factors = [math.exp(-r * t) for r, t in zip(rates, years, strict=True)]
    one = DiscountCurve.from_zero_rates("USD", TOLD, years, rates)
    other = DiscountCurve.from_factors("USD", TOLD, years, factors)
    np.testing.assert_allclose(one.log_factor, other.log_factor, rtol=1e-13)


def test_the_rate_at_the_last_instant_is_the_forward_there() -> None:
    # Flat forwards 0.04 to a year, then (0.10 - 0.04) = 0.06.
    given = curve((1.0, 0.04), (2.0, 0.05))
    assert float(given.rate(at(0.5), at(0.5))) == pytest.approx(0.04, rel=1e-6)
    assert float(given.rate(at(1.5), np.int64(at(1.5)) + 1)) == pytest.approx(0.06, rel=1e-6)
    assert float(given.rate(at(0.5), at(1.5))) == pytest.approx(0.05, rel=1e-9)


def test_forward_of_a_spot_with_a_yield() -> None:
    now, expiry = at(0.0), np.array([at(0.5), at(2.0)])
    forward = forward_price(
        100.0, now, expiry, DiscountCurve.flat("USD", TOLD, 0.05), DividendYieldCurve.flat("SPX", TOLD, 0.02)
    )
    np.testing.assert_allclose(forward, [100 * math.exp(0.015), 100 * math.exp(0.06)], rtol=1e-12)


def test_age_is_enforced_or_flagged_and_never_looked_past() -> None:
    given = curve((1.0, 0.04))
    fresh = read(given, AS_OF + 3_600 * NS_PER_S)
    assert (fresh.stale, fresh.age_s, fresh.item) == (False, 3_600.0, given)
    with pytest.raises(Refused, match="USD of vendor close is 3601 s old; at most 3600 s"):
        read(given, AS_OF + 3_601 * NS_PER_S)
    assert read(given, AS_OF + 3_601 * NS_PER_S, on_stale="flag").stale is True
    for rule in ("raise", "flag"):
        with pytest.raises(Refused, match="look ahead"):
            read(given, AS_OF - 1, on_stale=rule)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="before its own as_of"):
        given.factor(AS_OF - NS_PER_DAY, AS_OF)


@pytest.mark.parametrize(
    ("years", "rates", "why"),
    [
        ([], [], "one knot at least"),
        ([1.0], [0.1, 0.2], "one factor per knot|broadcast"),
        ([0.0, 1.0], [0.1, 0.1], "positive and ascending"),
        ([2.0, 1.0], [0.1, 0.1], "positive and ascending"),
        ([1.0], [math.nan], "must be finite"),
        ([math.inf], [0.1], "must be finite"),
    ],
)
def test_knots_that_make_no_curve_are_refused(years: list[float], rates: list[float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        DiscountCurve.from_zero_rates("USD", TOLD, years, rates)


def test_a_source_must_be_named_and_an_age_limit_set() -> None:
    with pytest.raises(ValueError, match="needs a source"):
        Provenance("", AS_OF, 1.0)
    with pytest.raises(ValueError, match="max_age_s must be positive"):
        Provenance("x", AS_OF, math.nan)
    with pytest.raises(ValueError, match="factors must be positive"):
        DiscountCurve.from_factors("USD", TOLD, [1.0], [0.0])


def fx(pair: str, bid: float, ask: float, age_s: float = 0.0) -> FxQuote:
    base, quoted = pair.split("/")
    return FxQuote(base, quoted, bid, ask, Provenance("fx", AS_OF - round(age_s) * NS_PER_S, 600.0))


def test_triangulation_through_the_base_and_beyond() -> None:
    rates = FxRates("USD", [fx("EUR/USD", 1.0, 1.2), fx("USD/JPY", 149.0, 151.0), fx("BTC/EUR", 80_000.0, 80_010.0)])
    assert rates.rate("EUR", "USD", AS_OF).mid == pytest.approx(1.1)
    assert rates.rate("USD", "EUR", AS_OF).mid == pytest.approx(1 / 1.1)
    crossed = rates.rate("BTC", "JPY", AS_OF)
    assert crossed.path == ("BTC", "EUR", "USD", "JPY")
    assert crossed.mid == pytest.approx(80_005 * 1.1 * 150)
    assert crossed.bid == pytest.approx(80_000 * 1.0 * 149)
    assert crossed.ask == pytest.approx(80_010 * 1.2 * 151)
    back = rates.rate("JPY", "BTC", AS_OF)
    assert back.bid == pytest.approx(1 / crossed.ask)
    assert rates.rate("EUR", "EUR", AS_OF).mid == 1.0
    # BTC to EUR does not pass through the base, so a stale EUR/USD does not matter to it.
    assert rates.rate("BTC", "EUR", AS_OF).path == ("BTC", "EUR")
    np.testing.assert_allclose(rates.to_base(["JPY", "USD", "JPY"], AS_OF), [1 / 150, 1.0, 1 / 150])


def test_the_oldest_quote_on_the_way_decides() -> None:
    rates = FxRates("USD", [fx("EUR/USD", 1.1, 1.1, age_s=700), fx("BTC/EUR", 8e4, 8e4, age_s=5)])
    assert rates.rate("BTC", "EUR", AS_OF).age_s == 5.0
    with pytest.raises(Refused, match="EUR/USD of fx is 700 s old"):
        rates.rate("BTC", "USD", AS_OF)
    flagged = rates.rate("BTC", "USD", AS_OF, on_stale="flag")
    assert (flagged.stale, flagged.age_s) == (True, 700.0)


def test_rates_that_contradict_or_lead_nowhere_are_refused() -> None:
    with pytest.raises(ValueError, match=r"second way .*: EUR/GBP"):
        FxRates("USD", [fx("EUR/USD", 1.1, 1.1), fx("GBP/USD", 1.3, 1.3), fx("EUR/GBP", 0.9, 0.9)])
    with pytest.raises(ValueError, match="no way to USD from EUR/GBP"):
        FxRates("USD", [fx("EUR/GBP", 0.9, 0.9)])
    with pytest.raises(ValueError, match="not a two-sided quote"):
        fx("EUR/USD", 1.2, 1.1)
    with pytest.raises(ValueError, match="not a two-sided quote"):
        fx("EUR/USD", 0.0, 1.1)
    with pytest.raises(Refused, match="no exchange rate for CHF; known: EUR, USD"):
        FxRates("USD", [fx("EUR/USD", 1.1, 1.1)]).rate("CHF", "USD", AS_OF)

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.risk.curves import DiscountCurve, FxQuote, FxRates, Provenance
from common.units import NS_PER_S, NS_PER_YEAR

AS_OF = 1_769_806_800 * NS_PER_S
TOLD = Provenance("vendor close", AS_OF, 3_600.0)
CURRENCIES = ("USD", "EUR", "GBP", "JPY", "BTC", "ETH")

rates = st.floats(-0.05, 0.25)
moments = st.integers(0, 40 * NS_PER_YEAR).map(lambda t: AS_OF + t)


@st.composite
def curves(draw: st.DrawFn) -> DiscountCurve:
    # Drawn as forward rates: zero rates drawn freely would jump by hundreds of per cent between close knots.
    years = np.array(sorted(draw(st.sets(st.integers(1, 3_000), min_size=1, max_size=8)))) / 100
    forwards = np.array([draw(rates) for _ in years])
    zero_rates = np.cumsum(forwards * np.diff(years, prepend=0.0)) / years
    return DiscountCurve.from_zero_rates("USD", TOLD, years.tolist(), zero_rates.tolist())


@given(curves(), moments, moments, moments)
def test_discounting_in_two_steps_is_discounting_once(curve: DiscountCurve, a: int, b: int, c: int) -> None:
    a, b, c = sorted((a, b, c))
    # At 40 years a year fraction is known to 1e-14 and the log factor to about as much.
    np.testing.assert_allclose(curve.factor(a, c), curve.factor(a, b) * curve.factor(b, c), rtol=1e-12)


@given(curves(), moments, moments)
def test_the_rate_gives_back_the_factor(curve: DiscountCurve, a: int, b: int) -> None:
    a, b = sorted((a, b))
    years = (b - a) / NS_PER_YEAR
    np.testing.assert_allclose(np.exp(-float(curve.rate(a, b)) * years), curve.factor(a, b), rtol=1e-9)


@given(curves(), moments)
def test_the_rate_stays_between_the_smallest_and_largest_forward(curve: DiscountCurve, a: int) -> None:
    at, value = np.concatenate([[0.0], curve.years]), np.concatenate([[0.0], curve.log_factor])
    forwards = -np.diff(value) / np.diff(at)
    expiries = np.array([a + 10**9, a + 10**15, a + NS_PER_YEAR])
    found = curve.rate(a, expiries)
    assert (found >= forwards.min() - 1e-6).all()
    assert (found <= forwards.max() + 1e-6).all()


@st.composite
def fx_trees(draw: st.DrawFn) -> FxRates:
    """Each currency hangs on one that came before it, quoted either way round."""
    quotes = []
    for i, new in enumerate(CURRENCIES[1:], 1):
        old = CURRENCIES[draw(st.integers(0, i - 1))]
        bid = draw(st.floats(1e-4, 1e5))
        pair = (new, old) if draw(st.booleans()) else (old, new)
        quotes.append(FxQuote(*pair, bid, bid * draw(st.floats(1.0, 1.1)), TOLD))
    return FxRates("USD", draw(st.permutations(quotes)))


@given(fx_trees(), *(st.sampled_from(CURRENCIES) for _ in range(3)))
def test_conversions_never_contradict_each_other(fx: FxRates, a: str, b: str, c: str) -> None:
    ab, bc, ac, ba = (fx.rate(x, y, AS_OF) for x, y in ((a, b), (b, c), (a, c), (b, a)))
    np.testing.assert_allclose(ab.mid * bc.mid, ac.mid, rtol=1e-12)
    np.testing.assert_allclose(ab.mid * ba.mid, 1.0, rtol=1e-12)
    np.testing.assert_allclose(ab.bid * ba.ask, 1.0, rtol=1e-12)
    assert ab.bid <= ab.mid * (1 + 1e-12)
    assert ab.mid <= ab.ask * (1 + 1e-12)

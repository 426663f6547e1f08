from __future__ import annotations

import math
from datetime import date, time

import numpy as np
import pytest

from common.calendars.zones import NEW_YORK, instant_ns
from common.risk.curves import DiscountCurve, Provenance
from common.risk.dividends import Dividend, DividendSchedule
from common.units import NS_PER_YEAR

NOW = instant_ns(date(2026, 1, 30), time(16, 0), NEW_YORK)
TOLD = Provenance("made for the test", NOW, 86_400.0)
FLAT = DiscountCurve.flat("USD", TOLD, 0.05)


def schedule(*dividends: Dividend, until: date = date(2030, 1, 1), tail: float = 0.0) -> DividendSchedule:
    return DividendSchedule("AAPL", "USD", TOLD, dividends, until, tail)


def close(*days: date) -> np.ndarray:
    return np.array([instant_ns(d, time(16, 0), NEW_YORK) for d in days])


def test_the_escrowed_spot_is_the_spot_less_present_values() -> None:
    paid = schedule(Dividend(date(2026, 4, 1), 1.0), Dividend(date(2026, 7, 1), 1.5))
    expiries = close(date(2026, 3, 20), date(2026, 6, 18), date(2026, 12, 18))
    first, second = ((t - NOW) / NS_PER_YEAR for t in paid.ex_ns().tolist())
    values = [0.0, math.exp(-0.05 * first), math.exp(-0.05 * first) + 1.5 * math.exp(-0.05 * second)]
    np.testing.assert_allclose(paid.prepaid_forward(100.0, NOW, expiries, FLAT), 100.0 - np.array(values), rtol=1e-12)


def test_a_dividend_falls_off_at_midnight_before_its_ex_date() -> None:
    paid = schedule(Dividend(date(2026, 4, 1), 1.0))
    before = np.array([instant_ns(date(2026, 3, 31), time(20, 0), NEW_YORK)])
    opening = np.array([instant_ns(date(2026, 4, 1), time(9, 30), NEW_YORK)])
    assert paid.prepaid_forward(100.0, NOW, before, FLAT)[0] == 100.0
    assert paid.prepaid_forward(100.0, NOW, opening, FLAT)[0] < 99.1
    # On the morning of the ex-date the spot is already ex: nothing more comes off.
    later = instant_ns(date(2026, 4, 1), time(4, 0), NEW_YORK)
    assert paid.prepaid_forward(99.0, later, close(date(2026, 6, 18)), FLAT)[0] == 99.0


def test_a_proportional_dividend_after_a_cash_one_takes_its_share_of_what_is_left() -> None:
    paid = schedule(Dividend(date(2026, 4, 1), amount=1.0), Dividend(date(2026, 7, 1), proportion=0.02))
    zero = DiscountCurve.flat("USD", TOLD, 0.0)
    assert paid.forward(100.0, NOW, close(date(2026, 12, 18)), zero)[0] == pytest.approx((100.0 - 1.0) * 0.98)
    turned = schedule(Dividend(date(2026, 4, 1), proportion=0.02), Dividend(date(2026, 7, 1), amount=1.0))
    assert turned.forward(100.0, NOW, close(date(2026, 12, 18)), zero)[0] == pytest.approx(100.0 * 0.98 - 1.0)


def test_beyond_what_is_declared_the_tail_yield_takes_over() -> None:
    paid = schedule(until=date(2027, 1, 30), tail=0.02)
    expiries = close(date(2026, 12, 18), date(2029, 1, 19))
    years = (expiries[1] - instant_ns(date(2027, 1, 30), time(0, 0), NEW_YORK)) / NS_PER_YEAR
    found = paid.prepaid_forward(100.0, NOW, expiries, FLAT)
    np.testing.assert_allclose(found, [100.0, 100.0 * math.exp(-0.02 * years)], rtol=1e-12)


def test_expiry_itself_and_dividends_above_the_spot() -> None:
    paid = schedule(Dividend(date(2026, 4, 1), amount=120.0))
    found = paid.equivalent_yield(100.0, NOW, np.array([NOW - 1, NOW, close(date(2026, 6, 18))[0]]), FLAT)
    assert found[:2].tolist() == [0.0, 0.0]
    assert math.isnan(found[2])


def test_what_is_no_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="in order of their ex-dates"):
        schedule(Dividend(date(2026, 7, 1), 1.0), Dividend(date(2026, 4, 1), 1.0))
    with pytest.raises(ValueError, match="beyond complete_until"):
        schedule(Dividend(date(2026, 7, 1), 1.0), until=date(2026, 6, 1))
    with pytest.raises(ValueError, match="give an amount or a proportion"):
        Dividend(date(2026, 7, 1))
    with pytest.raises(ValueError, match="give an amount or a proportion"):
        Dividend(date(2026, 7, 1), 1.0, 0.1)
    with pytest.raises(ValueError, match="is no dividend"):
        Dividend(date(2026, 7, 1), proportion=1.0)
    with pytest.raises(ValueError, match="tail yield must be finite"):
        schedule(tail=math.nan)
    with pytest.raises(ValueError, match="cannot be discounted in EUR"):
        schedule().prepaid_forward(100.0, NOW, close(date(2026, 6, 18)), DiscountCurve.flat("EUR", TOLD, 0.02))

"""The checker finds what is known to be there, and finds nothing in what is known to be clean."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.surfaces.arbitrage import check, check_expiry, otm_prices
from common.surfaces.surface import Surface
from common.units import NS_PER_YEAR
from tests.surfaces_world import AS_OF_NS


def surface(*raw: tuple[float, float, float, float, float]) -> Surface:
    n = len(raw)
    slices = np.array([[a, b * (1.0 - rho), b * (1.0 + rho), m, s] for a, b, rho, m, s in raw])
    years = np.arange(1.0, n + 1.0)
    expiry = AS_OF_NS + np.arange(1, n + 1) * NS_PER_YEAR
    flat = np.full(n, 100.0)
    return Surface(
        "X", AS_OF_NS, expiry, years, slices, np.zeros((n, 3)), flat, np.ones(n), np.full(n, -1.5), np.full(n, 1.5)
    )


#: After Axel Vogt, in Gatheral and Jacquier (2014), section 5.1.
VOGT = (-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)
FAIR = (0.01, 0.12, -0.55, 0.05, 0.15)


def test_vogts_butterfly_is_found() -> None:
    found = check(surface(VOGT))
    assert found.butterflies > 50
    assert found.calendars == 0
    assert not found.clean


def test_crossed_slices_are_found() -> None:
    found = check(surface(FAIR, (0.011, 0.12, -0.2, 0.05, 0.15)))
    assert found.butterflies == 0
    assert found.calendars > 50
    assert -0.6 < found.worst_calendar < -0.05


def test_a_clean_pair_is_clean_and_a_single_point_is_seen() -> None:
    higher = (0.011, 0.125, -0.55, 0.05, 0.15)
    assert check(surface(FAIR, higher), beyond=3.0).clean
    # The same slice twice less a hair.
    found = check(surface(FAIR, (0.01 - 1e-9, 0.12, -0.55, 0.05, 0.15)))
    assert found.calendars == 1001


def test_an_unlisted_expiry_can_be_asked() -> None:
    pair = surface(FAIR, (0.02, 0.13, -0.55, 0.05, 0.15))
    assert check_expiry(pair, AS_OF_NS + 3 * NS_PER_YEAR // 2, -1.0, 1.0) == (0, 0.0)


@pytest.mark.parametrize("right", [1.0, -1.0])
def test_prices_are_quantlibs(right: float) -> None:
    k = np.linspace(-0.5, 0.5, 11)
    kind = ql.Option.Call if right > 0 else ql.Option.Put
    expected = [ql.blackFormula(kind, math.exp(x), 1.0, 0.2) for x in k.tolist()]
    assert otm_prices(k, np.full(11, 0.2), right) == pytest.approx(expected, rel=1e-9, abs=1e-15)

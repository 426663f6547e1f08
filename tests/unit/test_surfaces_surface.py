"""A surface as an object: reading it, between and beyond its expiries, as text."""

from __future__ import annotations

import json

import numpy as np
import pytest

from common.surfaces.fitting import fit
from common.surfaces.surface import Surface
from common.units import NS_PER_DAY
from tests.surfaces_world import AS_OF_NS, chain_of, essvi_w, raw_svi_w

DAYS = [10.0, 40.0, 200.0]


@pytest.fixture(scope="module")
def surface() -> Surface:
    def truth(i: int, k: np.ndarray) -> np.ndarray:
        return essvi_w(k, 0.04 * DAYS[i] / 365, -0.6, 0.18 * np.sqrt(DAYS[i] / 365))

    found = fit(chain_of(DAYS, truth), AS_OF_NS).surface
    assert found is not None
    return found


def test_it_comes_back_from_json_exactly(surface: Surface) -> None:
    back = Surface.from_dict(json.loads(json.dumps(surface.to_dict())))
    assert back.to_dict() == surface.to_dict()
    strike = np.linspace(4000.0, 6000.0, 9)
    expiry = AS_OF_NS + 77 * NS_PER_DAY
    assert (back.vol(expiry, strike) == surface.vol(expiry, strike)).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 2}, "other format"),
        ({"slices": None}, "slices"),
        ({"forwards": [1.0]}, "forwards"),
        ({"discounts": [1.0, float("nan"), 1.0]}, "discounts"),
        ({"expiry_ns": [3, 2, 1]}, "ascending"),
    ],
)
def test_what_is_no_surface_is_refused(surface: Surface, change: dict[str, object], reason: str) -> None:
    told = {k: v for k, v in {**surface.to_dict(), **change}.items() if v is not None}
    with pytest.raises(ValueError, match=reason):
        Surface.from_dict(told)


def test_carry_and_rate_go_on_between_and_beyond(surface: Surface) -> None:
    for day in (1.0, 10.0, 25.0, 200.0, 700.0):
        at, tau = AS_OF_NS + round(day * NS_PER_DAY), day / 365.0
        assert float(surface.forward(at)) == pytest.approx(5000.0 * np.exp(0.02 * tau), rel=1e-9)
        assert float(surface.discount(at)) == pytest.approx(np.exp(-0.04 * tau), rel=1e-9)
        assert float(surface.tau(at)) == pytest.approx(tau, rel=1e-14)


def test_nothing_is_said_of_the_past_or_of_no_strike(surface: Surface) -> None:
    assert np.isnan(surface.vol(AS_OF_NS, 5000.0))
    assert np.isnan(surface.vol(AS_OF_NS + NS_PER_DAY, [0.0, -1.0])).all()


def test_shapes_broadcast(surface: Surface) -> None:
    assert surface.vol(surface.expiry_ns[:, None], np.array([4800.0, 5000.0])).shape == (3, 2)
    assert surface.vol(int(surface.expiry_ns[0]), 5000.0).shape == ()


def test_a_moved_forward_moves_the_smile_along(surface: Surface) -> None:
    expiry = surface.expiry_ns[1]
    forward = float(surface.forward(expiry))
    there = surface.vol(expiry, 4800.0 * 1.03, forward * 1.03)
    assert float(there) == pytest.approx(float(surface.vol(expiry, 4800.0)), rel=1e-13)


def test_raw_svi_is_gatherals(surface: Surface) -> None:
    k = np.linspace(-0.3, 0.2, 11)
    for i, raw in enumerate(surface.raw_svi()):
        vol = surface.vol(surface.expiry_ns[i], surface.forwards[i] * np.exp(k))
        assert vol**2 * surface.tau_years[i] == pytest.approx(raw_svi_w(k, *raw), rel=1e-12)

"""Published American prices."""

from __future__ import annotations

import numpy as np
import pytest

from common.kernels.american import american
from common.kernels.layout import GREEKS, PRICE

GESKE_JOHNSON = (
    "Geske and Johnson (1984), J. Finance 39, table I (Cox-Rubinstein binomial values, S = 40, r = 4.88 %, q = 0)"
)

# strike, vol, then the price at 1, 4 and 7 months (0.0833, 0.3333, 0.5833 years), source
TABLE = [
    (35.0, 0.2, (0.0062, 0.2004, 0.4328), GESKE_JOHNSON),
    (40.0, 0.2, (0.8522, 1.5798, 1.9904), GESKE_JOHNSON),
    (45.0, 0.2, (5.0000, 5.0883, 5.2670), GESKE_JOHNSON),
    (35.0, 0.3, (0.0774, 0.6975, 1.2198), GESKE_JOHNSON),
    (40.0, 0.3, (1.3099, 2.4825, 3.1696), GESKE_JOHNSON),
    (45.0, 0.3, (5.0597, 5.7056, 6.2436), GESKE_JOHNSON),
    (35.0, 0.4, (0.2466, 1.3460, 2.1549), GESKE_JOHNSON),
    (40.0, 0.4, (1.7681, 3.3874, 4.3526), GESKE_JOHNSON),
    (45.0, 0.4, (5.2868, 6.5099, 7.3830), GESKE_JOHNSON),
]


@pytest.mark.parametrize(("strike", "vol", "published", "source"), TABLE)
def test_published_puts(strike: float, vol: float, published: tuple[float, ...], source: str) -> None:
    n = len(published)
    out = np.empty((GREEKS, n))
    tau = np.array([0.0833, 0.3333, 0.5833])
    flat = [np.full(n, x) for x in (40.0, strike, vol, 0.0488, 0.0, -1.0)]
    american(flat[0], flat[1], tau, *flat[2:], out)
    assert out[PRICE] == pytest.approx(np.array(published), abs=2e-4), source

"""Names of factors, buckets at their edges, keys, owners."""

from __future__ import annotations

import pytest

from common import factors
from common.units import NS_PER_DAY

NOW = 1_500_000_000 * 10**9


@pytest.mark.parametrize(
    ("days", "name"),
    [
        (-1, "0-7d"),
        (0, "0-7d"),
        (7.99, "0-7d"),
        (8, "8-30d"),
        (30.5, "8-30d"),
        (31, "31-60d"),
        (90.9, "61-90d"),
        (91, "3-6m"),
        (182.9, "3-6m"),
        (183, "6-12m"),
        (366, "1-2y"),
        (731, "2y+"),
        (9999, "2y+"),
    ],
)
def test_buckets(days, name):
    assert factors.BUCKET_NAMES[factors.bucket_index(NOW + int(days * NS_PER_DAY), NOW)] == name


@pytest.mark.parametrize(
    ("factor", "key", "unit"),
    [
        (factors.delta("SPX"), "gamma/SPX", "USD delta"),
        (factors.gamma("SPX"), "gamma/SPX", "USD delta per 1 %"),
        (factors.vega("SPX", "8-30d"), "vega/SPX/8-30d", "USD per vol point"),
        (factors.COMMON, "cross_asset/common", "USD delta"),
        (factors.proxy("MID"), "cross_asset/proxy/MID", "USD delta"),
    ],
)
def test_every_factor_has_a_key_and_a_unit(factor, key, unit):
    assert factors.key_of(factor) == key
    assert factors.unit_of(factor) == unit
    assert key.partition("/")[0] in factors.KINDS


def test_unknown_factor_is_refused():
    with pytest.raises(ValueError, match="rho:SPX"):
        factors.key_of("rho:SPX")


def test_agent_names_round_trip():
    for kind in factors.KINDS:
        assert factors.kind_of(factors.agent_name(kind, 3)) == kind

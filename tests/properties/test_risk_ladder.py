"""Every rung is the sum of the rungs below it, whatever the book; fills move it by what they add."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.risk.ladder import CONTRACT, build_ladder


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_every_rung_is_the_sum_of_its_own(seed, n):
    rng = np.random.default_rng(seed)
    underlying, bucket = rng.integers(0, 4, n), rng.integers(0, 5, n)
    per_lot = rng.normal(size=(3, n)) * 10.0 ** rng.integers(-3, 8, n)
    per_lot[:, rng.random(n) < 0.1] = np.nan
    before, after = rng.integers(-100, 101, n), rng.integers(-100, 101, n)
    names = [f"c{i}" for i in range(n)]
    top = build_ladder(names, underlying, tuple("ABCD"), bucket, tuple("vwxyz"), per_lot, before, after)
    scale = np.nansum(np.abs(per_lot) * 100.0, axis=1) + 1.0
    good = np.isfinite(per_lot[0])
    for rung in top.walk():
        if rung.level == CONTRACT:
            continue
        leaves = [r for r in rung.walk() if r.level == CONTRACT and not r.unpriced]
        for told, of_leaf in ((rung.before, "before"), (rung.after, "after")):
            total = sum((getattr(r, of_leaf) for r in leaves), np.zeros(3))
            assert np.all(np.abs(told - total) <= 1e-12 * scale)
    assert top.unpriced == int((~good).sum())
    assert sorted(r.name for r in top.walk() if r.level == CONTRACT) == sorted(names)
    expected = (per_lot[:, good] * (after - before)[good]).sum(axis=1)
    assert top.after - top.before == pytest.approx(expected, abs=float(1e-11 * scale.max()))

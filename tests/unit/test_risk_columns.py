import numpy as np
import pytest

from common.kernels import layout
from common.risk.columns import Columns


def columns(n: int, **other: np.ndarray) -> Columns:
    cells = {name: np.arange(1.0, n + 1.0) for name in ("base", "strike", "tau_years", "vol")}
    cells |= {name: np.zeros(n) for name in ("rate_per_year", "yield_per_year", "right")}
    return Columns(**({"model": np.zeros(n, np.uint8)} | cells | other))


def test_unequal_lengths_are_refused_by_name():
    with pytest.raises(ValueError, match="'vol': 2"):
        columns(3, vol=np.ones(2))


def test_take_keeps_rows_together():
    taken = columns(4).take(np.array([3, 1]))
    assert len(taken) == 2 and taken.base.tolist() == [4.0, 2.0] and taken.vol.tolist() == [4.0, 2.0]


def test_every_greek_row_has_its_name():
    rows = {name: getattr(layout, name.upper()) for name in layout.GREEK_NAMES}
    assert sorted(rows.values()) == list(range(layout.GREEKS))
    assert [rows[name] for name in layout.GREEK_NAMES] == list(range(layout.GREEKS))

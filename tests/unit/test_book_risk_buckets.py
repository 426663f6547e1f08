"""Cells: the rule is that of ``common.factors``, to the nanosecond."""

from __future__ import annotations

import numpy as np

from common.factors import BUCKET_NAMES, bucket_index
from common.risk.buckets import CELL_NAMES, CELLS, EDGES_DAYS, SPOT_CELL, buckets_of
from common.units import NS_PER_DAY

NOW = 1_700_000_000_123_456_789


def test_every_edge_is_where_factors_puts_it() -> None:
    around = [int(e * NS_PER_DAY) + shift for e in (0.0, *EDGES_DAYS) for shift in (-1000, -1, 0, 1, 1000)]
    expiry = np.array([NOW + a for a in around] + [NOW - NS_PER_DAY, NOW + 4000 * NS_PER_DAY])
    assert buckets_of(expiry, NOW).tolist() == [bucket_index(int(e), NOW) for e in expiry]


def test_the_stated_edges_begin_the_next_bucket() -> None:
    expiry = np.array([NOW + int(e * NS_PER_DAY) for e in EDGES_DAYS])
    assert buckets_of(expiry, NOW).tolist() == list(range(1, len(BUCKET_NAMES)))


def test_the_spot_has_a_cell_of_its_own() -> None:
    assert (*BUCKET_NAMES, "spot") == CELL_NAMES
    assert CELL_NAMES[SPOT_CELL] == "spot"
    assert len(CELL_NAMES) == CELLS


def test_no_expiry_no_bucket() -> None:
    assert buckets_of(np.empty(0, np.int64), NOW).shape == (0,)

"""The cells that totals are kept in: the expiry buckets of ``common.factors``, and one for what has no expiry.

An expiry belongs to the first bucket whose last whole day has not passed (``factors.BUCKETS``): "8-30d" holds expiries
from 8 days away up to, not including, 31 days. Expired contracts stand in the first bucket, the spot in its own cell.
*Tested by* tests/unit/test_book_risk_buckets.py.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from common.factors import BUCKET_NAMES, BUCKETS, bucket_index
from common.messages import I64

#: Names of the cells, in the order of totals.
CELL_NAMES: Final = (*BUCKET_NAMES, "spot")
CELLS: Final = len(CELL_NAMES)
SPOT_CELL: Final = CELLS - 1

#: Days to expiry (ACT) from which the next bucket begins.
EDGES_DAYS: Final = tuple(last_day + 1.0 for _, last_day in BUCKETS[:-1])


def buckets_of(expiry_ns: I64, now_ns: int) -> I64:
    """Bucket (n,) of each expiry (n,) seen at ``now_ns``, UTC ns: ``factors.bucket_index``, once per distinct expiry."""
    distinct, inverse = np.unique(expiry_ns, return_inverse=True)
    return np.array([bucket_index(int(e), now_ns) for e in distinct], np.int64)[inverse]

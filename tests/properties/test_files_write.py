"""Whatever book there is, it survives being written and read."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.files.read import read_book
from common.files.tables import NO_TIME, BookTable, Listing, Source
from common.files.write import write_book
from common.instruments import option

ACCOUNT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=5)
ROW = st.tuples(
    st.integers(0, 4),
    ACCOUNT,
    st.integers(-(10**9), 10**9),
    st.one_of(st.none(), st.floats(0.0, 1e9)),
    st.one_of(st.none(), st.integers(0, 4 * 10**18)),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROW, min_size=1, max_size=12), st.sampled_from(["b.csv", "b.csv.gz", "b.parquet"]))
def test_a_book_survives(rows: list[tuple[int, str, int, float | None, int | None]], name: str) -> None:
    used = list(dict.fromkeys(row[0] for row in rows))
    listing = Listing(tuple(option("SPX", date(2018, 3, 16), 2700.0 + at, -1) for at in used))
    table = BookTable(
        Source(name, "hedgerow", len(rows)),
        "b",
        listing,
        np.array([used.index(row[0]) for row in rows], np.intp),
        np.arange(len(rows)),
        tuple(row[1] for row in rows),
        np.array([row[2] for row in rows], np.int64),
        np.array([np.nan if row[3] is None else row[3] for row in rows]),
        np.array([NO_TIME if row[4] is None else row[4] for row in rows], np.int64),
    )
    with tempfile.TemporaryDirectory() as folder:
        write_book(table, Path(folder) / name)
        again = read_book(Path(folder) / name)
    assert (again.listing, again.account) == (table.listing, table.account)
    for column in ("instrument", "quantity_lots", "average_price", "as_of_ns"):
        assert np.array_equal(getattr(table, column), getattr(again, column), equal_nan=True), column

"""The E-mini day of 2020-01-06 (local data) through the generic reader, against the market source's own reader."""

from __future__ import annotations

import numpy as np
import pytest

from common.files.read import read_quotes
from common.files.tables import QuoteTable
from common.kernels import layout
from common.market.config import default_data_dir
from common.market.es_files import OPTIONS_FILE, read_options
from common.units import NO_PRICE, NS_PER_MIN

FILE = default_data_dir() / OPTIONS_FILE
pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is not there")


@pytest.fixture(scope="module")
def quotes() -> QuoteTable:
    return read_quotes(FILE)


def test_the_day(quotes: QuoteTable) -> None:
    assert (quotes.source.profile, len(quotes), len(quotes.listing)) == ("lean", 254_590, 211)
    assert quotes.listing.underlyings == ("ESH0", "ESM0")
    assert set(quotes.listing.model.tolist()) == {layout.AMERICAN_FUTURE}
    counts = quotes.quote_counts
    assert (counts.locked, counts.crossed) == (0, 0)
    assert round(counts.two_sided / counts.rows, 2) == 0.86


def test_the_market_source_reads_the_same(quotes: QuoteTable) -> None:
    rows = read_options(default_data_dir())
    index = np.array([quotes.listing.index[i.id] for i in rows.instruments])
    ticks = np.array([i.tick_size for i in rows.instruments])[rows.contract]
    ours = np.lexsort((quotes.instrument, quotes.event_time_ns))
    theirs = np.lexsort((index[rows.contract], rows.ts_ns))
    assert np.array_equal(quotes.event_time_ns[ours], rows.ts_ns[theirs] + NS_PER_MIN)
    assert np.array_equal(quotes.instrument[ours], index[rows.contract][theirs])
    bid = np.where(rows.bid_ticks == NO_PRICE, np.nan, rows.bid_ticks * ticks)[theirs]
    assert np.allclose(quotes.bid[ours], bid, atol=1e-9, equal_nan=True)

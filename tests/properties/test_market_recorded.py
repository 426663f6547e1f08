from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from common.market.config import CsvConfig
from common.market.csv_quotes import CsvQuotesMarket, QuoteFile
from common.market.recorded import RecordedMarket, Recorder
from common.universe import Book
from tests.market_data import as_bytes
from tests.unit.test_market_csv import HEADER, ROWS

BOOK = Book("desk", ("A",), np.array([1], np.uint32), np.array([-5], np.int64), np.array([np.nan]))


@cache
def _recorded() -> tuple[bytes, int, list[bytes]]:
    """A whole recording, the length of its reference part, its batches."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "quotes.csv").write_text(HEADER + ROWS)
        source = CsvQuotesMarket(QuoteFile(Path(folder) / "quotes.csv"), None, CsvConfig())
        with Recorder(Path(folder) / "whole.bin", source, BOOK) as recorder:
            reference = (Path(folder) / "whole.bin").stat().st_size
            for batch in source.batches():
                recorder.append(batch)
        return (Path(folder) / "whole.bin").read_bytes(), reference, [as_bytes([b]) for b in source.batches()]


@given(st.data())
def test_a_cut_anywhere_leaves_the_whole_batches_before_it(data: st.DataObject) -> None:
    whole, reference, batches = _recorded()
    cut = data.draw(st.integers(reference, len(whole)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cut.bin"
        path.write_bytes(whole[:cut])
        market = RecordedMarket(path)
        found = [as_bytes([b]) for b in market.batches()]
        assert found == batches[: len(found)]
        assert (len(found) == len(batches)) == (cut == len(whole))
        assert any("cut off" in s for s in market.statements) == (market.lost_bytes > 0)


@given(st.data())
def test_one_flipped_bit_is_never_replayed_as_something_else(data: st.DataObject) -> None:
    whole, _, batches = _recorded()
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    damaged = bytearray(whole)
    damaged[at] ^= 1 << bit
    with TemporaryDirectory() as folder:
        path = Path(folder) / "flipped.bin"
        path.write_bytes(damaged)
        try:
            found = [as_bytes([b]) for b in RecordedMarket(path).batches()]
        except InputError:
            return
        assert found == batches[: len(found)]
        assert len(found) < len(batches)

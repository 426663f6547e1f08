from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import Conflict, InputError, Unavailable
from common.market.config import CsvConfig
from common.market.csv_quotes import CsvQuotesMarket, QuoteFile
from common.market.recorded import FILE_NAME, MAGIC, RecordedMarket, Recorder, is_recording
from common.universe import Book
from tests.market_data import as_bytes
from tests.unit.test_market_csv import HEADER, ROWS

BOOK = Book("desk", ("A",), np.array([1], np.uint32), np.array([-5], np.int64), np.array([np.nan]))


@pytest.fixture
def source(tmp_path: Path) -> CsvQuotesMarket:
    path = tmp_path / "quotes.csv"
    path.write_text(HEADER + ROWS)
    return CsvQuotesMarket(QuoteFile(path), None, CsvConfig())


@pytest.fixture
def recording(tmp_path: Path, source: CsvQuotesMarket) -> Path:
    with Recorder(tmp_path / FILE_NAME, source, BOOK) as recorder:
        for batch in source.batches():
            recorder.append(batch)
    return tmp_path / FILE_NAME


def test_a_recording_gives_back_what_was_put_in(source: CsvQuotesMarket, recording: Path) -> None:
    for path in (recording, recording.parent):
        found = RecordedMarket(path)
        assert found.universe.instrument_id == source.universe.instrument_id
        assert found.session_bounds_ns == source.session_bounds_ns
        assert found.statements == source.statements
        assert found.book.quantity_lots.tolist() == [-5]
        assert as_bytes(found.batches()) == as_bytes(source.batches()) == as_bytes(found.batches())
        assert is_recording(path)


def test_a_recording_is_never_written_over(source: CsvQuotesMarket, recording: Path) -> None:
    before = recording.read_bytes()
    with pytest.raises(Conflict, match="already there"):
        Recorder(recording, source, BOOK)
    assert recording.read_bytes() == before


def test_what_was_flushed_is_there_while_the_writer_lives(source: CsvQuotesMarket, tmp_path: Path) -> None:
    batches = list(source.batches())
    recorder = Recorder(tmp_path / "live.bin", source, BOOK, flush_every=2)
    recorder.append(batches[0])
    recorder.append(batches[1])
    assert len(list(RecordedMarket(tmp_path / "live.bin").batches())) == 2
    recorder.append(batches[2])
    recorder.flush()
    assert len(list(RecordedMarket(tmp_path / "live.bin").batches())) == 3
    recorder.close()
    recorder.close()


def test_damage_before_the_end_is_refused(recording: Path) -> None:
    data = bytearray(recording.read_bytes())
    data[-3] ^= 1
    recording.write_bytes(data)
    with pytest.raises(InputError, match=r"record 6: damaged: its checksum"):
        list(RecordedMarket(recording).batches())


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"ts,bid\n", "not a Hedgerow recording"), (MAGIC, "ends before its universe"), (MAGIC + b"\0" * 40, "frame")],
)
def test_what_is_no_recording(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words):
        RecordedMarket(path)
    with pytest.raises(Unavailable):
        RecordedMarket(tmp_path / "none.bin")

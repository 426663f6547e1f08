"""Rolls as reference data: the quarters of one underlying by the sessions of the market; a future of its own rolls nowhere."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.market.config import CsvConfig
from common.market.csv_quotes import CsvQuotesMarket, QuoteFile
from common.universe import Universe
from common.wire import codec

LINES = "{at},SPX 2020-03-20 F @XCME,3200,3200.25,10,10\n{at},SPX 2020-06-19 F @XCME,3205,3205.25,10,10\n"


def universe(tmp_path: Path, at: str, lines: str = LINES) -> Universe:
    path = tmp_path / "quotes.csv"
    path.write_text("ts,instrument,bid,ask,bid_size,ask_size\n" + lines.format(at=at))
    return CsvQuotesMarket(QuoteFile(path), None, CsvConfig(roll_calendar="XCME")).universe


def test_the_quarters_of_an_index_roll_half_an_hour_before_the_close_of_the_thursday_of_custom(tmp_path: Path) -> None:
    found = universe(tmp_path, "2020-03-02T15:00:00Z")
    (spx,) = found.underlyings
    ((at_ns, enters),) = spx.rolls
    assert datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat() == "2020-03-12T20:30:00+00:00"
    assert found.rolls and found.instrument_id[enters] == "SPX 2020-06-19 F @XCME"
    assert (spx.front(at_ns - 1), spx.front(at_ns)) == (spx.future_instrument, enters)
    assert found.fronts(at_ns).tolist() == [enters]
    assert codec.decode_universe(codec.encode_universe(found)).underlyings == found.underlyings


def test_what_was_rolled_before_the_quotes_begin_is_done(tmp_path: Path) -> None:
    found = universe(tmp_path, "2020-03-13T15:00:00Z")
    assert found.underlyings[0].rolls == () and not found.rolls
    assert found.instrument_id[found.underlyings[0].future_instrument] == "SPX 2020-06-19 F @XCME"


def test_futures_that_are_underlyings_of_their_own_do_not_roll(tmp_path: Path) -> None:
    lines = "{at},ESH0 2020-03-20 F,3200,3200.25,10,10\n{at},ESM0 2020-06-19 F,3205,3205.25,10,10\n"
    found = universe(tmp_path, "2020-03-02T15:00:00Z", lines)
    assert found.symbols == ("ESH0", "ESM0") and not found.rolls


def test_an_unknown_calendar_is_named(tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text("ts,instrument,bid,ask,bid_size,ask_size\n" + LINES.format(at="2020-03-02T15:00:00Z"))
    with pytest.raises(ValueError, match="XXXX"):
        CsvQuotesMarket(QuoteFile(path), None, CsvConfig(roll_calendar="XXXX"))

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from common.market.config import CsvConfig
from common.market.csv_quotes import CsvQuotesMarket, QuoteFile
from common.units import NO_PRICE

HEADER = "ts,instrument,bid,ask,bid_size,ask_size\n"
T0, T1 = "2018-01-29T09:30:00-05:00", "2018-01-29T14:31:00Z"
ROWS = (
    f"{T0},SPX 2018-03-16 F @XCME,2866.00,2866.25,61,40\n"
    f"{T0},SPX   180316P02700000,24.50,24.85,30,31\n"
    f"{T0},IXIC 2018-03-16 7400 P,120.00,,12,\n"
    f"{T1},SPX   180316P02700000,24.55,24.90,30,0\n"
)


def _file(folder: Path, text: str) -> Path:
    path = folder / "quotes.csv"
    path.write_text(text)
    return path


def test_rows_become_batches_by_instant_and_underlying(tmp_path: Path) -> None:
    market = CsvQuotesMarket(QuoteFile(_file(tmp_path, HEADER + ROWS)), None, CsvConfig())
    batches = list(market.batches())
    assert [(b.header.source, b.header.sequence, b.header.event_time_ns) for b in batches] == [
        ("feed.SPX", 1, 1_517_236_200_000_000_000),
        ("feed.IXIC", 1, 1_517_236_200_000_000_000),
        ("feed.SPX", 2, 1_517_236_260_000_000_000),
    ]
    ids = [market.universe.instrument_id[i] for i in batches[0].instrument]
    assert ids == ["SPX 2018-03-16 F @XCME", "SPX 2018-03-16 2700 P @XCBO"]
    assert batches[0].bid_ticks.tolist() == [11464, 490]
    assert batches[1].ask_ticks.tolist() == [NO_PRICE]
    assert batches[1].ask_size_lots.tolist() == [0]
    assert batches[2].ask_size_lots.tolist() == [0]
    assert market.session_bounds_ns == ((1_517_236_200_000_000_000, 1_517_236_260_000_000_000),)


def test_underlyings_and_futures_follow_from_the_ids(tmp_path: Path) -> None:
    market = CsvQuotesMarket(QuoteFile(_file(tmp_path, HEADER + ROWS)), None, CsvConfig(carry_per_year=0.01))
    spx, ixic = market.universe.underlyings
    assert (spx.symbol, spx.future_instrument, spx.carry_per_year) == ("SPX", 0, 0.01)
    assert (ixic.symbol, ixic.future_instrument) == ("IXIC", -1)
    assert any("no liquid hedge" in s.lower() and "IXIC" in s for s in market.statements)
    assert np.linalg.eigvalsh(market.universe.covariance_daily).min() > 0


def test_options_on_a_future_have_no_carry(tmp_path: Path) -> None:
    text = HEADER + f"{T0},ESH8 2018-03-16 F,2866.00,2866.25,61,40\n"
    market = CsvQuotesMarket(QuoteFile(_file(tmp_path, text)), None, CsvConfig(carry_per_year=0.01))
    assert market.universe.underlyings[0].carry_per_year == 0.0


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (f"{T1},SPX   180316P02700000,-1,2,1,1", "bid -1 is negative"),
        (f"{T1},SPX   180316P02700000,x,2,1,1", "bid 'x' is not a number"),
        (f"{T1},SPX   180316P02700000,1.01,2,1,1", "not a whole number of ticks of 0.05"),
        (f"{T1},SPX   180316P02700000,1,2,1.5,1", "bid_size '1.5'"),
        (f"{T1},SPX   180316P02700000,1,2,-1,1", "bid_size '-1'"),
        (f"{T1},SPX   180316P02700000,1,2,,1", "bid_size ''"),
        (f"{T1},SPX   180316P02700000,,2,7,1", "bid_size '7' without a bid"),
        (f"{T1},SPX   180316P02700000,1,999999999999,1,1", "too large"),
        ("2018-01-29T14:31:00,SPX   180316P02700000,1,2,1,1", "has no time zone"),
        ("noon,SPX   180316P02700000,1,2,1,1", "is not an ISO time"),
        ("2018-01-29T09:29:00-05:00,SPX   180316P02700000,1,2,1,1", "lies before the line above"),
        (f"{T1},XYZ   180316P02700000,1,2,1,1", "unknown root 'XYZ'"),
        (f"{T1},SPX   170316P02700000,1,2,1,1", "quoted after it expired"),
        (f"{T1},SPX   180316P02700000,1,2,1", "5 cells under 6 columns"),
    ],
)
def test_one_bad_line_refuses_the_file_with_its_number(tmp_path: Path, row: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as refusal:
        QuoteFile(_file(tmp_path, HEADER + ROWS + row + "\n"))
    assert [p.line for p in refusal.value.problems] == [6]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 0, "empty"),
        (HEADER, 0, "no quotes"),
        (HEADER.replace("ask_size", "askSize") + ROWS, 1, "unknown column 'asksize'"),
        (HEADER.replace(",ask_size", "") + ROWS, 1, "missing column 'ask_size'"),
        (HEADER.replace("ask,", "bid,") + ROWS, 1, "appears 2 times"),
    ],
)
def test_files_that_hold_no_quotes(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(InputError, match=words) as refusal:
        QuoteFile(_file(tmp_path, text))
    assert refusal.value.problems[0].line == line

"""Whole files through the readers: every example loads, every fault is refused with its line, nothing is half-loaded."""

from __future__ import annotations

import gzip
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.books import load_book
from common.errors import InputError, UsageError
from common.files.read import read_book, read_chain, read_quotes, read_surface, read_trades
from common.files.tables import NO_TIME
from common.kernels import layout
from tests.files_world import CONTRACTS, FORMATS, Reader, refused, written

QUOTES = "ts,instrument,bid,ask,bid_size,ask_size\n"
QUOTE = "2018-01-29T09:30:00-05:00,SPX   180316P02700000,24.3,24.9,120,85\n"
CHAIN = "instrument,bid,ask\n"
BOOK = "account,instrument,quantity,average_price,as_of\n"
POSITION = "A1,SPX   180316P02700000,-25,24.5,2018-01-26T16:00:00-05:00\n"
TRADES = "trade_id,ts,instrument,side,quantity,price\n"
TRADE = "X1,2018-01-29T15:04:05Z,SPX   180316P02700000,buy,10,24.6\n"
SURFACE = "underlying,expiry,strike,vol\n"
POINT = "SPX,2018-03-16T13:30:00Z,2700,0.13\n"


def _ns(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 10**9  # type: ignore[arg-type]


def test_quotes_as_columns() -> None:
    table = read_quotes(FORMATS / "quotes.csv")
    assert table.source.profile == "hedgerow"
    assert table.listing.ids == ("SPX 2018-03-16 2700 P @XCBO", "SPX 2018-03-16 2900 C @XCBO")
    assert table.instrument.tolist() == [0, 1, 0, 1]
    assert table.line.tolist() == [2, 3, 4, 5]
    assert table.event_time_ns[0] == _ns(2018, 1, 29, 14, 30)
    assert table.receive_time_ns.tolist() == [NO_TIME] * 4
    assert table.bid[:3].tolist() == [24.3, 18.1, 24.5] and np.isnan(table.bid[3])
    assert table.two_sided.tolist() == [True, True, True, False]
    assert table.latest().tolist() == [2, 3]
    assert table.latest(int(table.event_time_ns[0])).tolist() == [0, 1]


def test_a_chain_in_coin() -> None:
    for name in ("deribit.json", "deribit.csv", "tardis_options_chain.csv"):
        table = read_chain(FORMATS / name)
        assert table.listing.ids == ("BTC 2026-03-27 100000 C @DRBT", "BTC 2026-03-27 80000 P @DRBT")
        assert table.listing.model.tolist() == [layout.INVERSE] * 2
        assert (table.bid[0], table.ask[0], table.mark[0]) == (0.045, 0.046, 0.04548)
        assert (table.vendor_iv[0], table.underlying_price[0]) == (pytest.approx(0.4821), 97311.4)
        assert np.isnan(table.bid[1]) and table.two_sided.tolist() == [True, False]
        assert abs(table.snapshot_ns - _ns(2026, 1, 30, 16)) < 10**9
    assert read_chain(FORMATS / "tardis_options_chain.csv").bid_size[0] == 12.5


def test_a_chain_of_yahoo() -> None:
    table = read_chain(FORMATS / "yahoo.csv", contracts=CONTRACTS)
    assert table.source.profile == "yahoo"
    assert table.source.ignored == ("change", "percentChange", "inTheMoney")
    assert table.quote_counts.two_sided == 2 and table.quote_counts.one_sided == 1
    assert table.snapshot_ns == NO_TIME
    assert read_chain(FORMATS / "yahoo.csv", contracts=CONTRACTS, as_of_ns=7).as_of_ns.tolist() == [7, 7, 7]
    assert table.last_trade_ns[0] == _ns(2026, 1, 30, 20, 59, 31)


def test_books_in_three_spellings() -> None:
    table = read_book(FORMATS / "book.csv")
    assert (table.book_id, table.account) == ("book", ("DESK-A", "DESK-A", "DESK-B"))
    assert table.quantity_lots.tolist() == [-25, 7, 40]
    rows, loaded = table.to_rows(), load_book(FORMATS / "book.csv")
    assert (rows.instruments, rows.account) == (loaded.instruments, loaded.account)
    assert rows.quantity_lots.tolist() == loaded.quantity_lots.tolist()
    assert np.array_equal(rows.average_price, loaded.average_price, equal_nan=True)
    explicit = read_book(FORMATS / "book_explicit.csv")
    assert explicit.listing.ids == table.listing.ids[:2]
    crypto = read_book(FORMATS / "book_crypto.csv", contracts=CONTRACTS)
    assert crypto.listing.multiplier.tolist() == [1.0, 10.0, 1.0, 10.0]
    assert crypto.listing.model.tolist() == [layout.INVERSE, *[layout.INVERSE_FUTURE] * 2, layout.BLACK76]
    fix = read_book(FORMATS / "book_fix.csv")
    assert fix.quantity_lots.tolist() == [40, -15, 4]
    assert fix.listing.model.tolist() == [layout.EUROPEAN, layout.AMERICAN_FUTURE, layout.FUTURE]


def test_trades_are_signed_by_their_side() -> None:
    own, fix = read_trades(FORMATS / "trades.csv"), read_trades(FORMATS / "trades_fix.csv")
    assert own.quantity_lots.tolist() == fix.quantity_lots.tolist() == [10, -1]
    assert own.listing.ids == fix.listing.ids
    assert own.trade_time_ns[0] == _ns(2018, 1, 29, 15, 4, 5) + 123_456_000


def test_a_surface() -> None:
    table = read_surface(FORMATS / "surface.csv")
    assert (table.underlyings, table.underlying.tolist()) == (("SPX",), [0, 0, 0])
    assert table.expiry_ns[0] == _ns(2018, 3, 16, 13, 30)
    assert table.vol.tolist() == [0.1312, 0.1015, 0.0861]


BAD = [
    (read_quotes, QUOTES, QUOTE, "2018-01-29T09:30:00,SPX   180316P02700000,24.3,24.9,120,85", "has no time zone"),
    (read_quotes, QUOTES, QUOTE, ",SPX   180316P02700000,24.3,24.9,120,85", "ts is empty"),
    (read_quotes, QUOTES, QUOTE, "2018-01-29T09:30:00-05:00,XYZ   180316P02700000,24.3,24.9,1,1", "unknown root 'XYZ'"),
    (read_quotes, QUOTES, QUOTE, "2018-01-29T09:30:00-05:00,,24.3,24.9,1,1", "instrument is empty"),
    (read_quotes, QUOTES, QUOTE, "2018-01-29T09:30:00-05:00,SPX   180316P02700000,-1,24.9,1,1", "bid -1 is negative"),
    (
        read_quotes,
        QUOTES,
        QUOTE,
        "2018-01-29T09:30:00-05:00,SPX   180316P02700000,1,24.9,-1,1",
        "bid_size -1 is negative",
    ),
    (
        read_quotes,
        QUOTES,
        QUOTE,
        "2018-01-29T09:30:00-05:00,SPX   180316P02700000,1,1e30,1,1",
        "is too large for a price",
    ),
    (read_quotes, QUOTES, QUOTE, "2018-01-29T09:30:00-05:00,SPX   180316P02700000,1,x,1,1", "ask 'x' is not a number"),
    (read_quotes, QUOTES, QUOTE, "2018-01-29T09:30:00-05:00,SPX   180316P02700000,1", "3 cells under 6 columns"),
    (read_quotes, QUOTES, QUOTE, QUOTE.strip(), "the same row as line 2"),
    (read_book, BOOK, POSITION, "A1,SPX   180316P02700000,2.5,,", "quantity '2.5' is not a whole number of lots"),
    (read_book, BOOK, POSITION, "A1,SPX   180316P02700000,,,", "quantity is empty"),
    (read_book, BOOK, POSITION, ",SPX   180316P02700000,1,,", "account is empty"),
    (read_book, BOOK, POSITION, "A1,SPX   180316P02700000,9999999999,,", "too large for lots"),
    (read_book, BOOK, POSITION, "A1,SPX   180316P02700000,1,-3,", "average_price -3 is negative"),
    (read_trades, TRADES, TRADE, TRADE.strip(), "the same trade id as line 2"),
    (read_trades, TRADES, TRADE, TRADE.strip().replace("X1", "X2").replace("buy", "long"), "neither buy nor sell"),
    (read_trades, TRADES, TRADE, TRADE.strip().replace("X1", "X2").replace("10", "-10"), "a column names the side"),
    (read_trades, TRADES, TRADE, TRADE.strip().replace("X1", "X2").replace(",10,", ",0,"), "a trade of no lots"),
    (read_trades, TRADES, TRADE, TRADE.strip().replace("X1", ""), "trade_id is empty"),
    (read_surface, SURFACE, POINT, POINT.strip(), "the same point as line 2"),
    (read_surface, SURFACE, POINT, "SPX,2018-03-16,2700,0.13", "is not an ISO time"),
    (read_surface, SURFACE, POINT, "SPX,2018-03-16T13:30:00Z,2800,13", None),
    (read_surface, SURFACE, POINT, "SPX,2018-03-16T13:30:00Z,2800,0", "vol 0 is no volatility"),
    (read_surface, SURFACE, POINT, "SPX,2018-03-16T13:30:00Z,2800,101", "too large for a volatility"),
]


@pytest.mark.parametrize(("read", "head", "good", "bad", "words"), BAD)
def test_one_bad_line_refuses_the_file_with_its_number(
    tmp_path: Path, read: Reader, head: str, good: str, bad: str, words: str | None
) -> None:
    path = written(tmp_path, head + good + bad + "\n")
    if words is None:
        assert len(read(path)) == 2
        return
    found = refused(read, path)
    assert [line for line, _ in found] == [3]
    assert words in found[0][1]


def test_every_fault_is_counted_and_ten_are_shown(tmp_path: Path) -> None:
    body = QUOTES + "".join(f"2018-01-29T09:30:{i:02d}-05:00,SPX   180316P02700000,x,-1,1,1\n" for i in range(30))
    path = written(tmp_path, body)
    with pytest.raises(InputError) as refusal:
        read_quotes(path)
    assert [problem.line for problem in refusal.value.problems] == sorted(list(range(2, 32)) * 2)
    assert f"{path}: and 50 more" in str(refusal.value)


def test_crossed_and_one_sided_quotes_are_counted_not_refused(tmp_path: Path) -> None:
    rows = ["1,2", "2,1", "2,2", ",2", "1,", ",", "0,2"]
    body = CHAIN + "".join(f"SPX   180316P{2700 + i:05d}000,{row}\n" for i, row in enumerate(rows))
    counts = read_chain(written(tmp_path, body)).quote_counts
    assert (counts.rows, counts.two_sided, counts.crossed, counts.locked) == (7, 1, 1, 1)
    assert (counts.one_sided, counts.empty) == (3, 1)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("instrument,bid,bid,ask\n", "column 'bid' appears 2 times"),
        ("instrument,Bid,bid,ask\n", "column 'bid' appears 2 times"),
        ("instrument,bid,ask,bids\n", "unknown column 'bids'"),
        ("bid,ask\n", "fits no profile for chain"),
        ("instrument,bid,ask\n", "no rows: a header and nothing below it"),
        ("instrument,strike,bid,ask\n", "unknown column 'strike'"),
    ],
)
def test_headers(tmp_path: Path, body: str, words: str) -> None:
    assert words in refused(read_chain, written(tmp_path, body))[0][1]


def test_two_rows_for_one_contract_of_a_snapshot(tmp_path: Path) -> None:
    body = CHAIN + "SPX   180316P02700000,1,2\nSPX 2018-03-16 2700 P @XCBO,1.1,2\n"
    assert refused(read_chain, written(tmp_path, body)) == [(3, "the same contract as line 2")]


def test_csv_gzip_and_parquet_are_one(tmp_path: Path) -> None:
    body = (FORMATS / "chain.csv").read_bytes()
    plain = read_chain(FORMATS / "chain.csv")
    packed = read_chain(written(tmp_path, gzip.compress(body, mtime=0), "chain.csv.gz"))
    columns = {name: list(values) for name, values in _columns(body.decode()).items()}
    numbers = set(columns) - {"as_of", "instrument", "last_trade"}
    typed = {n: pa.array(v if n not in numbers else [float(x) for x in v]) for n, v in columns.items()}
    pq.write_table(pa.table(typed), tmp_path / "chain.parquet")
    parquet = read_chain(tmp_path / "chain.parquet")
    for other in (packed, parquet):
        assert other.listing == plain.listing
        for name in ("bid", "ask", "last_trade_ns", "as_of_ns", "vendor_iv", "volume"):
            assert np.array_equal(getattr(plain, name), getattr(other, name)), name
    assert parquet.line.tolist() == [1, 2]


def _columns(text: str) -> dict[str, tuple[str, ...]]:
    header, *rows = (line.split(",") for line in text.splitlines())
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def test_parquet_faults_have_row_numbers(tmp_path: Path) -> None:
    ids = ["SPX   180316P02700000", None, "SPX   180316P02800000", "SPX   180316P02900000"]
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"instrument": ids, "bid": [1.0, 1.0, -2.0, float("nan")], "ask": [2.0] * 4}), path)
    assert refused(read_chain, path) == [
        (2, "instrument is empty"),
        (3, "bid -2.0 is negative"),
        (4, "bid is not finite"),
    ]
    pq.write_table(pa.table({"instrument": ids, "bid": [True] * 4, "ask": [2.0] * 4}), path)
    assert refused(read_chain, path) == [(0, "column 'bid' holds bool, not numbers")]
    pq.write_table(pa.table([pa.array(ids)] * 3, names=["instrument", "bid", "bid"]), path)
    assert "fits no profile" in refused(read_chain, path)[0][1]


def test_profiles_must_be_named_right(tmp_path: Path) -> None:
    path = FORMATS / "chain.csv"
    with pytest.raises(UsageError, match="no profile 'reuters'"):
        read_chain(path, profile="reuters")
    with pytest.raises(UsageError, match="go together"):
        read_chain(path, profile="custom")
    with pytest.raises(UsageError, match="go together"):
        read_chain(path, profile="yahoo", mapping=FORMATS / "custom.toml")
    assert refused(read_chain, path, profile="tardis")[0] == (1, "missing column 'exchange'")
    assert refused(read_book, path, profile="yahoo") == [(0, "profile 'yahoo' has no book")]
    assert "a LEAN archive holds quotes" in refused(read_chain, written(tmp_path, b"PK\x03\x04", "a.zip"))[0][1]


def test_one_digit_years_need_a_date(tmp_path: Path) -> None:
    path = written(tmp_path, CHAIN + "ESH0 C3250,1,2\n")
    assert "say from which date" in refused(read_chain, path)[0][1]
    assert read_chain(path, as_of_ns=_ns(2020, 1, 6)).listing.ids == ("ESH0 2020-03-20 3250 C @XCME",)


def test_a_quarter_of_a_million_rows_load_in_about_a_second(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    names = [f"SPXW  18031{d}{c}{k:05d}000" for d in (4, 6, 9) for c in "CP" for k in range(2000, 3600, 5)]
    at, cents = draw.integers(0, len(names), 250_000), draw.integers(1, 400, 250_000)
    stamps = np.datetime_as_string(np.datetime64("2018-01-29T14:30:00.000") + np.arange(250_000), unit="ms")
    rows = (f"{t}Z,{names[i]},{c / 20:.2f},{c / 20 + 0.1:.2f},5,7\n" for t, i, c in zip(stamps, at, cents, strict=True))
    path = written(tmp_path, QUOTES + "".join(rows))
    started = time.perf_counter()
    table = read_quotes(path)
    assert time.perf_counter() - started < 4.0  # 0.35 s alone; the machine is shared
    assert len(table) == 250_000 and len(table.listing) == len(set(at.tolist()))

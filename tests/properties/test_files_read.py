"""A damaged file is refused with an ``InputError`` or loads as a whole; no other error, nothing in between."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from common.files.read import read_book, read_chain, read_quotes, read_surface, read_trades
from tests.files_world import CONTRACTS, FORMATS, Reader

LEAN = "lean/option/usa/minute/xyz/20260130_xyz_minute_quote_american_call_500000_20260320.csv"
FILES: list[tuple[Reader, str]] = [
    (read_book, "book.csv"),
    (read_book, "book_crypto.csv"),
    (read_book, "book_fix.csv"),
    (read_trades, "trades.csv"),
    (read_trades, "trades_fix.csv"),
    (read_quotes, "quotes.csv"),
    (read_quotes, "tardis_quotes.csv"),
    (read_quotes, LEAN),
    (read_chain, "yahoo.csv"),
    (read_chain, "deribit.json"),
    (read_chain, "tardis_options_chain.csv"),
    (read_surface, "surface.csv"),
]
SCRAP = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.sampled_from(
        [
            b"",
            b'"',
            b",",
            b"\n",
            b"\r",
            b"-",
            b"9" * 25,
            b"e999",
            b"NaN",
            b"\xff",
            b"\0",
            b"1e400",
            b"0",
            b" ",
            "é".encode(),
        ]
    ),
)


@settings(deadline=None, max_examples=60)
@pytest.mark.parametrize(("read", "name"), FILES)
@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(0, 4), SCRAP), min_size=1, max_size=3))
def test_a_damaged_file(read: Reader, name: str, damage: list[tuple[float, int, bytes]]) -> None:
    body = (FORMATS / name).read_bytes()
    for where, cut, scrap in damage:
        at = int(where * len(body))
        body = body[:at] + scrap + body[at + cut :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        try:
            table = read(path, contracts=CONTRACTS)
        except InputError as error:
            assert error.problems and str(error)
        else:
            assert len(table) == table.source.rows > 0

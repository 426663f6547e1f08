from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import UsageError
from common.files.read import read_book, read_surface
from common.files.write import write_book, write_surface
from tests.files_world import CONTRACTS, FORMATS


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet"])
def test_books_and_surfaces_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    book, surface = read_book(FORMATS / "book_crypto.csv", contracts=CONTRACTS), read_surface(FORMATS / "surface.csv")
    write_book(book, tmp_path / name)
    again = read_book(tmp_path / name, contracts=CONTRACTS)
    assert (again.listing, again.account, again.book_id) == (book.listing, book.account, "out")
    for column in ("instrument", "quantity_lots", "average_price", "as_of_ns"):
        assert np.array_equal(getattr(book, column), getattr(again, column), equal_nan=True), column
    write_surface(surface, tmp_path / name)
    back = read_surface(tmp_path / name)
    assert back.underlyings == surface.underlyings
    for column in ("underlying", "as_of_ns", "expiry_ns", "strike", "vol", "forward", "discount"):
        assert np.array_equal(getattr(surface, column), getattr(back, column)), column
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    book = read_book(FORMATS / "book.csv")
    for name in ("a.csv.gz", "b.csv.gz"):
        write_book(book, tmp_path / name)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    book = read_book(FORMATS / "book.csv")
    with pytest.raises(UsageError, match=r"write \.csv, \.csv\.gz or \.parquet"):
        write_book(book, tmp_path / "book.xlsx")
    with pytest.raises(UsageError, match="cannot be written"):
        write_book(book, tmp_path / "no" / "book.csv")

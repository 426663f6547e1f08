from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from common.books import BookRows
from common.instruments import CALL, PUT, future, option
from common.market.build import Terms, build_universe, front_future
from common.universe import FUTURE, OPTION, Book

SPX_F, IXIC_F = future("SPX", date(2018, 3, 16)), future("IXIC", date(2018, 3, 16))
LISTED = [
    option("IXIC", date(2018, 3, 16), 7400.0, PUT),
    option("SPX", date(2018, 4, 20), 2800.0, CALL),
    IXIC_F,
    option("SPX", date(2018, 3, 16), 2800.0, PUT),
    option("SPX", date(2018, 3, 16), 2800.0, CALL),
    SPX_F,
]
HELD = [option("SPXW", date(2018, 3, 7), 2802.5, PUT), option("SPX", date(2018, 3, 16), 2800.0, CALL)]
TERMS = {"SPX": Terms(SPX_F.id, -0.003, 0.016), "IXIC": Terms("", 0.006, 0.016)}


def test_columns_are_read_only_and_the_arrays_they_were_made_of_are_not() -> None:
    prior = np.eye(2)
    universe = build_universe(LISTED, HELD, TERMS, prior, "test")
    columns = [x for x in vars(universe).values() if isinstance(x, np.ndarray)]
    assert len(columns) == 11 and not any(x.flags.writeable for x in columns)
    assert prior.flags.writeable


def test_rows_are_ordered_and_book_only_rows_come_last() -> None:
    universe = build_universe(LISTED, HELD, TERMS, np.eye(2), "test")
    assert universe.instrument_id == (
        "SPX 2018-03-16 F @XCME",
        "SPX 2018-03-16 2800 C @XCBO",
        "SPX 2018-03-16 2800 P @XCBO",
        "SPX 2018-04-20 2800 C @XCBO",
        "IXIC 2018-03-16 F @XCME",
        "IXIC 2018-03-16 7400 P @XPHL",
        "SPXW 2018-03-07 2802.5 P @XCBO",
    )
    assert universe.listed.tolist() == [1, 1, 1, 1, 1, 1, 0]
    assert universe.kind.tolist() == [FUTURE, OPTION, OPTION, OPTION, FUTURE, OPTION, OPTION]
    assert universe.right.tolist() == [0, 1, -1, 1, 0, -1, -1]
    assert [u.future_instrument for u in universe.underlyings] == [0, -1]
    assert universe.rows_of("SPX").tolist() == [0, 1, 2, 3, 6]
    assert universe.index[HELD[0].id] == 6
    assert universe.multiplier_usd.tolist() == [50, 100, 100, 100, 20, 100, 100]


def test_order_of_the_input_does_not_matter() -> None:
    one = build_universe(LISTED, HELD, TERMS, np.eye(2), "test")
    other = build_universe(LISTED[::-1], HELD[::-1], TERMS, np.eye(2), "test")
    assert one.instrument_id == other.instrument_id


def test_an_underlying_without_terms_is_refused() -> None:
    with pytest.raises(ValueError, match="no terms for underlying IXIC"):
        build_universe(LISTED, [], {"SPX": TERMS["SPX"]}, np.eye(1), "test")
    with pytest.raises(KeyError, match="known: SPX, IXIC"):
        build_universe(LISTED, HELD, TERMS, np.eye(2), "test").underlying_index("NDX")


def test_front_future_is_the_first_to_expire() -> None:
    later = future("SPX", date(2018, 6, 15))
    assert front_future([later, *LISTED], "SPX") == SPX_F.id
    assert front_future(LISTED[:1], "IXIC") == ""


def test_net_lots_add_up_over_accounts() -> None:
    universe = build_universe(LISTED, HELD, TERMS, np.eye(2), "test")
    rows = BookRows(
        "desk",
        tuple(HELD),
        ("A", "B", "A"),
        np.array([0, 1, 0], np.uint32),
        np.array([5, -7, -2], np.int64),
        np.full(3, np.nan),
        ("", "", ""),
    )
    book: Book = rows.to_book(universe.index)
    assert book.instrument.tolist() == [6, 1, 6]
    assert book.net_lots(len(universe)).tolist() == [0, -7, 0, 0, 0, 0, 3]

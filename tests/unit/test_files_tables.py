from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from common.files.tables import NO_TIME, ChainTable, Listing, Source, last_rows, model_of
from common.instruments import NEVER_NS, future, option, parse_instrument
from common.instruments_contracts import BUILT_IN
from common.kernels import layout

REFERENCE = date(2020, 1, 6)


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("SPX   180316P02700000", layout.EUROPEAN),
        ("SPX 2018-03-16 F @XCME", layout.FUTURE),
        ("ESH0 C3250", layout.AMERICAN_FUTURE),
        ("EW1J0 P3200", layout.BLACK76),
        ("BTC-27MAR26-100000-C", layout.INVERSE),
        ("BTC-PERPETUAL", layout.INVERSE_FUTURE),
    ],
)
def test_the_model_follows_from_the_terms(text: str, model: int) -> None:
    assert model_of(BUILT_IN.parse(text, REFERENCE)) == model


def test_columns_of_a_listing() -> None:
    listing = Listing((option("SPXW", date(2018, 3, 14), 2700.0, -1), future("SPX", date(2018, 3, 16))))
    assert (listing.strike.tolist(), listing.right.tolist()) == ([2700.0, 0.0], [-1.0, 0.0])
    assert (listing.underlyings, listing.underlying.tolist()) == (("SPX",), [0, 0])
    assert listing.index == {"SPXW 2018-03-14 2700 P @XCBO": 0, "SPX 2018-03-16 F @XCME": 1}
    assert listing.multiplier.tolist() == [100.0, 50.0]


def _utc_ns(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 10**9  # type: ignore[arg-type]


def test_settlement_knows_early_closes() -> None:
    # The day after Thanksgiving 2020 closed at 13:00 in New York, 18:00 UTC.
    listing = Listing(
        (
            parse_instrument("SPXW  201127C03600000"),
            parse_instrument("SPX   201218C03600000"),
            BUILT_IN.parse("BTC-27NOV20-17000-C"),
            BUILT_IN.parse("ETH-PERPETUAL"),
            parse_instrument("SPXW  991127C03600000"),
        )
    )
    assert listing.settlement_ns[:4].tolist() == [
        _utc_ns(2020, 11, 27, 18),
        _utc_ns(2020, 12, 18, 14, 30),
        _utc_ns(2020, 11, 27, 8),
        NEVER_NS,
    ]
    assert listing.settlement_ns[4] == listing.expiry_ns[4]  # no calendar knows 2099
    assert listing.expiry_ns[0] == _utc_ns(2020, 11, 27, 21)


def test_the_last_of_equals_is_the_one_further_down() -> None:
    instrument = np.array([0, 1, 0, 1, 0], np.intp)
    times = np.array([5, 5, 7, 4, 7])
    assert last_rows(instrument, times, np.arange(5), 3).tolist() == [4, 1]
    assert last_rows(instrument, times, np.array([0, 1]), 3).tolist() == [0, 1]


def test_counts_add_up() -> None:
    bid, ask = np.array([1.0, 2.0, 2.0, np.nan, 0.0, 0.0]), np.array([2.0, 1.0, 2.0, 2.0, np.nan, 3.0])
    blank, none = np.full(6, np.nan), np.full(6, NO_TIME)
    chain = ChainTable(
        Source("f", "p", 6), Listing(()), np.zeros(6, np.intp), np.arange(6), none, bid, ask,
        blank, blank, blank, none, blank, blank, blank, blank, blank,
    )  # fmt: skip
    counts = chain.quote_counts
    assert (counts.two_sided, counts.crossed, counts.locked, counts.one_sided, counts.empty) == (1, 1, 1, 2, 1)
    assert counts.two_sided + counts.crossed + counts.locked + counts.one_sided + counts.empty == counts.rows

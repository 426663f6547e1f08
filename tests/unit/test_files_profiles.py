from __future__ import annotations

import pytest

from common.errors import InputError
from common.files.profiles import LAYOUTS, PROFILES, choose
from common.files.read import read_book, read_chain, read_quotes, read_surface, read_trades
from tests.files_world import CONTRACTS, FORMATS, Reader

EXAMPLES = [
    (read_book, "book.csv", "hedgerow"),
    (read_book, "book_explicit.csv", "hedgerow"),
    (read_book, "book_crypto.csv", "hedgerow"),
    (read_book, "book_fix.csv", "fix"),
    (read_trades, "trades.csv", "hedgerow"),
    (read_trades, "trades_fix.csv", "fix"),
    (read_quotes, "quotes.csv", "hedgerow"),
    (read_quotes, "tardis_quotes.csv", "tardis"),
    (read_chain, "chain.csv", "hedgerow"),
    (read_chain, "yahoo.csv", "yahoo"),
    (read_chain, "deribit.json", "deribit"),
    (read_chain, "deribit.csv", "deribit"),
    (read_chain, "tardis_options_chain.csv", "tardis"),
    (read_surface, "surface.csv", "hedgerow"),
]


@pytest.mark.parametrize(("read", "name", "profile"), EXAMPLES)
def test_an_example_is_found_by_its_header_and_by_its_name(read: Reader, name: str, profile: str) -> None:
    found = read(FORMATS / name, contracts=CONTRACTS)
    assert found.source.profile == profile
    assert len(read(FORMATS / name, profile=profile, contracts=CONTRACTS)) == len(found) > 0


def test_each_layout_is_a_profile_that_is_known() -> None:
    assert {layout.profile for layout in LAYOUTS} | {"custom"} == set(PROFILES)


def test_a_header_that_fits_two_profiles_is_not_guessed() -> None:
    header = [
        "contractSymbol",
        "lastTradeDate",
        "strike",
        "lastPrice",
        "bid",
        "ask",
        "impliedVolatility",
        "instrument_name",
    ]
    header += ["bid_price", "ask_price", "mark_price"]
    with pytest.raises(InputError, match="fits the profiles yahoo, deribit; say which with --profile"):
        choose("f", "chain", "auto", header)
    assert choose("f", "chain", "deribit", header).profile == "deribit"


def test_a_header_that_fits_none_names_the_nearest() -> None:
    header = ["exchange", "symbol", "timestamp", "local_timestamp", "ask_amount", "ask_price", "bid_price"]
    with pytest.raises(
        InputError, match=r"fits no profile for quotes \(.*\); nearest is tardis, which lacks 'bid_amount'"
    ):
        choose("f", "quotes", "auto", header)


def test_fix_tags_by_number_and_by_name_are_one_layout() -> None:
    names = ["Account", "Symbol", "LongQty", "ShortQty", "MaturityDate"]
    numbers = ["1", "55", "704", "705", "541"]
    assert choose("f", "book", "auto", names) is choose("f", "book", "auto", numbers)

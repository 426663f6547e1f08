from __future__ import annotations

from pathlib import Path

import pytest

from common.files.read import read_book, read_chain
from tests.files_world import CONTRACTS, FORMATS, refused, written

YAHOO = "symbol,root,expiration,right,strike,bid,ask,last,last_trade_ts,volume,open_interest,vendor_iv\n"
ROW = "SPXW260202C06900000,SPXW,2026-02-02,C,6900.0,40.1,41,40,2026-01-30 20:15:00+00:00,,0.0,0.15\n"
BOOK = "account,underlying,expiry,strike,right,quantity\n"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",SPXW,", ",SPX,", "root 'SPX' contradicts SPXW260202C06900000"),
        ("2026-02-02", "2026-02-03", "expiration 2026-02-03 contradicts"),
        (",C,", ",P,", "right 'P' contradicts"),
        (",6900.0,", ",6905.0,", "strike 6905.0 contradicts"),
        (",C,", ",X,", "right 'X' is neither C, P nor F"),
        ("2026-02-02", "2.2.2026", "expiration '2.2.2026' is not an ISO date"),
        (",6900.0,", ",many,", "strike 'many' is not a number"),
    ],
)
def test_a_symbol_and_its_columns_must_agree(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert len(read_chain(written(tmp_path, YAHOO + ROW))) == 1
    found = refused(read_chain, written(tmp_path, YAHOO + ROW.replace(old, new, 1)))
    assert found[0][0] == 2 and words in found[0][1]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("call,100000", "put,100000", "type 'put' contradicts"),
        ("1774598400000000", "1774602000000000", "expiration 1774602000000000 contradicts"),
        ("deribit,BTC-27MAR26-1", "okex-options,BTC-27MAR26-1", "exchange 'okex-options': only Deribit's names"),
    ],
)
def test_tardis_columns_are_checked(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = (FORMATS / "tardis_options_chain.csv").read_text()
    assert words in refused(read_chain, written(tmp_path, text.replace(old, new, 1)))[0][1]


def test_tardis_writes_decimal_strikes_upper_case(tmp_path: Path) -> None:
    text = (FORMATS / "tardis_options_chain.csv").read_text()
    text = text.replace("BTC-27MAR26-100000-C", "ZZZ_USDC-27MAR26-0D625-C", 1).replace("call,100000", "call,0.625")
    assert read_chain(written(tmp_path, text), contracts=CONTRACTS).listing.instruments[0].strike == 0.625


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [("REGULAR", "MINI", "'MINI' is not REGULAR"), (",USD", ",EUR", "currency 'EUR' contradicts the USD known of XYZ")],
)
def test_yahoo_terms_are_checked(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = (FORMATS / "yahoo.csv").read_text().replace(old, new, 1)
    found = refused(read_chain, written(tmp_path, text), contracts=CONTRACTS)
    assert found[0][0] == 2 and words in found[0][1]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("SPX,16.03.2018,2700,P", "expiry '16.03.2018' is not an ISO date"),
        ("SPX,2018-03-16,2700,X", "right 'X'"),
        ("SPX,2018-03-16,2700,F", "a future has no strike"),
        ("SPX,2018-03-16,nan,P", "strike 'nan' is not a number"),
        ("SPX,2018-03-16,-2700,P", "strike -2700 is negative"),
        ("SPX,2018-03-16,0,P", "strike 0 is not between"),
        ("SPX,2018-03-16,2700.00001,P", "more than four decimals"),
        ("SPX,,2700,P", "expiry is empty"),
        (",2018-03-16,2700,P", "underlying is empty"),
        ("ABC,2018-03-16,2700,P", "unknown root 'ABC'"),
        ("ES,2018-03-19,2700,P", "ES lists nothing on 2018-03-19"),
    ],
)
def test_explicit_columns(tmp_path: Path, cells: str, words: str) -> None:
    found = refused(read_book, written(tmp_path, BOOK + f"A,SPX,2018-03-16,2650,P,1\nA,{cells},1\n"))
    assert found[0][0] == 3 and words in found[0][1]


def test_one_contract_in_many_spellings_is_listed_once(tmp_path: Path) -> None:
    body = "account,instrument,quantity\n" + "".join(
        f"A,{text},1\n"
        for text in (
            "SPX   180316P02700000",
            "SPX180316P02700000",
            "SPX 2018-03-16 2700 P",
            "SPX 2018-03-16 2700 P @XCBO",
        )
    )
    table = read_book(written(tmp_path, body))
    assert (len(table), len(table.listing), table.net_lots().tolist()) == (4, 1, [4])

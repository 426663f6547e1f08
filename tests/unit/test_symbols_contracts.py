from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from common.instruments import contract_of
from common.instruments_contracts import BUILT_IN, Contracts

REFERENCE = date(2020, 1, 6)
ALL = [
    ("SPX   180316P02700000", "SPX 2018-03-16 2700 P @XCBO"),
    ("SPXW260202C06900000", "SPXW 2026-02-02 6900 C @XCBO"),
    ("SPX 2018-03-16 F @XCME", "SPX 2018-03-16 F @XCME"),
    ("ESH0 P3250", "ESH0 2020-03-20 3250 P @XCME"),
    ("ESH0", "ESH0 2020-03-20 F @XCME"),
    ("EW1J0 P3200", "EW1 2020-04-03 3200 P @XCME"),
    ("EW1 2020-04-03 3200 P", "EW1 2020-04-03 3200 P @XCME"),
    ("BTC-27MAR26-100000-C", "BTC 2026-03-27 100000 C @DRBT"),
    ("BTC-PERPETUAL", "BTC PERP @DRBT"),
]


@pytest.mark.parametrize(("text", "canonical"), ALL)
def test_any_spelling_and_one_id(text: str, canonical: str) -> None:
    found = BUILT_IN.parse(text, REFERENCE)
    assert found.id == canonical
    assert BUILT_IN.parse(canonical) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("AAPL  260116C00150000", "unknown root 'AAPL'; define its terms"),
        ("AAPL1 260116C00150000", "looks like an adjusted series of AAPL"),
        ("SPX PERP", "no perpetual is listed"),
        ("EW1 2020-04-03 F", "no terms of futures"),
        ("EW1 PERP", "no perpetual"),
        ("hello world", "is no symbol known here"),
        ("", "is no symbol known here"),
        ("SPX   180316P02700000 ", "is no symbol known here"),
        ("SPX   180316P0270000", "is no symbol known here"),
    ],
)
def test_what_is_not_known_is_not_guessed(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BUILT_IN.parse(text, REFERENCE)


def test_an_adjusted_root_has_the_terms_that_a_person_gives() -> None:
    plain = replace(contract_of("SPX"), underlying="AAPL", option_multiplier=100.0)
    known = Contracts({"AAPL": plain, "AAPL1": replace(plain, option_multiplier=150.0)})
    adjusted = known.parse("AAPL1 260116C00150000")
    assert (adjusted.multiplier, adjusted.underlying) == (150.0, "AAPL")
    assert adjusted.osi == "AAPL1 260116C00150000"


def test_a_month_coded_family() -> None:
    known = Contracts({"CL": replace(contract_of("ESH0"), month_coded=True)})
    assert known.listed_root("CL", date(2026, 3, 17)) == "CLH6"
    assert known.terms("CLH6", date(2026, 3, 17)).underlying == "CLH6"
    with pytest.raises(ValueError, match="needs month and year"):
        known.terms("CL", date(2026, 3, 17))

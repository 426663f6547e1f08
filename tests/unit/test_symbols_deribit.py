from __future__ import annotations

from datetime import UTC, datetime

import pytest

from common.instruments import NEVER_NS
from common.instruments_contracts import BUILT_IN, Contracts
from common.instruments_deribit import DERIBIT, format_deribit, parse_deribit
from common.universe import EUROPEAN, FUTURE, OPTION


def test_an_inverse_option() -> None:
    found = parse_deribit("BTC-27MAR26-100000-C", BUILT_IN.terms)
    assert found.id == "BTC 2026-03-27 100000 C @DRBT"
    assert found.expiry_ns == int(datetime(2026, 3, 27, 8, tzinfo=UTC).timestamp()) * 10**9
    assert (found.kind, found.style, found.inverse, found.multiplier) == (OPTION, EUROPEAN, True, 1.0)
    assert (found.currency, found.settlement_currency) == ("BTC", "BTC")


def test_futures_and_perpetuals() -> None:
    dated = parse_deribit("BTC-5AUG23", BUILT_IN.terms)
    assert (dated.kind, dated.multiplier, dated.currency, dated.settlement_currency) == (FUTURE, 10.0, "USD", "BTC")
    perpetual = parse_deribit("ETH-PERPETUAL", BUILT_IN.terms)
    assert (perpetual.id, perpetual.expiry_ns) == ("ETH PERP @DRBT", NEVER_NS)
    assert BUILT_IN.parse("ETH PERP @DRBT") == perpetual


# Deribit's naming page gives XRP_USDC-30JUN23-0d625-C as its example of a decimal strike; Tardis upper-cases the d.
@pytest.mark.parametrize("text", ["XRP_USDC-30JUN23-0d625-C", "XRP_USDC-30JUN23-0D625-C"])
def test_a_linear_pair_needs_terms(text: str) -> None:
    with pytest.raises(ValueError, match="unknown root 'XRP_USDC'; define its terms in a contracts file"):
        parse_deribit(text, BUILT_IN.terms)
    known = Contracts({"XRP_USDC": DERIBIT["BTC"]})
    found = parse_deribit(text, known.terms)
    assert found.strike == 0.625
    assert format_deribit(found) == "XRP_USDC-30JUN23-0d625-C"
    assert known.parse(found.id) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("BTC-31FEB26-100000-C", "31 FEB 2026 is not a calendar date"),
        ("BTC-27MRZ26-100000-C", "is no Deribit name"),
        ("BTC-27MAR26-100000-X", "is no Deribit name"),
        ("BTC-27MAR26-0-C", "strike 0"),
        ("BTC-CS-19MAY26-70000_75000", "is a combination; load its legs"),
        ("BTC-FS-19MAY26_PERP", "is a combination"),
        ("BTC_USDC", "is no Deribit name"),
        ("btc-27mar26-100000-c", "is no Deribit name"),
        ("SOL-27MAR26-100-C", "unknown root 'SOL'"),
        ("", "is no Deribit name"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_deribit(text, BUILT_IN.terms)

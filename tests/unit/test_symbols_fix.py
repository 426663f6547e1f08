from __future__ import annotations

import pytest

from common.instruments_contracts import BUILT_IN
from common.instruments_fix import parse_fix

SPX = {"Symbol": "SPX", "SecurityType": "OPT", "MaturityDate": "20180316", "StrikePrice": "2700", "PutOrCall": "0"}


def _parse(**changes: str) -> str:
    return parse_fix(SPX | changes, BUILT_IN.terms, BUILT_IN.listed_root).id


def test_options_and_futures() -> None:
    assert _parse() == "SPX 2018-03-16 2700 P @XCBO"
    assert _parse(PutOrCall="", CFICode="OCESPX", SecurityType="") == "SPX 2018-03-16 2700 C @XCBO"
    assert _parse(SecurityType="FUT", StrikePrice="", PutOrCall="") == "SPX 2018-03-16 F @XCME"
    assert _parse(MaturityDate="", MaturityMonthYear="20180316") == "SPX 2018-03-16 2700 P @XCBO"
    listed = _parse(
        Symbol="ES", SecurityType="OOF", MaturityDate="", MaturityMonthYear="202003", ContractMultiplier="50"
    )
    assert listed == "ESH0 2020-03-20 2700 P @XCME"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Symbol": ""}, "Symbol is empty"),
        ({"MaturityDate": ""}, "neither MaturityDate nor MaturityMonthYear"),
        ({"MaturityDate": "16.3.2018"}, "is not YYYYMMDD"),
        ({"MaturityDate": "20180230"}, "is not YYYYMMDD"),
        ({"MaturityMonthYear": "201804"}, "contradicts MaturityDate"),
        ({"MaturityDate": "", "MaturityMonthYear": "201813"}, "is not a month"),
        ({"MaturityDate": "", "MaturityMonthYear": "201803"}, "no expiry rule is known for 'SPX'"),
        ({"PutOrCall": "C"}, "neither 0 .put. nor 1 .call."),
        ({"CFICode": "OCEXXX"}, "contradict each other"),
        ({"CFICode": "OPAXXX"}, "contradicts the exercise style"),
        ({"CFICode": "ESVUFR"}, "neither an option"),
        ({"SecurityType": "FUT"}, "contradict each other"),
        ({"SecurityType": "CS"}, "neither OPT, OOF, OOP nor FUT"),
        ({"PutOrCall": ""}, "needs PutOrCall or CFICode"),
        ({"PutOrCall": "", "SecurityType": ""}, "neither SecurityType, CFICode nor PutOrCall"),
        ({"ContractMultiplier": "150"}, "contradicts the 100 known of SPX"),
        ({"SecurityExchange": "XCME"}, "contradicts the XCBO known of SPX"),
        ({"Currency": "EUR"}, "contradicts the USD known of SPX"),
        ({"StrikePrice": "x"}, "StrikePrice 'x' is not a number"),
        ({"SecurityType": "FUT", "PutOrCall": ""}, "a future has no strike"),
        ({"Symbol": "AAPL"}, "unknown root 'AAPL'"),
        ({"Symbol": "ES", "MaturityDate": "20200321"}, "ES lists nothing on 2020-03-21"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _parse(**changes)

from datetime import UTC, date, datetime, time

import pytest

from common.instruments import PUT, future, instant_ns, option, parse_instrument
from common.universe import AMERICAN, EUROPEAN, FUTURE


def _utc_ns(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize("text", ["SPX   180316P02700000", "SPX180316P02700000", "SPX 2018-03-16 2700 P @XCBO"])
def test_one_contract_three_spellings(text: str) -> None:
    found = parse_instrument(text)
    assert found == option("SPX", date(2018, 3, 16), 2700.0, PUT)
    assert found.id == "SPX 2018-03-16 2700 P @XCBO"
    assert found.osi == "SPX   180316P02700000"
    assert (found.multiplier, found.tick_size, found.style) == (100.0, 0.05, EUROPEAN)


# March 2018 is daylight time in New York (UTC-4), February 2026 standard time (UTC-5).
@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("SPX   180316P02700000", (2018, 3, 16, 13, 30)),
        ("SPXW260202C06900000", (2026, 2, 2, 21, 0)),
        ("ESH0 2020-03-20 F @XCME", (2020, 3, 20, 13, 30)),
        ("SPX 2018-02-16 2500 P", (2018, 2, 16, 14, 30)),
    ],
)
def test_settlement_instant_follows_new_york(text: str, instant: tuple[int, ...]) -> None:
    assert parse_instrument(text).expiry_ns == _utc_ns(*instant)


def test_weekly_class_shares_the_underlying_but_not_the_id() -> None:
    am, pm = parse_instrument("SPX   260220C06900000"), parse_instrument("SPXW  260220C06900000")
    assert am.underlying == pm.underlying == "SPX"
    assert am.id != pm.id
    assert pm.expiry_ns - am.expiry_ns == int(6.5 * 3600) * 10**9


def test_futures() -> None:
    found = parse_instrument("SPX 2018-03-16 F @XCME")
    assert (found.kind, found.multiplier, found.tick_size, found.strike, found.right) == (FUTURE, 50.0, 0.25, 0.0, 0)
    assert future("IXIC", date(2018, 3, 16)).multiplier == 20.0
    with pytest.raises(ValueError, match="no OSI"):
        _ = found.osi


def test_e_mini_options_are_american_on_their_own_future() -> None:
    found = parse_instrument("ESM0  200619P03230000")
    assert (found.underlying, found.style, found.multiplier) == ("ESM0", AMERICAN, 50.0)


def test_fractional_strike_round_trips() -> None:
    found = parse_instrument("SPX   180316P02702500")
    assert found.strike == 2702.5
    assert parse_instrument(found.id) == found
    assert parse_instrument(found.osi) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("XYZ   180316P02700000", "unknown root 'XYZ'"),
        ("SPX   180230P02700000", "not a calendar date"),
        ("SPX 2018-03-16 2700 P @XCME", "listed on XCBO, not XCME"),
        ("SPX 2018-03-16 0 P @XCBO", "strike 0"),
        ("SPX   180316P00000000", "strike 0"),
        ("SPX 2018-03-16 2700 X @XCBO", "neither an OSI symbol"),
        ("", "neither"),
        ("spx   180316P02700000", "neither"),
        ("SPX 2018-03-16 -5 P", "neither"),
        ("SPX 2018-03-16 2700 P @XCBO\n", "neither"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_instrument(text)


def test_instant_on_both_sides_of_daylight_saving() -> None:
    assert instant_ns(date(2018, 3, 9), time(9, 30)) == _utc_ns(2018, 3, 9, 14, 30)
    assert instant_ns(date(2018, 3, 12), time(9, 30)) == _utc_ns(2018, 3, 12, 13, 30)

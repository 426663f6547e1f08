from __future__ import annotations

from datetime import date

import pytest

from common.instruments_cme import MonthCode, expiry_of, format_cme, parse_cme, parse_month_code
from common.instruments_contracts import BUILT_IN
from common.universe import AMERICAN, EUROPEAN, FUTURE

REFERENCE = date(2020, 1, 6)


# Expiry dates: CME's expiration calendar of 2020 for E-mini S&P 500 options; styles: its weekly and EOM options FAQ.
@pytest.mark.parametrize(
    ("text", "canonical", "underlying", "style"),
    [
        ("ESH0 C3250", "ESH0 2020-03-20 3250 C @XCME", "ESH0", AMERICAN),
        ("ESH20 C3250", "ESH0 2020-03-20 3250 C @XCME", "ESH0", AMERICAN),
        ("ESH0C3250", "ESH0 2020-03-20 3250 C @XCME", "ESH0", AMERICAN),
        ("ESM0 P3000.5", "ESM0 2020-06-19 3000.5 P @XCME", "ESM0", AMERICAN),
        ("EW1J0 P3200", "EW1 2020-04-03 3200 P @XCME", "ESM0", EUROPEAN),
        ("EW2J0 P3200", "EW2 2020-04-09 3200 P @XCME", "ESM0", EUROPEAN),  # the 10th is Good Friday
        ("EWH0 C3000", "EW 2020-03-31 3000 C @XCME", "ESM0", EUROPEAN),
        ("EWF0 C3000", "EW 2020-01-31 3000 C @XCME", "ESH0", EUROPEAN),
        ("EW3H0 C3000", "EW3 2020-03-20 3000 C @XCME", "ESM0", EUROPEAN),  # ESH0 settled that morning
        ("E3AH0 C3250", "E3A 2020-03-16 3250 C @XCME", "ESH0", EUROPEAN),
        ("E5AH0 C3250", "E5A 2020-03-30 3250 C @XCME", "ESM0", EUROPEAN),
        ("E1CG0 C3250", "E1C 2020-02-05 3250 C @XCME", "ESH0", EUROPEAN),
        ("EWZ0 C3000", "EW 2020-12-31 3000 C @XCME", "ESH1", EUROPEAN),
        ("QN1G0 P9000", "QN1 2020-02-07 9000 P @XCME", "NQH0", EUROPEAN),
    ],
)
def test_options_on_futures(text: str, canonical: str, underlying: str, style: int) -> None:
    found = parse_cme(text, REFERENCE, BUILT_IN.terms)
    assert (found.id, found.underlying, found.style, found.on_future) == (canonical, underlying, style, True)


@pytest.mark.parametrize(("text", "hour"), [("ESH0 C3250", 13), ("EW1J0 P3200", 20), ("EWF0 C3000", 21)])
def test_they_settle_at_their_own_hour(text: str, hour: int) -> None:
    found = parse_cme(text, REFERENCE, BUILT_IN.terms)
    assert found.expiry_ns // (3600 * 10**9) % 24 == hour


def test_a_future() -> None:
    found = parse_cme("ESH0", REFERENCE, BUILT_IN.terms)
    assert (found.kind, found.id, found.multiplier) == (FUTURE, "ESH0 2020-03-20 F @XCME", 50.0)
    assert format_cme(found) == "ESH0" and format_cme(found, 2) == "ESH20"


# The digit is read forwards from the month of the reference date.
@pytest.mark.parametrize(
    ("text", "reference", "year"),
    [
        ("ESH0", date(2020, 1, 6), 2020),
        ("ESH0", date(2020, 3, 31), 2020),
        ("ESH0", date(2020, 4, 1), 2030),
        ("ESZ9", date(2020, 1, 6), 2029),
        ("ESZ9", date(2019, 12, 30), 2019),
        ("ESH1", date(2019, 12, 30), 2021),
        ("ESH25", date(2020, 1, 6), 2025),
    ],
)
def test_the_year_digit_is_read_from_the_reference(text: str, reference: date, year: int) -> None:
    assert parse_month_code(text, reference) == MonthCode("ES", year, 3 if "H" in text else 12)


@pytest.mark.parametrize(
    ("text", "reference", "words"),
    [
        ("ESH0", None, "one year digit: say from which date"),
        ("ESF0", REFERENCE, "listed for H, M, U, Z only"),
        ("CLH0 C50", REFERENCE, "no expiry rule is known for 'CL'"),
        ("ESI0", REFERENCE, "is no CME symbol"),
        ("E5AG0 C1", REFERENCE, "has no weekday number 5"),
        ("E1AU0 C1", REFERENCE, "is a holiday; give the expiry date"),  # Labor Day, 2020-09-07
        ("EW1J0", REFERENCE, "right and strike are missing"),
        ("ESH0 C0", REFERENCE, "strike 0"),
        ("E1EH0 C3000", REFERENCE, "no expiry rule"),
    ],
)
def test_what_is_wrong_is_named(text: str, reference: date | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_cme(text, reference, BUILT_IN.terms)


def test_a_given_date_needs_neither_rule_nor_reference() -> None:
    found = parse_cme("E1AU0 C3400", None, BUILT_IN.terms, date(2020, 9, 8))
    assert found.id == "E1A 2020-09-08 3400 C @XCME"


def test_expiry_rules_against_quarters_with_good_friday() -> None:
    assert expiry_of(MonthCode("ES", 2008, 3)) == date(2008, 3, 20)
    assert expiry_of(MonthCode("EW", 2021, 5)) == date(2021, 5, 28)  # Memorial Day is the 31st
    assert expiry_of(MonthCode("EW", 2024, 3)) == date(2024, 3, 28)  # Good Friday is the 29th

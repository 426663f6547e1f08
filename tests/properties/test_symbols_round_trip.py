"""parse(format(x)) is x, for every scheme and every contract that the scheme can hold."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from common.instruments import CALL, PUT, Instrument, future, option
from common.instruments_cme import MONTH_CODES, MonthCode, expiry_of, format_cme, is_series, parse_cme
from common.instruments_contracts import BUILT_IN, Contracts
from common.instruments_deribit import DERIBIT, format_deribit, parse_deribit
from common.instruments_fix import format_fix, parse_fix

RIGHTS = st.sampled_from([CALL, PUT])
DAYS = st.dates(date(2000, 1, 3), date(2049, 12, 31))
THOUSANDTHS = st.integers(1, 99_999_999).map(lambda n: n / 1000)
TEN_THOUSANDTHS = st.integers(1, 10**10).map(lambda n: n / 10_000)
LINEAR = Contracts({"XRP_USDC": DERIBIT["ETH"]})
SERIES = [*(f"EW{n}" for n in range(1, 5)), "EW", *(f"E{n}{d}" for n in range(1, 6) for d in "ABCD"), "QN1", "QN4"]


@settings(deadline=None)
@given(st.sampled_from(["SPX", "SPXW", "NDX", "NDXP"]), DAYS, THOUSANDTHS, RIGHTS, st.booleans())
def test_osi(root: str, day: date, strike: float, right: int, padded: bool) -> None:
    found = option(root, day, strike, right)
    text = found.osi if padded else found.osi.replace(" ", "")
    assert BUILT_IN.parse(text) == found


@settings(deadline=None)
@given(st.sampled_from(["SPX", "NDXP", "EW1", "E3C", "BTC", "ETH", "XRP_USDC"]), DAYS, TEN_THOUSANDTHS, RIGHTS)
def test_canonical_ids(root: str, day: date, strike: float, right: int) -> None:
    if strike >= 1e7:
        return
    found = option(root, day, strike, right, LINEAR.terms)
    assert found.expiry == day
    assert LINEAR.parse(found.id) == found


@settings(deadline=None)
@given(st.sampled_from(["SPX", "ESH0", "BTC", "XRP_USDC"]), DAYS)
def test_canonical_ids_of_futures(root: str, day: date) -> None:
    assert LINEAR.parse(future(root, day, LINEAR.terms).id).id == future(root, day, LINEAR.terms).id


@settings(deadline=None)
@given(st.sampled_from(["BTC", "ETH", "XRP_USDC"]), DAYS, TEN_THOUSANDTHS, st.sampled_from([CALL, PUT, 0, None]))
def test_deribit(root: str, day: date, strike: float, right: int | None) -> None:
    found: Instrument
    if right:
        found = option(root, day, min(strike, 9_999_999.0), right, LINEAR.terms)
    else:
        found = future(root, None if right is None else day, LINEAR.terms)
    assert parse_deribit(format_deribit(found), LINEAR.terms) == found


def _listed(root: str, year: int, month: int) -> date | None:
    try:
        return expiry_of(MonthCode(root, year, month))
    except ValueError:
        return None


@settings(deadline=None)
@given(
    st.sampled_from(["ES", "NQ", *SERIES]),
    st.integers(2005, 2049),
    st.integers(1, 12),
    TEN_THOUSANDTHS,
    RIGHTS,
    st.integers(0, 3000),
    st.booleans(),
)
def test_cme(root: str, year: int, month: int, strike: float, right: int, days: int, two_digits: bool) -> None:
    day = _listed(root, year, month)
    if day is None or strike >= 1e7:
        return
    reference = day - timedelta(days=days)
    code = MonthCode(root, year, month)
    found = option(root if is_series(root) else code.symbol, day, strike, right, BUILT_IN.terms)
    text = format_cme(found, 2 if two_digits else 1)
    assert MONTH_CODES[month - 1] in text
    assert parse_cme(text, reference, BUILT_IN.terms) == found


@settings(deadline=None)
@given(st.sampled_from(["SPX", "NDXP", "ESH0", "EW1", "BTC"]), DAYS, TEN_THOUSANDTHS, RIGHTS, st.booleans())
def test_fix(root: str, day: date, strike: float, right: int, is_future: bool) -> None:
    if strike >= 1e7:
        return
    no_option = is_future and root != "EW1"
    found = future(root, day, BUILT_IN.terms) if no_option else option(root, day, strike, right, BUILT_IN.terms)
    assert parse_fix(format_fix(found), BUILT_IN.terms, BUILT_IN.listed_root) == found

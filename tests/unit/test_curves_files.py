from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from common.calendars.zones import utc_ns
from common.errors import InputError, Refused
from common.risk.curve_files import CSV_HEADER, curves_from_csv, curves_from_toml, tenor_years
from common.units import NS_PER_DAY

AS_OF = utc_ns(datetime(2026, 1, 30, 21, tzinfo=UTC))
TOML = """\
base_currency = "USD"

[discount.USD]
source = "OIS close"
as_of = 2026-01-30T21:00:00Z
max_age_s = 86400
tenors = ["1M", "1Y", 2028-01-30]
zero_rates = [0.0415, 0.0400, 0.0390]

[dividend_yield.SPX]
source = "index futures"
as_of = 2026-01-30T16:00:00-05:00
max_age_s = 86400
tenors = ["1Y"]
discount_factors = [0.987]

[dividends.AAPL]
source = "declared and expected"
as_of = 2026-01-30T21:00:00Z
max_age_s = 604800
currency = "USD"
ex_dates = [2026-02-09, 2026-05-11]
amounts = [0.26, 0.27]
complete_until = 2026-07-31
tail_yield_per_year = 0.004

[fx."EUR/USD"]
source = "fixing"
as_of = 2026-01-30T21:00:00Z
max_age_s = 3600
bid = 1.19
ask = 1.21
"""
CSV = f"""\
{",".join(CSV_HEADER)}
discount,USD,OIS close,2026-01-30T21:00:00Z,86400,1M,zero_rate,0.0415,,
dividend_yield,SPX,index futures,2026-01-30T16:00:00-05:00,86400,1Y,discount_factor,0.987,,
discount,USD,OIS close,2026-01-30T21:00:00Z,86400,1Y,zero_rate,0.0400,,
discount,USD,OIS close,2026-01-30T21:00:00Z,86400,2028-01-30,zero_rate,0.0390,,
fx,EUR/USD,fixing,2026-01-30T21:00:00Z,3600,,,,1.19,1.21
"""


def problems(text: str, kind: str = "toml") -> list[tuple[int, str]]:
    with pytest.raises(InputError) as caught:
        if kind == "toml":
            curves_from_toml(text, "curves.toml")
        else:
            curves_from_csv(text, "curves.csv", "USD")
    assert caught.value.exit_code == 4
    return [(p.line, p.reason) for p in caught.value.problems]


def test_both_forms_say_the_same() -> None:
    written = TOML.replace(TOML[TOML.index("[dividends") : TOML.index("[fx")], "")
    one, other = curves_from_toml(written, "curves.toml"), curves_from_csv(CSV, "curves.csv", "USD")
    for a, b in (
        (one.discount["USD"], other.discount["USD"]),
        (one.dividend_yield["SPX"], other.dividend_yield["SPX"]),
    ):
        assert (a.name, a.provenance) == (b.name, b.provenance)
        assert np.array_equal(a.years, b.years)
        assert np.array_equal(a.log_factor, b.log_factor)
    assert one.fx.rate("EUR", "USD", AS_OF) == other.fx.rate("EUR", "USD", AS_OF)
    np.testing.assert_allclose(one.discount["USD"].years * 365, [29, 365, 730])  # 28 February; 30 January


def test_rate_and_yield_columns() -> None:
    curves = curves_from_toml(TOML, "curves.toml")
    now = AS_OF + NS_PER_DAY // 2
    expiries = np.array([AS_OF - NS_PER_DAY, AS_OF + 365 * NS_PER_DAY])
    rate, yields = curves.rate_and_yield("USD", "SPX", 6_000.0, now, expiries)
    assert rate[1] == pytest.approx(0.04, abs=1e-4)
    assert yields[1] == pytest.approx(-np.log(0.987), rel=1e-9)
    assert np.isfinite(rate).all()  # what has expired gets the rates of now
    # One dividend of 0.26 before mid-April: 0.26 / 250 over the 76 days, discounted a little.
    rate, yields = curves.rate_and_yield(
        "USD", "AAPL", 250.0, now, np.array([utc_ns(datetime(2026, 4, 17, 20, tzinfo=UTC))])
    )
    assert yields[0] == pytest.approx(0.26 / 250 / (76.46 / 365), rel=3e-3)


def test_what_is_stale_or_missing_is_refused() -> None:
    curves = curves_from_toml(TOML, "curves.toml")
    expiry = np.array([AS_OF + 30 * NS_PER_DAY])
    late = AS_OF + 2 * NS_PER_DAY
    with pytest.raises(Refused, match="USD of OIS close is 172800 s old"):
        curves.rate_and_yield("USD", "SPX", 1.0, late, expiry)
    assert len(curves.rate_and_yield("USD", "SPX", 1.0, late, expiry, on_stale="flag")) == 2
    assert curves.stale(late) == ("USD of OIS close", "SPX of index futures", "EUR/USD of fixing")
    assert curves.stale(AS_OF) == ()
    with pytest.raises(Refused, match="no discount curve for EUR; known: USD"):
        curves.rate_and_yield("EUR", "SPX", 1.0, AS_OF, expiry)
    with pytest.raises(Refused, match="no dividend yield or schedule for NDX"):
        curves.rate_and_yield("USD", "NDX", 1.0, AS_OF, expiry)


@pytest.mark.parametrize(
    ("old", "new", "line", "why"),
    [
        ("as_of = 2026-01-30T16:00:00-05:00", "as_of = 2026-01-30T16:00:00", 12, "names no time zone"),
        ("as_of = 2026-01-30T16:00:00-05:00", "as_of = 1769806800", 12, "is no moment"),
        ("max_age_s = 3600", "max_age_s = 0", 30, "greater than 0"),
        ('tenors = ["1Y"]', 'tenors = ["1Q"]', 10, "neither 2D, 1W, 3M, 5Y nor a date"),
        ('tenors = ["1Y"]', 'tenors = ["2026-01-30"]', 10, "lies 0 days before"),
        ('tenors = ["1Y"]', 'tenors = ["1Y", "2Y"]', 10, "2 tenors but 1 values"),
        ("discount_factors = [0.987]", "discount_factors = [-1.0]", 10, "factors must be positive"),
        ("discount_factors = [0.987]", "zero_rate = [0.987]", 15, "Extra inputs"),
        ("2028-01-30]", "2026-02-02]", 3, "positive and ascending"),
        ("bid = 1.19", "bid = 1.29", 27, "not a two-sided quote"),
        ('[fx."EUR/USD"]', '[fx."EURUSD"]', 27, "no pair such as EUR/USD"),
        ("amounts = [0.26, 0.27]", "amounts = [0.26]", 17, "one for each of ex_dates"),
        ("amounts = [0.26, 0.27]", "amounts = [0.26, -0.27]", 17, "is no dividend"),
        ("complete_until = 2026-07-31", "complete_until = 2026-03-31", 17, "beyond complete_until"),
        ('currency = "USD"\nex', 'currency = "USD"\nzone = "EST"\nex', 17, "no IANA zone"),
        ("[dividends.AAPL]", "[dividends.SPX]", 0, "a yield curve and a dividend schedule for SPX"),
        ('base_currency = "USD"', 'base_currency = "CHF"', 0, "no way to CHF"),
        ("max_age_s = 3600", "max_age_s = = 3600", 30, "Invalid value"),
    ],
)
def test_a_mistake_in_toml_is_shown_with_its_line(old: str, new: str, line: int, why: str) -> None:
    assert old in TOML
    found = problems(TOML.replace(old, new, 1))
    assert len(found) == 1
    assert found[0][0] == line
    assert why in found[0][1]


@pytest.mark.parametrize(
    ("old", "new", "line", "why"),
    [
        ("curve,name", "curve;name", 1, "the header must be"),
        ("0.0400,,", "0.0400,", 4, "9 cells, 10 wanted"),
        ("0.0400", "4%", 4, "valid number"),
        ("dividend_yield,SPX", "yield,SPX", 3, "neither discount, dividend_yield nor fx"),
        ("discount_factor,0.987,,", "discount_factor,0.987,1,", 3, "must be empty"),
        ("discount_factor", "par_rate", 3, "neither zero_rate nor discount_factor"),
        ("86400,1Y,zero_rate", "3600,1Y,zero_rate", 4, "differ from line 2"),
        ("fx,EUR/USD,fixing,2026-01-30T21:00:00Z", "fx,EUR/USD,fixing,2026-01-30 21:00", 6, "names no time zone"),
    ],
)
def test_a_mistake_in_csv_is_shown_with_its_line(old: str, new: str, line: int, why: str) -> None:
    assert old in CSV
    found = problems(CSV.replace(old, new, 1), "csv")
    assert (line, True) in [(n, why in reason) for n, reason in found]


def test_every_mistake_of_a_file_is_told_at_once() -> None:
    assert [n for n, _ in problems(CSV.replace("0.0415", "x").replace("1.19", "y"), "csv")] == [2, 6]
    assert problems(CSV + CSV.splitlines()[-1] + "\n", "csv")[0] == (7, "EUR/USD stands twice; first in line 6")


@pytest.mark.parametrize(
    ("tenor", "days"),
    [("1D", 1), ("2W", 14), ("1M", 28), ("13M", 393), ("2Y", 730), ("2026-03-31", 59), (date(2026, 3, 31), 59)],
)
def test_tenors_follow_the_calendar(tenor: str | date, days: int) -> None:
    # From 31 January: a month later is 28 February, 13 months later 28 February 2027.
    assert tenor_years(tenor, datetime(2026, 1, 31, 12, tzinfo=UTC)) * 365 == pytest.approx(days)


def test_a_tenor_beyond_all_dates_is_refused() -> None:
    with pytest.raises(ValueError, match="after the year 9999"):
        tenor_years("9999Y", datetime(2026, 1, 31, tzinfo=UTC))


def test_the_example_of_the_documentation_loads() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/time.md").read_text(encoding="utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    curves = curves_from_toml(example, "docs/time.md")
    assert (*curves.discount, *curves.dividend_yield, *curves.dividends) == ("USD", "SPX", "AAPL")
    assert f"`{','.join(CSV_HEADER)}`" in page

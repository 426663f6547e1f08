import io

import pytest
from rich.console import Console

from console.ladder import number, render, vol_label
from tests.risk_report import report


def shown(data, width):
    console = Console(file=io.StringIO(), width=width)
    console.print(render(data, width))
    return console.file.getvalue()


def test_every_part_is_shown():
    text = shown(report(), 170)
    for part in (
        "some_book: 2 contracts, 7 lots; demo at 2026-01-30T21:00:00Z",
        "Real: nothing.",
        "SPX 2026-02-02 6900 C @XCBO",
        "after working orders",
        "2,234",
        "charm",
        "no price: SPX 2030-02-02 6900 C @XCBO: no volatility at its strike and expiry",
        "133 % BROKEN",
        "-5,000",
        "worst: -5,000,000 USD at spot -10.0 %, volatility -20 %",
        "2,500,000 … –",
        "outside the domain",
        "2.35",
        "SPX -3.10 %, vol +20 %",
        "none within 6 σ",
        "broken already",
    ):
        assert part in text, part
    assert "all (1 without a price)" in text


def test_a_narrow_terminal_keeps_the_figures_that_matter():
    text = shown(report(), 100)
    assert "theta" in text and "charm" not in text


def test_parts_that_were_not_asked_for_are_absent():
    plain = report()
    for key in ("grid", "var", "stress"):
        del plain[key]
    plain["orders"], plain["limits"] = [], []
    text = shown(plain, 120)
    assert "reverse stress" not in text and "value at risk" not in text and "working orders:" not in text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.0, "0"), (-1234567.8, "-1,234,568")])
def test_numbers(value, text):
    assert number(value) == text


def test_volatility_shocks_are_named_by_their_rule():
    assert vol_label(0.3, "relative") == "+30 %" and vol_label(-0.02, "points") == "-2.0 pt"

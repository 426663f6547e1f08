"""The examples of OCC's rules: Characteristics and Risks of Standardized Options, and its information memos."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from common.errors import Refused
from common.risk.adjustments import (
    AdjustedBook,
    AdjustedPosition,
    Deliverable,
    Exchange,
    OptionContract,
    ShareHolding,
    SpecialDividend,
    Split,
    adjusted,
    adjusted_root,
    apply,
)

F = Fraction
EX = date(2026, 3, 2)


def option(strike: F | int, *, root: str = "XYZ", right: int = 1, shares: F | int = 100) -> OptionContract:
    return OptionContract(root, date(2026, 6, 18), F(strike), right, 100, Deliverable((("XYZ", F(shares)),)))


def of(contract: OptionContract, event: object, quantity: int = 10) -> tuple[OptionContract, int, AdjustedPosition]:
    found = adjusted(AdjustedPosition(contract, quantity), event)  # type: ignore[arg-type]
    assert isinstance(found.holding, OptionContract)
    return found.holding, found.quantity, found


def test_two_for_one_doubles_contracts_and_halves_strikes() -> None:
    contract, quantity, position = of(option(50), Split("s", "XYZ", EX, 2, 1), -3)
    assert (contract.root, contract.strike, contract.deliverable, quantity) == ("XYZ", 25, option(50).deliverable, -6)
    assert position.rounding_usd == 0


def test_three_for_one_rounds_the_strike_to_the_cent_and_says_so() -> None:
    contract, quantity, position = of(option(50), Split("s", "XYZ", EX, 3, 1))
    assert (contract.strike, quantity) == (F("16.67"), 30)
    assert position.rounding_usd == (F("16.67") - F(50, 3)) * 100 * 30 == 10


def test_half_a_cent_rounds_up() -> None:
    assert of(option(F("0.05")), Split("s", "XYZ", EX, 2, 1))[0].strike == F("0.03")
    assert of(option(F("0.07")), Split("s", "XYZ", EX, 2, 1))[0].strike == F("0.04")


def test_three_for_two_changes_the_deliverable_alone() -> None:
    # The 3-for-2 example of the OCC: 150 shares for 50 x 100 USD, under a new symbol.
    contract, quantity, _ = of(option(50), Split("s", "XYZ", EX, 3, 2))
    assert (contract.root, contract.strike, contract.multiplier, quantity) == ("XYZ1", 50, 100, 10)
    assert contract.deliverable == Deliverable((("XYZ", F(150)),))
    assert contract.exercise_usd == 5_000
    assert contract.valuation_terms() == ("XYZ", F(100, 3), 150)


def test_one_for_ten_delivers_ten_shares() -> None:
    contract, quantity, _ = of(option(3), Split("s", "XYZ", EX, 1, 10))
    assert (contract.root, contract.strike, quantity) == ("XYZ1", 3, 10)
    assert contract.deliverable == Deliverable((("XYZ", F(10)),))
    assert contract.valuation_terms() == ("XYZ", 30, 10)


def test_a_fraction_is_paid_in_cash() -> None:
    # 1 for 8: 12 shares and the cash for half a share at 41.20.
    contract, _, _ = of(option(5), Split("s", "XYZ", EX, 1, 8, F("41.20")))
    assert contract.deliverable == Deliverable((("XYZ", F(12)),), F("20.60"))
    with pytest.raises(Refused, match="1/2 of a share of XYZ is left over and no price in lieu"):
        of(option(5), Split("s", "XYZ", EX, 1, 8))


def test_a_contract_adjusted_before_is_adjusted_by_its_deliverable() -> None:
    odd = option(50, root="XYZ1", shares=150)
    contract, quantity, _ = of(odd, Split("s", "XYZ", EX, 2, 1))
    assert (contract.root, contract.strike, quantity) == ("XYZ2", 50, 10)
    assert contract.deliverable == Deliverable((("XYZ", F(300)),))


def test_a_special_dividend_lowers_strikes() -> None:
    contract, quantity, _ = of(option(500), SpecialDividend("d", "XYZ", EX, F(15)))
    assert (contract.root, contract.strike, quantity) == ("XYZ", 485, 10)
    # On 150 shares for 50 x 100 USD, 1.00 a share is 1.50 a point of strike.
    assert of(option(50, root="XYZ1", shares=150), SpecialDividend("d", "XYZ", EX, F(1)))[0].strike == F("48.5")


def test_small_special_dividends_adjust_nothing() -> None:
    assert of(option(50), SpecialDividend("d", "XYZ", EX, F("0.1249")))[0] == option(50)
    assert of(option(50), SpecialDividend("d", "XYZ", EX, F("0.125")))[0].strike == F("49.875")


def test_a_dividend_above_the_strike_needs_the_exchanges_terms() -> None:
    with pytest.raises(Refused, match="give the exchange's terms"):
        of(option(10), SpecialDividend("d", "XYZ", EX, F(10)))


def test_a_merger_for_shares_and_cash() -> None:
    # Each XYZ becomes 0.4885 ABC and 12.50 USD: 48 shares, 0.85 of a share at 61.00, and 1250 USD.
    merger = Exchange("m", "XYZ", EX, (("ABC", F("0.4885")),), F("12.50"), (("ABC", F(61)),))
    contract, quantity, _ = of(option(40), merger)
    assert (contract.root, contract.strike, quantity) == ("XYZ1", 40, 10)
    assert contract.deliverable == Deliverable((("ABC", F(48)),), F(1250) + F("0.85") * 61)
    assert contract.valuation_terms() == ("ABC", (4000 - F("1301.85")) / 48, 48)
    with pytest.raises(ValueError, match="no option any more"):
        of(option(13), merger)[0].valuation_terms()


def test_a_merger_for_cash_and_a_spin_off() -> None:
    contract, _, _ = of(option(40), Exchange("m", "XYZ", EX, (), F("54.20")))
    assert contract.deliverable == Deliverable((), F(5420))
    assert contract.intrinsic_usd({}) == 1420
    with pytest.raises(ValueError, match="delivers 0 issues"):
        contract.valuation_terms()
    spun, _, _ = of(option(40), Exchange("o", "XYZ", EX, (("XYZ", F(1)), ("NEW", F(1, 4)))))
    assert spun.deliverable == Deliverable((("NEW", F(25)), ("XYZ", F(100))))
    with pytest.raises(ValueError, match="delivers 2 issues"):
        spun.valuation_terms()


def test_shares_held_are_split_and_exchanged_too() -> None:
    long, short = (AdjustedPosition(ShareHolding("XYZ"), q) for q in (105, -105))
    split = Split("s", "XYZ", EX, 1, 10, F("41.20"))
    assert adjusted(long, split) == AdjustedPosition(ShareHolding("XYZ"), 10, cash_usd=F("20.60"))
    assert adjusted(short, split) == AdjustedPosition(ShareHolding("XYZ"), -10, cash_usd=F("-20.60"))
    merger = Exchange("m", "XYZ", EX, (("ABC", F(2)),), F(3))
    assert adjusted(long, merger) == AdjustedPosition(ShareHolding("ABC"), 210, cash_usd=F(315))
    bought_out = adjusted(long, Exchange("c", "XYZ", EX, (), F(50)))
    assert (bought_out.quantity, bought_out.cash_usd) == (0, 5250)
    assert adjusted(long, SpecialDividend("d", "XYZ", EX, F(1))) == long
    with pytest.raises(Refused, match="several holdings"):
        adjusted(long, Exchange("o", "XYZ", EX, (("XYZ", F(1)), ("NEW", F(1, 4)))))


def test_what_is_on_something_else_or_expired_is_left_alone() -> None:
    other = AdjustedPosition(OptionContract("ABC", EX, F(5), 1, 100, Deliverable((("ABC", F(100)),))), 1)
    gone = AdjustedPosition(OptionContract("XYZ", date(2026, 2, 27), F(5), 1, 100, Deliverable((("XYZ", F(100)),))), 1)
    for position in (other, gone, AdjustedPosition(ShareHolding("ABC"), 7)):
        assert adjusted(position, Split("s", "XYZ", EX, 2, 1)) == position


def test_an_event_is_applied_once_and_whole() -> None:
    book = AdjustedBook((AdjustedPosition(option(50), 10), AdjustedPosition(ShareHolding("XYZ"), 100)))
    split = Split("split-2026", "XYZ", EX, 2, 1)
    after = apply(book, split)
    assert [p.quantity for p in after.positions] == [20, 200]
    assert apply(after, split) is after
    assert apply(after, Split("split-2026", "XYZ", EX, 2, 1)) is after
    with pytest.raises(Refused, match="split-2026 is already applied with other terms"):
        apply(after, Split("split-2026", "XYZ", EX, 3, 1))
    assert book.applied == {}
    with pytest.raises(Refused, match="left over"):
        apply(AdjustedBook((*book.positions, AdjustedPosition(ShareHolding("XYZ"), 7))), Split("x", "XYZ", EX, 1, 2))


def test_roots_of_adjusted_series() -> None:
    assert [adjusted_root(r) for r in ("AAPL", "AAPL1", "T8")] == ["AAPL1", "AAPL2", "T9"]
    for full in ("AAPL9", "A1B", ""):
        with pytest.raises(Refused, match="no adjusted root follows"):
            adjusted_root(full)


def test_events_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="is no split"):
        Split("s", "XYZ", EX, 2, 2)
    with pytest.raises(ValueError, match="is no split"):
        Split("s", "XYZ", EX, 0, 1)
    with pytest.raises(ValueError, match="must be positive"):
        SpecialDividend("d", "XYZ", EX, F(0))
    with pytest.raises(ValueError, match="must be positive"):
        Exchange("m", "XYZ", EX, ())

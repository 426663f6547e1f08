"""Conservation: what a holder owns is worth the same just before and just after, exactly, in rational numbers."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from common.risk.adjustments import (
    AdjustedBook,
    AdjustedPosition,
    Adjustment,
    Deliverable,
    Exchange,
    OptionContract,
    ShareHolding,
    SpecialDividend,
    Split,
    adjusted,
    apply,
)

F = Fraction
EX = date(2026, 3, 2)
cents = st.integers(1, 100_000).map(lambda c: F(c, 100))
strikes = st.integers(2_000, 200_000).map(lambda c: F(c, 100))
quantities = st.integers(-1_000, 1_000).filter(bool)
rights = st.sampled_from([1, -1])
splits = st.tuples(st.integers(1, 20), st.integers(1, 20)).filter(lambda r: r[0] != r[1])


@st.composite
def contracts(draw: st.DrawFn) -> OptionContract:
    shares = draw(st.sampled_from([100, 100, 10, 150]))
    root = "XYZ" if shares == 100 else "XYZ1"
    return OptionContract(root, date(2026, 6, 18), draw(strikes), draw(rights), 100, Deliverable((("XYZ", F(shares)),)))


def worth(position: AdjustedPosition, prices: dict[str, F]) -> F:
    """USD of a position exercised at these prices, with its cash; for shares their value."""
    holding = position.holding
    if isinstance(holding, ShareHolding):
        return position.quantity * prices[holding.symbol] + position.cash_usd
    return position.quantity * holding.intrinsic_usd(prices) + position.cash_usd


@given(strikes, rights, quantities, st.integers(2, 20))
def test_whole_splits_conserve_the_aggregate_exercise_price(strike: F, right: int, lots: int, times: int) -> None:
    contract = OptionContract("XYZ", date(2026, 6, 18), strike, right, 100, Deliverable((("XYZ", F(100)),)))
    after = adjusted(AdjustedPosition(contract, lots), Split("s", "XYZ", EX, times, 1))
    assert isinstance(after.holding, OptionContract)
    assert after.holding.exercise_usd * after.quantity - after.rounding_usd == contract.exercise_usd * lots
    # Half a cent a point, on 100 points a contract, for each of the new contracts at most.
    assert abs(after.rounding_usd) <= F(1, 200) * 100 * abs(after.quantity)
    if (strike / times * 100).denominator == 1:
        assert after.rounding_usd == 0


@given(contracts(), quantities, splits, cents)
def test_a_split_leaves_the_worth_of_options_and_shares(
    contract: OptionContract, lots: int, ratio: tuple[int, int], price: F
) -> None:
    new, old = ratio
    after_price = price * old / new
    event = Split("s", "XYZ", EX, new, old, lieu_price_usd=after_price)
    option = AdjustedPosition(contract, lots)
    moved = adjusted(option, event)
    difference = worth(moved, {"XYZ": after_price}) - worth(option, {"XYZ": price})
    assert abs(difference) <= abs(moved.rounding_usd)
    shares = AdjustedPosition(ShareHolding("XYZ"), lots)
    assert worth(adjusted(shares, event), {"XYZ": after_price}) == worth(shares, {"XYZ": price})


@given(contracts(), quantities, cents, st.integers(125, 1_900))
def test_a_special_dividend_leaves_the_worth_of_options(
    contract: OptionContract, lots: int, price: F, mills: int
) -> None:
    amount = F(mills, 1_000)
    after_price = price - min(amount, price)
    event = SpecialDividend("d", "XYZ", EX, amount if price >= amount else price)
    before = AdjustedPosition(contract, lots)
    after = adjusted(before, event)
    if after.holding == before.holding:  # below 12.50 USD a contract
        assert event.amount_usd * contract.deliverable.shares[0][1] < F("12.5")
        return
    assert worth(after, {"XYZ": after_price}) == worth(before, {"XYZ": price})


@given(contracts(), quantities, cents, st.integers(1, 500), cents)
def test_a_merger_leaves_the_worth_of_options(
    contract: OptionContract, lots: int, price: F, ratio: int, cash: F
) -> None:
    count = F(ratio, 100)
    event = Exchange("m", "XYZ", EX, (("ABC", count),), cash, (("ABC", price),))
    old_price = price * count + cash  # what one share of the target is worth when it is exchanged
    before = AdjustedPosition(contract, lots)
    assert worth(adjusted(before, event), {"ABC": price}) == worth(before, {"XYZ": old_price})


@given(contracts(), splits, cents)
def test_the_plain_option_of_an_adjusted_contract_has_its_payoff(
    contract: OptionContract, ratio: tuple[int, int], price: F
) -> None:
    after = adjusted(AdjustedPosition(contract, 1), Split("s", "XYZ", EX, *ratio, lieu_price_usd=F(1, 100))).holding
    assert isinstance(after, OptionContract)
    if not after.deliverable.shares:  # less than one share is left
        return
    _, strike, multiplier = after.valuation_terms()
    assert multiplier * max(after.right * (price - strike), F(0)) == after.intrinsic_usd({"XYZ": price})


@st.composite
def events(draw: st.DrawFn) -> Adjustment:
    name = f"e{draw(st.integers(0, 3))}"
    if draw(st.booleans()):
        return SpecialDividend(name, "XYZ", EX, F(1, 8))
    # Small ratios, so that four of them leave every strike above the dividend.
    ratio = draw(st.sampled_from([(2, 1), (3, 1), (3, 2), (1, 2), (1, 3)]))
    return Split(name, "XYZ", EX, *ratio, lieu_price_usd=F(40))


@given(st.lists(contracts(), max_size=4), st.lists(events(), max_size=6))
def test_events_by_id_count_once_however_often_they_come(held: list[OptionContract], stream: list[Adjustment]) -> None:
    first = {e.id: e for e in reversed(stream)}
    stream = [first[e.id] for e in stream]
    once = repeated = AdjustedBook(tuple(AdjustedPosition(c, 5) for c in held))
    for event in dict.fromkeys(stream):
        once = apply(once, event)
    for event in stream:
        repeated = apply(apply(repeated, event), event)
    assert once == repeated
    assert set(once.applied) == {e.id for e in stream}

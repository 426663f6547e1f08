"""P&L against a case computed by hand, and the conservation law: the parts sum to the change of value."""

from __future__ import annotations

import numpy as np
import pytest

from common.messages import ExecutionReport, OrdStatus, Refusal, Side
from common.units import NO_PRICE
from common.universe import Book
from lab.fills import Fills, cash_half_cents, external_cost_cents, fills_of, spread_half_cents
from lab.marks import Marks
from lab.pnl import pnl_path, sample_std, summary
from lab.synthetic import SyntheticMarket

MARKET = SyntheticMarket(symbols=("AAA",), strikes=2)
UNIVERSE = MARKET.universe
N = len(UNIVERSE)
FUTURE, CALL = 0, 1  # future: 50 USD a point, tick 0.25, fee 1.30; option: 100 USD a point, tick 0.05, fee 0.65


def report(sequence: int, row: int, lots: int, ticks: int, bid: int, ask: int, time: int = 0) -> ExecutionReport:
    side = Side.BUY if lots > 0 else Side.SELL
    fee = int(UNIVERSE.fee_cents[row]) * abs(lots)
    return ExecutionReport(
        sequence, f"x{sequence}", f"o{sequence}", OrdStatus.FILLED, abs(lots), ticks, abs(lots), 0, fee, row, side,
        Refusal.NONE, "", time, 0, bid, ask,
    )  # fmt: skip


def marks(times: list[int], future: list[float], call: list[float], session: list[int] | None = None) -> Marks:
    points = np.full((len(times), N), np.nan)
    points[:, FUTURE], points[:, CALL] = future, call
    at = np.array(times, np.int64)
    return Marks(at, np.array(session or [0] * len(times), np.int64), points)


BOOK = Book("desk", ("a",), np.array([CALL], np.uint32), np.array([-10], np.int64))


def test_hand_computed_case() -> None:
    """Short 10 calls; buy 4 futures at the ask of 100.00/100.50, sell 1 back at the bid of 110.00/110.50."""
    fills = fills_of([report(1, FUTURE, 4, 402, 400, 402, time=5), report(2, FUTURE, -1, 440, 440, 442, time=15)])
    m = marks([0, 10, 20], [100.0, 110.0, 120.0], [5.0, 8.0, 12.0])
    path = pnl_path("hedged", UNIVERSE, BOOK, fills, m)
    # Book: -10 × 100 × (8 - 5), then (12 - 5).
    np.testing.assert_allclose(path.book, [0.0, -3000.0, -7000.0])
    # Hedges from mid 100.25: 4 × 50 × (110 - 100.25) = 1950; then 3 left at 120 and 1 sold, mid 110.25.
    np.testing.assert_allclose(path.hedges, [0.0, 1950.0, 50 * (3 * 120 + 110.25 - 4 * 100.25)])
    # Spread: 4 × 50 × 0.25 = 50 at the buy, 12.50 at the sale; fees 1.30 a lot.
    np.testing.assert_allclose(path.spread, [0.0, -50.0, -62.5])
    np.testing.assert_allclose(path.fees, [0.0, -5.2, -6.5])
    # Independently: value of the position plus cash.
    cash = -4 * 100.5 * 50 + 110.0 * 50 - 6.5
    value = 3 * 120 * 50 - 10 * 12 * 100 + cash
    assert path.total[-1] == pytest.approx(value - (-10 * 5 * 100), abs=1e-9)
    assert external_cost_cents(fills, UNIVERSE) == 6250 + 650


def test_parts_sum_to_the_change_of_value_exactly() -> None:
    rng = np.random.default_rng(3)
    reports = []
    for k in range(60):
        bid = int(rng.integers(390, 410))
        lots = int(rng.integers(1, 9)) * (1 if k % 2 else -1)
        price = bid + 2 if lots > 0 else bid
        reports.append(report(k + 1, FUTURE, lots, price, bid, bid + 2, time=k))
    fills = fills_of(reports)
    m = marks([0, 30, 61], [100.0, 97.0, 103.5], [5.0, 4.0, 6.0])
    path = pnl_path("hedged", UNIVERSE, BOOK, fills, m)
    np.testing.assert_allclose(path.total, path.book + path.hedges + path.spread + path.fees, atol=1e-9)
    start = -10 * 100 * 5.0  # nothing is traded before the first fill at time 0, which counts at grid time 0
    first = fills.signed_lots[0]
    value0 = first * 50 * 100.0 - first * fills.last_ticks[0] * 0.25 * 50 - fills.fee_cents[0] / 100
    value = fills.signed_lots.sum() * 50 * 103.5 - (fills.signed_lots * fills.last_ticks).sum() * 12.5
    value -= fills.fee_cents.sum() / 100 - -10 * 100 * 6.0 * -1 * -1
    assert path.total[-1] == pytest.approx(value - (value0 + start), abs=1e-6)


def test_cash_is_whole_and_a_report_told_twice_counts_once() -> None:
    one = report(1, FUTURE, 2, 401, 400, 402)
    fills = fills_of([one, one])
    assert len(fills) == 1
    assert cash_half_cents(fills, UNIVERSE).tolist() == [-2 * 401 * 1250 * 2]
    assert spread_half_cents(fills, UNIVERSE).tolist() == [0]


def test_one_sided_quote_costs_no_spread() -> None:
    fills = fills_of([report(1, FUTURE, 2, 402, NO_PRICE, 402)])
    assert spread_half_cents(fills, UNIVERSE).tolist() == [0]


def test_daily_changes_run_close_to_close() -> None:
    m = marks([0, 10, 20, 30], [100.0] * 4, [5.0, 4.0, 6.0, 3.0], session=[0, 0, 1, 1])
    path = pnl_path("unhedged", UNIVERSE, BOOK, fills_of([]), m)
    np.testing.assert_allclose(path.changes(), [1000.0, -2000.0, 3000.0])  # the middle one is the night
    np.testing.assert_allclose(path.daily_changes(), [1000.0, 1000.0])
    assert path.std_30min_usd() == pytest.approx(np.sqrt(((1 / 3) ** 2 + (8 / 3) ** 2 + (7 / 3) ** 2) / 2) * 1000)
    assert summary(path)["total_usd"] == pytest.approx(2000.0)


def test_missing_mark_is_named() -> None:
    m = marks([0, 10], [100.0, 101.0], [5.0, np.nan])
    with pytest.raises(ValueError, match=UNIVERSE.instrument_id[CALL]):
        pnl_path("hedged", UNIVERSE, BOOK, fills_of([]), m)


def test_std_needs_two_values() -> None:
    assert np.isnan(sample_std(np.array([1.0])))
    empty = np.empty(0, np.int64)
    assert len(Fills(empty, empty, empty, empty, empty, empty, empty, (), ())) == 0

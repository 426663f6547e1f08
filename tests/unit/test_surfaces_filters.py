"""Every quote is used or counted under one reason."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import numpy as np
import pytest

from common.instruments import instant_ns
from common.surfaces.chain import UNKNOWN, ChainQuotes, FitSettings, KnownForward
from common.surfaces.filters import REASONS, counts, quoted, traded
from common.surfaces.quotes import filtered
from common.units import NS_PER_DAY, NS_PER_MIN
from common.universe import AMERICAN
from tests.surfaces_world import AS_OF_NS

EXPIRY = AS_OF_NS + 30 * NS_PER_DAY
GOOD = {"strike": 110.0, "right": 1.0, "bid": 1.0, "ask": 1.2, "last": UNKNOWN, "expiry": EXPIRY}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("used", {}),
    ("malformed", {"strike": -1.0}),
    ("malformed", {"right": 0.0}),
    ("expired", {"expiry": AS_OF_NS}),
    ("no_bid", {"bid": np.nan}),
    ("no_bid", {"bid": 0.0}),
    ("no_ask", {"ask": np.nan}),
    ("no_ask", {"ask": np.inf}),
    ("crossed", {"bid": 1.3}),
    ("crossed", {"bid": 1.2}),
    ("wide", {"bid": 0.1, "ask": 0.9}),
    ("not_traded_today", {"last": AS_OF_NS - 2 * NS_PER_DAY}),
    ("no_forward", {"expiry": EXPIRY + NS_PER_DAY}),
    ("in_the_money", {"strike": 90.0}),
    ("no_volatility", {"bid": 200.0, "ask": 201.0}),
]


def chain(rows: list[dict[str, Any]], **more: Any) -> ChainQuotes:
    def column(name: str) -> np.ndarray[Any, Any]:
        return np.array([r[name] for r in rows], np.int64 if name in ("expiry", "last") else np.float64)

    known = {EXPIRY: KnownForward(100.0, 0.99)}
    columns = {n: column(n) for n in ("expiry", "strike", "right", "bid", "ask", "last")}
    return ChainQuotes("TEST", *columns.values(), known=known, **more)


def test_each_reason_and_nothing_is_dropped_unseen() -> None:
    rows = [{**GOOD, **change} for _, change in CASES]
    found = filtered(chain(rows), AS_OF_NS, FitSettings()).counted
    expected = {name: sum(1 for n, _ in CASES if n == name) for name in REASONS}
    assert found == expected
    assert sum(found.values()) == len(rows)


def test_a_trade_of_today_is_of_the_new_york_day() -> None:
    midnight = instant_ns(date(2026, 1, 30), time(0, 0))
    last = np.array([UNKNOWN, midnight - 1, midnight, AS_OF_NS, AS_OF_NS + NS_PER_MIN], np.int64)
    assert traded(last, AS_OF_NS).tolist() == [True, False, True, True, False]


def test_the_day_is_not_asked_for_when_told_so() -> None:
    old = chain([{**GOOD, "last": AS_OF_NS - 90 * NS_PER_DAY}])
    assert counts(quoted(old, AS_OF_NS, FitSettings(same_day_only=False)))["used"] == 1


def test_american_options_need_a_known_forward() -> None:
    with pytest.raises(ValueError, match="parity is no equation for American options"):
        chain([{**GOOD, "expiry": EXPIRY + 1}], style=AMERICAN)


def test_columns_of_different_lengths_are_refused() -> None:
    one = np.ones(1)
    with pytest.raises(ValueError, match="different lengths"):
        ChainQuotes("TEST", np.ones(2, np.int64), one, one, one, one, np.ones(1, np.int64))


def test_senseless_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        FitSettings(vol_noise=0.0)

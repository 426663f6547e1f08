"""Client trades told while a run lasted: a case worked by hand, the manager's own book of them, and the conservation law."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.client_trades import effects
from common.control_messages import Acknowledgement, Command, CommandTaken, ImportedTrade, JournalEntry, TradesImported
from common.messages import Header
from lab.client_trades import client_trades_of, imports_asked
from lab.fills import fills_of
from lab.pnl import pnl_path, summary
from manager.imports import Imports, problem_of
from tests.manager_world import Desk
from tests.steering_world import bring, row
from tests.unit.test_lab_pnl import BOOK, CALL, FUTURE, UNIVERSE, N, marks, report

TIMES = [0, 10, 20, 30]
MARKS = marks(TIMES, [100.0, 110.0, 120.0, 115.0], [5.0, 8.0, 12.0, 9.0])


def told(now_ns: int, *trades: ImportedTrade) -> JournalEntry:
    return JournalEntry(1, 1, now_ns, 0, TradesImported("i", trades), Header("", 0, 0))


JOURNAL = [
    told(6, ImportedTrade("T1", "a", CALL, -3, 6.0, 5), ImportedTrade("T3", "a", CALL, 7, 5.0, 3)),
    told(12, ImportedTrade("T1b", "a", CALL, -5, 6.5, 5, corrects="T1")),
    told(13, ImportedTrade("T3c", "a", CALL, 7, 5.0, 3, cancels="T3"), ImportedTrade("T0", "a", CALL, 4, 4.0, -5)),
    told(18, ImportedTrade("T4", "b", CALL, -1, 11.0, 100), ImportedTrade("T2", "a", FUTURE, 2, 101.0, 15)),
]


def test_hand_computed_case() -> None:
    """50 USD a point of the future, 100 of the call. T1 is corrected to T1b, T3 cancelled, T4 stamped later than told."""
    trades = client_trades_of(JOURNAL)
    assert trades.lots.tolist() == [-5, 4, -1, 2] and trades.time_ns.tolist() == [5, -5, 18, 15]
    path = pnl_path("live", UNIVERSE, BOOK, fills_of([]), MARKS, trades=trades)
    t1b = -5 * 100 * np.array([0.0, 8.0 - 6.5, 12.0 - 6.5, 9.0 - 6.5])
    t0 = 4 * 100 * np.array([0.0, 3.0, 7.0, 4.0])  # traded before the first mark: what came after it
    t4 = -1 * 100 * np.array([0.0, 0.0, 12.0 - 11.0, 9.0 - 11.0])
    t2 = 2 * 50 * np.array([0.0, 0.0, 120.0 - 101.0, 115.0 - 101.0])
    np.testing.assert_allclose(path.imported, t1b + t0 + t4 + t2, atol=1e-9)
    np.testing.assert_allclose(path.imported, [0.0, 450.0, 1850.0, 1950.0], atol=1e-9)
    np.testing.assert_allclose(path.book, [0.0, -3000.0, -7000.0, -4000.0])
    np.testing.assert_allclose(path.total, [0.0, -2550.0, -5150.0, -2050.0])
    assert summary(path)["imported_usd"] == pytest.approx(1950.0)


def test_a_trade_counts_at_the_grid_time_it_happened_at_and_not_before() -> None:
    entry = told(40, ImportedTrade("T", "a", CALL, 1, 7.0, 10))
    path = pnl_path("live", UNIVERSE, BOOK, fills_of([]), MARKS, trades=client_trades_of([entry]))
    np.testing.assert_allclose(path.imported, [0.0, 100.0, 500.0, 200.0])


def test_an_imported_contract_without_a_mark_is_named() -> None:
    entry = told(1, ImportedTrade("T", "a", 2, 1, 7.0, 10))
    with pytest.raises(ValueError, match=UNIVERSE.instrument_id[2]):
        pnl_path("live", UNIVERSE, BOOK, fills_of([]), MARKS, trades=client_trades_of([entry]))


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["new", "correct", "cancel"]),
        st.integers(0, 30),
        st.sampled_from([FUTURE, CALL]),
        st.integers(-9, 9).filter(bool),
        st.integers(1, 200),
        st.integers(1, 29),
    ),
    max_size=25,
)


@given(ACTS)
def test_the_parts_sum_to_value_and_cash_counted_event_by_event(
    acts: list[tuple[str, int, int, int, int, int]],
) -> None:
    """The independent count takes every line as it came: a correction gives the old price back and pays the new one."""
    imports, entries = Imports(), []
    lots, cash = np.zeros(N), 0.0
    for k, (what, which, at, size, ticks, time) in enumerate(acts):
        new = ImportedTrade(f"T{k}", "a", at, size, 0.25 * ticks, time)
        if what != "new" and imports.trades:
            old = list(imports.trades.values())[which % len(imports.trades)]
            new = replace(old, trade_id=f"T{k}", corrects="", cancels=old.trade_id) if what == "cancel" else new
            new = replace(new, corrects=old.trade_id) if what == "correct" else new
        if problem_of(new, imports.trades, imports.ended):
            continue
        for effect in effects(new, imports.trades):
            lots[effect.instrument] += effect.lots
            cash -= effect.lots * effect.price * UNIVERSE.multiplier_usd[effect.instrument]
        imports.take(new)
        entries.append(told(30, new))
    trades = client_trades_of(entries)
    assert len(trades) == sum(1 for _ in imports.live())
    fills = fills_of([report(1, FUTURE, 4, 402, 400, 402, time=5)])
    path = pnl_path("live", UNIVERSE, BOOK, fills, MARKS, trades=trades)
    np.testing.assert_allclose(path.total, path.book + path.imported + path.hedges + path.spread + path.fees, atol=1e-9)
    lots[CALL] += -10
    lots[FUTURE] += 4
    cash -= 4 * 402 * 0.25 * 50 + 4 * 1.30
    last = np.where(lots != 0, MARKS.points[-1], 0.0)
    value = float(lots @ (UNIVERSE.multiplier_usd * last)) + cash
    assert path.total[-1] == pytest.approx(value - (-10 * 5.0 * 100), abs=1e-6)


def test_what_stands_is_what_the_manager_holds() -> None:
    desk = Desk()
    name = desk.world.instrument_id
    bring(desk, "i1", row(2, "T1", name[5], -40), row(3, "T2", name[6], 7))
    bring(desk, "i2", row(2, "T1b", name[5], -41, corrects="T1"), row(3, "T2c", name[6], 7, cancels="T2"))
    trades = client_trades_of(desk.journal)
    assert (
        [(int(i), int(n)) for i, n in zip(trades.instrument, trades.lots, strict=True)]
        == [(t.instrument, t.lots) for t in desk.state.fold.imports.live()]
        == [(5, -41)]
    )


def test_only_imports_that_were_taken_are_told_again() -> None:
    def asked(action: str, accepted: bool, dry_run: bool = False) -> JournalEntry:
        command = Command("c", action, "ann", "why", json.dumps({"file": "f", "dry_run": dry_run, "trades": []}))
        return JournalEntry(1, 1, 9, 0, CommandTaken(command, Acknowledgement("c", accepted, "")), Header("", 0, 0))

    entries = [
        asked("book.import", True),
        asked("book.import", True, True),
        asked("book.import", False),
        asked("pause", True),
    ]
    ((at_ns, told),) = imports_asked(entries)
    assert at_ns == 9 and CommandTaken(told, Acknowledgement("c", True, "")) == entries[0].event

"""Two days of the whole loop across a roll: everybody ends in the new future, every count agrees, the record replays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.config import AgentsConfig
from common.control_messages import Cycle
from common.limits import load_limits
from common.universe import FUTURE, Book
from console.story import story
from execution.config import ExecutionConfig, PaperConfig
from execution.limits import load_execution_limits
from lab.audit import Run, audit
from lab.closed_loop import ClosedLoop, RunResult, instants
from lab.replay import replay_run
from lab.synthetic import short_book
from manager import fold, hash
from manager import state as manager_state
from manager.config import ManagerConfig
from manager.status import status
from manager.tactics import TacticRule
from tests.roll_world import CARRY, RollingMarket

ROOT = Path(__file__).resolve().parents[2]
LIMITS = load_limits(ROOT / "examples/limits.toml")
MARKET = RollingMarket()
PLAIN = ManagerConfig()
#: Combos that rest for most of two minutes and show a tenth of what is shown; those that take what is there; legs.
WORKED = ManagerConfig(
    tactic=TacticRule(combo_improve_ticks=1, combo_participation_percent=10, budget_ms=120_000, urgency_percent=20)
)
CASES = [(True, PLAIN), (False, PLAIN), (True, WORKED), (False, WORKED)]


def looped(book: Book, tmp: Path, *, combos: bool, config: ManagerConfig = PLAIN) -> ClosedLoop:
    limits = load_execution_limits(ROOT / "examples/execution_limits.toml")
    execution = ExecutionConfig(store=tmp, limits=limits, paper=PaperConfig(combos=combos))
    loop = ClosedLoop(MARKET, book, AgentsConfig(), config, LIMITS, execution, "roll")
    for now_ns, together in instants(MARKET.batches()):
        while (due := loop.execution.next_due_ns) is not None and due < now_ns:
            loop.feed(due, [])
        loop.feed(now_ns, together)
    loop.settle()
    return loop


def rolls_of(result: RunResult) -> list[Cycle]:
    return [e.event for e in result.entries if isinstance(e.event, Cycle) and e.event.method == "roll"]


@pytest.mark.parametrize(("combos", "config"), CASES)
def test_positions_move_to_the_new_front_and_hedges_follow(combos: bool, config: ManagerConfig, tmp_path: Path) -> None:
    book = short_book(MARKET, 60)
    universe, n = MARKET.universe, len(MARKET.universe)
    loop = looped(book, tmp_path, combos=combos, config=config)
    result = loop.result()
    old = np.array([u.future_instrument for u in universe.underlyings])
    new = universe.fronts(MARKET.rolls_ns)
    held = book.net_lots(n)[old]
    assert held.any() and (new != old).all()
    rolls = rolls_of(result)
    assert rolls and all(set(c.menu.tolist()) <= {*old.tolist(), *new.tolist()} for c in rolls)

    # Nothing is left in the old front; before the roll nothing was traded in the new one, after it nothing in the old.
    position = book.net_lots(n) + loop.manager.fold.ledger.net_lots()
    assert not position[old].any() and position[new].any()
    for entry in result.entries:
        event = entry.event
        if isinstance(event, Cycle) and event.method != "roll":
            futures = {o.instrument for o in event.orders if universe.kind[o.instrument] == FUTURE}
            assert not futures & set((old if entry.now_ns >= MARKET.rolls_ns else new).tolist())
    # The first cycle tells what the distance of the two quarters does to each delta: lots × USD 50 × points between them.
    first = rolls[0]
    for k, symbol in enumerate(universe.symbols):
        column, row = (
            first.menu.tolist().index(new[k]) if new[k] in first.menu else -1,
            first.factor.index(f"delta:{symbol}"),
        )
        if column >= 0:
            apart = 50.0 * (3000.0 + 2000.0 * k) * (np.exp(CARRY * 91 / 365) - 1.0) * first.ordered_lots[column]
            assert first.exposure_after[row] - first.exposure_before[row] == pytest.approx(apart, rel=0.05)
    # Its story says so.
    told = story(first.orders[-1].client_order_id, result.entries, universe, book=book).text()
    assert "2. The roll" in told and universe.instrument_id[first.orders[-1].instrument] in told

    view = status(loop.manager, 0)["rolls"]
    assert [(r["due"], r["desks"]) for r in view] == [(True, [{"desk": "", "left": 0, "owed": 0}])] * 2

    # What the roll took out of the one it put into the other, to the lot.
    mine = loop.manager.fold.ledger.by_agent["roll"]
    assert [mine.get(a, 0) for a in old.tolist()] == [-mine.get(b, 0) for b in new.tolist()]

    record, hours = (result.entries, result.order_states, result.reports), MARKET.session_bounds_ns
    assert audit(Run(universe, book, *record, position, LIMITS, sessions_ns=hours)) == []
    loop.manager.check()
    again = manager_state.start(loop.manager.setup)
    for entry in result.entries:
        fold.apply(again, entry)
    assert hash.state_hash(again) == hash.state_hash(loop.manager)


def test_the_record_of_a_roll_replays(tmp_path: Path) -> None:
    book = short_book(MARKET, 60)
    loop = looped(book, tmp_path, combos=True)
    found = replay_run(MARKET, book, loop.entries, AgentsConfig(), ManagerConfig(), LIMITS, "roll")
    assert found.difference == "" and found.identical and rolls_of(loop.result())

"""What an adapter hears of our orders when execution works some of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.tactics import DIRECT, Tactic, TacticKind
from execution.events import Submit
from execution.records import StoredRecords
from execution.sqlite_store import SqliteStore
from execution.store import MemoryStore, Store
from execution.venues.port import VenueKind
from tests.execution_world import make_order
from tests.parents_world import House

PATIENT = Tactic(TacticKind.PASSIVE, urgency_percent=50, budget_ms=10_000, interval_ms=500)


@pytest.mark.parametrize("lasting", [False, True])
def test_of_a_worked_order_the_children_are_open_at_the_venue_and_have_their_own_fills(
    tmp_path: Path, lasting: bool
) -> None:
    """An adapter that asked the venue about a parent would hear that it is unknown, and end it."""
    store: Store = SqliteStore(tmp_path) if lasting else MemoryStore()
    house = House(store)
    for name, tactic in (("p", PATIENT), ("d", DIRECT)):
        order = make_order(name, lots=10, limit_ticks=1003, tactic=tactic, event_time_ns=house.now_ns)
        house.run([Submit(order, 1)])
    filled = house.venue.happen("p.1", VenueKind.FILL, 4)
    house.hear(filled, house.venue.happen("d", VenueKind.FILL, 3))
    records = StoredRecords(house.state, store)
    assert set(records.open_orders()) == {"p.1", "d"}
    assert records.fills("p.1") == [(filled.exec_id, 4, 1000)]
    assert [lots for _, lots, _ in records.fills("d")] == [3]
    child = records.record("p.1")
    assert child is not None
    assert child.parent == "p"
    store.close()

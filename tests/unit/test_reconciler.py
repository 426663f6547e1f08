"""The looks of a reconciliation at a venue that forgets: what it no longer states is no break by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.messages import OrdStatus, Side
from common.ports import Clock
from execution.engine import Engine
from execution.reconcile import BreakKind
from execution.reconciler import Reconciler
from execution.venues.statement import StatedFill, VenueStatement
from tests.execution_world import T0_NS, make_config
from tests.reconcile_world import UNIVERSE, Books


class Stating:
    """The venue's side of ``Books``; ``between`` happens before the second look. It is never traded with here."""

    name, next_due_ns = "forgetful", None
    submit = cancel = replace = ask = on_quotes = on_time = list

    def __init__(self, books: Books, between: Any) -> None:
        self.books, self.between, self.asked = books, between, 0

    async def statement(self, after: int, limit: int) -> VenueStatement:
        self.asked += 1
        if self.asked == 3:  # the first asks only how much there is
            self.between()
        return self.books.tally.statement(after, limit)


class Stub:
    """An engine over our side of ``Books``."""

    def __init__(self, books: Books, between: Any) -> None:
        self.books, self.venue, self.store = books, Stating(books, between), self
        self.halts: list[str] = []

    @property
    def state(self) -> Any:
        books = self.books
        open_here = {name: None for name, record in books.records.items() if record.open}
        return SimpleNamespace(
            sequence=len(books.booked),
            exposure=SimpleNamespace(traded_lots=books.position_lots),
            orders=books.records,
            open=open_here,
            universe=UNIVERSE,
            trading=SimpleNamespace(state=SimpleNamespace(halted=False)),
        )

    async def at_rest(self, look: Any) -> None:
        look()

    def reports(self, first: int, count: int) -> list[Any]:
        return [_report(n + 1, f) for n, f in enumerate(self.books.booked)][first - 1 : first - 1 + count]

    def fills_named(self, names: list[str]) -> list[Any]:
        return [_report(n + 1, f) for n, f in enumerate(self.books.booked) if f.exec_id in names]

    def get(self, names: Any) -> list[Any]:
        return [self.books.records[name] for name in names if name in self.books.records]

    async def ask(self, event: Any) -> None:
        self.halts.append(event.why)


def _report(sequence: int, f: StatedFill) -> Any:
    side = Side.BUY if f.signed_lots > 0 else Side.SELL
    return SimpleNamespace(
        sequence=sequence,
        exec_id=f.exec_id,
        client_order_id=f.client_order_id,
        child_order_id="",
        instrument=f.instrument,
        side=side,
        last_lots=abs(f.signed_lots),
        last_ticks=f.ticks,
        fee_cents=f.fee_cents,
        event_time_ns=f.event_time_ns,
        ord_status=OrdStatus.PARTIALLY_FILLED,
    )


def one_pass(books: Books, between: Any) -> tuple[Any, Stub]:
    engine = Stub(books, between)
    clock = SimpleNamespace(wall_ns=lambda: T0_NS)
    config = make_config(Path(), reconcile_tolerance_s=0.001)
    reconciler = Reconciler(cast(Engine, engine), config, cast(Clock, clock))
    return asyncio.run(reconciler.reconcile()), engine


def trading(kept: int) -> Books:
    """Two orders of one contract work on both sides; the venue remembers so many fills."""
    books = Books(kept)
    for name in ("a", "b"):
        books.send(name, 0, Side.BUY, 9)
    books.deliver_all()
    for _ in range(3):
        books.fill("a", 1)
    books.deliver_all()
    return books


@pytest.mark.parametrize("kept", [1, 100])
def test_fills_under_way_that_the_venue_has_forgotten_are_no_break(kept: int) -> None:
    """Found by the fault simulator, with a venue that states its last three fills: in either look one that it no longer stated
    was on its way, of another order each time, and one position differed by as much twice."""
    books = trading(kept)
    for _ in range(2):
        books.fill("a", 1)

    def between() -> None:
        books.deliver_all()
        for _ in range(2):
            books.fill("b", 1)

    done, engine = one_pass(books, between)
    assert done.breaks == () and engine.halts == []
    assert bool(done.in_doubt)
    books.deliver_all()
    assert one_pass(books, lambda: None)[0].in_doubt == ()


@pytest.mark.parametrize("kept", [1, 100])
def test_a_position_that_no_fill_explains_is_a_break_at_such_a_venue_too(kept: int) -> None:
    books = trading(kept)
    books.position_lots[0] += 2
    done, engine = one_pass(books, lambda: None)
    assert [f.difference.kind for f in done.breaks] == [BreakKind.POSITION] and len(engine.halts) == 1

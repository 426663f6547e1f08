"""The reconciliation as it runs: at the start, every ``reconcile_every_s``, and when asked; a break halts trading.

A look reads our side at a moment when memory and store agree (``Engine.at_rest``). What differs is in doubt and is looked at
again ``reconcile_tolerance_s`` (wall time) later; what stands in both looks is a break. (Where the venue has forgotten fills made
between the two, positions and open orders are in doubt until the next pass.) The timer goes on from where the last
look ended and begins with the last ``WINDOW`` fills; on demand every fill since the account began is compared.

A venue that lists no fills but answers what it has filled of each order (``CountingVenue``) is asked about each
(``execution/reconcile_counts.py``), and again about those that differ.

A new break pauses trading by "execution" with the statement as its reason. A person lifts that by name; the break then no longer
halts, though it stays in every answer. After a restart it halts again: nobody alive has lifted it.
*Tested by* tests/unit/test_reconciler.py, tests/integration/test_reconcile_service.py, tests/integration/test_fix_reconcile.py.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from common.errors import Unavailable
from common.messages import OrdStatus
from common.ports import Clock
from execution.config import ExecutionConfig
from execution.engine import Engine
from execution.events import Halt
from execution.reconcile import BreakKind, Difference, Join, Ours, differences, fill_of
from execution.reconcile_counts import Counts
from execution.tactics.order import worked
from execution.venues.statement import PAGE, CountingVenue, StatingVenue, VenueStatement

_log = logging.getLogger(__name__)
#: Fills at the venue, and reports here, with which the first look begins.
WINDOW: Final = 10_000
_READ: Final = 1_000
#: Breaks named in the reason of a halt; the rest is counted, `hedgerow reconcile` lists all.
_NAMED: Final = 3
_LAST: Final = 2**62
#: Differences that a fill on its way explains, if the venue states it.
_BY_FILLS: Final = (BreakKind.POSITION, BreakKind.ORDER_DIFFERS)
_Key = tuple[BreakKind, str]


@dataclass(frozen=True, slots=True)
class Found:
    """A difference and the wall time at which it was first seen."""

    difference: Difference
    since_wall_ns: int


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a pass found. ``fills`` compared in it; ``why_not`` where the venue could not be asked.

    ``orders``: open ones at the venue, or those it was asked about one by one; ``not_compared`` then says what that cannot show.
    """

    wall_ns: int
    fills: int = 0
    orders: int = 0
    positions: int = 0
    breaks: tuple[Found, ...] = ()
    in_doubt: tuple[Found, ...] = ()
    why_not: str = ""
    not_compared: str = ""


@dataclass(slots=True)
class _Course:
    """Where a sequence of looks stands: the join, the last fill of theirs and the last report of ours it has taken."""

    join: Join
    fill: int
    report: int
    found: tuple[Difference, ...] = ()
    orders: int = 0
    positions: int = 0


class Reconciler:
    """One an engine; made before the engine takes its first event, so that it knows where the service began."""

    def __init__(self, engine: Engine, config: ExecutionConfig, clock: Clock) -> None:
        self._engine = engine
        self._config = config
        self._clock = clock
        self._first_sequence = engine.state.sequence
        self._baseline_lots = dict(engine.state.exposure.traded_lots)
        self._regular: _Course | None = None
        self._counts = Counts(engine)
        self._since: dict[_Key, int] = {}
        self._halted_for: set[_Key] = set()
        self._lock = asyncio.Lock()
        self.last: Reconciliation | None = None

    async def run(self) -> None:
        """Reconcile for ever. A venue that cannot be asked is tried again at the next turn, sooner after a start."""
        while True:
            done = await self.reconcile()
            soon = bool(done.why_not) and self._regular is None and not self._counts.begun
            every_s = self._config.reconcile_every_s
            await asyncio.sleep(min(self._config.reconcile_tolerance_s, every_s) if soon else every_s)

    async def reconcile(self, *, full: bool = False) -> Reconciliation:
        """One pass: a look and, where something differs, a second one. ``full`` compares every fill the venue states."""
        async with self._lock:
            venue, wall_ns = self._engine.venue, self._clock.wall_ns()
            try:
                if isinstance(venue, CountingVenue):
                    self.last = await self._counted(venue, full)
                elif isinstance(venue, StatingVenue):
                    self.last = await self._stated(venue, full)
                else:
                    return Reconciliation(wall_ns, why_not=f"the venue {venue.name} makes no statement")
                await self._halt(self.last)
            except Unavailable as error:
                return Reconciliation(wall_ns, why_not=str(error))
            return self.last

    async def _stated(self, venue: StatingVenue, full: bool) -> Reconciliation:
        """With a venue that lists its fills."""
        course = await self._course(venue, full)
        before = course.join.compared
        first = await self._look(venue, course)
        if first:
            await asyncio.sleep(self._config.reconcile_tolerance_s)
            await self._look(venue, course)
            if course.join.gap:  # what was not stated may be on its way, and explain them
                first = {key for key in first if key[0] not in _BY_FILLS}
        if not full:
            self._regular = course
        done = Reconciliation(self._clock.wall_ns(), course.join.compared - before, course.orders, course.positions)
        return self._sorted(done, course.found, first)

    async def _counted(self, venue: CountingVenue, full: bool) -> Reconciliation:
        """With a venue that is asked order by order: those of the day, or with anything new since the last pass."""
        look = await self._counts.look(venue, full=full)
        first = {d.key for d in look.found}
        found = look.found
        if found:
            await asyncio.sleep(self._config.reconcile_tolerance_s)
            found = (await self._counts.again(venue, found)).found
        done = Reconciliation(
            self._clock.wall_ns(), orders=look.orders, positions=look.positions, not_compared=look.not_compared
        )
        return self._sorted(done, found, first)

    async def _course(self, venue: StatingVenue, full: bool) -> _Course:
        """The regular one where it stands, else a new one."""
        if not full and self._regular is not None:
            return self._regular
        now = await venue.statement(_LAST, 1)
        began = self._first_sequence if now.volatile else 0
        if full or now.volatile:
            return _Course(Join(began), 0, began)
        began = max(self._first_sequence - WINDOW, 0)
        return _Course(Join(began), max(now.count - WINDOW, 0), began)

    async def _look(self, venue: StatingVenue, course: _Course) -> set[_Key]:
        """Take every new fill of both sides, then compare; returns what differs."""
        course.join.gap = False
        while True:
            while self._engine.state.sequence - course.report > PAGE:
                self._read(course)
                await asyncio.sleep(0)
            when_asked = self._open()
            stated = await venue.statement(course.fill, PAGE)
            await self._engine.at_rest(partial(self._compare, course, stated, when_asked))
            if not stated.more:
                return {d.key for d in course.found}

    def _read(self, course: _Course) -> None:
        """The next of our reports, before their counterparts are looked for."""
        page = self._engine.store.reports(course.report + 1, _READ)
        for report in page:
            if report.last_lots:
                course.join.book(fill_of(report))
            course.report = report.sequence

    def _open(self) -> dict[str, OrdStatus]:
        state = self._engine.state
        return {name: state.orders[name].ord_status for name in state.open}

    def _compare(self, course: _Course, stated: VenueStatement, when_asked: dict[str, OrdStatus]) -> None:
        engine, join = self._engine, course.join
        while course.report < engine.state.sequence:
            self._read(course)
        stored = {r.exec_id: (r.sequence, fill_of(r)) for r in engine.store.fills_named(join.strangers(stated))}
        join.take(stated, stored, course.fill)
        course.fill = stated.first + len(stated.fills) - 1
        if stated.more:
            return
        orders = {name: engine.state.orders[name] for name in engine.state.open}
        orders = {name: record for name, record in orders.items() if not worked(record.order)}
        names = {o.client_order_id for o in stated.orders} | join.named
        while wanted := names - set(orders):
            known = {r.order.client_order_id: r for r in engine.store.get(wanted) if not worked(r.order)}
            orders |= known
            names = {r.replaced_by for r in known.values() if r.replaced_by}
        lots = dict(engine.state.exposure.traded_lots)
        if stated.volatile:
            lots = {at: n - self._baseline_lots.get(at, 0) for at, n in lots.items()}
        ours = Ours(orders, lots, when_asked)
        course.found = tuple(differences(join, ours, stated, engine.state.universe.instrument_id))
        course.orders, course.positions = len(stated.orders), len(stated.position_lots)

    def _sorted(self, done: Reconciliation, now: tuple[Difference, ...], first: set[_Key]) -> Reconciliation:
        """What differs now: a break if the first look saw it too."""
        self._since = {d.key: self._since.get(d.key, done.wall_ns) for d in now}
        found = [Found(d, self._since[d.key]) for d in now]
        return replace(
            done,
            breaks=tuple(f for f in found if f.difference.key in first),
            in_doubt=tuple(f for f in found if f.difference.key not in first),
        )

    async def _halt(self, done: Reconciliation) -> None:
        new = [f for f in done.breaks if f.difference.key not in self._halted_for]
        if not new or self._engine.state.trading.state.halted:
            return
        why = halt_text([f.difference for f in new])
        _log.error("%s", why)
        await self._engine.ask(Halt(why))
        self._halted_for |= {f.difference.key for f in new}


def halt_text(breaks: list[Difference]) -> str:
    """The reason of a halt: the first breaks in words and how many more there are."""
    named = "; ".join(d.text() for d in breaks[:_NAMED])
    more = f"; and {len(breaks) - _NAMED} more" if len(breaks) > _NAMED else ""
    return f"reconciliation found {len(breaks)} breaks with the venue: {named}{more}"

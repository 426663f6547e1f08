"""Execution without processes, for the lab: the same core, checks and paper venue, driven by market time alone.

There is no wall time: ``receive_time_ns`` and ``tick_to_order_ns`` are 0, so that equal input gives equal output.
*Tested by* tests/unit/test_execution_inprocess.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from common.messages import ExecutionReport, Order, OrderAck, OrderState, QuoteBatch, TradingState
from common.universe import Universe
from execution import parents
from execution.config import PaperConfig
from execution.core import step
from execution.events import Able, Cancel, Event, Fence, Quotes, SetTrading, Submit, VenueEvents, Work
from execution.hand import act, decide
from execution.limits import ExecutionLimits
from execution.state import ExecutionSetup, start
from execution.store import MemoryStore, Store
from execution.venues.paper import PaperVenue
from execution.venues.port import Ability, Venue, VenueEvent

Reports = tuple[ExecutionReport, ...]
_NOTHING: Reports = ()
_ALL = 2**31


class InProcessExecution:
    """One execution, one paper venue, one memory store. Times are market time in nanoseconds.

    A leader fences before it sends, as it does live. The caller advances time: it calls ``on_time`` at ``next_due_ns``
    whenever that lies before the next batch.
    """

    def __init__(
        self,
        universe: Universe,
        limits: ExecutionLimits,
        venue: PaperConfig | Venue | None = None,
        sessions_ns: tuple[tuple[int, int], ...] = (),
    ) -> None:
        self.store: Store = MemoryStore()
        self.state = start(ExecutionSetup(universe, limits, self.store.load(), sessions_ns))
        if venue is None or isinstance(venue, PaperConfig):
            venue = PaperVenue(universe, venue or PaperConfig(), sessions_ns)
        self.venue: Venue = venue
        step(self.state, Able(Ability(venue).combos))

    @property
    def next_due_ns(self) -> int | None:
        """Market time at which ``on_time`` has something to do, or None."""
        return parents.earliest(self.venue.next_due_ns, parents.due_ns(self.state))

    @property
    def last_report_sequence(self) -> int:
        """Sequence of the newest report; 0 before the first."""
        return self.state.sequence

    def fence(self, epoch: int, holder: str) -> bool:
        """Raise the epoch; False if a newer or another holder of the same one came first."""
        self._run([Fence(epoch, holder)], self.state.now_ns)
        return self.state.epoch == epoch and self.state.holder == holder

    def submit(self, orders: Sequence[Order], now_ns: int) -> tuple[tuple[OrderAck, ...], Reports]:
        """Check, store and send; one answer an order, and what was reported at once (refusals)."""
        return self._run([Submit(order, 0) for order in orders], now_ns)

    def cancel(self, ids: Sequence[str], epoch: int, now_ns: int) -> tuple[tuple[OrderAck, ...], Reports]:
        """Ask for cancels; one answer an id."""
        return self._run([Cancel(tuple(ids), epoch, 0)], now_ns)

    def set_trading_state(self, state: TradingState, who: str, why: str, now_ns: int, scope: str = "") -> Reports:
        """Pause, resume or kill everything, or the one underlying of ``scope``; it holds on return."""
        return self._run([SetTrading(state, who, why, 0, scope)], now_ns)[1]

    def on_quotes(self, batch: QuoteBatch) -> Reports:
        """New quotes for the checks and the venue; the fills, cancels and expiries up to and by them."""
        step(self.state, Quotes(batch))
        news = self.venue.on_quotes(batch)
        return self._venue(news, self.state.now_ns) if news or self.state.plans else _NOTHING

    def on_time(self, now_ns: int) -> Reports:
        """Whatever is due up to and including ``now_ns``, at the venue and of orders at work."""
        return self._venue(self.venue.on_time(now_ns), now_ns)

    def orders(self) -> tuple[OrderState, ...]:
        """Every order stored, oldest first."""
        return tuple(state for _, state in self.store.orders(open_only=False, after_row=0, limit=_ALL))

    def _venue(self, news: list[VenueEvent], now_ns: int) -> Reports:
        events: list[Event] = [VenueEvents(tuple(news), 0)] if news else []
        if self.state.plans:
            events.append(Work(now_ns, 0))
        return self._run(events, now_ns)[1] if events else _NOTHING

    def _run(self, events: Sequence[Event], now_ns: int) -> tuple[tuple[OrderAck, ...], Reports]:
        acks: list[OrderAck] = []
        reports: list[ExecutionReport] = []
        pending = list(events)
        while pending:
            group = decide(self.state, self.store, pending)
            self.store.commit(group.records)
            outcome = act(group, self.venue, max(now_ns, self.state.now_ns))
            acks += [ack for of_event in outcome.acks for ack in of_event]
            reports += outcome.reports
            pending = [VenueEvents(tuple(outcome.venue), 0)] if outcome.venue else []
        return tuple(acks), tuple(reports)

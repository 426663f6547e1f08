"""Any interleaving of orders, retries, cancels, leaders, control, venue news and crashes keeps the promises.

The venue here is the truth the core is held against: it survives every crash and counts what reached it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from common.messages import Order, OrdStatus, Refusal, TradingState
from execution.core import step
from execution.events import Cancel, Fence, Quotes, Recovered, Resolve, SetTrading, Submit, VenueEvents
from execution.state import ExecutionSetup, start
from execution.store import MemoryStore
from execution.venues.port import VenueKind
from tests.execution_world import make_limits, make_order, make_universe, standing
from tests.parents_world import Exchange, Mortal

UNIVERSE = make_universe()
LIMITS = make_limits()


class Life(Mortal, RuleBasedStateMachine):
    ids = Bundle("ids")

    @initialize()
    def open(self) -> None:
        self.store = MemoryStore()
        self.venue = Exchange()
        self.final: dict[str, OrdStatus] = {}
        self.next = 0
        self.state = start(ExecutionSetup(UNIVERSE, LIMITS, self.store.load()))
        self.quoted()
        self.run([Fence(1, "m1")])

    def quoted(self) -> None:
        for symbol in ("AAA", "BBB"):
            step(self.state, Quotes(standing(symbol=symbol)))

    def restart(self) -> None:
        self.state = start(ExecutionSetup(UNIVERSE, LIMITS, self.store.load()))
        self.quoted()
        self.run([Recovered(1)])

    crashes = st.sampled_from(["", "", "", "before the commit", "after the commit", "after the act"])

    @rule(
        target=ids, lots=st.integers(1, 6), more=st.integers(0, 2), crash=crashes, instrument=st.sampled_from([0, 1, 4])
    )
    def submit(self, lots: int, more: int, crash: str, instrument: int) -> Order:
        self.next += 1
        order = make_order(f"o{self.next}", instrument, lots=lots, epoch=self.state.epoch)
        others = [make_order(f"o{self.next}-{k}", epoch=self.state.epoch) for k in range(more)]
        self.run([Submit(o, 1) for o in (order, *others)], crash)
        return order

    @rule(order=ids, crash=crashes, newer=st.booleans())
    def retry(self, order: Order, crash: str, newer: bool) -> None:
        order = replace(order, epoch=self.state.epoch if newer else order.epoch)
        known = self.store.get([order.client_order_id])
        leading = order.epoch == self.state.epoch
        acks = self.run([Submit(order, 1)], crash)
        if acks and not leading:
            assert acks[0].refusal is Refusal.STALE_EPOCH
        elif acks and known:
            assert (acks[0].duplicate, acks[0].ord_status) == (True, known[0].ord_status)
            assert (acks[0].refusal, acks[0].text) == (known[0].refusal, known[0].text)

    @rule(order=ids)
    def reuse(self, order: Order) -> None:
        known = self.store.get([order.client_order_id])
        if known:
            other = replace(order, quantity_lots=order.quantity_lots + 1, epoch=self.state.epoch)
            (ack,) = self.run([Submit(other, 1)])
            assert ack.refusal is Refusal.ID_REUSED
            assert self.store.get([order.client_order_id]) == known

    @rule(order=ids, crash=crashes)
    def cancel(self, order: Order, crash: str) -> None:
        self.run([Cancel((order.client_order_id, "nobody"), self.state.epoch, 1)], crash)

    @rule(crash=crashes, holder=st.sampled_from(["m1", "m2"]), ahead=st.integers(-1, 2))
    def fence(self, crash: str, holder: str, ahead: int) -> None:
        before = self.state.epoch
        self.run([Fence(max(before + ahead, 1), holder)], crash)
        assert self.state.epoch >= before
        stale = make_order("never", epoch=self.state.epoch - 1)
        early = make_order("never", epoch=self.state.epoch + 1)
        acks = self.run([Submit(stale, 1), Submit(early, 1), Cancel(("o1",), self.state.epoch - 1, 1)])
        assert {a.refusal for a in acks} == {Refusal.STALE_EPOCH}
        assert not self.store.get(["never"])

    @rule(state=st.sampled_from([TradingState.ACTIVE, TradingState.ACTIVE, TradingState.PAUSED, TradingState.KILLED]))
    def control(self, state: TradingState) -> None:
        self.run([SetTrading(state, "alice", "test", 1)])
        self.restart()
        assert self.state.trading.state is state
        if state is not TradingState.ACTIVE:
            before = sum(self.venue.arrived.values())
            self.next += 1
            (ack,) = self.run([Submit(make_order(f"o{self.next}", epoch=self.state.epoch), 1)])
            assert ack.refusal.name == state.name
            assert sum(self.venue.arrived.values()) == before
        if state is TradingState.KILLED:
            assert all(self.state.orders[name].cancel_asked for name in self.state.open)

    @rule(order=ids, kind=st.sampled_from(VenueKind), lots=st.integers(1, 6), crash=crashes, heard=st.booleans())
    def venue_speaks(self, order: Order, kind: VenueKind, lots: int, crash: str, heard: bool) -> None:
        name = order.client_order_id
        if name not in self.venue.orders or self.venue.leaves(name) == 0 or kind >= VenueKind.CANCEL_REJECTED:
            return
        if kind is VenueKind.REJECTED and self.venue.told[name]:
            return
        event = self.venue.happen(name, kind, min(lots, self.venue.leaves(name)) if kind is VenueKind.FILL else 0)
        if heard:
            self.run([VenueEvents((event,), 1)], crash)

    @rule(order=ids, at=st.integers(0, 5))
    def venue_repeats(self, order: Order, at: int) -> None:
        told = self.venue.told.get(order.client_order_id, [])
        self.run([VenueEvents(tuple(told[: at + 1]), 1)])

    @rule(order=consumes(ids))
    def venue_is_asked(self, order: Order) -> None:
        name = order.client_order_id
        if name in self.venue.orders:
            self.run([VenueEvents(tuple(self.venue.ask(name, 0)), 1)])

    @rule()
    def line_breaks(self) -> None:
        self.venue.down = not self.venue.down

    @rule()
    def ask_again(self) -> None:
        self.run([Resolve()])

    # -- promises ------------------------------------------------------------------------------------------------------

    @invariant()
    def each_id_reaches_the_venue_at_most_once(self) -> None:
        assert all(count == 1 for count in self.venue.arrived.values())

    @invariant()
    def what_reached_the_venue_is_stored(self) -> None:
        assert len(self.store.get(list(self.venue.orders))) == len(self.venue.orders)

    @invariant()
    def reports_have_no_gap_and_fills_are_booked_once(self) -> None:
        reports = self.store.reports(1, 10**6)
        assert [r.sequence for r in reports] == list(range(1, len(reports) + 1))
        fills = [r.exec_id for r in reports if r.last_lots]
        assert len(fills) == len(set(fills))
        happened = {e.exec_id: e.lots for told in self.venue.told.values() for e in told if e.lots}
        assert all(happened[r.exec_id] == r.last_lots for r in reports if r.last_lots)
        assert sum(1 for _ in fills) == self.state.fills_stored

    @invariant()
    def quantities_add_up_and_the_end_is_final(self) -> None:
        for row in self.store.orders(open_only=False, after_row=0, limit=10**6):
            state = row[1]
            name = state.order.client_order_id
            assert 0 <= state.cum_lots <= state.order.quantity_lots
            if state.ord_status.terminal:
                assert state.leaves_lots == 0
                assert self.final.setdefault(name, state.ord_status) is state.ord_status
            else:
                assert name not in self.final
                assert state.cum_lots + state.leaves_lots == state.order.quantity_lots

    @invariant()
    def memory_is_what_the_store_would_load(self) -> None:
        fresh = start(ExecutionSetup(UNIVERSE, LIMITS, self.store.load()))
        assert {n: self.state.orders[n] for n in self.state.open} == {n: fresh.orders[n] for n in fresh.open}
        mine, other = self.state.exposure, fresh.exposure
        assert _nonzero(mine.position_lots) == _nonzero(other.position_lots)
        assert _nonzero(mine.working_buy_lots) == _nonzero(other.working_buy_lots)
        assert mine.open_orders == other.open_orders
        assert (self.state.sequence, self.state.orders_stored) == (fresh.sequence, fresh.orders_stored)

    def teardown(self) -> None:
        """The day ends: the venue finishes what it has and is asked about everything; nothing stays open or is lost."""
        if not hasattr(self, "store"):
            return
        self.venue.down = False
        for name in self.venue.orders:
            if self.venue.leaves(name):
                self.venue.happen(name, VenueKind.EXPIRED)
        self.restart()
        assert not self.state.open
        booked = Counter({r.exec_id: r.last_lots for r in self.store.reports(1, 10**6) if r.last_lots})
        assert booked == Counter({e.exec_id: e.lots for told in self.venue.told.values() for e in told if e.lots})


def _nonzero(lots: dict[int, int]) -> dict[int, int]:
    return {k: v for k, v in lots.items() if v}


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)

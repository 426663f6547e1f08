"""Any interleaving of worked orders, quotes, venue news, cancels, kills, lost lines and crashes keeps the promises.

The exchange (``tests/parents_world.py``) survives every crash and is the truth: what reached it, what it filled.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from common.messages import Order, OrdStatus, Side, TimeInForce, TradingState
from common.tactics import DIRECT, Follow, Tactic, TacticKind
from execution.events import Cancel, Resolve, SetTrading, Submit, Work
from execution.state import ExecutionSetup, start
from execution.tactics.order import parent_of, worked
from execution.venues.port import VenueKind
from tests.execution_world import make_order
from tests.parents_world import LIMITS, UNIVERSE, House

MS = 1_000_000
TERMS = (
    Tactic(TacticKind.PASSIVE, urgency_percent=50, budget_ms=5_000, interval_ms=200, runaway_ticks=2),
    Tactic(TacticKind.SLICED, participation_percent=30, budget_ms=5_000, interval_ms=200),
)


class Life(RuleBasedStateMachine):
    crashes = st.sampled_from(["", "", "", "before the commit", "after the commit", "after the act"])

    @initialize()
    def open_house(self) -> None:
        self.house = House()
        self.next = 0
        self.asked: dict[str, Order] = {}
        self.final: dict[str, OrdStatus] = {}

    def _submit(self, crash: str, **content: object) -> None:
        self.next += 1
        name = f"o{self.next}"
        order = make_order(name, event_time_ns=self.house.now_ns, **content)
        self.house.run([Submit(order, 1)], crash)
        if self.house.store.get([name]):
            self.asked[name] = order

    @rule(
        tactic=st.sampled_from(TERMS),
        lots=st.integers(1, 12),
        side=st.sampled_from(list(Side)),
        day=st.booleans(),
        crash=crashes,
    )
    def worked_order(self, tactic: Tactic, lots: int, side: Side, day: bool, crash: str) -> None:
        self._submit(
            crash,
            side=side,
            lots=lots,
            limit_ticks=1003 if side is Side.BUY else 999,
            tactic=tactic,
            time_in_force=TimeInForce.DAY if day else TimeInForce.IOC,
        )

    @rule(lots=st.integers(1, 8), crash=crashes)
    def plain_order(self, lots: int, crash: str) -> None:
        self._submit(crash, instrument=1, lots=lots, limit_ticks=1002)

    @precondition(lambda self: self.asked)
    @rule(which=st.integers(0, 99), over=st.integers(1, 3), tactic=st.sampled_from((DIRECT, *TERMS)), crash=crashes)
    def follower(self, which: int, over: int, tactic: Tactic, crash: str) -> None:
        lead = list(self.asked.values())[which % len(self.asked)]
        follow = Follow(lead.client_order_id, 1, over)
        if lots := follow.released_lots(lead.quantity_lots):
            self._submit(crash, lots=lots, instrument=4, limit_ticks=1002, tactic=tactic, follows=follow)

    @rule(
        after_ms=st.sampled_from([0, 50, 200, 1500]),
        bid=st.integers(997, 1004),
        spread=st.integers(0, 3),
        lots=st.integers(1, 40),
        crash=crashes,
    )
    def market(self, after_ms: int, bid: int, spread: int, lots: int, crash: str) -> None:
        self.house.now_ns += after_ms * MS
        self.house.quote(bid, bid + spread, lots)
        self.house.run([Work(self.house.now_ns, 1)], crash)

    @precondition(lambda self: self.house.venue.open())
    @rule(
        which=st.integers(0, 99),
        kind=st.sampled_from(
            [VenueKind.ACCEPTED, VenueKind.FILL, VenueKind.FILL, VenueKind.FILL, *list(VenueKind)[2:5]]
        ),
        lots=st.integers(1, 6),
        crash=crashes,
        heard=st.sampled_from([True, True, True, False]),
    )
    def venue_speaks(self, which: int, kind: VenueKind, lots: int, crash: str, heard: bool) -> None:
        venue = self.house.venue
        name = venue.open()[which % len(venue.open())]
        if kind is VenueKind.REJECTED and venue.told[name]:
            return
        event = venue.happen(name, kind, min(lots, venue.leaves(name)) if kind is VenueKind.FILL else 0)
        if heard:
            self.house.hear(event, crash=crash)

    @precondition(lambda self: self.house.venue.cancels)
    @rule(crash=crashes)
    def venue_honours_its_cancels(self, crash: str) -> None:
        venue = self.house.venue
        ended = [venue.happen(n, VenueKind.CANCELED) for n in sorted(venue.cancels & set(venue.open()))]
        venue.cancels.clear()
        self.house.hear(*ended, crash=crash)

    @precondition(lambda self: self.house.venue.told)
    @rule(which=st.integers(0, 99))
    def venue_repeats(self, which: int) -> None:
        told = list(self.house.venue.told.values())
        self.house.hear(*told[which % len(told)])

    @precondition(lambda self: self.asked)
    @rule(which=st.integers(0, 99), crash=crashes)
    def cancel(self, which: int, crash: str) -> None:
        name = list(self.asked)[which % len(self.asked)]
        self.house.run([Cancel((name, f"{name}.1"), 1, 1)], crash)

    @rule(said=st.sampled_from([TradingState.ACTIVE] * 4 + [TradingState.PAUSED, TradingState.KILLED]), crash=crashes)
    def control(self, said: TradingState, crash: str) -> None:
        self.house.run([SetTrading(said, "alice", "test", 1)], crash)
        if said is TradingState.KILLED and not crash:
            state = self.house.state
            assert all(state.orders[name].cancel_asked for name in state.open)

    @rule()
    def line_breaks_or_heals(self) -> None:
        self.house.venue.down = not self.house.venue.down

    @rule()
    def ask_again(self) -> None:
        self.house.run([Resolve()])

    # -- promises ------------------------------------------------------------------------------------------------------

    @invariant()
    def each_id_reaches_the_venue_once_and_is_a_child_or_a_plain_order(self) -> None:
        venue = self.house.venue
        assert all(count == 1 for count in venue.arrived.values())
        for name, order in venue.orders.items():
            child = parent_of(name)
            parent = self.asked[child[0] if child else name]
            assert worked(parent) is (child is not None)
            assert (order.instrument, order.side) == (parent.instrument, parent.side)
            assert parent.side.sign * (parent.limit_ticks - order.limit_ticks) >= 0

    @invariant()
    def the_venue_never_has_more_of_a_parent_than_it_asked_for(self) -> None:
        venue = self.house.venue
        have: Counter[str] = Counter()
        filled: Counter[str] = Counter()
        for name in venue.orders:
            parent = child[0] if (child := parent_of(name)) else name
            have[parent] += venue.filled(name) + venue.leaves(name)
            filled[parent] += venue.filled(name)
        for name, lots in have.items():
            order = self.asked[name]
            most = order.quantity_lots
            if order.follows is not None:
                most = min(most, order.follows.released_lots(filled[order.follows.lead_client_order_id]))
            assert lots <= most, f"{name}: {lots} of {most} lots"

    @invariant()
    def the_manager_hears_of_parents_alone_and_every_lot_once(self) -> None:
        reports = self.house.reports()
        assert [r.sequence for r in reports] == list(range(1, len(reports) + 1))
        assert {r.client_order_id for r in reports} <= set(self.asked)
        for r in (r for r in reports if r.last_lots):
            assert bool(r.child_order_id) is worked(self.asked[r.client_order_id])
        fills = Counter({r.exec_id: r.last_lots for r in reports if r.last_lots})
        happened = Counter({e.exec_id: e.lots for told in self.house.venue.told.values() for e in told if e.lots})
        assert fills <= happened
        assert len(fills) == sum(1 for r in reports if r.last_lots) == self.house.state.fills_stored

    @invariant()
    def parents_and_their_children_add_up(self) -> None:
        store = self.house.store
        listed = [s for _, s in store.orders(open_only=False, after_row=0, limit=10**6)]
        assert [s.order.client_order_id for s in listed] == list(self.asked)
        for s in (s for s in listed if worked(s.order)):
            name = s.order.client_order_id
            children = store.get([f"{name}.{n}" for n in range(1, 200)])
            assert s.cum_lots == sum(c.cum_lots for c in children) <= s.order.quantity_lots
            if s.ord_status.terminal:
                assert s.leaves_lots == 0
                assert not any(c.open for c in children), "an ended parent with a child at work"
                assert self.final.setdefault(name, s.ord_status) is s.ord_status
                assert (s.ord_status is OrdStatus.FILLED) is (s.cum_lots == s.order.quantity_lots)
            else:
                assert name not in self.final
                plan = self.house.state.plans[name]
                assert plan.filled_lots == s.cum_lots
                assert plan.working_lots == sum(c.leaves_lots for c in children)

    @invariant()
    def memory_is_what_the_store_would_load(self) -> None:
        mine = self.house.state
        fresh = start(ExecutionSetup(UNIVERSE, LIMITS, self.house.store.load()))
        assert {n: mine.orders[n] for n in mine.open} == {n: fresh.orders[n] for n in fresh.open}
        a, b = mine.exposure, fresh.exposure
        for of in ("position_lots", "working_buy_lots", "working_sell_lots"):
            assert _nonzero(getattr(a, of)) == _nonzero(getattr(b, of))
        assert a.open_orders == b.open_orders
        assert (mine.sequence, mine.orders_stored) == (fresh.sequence, fresh.orders_stored)

    @invariant()
    def what_may_be_at_work_is_held_against_the_position_limit(self) -> None:
        """Every lot that may still fill is held once: by the parent, not again by its children."""
        buys = sum(
            s.leaves_lots
            for _, s in self.house.store.orders(open_only=True, after_row=0, limit=10**6)
            if s.order.side is Side.BUY
        )
        assert sum(self.house.state.exposure.working_buy_lots.values()) == buys

    def teardown(self) -> None:
        """The venue ends what it has and is asked; the manager cancels the rest: everything ends, every fill is booked."""
        if not hasattr(self, "house"):
            return
        house = self.house
        house.venue.down = False
        house.run([SetTrading(TradingState.KILLED, "alice", "the end", 1)])
        for name in house.venue.open():
            house.venue.happen(name, VenueKind.EXPIRED)
        house.restart()
        assert not house.state.open
        assert not house.state.plans
        booked = Counter({r.exec_id: r.last_lots for r in house.reports() if r.last_lots})
        assert booked == Counter({e.exec_id: e.lots for told in house.venue.told.values() for e in told if e.lots})


def _nonzero(lots: dict[int, int]) -> dict[int, int]:
    return {k: v for k, v in lots.items() if v}


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=120, stateful_step_count=35, deadline=None)

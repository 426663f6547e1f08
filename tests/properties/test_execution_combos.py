"""Any interleaving of combos, fills told leg by leg, losses, rejects, cancels, kills and crashes keeps the promises.

The exchange (``tests/combos_world.py``) survives every crash and is the truth; it fills legs in their ratio, as a venue does.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from common.messages import Order, OrdStatus, Side, TimeInForce, TradingState
from common.tactics import Follow, Tactic
from execution.events import Cancel, Resolve, SetTrading, Submit, Work
from execution.state import ExecutionSetup, start
from execution.tactics.order import parent_of
from execution.venues.port import VenueEvent, VenueKind
from tests.combos_world import ComboHouse, combo_tactic
from tests.execution_world import make_order
from tests.parents_world import LIMITS, UNIVERSE

MS = 1_000_000
CENTS_A_TICK = 1250  # 0.25 points of USD 50
ROWS = (1, 0, 2, 5)
#: Lots shown on every side, and how a combo is worked: ticks of improvement (0: it takes), urgency, share of the size shown.
SHOWN = 10
HOW = st.sampled_from([(0, 0, 0), (0, 0, 0), (1, 0, 0), (1, 50, 0), (2, 100, 0), (0, 0, 50), (1, 50, 40)])
CRASHES = st.sampled_from(["", "", "", "", "before the commit", "after the commit", "after the act"])


class Life(RuleBasedStateMachine):
    @initialize()
    def open_house(self) -> None:
        self.house = ComboHouse()
        self.next = 0
        self.asked: dict[str, Order] = {}
        #: Per lead: lots in one unit of each leg that is still to come, and all of them.
        self.coming: dict[str, list[int]] = {}
        self.unit: dict[str, tuple[int, ...]] = {}
        self.final: dict[str, OrdStatus] = {}

    def _submit(self, crash: str, lots: int, row: int, side: Side, tactic: Tactic, follows: Follow | None) -> str:
        self.next += 1
        name = f"o{self.next}"
        limit = 1002 if side is Side.BUY else 1000
        order = make_order(
            name, row, side, lots, limit_ticks=limit, follows=follows, tactic=tactic,
            event_time_ns=self.house.now_ns,
        )  # fmt: skip
        self.house.run([Submit(order, 1)], crash)
        if not self.house.store.get([name]):
            return ""
        self.asked[name] = order
        return name

    @rule(
        unit=st.lists(st.integers(1, 4), min_size=2, max_size=4),
        units=st.integers(1, 4),
        side=st.sampled_from(list(Side)),
        how=HOW,
        crash=CRASHES,
    )
    def lead(self, unit: list[int], units: int, side: Side, how: tuple[int, int, int], crash: str) -> None:
        if name := self._submit(crash, unit[0] * units, ROWS[0], side, combo_tactic(len(unit), *how), None):
            self.unit[name] = tuple(unit)
            self.coming[name] = unit[1:]

    @rule(
        unit=st.lists(st.integers(1, 4), min_size=2, max_size=3),
        units=st.integers(2, 4),
        side=st.sampled_from(list(Side)),
        how=HOW,
        crash=CRASHES,
    )
    def whole_combo(self, unit: list[int], units: int, side: Side, how: tuple[int, int, int], crash: str) -> None:
        """All legs at once where trading is lifted: what happens to it afterwards is up to the other rules."""
        for scope in ("", "underlying:BBB"):
            self.house.run([SetTrading(TradingState.ACTIVE, "alice", "test", 1, scope)])
        self.lead(unit, units, side, how, "")
        for _ in unit[1:]:
            if any(self.coming.values()):
                self.leg(-1, Side.BUY if side is Side.SELL else Side.SELL, crash)

    @precondition(lambda self: any(self.coming.values()))
    @rule(which=st.integers(0, 99), side=st.sampled_from(list(Side)), crash=CRASHES)
    def leg(self, which: int, side: Side, crash: str) -> None:
        waiting = [name for name, lots in self.coming.items() if lots]
        lead = waiting[which % len(waiting)]
        unit, n = self.unit[lead], self.coming[lead][0]
        units = self.asked[lead].quantity_lots // unit[0]
        row = ROWS[len(unit) - len(self.coming[lead])]
        if self._submit(crash, n * units, row, side, combo_tactic(), Follow(lead, n, unit[0])):
            self.coming[lead].pop(0)

    @rule(after_ms=st.sampled_from([0, 100, 500, 500, 3000]), bid=st.integers(999, 1001), crash=CRASHES)
    def market(self, after_ms: int, bid: int, crash: str) -> None:
        self.house.now_ns += after_ms * MS
        self.house.quote(bid, bid + 2)
        self.house.run([Work(self.house.now_ns, 1)], crash)

    def _open(self) -> list[str]:
        venue = self.house.venue
        return [c for c in venue.sent if any(venue.leaves(n) for n, _ in venue.combo(c).legs)]

    def _told(self, events: list[VenueEvent], order: int, heard: int, crash: str) -> None:
        """Legs are heard in any order, and only ``heard`` events of them now; the rest is lost until more is heard of that leg.

        A line that lost something tells it again before anything newer.
        """
        legs = list(dict.fromkeys(e.client_order_id for e in events))
        turned = legs[order % len(legs) :] + legs[: order % len(legs)] if legs else []
        now = sorted(events, key=lambda e: turned.index(e.client_order_id))[:heard]
        told = self.house.venue.told
        self.house.hear(*(e for new in now for e in told[new.client_order_id] if e.exec_id <= new.exec_id), crash=crash)

    @precondition(lambda self: self._open())
    @rule(
        which=st.integers(0, 99),
        units=st.integers(1, 4),
        ends=st.sampled_from([None, None, VenueKind.CANCELED, VenueKind.EXPIRED]),
        order=st.integers(0, 7),
        heard=st.sampled_from([9, 9, 9, 1, 0]),
        crash=CRASHES,
    )
    def venue_fills(self, which: int, units: int, ends: VenueKind | None, order: int, heard: int, crash: str) -> None:
        venue = self.house.venue
        combo = self._open()[which % len(self._open())]
        events = venue.fill(combo, min(units, venue.units_left(combo)))
        self._told(events + (venue.end(combo, ends) if ends else []), order, heard, crash)

    @precondition(lambda self: self._open())
    @rule(
        which=st.integers(0, 99),
        kind=st.sampled_from([VenueKind.ACCEPTED, VenueKind.REJECTED, VenueKind.CANCELED]),
        order=st.integers(0, 3),
        heard=st.sampled_from([9, 9, 1, 0]),
        crash=CRASHES,
    )
    def venue_speaks(self, which: int, kind: VenueKind, order: int, heard: int, crash: str) -> None:
        venue = self.house.venue
        combo = self._open()[which % len(self._open())]
        if kind is VenueKind.REJECTED and any(venue.told[n] for n, _ in venue.combo(combo).legs):
            return
        self._told(venue.end(combo, kind), order, heard, crash)

    @precondition(lambda self: self.house.venue.told)
    @rule(which=st.integers(0, 99))
    def venue_repeats(self, which: int) -> None:
        told = list(self.house.venue.told.values())
        self.house.hear(*told[which % len(told)])

    @precondition(lambda self: self.asked)
    @rule(which=st.integers(0, 99), crash=CRASHES)
    def cancel(self, which: int, crash: str) -> None:
        self.house.run([Cancel((list(self.asked)[which % len(self.asked)],), 1, 1)], crash)

    @rule(
        said=st.sampled_from([TradingState.ACTIVE] * 4 + [TradingState.PAUSED, TradingState.KILLED]),
        scope=st.sampled_from(["", "underlying:BBB"]),
        crash=CRASHES,
    )
    def control(self, said: TradingState, scope: str, crash: str) -> None:
        self.house.run([SetTrading(said, "alice", "test", 1, scope)], crash)

    @rule(down=st.booleans(), lost=st.booleans())
    def line_breaks_or_heals(self, down: bool, lost: bool) -> None:
        self.house.venue.down, self.house.venue.lost = down, lost and down

    @rule()
    def ask_again(self) -> None:
        self.house.run([Resolve()])

    # -- promises ------------------------------------------------------------------------------------------------------

    @invariant()
    def every_id_leaves_once_and_as_a_leg(self) -> None:
        venue = self.house.venue
        assert all(count == 1 for count in (venue.arrived | venue.combo_arrivals).values())
        assert set(venue.orders) == {leg.client_order_id for legs in venue.sent.values() for leg in legs}

    @invariant()
    def every_combo_is_whole_in_ratio_and_no_worse_than_the_limits(self) -> None:
        for legs in self.house.venue.sent.values():
            (combo,) = {leg.combo for leg in legs}
            assert combo is not None
            parents = [self.asked[parent_of(leg.client_order_id)[0]] for leg in legs]
            lead = parents[0]
            assert [p.follows and p.follows.lead_client_order_id for p in parents] == [
                None, *[lead.client_order_id] * (len(parents) - 1),
            ]  # fmt: skip
            assert len(parents) == lead.tactic.legs
            assert (
                len({Fraction(leg.quantity_lots, p.quantity_lots) for leg, p in zip(legs, parents, strict=True)}) == 1
            )
            paid = sum(
                p.side.sign * n * p.limit_ticks * CENTS_A_TICK for (_, n), p in zip(combo.legs, parents, strict=True)
            )
            # At the limits together where it takes; one that rests asks for more, by the improvement where the market is there.
            (lasts,) = {leg.time_in_force for leg in legs}
            assert combo.net_limit_cents == paid if lasts is TimeInForce.IOC else combo.net_limit_cents <= paid
            assert lasts is TimeInForce.IOC or lead.tactic.improve_ticks
            if share := lead.tactic.participation_percent:
                assert all(leg.quantity_lots <= SHOWN * share // 100 for leg in legs)
            assert len({Fraction(leg.quantity_lots, n) for (_, n), leg in zip(combo.legs, legs, strict=True)}) == 1

    @invariant()
    def the_venue_never_has_more_than_was_asked_for_and_one_combo_at_a_time(self) -> None:
        venue = self.house.venue
        have: Counter[str] = Counter()
        for name in venue.orders:
            have[parent_of(name)[0]] += venue.filled(name) + venue.leaves(name)
        assert all(lots <= self.asked[name].quantity_lots for name, lots in have.items())
        assert max(Counter(parent_of(c)[0] for c in self._open()).values(), default=1) == 1

    @invariant()
    def every_lot_is_booked_once_and_only_what_happened(self) -> None:
        reports = self.house.reports()
        assert [r.sequence for r in reports] == list(range(1, len(reports) + 1))
        booked = [(r.client_order_id, r.exec_id, r.last_lots) for r in reports if r.last_lots]
        happened = {
            (parent_of(e.client_order_id)[0], e.exec_id, e.lots)
            for told in self.house.venue.told.values() for e in told if e.lots
        }  # fmt: skip
        assert len(booked) == len(set(booked)) and set(booked) <= happened

    @invariant()
    def parents_and_legs_add_up_and_nothing_but_people_stops_trading(self) -> None:
        store, state = self.house.store, self.house.state
        assert state.trading.who in ("", "alice"), state.trading.why
        for name, order in self.asked.items():
            (parent,) = store.get([name])
            children = store.get([f"{name}.{n}" for n in range(1, 60)])
            assert parent.cum_lots == sum(c.cum_lots for c in children) <= order.quantity_lots
            if parent.ord_status.terminal:
                assert not any(c.open for c in children)
                assert self.final.setdefault(name, parent.ord_status) is parent.ord_status
            else:
                assert state.plans[name].working_lots == sum(c.leaves_lots for c in children)

    @invariant()
    def legs_are_stored_together(self) -> None:
        store = self.house.store
        for name in self.unit:
            for n in range(1, 60):
                (leg, *_) = store.get([f"{name}.{n}"]) or (None,)
                if leg is None:
                    break
                assert len(store.get(leg.order.combo.leg_ids)) == len(self.unit[name])

    @invariant()
    def memory_is_what_the_store_would_load(self) -> None:
        mine = self.house.state
        fresh = start(ExecutionSetup(UNIVERSE, LIMITS, self.house.store.load()))
        assert {n: mine.orders[n] for n in mine.open} == {n: fresh.orders[n] for n in fresh.open}
        assert mine.exposure.open_orders == fresh.exposure.open_orders

    def teardown(self) -> None:
        """The line heals, the venue ends what it has, the manager cancels the rest: all ends, all is booked, legs in ratio."""
        if not hasattr(self, "house"):
            return
        house = self.house
        house.venue.down = house.venue.lost = False
        house.run([SetTrading(TradingState.KILLED, "alice", "the end", 1)])
        house.run([Resolve()])
        for combo in self._open():
            house.venue.end(combo)
        house.hear(*(event for told in list(house.venue.told.values()) for event in told))
        house.run([Resolve()])
        venue = house.venue
        filled: Counter[str] = Counter()
        for name in venue.orders:
            filled[parent_of(name)[0]] += venue.filled(name)
        for name, order in self.asked.items():
            (parent,) = house.store.get([name])
            assert parent.ord_status.terminal and parent.cum_lots == filled[name]
            if order.follows is not None and order.tactic == combo_tactic():
                lead = self.asked[order.follows.lead_client_order_id]
                if parent.ord_status is not OrdStatus.REJECTED:
                    assert filled[name] * lead.quantity_lots == filled[lead.client_order_id] * order.quantity_lots
        assert house.state.trading.who == "alice"


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)

"""Whatever quotes, fills, rejects, losses, restarts and cancels come: lots add up and no child does what the parent may not.

The venue's own book of children (``tests/tactics_world.py``) is the truth the plan is held against.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from common.messages import OrdStatus, Side, TimeInForce
from common.tactics import TacticKind
from execution.tactics.plan import MAX_CHILDREN, CancelAsked, Place
from tests.execution_world import T0_NS
from tests.tactics_world import MS, Desk, parent, quote

SIDES = st.sampled_from(list(Side))
ENDS = st.sampled_from([OrdStatus.CANCELED, OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED])
QUOTES = st.one_of(
    st.none(),
    st.builds(
        lambda bid, spread, b, a: quote(bid, bid + spread, b, a),
        st.integers(990, 1012),
        st.integers(1, 4),
        st.integers(1, 60),
        st.integers(1, 60),
    ),
)


class Work(RuleBasedStateMachine):
    @initialize(
        kind=st.sampled_from(list(TacticKind)),
        side=SIDES,
        day=st.booleans(),
        lots=st.integers(1, 30),
        ratio=st.one_of(st.none(), st.tuples(st.integers(1, 9), st.integers(1, 9))),
        end_s=st.sampled_from([0, 5, 90]),
        urgency=st.sampled_from([0, 40, 100]),
        improve=st.integers(0, 3),
        runaway=st.integers(0, 3),
    )
    def open_desk(
        self,
        kind: TacticKind,
        side: Side,
        day: bool,
        lots: int,
        ratio: tuple[int, int] | None,
        end_s: int,
        urgency: int,
        improve: int,
        runaway: int,
    ) -> None:
        if kind is TacticKind.DIRECT and ratio is None:
            ratio = (1, 1)
        terms = {"numerator": ratio[0], "denominator": ratio[1]} if ratio else {}
        if kind is TacticKind.PASSIVE:
            terms |= {"urgency_percent": urgency, "improve_ticks": improve, "runaway_ticks": runaway}
        if ratio is not None:
            self.lead_quantity = lots
            lots = max((2 * ratio[0] * lots + ratio[1]) // (2 * ratio[1]), 1)
        day = day and kind is not TacticKind.COMBO  # which is leg by leg here: a plan alone knows of no venue
        self.desk = Desk(parent(kind, lots, side, day, **terms), T0_NS + end_s * 1000 * MS if end_s else 0)
        self.follows = ratio is not None
        self.lead_lots, self.lead_ended = 0, False

    def check(self, actions: list[object]) -> None:
        """Each child as it is placed: limit, far side, share, interval."""
        desk, order = self.desk, self.desk.order
        for place in (a for a in actions if isinstance(a, Place)):
            assert place.lots >= 1
            assert order.side.sign * (order.limit_ticks - place.ticks) >= 0
            if order.tactic.kind in (TacticKind.DIRECT, TacticKind.COMBO):
                continue
            budget_over = desk.now_ns >= desk.plan.budget_end_ns
            left_at_limit = order.time_in_force is TimeInForce.DAY and budget_over and place.ticks == order.limit_ticks
            if left_at_limit:
                continue
            assert desk.quote is not None
            q = desk.quote
            far, shown = (q.ask_ticks, q.ask_lots) if order.side is Side.BUY else (q.bid_ticks, q.bid_lots)
            if place.time_in_force is TimeInForce.DAY:
                assert order.side.sign * (far - place.ticks) > 0, "a resting child touches the far side"
                assert order.tactic.kind is TacticKind.PASSIVE
            else:
                assert place.ticks == far
            if order.tactic.kind is TacticKind.SLICED:
                assert 100 * place.lots <= order.tactic.participation_percent * shown
                before = [t.placed_ns for n, t in desk.tickets.items() if n != place.number]
                assert all(desk.now_ns - at_ns >= order.tactic.interval_ms * MS for at_ns in before)

    @rule(
        after_ms=st.sampled_from([0, 1, 100, 500, 2000]), quoted=QUOTES, may_place=st.sampled_from([True, True, False])
    )
    def market(self, after_ms: int, quoted: object, may_place: bool) -> None:
        actions = self.desk.market(after_ms, quoted, may_place)
        assert may_place or not any(isinstance(a, Place) for a in actions)
        self.check(actions)

    @precondition(lambda self: self.desk.open)
    @rule(which=st.integers(0, 99), lots=st.integers(1, 12))
    def fill(self, which: int, lots: int) -> None:
        self.check(self.desk.fill(self.desk.open[which % len(self.desk.open)], lots))

    @precondition(lambda self: self.desk.open)
    @rule(which=st.integers(0, 99), status=ENDS)
    def end(self, which: int, status: OrdStatus) -> None:
        self.check(self.desk.end(self.desk.open[which % len(self.desk.open)], status))

    @precondition(lambda self: self.follows and not self.lead_ended)
    @rule(more=st.integers(0, 5), ended=st.sampled_from([False, False, True]))
    def lead(self, more: int, ended: bool) -> None:
        self.lead_lots = min(self.lead_lots + more, self.lead_quantity)
        self.lead_ended = ended or self.lead_lots == self.lead_quantity
        self.check(self.desk.lead(self.lead_lots, self.lead_ended))

    @rule()
    def refusals_begin_or_end(self) -> None:
        self.desk.refuse = not self.desk.refuse

    @precondition(lambda self: self.desk.finish is None)
    @rule()
    def restart(self) -> None:
        self.desk.restart(self.lead_ended)

    @rule(asked=st.sampled_from([False, False, False, True]))
    def cancel(self, asked: bool) -> None:
        if asked and self.desk.finish is None:
            self.desk.tell(CancelAsked("asked"))
            assert all(t.cancel_asked for t in self.desk.tickets.values() if t.open)

    @invariant()
    def what_is_out_and_filled_never_exceeds_what_was_released(self) -> None:
        if hasattr(self, "desk"):
            desk = self.desk
            assert desk.filled_lots + desk.out_lots <= desk.released_lots <= desk.order.quantity_lots
            assert (desk.plan.filled_lots, desk.plan.working_lots) == (desk.filled_lots, desk.out_lots)
            assert set(desk.plan.children) == set(desk.open)

    @invariant()
    def the_end_is_told_rightly(self) -> None:
        if hasattr(self, "desk") and self.desk.finish is not None:
            full = self.desk.filled_lots == self.desk.order.quantity_lots
            assert (self.desk.finish.ord_status is OrdStatus.FILLED) is full

    def teardown(self) -> None:
        """Left alone with a venue that cancels as asked and fills nothing, every parent ends."""
        if not hasattr(self, "desk"):
            return
        desk = self.desk
        desk.refuse = False
        if desk.finish is None and desk.order.time_in_force is TimeInForce.DAY:
            desk.tell(CancelAsked("asked"))
        if desk.finish is None and self.follows and not self.lead_ended:
            desk.lead(self.lead_lots, ended=True)
        for _ in range(4 * MAX_CHILDREN):
            if desk.finish is not None:
                return
            for number in desk.open:
                ticket = desk.tickets[number]
                if ticket.cancel_asked or ticket.place.time_in_force is TimeInForce.IOC:
                    desk.end(number)
            if desk.finish is None:
                desk.market(500, quote())
        raise AssertionError(f"never ended: {desk.plan}")


Work.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestWork = Work.TestCase

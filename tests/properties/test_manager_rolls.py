"""Whatever fills, dies or is lost in a roll: each desk ends with as many lots in the new future as it had in the old."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.control_messages import Cycle
from common.messages import OrderState
from common.tactics import TacticKind
from common.units import NS_PER_S
from common.universe import Book
from common.universe import Desk as BookDesk
from manager.fold import apply
from manager.hash import state_hash
from manager.state import start
from tests.manager_world import NOW_NS, Desk, universe
from tests.roll_world import with_next_quarter, with_rolls
from tests.unit.test_manager_control import command

WORLD = with_rolls(with_next_quarter(universe()), NOW_NS + 60 * NS_PER_S)
OLD, NEW = 0, len(WORLD) - 2
DESKS = ("a", "b", "c")
ACTIONS = ("fill", "part", "cancel", "decide", "tick", "takeover", "lost tail")


def rolling(held: list[int]) -> Desk:
    """Three desks, a and b of one entity, that hold so many lots of the old future; one desk for a single number."""
    names = DESKS[: len(held)] if len(held) > 1 else ()
    entity = {"a": "LLC", "b": "LLC", "c": "Ltd"}
    book = Book(
        "book",
        tuple(f"account-{k}" for k in range(len(held))),
        np.full(len(held), OLD, np.uint32),
        np.array(held, np.int64),
        desks=tuple(BookDesk(name, entity[name], (f"account-{k}",)) for k, name in enumerate(names)),
    )
    return Desk(world=WORLD, book=book, owner={})


def position(desk: Desk) -> np.ndarray:
    """(desks, 2): lots of the old and the new future, from the book and what the ledger says was traded."""
    lots = desk.book.desk_lots(len(WORLD)) + desk.state.fold.ledger.net_desk_lots()
    return lots[:, [OLD, NEW]]


def take_over(desk: Desk, lost: int) -> None:
    """Another leader from the journal without its last entries; execution knows every order."""
    before = desk.state
    states = [
        OrderState(x.order, x.status, x.cum_lots, x.leaves_lots)
        for x in (*before.fold.orders.open.values(), *before.fold.orders.ended.values())
    ]
    keep = len(desk.journal) - lost
    desk.journal = desk.journal[:keep]
    desk.state = start(desk.setup)
    for entry in desk.journal:
        apply(desk.state, entry)
    desk.state.market, desk.state.clock_ns = before.market, before.clock_ns
    desk.take_over(before.fold.epoch + 1, states)


def act(desk: Desk, action: str, pick: int) -> None:
    lives = list(desk.state.fold.orders.open.values())
    life = lives[pick % len(lives)] if lives else None
    match action:
        case "fill" if life:
            desk.fill(life.order, life.leaves_lots) if life.cum_lots == 0 else desk.fill(life.order, 0)
        case "part" if life and life.cum_lots == 0:
            desk.fill(life.order, pick % life.order.quantity_lots)
        case "cancel" if life:
            desk.fill(life.order, 0)
        case "tick":
            desk.feed(1.0 + pick % 5)
        case "takeover":
            take_over(desk, 0)
        case "lost tail":
            # Orders leave before their cycle is stored: a leader may die between the two. Crossings are in the entry alone.
            last = desk.journal[-1].event
            take_over(desk, int(isinstance(last, Cycle) and bool(last.orders) and not last.crossings))
        case _:
            desk.decide()


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.lists(st.integers(-90, 90), min_size=1, max_size=1), st.lists(st.integers(-60, 60), min_size=3, max_size=3)
    ),
    st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 1_000)), max_size=25),
)
def test_lots_are_conserved(held: list[int], acts: list[tuple[str, int]]) -> None:
    desk = rolling(held)
    desk.feed(61.0)
    for action, pick in acts:
        act(desk, action, pick)
    for _ in range(60):
        for life in list(desk.state.fold.orders.open.values()):
            desk.fill(life.order, life.leaves_lots) if life.cum_lots == 0 else desk.fill(life.order, 0)
        desk.feed(2.0)
        if not desk.decide() and not desk.state.fold.orders.open and not position(desk)[:, 0].any():
            break
    assert position(desk).tolist() == [[0, n] for n in held]
    assert desk.decide() == []
    again = start(desk.setup)
    for entry in desk.journal:
        apply(again, entry)
    assert state_hash(again) == state_hash(desk.state)


def test_before_its_instant_nothing_rolls_and_what_goes_out_is_a_combo() -> None:
    desk = rolling([7])
    assert desk.decide() == []
    desk.feed(61.0)
    lead, follower = desk.decide()
    assert (lead.instrument, lead.signed_lots, follower.instrument, follower.signed_lots) == (OLD, -7, NEW, 7)
    assert lead.tactic.kind is follower.tactic.kind is TacticKind.COMBO and lead.tactic.legs == 2
    assert follower.follows is not None and follower.follows.lead_client_order_id == lead.client_order_id
    assert lead.cause_id == follower.cause_id == f"roll:{WORLD.instrument_id[OLD]}>{WORLD.instrument_id[NEW]}"
    assert desk.decide() == []  # nothing while it works


def test_desks_of_one_entity_cross_what_cancels_and_two_entities_do_not() -> None:
    desk = rolling([10, -4, 3])
    desk.feed(61.0)
    orders = desk.decide()
    assert [(o.instrument, o.signed_lots) for o in orders] == [(OLD, -6), (NEW, 6)]
    crossings = [c for e in desk.journal if isinstance(e.event, Cycle) for c in e.event.crossings]
    assert sorted((c.instrument, c.buyer, c.seller, c.lots) for c in crossings) == [
        (OLD, "b", "a", 4),
        (NEW, "a", "b", 4),
    ]


def test_what_the_second_leg_lacks_is_traded_alone_in_the_new_future() -> None:
    desk = rolling([5])
    desk.feed(61.0)
    lead, follower = desk.decide()
    desk.fill(lead)
    desk.fill(follower, 2)
    desk.feed(5.0)
    (rest,) = desk.decide()
    assert (rest.instrument, rest.signed_lots, rest.follows) == (NEW, 3, None)


def test_a_size_beyond_what_is_shown_goes_in_parts_and_a_pause_holds_it() -> None:
    desk = rolling([-75])  # 30 lots are shown
    desk.feed(61.0)
    assert [o.quantity_lots for o in desk.decide()] == [30, 30]
    other = rolling([5])
    other.feed(61.0)
    other.send(command("pause", "p1"))
    assert other.decide() == []


def test_two_entities_roll_one_after_the_other() -> None:
    desk = rolling([10, -4, 3])
    desk.feed(61.0)
    for order in desk.decide():
        desk.fill(order)
    desk.feed(1.0)
    assert [(o.instrument, o.signed_lots, o.allocation) for o in desk.decide()] == [
        (OLD, -3, (("roll@c", -3),)),
        (NEW, 3, (("roll@c", 3),)),
    ]

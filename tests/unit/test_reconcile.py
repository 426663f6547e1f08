"""Reconciliation finds each planted difference, names it alone, and says what stands on each side."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from common.messages import OrdStatus, Side
from execution.reconcile import BreakKind, Difference
from execution.venues.statement import NO_INSTRUMENT, StatedFill, StatedOrder
from tests.execution_world import FEE_CENTS
from tests.reconcile_world import Books


def agreeing(kept: int | None = None) -> Books:
    """``part`` open with 2 of 5 filled, ``done`` sold 4, ``gone`` cancelled; both sides know."""
    books = Books(kept)
    books.send("part", 0, Side.BUY, 5)
    books.send("done", 1, Side.SELL, 4)
    books.send("gone", 2, Side.BUY, 3)
    books.deliver_all()
    books.fill("part", 2)
    books.fill("done", 3)
    books.fill("done", 1)
    books.end("gone")
    books.deliver_all()
    assert books.look() == []
    return books


def only(found: list[Difference]) -> Difference:
    assert len(found) == 1, [d.text() for d in found]
    return found[0]


def test_a_fill_only_the_venue_has_is_named_with_its_content_and_explains_its_position() -> None:
    books = agreeing()
    books.fill("part", 1)  # the message never arrives
    found = only(books.look())
    assert (found.kind, found.subject, found.client_order_id) == (BreakKind.FILL_ONLY_THERE, "F4", "part")
    assert found.ours == "none"
    assert found.theirs == f"bought 1 lots of instrument 0 at 1001 ticks, fee {FEE_CENTS} cents"
    assert only(books.look()).key == found.key


def test_a_fill_of_an_order_that_was_never_sent_is_named_so() -> None:
    books = agreeing()
    books.tally.filled(StatedFill("X1", "stranger", NO_INSTRUMENT, 7, 1001, 0, books.now_ns + 1))
    kinds = {d.kind: d for d in books.look()}
    assert kinds[BreakKind.FILL_ONLY_THERE].ours == "none, nor that order"
    assert set(kinds) == {BreakKind.FILL_ONLY_THERE}


def test_a_fill_only_booked_here_is_named() -> None:
    books = agreeing()
    books.book(StatedFill("F9", "part", 0, 1, 1001, FEE_CENTS, books.now_ns + 1))
    found = only(books.look())
    assert (found.kind, found.subject, found.theirs) == (BreakKind.FILL_ONLY_HERE, "F9", "none")


@pytest.mark.parametrize("pages", [1, 10**6])
def test_a_fill_the_venue_states_twice_is_named(pages: int) -> None:
    books = agreeing()
    books.fill("part", 1)
    books.deliver_all()
    books.tally.filled(books.booked[-1])  # the line stands twice in the venue's file
    found = only(books.look(limit=pages))
    assert (found.kind, found.subject, found.theirs) == (BreakKind.FILL_DOUBLED, "F4", "twice")


def test_a_fill_stated_again_after_it_was_agreed_is_doubled() -> None:
    books = agreeing()
    books.tally.filled(replace(books.booked[0], event_time_ns=books.now_ns + 5))
    assert only(books.look()).kind is BreakKind.FILL_DOUBLED


@pytest.mark.parametrize(
    "change", [{"ticks": 1002}, {"fee_cents": 1}, {"signed_lots": 2}, {"signed_lots": -1}, {"instrument": 3}]
)
def test_a_fill_with_other_content_is_one_break_whatever_differs(change: dict[str, int]) -> None:
    books = agreeing()
    theirs = books.fill("part", 1)
    books.book(replace(theirs, **change))
    books.to_us.clear()
    found = only(books.look())
    assert (found.kind, found.subject) == (BreakKind.FILL_DIFFERS, theirs.exec_id)
    assert found.ours != found.theirs


def test_an_order_open_there_that_has_ended_here() -> None:
    books = agreeing()
    books.records["part"] = replace(books.records["part"], ord_status=OrdStatus.EXPIRED, leaves_lots=0)
    found = only(books.look())
    assert (found.kind, found.subject) == (BreakKind.ORDER_OPEN_THERE, "part")
    assert found.ours == "EXPIRED with 2 lots filled"
    assert found.theirs == "open: buy 5 lots at 1002 ticks, 2 filled"


def test_an_order_open_here_that_is_not_open_there() -> None:
    books = agreeing()
    books.tally.ended("part")
    found = only(books.look())
    assert (found.kind, found.subject, found.theirs) == (BreakKind.ORDER_OPEN_HERE, "part", "none")


def test_an_order_that_has_gone_on_between_two_looks_is_another_difference() -> None:
    """Found by the fault simulator: an order was on its way to the venue in the first look; in the second it had worked and
    filled there, the report on its way back. Neither lasted, and the two together were taken for a break."""
    books = agreeing()
    books.tally.ended("part")
    books.records["part"] = replace(books.records["part"], ord_status=OrdStatus.PENDING_NEW)
    on_its_way = only(books.look())
    assert only(books.look()).key == on_its_way.key, "one that never arrives is a break"
    books.records["part"] = replace(books.records["part"], ord_status=OrdStatus.NEW)
    assert only(books.look()).key != on_its_way.key


def test_an_order_accepted_after_the_venue_was_asked_is_another_difference() -> None:
    """Found by the fault simulator: an order was accepted just after the first look's statement had been made, and known here
    to be before it came; just before the second's it had filled, the report on its way back."""
    books = agreeing()
    stated, when_asked = books.statement(), books.open_here()
    books.send("late", 1, Side.BUY, 3)
    books.deliver_all()
    not_yet = only(books.look(stated, when_asked))
    assert not_yet.subject == "late"
    books.fill("late", 3)
    assert not_yet.key not in {d.key for d in books.look()}
    books.deliver_all()
    assert books.look() == []


def test_an_order_at_the_venue_that_nobody_sent() -> None:
    books = agreeing()
    books.tally.taken(StatedOrder("stranger", 0, -3, 1000))
    found = only(books.look())
    assert (found.kind, found.subject, found.ours) == (BreakKind.ORDER_UNKNOWN, "stranger", "none")


@pytest.mark.parametrize("terms", [StatedOrder("part", 0, 6, 1002, 2), StatedOrder("part", 0, 5, 1003, 2)])
def test_an_open_order_with_other_terms(terms: StatedOrder) -> None:
    books = agreeing()
    books.tally.taken(terms)
    found = only(books.look())
    assert (found.kind, found.subject) == (BreakKind.ORDER_DIFFERS, "part")


def test_a_position_off_by_one_that_no_fill_explains() -> None:
    books = agreeing()
    books.position_lots[1] += 1
    found = only(books.look())
    assert (found.kind, found.subject, found.ours, found.theirs) == (BreakKind.POSITION, "AAA.C1", "-3 lots", "-4 lots")


def test_two_differences_are_two_lines() -> None:
    books = agreeing()
    books.fill("part", 1)
    books.position_lots[2] = 1
    assert [d.kind for d in books.look()] == [BreakKind.FILL_ONLY_THERE, BreakKind.POSITION]


def test_a_replacement_carries_what_was_filled_before_it_on_both_sides() -> None:
    books = agreeing()
    books.replace("part", "more", 7)
    books.deliver_all()
    assert books.look() == []  # asked, not decided
    books.settle("more")
    books.deliver_all()
    books.fill("more", 1)
    books.deliver_all()
    assert books.look() == []
    (stated,) = books.statement().orders
    assert (stated.client_order_id, stated.signed_lots, stated.cum_lots) == ("more", 7, 3)


def test_a_replacement_for_no_more_than_was_filled_is_over_on_both_sides() -> None:
    books = agreeing()
    books.replace("part", "less", 2)
    books.deliver_all()
    books.settle("less")
    books.deliver_all()
    assert books.look() == []
    assert books.statement().orders == ()


@pytest.mark.parametrize("replacements", [0, 1, 2])
def test_a_lost_fill_of_a_replaced_order_is_one_difference_however_often_it_was_replaced(replacements: int) -> None:
    books = agreeing()
    books.fill("part", 1)
    books.to_us.clear()  # lost
    names = ["part", "second", "third"]
    for name, by in pairwise(names[: replacements + 1]):
        books.replace(name, by, 9)
        books.deliver_all()
        assert [d.kind for d in books.look()] == [BreakKind.FILL_ONLY_THERE]
        books.settle(by)
        books.deliver_all()
    found = only(books.look())
    assert (found.kind, found.client_order_id) == (BreakKind.FILL_ONLY_THERE, "part")
    books.tally.filled(StatedFill("late", "part", 0, 1, 1001, FEE_CENTS, books.now_ns + 1))
    assert {d.kind for d in books.look()} == {BreakKind.FILL_ONLY_THERE}


def test_a_replacement_that_only_the_venue_has_taken_in_is_named() -> None:
    books = agreeing()
    books.replace("part", "more", 7)
    books.deliver_all()
    books.settle("more")
    books.to_us.clear()
    assert {(d.kind, d.subject) for d in books.look()} == {
        (BreakKind.ORDER_OPEN_HERE, "part"),
        (BreakKind.ORDER_DIFFERS, "more"),
    }


def test_a_market_order_works_at_its_protection_on_both_sides() -> None:
    books = agreeing()
    record = books.records["part"]
    books.records["part"] = replace(
        record, order=replace(record.order, limit_ticks=0), protection_ticks=record.order.limit_ticks
    )
    assert books.look() == []


def test_what_came_before_the_first_page_is_not_missed_there() -> None:
    """A comparison that begins after the venue's second fill, whose report reached us only once it had begun."""
    books = Books()
    books.send("a", 0, Side.BUY, 10)
    books.deliver_all()
    for lots in (1, 2, 3):
        books.fill("a", lots)
    books.deliver_all()
    books.begin_after(2)
    assert books.statement().first == 3
    assert books.look() == []
    books.book(replace(books.booked[-1], exec_id="F9", event_time_ns=books.now_ns + 1))
    assert "F9" in {d.subject for d in books.look()}, "what is newer is looked for"


def test_what_the_venue_has_forgotten_is_not_missed_but_its_position_still_counts() -> None:
    books = Books(kept=2)
    books.send("a", 0, Side.BUY, 10)
    books.deliver_all()
    for _ in range(9):
        books.fill("a", 1)
    books.deliver_all()
    assert books.statement().first > 1
    assert books.look() == []
    books.position_lots[0] -= 1
    assert only(books.look()).kind is BreakKind.POSITION

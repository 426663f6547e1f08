"""Whatever is under way: no difference but of what is under way, none at all once it has arrived, and a plant is found."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import Side
from execution.reconcile import BreakKind
from execution.venues.statement import StatedFill, VenueStatement
from tests.execution_world import FEE_CENTS
from tests.reconcile_world import Books

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["send", "fill", "end", "replace", "settle", "there", "here", "look", "late look"]),
        st.integers(0, 7),
    ),
    max_size=60,
)


def play(books: Books, acts: list[tuple[str, int]]) -> None:
    sent = 0
    stated: VenueStatement | None = None
    heard: set[str] = set()  # orders whose news came after ``stated`` was taken
    for act, n in acts:
        open_there = sorted(books.open_there)
        if act == "send":
            sent += 1
            books.send(f"o{sent}", n % 3, Side.BUY if n % 2 else Side.SELL, n + 1)
        elif act == "fill" and open_there:
            name = open_there[n % len(open_there)]
            books.fill(name, min(n + 1, books.open_there[name]))
        elif act == "end" and open_there:
            books.end(open_there[n % len(open_there)])
        elif act == "replace" and (free := sorted(k for k, r in books.records.items() if r.open and not r.replaced_by)):
            sent += 1
            name = free[n % len(free)]
            if not books.records[name].replacement_asked:
                books.replace(name, f"o{sent}", n + 1)
        elif act == "settle" and books.pending_there:
            books.settle(sorted(books.pending_there)[n % len(books.pending_there)])
        elif act == "there":
            books.deliver(books.to_venue, n)
        elif act == "here":
            heard |= {name for name, _ in list(books.to_us)[:n]}
            books.deliver(books.to_us, n)
        elif act == "look":
            check(books, None, set())
            stated, heard = books.statement(), set()
        elif act == "late look" and stated is not None and stated.first == books.statement().first:
            check(books, stated, heard | set(books.open_there) | set(books.pending_there))
            stated = None


def check(books: Books, stated: VenueStatement | None, also: set[str]) -> None:
    under_way = {name for way in (books.to_venue, books.to_us) for name, _ in way} | also
    for found in books.look(stated):
        assert found.kind is not BreakKind.POSITION, found.text()
        assert found.kind not in (BreakKind.FILL_DIFFERS, BreakKind.FILL_DOUBLED), found.text()
        assert found.client_order_id in under_way, found.text()


@settings(max_examples=150)
@given(acts=ACTS, kept=st.sampled_from([None, 3]))
def test_only_what_is_under_way_differs_and_nothing_once_it_has_arrived(
    acts: list[tuple[str, int]], kept: int | None
) -> None:
    books = Books(kept)
    play(books, acts)
    books.deliver_all()
    assert books.look() == []


@settings(max_examples=100)
@given(
    acts=ACTS,
    plant=st.sampled_from(["extra", "missing", "doubled", "position"]),
    instrument=st.integers(0, 2),
    lots=st.integers(1, 9),
)
def test_one_plant_is_one_difference_in_any_course_of_trading(
    acts: list[tuple[str, int]], plant: str, instrument: int, lots: int
) -> None:
    books = Books()
    play(books, acts)
    books.deliver_all()
    books.look()
    fill = StatedFill("planted", "nobody", instrument, lots, 1001, lots * FEE_CENTS, books.now_ns + 1)
    if plant == "extra":
        books.tally.filled(fill)
        wanted = BreakKind.FILL_ONLY_THERE
    elif plant == "missing":
        books.book(fill)
        wanted = BreakKind.FILL_ONLY_HERE
    elif plant == "doubled":
        books.tally.filled(fill)
        books.book(fill)
        books.look()
        books.tally.filled(fill)
        wanted = BreakKind.FILL_DOUBLED
    else:
        books.position_lots[instrument] = books.position_lots.get(instrument, 0) + lots
        wanted = BreakKind.POSITION
    assert [d.kind for d in books.look()] == [wanted]

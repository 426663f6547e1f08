"""Whatever is under way: no difference but of what is under way, none at all once it has arrived, and a plant is found."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import OrdStatus, Side
from execution.reconcile import BreakKind
from execution.venues.statement import StatedFill, VenueStatement
from tests.execution_world import FEE_CENTS
from tests.reconcile_world import Books

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["send", "fill", "end", "replace", "settle", "there", "here", "look", "ask", "late_look"]),
        st.integers(0, 7),
    ),
    max_size=60,
)

#: By identity: a message that is held keeps its own.
Way = dict[int, tuple[str, Callable[[], None]]]


class Course:
    """Acts played on two books, each look checked, and each with the one before it."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.sent = 0
        self.stated: VenueStatement | None = None
        self.open_when_asked: dict[str, OrdStatus] = {}
        self.asked_way: Way = {}
        self.heard: set[str] = set()  # orders whose news came after ``stated`` was taken
        self.before: set[tuple[BreakKind, str]] = set()
        self.way_before: Way = {}
        self.unanswered_before: set[str] = set()

    def play(self, acts: list[tuple[str, int]]) -> None:
        for act, n in acts:
            getattr(self, f"do_{act}")(n)

    def do_send(self, n: int) -> None:
        self.sent += 1
        self.books.send(f"o{self.sent}", n % 3, Side.BUY if n % 2 else Side.SELL, n + 1)

    def do_fill(self, n: int) -> None:
        if open_there := sorted(self.books.open_there):
            name = open_there[n % len(open_there)]
            self.books.fill(name, min(n + 1, self.books.open_there[name]))

    def do_end(self, n: int) -> None:
        if open_there := sorted(self.books.open_there):
            self.books.end(open_there[n % len(open_there)])

    def do_replace(self, n: int) -> None:
        if free := sorted(k for k, r in self.books.records.items() if r.open and not r.replaced_by):
            self.sent += 1
            name = free[n % len(free)]
            if not self.books.records[name].replacement_asked:
                self.books.replace(name, f"o{self.sent}", n + 1)

    def do_settle(self, n: int) -> None:
        if pending := sorted(self.books.pending_there):
            self.books.settle(pending[n % len(pending)])

    def do_there(self, n: int) -> None:
        self.books.deliver(self.books.to_venue, n)

    def do_here(self, n: int) -> None:
        self.heard |= {name for name, _ in list(self.books.to_us)[:n]}
        self.books.deliver(self.books.to_us, n)

    def do_ask(self, n: int) -> None:
        books = self.books
        self.stated, self.open_when_asked = books.statement(), books.open_here()
        self.asked_way, self.heard = self.way(), set()

    def do_look(self, n: int) -> None:
        """At a statement made now."""
        self.do_ask(n)
        self.check(set())
        self.stated = None

    def do_late_look(self, n: int) -> None:
        """At a statement made some time ago."""
        if self.stated is not None and self.stated.first == self.books.statement().first:
            self.check(self.heard | set(self.books.open_there) | set(self.books.pending_there))
            self.stated = None

    def way(self) -> Way:
        """Messages under way, each of the order it begins with."""
        return {id(message): message for way in (self.books.to_venue, self.books.to_us) for message in way}

    def check(self, also: set[str]) -> None:
        way = self.way()
        under_way = {name for name, _ in way.values()} | also
        found = self.books.look(self.stated, self.open_when_asked)
        for one in found:
            assert one.kind is not BreakKind.POSITION, one.text()
            assert one.kind not in (BreakKind.FILL_DIFFERS, BreakKind.FILL_DOUBLED), one.text()
            assert one.client_order_id in under_way, one.text()
        # Only what was under way throughout may be seen twice: one message, or an order and the answer to it.
        lasting = {name for at, (name, _) in self.asked_way.items() if at in self.way_before}
        unanswered = {name for name, at in self.open_when_asked.items() if at is OrdStatus.PENDING_NEW}
        lasting |= unanswered & self.unanswered_before
        for one in found:
            assert one.key not in self.before or one.client_order_id in lasting, f"passed twice: {one.text()}"
        self.before, self.way_before = {one.key for one in found}, self.asked_way | way
        self.unanswered_before = unanswered


@settings(max_examples=150)
@given(acts=ACTS, kept=st.sampled_from([None, 3]))
def test_only_what_is_under_way_differs_and_nothing_once_it_has_arrived(
    acts: list[tuple[str, int]], kept: int | None
) -> None:
    books = Books(kept)
    Course(books).play(acts)
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
    Course(books).play(acts)
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

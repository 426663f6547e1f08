"""A venue that takes combos, counts what reached it and says nothing by itself, and an execution on it that can die."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from common.errors import Unavailable
from common.messages import Order, OrderAck, Side
from common.tactics import Combo, Follow, Tactic, TacticKind
from execution.core import step
from execution.events import Able, Submit
from execution.state import ExecutionState
from execution.store import Store
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import T0_NS, make_order
from tests.parents_world import Exchange, House

BUDGET_MS, INTERVAL_MS = 10_000, 500
#: Rows of the small market: an option and the future of its underlying, and an option of the other one.
OPTION, FUTURE, OTHER = 1, 0, 5


def combo_tactic(legs: int = 0, improve: int = 0, urgency: int = 0, share: int = 0) -> Tactic:
    """Of the lead with its number of legs, of a follower with none. ``improve`` above 0: it rests; ``share``: in slices."""
    return Tactic(
        TacticKind.COMBO,
        urgency_percent=urgency,
        participation_percent=share,
        budget_ms=BUDGET_MS,
        interval_ms=INTERVAL_MS,
        improve_ticks=improve,
        legs=legs,
    )


def lead(name: str = "l", lots: int = 10, legs: int = 2, **content: object) -> Order:
    usual = {"instrument": OPTION, "lots": lots, "tactic": combo_tactic(legs), "event_time_ns": T0_NS}
    return make_order(name, **(usual | content))


def follower(name: str = "f", lots: int = 4, ratio: tuple[int, int] = (2, 5), **content: object) -> Order:
    usual = {"instrument": FUTURE, "side": Side.SELL, "lots": lots, "tactic": combo_tactic(), "event_time_ns": T0_NS}
    return make_order(name, follows=Follow("l", *ratio), **(usual | content))


class ComboExchange(Exchange):
    """``sent``: every combo that reached it, by its id."""

    combos = True

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, tuple[Order, ...]] = {}
        self.combo_arrivals: Counter[str] = Counter()
        #: Down, and whether what was sent meanwhile arrived.
        self.lost = False

    def submit_combo(self, legs: Sequence[Order], now_ns: int) -> list[VenueEvent]:
        (combo,) = {leg.combo for leg in legs}
        assert combo is not None and combo.leg_ids == tuple(leg.client_order_id for leg in legs)
        self.combo_arrivals[combo.combo_id] += 1
        for leg in legs:
            self.arrived[leg.client_order_id] += 1
        if self.lost:
            raise Unavailable("the line broke and nothing had left")
        self.sent[combo.combo_id] = tuple(legs)
        for leg in legs:
            self.orders[leg.client_order_id] = leg
            self.told[leg.client_order_id] = []
        if self.down:
            raise Unavailable("the line broke after the combo had left")
        return []

    # -- its own life --------------------------------------------------------------------------------------------------

    def combo(self, combo_id: str) -> Combo:
        combo = self.sent[combo_id][0].combo
        assert combo is not None
        return combo

    def units_left(self, combo_id: str) -> int:
        return min(self.leaves(name) // ratio for name, ratio in self.combo(combo_id).legs)

    def fill(self, combo_id: str, units: int) -> list[VenueEvent]:
        """So many units trade; a fill of each leg under its own id."""
        return [self.happen(name, VenueKind.FILL, units * n) for name, n in self.combo(combo_id).legs]

    def end(self, combo_id: str, kind: VenueKind = VenueKind.CANCELED) -> list[VenueEvent]:
        """The whole ends; told of each leg that still works."""
        return [self.happen(name, kind) for name, _ in self.combo(combo_id).legs if self.leaves(name)]


class ComboHouse(House):
    """``able``: what the venue says of combos, heard again after every start."""

    venue: ComboExchange

    def __init__(self, able: bool | None = True, store: Store | None = None) -> None:
        self.able = able
        super().__init__(store)
        self.venue = ComboExchange()

    def _started(self) -> ExecutionState:
        state = super()._started()
        step(state, Able(self.able))
        return state

    def submit(self, *orders: Order) -> list[OrderAck]:
        return self.run([Submit(order, 1) for order in orders])

    def status(self, name: str) -> str:
        return self.store.get([name])[0].ord_status.name

    def filled(self, name: str) -> int:
        return self.store.get([name])[0].cum_lots

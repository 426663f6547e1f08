"""Combos in the simulated worlds: what is drawn, what the venue makes of one, what is caught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from common.errors import Unavailable
from common.messages import Order, Side, TimeInForce
from common.tactics import Combo
from common.units import NS_PER_MS, NS_PER_S
from execution.tactics.combo import combined
from execution.venues.port import Ability, VenueKind
from lab.simulator.combos import terms_of
from lab.simulator.exchange import Exchange, VenueLink
from lab.simulator.exchange_combos import Terms
from lab.simulator.market import path_of
from lab.simulator.nats import Noise
from lab.simulator.plan import Fault, Plan, plan_of
from lab.simulator.run import Simulation, simulate
from lab.simulator.world import Process, World
from tests.execution_world import make_order

SETTING = plan_of(1).setting
#: A seed whose manager makes combos and whose venue takes them; some of them fill.
SEED = 10


class House:
    """A venue with quotes, an adapter to it, and one combo: options bought, a future sold."""

    def __init__(self) -> None:
        self.world = World(1)
        self.exchange = Exchange(self.world, SETTING.universe, lambda: self.world.now_ns)
        self.exchange.mood = replace(self.exchange.mood, thin=0.0, doubled=0.0)
        self.exchange.combos.terms = Terms(True, 0)
        self.path = path_of(SETTING.universe, self.world.rng, 0)
        self.quote()

        async def main(process: Process) -> None:
            await process.sleep(1e6)

        self.process = Process(self.world, "execution", main)
        self.process.start()
        self.link = VenueLink(self.exchange, self.process)
        self.run(1)

    def quote(self) -> None:
        for batch in next(self.path):
            self.exchange.quote(batch)

    def legs(self, units: int, *, better: int = 0, lasts: TimeInForce = TimeInForce.IOC) -> tuple[Order, ...]:
        """Five options at the ask and two futures at the bid a unit; ``better``: ticks less for the options."""
        ask, bid = self.exchange.quotes[1][1] - better, self.exchange.quotes[0][0]
        rows = (("l.1", 1, Side.BUY, 5, ask), ("f.1", 0, Side.SELL, 2, bid))
        orders = [
            replace(
                make_order(name, lots=units * ratio),
                instrument=at,
                instrument_id=SETTING.universe.instrument_id[at],
                side=side,
                limit_ticks=ticks,
                time_in_force=lasts,
            )
            for name, at, side, ratio, ticks in rows
        ]
        combo = combined(SETTING.universe, orders, (5, 2))
        return tuple(replace(order, combo=combo) for order in orders)

    def run(self, ms: int = 100) -> None:
        self.world.run(self.world.now_ns + ms * NS_PER_MS)

    def told(self) -> dict[str, Counter[VenueKind]]:
        """Kinds and number of what the venue told of each leg."""
        out = {name: Counter(e.kind for e in t.events) for name, t in self.exchange.tickets.items()}
        return dict(sorted(out.items()))


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.world.end()


def test_a_combo_is_taken_whole_filled_in_whole_units_and_the_rest_is_cancelled(house: House) -> None:
    heard: list[tuple[str, ...]] = []
    house.exchange.combos.on_send.append(lambda legs: heard.append(tuple(o.client_order_id for o in legs)))
    house.link.submit_combo(house.legs(20), 0)
    assert heard == [("l.1", "f.1")] and [line.what for line in house.exchange.lines] == ["sent", "sent"]
    house.run()
    # 60 lots of the option are shown: twelve units of five.
    assert house.exchange.combos.filled_units("l.1") == {(12, 0)}
    assert {name: t.leaves_lots for name, t in house.exchange.tickets.items()} == {"l.1": 40, "f.1": 16}
    assert all(kinds[VenueKind.CANCELED] == kinds[VenueKind.ACCEPTED] == 1 for kinds in house.told().values())
    stated = house.exchange.statements.state(0, 100)
    assert stated.position_lots == {1: 60, 0: -24} and not stated.orders
    assert house.link.ask("f.1", 0) == house.exchange.tickets["f.1"].events
    assert house.link.ask("f.2", 0)[0].kind is VenueKind.NOT_FOUND


def test_a_unit_that_costs_more_than_it_may_fills_nothing(house: House) -> None:
    house.link.submit_combo(house.legs(3, better=1), 0)
    house.run()
    assert house.exchange.combos.filled_units("l.1") == {(0, 0)} and not house.exchange.combos.wronged
    assert all(t.done for t in house.exchange.tickets.values())


def test_one_that_rests_is_stated_filled_after_a_quote_that_comes_to_it_and_cancelled_by_any_leg(house: House) -> None:
    house.link.submit_combo(house.legs(3, better=1, lasts=TimeInForce.DAY), 0)
    house.run()
    stated = house.exchange.statements.state(0, 100).orders
    assert [(o.client_order_id, o.signed_lots, o.cum_lots) for o in stated] == [("l.1", 15, 0), ("f.1", -6, 0)]
    house.quote()
    house.run()
    assert not house.exchange.fills and house.link.next_due_ns is not None
    bid, ask, *sizes = house.exchange.quotes[1]
    house.exchange.quotes[1] = (bid - 1, ask - 1, sizes[0], 5)
    house.exchange.combos.quoted()
    house.run()
    assert house.exchange.combos.filled_units("l.1") == {(1, 0)}
    house.link.cancel("f.1", 0)
    house.run()
    assert all(kinds[VenueKind.CANCELED] == 1 for kinds in house.told().values())
    assert not house.exchange.statements.state(0, 100).orders


def test_it_is_rejected_whole_and_a_line_that_is_down_lets_all_of_it_through_or_nothing(house: House) -> None:
    house.exchange.mood = replace(house.exchange.mood, rejected=1.0)
    house.link.submit_combo(house.legs(3), 0)
    house.run()
    assert all(kinds == {VenueKind.REJECTED: 1} for kinds in house.told().values())
    arrived = Counter[int]()
    for _ in range(20):
        house = House()
        house.exchange.down_until_ns = house.world.now_ns + NS_PER_S
        house.world.rng.seed(arrived.total())
        with pytest.raises(Unavailable):
            house.link.submit_combo(house.legs(3), 0)
        arrived[len(house.exchange.tickets)] += 1
        house.world.end()
    assert set(arrived) == {0, 2}


def test_a_venue_that_lies_fills_out_of_ratio_and_says_which_combo_it_wronged(house: House) -> None:
    house.exchange.mood = replace(house.exchange.mood, uneven=1.0)
    house.link.submit_combo(house.legs(3), 0)
    house.run()
    assert house.exchange.combos.wronged == {"l.1"}
    assert house.exchange.combos.filled_units("l.1") != {(3, 0)}
    assert all(t.done for t in house.exchange.tickets.values())


def test_what_the_venue_says_of_combos(house: House) -> None:
    assert Ability(house.link).combos is True
    house.exchange.combos.terms = None
    assert Ability(house.link).combos is False
    house.exchange.combos.terms = Terms(True, NS_PER_S)
    assert house.link.combos is None
    house.run(1_001)
    assert house.link.combos is True


def test_a_fifth_of_the_seeds_has_combos_of_every_kind() -> None:
    plans = [plan_of(seed) for seed in range(500) if terms_of(seed) is not None]
    assert 75 <= len(plans) <= 125
    rules = [plan.setting.manager.tactic for plan in plans]
    assert all(rule.combo_max_ratio for rule in rules)
    assert sum(rule.combo_improve_ticks > 0 for rule in rules) > 20
    assert sum(rule.combo_participation_percent > 0 for rule in rules) > 15
    terms = [plan.combos for plan in plans if plan.combos is not None]
    assert len(terms) == len(plans) and {t.taken for t in terms} == {True, False} and any(t.silent_ns for t in terms)
    faults = Counter(f.word if f.what == "crash at" else f.what for plan in plans for f in plan.faults)
    assert faults["send combo"] > 20 and faults["venue uneven"] > 20


def test_a_seed_without_combos_has_nothing_of_them() -> None:
    for seed in (s for s in range(100) if terms_of(s) is None):
        plan = plan_of(seed)
        assert plan.combos is None and not plan.setting.manager.tactic.combo_max_ratio
        assert not any(f.word == "send combo" or f.what == "venue uneven" for f in plan.faults)
        assert not any(str(w.arguments.get("trades", "")).count("'c0'") for w in plan.wishes)


def quiet(*faults: Fault) -> Plan:
    """The seed with these faults and what its clients trade."""
    plan = plan_of(SEED)
    wishes = tuple(w for w in plan.wishes if w.action == "book.import")
    return replace(plan, faults=faults, wishes=wishes, noise=Noise(), combos=Terms(True, 0))


def test_combos_fill_and_both_legs_are_booked() -> None:
    runs: list[Simulation] = []
    found = simulate(SEED, quiet(), runs.append)
    assert not found.failure, found.text()
    combos = runs[0].exchange.combos
    assert found.combos == len(combos.sent) > 0 and any(combos.filled_units(c) != {(0, 0)} for c in combos.sent)
    booked = {r.child_order_id for r in runs[0].watch.reports if r.child_order_id}
    assert booked and booked <= set(runs[0].watch.sent)
    assert any(isinstance(line.order, Order) and isinstance(line.order.combo, Combo) for line in runs[0].exchange.lines)


@pytest.mark.parametrize("after", [False, True])
def test_execution_dies_as_it_sends_a_combo_and_both_legs_are_asked_about(after: bool) -> None:
    runs: list[Simulation] = []
    found = simulate(
        SEED, quiet(Fault(NS_PER_S, "crash at", "execution", NS_PER_S // 2, "send combo", 0, after)), runs.append
    )
    assert not found.failure, found.text()
    assert any("crashes " in line.text and "'send combo'" in line.text for line in found.story)
    assert runs[0].execution.process.starts == 2


def test_a_venue_that_fills_out_of_ratio_halts_trading() -> None:
    runs: list[Simulation] = []
    found = simulate(SEED, quiet(Fault(NS_PER_S, "venue uneven", "venue", 9 * NS_PER_S)), runs.append)
    assert not found.failure, found.text()
    assert runs[0].exchange.combos.wronged
    assert any("is PAUSED" in line.text and "out of its ratio" in line.text for line in found.story)


def test_a_venue_that_takes_none_is_sent_none() -> None:
    runs: list[Simulation] = []
    found = simulate(SEED, replace(quiet(), combos=Terms(False, 0)), runs.append)
    assert not found.failure, found.text()
    assert not found.combos and any("." in name for name in runs[0].watch.sent)

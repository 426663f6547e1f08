"""What the manager and the venue see of a combo, act by act."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.messages import Order, OrdStatus, Refusal, Side, TimeInForce, TradingState
from common.tactics import DIRECT, Combo, Follow
from execution.core import step
from execution.events import Able, Cancel, Resolve, SetTrading, Work
from execution.sqlite_store import SqliteStore
from execution.sqlite_verify import verify
from execution.venues.port import VenueKind
from tests.combos_world import BUDGET_MS, INTERVAL_MS, OTHER, ComboHouse, combo_tactic, follower, lead

MS = 1_000_000


def later(house: ComboHouse, ms: int) -> None:
    house.now_ns = house.state.now_ns + ms * MS
    house.run([Work(house.now_ns, 1)])


def test_one_order_for_both_legs_at_the_limits_together() -> None:
    house = ComboHouse()
    assert [ack.ord_status for ack in house.submit(lead())] == [OrdStatus.NEW]
    assert not house.venue.sent and not house.venue.orders
    house.submit(follower())
    (legs,) = house.venue.sent.values()
    assert [(o.client_order_id, o.instrument, o.side, o.quantity_lots, o.limit_ticks) for o in legs] == [
        ("l.1", 1, Side.BUY, 10, 1002),
        ("f.1", 0, Side.SELL, 4, 1000),
    ]
    # 0.25 x USD 50 a tick, 1,250 cents: 5 x 1002 bought, 2 x 1000 sold.
    assert {o.combo for o in legs} == {Combo((("l.1", 5), ("f.1", 2)), (5 * 1002 - 2 * 1000) * 1250)}
    assert {o.time_in_force for o in legs} == {TimeInForce.IOC}
    assert house.venue.arrived == {"l.1": 1, "f.1": 1}
    assert house.state.exposure.working_buy_lots == {1: 10} and house.state.exposure.working_sell_lots == {0: 4}


def test_legs_fill_in_ratio_and_the_rest_goes_out_again_after_the_interval() -> None:
    house = ComboHouse()
    house.submit(lead(), follower())
    house.hear(*house.venue.fill("l.1", 1), *house.venue.end("l.1"))
    assert list(house.venue.sent) == ["l.1"]
    later(house, INTERVAL_MS - 1)
    assert list(house.venue.sent) == ["l.1"]
    later(house, 1)
    assert [(o.client_order_id, o.quantity_lots) for o in house.venue.sent["l.2"]] == [("l.2", 5), ("f.2", 2)]
    house.hear(*house.venue.fill("l.2", 1))
    told = [(r.client_order_id, r.ord_status.name, r.last_lots, r.child_order_id) for r in house.reports()]
    assert told == [
        ("l", "NEW", 0, ""),
        ("f", "NEW", 0, ""),
        ("l", "PARTIALLY_FILLED", 5, "l.1"),
        ("f", "PARTIALLY_FILLED", 2, "f.1"),
        ("l", "FILLED", 5, "l.2"),
        ("f", "FILLED", 2, "f.2"),
    ]
    assert house.state.exposure.position_lots == {1: 10, 0: -4} and house.state.exposure.open_orders == 0
    assert not house.state.plans and not house.state.followers


def test_a_venue_without_combos_gets_the_option_first_and_the_future_behind_its_fills() -> None:
    house = ComboHouse(able=False)
    house.submit(lead(), follower())
    assert {n: o.quantity_lots for n, o in house.venue.orders.items()} == {"l.1": 10}
    house.hear(house.venue.happen("l.1", VenueKind.FILL, 5))
    assert {n: o.quantity_lots for n, o in house.venue.orders.items()} == {"l.1": 10, "f.1": 2}
    house.hear(house.venue.happen("f.1", VenueKind.FILL, 2), house.venue.happen("l.1", VenueKind.CANCELED))
    assert not house.venue.sent
    assert (house.status("l"), house.filled("l")) == ("CANCELED", 5)
    assert (house.status("f"), house.filled("f")) == ("CANCELED", 2)


def test_nothing_leaves_before_the_venue_has_said_what_it_can() -> None:
    house = ComboHouse(able=None)
    house.submit(lead(), follower())
    later(house, 100)
    assert not house.venue.arrived
    step(house.state, Able(True))
    later(house, 100)
    assert list(house.venue.sent) == ["l.1"]


def test_without_its_other_leg_a_lead_ends_with_its_time_budget() -> None:
    house = ComboHouse()
    house.submit(lead())
    later(house, BUDGET_MS - 1001)
    assert house.status("l") == "NEW"
    later(house, BUDGET_MS)
    assert house.reports("l")[-1].text == "the time budget is over; last held back: legs: 1 of 2 have come"
    house.submit(follower(event_time_ns=house.state.now_ns))
    assert house.status("f") == "CANCELED" and not house.venue.arrived


@pytest.mark.parametrize("whose", ["l", "f"])
def test_a_cancel_of_either_order_cancels_the_combo_and_ends_both(whose: str) -> None:
    house = ComboHouse()
    house.submit(lead(), follower())
    house.hear(*(house.venue.happen(name, VenueKind.ACCEPTED) for name in ("l.1", "f.1")))
    house.run([Cancel((whose,), 1, 1)])
    assert f"{whose}.1" in house.venue.cancels
    house.hear(*house.venue.end("l.1"))
    assert (house.status("l"), house.status("f")) == ("CANCELED", "CANCELED")
    later(house, INTERVAL_MS)
    assert list(house.venue.sent) == ["l.1"]


@pytest.mark.parametrize("scope", ["", "underlying:AAA"])
def test_a_kill_cancels_the_combo_and_nothing_follows(scope: str) -> None:
    house = ComboHouse()
    house.submit(lead(), follower())
    house.run([SetTrading(TradingState.KILLED, "risk", "stop", 1, scope)])
    assert house.venue.cancels == {"l.1", "f.1"}
    house.hear(*house.venue.fill("l.1", 1), *house.venue.end("l.1"))
    later(house, INTERVAL_MS)
    assert (house.status("l"), house.status("f"), len(house.venue.sent)) == ("CANCELED", "CANCELED", 1)
    assert (house.filled("l"), house.filled("f")) == (5, 2)


@pytest.mark.parametrize("scope", ["", "underlying:BBB"])
def test_a_pause_of_one_legs_underlying_holds_both_back(scope: str) -> None:
    house = ComboHouse()
    house.submit(lead())
    house.run([SetTrading(TradingState.PAUSED, "risk", "wait", 1, scope)])
    (ack,) = house.submit(follower(instrument=OTHER, instrument_id="BBB.C1"))
    assert ack.refusal is (Refusal.SCOPE_PAUSED if scope else Refusal.PAUSED)
    house.run([SetTrading(TradingState.ACTIVE, "risk", "go", 1, scope)])
    house.submit(follower("g", instrument=OTHER, instrument_id="BBB.C1"))
    assert list(house.venue.sent) == ["l.1"]
    house.hear(*house.venue.end("l.1"))
    house.run([SetTrading(TradingState.PAUSED, "risk", "wait", 1, scope)])
    later(house, INTERVAL_MS)
    assert list(house.venue.sent) == ["l.1"]
    house.run([SetTrading(TradingState.ACTIVE, "risk", "go", 1, scope)])
    later(house, INTERVAL_MS)
    assert list(house.venue.sent) == ["l.1", "l.2"]


def test_a_leg_that_a_check_refuses_holds_back_the_whole_without_a_trace() -> None:
    house = ComboHouse()
    house.submit(lead())
    house.quote(500, 502, instrument=0)  # the future has moved out of the collar
    house.submit(follower(limit_ticks=600))
    house.hear(*house.venue.end("l.1"))
    house.quote(5000, 5002, instrument=0)
    later(house, INTERVAL_MS)
    assert [o.client_order_id for o in house.venue.sent["l.1"]] == ["l.1", "f.1"]
    assert len(house.venue.sent) == 1 and len(house.store.get(["l.2", "f.2"])) == 0
    assert "collar" in house.state.plans["l"].held
    later(house, BUDGET_MS)
    assert "last held back: collar" in house.reports("l")[-1].text


def test_the_legs_together_keep_to_the_open_orders_and_the_rates() -> None:
    for name, text in (("max_open_orders", "open orders"), ("max_orders_per_window", "rate: ")):
        house = ComboHouse()
        house.state.limits = house.state.limits.model_copy(update={name: 3})
        house.submit(lead(), follower())
        assert (name == "max_open_orders") == bool(house.venue.sent), name
        if not house.venue.sent:
            assert text in house.state.plans["l"].held  # two orders asked for and two legs


def test_a_combo_whose_arrival_is_unknown_is_asked_about_and_never_resent() -> None:
    house = ComboHouse()
    house.venue.down = True
    house.submit(lead(), follower())
    assert (house.status("l.1"), house.status("f.1")) == ("UNKNOWN", "UNKNOWN")
    house.venue.down = False
    house.venue.happen("l.1", VenueKind.FILL, 10)
    house.venue.happen("f.1", VenueKind.FILL, 4)
    house.run([Resolve()])
    assert (house.status("l"), house.status("f")) == ("FILLED", "FILLED")
    assert max(house.venue.arrived.values()) == 1


def test_a_combo_that_never_arrived_goes_out_anew_under_new_ids() -> None:
    house = ComboHouse()
    house.venue.lost = True
    house.submit(lead(), follower())
    house.venue.lost = False
    house.run([Resolve()])
    assert (house.status("l.1"), house.status("f.1")) == ("REJECTED", "REJECTED")
    later(house, INTERVAL_MS)
    assert list(house.venue.sent) == ["l.2"] and max(house.venue.arrived.values()) == 1


def test_after_a_death_both_legs_are_asked_about_before_anything_new() -> None:
    house = ComboHouse()
    house.submit(lead(), follower())
    house.venue.fill("l.1", 1)
    house.venue.end("l.1")
    house.restart()
    assert (house.filled("l"), house.filled("f")) == (5, 2)
    later(house, INTERVAL_MS)
    assert [(o.client_order_id, o.quantity_lots) for o in house.venue.sent["l.2"]] == [("l.2", 5), ("f.2", 2)]


def test_three_refusals_by_the_venue_end_it() -> None:
    house = ComboHouse()
    house.submit(lead(), follower())
    for k in range(1, 4):
        house.hear(*house.venue.end(f"l.{k}", VenueKind.REJECTED))
        later(house, INTERVAL_MS)
    assert (len(house.venue.sent), house.status("l"), house.status("f")) == (3, "CANCELED", "CANCELED")


def test_fills_out_of_the_ratio_pause_trading() -> None:
    house = ComboHouse()
    house.submit(lead(), follower())
    house.hear(house.venue.happen("l.1", VenueKind.FILL, 10), *house.venue.end("l.1"))
    assert house.state.trading.state is TradingState.PAUSED
    assert house.state.trading.why == "the venue filled combo l.1 out of its ratio 5:2: 10 of l.1, 0 of f.1"
    assert (house.status("l"), house.status("f")) == ("FILLED", "CANCELED")


def test_fills_out_of_the_ratio_pause_trading_where_a_death_lay_between_the_ends_of_the_legs() -> None:
    """The leg that has filled took its whole order with it, so that nothing open speaks of it but the other leg's combo."""
    house = ComboHouse()
    house.submit(lead(), follower())
    house.hear(house.venue.happen("l.1", VenueKind.FILL, 10))
    assert house.status("l") == "FILLED" and house.state.trading.state is TradingState.ACTIVE
    house.venue.end("l.1")
    house.restart()
    assert house.status("f") == "CANCELED"
    assert house.state.trading.why == "the venue filled combo l.1 out of its ratio 5:2: 10 of l.1, 0 of f.1"


def test_what_pauses_trading_is_known_before_a_combo_leaves_for_news_told_with_it() -> None:
    """Found by the fault simulator: the legs' ends let the next attempt leave, a fill told after them paused trading, and
    all of it was one group: the combo left after the pause was stored."""
    house = ComboHouse()
    house.submit(lead(), follower())
    house.now_ns = house.state.now_ns + INTERVAL_MS * MS
    news = [*house.venue.fill("l.1", 1), *house.venue.end("l.1")]
    late = [replace(house.venue.happen("l.1", VenueKind.FILL, 1), event_time_ns=house.now_ns)]
    house.hear(*[replace(event, event_time_ns=house.now_ns) for event in news], *late)
    assert house.state.trading.state is TradingState.PAUSED
    assert list(house.venue.sent) == ["l.1"] and house.state.orders.keys() == {"l", "f", "l.1", "f.1"}


def test_three_legs_leave_together() -> None:
    house = ComboHouse()
    house.submit(lead(legs=3), follower())
    assert not house.venue.sent
    house.submit(follower("g", 2, (1, 5), instrument=2))
    (combo,) = {leg.combo for leg in house.venue.sent["l.1"]}
    assert combo is not None and combo.legs == (("l.1", 5), ("f.1", 2), ("g.1", 1))


WRONG: list[tuple[Order, str]] = [
    (lead(legs=1), "legs 1 of COMBO, limit 2 to 4"),
    (lead(legs=5), "legs 5 of COMBO, limit 2 to 4"),
    (follower(tactic=combo_tactic(2)), "legs 2 of COMBO, limit 0 to 0"),
    (lead(time_in_force=TimeInForce.DAY), "COMBO of a DAY order, limit IOC"),
    (lead(combo=Combo((("l", 1),), 0), tactic=DIRECT), "combo: named by an order that is asked for"),
]


@pytest.mark.parametrize(("order", "text"), WRONG)
def test_what_is_no_leg_is_malformed(order: Order, text: str) -> None:
    (ack,) = ComboHouse().submit(order)
    assert ack.refusal is Refusal.MALFORMED and text in ack.text


def test_what_fits_no_combo_is_refused() -> None:
    house = ComboHouse()
    house.submit(replace(lead("d"), tactic=DIRECT), lead())
    for k, (order, text) in enumerate(
        (
            (follower(instrument=1, instrument_id="AAA.C1"), "same instrument"),
            (follower(lots=3, ratio=(1, 3)), "without rounding"),
            (replace(follower(), follows=Follow("d", 2, 5)), "limit a lead that is a COMBO"),
        )
    ):
        (ack,) = house.submit(replace(order, client_order_id=f"x{k}"))
        assert ack.refusal is Refusal.UNKNOWN_ORDER and text in ack.text
    house.submit(follower())
    (ack,) = house.submit(follower("g", instrument=2))
    assert ack.refusal is Refusal.UNKNOWN_ORDER and "has its 2 legs" in ack.text
    house = ComboHouse()
    house.submit(lead(legs=3), follower())
    (ack,) = house.submit(follower("g"))
    assert ack.refusal is Refusal.UNKNOWN_ORDER and "one leg an instrument" in ack.text


def test_a_stored_combo_reads_back_and_verifies(tmp_path) -> None:
    store = SqliteStore(tmp_path)
    house = ComboHouse(store=store)
    house.submit(lead(), follower())
    sent = house.venue.sent["l.1"]
    assert [record.order for record in store.get(["l.1", "f.1"])] == list(sent)
    house.hear(*house.venue.fill("l.1", 2))
    store.close()
    assert verify(tmp_path).findings == []


# -- resting and sliced ------------------------------------------------------------------------------------------------


def requoted(house: ComboHouse, bid: int, ask: int, lots: int = 10) -> None:
    """Time passes by one interval; the option and the future are quoted anew."""
    house.now_ns = house.state.now_ns + INTERVAL_MS * MS
    for row in (0, 1):
        house.quote(bid, ask, lots, row)
    house.run([Work(house.now_ns, 1)])


def working(house: ComboHouse) -> list[tuple[str, int, str]]:
    """Combos that work at the venue: id, net limit in ticks, how long they last."""
    venue = house.venue
    return [
        (name, legs[0].combo.net_limit_cents // 1250, legs[0].time_in_force.name)
        for name, legs in venue.sent.items()
        if any(venue.leaves(n) for n, _ in venue.combo(name).legs)
    ]


def test_one_that_rests_asks_for_more_follows_the_market_and_takes_when_its_time_has_come() -> None:
    house = ComboHouse()
    # Bought at 1002 and sold at 1000 at worst; a unit is 5 against 2.
    house.submit(lead(tactic=combo_tactic(2, improve=1, urgency=50)), follower())
    assert working(house) == [("l.1", 5 * (1002 - 1) - 2 * 1000, "DAY")]
    requoted(house, 1000, 1002)
    assert house.venue.cancels == set()  # nothing has moved
    requoted(house, 999, 1001)  # the option became cheaper, the future worth less than its limit
    assert house.venue.cancels == {"l.1", "f.1"}
    assert [x[0] for x in working(house)] == ["l.1"]  # nothing new before the end of the old one is known
    house.hear(*house.venue.end("l.1"))
    requoted(house, 999, 1001)
    assert working(house) == [("l.2", 5 * (1001 - 1) - 2 * 1000, "DAY")]
    house.hear(*house.venue.fill("l.2", 1))
    assert house.filled("l") == 5 and house.filled("f") == 2
    later(house, BUDGET_MS // 2)  # its urgency: from half its budget on it takes
    assert house.venue.cancels == {"l.1", "f.1", "l.2", "f.2"}
    house.hear(*house.venue.end("l.2"))
    later(house, INTERVAL_MS)
    assert working(house) == [("l.3", 5 * 1002 - 2 * 1000, "IOC")]
    house.hear(*house.venue.fill("l.3", 1))
    assert (house.status("l"), house.status("f")) == ("FILLED", "FILLED")


def test_one_that_rests_to_the_end_gives_its_rest_back() -> None:
    house = ComboHouse()
    house.submit(lead(tactic=combo_tactic(2, improve=1)), follower())
    later(house, BUDGET_MS)
    assert house.venue.cancels == {"l.1", "f.1"}
    house.hear(*house.venue.end("l.1"))
    assert (house.status("l"), house.status("f")) == ("CANCELED", "CANCELED")


def test_a_death_while_it_rests_leaves_it_where_it_is() -> None:
    house = ComboHouse()
    house.submit(lead(tactic=combo_tactic(2, improve=1, urgency=50)), follower())
    house.hear(*house.venue.end("l.1", VenueKind.ACCEPTED))
    house.restart()
    requoted(house, 1000, 1002)
    assert [x[0] for x in working(house)] == ["l.1"] and house.venue.cancels == set()
    later(house, BUDGET_MS // 2)
    assert house.venue.cancels == {"l.1", "f.1"}


def test_slices_are_the_stated_share_of_what_the_leg_with_least_shows() -> None:
    house = ComboHouse()
    house.submit(lead(tactic=combo_tactic(2, share=60)), follower())
    # 10 shown: 6 options are one unit of 5, 6 futures three of 2.
    assert [(o.client_order_id, o.quantity_lots) for o in house.venue.sent["l.1"]] == [("l.1", 5), ("f.1", 2)]
    house.hear(*house.venue.fill("l.1", 1))
    requoted(house, 1000, 1002, lots=8)  # 4 of 8 are no unit
    assert list(house.venue.sent) == ["l.1"]
    requoted(house, 1000, 1002, lots=20)
    assert [(o.client_order_id, o.quantity_lots) for o in house.venue.sent["l.2"]] == [("l.2", 5), ("f.2", 2)]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"improve_ticks": 0, "urgency_percent": 20}, "urgency_percent"),
        ({"improve_ticks": 1_001}, "improve_ticks"),
        ({"participation_percent": 101}, "participation_percent"),
    ],
)
def test_terms_beyond_their_limits_are_refused(how: dict[str, int], why: str) -> None:
    (ack,) = ComboHouse().submit(lead(tactic=replace(combo_tactic(2), **how)))
    assert ack.refusal is Refusal.MALFORMED and why in ack.text
    (_, ack) = (house := ComboHouse()).submit(lead(), follower(tactic=replace(combo_tactic(), participation_percent=5)))
    assert ack.refusal is Refusal.MALFORMED and not house.venue.sent

"""Combos at the paper venue, on quotes worked out by hand, and through every place at which its process may die."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import Refused
from common.messages import Order, Side, TimeInForce
from common.tactics import Combo
from common.units import NS_PER_S
from execution.config import PaperConfig
from execution.venues.lasting import LastingVenue
from execution.venues.paper import PaperVenue
from execution.venues.port import VenueEvent, VenueKind
from execution.venues.record import RecordKind, VenueRecord
from execution.venues.tallied import TalliedVenue
from execution.venues.venue_file import FILE_NAME, VenueFile
from tests.execution_world import T0_NS, make_order, make_universe, quotes

NOW_NS = T0_NS + NS_PER_S
PROMPT = PaperConfig(latency_ms=0.0, jitter_ms=0.0)
CENTS = 1250  # a tick: 0.25 points of USD 50
ROWS = ((1, Side.BUY), (0, Side.SELL), (2, Side.BUY))


def legs(units: int, ratio: tuple[int, ...], net_ticks: int, name: str = "c") -> list[Order]:
    """Legs in rows 1 (bought), 0 (sold), 2 (bought); a unit may cost ``net_ticks``."""
    combo = Combo(tuple((f"{name}{k}.1", n) for k, n in enumerate(ratio)), net_ticks * CENTS)
    return [
        make_order(leg, row, side, units * n, limit_ticks=1002 if side is Side.BUY else 1000, combo=combo)
        for (leg, n), (row, side) in zip(combo.legs, ROWS, strict=False)
    ]


def market(sequence: int, *rows: tuple[int, int | None, int | None, int, int], at_ns: int = T0_NS):
    return quotes(sequence, *rows, at_ns=at_ns, snapshot=True)


def venue(config: PaperConfig = PROMPT) -> PaperVenue:
    """Option bid 98 ask 101, 9 shown; future bid 200 ask 201, 4 shown."""
    made = PaperVenue(make_universe(), config)
    made.on_quotes(market(1, (1, 98, 101, 9, 9), (0, 200, 201, 4, 4), (2, 50, 51, 6, 6)))
    return made


def brief(told: list[VenueEvent]) -> list[tuple[str, str, int, int]]:
    return [(e.client_order_id, e.kind.name, e.lots, e.ticks) for e in told]


def sent(at: PaperVenue, orders: list[Order], now_ns: int = NOW_NS) -> list[tuple[str, str, int, int]]:
    return brief(at.submit_combo(orders, now_ns) + at.on_time(now_ns))


def test_as_many_units_as_every_leg_shows_and_the_rest_is_cancelled() -> None:
    at = venue()
    # Three options a unit: nine shown are three units; two futures a unit: four shown are two. So two units, at 101 and 200:
    # a unit costs 3 x 101 - 2 x 200 = -97 ticks.
    assert sent(at, legs(5, (3, 2), -97)) == [
        ("c0.1", "ACCEPTED", 0, 0),
        ("c1.1", "ACCEPTED", 0, 0),
        ("c0.1", "FILL", 6, 101),
        ("c1.1", "FILL", 4, 200),
        ("c0.1", "CANCELED", 0, 0),
        ("c1.1", "CANCELED", 0, 0),
    ]
    # What it took is gone from both sides: no future is left to sell, three options are left to buy.
    assert [kind for _, kind, _, _ in sent(at, legs(1, (3, 2), 10_000, "d"))].count("FILL") == 0
    alone = at.submit(make_order("o", 1, lots=5, limit_ticks=101), NOW_NS) + at.on_time(NOW_NS)
    assert [e.lots for e in alone if e.kind is VenueKind.FILL] == [3]


def test_one_tick_short_of_the_net_nothing_fills() -> None:
    assert [x for x in sent(venue(), legs(5, (3, 2), -98)) if x[1] == "FILL"] == []


def test_the_net_counts_and_not_the_limit_of_a_leg() -> None:
    orders = legs(1, (3, 2), -97)
    tight = [replace(orders[0], limit_ticks=100), replace(orders[1], limit_ticks=199)]
    assert [x for x in sent(venue(), tight) if x[1] == "FILL"] == [("c0.1", "FILL", 3, 101), ("c1.1", "FILL", 2, 200)]


@pytest.mark.parametrize("row", [(0, None, 201, 0, 4), (0, 201, 201, 4, 4), (0, 200, 201, 1, 4)])
def test_a_leg_without_a_market_leaves_the_other_alone(row: tuple[int, int | None, int | None, int, int]) -> None:
    at = PaperVenue(make_universe(), PROMPT)
    at.on_quotes(market(1, (1, 98, 101, 9, 9), row))
    assert [x for x in sent(at, legs(2, (3, 2), 10_000)) if x[1] == "FILL"] == []


def test_a_leg_that_is_refused_refuses_the_whole() -> None:
    config = PROMPT.model_copy(update={"halts_ns": ((NOW_NS, NOW_NS + NS_PER_S),)})
    at = PaperVenue(make_universe(), config, ((T0_NS, T0_NS + 60 * NS_PER_S),))
    at.on_quotes(market(1, (1, 98, 101, 9, 9), (0, 200, 201, 4, 4)))
    assert [x[1] for x in sent(at, legs(2, (3, 2), 0))] == ["REJECTED", "REJECTED"]
    some = [f"n{k}" for k in range(40)]
    at = venue(PROMPT.model_copy(update={"reject_share": 0.5, "seed": 4}))
    ends = {name: {x[1] for x in sent(at, legs(1, (1, 1), -5000, name))} for name in some}
    assert set(map(frozenset, ends.values())) == {frozenset({"REJECTED"}), frozenset({"ACCEPTED", "CANCELED"})}


def test_a_cancel_on_the_way_never_overtakes_it_and_comes_too_late() -> None:
    at = venue(PaperConfig())
    at.submit_combo(legs(1, (3, 2), 0), NOW_NS)
    at.cancel("c1.1", NOW_NS)
    told = brief(at.on_time(NOW_NS + NS_PER_S))
    assert told[-1] == ("c1.1", "CANCEL_REJECTED", 0, 0) and [x[1] for x in told[:4]] == ["ACCEPTED"] * 2 + ["FILL"] * 2


def test_what_is_no_combo_is_refused() -> None:
    a, b = legs(2, (3, 2), 0)
    at = venue()
    for wrong in (
        [],
        [a],
        [b, a],
        [a, replace(b, quantity_lots=5)],
        [a, replace(b, instrument=1)],
        [a, make_order("x")],
    ):
        with pytest.raises(Refused):
            at.submit_combo(wrong, NOW_NS)
    at.submit_combo([a, b], NOW_NS)
    with pytest.raises(Refused, match="came before"):
        at.submit_combo([a, b], NOW_NS)


@settings(max_examples=150, deadline=None)
@given(
    ratio=st.lists(st.integers(1, 4), min_size=2, max_size=3),
    units=st.integers(1, 6),
    book=st.lists(st.tuples(st.integers(-20, 20), st.integers(1, 3), st.integers(0, 20)), min_size=3, max_size=3),
    net=st.integers(-150, 150),
    before=st.integers(0, 8),
)
def test_units_net_and_sizes_by_brute_force(
    ratio: list[int], units: int, book: list[tuple[int, int, int]], net: int, before: int
) -> None:
    """Whatever the market: the most units that fit what is left of each side and the net limit, and not a lot more."""
    at = PaperVenue(make_universe(), PROMPT)
    rows = [(row, bid, bid + wide, lots, lots) for (row, _), (bid, wide, lots) in zip(ROWS, book, strict=True)]
    at.on_quotes(market(1, *rows))
    at.submit(make_order("first", 1, lots=max(before, 1), limit_ticks=10_000), NOW_NS)
    taken = sum(e.lots for e in at.on_time(NOW_NS) if e.kind is VenueKind.FILL)
    told = sent(at, legs(units, tuple(ratio), net))
    left = [lots - (taken if row == 1 else 0) for row, _, _, lots, _ in rows]
    price = [ask if side is Side.BUY else bid for (_, side), (_, bid, ask, _, _) in zip(ROWS, rows, strict=True)]
    cost = sum(side.sign * n * p for n, (_, side), p in zip(ratio, ROWS, price, strict=False))
    fits = [k for k in range(units + 1) if all(k * n <= lots for n, lots in zip(ratio, left, strict=False))]
    k = max(fits) if cost <= net else 0
    fills = {name: (lots, ticks) for name, kind, lots, ticks in told if kind == "FILL"}
    assert fills == ({f"c{i}.1": (k * n, price[i]) for i, n in enumerate(ratio)} if k else {})
    assert len(told) == len(ratio) * (1 + (k > 0) + (k < units))


# -- resting -----------------------------------------------------------------------------------------------------------


def resting(units: int, ratio: tuple[int, ...], net_ticks: int, name: str = "c") -> list[Order]:
    return [replace(leg, time_in_force=TimeInForce.DAY) for leg in legs(units, ratio, net_ticks, name)]


def test_a_resting_combo_waits_for_its_net_and_fills_as_the_far_sides_of_its_legs_come_to_it() -> None:
    at = venue()
    # A unit costs 3 x 101 - 2 x 200 = -97 now and may cost -103.
    assert [x[1] for x in sent(at, resting(3, (3, 2), -103))] == ["ACCEPTED", "ACCEPTED"]
    assert brief(at.on_quotes(market(2, (1, 98, 100, 9, 9), at_ns=NOW_NS + 1))) == []  # -100: not yet
    told = brief(
        at.on_quotes(market(3, (1, 98, 99, 9, 9), at_ns=NOW_NS + 2))
    )  # -103, and two units of futures are shown
    assert told == [("c0.1", "FILL", 6, 99), ("c1.1", "FILL", 4, 200)]
    assert brief(at.on_quotes(market(4, (1, 98, 99, 9, 9), at_ns=NOW_NS + 3))) == []  # the futures are taken
    told = brief(at.on_quotes(market(5, (0, 201, 202, 4, 4), at_ns=NOW_NS + 4)))
    assert told == [("c0.1", "FILL", 3, 99), ("c1.1", "FILL", 2, 201)]
    assert brief(at.on_quotes(market(6, (0, 210, 211, 9, 9), at_ns=NOW_NS + 5))) == []


def test_a_resting_combo_is_cancelled_whole_and_ends_with_the_session_or_a_leg() -> None:
    at = venue()
    sent(at, resting(1, (3, 2), -500))
    assert [x[:2] for x in brief(at.cancel("c0.1", NOW_NS) + at.on_time(NOW_NS))] == [
        ("c0.1", "CANCELED"),
        ("c1.1", "CANCELED"),
    ]
    at = PaperVenue(make_universe(), PROMPT, ((T0_NS, NOW_NS + NS_PER_S),))
    at.on_quotes(market(1, (1, 98, 101, 9, 9), (0, 200, 201, 4, 4)))
    sent(at, resting(1, (3, 2), -500))
    assert [x[1] for x in brief(at.on_time(NOW_NS + NS_PER_S))] == ["EXPIRED", "EXPIRED"]
    later = market(2, (1, 1, 2, 9, 9), (0, 900, 901, 9, 9), at_ns=NOW_NS + 2 * NS_PER_S)
    assert brief(at.on_quotes(later)) == []


def test_two_that_rest_share_what_is_shown_by_arrival() -> None:
    at = venue()
    sent(at, resting(1, (3, 2), -103, "a"))
    sent(at, resting(2, (3, 2), -103, "b"), NOW_NS + 1)
    told = brief(at.on_quotes(market(2, (1, 98, 99, 9, 9), at_ns=NOW_NS + 2)))
    assert told == [
        ("a0.1", "FILL", 3, 99),
        ("a1.1", "FILL", 2, 200),
        ("b0.1", "FILL", 3, 99),
        ("b1.1", "FILL", 2, 200),
    ]


# -- with a memory -----------------------------------------------------------------------------------------------------


def story(at: LastingVenue) -> None:
    """A combo that fills in part, one whose net is too low, one on its way at the end."""
    at.on_quotes(market(1, (1, 98, 101, 9, 9), (0, 200, 201, 4, 4), (2, 50, 51, 6, 6)))
    at.submit_combo(legs(5, (3, 2), -97, "a"), NOW_NS)
    at.on_time(NOW_NS + NS_PER_S)
    at.submit_combo(legs(1, (1, 1, 1), -98, "b"), NOW_NS + NS_PER_S)
    at.on_time(NOW_NS + 2 * NS_PER_S)
    at.submit_combo(resting(3, (3, 2), -97, "d"), NOW_NS + 2 * NS_PER_S)
    at.on_time(NOW_NS + 3 * NS_PER_S)
    at.submit_combo(legs(1, (3, 2), -97, "c"), NOW_NS + 3 * NS_PER_S)


def lasting(records: list[VenueRecord] | None = None) -> LastingVenue:
    return LastingVenue(PaperVenue(make_universe(), PaperConfig()), records or ())


def ends(at: LastingVenue) -> dict[str, tuple[int, str]]:
    """Fresh quotes, then time: lots and the last word of each leg, whose legs then keep their ratio."""
    at.on_quotes(market(2, (1, 98, 101, 9, 9), (0, 200, 201, 4, 4), (2, 50, 51, 6, 6), at_ns=NOW_NS + 9 * NS_PER_S))
    at.on_time(NOW_NS + 20 * NS_PER_S)
    out: dict[str, tuple[int, str]] = {}
    for name in dict.fromkeys(r.client_order_id for r in at.records):
        told = at.ask(name) or []
        out[name] = (sum(r.lots for r in told if r.kind is RecordKind.FILL), told[-1].kind.name)
    for combo, ratio in (("a", (3, 2)), ("b", (1, 1, 1)), ("c", (3, 2)), ("d", (3, 2))):
        assert len({out.get(f"{combo}{k}.1", (0, ""))[0] / n for k, n in enumerate(ratio)}) == 1, out
    return out


def test_killed_in_any_byte_of_its_file_no_leg_is_known_or_filled_without_the_others(tmp_path: Path) -> None:
    whole = lasting()
    story(whole)
    file = VenueFile(tmp_path)
    file.append(whole.records)
    file.close()
    data = (tmp_path / FILE_NAME).read_bytes()
    expected = ends(lasting(list(whole.records)))
    assert {name: end for name, end in expected.items() if name[0] == "a"} == {
        "a0.1": (6, "CANCELED"),
        "a1.1": (4, "CANCELED"),
    }
    lengths = {i + 1 for i, byte in enumerate(data) if byte == 10} | set(range(0, len(data), 97))
    for length in sorted(lengths):
        (tmp_path / FILE_NAME).write_bytes(data[:length])
        again = VenueFile(tmp_path)
        records = again.records
        again.close()
        assert (tmp_path / FILE_NAME).read_bytes() == data[: (tmp_path / FILE_NAME).stat().st_size]
        assert not records or not records[-1].with_next
        came_back = lasting(list(records))
        assert all(len(r.combo_id) == 0 or r.net_limit_cents for r in records)
        found = ends(came_back)
        for combo in "abcd":
            known = [name for name in found if name[0] == combo]
            assert len(known) in (0, 3 if combo == "b" else 2)
        assert all(kind in ("CANCELED", "FILL", "REJECTED") for _, kind in found.values())


def test_a_combo_sent_twice_is_refused_and_the_attempt_kept() -> None:
    at = lasting()
    at.submit_combo(legs(1, (3, 2), 0), NOW_NS)
    assert [r.kind for r in at.submit_combo(legs(1, (3, 2), 0), NOW_NS)] == [RecordKind.DUPLICATE] * 2
    assert len(at.records) == 4


def test_a_venue_told_to_take_none_refuses_every_leg() -> None:
    at = LastingVenue(PaperVenue(make_universe(), PaperConfig(combos=False)))
    told = at.submit_combo(legs(1, (3, 2), 0), NOW_NS)
    assert [(r.kind, r.with_next) for r in told[:2]] == [(RecordKind.ORDER, True), (RecordKind.ORDER, False)]
    assert [(r.kind, r.text) for r in told[2:]] == [(RecordKind.REJECTED, "the venue takes no combos")] * 2


def test_a_tally_states_the_legs() -> None:
    at = TalliedVenue(venue())
    assert at.combos
    at.submit_combo(legs(5, (3, 2), -97), NOW_NS)
    stated = asyncio.run(at.statement(0, 10))
    assert [(o.client_order_id, o.signed_lots) for o in stated.orders] == [("c0.1", 15), ("c1.1", -10)]
    at.on_time(NOW_NS)
    stated = asyncio.run(at.statement(0, 10))
    assert stated.orders == () and stated.position_lots == {1: 6, 0: -4}

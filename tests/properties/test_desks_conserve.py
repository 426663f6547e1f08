"""Whatever the desks trade: crossings add to nothing, orders are the net, every lot and cent has an owner."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import factors
from common.messages import CostShare
from manager.attribution import WHOLE
from manager.books_lots import allowed_books, round_books
from manager.books_orders import Part, crossed, crossings_of, drafts_of
from manager.books_problem import fit_books, lots_may_pay
from manager.books_qp import BooksProblem, objective_books, solve_books
from manager.books_solve import solve_few
from manager.config import ManagerConfig
from manager.fold import apply
from manager.hash import state_hash
from manager.menu import Menu
from manager.netting import Problem
from manager.snapshot import encode, restore
from manager.step import start
from tests.desks_world import Desks
from tests.manager_world import FORWARD, FUTURE_MULTIPLIER
from tests.properties.test_netting_books import books_problem

LOT = FORWARD[0] * FUTURE_MULTIPLIER[0]
DESKS = ("a", "b", "c", "d")
TRADES = st.lists(st.lists(st.integers(-60, 60), min_size=3, max_size=3), min_size=4, max_size=4).map(np.array)


def menu(columns: int) -> Menu:
    one = np.ones(columns)
    cents = np.ones(columns, np.int64)
    return Menu(np.arange(columns), np.zeros((1, columns)), one, one, 0.0 * one, cents, cents, one, one, one, one)


def part_of(desk: int, column: int, side: int) -> Part:
    """Two agents a desk, with odd shares; each pays for a factor of its own."""
    share = {"gamma-0": 1.0 + desk, "vega-1": 0.7 * (1 + column), "vega-2": -3.0}
    pays = (CostShare("delta:U@x", f"gamma-{desk}", 600_001), CostShare("vega:U", "vega-1", 399_999))
    return Part(share, "gamma-0", pays, float(side))


@given(TRADES)
def test_crossed_and_market_lots_add_up_and_never_turn_a_desk_round(lots: np.ndarray) -> None:
    between = crossed(lots)
    market = lots - between
    assert not between.sum(axis=0).any()
    assert (between * lots >= 0).all() and (market * lots >= 0).all()
    net = lots.sum(axis=0)
    assert ((market == 0) | (np.sign(market) == np.sign(net)[None, :])).all(), "one side an instrument goes out"
    opposite = np.minimum(np.maximum(lots, 0).sum(axis=0), np.maximum(-lots, 0).sum(axis=0))
    np.testing.assert_array_equal(np.abs(between).sum(axis=0), 2 * opposite)


@given(TRADES)
def test_orders_and_crossings_carry_every_lot_of_every_desk(lots: np.ndarray) -> None:
    between = crossed(lots)
    drafts = drafts_of(DESKS, menu(3), lots - between, part_of)
    state = SimpleNamespace(
        setup=SimpleNamespace(run_id="r"), market=SimpleNamespace(bid_ticks=np.full(3, 10), ask_ticks=np.full(3, 12))
    )
    crossings = crossings_of(state, DESKS, menu(3), between, part_of, "1-1")
    found = np.zeros_like(lots)
    for d in drafts:
        assert sum(n for _, n in d.agents) == d.lots == abs(int(lots.sum(axis=0)[d.column]))
        assert sum(s.parts for s in d.cost_shares) == WHOLE
        for agent, n in d.agents:
            assert n > 0
            found[DESKS.index(factors.desk_of(agent)), d.column] += d.side.sign * n
    for c in crossings:
        assert sum(n for _, n in c.bought) == sum(n for _, n in c.sold) == c.lots > 0
        assert {factors.desk_of(a) for a, _ in c.bought} == {c.buyer} != {c.seller}
        assert {factors.desk_of(a) for a, _ in c.sold} == {c.seller}
        found[DESKS.index(c.buyer), c.instrument] += c.lots
        found[DESKS.index(c.seller), c.instrument] -= c.lots
    np.testing.assert_array_equal(found, lots)
    assert len({c.crossing_id for c in crossings}) == len(crossings)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 3.0))
def test_fitted_wishes_stay_inside_every_row(seed: int, scale: float) -> None:
    p = books_problem(seed)
    rng = np.random.default_rng(seed)
    wish = scale * rng.normal(0.0, 20.0, (p.books, p.shared.sensitivity.shape[1]))
    fitted = fit_books(p, wish)
    assert allowed_books(p, fitted.astype(float))
    assert (fitted * wish >= 0).all() and (np.abs(fitted) <= np.floor(np.abs(wish) + 0.5)).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_where_no_lot_may_pay_none_is_found(seed: int) -> None:
    p = books_problem(seed)
    nothing = np.zeros((p.books, p.shared.sensitivity.shape[1]))
    lots = round_books(p, solve_books(p, 20_000).lots, 0.0)
    gain = objective_books(p, nothing) - objective_books(p, lots.astype(float))
    assert lots_may_pay(p) or gain <= 1e-6


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_few_rows_at_a_time_find_the_same_optimum(seed: int) -> None:
    p = books_problem(seed)
    whole, few = solve_books(p, 20_000), solve_few(p, 20_000)
    assert not whole.failure and not few.failure
    assert objective_books(p, few.lots) == pytest.approx(objective_books(p, whole.lots), rel=1e-6, abs=1e-6)
    for k, d in enumerate(p.own_book):
        mine = np.concatenate([np.maximum(few.lots[d], 0.0), np.maximum(-few.lots[d], 0.0)])
        assert p.own_rows[k] @ mine <= p.own_room[k] + 1e-5


@pytest.mark.parametrize("block", range(4))
def test_few_instruments_at_a_time_find_the_same_optimum(block: int) -> None:
    """Menus of up to 70, some or all of them with square-root impact, some without a lot to be had, some shut to a desk."""
    traded = 0
    for seed in range(12 * block, 12 * block + 12):
        p, rng = wide(seed), np.random.default_rng(seed)
        if seed % 3:
            root = 0.1 * p.shared.cost * (rng.random(len(p.shared.cost)) < (0.2 if seed % 3 == 1 else 1.0))
            p = replace(p, shared=replace(p.shared, root=root))
        whole, few = solve_books(p, 100_000), solve_few(p, 100_000)
        assert not whole.failure and not few.failure, seed
        assert objective_books(p, few.lots) == pytest.approx(objective_books(p, whole.lots), rel=1e-6, abs=1e-6), seed
        np.testing.assert_allclose(few.price, whole.price, rtol=1e-3, atol=1e-3 * np.abs(whole.price).max())
        assert allowed_books(p, few.lots * (1.0 - 1e-6)), seed
        traded += int(np.abs(few.lots).sum() > 1.0)
    assert traded > 8


def wide(seed: int) -> BooksProblem:
    """Three desks whose options have like effects: many of them would nearly do."""
    rng = np.random.default_rng(seed)
    f, m, desks = 6, int(rng.integers(30, 71)), 3
    s = rng.normal(size=(f, 3)) @ rng.normal(size=(3, m)) + 0.1 * rng.normal(size=(f, m))
    cost, cap = rng.uniform(0.5, 3.0, m), rng.integers(0, 30, (2, m)).astype(float)
    up, down = np.maximum(s, 0.0).max(axis=0), np.maximum(-s, 0.0).max(axis=0)
    exposure, e = rng.normal(size=desks * f) * 60.0, desks * f
    shared = Problem(
        exposure, np.full(e, -2.0), np.full(e, 2.0), np.full(e, 4.0), 1e-2 * np.eye(e), np.tile(s, (desks, 1)), cost,
        1e-3 * cost, cap[0], cap[1], np.vstack([np.concatenate([up, down]), np.concatenate([down, up])]),
        rng.uniform(0.0, 400.0, 2), 1.0,
    )  # fmt: skip
    shut = (rng.random((desks, 2 * m)) < 0.1).astype(float)
    hard = np.vstack([np.concatenate([np.maximum(x, 0.0), np.maximum(-x, 0.0)]) for x in s])
    own = np.vstack([shut, np.tile(hard, (desks, 1))])
    room = np.concatenate([np.zeros(desks), rng.uniform(0.0, 200.0, desks * f)])
    whose = np.concatenate([np.arange(desks), np.repeat(np.arange(desks), f)])
    return BooksProblem(shared, np.repeat(np.arange(desks), f), desks, 0.4 * cost, own, room, whose)


ACT = st.tuples(st.sampled_from(("says", "decide", "part", "fill", "cancel", "tick")), st.integers(0, 999))


@settings(max_examples=40, deadline=None)
@given(st.lists(ACT, min_size=5, max_size=40), st.sampled_from(("joint", "plain", "alone")))
def test_any_course_of_events_adds_up_by_desk_and_folds(course: list[tuple[str, int]], mode: str) -> None:
    desks = Desks(entities={"a": "LLC", "b": "LLC", "c": "Ltd"}, config=ManagerConfig(netting=mode))
    truth = 0
    for action, pick in course:
        desk, lives = "abc"[pick % 3], list(desks.state.fold.orders.open.values())
        order = lives[pick % len(lives)].order if lives else None
        if action == "says":
            lots = pick % 41 - 20
            desks.says(desk, {factors.delta("SPX"): lots * LOT}, 0.25 * LOT, wish={0: float(-lots)})
        elif action == "decide":
            desks.decide()
        elif action == "tick":
            desks.feed(1.0 + pick % 20)
        elif order is not None:
            life = desks.state.fold.orders.open[order.client_order_id]
            lots = 0 if action == "cancel" else life.leaves_lots if action == "fill" else pick % life.leaves_lots
            desks.fill(order, lots) if lots < order.quantity_lots or life.cum_lots == 0 else None
            truth += order.side.sign * lots
        _adds_up(desks)
    assert int(desks.state.fold.ledger.traded[0]) == truth
    standby = start(desks.setup)
    for entry in desks.journal:
        apply(standby, entry)
    assert state_hash(standby) == state_hash(desks.state)
    kept = restore(encode(desks.state.fold, desks.run_id), desks.setup)
    assert state_hash(kept) == state_hash(desks.state), "a snapshot holds the desks"


def _adds_up(desks: Desks) -> None:
    ledger = desks.state.fold.ledger
    np.testing.assert_array_equal(ledger.desk_lots().sum(axis=0), ledger.traded)
    paid = sum(ledger.cents(e.event.instrument, e.event.side.sign * e.event.last_lots, e.event.last_ticks, 0)
               for e in desks.journal if hasattr(e.event, "last_lots"))  # fmt: skip
    assert sum(ledger.cash_cents.values()) == -paid

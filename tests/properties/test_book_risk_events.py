"""After any sequence of events the totals have the bits of a book built anew, and the value that QuantLib gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.risk.book import RiskBook
from common.units import NS_PER_DAY
from tests.book_risk import ALL, FAST, LINEAR, World, same_bits

U = 3


def tick(w: World, b: RiskBook, u: int) -> None:
    w.price[u] *= float(np.exp(w.rng.normal(0.0, 0.02)))
    b.tick(u, w.price[u])


def fills(w: World, b: RiskBook, u: int) -> None:
    if w.held[u]:
        keys = w.rng.choice(list(w.held[u]), 3)
        lots = w.rng.integers(-20, 21, 3)
        for k, n in zip(keys.tolist(), lots.tolist(), strict=True):
            w.held[u][k].lots += n
        b.fills(u, keys, lots)


def vols(w: World, b: RiskBook, u: int) -> None:
    options = [k for k, c in w.held[u].items() if c.model not in LINEAR]
    if options:
        keys = w.rng.choice(options, min(5, len(options)), replace=False)
        new = w.rng.choice([0.0, 0.1, 0.33, 0.9], len(keys))
        for k, v in zip(keys.tolist(), new.tolist(), strict=True):
            w.held[u][k].vol = v
        b.set_vols(u, keys, new)


def terms(w: World, b: RiskBook, u: int) -> None:
    expiry = int(w.rng.choice(list(w.terms[u])))
    w.terms[u][expiry] = w.some_terms()
    b.set_terms(w.terms_columns({u: {expiry: w.terms[u][expiry]}}))


def clock(w: World, b: RiskBook, u: int) -> None:
    w.now_ns += int(w.rng.choice([1_000_000, 3_600_000_000_000, NS_PER_DAY, 9 * NS_PER_DAY]))
    b.clock(w.now_ns)


def add(w: World, b: RiskBook, u: int) -> None:
    new = w.new_contracts(u, int(w.rng.integers(1, 40)))
    w.write_down(u, new)
    b.add(w.positions(new, u))


def remove(w: World, b: RiskBook, u: int) -> None:
    if w.held[u]:
        keys = w.rng.choice(list(w.held[u]), min(len(w.held[u]), int(w.rng.integers(1, 30))), replace=False)
        for k in keys.tolist():
            del w.held[u][k]
        b.remove(u, keys)


def fx(w: World, b: RiskBook, u: int) -> None:
    w.fx[u] = float(w.rng.uniform(0.5, 2.0))
    b.set_fx(u, w.fx[u])


def read(w: World, b: RiskBook, u: int) -> None:
    b.totals(u)
    b.firm()


def lost_price(w: World, b: RiskBook, u: int) -> None:
    b.tick(u, float("nan"))
    assert np.isnan(b.totals(u)).any() or not w.held[u]
    b.tick(u, w.price[u])


EVENTS: tuple[Callable[[World, RiskBook, int], None], ...] = (
    tick,
    fills,
    vols,
    terms,
    clock,
    add,
    remove,
    fx,
    read,
    lost_price,
)
SEQUENCES = st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, U - 1)), min_size=1, max_size=25)


def play(seed: int, contracts: int, models: tuple[int, ...], events: list[tuple[Callable[..., None], int]]) -> World:
    world = World(np.random.default_rng(seed), U, contracts, models)
    book = world.book()
    for event, u in events:
        event(world, book, u)
    rebuilt = world.book()
    for u in range(U):
        assert same_bits(book.totals(u), rebuilt.totals(u)), f"underlying {u} differs from a book built anew"
    assert same_bits(book.firm(), rebuilt.firm())
    book.recompute()
    assert same_bits(book.firm(), rebuilt.firm())
    return world


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), contracts=st.integers(0, 300), events=SEQUENCES)
def test_any_sequence_ends_in_the_bits_of_a_new_book(
    seed: int, contracts: int, events: list[tuple[Callable[..., None], int]]
) -> None:
    play(seed, contracts, FAST, events)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), contracts=st.integers(0, 40), events=SEQUENCES)
def test_with_american_and_coin_contracts_too(
    seed: int, contracts: int, events: list[tuple[Callable[..., None], int]]
) -> None:
    play(seed, contracts, ALL, events)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), contracts=st.integers(1, 200), events=SEQUENCES)
def test_totals_are_quantlibs_and_those_of_a_plain_sum(
    seed: int, contracts: int, events: list[tuple[Callable[..., None], int]]
) -> None:
    world = World(np.random.default_rng(seed), U, contracts, FAST)
    book = world.book()
    for event, u in events:
        event(world, book, u)
    for u in range(U):
        for expected, scale in (world.quantlib_totals(u), world.evaluated_totals(u)):
            error = np.abs(book.totals(u)[:, : len(scale)] - expected).max(axis=0)
            # A percent of the notional: the scale of gamma per 1 % and vega per point where all is far out of the money.
            assert (error <= 1e-11 * (scale + 0.01 * world.gross_usd(u))).all(), (error, scale)


@pytest.mark.parametrize("contracts", [1, 16, 17, 255, 256, 257, 700])
def test_layout_edges(contracts: int) -> None:
    play(contracts, contracts, FAST, [(e, u) for u in range(U) for e in EVENTS])

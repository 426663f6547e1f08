"""Blocks: every position once, in an order that the contracts alone decide, and not more bytes than stated."""

from __future__ import annotations

import numpy as np
import pytest

from common.kernels import layout
from common.kernels.book import DEPTH, GROUPS, LANES
from common.messages import I64
from common.risk.book import Positions
from common.risk.book_layout import EMPTY, Store
from common.risk.buckets import CELLS


def some(n: int, rng: np.random.Generator) -> tuple[Positions, I64]:
    positions = Positions(
        rng.permutation(10 * n)[:n],
        np.zeros(n, np.int64),
        np.full(n, layout.EUROPEAN, np.uint8),
        rng.integers(0, 100, n),
        rng.uniform(50.0, 150.0, n),
        rng.choice([-1, 1], n).astype(np.int8),
        rng.uniform(0.1, 0.5, n),
        np.ones(n),
        rng.integers(-9, 10, n),
    )
    return positions, rng.integers(0, CELLS, n)


def build(positions: Positions, cell: I64) -> Store:
    return Store.build(positions, np.zeros(len(positions), np.int64), cell, 4, prepared=True)


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 256, 1000])
def test_every_position_has_a_lane_of_its_own_in_a_group_of_its_cell(n: int) -> None:
    positions, cell = some(n, np.random.default_rng(n))
    store = build(positions, cell)
    places, here = store.find(positions.key)
    assert here.all()
    assert len(set(places.tolist())) == n == len(store)
    assert (store.key.ravel()[places] == positions.key).all()
    assert (store.strike.ravel()[places] == positions.strike).all()
    assert np.count_nonzero(store.key != EMPTY) == n
    group = places // LANES * GROUPS + places % LANES % GROUPS
    assert (store.first[cell] <= group).all()
    assert (group < store.first[cell + 1]).all()
    filled = np.bincount(cell, minlength=CELLS)
    assert (np.diff(store.first) == -(-filled // DEPTH)).all()


def test_arrival_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    positions, cell = some(500, rng)
    order = rng.permutation(500)
    a, b = build(positions, cell), build(positions.take(order), cell[order])
    assert (a.key == b.key).all()
    assert (a.lots == b.lots).all()
    assert (a.first == b.first).all()


def test_unknown_keys_are_not_found() -> None:
    positions, cell = some(50, np.random.default_rng(4))
    _, here = build(positions, cell).find(np.array([10**9, int(positions.key[0])]))
    assert here.tolist() == [False, True]
    _, here = build(*some(0, np.random.default_rng(4))).find(np.array([1]))
    assert here.tolist() == [False]


def test_what_went_in_comes_out() -> None:
    positions, cell = some(300, np.random.default_rng(8))
    out = Store.build(positions, np.zeros(300, np.int64), cell, 4, prepared=True).positions(0, np.zeros(1, np.int64))
    order = np.argsort(out.key)
    back = np.argsort(positions.key)
    for name in ("key", "strike", "right", "vol", "multiplier", "lots", "model"):
        assert (getattr(out, name)[order] == getattr(positions, name)[back]).all(), name


def test_a_full_block_takes_the_stated_bytes_a_position() -> None:
    positions, _ = some(64 * LANES, np.random.default_rng(9))
    store = build(positions, np.zeros(len(positions), np.int64))
    assert store.nbytes / len(positions) < 167.0


@pytest.mark.parametrize(
    ("change", "message"),
    [({"key": np.array([-1, 2])}, "negative"), ({"model": np.array([0, 9], np.uint8)}, "unknown model 9")],
)
def test_senseless_positions_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    positions, _ = some(2, np.random.default_rng(1))
    columns = {name: getattr(positions, name) for name in Positions.__dataclass_fields__}
    with pytest.raises(ValueError, match=message):
        Positions(**{**columns, **change})
    with pytest.raises(ValueError, match="different lengths"):
        Positions(**{**columns, "lots": np.array([1])})

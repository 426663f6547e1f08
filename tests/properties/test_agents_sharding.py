"""Bounded-load rendezvous: complete, balanced, stable, independent of order."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.sharding import all_keys, assign
from common import factors
from common.units import NS_PER_DAY
from tests.agents_market import NOW_NS, make_book, make_market

keys_of_one_kind = st.sets(st.integers(0, 10_000), max_size=60).map(lambda s: sorted(f"vega/U{i}/8-30d" for i in s))


@given(keys_of_one_kind, st.integers(1, 12))
def test_every_key_once_and_no_shard_two_above_another(keys, n):
    owner = assign(keys, {"vega": n})
    assert sorted(owner) == keys
    load = Counter(owner.values())
    counts = [load[f"vega-{i}"] for i in range(n)]
    assert sum(counts) == len(keys)
    assert max(counts) - min(counts) <= 1  # so none idles while another has two


@given(keys_of_one_kind, st.integers(1, 12), st.randoms())
def test_order_does_not_matter(keys, n, rng):
    shuffled = list(keys)
    rng.shuffle(shuffled)
    assert assign(shuffled + shuffled, {"vega": n}) == assign(keys, {"vega": n})


@given(keys_of_one_kind, st.integers(1, 8))
@settings(max_examples=60)
def test_names_and_numbers_mean_the_same(keys, n):
    assert assign(keys, [f"vega-{i}" for i in reversed(range(n))]) == assign(keys, {"vega": n})


def moved(keys, before, after):
    one, two = assign(keys, before), assign(keys, after)
    return sum(one[k] != two[k] for k in keys)


def test_little_moves_when_a_shard_comes_or_goes():
    rng = random.Random(1)
    shares = []
    for _ in range(150):
        keys = [f"vega/U{rng.randrange(10**6)}/0-7d" for _ in range(rng.randrange(8, 60))]
        n = rng.randrange(1, 8)
        must = len(set(keys)) / (n + 1)  # what the new shard takes
        shares.append(moved(sorted(set(keys)), {"vega": n}, {"vega": n + 1}) / must)
    # A new shard must take 1/(n + 1) of the keys; keeping the others balanced moves a bounded number more.
    assert sum(shares) / len(shares) < 1.8
    assert max(shares) < 4.0


@given(keys_of_one_kind, st.integers(2, 8), st.data())
def test_a_dead_shard_keeps_nothing_and_the_rest_stay_balanced(keys, n, data):
    dead = data.draw(st.integers(0, n - 1))
    owner = assign(keys, [f"vega-{i}" for i in range(n) if i != dead])
    assert f"vega-{dead}" not in owner.values()
    load = Counter(owner.values())
    counts = [load[f"vega-{i}"] for i in range(n) if i != dead]
    assert max(counts) - min(counts) <= 1


def test_kinds_do_not_mix_and_no_shard_means_no_owner():
    keys = ["gamma/SPX", "gamma/NDX", "vega/SPX/0-7d", "cross_asset/common"]
    owner = assign(keys, {"gamma": 2, "vega": 1, "cross_asset": 0})
    assert {k: factors.kind_of(a) for k, a in owner.items()} == {
        "gamma/SPX": "gamma",
        "gamma/NDX": "gamma",
        "vega/SPX/0-7d": "vega",
    }
    assert {owner["gamma/SPX"], owner["gamma/NDX"]} == {"gamma-0", "gamma-1"}


@given(st.integers(0, 200))
@settings(max_examples=20, deadline=None)
def test_no_bucket_is_ever_populated_without_a_key(days):
    market = make_market({"SPX": 2700.0, "MID": 1900.0}, without_future=("MID",), strikes=4)
    book = make_book(market.universe, 30)
    keys = set(all_keys(market.universe, book, NOW_NS))
    u = market.universe
    alive = (u.kind == 1) & (u.expiry_ns > NOW_NS + days * NS_PER_DAY)
    held = set(book.instrument.tolist())
    for row in alive.nonzero()[0].tolist():
        if u.listed[row] or row in held:
            bucket = factors.BUCKET_NAMES[factors.bucket_index(int(u.expiry_ns[row]), NOW_NS + days * NS_PER_DAY)]
            assert f"vega/{u.symbols[u.underlying[row]]}/{bucket}" in keys
    assert "gamma/SPX" in keys and "gamma/MID" not in keys and "cross_asset/proxy/MID" in keys


def test_common_factor_needs_two():
    one, two = make_market({"SPX": 2700.0}, strikes=4), make_market({"SPX": 2700.0, "NDX": 6800.0}, strikes=4)
    assert "cross_asset/common" not in all_keys(one.universe, make_book(one.universe, 5), NOW_NS)
    assert "cross_asset/common" in all_keys(two.universe, make_book(two.universe, 5), NOW_NS)

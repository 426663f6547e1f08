"""Scaling by load: bounded, monotone, without flapping; and the waiting around it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.fleet_scale import Load, Scaler, ScaleRules, wanted_replicas
from common.units import NS_PER_S

SHARE = st.floats(0.0, 1.0)
LAG = st.floats(0.0, 10.0)
SHARDS = st.integers(1, 16)


@st.composite
def rules(draw: st.DrawFn) -> ScaleRules:
    low, target, high = sorted(draw(st.lists(st.integers(5, 95), min_size=3, max_size=3, unique=True)))
    least, most = sorted(draw(st.lists(SHARDS, min_size=2, max_size=2)))
    return ScaleRules(
        on=True, min_shards=least, max_shards=most, busy_low=low / 100, busy_target=target / 100, busy_high=high / 100
    )


LOAD = st.builds(Load, SHARDS, st.integers(0, 40), SHARE, LAG)


@given(LOAD, rules())
def test_bounded_by_the_rules_and_by_the_keys(load: Load, r: ScaleRules) -> None:
    wanted = wanted_replicas(load, r)
    assert 1 <= wanted <= r.max_shards
    assert wanted <= max(load.keys, 1) and wanted >= min(r.min_shards, max(load.keys, 1))


@given(LOAD, rules(), SHARE, LAG, st.integers(0, 40))
def test_never_falls_as_the_load_rises(load: Load, r: ScaleRules, busy: float, lag: float, keys: int) -> None:
    more = Load(load.shards, max(load.keys, keys), max(load.busy_share, busy), max(load.lag_s, lag))
    assert wanted_replicas(more, r) >= wanted_replicas(load, r)


@given(LOAD, rules())
def test_a_step_made_asks_for_no_other_while_the_work_stays_the_same(load: Load, r: ScaleRules) -> None:
    """The work spreads over the new shards; ticks that waited do so no more."""
    first = wanted_replicas(load, r)
    busy = load.busy_share * load.shards / first
    if first != load.shards and busy <= 1.0:
        after = Load(first, load.keys, busy, 0.0)
        assert wanted_replicas(after, r) == first


@given(st.lists(st.tuples(SHARE, LAG), min_size=1, max_size=200), rules())
def test_changes_no_oftener_than_the_waiting_times_allow(path: list[tuple[float, float]], r: ScaleRules) -> None:
    scaler, shards, changes = Scaler(r), 2, []
    for second, (busy, lag) in enumerate(path):
        for n in scaler.wish({"gamma": Load(shards, 16, busy, lag)}, second * NS_PER_S).values():
            changes.append((second, n > shards))
            shards = n
    began = -1
    for second, up in changes:
        assert second - began > (r.up_s if up else r.down_s), "a wish begins anew after each change"
        began = second


def test_takes_the_mildest_of_the_wishes_it_waited_through() -> None:
    scaler = Scaler(ScaleRules(on=True, up_s=2.0))
    found = [scaler.wish({"gamma": Load(1, 16, busy, 0.0)}, i * NS_PER_S) for i, busy in enumerate((1.0, 0.8, 1.0))]
    assert found == [{}, {}, {"gamma": 2}]
    assert Scaler(ScaleRules()).wish({"gamma": Load(1, 16, 1.0, 9.0)}, 100 * NS_PER_S) == {}, "off by default"


def test_a_wish_begins_anew_where_nobody_looked_or_the_shards_are_others() -> None:
    """Found by a review: a wish of one shard, kept over a change by hand, scaled four saturated shards down to two."""
    scaler = Scaler(ScaleRules(on=True))
    assert scaler.wish({"gamma": Load(1, 8, 0.9, 0.0)}, 0) == {}
    assert scaler.wish({"gamma": Load(4, 8, 1.0, 0.0)}, 60 * NS_PER_S) == {}
    assert scaler.wish({"gamma": Load(4, 8, 1.0, 0.0)}, 62 * NS_PER_S) == {"gamma": 8}
    idle = {"gamma": Load(4, 8, 0.05, 0.0)}
    assert scaler.wish(idle, 100 * NS_PER_S) == {} == scaler.wish({}, 120 * NS_PER_S)
    assert scaler.wish(idle, 140 * NS_PER_S) == {} == scaler.wish(idle, 169 * NS_PER_S)
    assert scaler.wish(idle, 170 * NS_PER_S) == {"gamma": 1}


@pytest.mark.parametrize(
    ("load", "wanted"),
    [
        (Load(1, 8, 0.74, 0.0), 1),
        (Load(1, 8, 0.80, 0.0), 2),
        (Load(4, 8, 0.95, 0.0), 8),
        (Load(2, 8, 0.60, 0.5), 3),
        (Load(2, 8, 0.30, 0.5), 2),
        (Load(2, 8, 0.17, 0.0), 1),
        (Load(3, 2, 0.60, 0.0), 2),
        (Load(2, 0, 0.60, 0.0), 1),
        (Load(2, 8, math.nan, 0.0), 1),
    ],
)
def test_worked_examples(load: Load, wanted: int) -> None:
    assert wanted_replicas(load, ScaleRules()) == wanted


def test_refuses_rules_that_would_flap() -> None:
    with pytest.raises(ValidationError, match="come and go"):
        ScaleRules(busy_low=0.5, busy_target=0.5, busy_high=0.6)
    with pytest.raises(ValidationError, match="min_shards"):
        ScaleRules(min_shards=5, max_shards=4)

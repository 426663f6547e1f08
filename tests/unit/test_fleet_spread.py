"""Moves end, and leave agents as evenly spread as any placement found by trying them all."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from agents.fleet_spread import better, moves, unevenness
from common.factors import kind_of

AGENTS = ("gamma-0", "gamma-1", "vega-0", "vega-1", "cross_asset-0", "cross_asset-1")


def settle(where: dict[str, str], nodes: tuple[str, ...]) -> tuple[dict[str, str], int]:
    moves = 0
    while step := better(where, nodes):
        assert moves < 50
        where, moves = {**where, step[0]: step[1]}, moves + 1
    return where, moves


def test_six_agents_left_on_one_node_end_three_and_three_with_no_kind_on_one_node() -> None:
    where, moves = settle(dict.fromkeys(AGENTS, "b"), ("a", "b"))
    assert moves == 3
    assert sorted(where.values()) == ["a", "a", "a", "b", "b", "b"]
    for kind in ("gamma", "vega", "cross_asset"):
        assert where[f"{kind}-0"] != where[f"{kind}-1"]


def test_one_agent_of_each_kind_moves_at_once() -> None:
    wishes = moves(dict.fromkeys(AGENTS, "b"), ("a", "b"))
    assert sorted(kind_of(name) for name, _ in wishes) == ["cross_asset", "gamma", "vega"]
    assert {node for _, node in wishes} == {"a"}


@given(st.lists(st.sampled_from("abc"), min_size=6, max_size=6))
def test_moves_made_at_once_are_one_of_a_kind_and_each_makes_it_more_even(places: list[str]) -> None:
    where, nodes = dict(zip(AGENTS, places, strict=True)), ("a", "b", "c")
    wishes = moves(where, nodes)
    assert len({kind_of(name) for name, _ in wishes}) == len(wishes)
    for name, node in wishes:
        assert unevenness({**where, name: node}) < unevenness(where)
        where[name] = node


def test_nothing_moves_where_all_is_even_or_a_node_has_just_died() -> None:
    even = {"gamma-0": "a", "gamma-1": "b", "vega-0": "b"}
    assert better(even, ("a", "b")) is None
    assert better(dict.fromkeys(AGENTS, "gone"), ("a", "b")) is None
    assert better(dict.fromkeys(AGENTS, "a"), ("a",)) is None
    assert better({}, ()) is None


@given(st.lists(st.sampled_from("abc"), min_size=5, max_size=5))
def test_moves_end_as_even_as_the_best_of_all_placements(places: list[str]) -> None:
    names, nodes = AGENTS[:5], ("a", "b", "c")
    where, moves = settle(dict(zip(names, places, strict=True)), nodes)
    best = min(unevenness(dict(zip(names, p, strict=True))) for p in product(nodes, repeat=5))
    assert unevenness(where) == best and moves <= 5

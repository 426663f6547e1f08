"""Moves end, and leave agents as evenly spread as any placement found by trying them all."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from agents.fleet_spread import better, lacking, moves, unevenness
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


def test_of_moves_that_help_alike_one_goes_to_where_its_successor_waits() -> None:
    where = {"gamma-0": "b", "gamma-1": "b"}
    assert better(where, ("a", "b")) == ("gamma-0", "a")
    assert better(where, ("a", "b"), successors={"gamma-1": "a"}) == ("gamma-1", "a")


@given(st.lists(st.sampled_from("abc"), min_size=6, max_size=6), st.sampled_from(["a", "ab", "abc"]))
def test_each_gets_a_successor_on_another_living_node_and_no_node_carries_many_more(
    places: list[str], nodes: str
) -> None:
    where = {name: place if place in nodes else "a" for name, place in zip(AGENTS, places, strict=True)}
    successors: dict[str, str] = {}
    while wish := lacking(where, successors, nodes):
        assert wish[0] not in successors, "nobody twice"
        successors[wish[0]] = wish[1]
    assert set(successors) == (set(where) if len(nodes) > 1 else set())
    assert all(successors[name] in nodes and successors[name] != where[name] for name in successors)


def test_a_successor_that_lives_beside_its_agent_or_on_a_dead_node_is_none() -> None:
    where, nodes = {"gamma-0": "a", "gamma-1": "b"}, ("a", "b")
    assert lacking(where, {"gamma-0": "b", "gamma-1": "a"}, nodes) is None
    assert lacking(where, {"gamma-0": "b", "gamma-1": "b"}, nodes) == ("gamma-1", "a")
    assert lacking(where, {"gamma-0": "gone", "gamma-1": "a"}, nodes) == ("gamma-0", "b")

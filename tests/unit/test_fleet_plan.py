"""Every rule of the fleet's plan, without Ray or NATS."""

from __future__ import annotations

from collections import Counter

import pytest

from agents.fleet_plan import (
    Assign,
    Beat,
    GiveUp,
    Known,
    Replace,
    Rules,
    Start,
    Stop,
    Succeed,
    Successor,
    plan,
    ready,
    shards_in,
    unsettled,
    wanted_owners,
)
from agents.sharding import assign
from common.units import NS_PER_S

RULES = Rules()
KEYS = ("gamma/AAA", "gamma/BBB", *(f"vega/{u}/{b}" for u in ("AAA", "BBB") for b in ("0-7d", "8-30d")))
T0 = 1_000 * NS_PER_S


def known(**desired: int) -> Known:
    return Known(desired=desired, keys=tuple(k for k in KEYS if k.partition("/")[0] in desired))


def started(state: Known, at_ns: int = T0, *, beating: bool = True) -> Known:
    """Everything desired has been started at ``at_ns`` and, if ``beating``, was heard then."""
    state.heard_ns = at_ns
    for kind in state.desired:
        for name in state.agents(kind):
            state.started[name] = at_ns
            if beating:
                state.hear(name, Beat(1, at_ns, at_ns, state.version, 42))
    return state


def bus_works(state: Known, now_ns: int) -> None:
    """A manager has been heard all the while."""
    state.heard_ns = now_ns


def given(state: Known) -> Known:
    """The assignment that is wanted now is the one in force."""
    state.owner, state.version = wanted_owners(state, RULES, T0), state.version + 1
    return state


def test_starts_what_is_desired_and_assigns_nothing_before_all_speak() -> None:
    state = known(gamma=2, vega=1)
    assert plan(state, RULES, T0) == [Start("gamma-0"), Start("gamma-1"), Start("vega-0")]
    started(state, beating=False)
    assert plan(state, RULES, T0) == []
    for name in ("gamma-0", "gamma-1"):
        state.hear(name, Beat(1, T0, T0, 0, 42))
    assert plan(state, RULES, T0) == [], "vega-0 has not spoken"
    state.hear("vega-0", Beat(1, T0, T0, 0, 42))
    assert plan(state, RULES, T0) == [Assign(assign(KEYS, {"gamma": 2, "vega": 1}))]


def test_assigns_nothing_before_the_time_of_the_market_is_known() -> None:
    state = started(known(gamma=1))
    state.keys = ()
    assert plan(state, RULES, T0) == []


def test_is_quiet_when_all_is_well() -> None:
    state = given(started(known(gamma=2, vega=1)))
    assert plan(state, RULES, T0 + RULES.fresh_ns) == []


def test_a_restarting_agent_keeps_its_keys_where_nobody_else_can_take_them() -> None:
    state = given(started(known(gamma=1)))
    bus_works(state, T0 + 3 * NS_PER_S)
    assert plan(state, RULES, T0 + 3 * NS_PER_S) == []


def beats(state: Known, until_ns: int, **incarnation: int) -> int:
    """Each named agent (``gamma_0=2``: incarnation 2) beats four times a second from its last beat to ``until_ns``."""
    for name, number in incarnation.items():
        agent = name.replace("_", "-")
        last = state.beats[agent]
        fresh = last.incarnation != number
        at = until_ns if fresh else last.wall_ns + NS_PER_S // 4
        while at <= until_ns:
            state.hear_anybody(at, RULES)
            state.hear(agent, Beat(number, at, at, state.version, 42), RULES)
            at += NS_PER_S // 4
    return until_ns


def adopt(state: Known, steps: list[object]) -> None:
    """The manager acknowledges the assignment asked for."""
    (step,) = [s for s in steps if isinstance(s, Assign)]
    state.owner, state.version = step.owner, state.version + 1


def test_a_lost_agent_is_covered_within_a_second_and_gets_its_keys_back_when_it_is_ready() -> None:
    state = given(started(known(gamma=2)))
    before = dict(state.owner)
    now = beats(state, T0 + NS_PER_S // 2, gamma_1=1)
    assert plan(state, RULES, now) == [], "one missed heartbeat moves nothing"
    now = beats(state, T0 + 3 * NS_PER_S // 4, gamma_1=1)
    steps = plan(state, RULES, now)
    adopt(state, steps)
    assert set(state.owner.values()) == {"gamma-1"} and set(state.owner) == set(before)
    now = beats(state, T0 + 2 * NS_PER_S, gamma_1=1)
    now = beats(state, now, gamma_0=2)
    assert plan(state, RULES, now) == [], "it has just come back"
    now = beats(state, now + RULES.return_ns, gamma_0=2, gamma_1=1)
    assert plan(state, RULES, now) == [Assign(before)]


def test_one_whose_process_has_ended_is_covered_before_its_next_heartbeat_is_due_and_is_not_hung() -> None:
    state = given(started(known(gamma=2, vega=2)))
    state.end("gamma-1", 42)
    now_ns = T0 + NS_PER_S // 10
    bus_works(state, now_ns)
    assert set(wanted_owners(state, RULES, now_ns).values()) == {"gamma-0", "vega-0", "vega-1"}
    later_ns = T0 + RULES.hung_ns + NS_PER_S
    bus_works(state, later_ns)
    replaced = [step.name for step in plan(state, RULES, later_ns) if isinstance(step, Replace)]
    assert "gamma-1" not in replaced, "Ray starts it again by itself"
    state.hear("gamma-1", Beat(2, later_ns, later_ns, state.version, 43))
    assert not state.ended


def test_the_end_of_an_older_process_says_nothing_about_the_new_one() -> None:
    state = given(started(known(gamma=2)))
    state.hear("gamma-1", Beat(2, T0, T0, state.version, 43))
    state.end("gamma-1", 42)
    assert wanted_owners(state, RULES, T0) == dict(state.owner)


def test_one_that_has_only_just_come_back_covers_where_nobody_else_can() -> None:
    state = given(started(known(gamma=2)))
    mine = {k for k, a in state.owner.items() if a == "gamma-0"}
    back_ns = T0 + NS_PER_S
    bus_works(state, back_ns)
    for name, incarnation in (("gamma-0", 2), ("gamma-1", 1)):
        state.hear(name, Beat(incarnation, back_ns, back_ns, state.version, 50 + incarnation))
    state.end("gamma-1", 51)
    assert set(wanted_owners(state, RULES, back_ns).values()) == {"gamma-0"}, "not settled yet, but there"
    state.hear("gamma-0", Beat(2, back_ns + 1, back_ns, state.version, 52, ready=False))
    wanted = wanted_owners(state, RULES, back_ns + 1)
    assert {k for k, a in wanted.items() if a == "gamma-0"} == mine, "one that is not ready is given nothing"


def test_one_that_is_not_ready_gets_nothing_back() -> None:
    state = given(started(known(gamma=2)))
    now = beats(state, T0 + NS_PER_S, gamma_1=1)
    adopt(state, plan(state, RULES, now))
    for i in range(1, 9):
        now = beats(state, T0 + NS_PER_S + i * NS_PER_S // 4, gamma_1=1)
        state.hear("gamma-0", Beat(2, now, 0, 0, 43, ready=False), RULES)
        assert plan(state, RULES, now) == []


def test_one_that_comes_and_goes_waits_longer_each_time() -> None:
    state = given(started(known(gamma=2)))
    now, waits = T0, []
    for turn in range(2, 6):
        now = beats(state, now + NS_PER_S, gamma_1=1)
        adopt(state, plan(state, RULES, now))
        now = back = beats(state, now, gamma_0=turn)
        while not (steps := plan(state, RULES, now)):
            now = beats(state, now + NS_PER_S // 4, gamma_0=turn, gamma_1=1)
        waits.append((now - back) / NS_PER_S)
        adopt(state, steps)
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_a_drained_agent_hands_its_keys_over_and_keeps_running() -> None:
    state = given(started(known(gamma=2)))
    before = dict(state.owner)
    state.draining.add("gamma-1")
    adopt(state, plan(state, RULES, T0))
    assert set(state.owner.values()) == {"gamma-0"}
    assert plan(state, RULES, T0) == []
    state.draining.clear()
    assert plan(state, RULES, T0) == [Assign(before)]


def test_a_drained_agent_covers_where_its_only_peer_ends_meanwhile() -> None:
    state = given(started(known(gamma=2)))
    state.draining.add("gamma-1")
    adopt(state, plan(state, RULES, T0))
    state.end("gamma-0", 42)
    (step,) = plan(state, RULES, T0)
    assert isinstance(step, Assign) and set(step.owner.values()) == {"gamma-1"} and set(step.owner) == set(state.owner)
    state.end("gamma-1", 42)
    assert plan(state, RULES, T0) == [], "with nobody there keys wait for their owner"


def test_a_hung_agent_is_replaced_once_per_wait() -> None:
    state = given(started(known(gamma=2)))
    now = T0 + RULES.hung_ns + 1
    bus_works(state, now)
    state.hear("gamma-1", Beat(1, now, T0, 1, 42))
    step, cover = plan(state, RULES, now)
    assert isinstance(step, Replace) and step.name == "gamma-0"
    adopt(state, [cover])
    assert set(state.owner.values()) == {"gamma-1"}, "and the other one has its keys meanwhile"
    state.replaced["gamma-0"] = (1, now)
    assert plan(state, RULES, now + 1) == []


def test_keys_of_a_lost_agent_go_to_those_that_live_and_come_back() -> None:
    state = given(started(known(vega=3)))
    before = dict(state.owner)
    now = beats(state, T0 + RULES.takeover_ns, vega_0=1, vega_2=1)
    state.replaced["vega-1"] = (1, now)
    (step,) = plan(state, RULES, now)
    assert isinstance(step, Assign)
    assert set(step.owner) == set(before) and set(step.owner.values()) == {"vega-0", "vega-2"}
    assert all(step.owner[k] == a for k, a in before.items() if a != "vega-1"), "nothing else moves"
    state.owner, state.version = step.owner, 2
    now = beats(state, now, vega_1=2)
    now = beats(state, now + RULES.return_ns, vega_0=1, vega_1=2, vega_2=1)
    assert plan(state, RULES, now) == [Assign(before)]


def test_gives_up_only_when_nobody_answers() -> None:
    state = given(started(known(gamma=2)))
    now = T0 + 1_000 * NS_PER_S
    bus_works(state, now)
    for name in ("gamma-0", "gamma-1"):
        state.replaced[name] = (RULES.max_replacements, now - RULES.start_ns - 1)
    assert any(isinstance(step, GiveUp) for step in plan(state, RULES, now))
    state.hear("gamma-0", Beat(1, now, T0, 1, 42))
    assert not any(isinstance(step, GiveUp) for step in plan(state, RULES, now))


def test_nobody_is_replaced_for_a_silence_of_the_bus() -> None:
    state = given(started(known(gamma=2)))
    state.hear_anybody(T0, RULES)
    back = T0 + 60 * NS_PER_S
    assert plan(state, RULES, back) == [], "nobody is heard: it is the bus"
    state.hear_anybody(back, RULES)
    state.hear("gamma-0", Beat(1, back, T0, 1, 42))
    assert plan(state, RULES, back) == [], "gamma-1 may take as long to be heard as a hung agent is given"
    now = back + RULES.hung_ns + 1
    bus_works(state, now)
    state.hear("gamma-0", Beat(1, now, T0, 1, 42))
    assert [type(step) for step in plan(state, RULES, now)] == [Replace, Assign], "replaced, and covered meanwhile"


def test_scaling_up_moves_keys_only_when_the_new_agent_speaks() -> None:
    state = given(started(known(gamma=1)))
    state.desired["gamma"] = 2
    assert plan(state, RULES, T0) == [Start("gamma-1")]
    state.started["gamma-1"] = T0
    assert plan(state, RULES, T0) == []
    assert "gamma-1" in unsettled(state, "gamma", RULES, T0)
    state.hear("gamma-1", Beat(1, T0, T0, 0, 42, ready=False, loaded=False))
    assert plan(state, RULES, T0) == [], "who owns them hedges them until it has loaded"
    state.hear("gamma-1", Beat(1, T0, T0, 0, 42, ready=False))
    (step,) = plan(state, RULES, T0)
    assert isinstance(step, Assign) and Counter(step.owner.values()) == {"gamma-0": 1, "gamma-1": 1}
    state.owner, state.version = step.owner, 2
    assert "adopted" in unsettled(state, "gamma", RULES, T0)
    for name in state.agents("gamma"):
        state.hear(name, Beat(1, T0, T0, 2, 42))
    assert unsettled(state, "gamma", RULES, T0) == ""


def test_a_kind_that_is_new_keeps_no_other_from_being_covered() -> None:
    """Found by a review: gamma-1 died while the first agent of another kind was starting, and nobody had its keys for 10 s."""
    state = given(started(known(gamma=2)))
    state.desired["cross_asset"], state.keys = 1, (*state.keys, "cross_asset/common")
    state.started["cross_asset-0"] = T0
    state.ended.add("gamma-1")
    (step,) = plan(state, RULES, T0)
    assert isinstance(step, Assign) and dict(step.owner) == {"gamma/AAA": "gamma-0", "gamma/BBB": "gamma-0"}
    state.keys, state.owner = (*state.keys, "vega/AAA/0-7d"), {**state.owner, "vega/AAA/0-7d": "vega-0"}
    state.started["vega-0"] = T0
    assert Stop("vega-0") not in plan(state, RULES, T0), "it owns a key still"


def test_a_kind_is_not_settled_while_one_of_its_shards_has_only_just_come_back() -> None:
    """A last word of a process that was ended makes the first word of its successor a break: it must wait for keys."""
    state = given(started(known(gamma=2)))
    state.owner, state.version = {"gamma/AAA": "gamma-0", "gamma/BBB": "gamma-0"}, 2
    back_ns = T0 + NS_PER_S // 2
    state.heard_ns = back_ns
    state.hear("gamma-0", Beat(1, back_ns, back_ns, 2, 42))
    state.hear("gamma-1", Beat(2, back_ns, back_ns, 2, 43))
    assert state.beats["gamma-1"].breaks and plan(state, RULES, back_ns) == []
    assert "gamma-1" in unsettled(state, "gamma", RULES, back_ns)
    settled_ns = back_ns + RULES.return_ns
    state.heard_ns = settled_ns
    for name, incarnation in (("gamma-0", 1), ("gamma-1", 2)):
        state.hear(name, Beat(incarnation, settled_ns, settled_ns, 2, 42))
    (step,) = plan(state, RULES, settled_ns)
    assert isinstance(step, Assign) and len(set(step.owner.values())) == 2


def test_ready_when_every_kind_has_adopted_its_keys() -> None:
    assert not ready(Known(desired={}), RULES, T0), "nobody is desired yet, so nobody is there"
    state = given(started(known(gamma=2, vega=1)))
    assert not ready(state, RULES, T0), "nobody has heard of the assignment yet"
    assert ready(started(state), RULES, T0)
    state.version += 1
    assert not ready(state, RULES, T0)


def test_scaling_down_stops_an_agent_only_after_its_keys_have_moved() -> None:
    state = given(started(known(gamma=2)))
    state.desired["gamma"] = 1
    (step,) = plan(state, RULES, T0)
    assert step == Assign({"gamma/AAA": "gamma-0", "gamma/BBB": "gamma-0"})
    state.owner, state.version = step.owner, 2
    assert plan(state, RULES, T0) == [Stop("gamma-1")]


def test_an_older_incarnation_is_not_heard() -> None:
    state = known(gamma=1)
    state.hear("gamma-0", Beat(5, T0, T0, 0, 42))
    state.hear("gamma-0", Beat(4, T0 + 1, T0, 0, 42))
    assert state.beats["gamma-0"].incarnation == 5


@pytest.mark.parametrize("shards", [{"gamma": 1}, {"gamma": 2, "vega": 3}])
def test_an_assignment_tells_the_shards(shards: dict[str, int]) -> None:
    assert shards_in(assign([k for k in KEYS if k.partition("/")[0] in shards], shards)) == shards


def test_a_loaded_successor_begins_as_soon_as_the_agent_has_ended() -> None:
    state = given(started(known(gamma=2)))
    state.successors["gamma-0"] = Successor(7, 43, "there", T0)
    assert plan(state, RULES, T0) == []
    state.end("gamma-0", 42)
    steps = plan(state, RULES, T0)
    assert [type(step) for step in steps] == [Succeed, Assign], "and its keys are covered meanwhile"
    state.replaced["gamma-0"] = (1, T0)
    assert [type(step) for step in plan(state, RULES, T0 + 1)] == [Assign], "once"


def test_a_hanging_agent_is_succeeded_when_it_would_be_replaced_and_by_no_successor_that_hangs_too() -> None:
    state = given(started(known(gamma=2)))
    now = T0 + RULES.hung_ns
    state.successors["gamma-0"] = Successor(7, 43, "there", now)

    def of_gamma_0(now: int) -> list[type]:
        bus_works(state, now)
        state.hear("gamma-1", Beat(1, now, T0, 1, 42))
        return [type(step) for step in plan(state, RULES, now) if isinstance(step, Succeed | Replace)]

    assert of_gamma_0(now) == []
    assert of_gamma_0(now + 1) == [Succeed]
    assert of_gamma_0(now + RULES.hung_ns) == [Succeed]
    assert of_gamma_0(now + RULES.hung_ns + 1) == [Replace]
    del state.successors["gamma-0"]
    state.end("gamma-0", 42)
    assert of_gamma_0(now + 1) == [], "Ray starts it again"


def test_a_move_is_no_break_and_a_death_is_one() -> None:
    state = given(started(known(gamma=2)))
    state.moved.add("gamma-0")
    state.hear("gamma-0", Beat(2, T0 + 1, T0, 1, 43))
    assert state.beats["gamma-0"].breaks == 0 and not state.moved
    state.hear("gamma-0", Beat(3, T0 + 2, T0, 1, 44))
    assert state.beats["gamma-0"].breaks == 1


def test_the_last_words_of_a_spent_successor_count_for_nothing() -> None:
    state = given(started(known(gamma=2)))
    state.hear_successor("gamma-0", Successor(7, 43, "there", T0))
    state.spend("gamma-0")
    state.hear_successor("gamma-0", Successor(7, 43, "there", T0 + 1))
    assert not state.successors
    state.hear_successor("gamma-0", Successor(9, 45, "there", T0 + 2))
    state.hear_successor("gamma-0", Successor(8, 44, "here", T0 + 3))
    assert state.successors["gamma-0"].pid == 45, "one that was frozen does not hide the one made in its place"

"""Cover under any pattern of silences: every key always has one owner, who lives if anybody of the kind does.

The manager acknowledges at once; a heartbeat that is due either comes or does not. Each agent is watched from outside: how
long it has been silent, and since when it has been heard again.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agents.fleet_plan import Assign, Beat, Known, Rules, plan
from common.units import NS_PER_S

RULES = Rules()
BEAT_NS = NS_PER_S // 4
T0 = 1_000 * NS_PER_S
AGENTS = ("vega-0", "vega-1", "vega-2")
KEYS = tuple(f"vega/{u}/{b}" for u in ("AAA", "BBB") for b in ("0-7d", "8-30d", "31-60d"))
#: For each beat that is due: which agents are heard. Long silences and short ones.
HEARD = st.lists(
    st.tuples(st.integers(1, 12), st.sets(st.sampled_from(AGENTS))).map(lambda run: [run[1]] * run[0]), max_size=30
).map(lambda runs: [names for run in runs for names in run])


def run(heard: list[set[str]]) -> tuple[list[tuple[int, dict[str, str], set[str]]], int]:
    """(time, owners, who was silent for longer than ``cover_ns``) at each beat, and how often keys were assigned."""
    known = Known(desired={"vega": len(AGENTS)}, keys=KEYS)
    last = dict.fromkeys(AGENTS, T0)
    for name in AGENTS:
        known.started[name] = T0
    out, version = [], 0
    for i, names in enumerate([set(AGENTS), *heard]):
        now = T0 + i * BEAT_NS
        known.hear_anybody(now, RULES)  # a manager beats all the while
        for name in sorted(names):
            known.hear(name, Beat(1, now, now, version, 42), RULES)
            last[name] = now
        for step in plan(known, RULES, now):
            if isinstance(step, Assign):
                version += 1
                known.owner, known.version = step.owner, version
        out.append((now, dict(known.owner), {n for n in AGENTS if now - last[n] > RULES.cover_ns}))
    return out, version


@given(HEARD)
def test_every_key_has_one_owner_of_its_kind_whoever_is_silent(heard: list[set[str]]) -> None:
    for _, owner, _ in run(heard)[0]:
        assert set(owner) == set(KEYS) and set(owner.values()) <= set(AGENTS)


@given(HEARD, st.integers(0, 2))
def test_one_that_is_heard_all_the_while_covers_the_others_at_once(heard: list[set[str]], steady: int) -> None:
    name = AGENTS[steady]
    for _, owner, silent in run([names | {name} for names in heard])[0]:
        assert not set(owner.values()) & silent, "somebody steady was there to take its keys"


@given(HEARD)
def test_keys_move_at_most_twice_a_break(heard: list[set[str]]) -> None:
    """There and back: whoever comes and goes without having settled moves nothing."""
    breaks = 0
    last = dict.fromkeys(AGENTS, 0)
    for i, names in enumerate(heard, start=1):
        for name in names:
            breaks += (i - last[name]) * BEAT_NS > RULES.cover_ns
            last[name] = i
    open_ends = sum((len(heard) - at) * BEAT_NS > RULES.cover_ns for at in last.values())
    assert run(heard)[1] <= 1 + 2 * (breaks + open_ends)


@given(HEARD)
def test_all_is_as_before_once_everybody_has_been_there_for_long(heard: list[set[str]]) -> None:
    settle = [set(AGENTS)] * (int((RULES.return_ns << RULES.flaps_max) / BEAT_NS) + 2)
    first = run([])[0][0][1]
    assert run([*heard, *settle])[0][-1][1] == first

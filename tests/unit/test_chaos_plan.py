"""The schedule of a storm: the same for a seed, whole in every round, and refused where it makes no sense."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UsageError
from deploy.chaos import run_chaos
from deploy.chaos_plan import FREEZE_S, HUNG_S, OVERLAPS, TIMED, WAIT_S, Act, Strike, kinds, strikes


def first(seed: int, count: int) -> list[Strike]:
    return list(itertools.islice(strikes(seed), count))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_each_round_has_every_kind_once_and_the_first_begins_with_the_kills(seed: int) -> None:
    n = len(kinds())
    drawn = first(seed, 3 * n)
    for k in range(3):
        assert {(s.act, s.target, s.point) for s in drawn[k * n : (k + 1) * n]} == set(kinds())
    acts = [s.act for s in drawn[:n]]
    assert acts == sorted(acts, key=(Act.KILL, Act.POINT, Act.FREEZE).index)
    assert drawn[0].alone and [s.number for s in drawn] == list(range(3 * n))
    for s in drawn:
        assert (FREEZE_S[0] <= s.freeze_s <= FREEZE_S[1]) == (s.act is Act.FREEZE) and WAIT_S[0] <= s.wait_s <= WAIT_S[
            1
        ]


def test_a_seed_gives_the_same_storm_and_another_seed_another() -> None:
    assert first(5, 60) == first(5, 60) != first(6, 60)


def test_about_a_fifth_of_those_that_may_overlap() -> None:
    drawn = first(1, 4000)
    free = [s for before, s in itertools.pairwise(drawn) if not (timed(before) or timed(s))]
    assert abs(sum(not s.alone for s in free) / len(free) - OVERLAPS) < 0.04


def timed(s: Strike) -> bool:
    return s.number // len(kinds()) % 2 == 0 and s.kind in TIMED


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_in_every_other_round_what_a_bar_times_stands_alone_and_an_agent_hangs(seed: int) -> None:
    n = len(kinds())
    drawn = first(seed, 4 * n + 1)
    for k in (0, 2):
        for before, after in itertools.pairwise(drawn[k * n : (k + 1) * n + 1]):
            if before.kind in TIMED:
                assert before.alone and after.alone and timed(before)
        frozen = [s for s in drawn[k * n : (k + 1) * n] if s.kind == "freeze agent"]
        assert len(frozen) == 1 and HUNG_S < frozen[0].freeze_s <= FREEZE_S[1]


def test_every_part_is_killed_and_frozen_and_two_have_chosen_points() -> None:
    names = {s.kind for s in first(1, len(kinds()))}
    assert len(names) == len(kinds()) == 18
    assert {"kill ray-node", "freeze nats", "execution after-commit", "venue after-fill"} <= names


@pytest.mark.parametrize(
    ("minutes", "seed"), [(0.0, 1), (-1.0, 1), (float("nan"), 1), (1e9, 1), (1.0, -1), (1.0, 2**32)]
)
def test_minutes_and_seed_out_of_range_are_refused_before_anything_starts(
    tmp_path: Path, minutes: float, seed: int
) -> None:
    with pytest.raises(UsageError, match=r"--minutes|--seed"):
        run_chaos(minutes, seed, tmp_path / "out", {})
    assert not (tmp_path / "out").exists()

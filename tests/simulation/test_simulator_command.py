"""``hedgerow simulate``: what it prints and how it exits."""

from __future__ import annotations

import pytest

from common.errors import UsageError
from deploy.simulate import run_simulate


def test_a_range_that_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_simulate("0..1", None, False, "", 1) == 0
    assert "2 seeds, 0 failed" in capsys.readouterr().out


def test_a_long_range_tells_how_far_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.progress.TOLD_AFTER_S", 0.0)
    monkeypatch.setattr("deploy.progress._REPEAT_S", 0.001)
    assert run_simulate("0..3", None, False, "", 1) == 0
    assert {"seeds 0 to 3: 25 %", "seeds 0 to 3: 50 %", "seeds 0 to 3: 75 %"} == set(
        capsys.readouterr().err.split("\n")
    ) - {""}


def test_one_seed_with_its_story(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_simulate("", 3, True, "", 1) == 0
    out = capsys.readouterr().out
    assert out.startswith("seed 3: every promise held") and " journal " in out and len(out.splitlines()) > 100


def test_a_planted_mistake_fails_and_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_simulate("", 0, False, "send before commit", 1) == 1
    assert "seed 0: promise 2" in capsys.readouterr().out


@pytest.mark.parametrize("seeds", ["x", "5..2", "-1..4", "1.."])
def test_what_is_no_range_is_refused(seeds: str) -> None:
    with pytest.raises(UsageError, match="--seeds"):
        run_simulate(seeds, None, False, "", 1)


def test_an_unknown_mistake_is_refused() -> None:
    with pytest.raises(UsageError, match="dedupe off"):
        run_simulate("0..1", None, False, "nothing", 1)


def test_more_seeds_than_a_machine_can_number_are_refused() -> None:
    with pytest.raises(UsageError, match="run them in parts"):
        run_simulate("0..99999999999", None, False, "", 2)


@pytest.mark.parametrize(("seeds", "seed", "story"), [("0..1", 3, False), ("", None, True), ("0..1", None, True)])
def test_flags_that_do_not_go_together_are_refused(seeds: str, seed: int | None, story: bool) -> None:
    with pytest.raises(UsageError, match="--seed"):
        run_simulate(seeds, seed, story, "", 1)

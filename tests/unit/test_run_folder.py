"""A run's folder: one run at a time, nothing written over, nothing left of a run that never started."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from common.errors import Conflict, InputError
from deploy import live
from deploy.config import RunConfig
from deploy.run_folder import RUNS, RunFolder

T0 = 1_517_236_200_000_000_000


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _tree(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_a_second_run_on_the_folder_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    first = RunFolder.open(tmp_path / "a", T0)
    first.write_info({"nats_url": "nats://127.0.0.1:4222"})
    before = _tree(tmp_path)
    with pytest.raises(Conflict, match=rf"in use by another .*pid {os.getpid()}"):
        RunFolder.open(tmp_path / "a", T0)
    assert _tree(tmp_path) == before
    first.close()
    RunFolder.open(tmp_path / "a", T0).close()


def test_a_finished_run_is_never_written_over(tmp_path: Path) -> None:
    run = RunFolder.open(tmp_path / "a", T0)
    (run / "journal.bin").write_bytes(b"x")
    run.close()
    before = _tree(tmp_path)
    with pytest.raises(Conflict, match="finished run"):
        RunFolder.open(tmp_path / "a", T0)
    assert _tree(tmp_path) == before


def test_an_abandoned_run_is_taken_up_again_only_with_its_own_settings(tmp_path: Path) -> None:
    run = RunFolder.open(tmp_path / "a", T0)
    run.claim({"run_id": "a", "speed": 2.0})
    run.write_info({"nats_url": "nats://127.0.0.1:4222"})
    run.close()
    again = RunFolder.open(tmp_path / "a", T0)
    again.claim({"run_id": "a", "speed": 2.0})
    with pytest.raises(Conflict, match="other settings"):
        again.claim({"run_id": "a", "speed": 3.0})
    again.close()
    assert (tmp_path / "a" / "run.json").exists()


def test_latest_points_to_what_has_started(tmp_path: Path) -> None:
    first = RunFolder.open(None, T0)
    assert first.path.name.startswith("20180129T143000Z") and not (RUNS / "latest").exists()
    first.write_info({"nats_url": "one"})
    assert (RUNS / "latest").resolve() == first.path and (RUNS / "latest" / "run.json").exists()
    refused = RunFolder.open(tmp_path / "other", T0)
    assert (RUNS / "latest").resolve() == first.path
    refused.close()
    assert not (tmp_path / "other").exists()
    outside = RunFolder.open(tmp_path / "outside", T0)
    outside.write_info({"nats_url": "two"})
    assert (RUNS / "latest").resolve() == outside.path
    assert sorted(p.name for p in tmp_path.iterdir()) == ["outside", "runs"]
    outside.close()
    first.close()


def test_only_a_bare_folder_that_it_made_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    RunFolder.open(tmp_path / "given", T0).close()
    assert (tmp_path / "given").exists()
    used = RunFolder.open(tmp_path / "used", T0)
    (used / "store" / "orders.sqlite").write_bytes(b"x")
    used.close()
    assert (tmp_path / "used" / "store" / "orders.sqlite").exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="--run-dir"):
        RunFolder.open(tmp_path / "file", T0)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "store").write_text("x")
    with pytest.raises(InputError, match="store"):
        RunFolder.open(tmp_path / "half", T0)


def test_a_run_that_is_told_to_end_while_it_prepares_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a service manager does, with SIGTERM, before the launcher minds its signals itself."""

    def told(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(live, "prepare", told)
    try:
        with pytest.raises(KeyboardInterrupt):
            live.run_live(RunConfig(), tmp_path / "run")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not (tmp_path / "run").exists()

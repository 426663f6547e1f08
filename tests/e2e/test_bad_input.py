"""Bad input at a system that runs: each is refused with its reason, and the run goes on as if nothing had been said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness import LiveRun
from benchmarks.live_runs import fills_beyond

pytestmark = [pytest.mark.live, pytest.mark.system, pytest.mark.slow]
READY_S = 180.0
#: All ten sessions in about four minutes: longer than these tests take.
SPEED = ("--speed", "1000")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveRun]:
    """A run that hedges for as long as the tests of this file need."""
    folder = tmp_path_factory.mktemp("bad-input") / "run"
    with LiveRun(folder, *SPEED, "--no-report") as live:
        live.until("first fills", fills_beyond(0), READY_S)
        yield live


@pytest.fixture(scope="module")
def standing(run: LiveRun) -> dict[str, Any]:
    """What stood before the first bad word."""
    return _standing(run)


def _standing(run: LiveRun) -> dict[str, Any]:
    """What no refused word may change. Who owns which key is the fleet's own: it moves where an agent is silent."""
    status, _ = run.until("status", lambda status: status, 30.0)
    return {key: status[key] for key in ("limits", "leader", "run_id", "parameters")} | {
        "trading": status["trading"]["state"],
        "agents": {a["agent"] for a in status["agents"]},
        "keys": set(status["assignment"]["owner"]),
    }


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("limits", "set", 'factor."delta:*".soft_usd', "9e15", "--why", "test"), 1, "is above hard"),
        (("limits", "set", 'factor."delta:SPX".hard_usd', "9e15", "--why", "test"), 1, "contradicts"),
        (("limits", "set", "flow.cost_usd", "much", "--why", "test"), 1, "flow.cost_usd"),
        (("limits", "set", "flow.cost_usd", "NaN", "--why", "test"), 1, "flow.cost_usd"),
        (("limits", "set", "flow.cost_usd", "true", "--why", "test"), 1, "number"),
        (("limits", "set", "flow.cost_usd", "1", "--why", "test"), 1, "contradicts the firm's"),
        (("limits", "set", "order.max_lots_future", "1.5", "--why", "test"), 1, "integer"),
        (("limits", "set", "nothing.at.all", "1", "--why", "test"), 1, "no limit 'nothing.at.all'"),
        (("limits", "set", "", "1", "--why", "test"), 1, "no limit ''"),
        (("limits", "set", 'factor."delta:XYZ".soft_usd', "1", "--why", "test"), 1, "XYZ"),
        (("limits", "set", "flow.cost_usd", "3", "--why", ""), 2, "--why is empty"),
        (("pause", "--why", " "), 2, "--why is empty"),
        (("scale", "foo", "3"), 2, "no agent kind 'foo'"),
        (("scale", "gamma", "0"), 2, "greater than or equal to 1"),
        (("story", "zzz"), 1, "no order 'zzz'"),
        (("story", ""), 1, "orders"),
        (("limits", "set", "factor.gamma:*.soft_usd", "9e15", "--why", "test"), 1, "is above hard"),
        (("live",), 5, "in use by another"),
        (("live", "--book", "/dev/null"), 5, "in use by another"),
    ],
)
def test_it_is_refused_and_nothing_changes(
    run: LiveRun, standing: dict[str, Any], words: tuple[str, ...], code: int, said: str
) -> None:
    done = run.call(*words)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in " ".join(done.stderr.split()) and "Traceback" not in done.stderr
    assert _standing(run) == standing


def test_a_bad_book_beside_it_leaves_it_the_newest_run_and_hedging(run: LiveRun, tmp_path: Path) -> None:
    before = run.ask("status")
    bad = tmp_path / "book.csv"
    bad.write_text("account,instrument,quantity\nA,XYZ   180316P02700000,1\n")
    refused = LiveRun(tmp_path / "second", "--book", str(bad))
    with refused:
        assert refused.wait(60) == 4
    assert "book.csv:2: unknown root 'XYZ'" in refused.output()
    assert json.loads((run.folder / "run.json").read_text())["run_id"] == before["run_id"]
    run.until("more fills", fills_beyond(before["orders"]["fills"]), READY_S)
    after = run.ask("status")
    assert after["leader"] == before["leader"] and after["trading"]["state"] == "ACTIVE"

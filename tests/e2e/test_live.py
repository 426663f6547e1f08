"""The whole system, every process real, on loopback: it hedges, survives kills, is steered, stops, replays, leaves nothing.

Runs are short: a few market days at a high speed. The audit reads execution's own store and the journal.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.harness import ROOT, LiveRun, hedgerow
from benchmarks.live_runs import agent_back, agents_of, fills_beyond, leader_after, owns_keys
from tests.process_tree import alive, tree

pytestmark = [pytest.mark.live, pytest.mark.system, pytest.mark.slow]
READY_S = 180.0
ENV = {"HEDGEROW_MARKET__DEMO__END": "2018-01-31"}
#: Three sessions in some forty seconds: what is steered takes about twenty, and more on a machine that does other things.
SPEED = ("--speed", "1800")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was steered and in which an agent and the leader were killed, to its end with the report."""
    folder = tmp_path_factory.mktemp("live") / "run"
    with LiveRun(folder, *SPEED, env=ENV) as run:
        run.until("first fills", fills_beyond(0), READY_S)
        _steer(run)
        _kill_an_agent(run)
        _kill_the_leader(run)
        assert run.wait(300) == 0, run.output()[-3000:]
    return folder


def _steer(run: LiveRun) -> None:
    assert run.ask("status")["leader"]["leading"]
    limits = run.ask("limits", "show")
    assert limits["risk_aversion_per_usd"] > 0
    refused = run.call("limits", "set", 'factor."delta:*".soft_usd', "9e15", "--why", "test")
    assert refused.returncode == 1 and "is above hard" in refused.stderr and "Traceback" not in refused.stderr
    assert run.ask("limits", "set", "flow.orders", "49000", "--why", "test")["accepted"]
    assert run.ask("pause", "--why", "test")["accepted"]
    decided = _orders(run)
    time.sleep(1.5)
    assert _orders(run) == decided  # pause means pause
    assert run.ask("resume", "--why", "test")["accepted"]
    run.until("fills after the resume", fills_beyond(0), READY_S)
    assert run.ask("scale", "vega", "2")["accepted"]
    run.until("vega-1, once it is ready, to own keys", owns_keys("vega-1"), 30.0)
    told = run.ask("story", "last")
    assert told


def _orders(run: LiveRun) -> int:
    return int(run.ask("status")["orders"]["decided"])


def _kill_an_agent(run: LiveRun) -> None:
    agents = agents_of(run.ask("status"))
    assert all(a["loop"].startswith("uvloop") for a in agents.values() if a["keys"])
    name = "gamma-0"
    os.kill(agents[name]["pid"], signal.SIGKILL)
    run.until(f"{name} back", agent_back(name, agents[name]["incarnation"]), 30.0)


def _kill_the_leader(run: LiveRun) -> None:
    leader = _struck_leader(run)
    run.until("the standby to lead", leader_after(leader), 30.0)
    fills = run.ask("status")["orders"]["fills"]
    run.until("fills under the new leader", fills_beyond(fills), READY_S)


def _struck_leader(run: LiveRun) -> str:
    """Kills the leading manager; one that gives way between the question and the signal is asked about again."""
    for _ in range(10):
        leader = str(run.ask("status")["leader"]["holder"])
        with contextlib.suppress(ProcessLookupError):
            os.kill(run.pids()[leader], signal.SIGKILL)
            return leader
        time.sleep(0.5)
    raise AssertionError(f"no manager that leads has a process: {run.output()[-2000:]}")


def test_no_promise_was_broken(finished: Path) -> None:
    report = json.loads((finished / "report" / "report.json").read_text())
    assert report["orders"] > 50 and report["fills"] > 50
    assert report["violations"] == []


def test_the_report_says_what_it_must(finished: Path) -> None:
    report = json.loads((finished / "report" / "report.json").read_text())
    assert {"joint", "plain", "alone", "delta_only", "live"} <= set(report["runs"])
    assert {"unhedged", "delta_only", "live"} <= set(report["pnl"])
    assert report["tick_to_order_ms"]["p50"] > 0 and report["memory_bytes"]["total"] > 0
    assert report["risk_aversion_per_usd"] > 0 and report["exposures"] and report["statements"]
    page = (finished / "report" / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page
    assert {p.suffix for p in (finished / "report").iterdir()} >= {".png", ".html", ".json"}


def test_it_replays_to_the_identical_orders(finished: Path) -> None:
    done = subprocess.run([*hedgerow("replay", str(finished), "--json")], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["identical"]


def test_the_audit_is_clean_and_the_leaders_state_is_the_fold_of_the_record(finished: Path) -> None:
    done = subprocess.run([*hedgerow("audit", str(finished), "--json")], capture_output=True, text=True, cwd=ROOT)
    found = json.loads(done.stdout)
    assert done.returncode == 0, found
    assert found["clean"] and found["leaders_state_hash"] and found["orders"] > 0


def test_the_story_of_an_order_can_be_told_afterwards(finished: Path) -> None:
    argv = [*hedgerow("story", "last", "--run-dir", str(finished))]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "The proposal" in done.stdout and "The decision" in done.stdout


def test_a_launcher_killed_in_the_midst_of_the_start_leaves_nothing(tmp_path: Path) -> None:
    with LiveRun(tmp_path / "run", *SPEED, "--no-report", env=ENV) as run:
        run.until("a leader", lambda status: status["leader"]["leading"] or None, READY_S)
        time.sleep(3.0)
        below = tree(run.process.pid)
        run.process.kill()
        run.process.wait()
        deadline = time.monotonic() + 10.0
        while alive(below) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert below and alive(below) == []

"""Figures of real runs: every process real, on loopback, steered and killed from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, LiveRun, hedgerow
from benchmarks.registry import Context, Row, bench

READY_S = 120.0
RUN_S = 400.0
LEADERS_KILLED = 3


def fills_beyond(count: int) -> Any:
    """A look at status: true once more than ``count`` fills are in."""
    return lambda status: status["orders"]["fills"] if status["orders"]["fills"] > count else None


def agents_of(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Agents by name."""
    return {a["agent"]: a for a in status["agents"]}


def owns_keys(name: str) -> Any:
    """A look at status: true once an agent owns keys."""
    return lambda status: True if name in status["assignment"]["owner"].values() else None


def agent_back(name: str, old: int) -> Any:
    """A look at status: the new incarnation of an agent once it hedges again."""

    def look(status: dict[str, Any]) -> int | None:
        agent = agents_of(status).get(name, {})
        fresh = agent.get("incarnation", old) != old and agent.get("state") == "hedging"
        return int(agent["incarnation"]) if fresh else None

    return look


def hedging(status: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The agent, once it owns keys and hedges."""
    agent = agents_of(status).get(name, {})
    return agent if agent.get("keys") and agent.get("state") == "hedging" else None


def leader_with_standby(status: dict[str, Any]) -> tuple[str, int] | None:
    """The leader's name and pid, once another manager stands by."""
    leader = status["leader"]
    return (leader["holder"], int(leader["pid"])) if leader["leading"] and status["standby"] else None


def leader_after(old: str) -> Any:
    """A look at status: the new leader's name."""
    return lambda status: (
        status["leader"]["holder"] if status["leader"]["leading"] and status["leader"]["holder"] != old else None
    )


@bench(
    "live.promise_violations",
    "live.tick_to_order_p50",
    "live.tick_to_order_p99",
    "live.memory",
    "live.fills",
    "replay.identical",
    what="`hedgerow live` on the default input, audited; its recording replayed",
    minutes=4,
)
def default_run(context: Context) -> Iterable[Row]:
    """One whole run of the default input, with the report, then ``hedgerow replay`` of its folder."""
    folder = context.scratch / "default"
    with LiveRun(folder) as run:
        code = run.wait(RUN_S)
    report = run.report()
    orders, broken = report["orders"], report["promise_violations"]
    yield Row(
        "live.promise_violations",
        f"promises broken in a run of {orders} orders (exit code {code})",
        broken,
        "violations",
        "0",
        code == 0 and broken == 0 and orders > 0,
        samples=orders,
    )
    for name in ("p50", "p99"):
        speed = f"{report['live']['speed']:.0f} times market time"
        what = f"tick to order at execution, of the orders that answer a tick, {name}, at {speed}"
        value = round(report["tick_to_order_ms"][name], 2)
        yield Row(f"live.tick_to_order_{name}", what, value, "ms", "", True)
    memory = round(report["memory_bytes"]["total"] / 2**20)
    yield Row("live.memory", "memory of all processes, proportional set size", memory, "MiB", "", True)
    yield Row("live.fills", "fills", report["fills"], "fills", "at least 1", report["fills"] > 0)
    yield replay_row(folder)


def replay_row(folder: Path) -> Row:
    """Replay a run folder; holds if the order list is identical."""
    done = subprocess.run([*hedgerow("replay", str(folder), "--json")], capture_output=True, text=True, cwd=ROOT)
    what = "a recorded run replays to the identical order list, agents included"
    verdict = "identical" if done.returncode == 0 else (done.stderr or done.stdout)[-200:]
    return Row("replay.identical", what, verdict, "", "identical", done.returncode == 0)


@bench(
    "takeover.agent_back",
    "takeover.leader",
    "takeover.promise_violations",
    what="kill -9 of an agent that owns risk, then of the leading manager, during a run",
    minutes=4,
)
def takeover(context: Context) -> Iterable[Row]:
    """One run at the default pace; every agent and ``LEADERS_KILLED`` leaders, one after the other; the slowest counts."""
    folder = context.scratch / "takeover"
    with LiveRun(folder) as run:
        run.until("first fills", fills_beyond(0), READY_S)
        agents = {name: kill_agent(run, name) for name in sorted(agents_of(run.status() or {}))}
        leaders = [kill_leader(run) for _ in range(LEADERS_KILLED)]
        fills = (run.status() or {"orders": {"fills": 0}})["orders"]["fills"]
        run.until("fills after the takeover", fills_beyond(fills), READY_S)
        code = run.wait(RUN_S)
    broken = run.report()["promise_violations"]
    yield Row(
        "takeover.agent_back",
        "kill -9 of an agent: hedging again; the slowest of " + ", ".join(f"{n} {s:.2f}" for n, s in agents.items()),
        round(max(agents.values()), 2),
        "s",
        "3 or less",
        max(agents.values()) <= 3,
        samples=len(agents),
    )
    yield Row(
        "takeover.leader",
        "kill -9 of the leading manager: the standby leads; the slowest of " + ", ".join(f"{s:.2f}" for s in leaders),
        round(max(leaders), 2),
        "s",
        "3 or less",
        max(leaders) <= 3,
        samples=len(leaders),
    )
    yield Row(
        "takeover.promise_violations",
        "promises broken in that run",
        broken,
        "violations",
        "0",
        code == 0 and broken == 0,
    )


def kill_agent(run: LiveRun, name: str) -> float:
    """Kill an agent that owns risk; seconds until its next incarnation hedges."""
    agent = run.until(f"{name} hedging", lambda s: hedging(s, name), READY_S)[0]
    os.kill(int(agent["pid"]), signal.SIGKILL)
    return run.until(f"{name} back", agent_back(name, agent["incarnation"]), 30.0)[1]


def kill_leader(run: LiveRun) -> float:
    """Kill the leader once a standby is there; seconds until the standby leads."""
    leader, pid = run.until("a leader with a standby", leader_with_standby, READY_S)[0]
    os.kill(pid, signal.SIGKILL)
    return run.until("new leader", leader_after(leader), 30.0)[1]


def _book(context: Context, positions: int) -> Path:
    path = context.scratch / f"book-{positions}.csv"
    script = ROOT / "examples" / "make_books.py"
    subprocess.run(
        [sys.executable, str(script), "--positions", str(positions), "--out", str(path)],
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    return path


@bench(
    "book.100.violations",
    "book.100.memory",
    "book.20000.violations",
    "book.20000.memory",
    what="the default input with a book of 100 and one of 20,000 positions",
    minutes=8,
)
def books(context: Context) -> Iterable[Row]:
    """One whole run each."""
    for positions in (100, 20_000):
        folder = context.scratch / f"book-{positions}"
        with LiveRun(folder, "--book", str(_book(context, positions))) as run:
            code = run.wait(RUN_S * 2)
        report = run.report()
        broken = report["promise_violations"]
        what = f"{positions:,} positions: promises broken, {report['fills']} fills (exit code {code})"
        yield Row(f"book.{positions}.violations", what, broken, "violations", "0", code == 0 and broken == 0)
        memory = round(report["memory_bytes"]["total"] / 2**20)
        yield Row(f"book.{positions}.memory", f"{positions:,} positions: memory of the system", memory, "MiB", "", True)

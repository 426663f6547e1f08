"""Children are restarted, ended in order and measured, and none outlives its launcher."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from deploy import processes
from deploy.processes import CANNOT_START, ChildSpec, Supervisor, watch_parent

# A Python child that stops cleanly, with a grandchild of its own: both watch the launcher. The grandchild is started as
# Ray starts its workers: in a session of its own, without the pipe, and it ignores SIGTERM.
CHILD = """
import json, os, signal, subprocess, sys, threading, time
from deploy.processes import watch_parent
stop = threading.Event()
watch_parent(stop.set, hard_exit_s=1.0)
signal.signal(signal.SIGTERM, lambda *_: None if "deaf" in sys.argv else stop.set())
if "grand" not in sys.argv:
    below = subprocess.Popen([sys.executable, __file__, "grand", *sys.argv[1:]], start_new_session=True, close_fds=True)
    with open(sys.argv[1], "w") as out:
        json.dump([os.getpid(), below.pid], out)
while not stop.wait(0.05) or "deaf" in sys.argv:
    pass
"""
LAUNCHER = """
import asyncio, pathlib, sys
from deploy.processes import ChildSpec, Supervisor
async def main():
    supervisor = Supervisor(pathlib.Path(sys.argv[1]))
    for i, kind in enumerate(("kind", "deaf")):
        argv = [sys.executable, sys.argv[2], f"{sys.argv[1]}/pids{i}", kind]
        supervisor.start(ChildSpec(f"child-{i}", argv))
    supervisor.start(ChildSpec("plain", ["sleep", "600"]))
    print(supervisor.children["plain"].pid, flush=True)
    await supervisor.watch()
asyncio.run(main())
"""


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(condition, timeout_s: float = 10.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def read_pids(folder):
    def all_there():
        return all((folder / f"pids{i}").exists() and (folder / f"pids{i}").read_text().endswith("]") for i in (0, 1))

    wait_for(all_there)
    return [pid for i in (0, 1) for pid in json.loads((folder / f"pids{i}").read_text())]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_launcher_that_is_killed_leaves_nobody_behind(tmp_path, sent):
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "launcher.py").write_text(LAUNCHER)
    argv = [sys.executable, str(tmp_path / "launcher.py"), str(tmp_path), str(tmp_path / "child.py")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout is not None
        pids = [int(launcher.stdout.readline()), *read_pids(tmp_path)]
        assert len(pids) == 5
        assert all(alive(pid) for pid in pids)
        launcher.send_signal(sent)
    wait_for(lambda: not any(alive(pid) for pid in pids), 6.0)


def run(scenario, folder, **options):
    async def main():
        supervisor = Supervisor(folder, **options)
        try:
            await asyncio.wait_for(scenario(supervisor), 30)
        finally:
            await supervisor.stop()
            supervisor.close()

    asyncio.run(main())


async def until(condition, timeout_s=10.0):
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


def test_a_killed_child_comes_back_and_logs_to_one_file(tmp_path):
    ended = []

    async def scenario(supervisor):
        child = supervisor.start(ChildSpec("talker", ["sh", "-c", "echo hello; sleep 600"]))
        watch = asyncio.create_task(supervisor.watch())
        first = child.pid
        await until(lambda: (tmp_path / "talker.log").read_text() == "hello\n")
        begun = time.monotonic()
        os.kill(first, signal.SIGKILL)
        await until(lambda: child.pid not in (None, first))
        assert time.monotonic() - begun < 1.0
        assert (child.restarts, ended[0].name, ended[0].code, ended[0].fate) == (1, "talker", -9, "restarts")
        await until(lambda: (tmp_path / "talker.log").read_text() == "hello\nhello\n")
        watch.cancel()

    run(scenario, tmp_path, on_ended=ended.append)
    assert ended[-1].fate == "done"


def test_a_child_rests_while_its_stand_in_runs_and_no_longer(tmp_path):
    async def scenario(supervisor):
        sleeps = ["sh", "-c", "exec sleep 600"]
        one = supervisor.start(ChildSpec("one", sleeps, rest_s=600.0, stand_ins=("other",)))
        other = supervisor.start(ChildSpec("other", sleeps, rest_s=600.0, stand_ins=("one", "never started")))
        watch = asyncio.create_task(supervisor.watch())
        os.kill(one.pid, signal.SIGKILL)
        await until(lambda: one.due_s is not None)
        await asyncio.sleep(0.6)  # well beyond the first backoff
        assert (one.pid, one.restarts) == (None, 0)
        os.kill(other.pid, signal.SIGKILL)
        await until(lambda: one.pid is not None)
        watch.cancel()

    run(scenario, tmp_path)


def test_a_child_that_keeps_failing_is_given_up_with_growing_pauses(tmp_path):
    ended = []

    async def scenario(supervisor):
        child = supervisor.start(ChildSpec("broken", [sys.executable, "-S", "-c", "raise SystemExit(3)"]))
        watch = asyncio.create_task(supervisor.watch())
        begun = time.monotonic()
        await until(lambda: child.given_up)
        assert time.monotonic() - begun >= 0.1 + 0.2 + 0.4
        assert child.restarts == 3
        watch.cancel()

    run(scenario, tmp_path, on_ended=ended.append, restarts_per_minute=3)
    assert [e.fate for e in ended] == ["restarts"] * 3 + ["given up"]
    assert {e.code for e in ended} == {3}


def test_a_child_that_cannot_be_started_for_now_is_tried_again_and_the_others_are_looked_after(tmp_path, monkeypatch):
    """Found by a review: one OSError ended all supervision without a word."""
    ended, spawn = [], subprocess.Popen

    async def scenario(supervisor):
        one, two = (supervisor.start(ChildSpec(name, ["sh", "-c", "exec sleep 600"])) for name in ("one", "two"))
        watch = asyncio.create_task(supervisor.watch())
        failures = [BlockingIOError(11, "no process"), OSError(28, "no space")]

        def refused(*args, **kwargs):
            if failures:
                raise failures.pop()
            return spawn(*args, **kwargs)

        monkeypatch.setattr(processes.subprocess, "Popen", refused)
        old = {child.pid for child in (one, two)}
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: not {one.pid, two.pid} & {None, *old})
        assert not watch.done() and not failures
        watch.cancel()

    run(scenario, tmp_path, on_ended=ended.append)
    assert [e.fate for e in ended if e.code == CANNOT_START] == ["restarts"] * 2


def test_an_end_that_was_asked_for_is_no_failure(tmp_path):
    """Found by a review: eleven restarts by hand in a minute ended the whole run."""
    ended = []

    async def scenario(supervisor):
        child = supervisor.start(ChildSpec("feed", ["sh", "-c", "exec sleep 600"]))
        watch = asyncio.create_task(supervisor.watch())
        for _ in range(5):
            old, child.asked = child.pid, True
            child.process.terminate()
            await until(lambda old=old: child.pid not in (None, old))
        assert not child.given_up and child.restarts == 5
        watch.cancel()

    run(scenario, tmp_path, on_ended=ended.append, restarts_per_minute=3)
    assert [e.fate for e in ended[:5]] == ["restarts"] * 5


def test_a_child_that_may_end_is_left_ended(tmp_path):
    ended = []

    async def scenario(supervisor):
        child = supervisor.start(ChildSpec("once", ["true"], restart=False))
        watch = asyncio.create_task(supervisor.watch())
        await until(lambda: ended)
        assert (ended[0].fate, child.pid, child.restarts) == ("done", None, 0)
        watch.cancel()

    run(scenario, tmp_path, on_ended=ended.append)


def test_children_end_in_order_and_the_deaf_are_killed(tmp_path):
    notes = tmp_path / "notes"
    polite = f"trap 'echo $0 >> {notes}; exit 0' TERM; echo up; while :; do sleep 0.05; done"

    async def scenario(supervisor):
        supervisor.start(ChildSpec("last", ["sh", "-c", polite, "last"], stop_order=2))
        supervisor.start(ChildSpec("first", ["sh", "-c", polite, "first"], stop_order=0))
        deaf = "trap '' TERM; echo up; while :; do sleep 0.05; done"
        supervisor.start(ChildSpec("deaf", ["sh", "-c", deaf], stop_order=1, grace_s=0.3))
        await until(lambda: all("up" in (tmp_path / f"{n}.log").read_text() for n in ("last", "first", "deaf")))
        pids = [child.pid for child in supervisor.children.values()]
        await supervisor.stop()
        assert notes.read_text().split() == ["first", "last"]
        assert not any(alive(pid) for pid in pids)
        assert supervisor.children["deaf"].restarts == 0

    run(scenario, tmp_path)


def test_stopping_a_child_takes_what_is_below_it_along(tmp_path):
    async def scenario(supervisor):
        child = supervisor.start(ChildSpec("parent", ["sh", "-c", "sleep 600 & echo $!; wait"]))
        await until(lambda: (tmp_path / "parent.log").read_text().strip().isdigit())
        below = int((tmp_path / "parent.log").read_text())
        assert alive(below)
        assert child.pid is not None
        await supervisor.stop()
        await until(lambda: not alive(below))

    run(scenario, tmp_path)


def test_memory_counts_grandchildren_and_shared_pages_once(tmp_path):
    hog = (
        "import os, sys, time; x = bytearray(50_000_000); print('up', flush=True); "
        "os.wait() if os.fork() else time.sleep(600)"
    )

    async def scenario(supervisor):
        supervisor.start(ChildSpec("hog", [sys.executable, "-S", "-c", hog]))
        await until(lambda: "up" in (tmp_path / "hog.log").read_text())
        await until(lambda: supervisor.report_memory().processes == 3)
        report = supervisor.report_memory()
        # Two processes share the 50 MB: counted twice it would be above 100 MB.
        assert 50e6 < report.by_child["hog"] < 90e6
        assert report.total_bytes == sum(report.by_child.values())

    run(scenario, tmp_path)


def test_two_children_of_one_name_are_refused(tmp_path):
    async def scenario(supervisor):
        supervisor.start(ChildSpec("a", ["sleep", "600"]))
        with pytest.raises(ValueError, match="there is a child a already"):
            supervisor.start(ChildSpec("a", ["sleep", "600"]))

    run(scenario, tmp_path)


def test_without_a_launcher_nobody_is_watched(monkeypatch):
    monkeypatch.delenv("HEDGEROW_LAUNCHER", raising=False)
    assert watch_parent(lambda: None) is False

"""The reaper ends exactly the descendants it was told of, and only when its input ends."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
PARENT = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", {CHILD!r}])
print("up", flush=True)
sys.stdin.read()
"""


def python(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.live
@pytest.mark.system
def test_ends_descendants_of_a_killed_process_and_removes_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "ray"
    folder.mkdir()
    parent = python("-c", PARENT)
    reaper = python("-m", "agents.reaper", str(parent.pid), str(folder))
    bystander = python("-c", "import time; time.sleep(60)")
    try:
        assert parent.stdout is not None and parent.stdout.readline() == b"up\n"
        (child,) = psutil.Process(parent.pid).children()
        time.sleep(1.5)
        assert reaper.poll() is None and child.is_running()
        parent.kill()
        parent.wait()
        assert reaper.stdin is not None
        reaper.stdin.close()
        assert reaper.wait(10) == 0
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
        assert not folder.exists()
        assert bystander.poll() is None
    finally:
        for process in (parent, reaper, bystander):
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

"""The command line: every error is one clear line (or file, line and reason) with its documented exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import HedgerowError, InputError
from deploy.config import load
from tests.house import ROOT


def hedgerow(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "deploy.cli", *arguments]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=120)


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_no_run_is_unavailable_and_says_what_to_do(tmp_path: Path) -> None:
    for command in (["status", "--json"], ["limits", "show"], ["pause", "--why", "test"], ["story", "last"]):
        done = hedgerow(*command, cwd=tmp_path)
        assert done.returncode == 3, (command, done.stderr)
        assert "hedgerow live" in done.stderr and "Traceback" not in done.stderr


def test_a_nats_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    done = hedgerow("status", "--nats", "nats://127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 3 and "127.0.0.1:1" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["scale", "delta", "2"], ["scale", "gamma", "0"], ["pause"], ["bench", "nothing"]])
def test_a_command_line_that_makes_no_sense(command: list[str], tmp_path: Path) -> None:
    done = hedgerow(*command, cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_malformed_files_are_refused_whole_before_anything_starts(tmp_path: Path) -> None:
    book = write(tmp_path / "book.csv", "account,quantity,instrument\na,10,SPX 2018-03-16 2700 P @XCBO\na,x,nonsense\n")
    settings = write(tmp_path / "settings.toml", "[agents]\nshards = { delta = 1 }\n")
    limits = write(tmp_path / "limits.toml", "risk_aversion_per_usd = -1\n")
    for flag, path in (("--book", book), ("--config", settings), ("--limits", limits)):
        done = hedgerow("live", flag, path, cwd=tmp_path)
        assert done.returncode == 4, (flag, done.stdout, done.stderr)
        assert Path(path).name in done.stderr and "nothing was loaded" in done.stderr
        assert "Traceback" not in done.stderr
        if flag == "--book":
            assert f"{path}:3: " in done.stderr


def test_a_second_run_in_the_same_folder_is_refused_and_disturbs_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    code = (
        "import sys; from pathlib import Path; from deploy.run_folder import RunFolder;"
        f"held = RunFolder.open(Path({str(folder)!r}), 0); print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        done = hedgerow("live", "--run-dir", str(folder), cwd=tmp_path)
        assert done.returncode == 5 and f"pid {holder.pid}" in done.stderr
        assert not (folder / "run.json").exists()
        assert holder.stdin is not None
        holder.stdin.close()


def test_the_settings_resolve_flags_over_environment_over_file() -> None:
    env = {"HEDGEROW_LIVE__SPEED": "60", "HEDGEROW_LIVE__MANAGERS": "3", "HEDGEROW_NATS_URL": "nats://x"}
    settings = load(None, {"live.speed": 120.0, "live.managers": None}, env)
    assert (settings.live.speed, settings.live.managers, settings.live.nats_url) == (120.0, 3, None)
    with pytest.raises(InputError):
        load(ROOT / "examples", {}, {})  # a folder
    with pytest.raises(HedgerowError, match="sped"):
        load(None, {"live.sped": 1}, {})

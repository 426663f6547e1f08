"""How long a newcomer waits: the two commands of the README in a fresh clone."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.registry import Context, Row, bench

ROOT = Path(__file__).resolve().parent.parent


def _in_fresh_clone(context: Context, name: str, target: str) -> tuple[float, int]:
    """Seconds and exit code of ``make TARGET`` in a fresh clone of the committed state."""
    clone = context.scratch / name
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True)
    env = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "NUMBA_CACHE_DIR")}
    env["HEDGEROW_DATA"] = str(context.data_dir)
    started = time.perf_counter()
    with (context.scratch / f"{name}.log").open("wb") as log:
        code = subprocess.run(["make", target], cwd=clone, env=env, stdout=log, stderr=subprocess.STDOUT).returncode
    return time.perf_counter() - started, code


@bench("repository.make_run_minutes", what="fresh clone, `make run`, installing included", minutes=6)
def make_run(context: Context) -> Iterable[Row]:
    """One fresh clone."""
    seconds, code = _in_fresh_clone(context, "clone-run", "run")
    yield Row(
        "repository.make_run_minutes",
        f"fresh clone, `make run`, installing included (exit code {code})",
        round(seconds / 60, 2),
        "min",
        "under 6",
        code == 0 and seconds < 360,
    )


@bench("repository.make_test_minutes", what="fresh clone, `make test`, installing included", minutes=15)
def make_test(context: Context) -> Iterable[Row]:
    """One fresh clone."""
    seconds, code = _in_fresh_clone(context, "clone-test", "test")
    yield Row(
        "repository.make_test_minutes",
        f"fresh clone, `make test`, installing included (exit code {code})",
        round(seconds / 60, 2),
        "min",
        "under 15",
        code == 0 and seconds < 900,
    )

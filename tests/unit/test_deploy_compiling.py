"""A first compile is told, a load from the cache is not; each in a process of its own with a cache of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import numpy as np
from deploy.compiling import announce_compiling
told = announce_compiling()
from common.kernels.linear import linear
linear(np.ones(2), np.empty((9, 2)))
print(told.kernels)
"""


def test_only_what_is_compiled_is_told(tmp_path: Path) -> None:
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    first, second = (
        subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    assert int(first.stdout) >= 1 and "compiling kernels, once on this machine: linear" in first.stderr
    assert int(second.stdout) == 0 and second.stderr == ""

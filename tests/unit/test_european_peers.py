"""The peers price the same contracts: numpy, C and, where installed, the worker's own protocol."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import peers
from common.kernels.european import BLOCK, european


def test_numpy_peer_agrees():
    c = peers.contracts(2_000)
    out = np.empty((8, 2_000))
    european(*c.columns(), out)
    wanted = peers.numpy_greeks(c)
    assert np.abs(out - wanted).max(axis=1) == pytest.approx(0, abs=1e-9 * np.abs(wanted).max())


def test_c_peer_agrees(tmp_path: Path):
    built = peers.build_c(tmp_path)
    if built is None:
        pytest.skip("no C compiler with libmvec here")
    c = peers.contracts(1_000)
    blocks = c.blocks()
    out = np.zeros((len(blocks), 8, BLOCK))
    built(blocks, out)
    found = out.transpose(1, 0, 2).reshape(8, -1)[:, :1_000]
    scale = np.abs(peers.numpy_greeks(c)).max(axis=1)
    assert (np.abs(found - peers.numpy_greeks(c)).max(axis=1) / scale).max() < 1e-12
    # -Ofast must not have turned off subnormal numbers in this process, which would hurt every later test.
    assert np.float64(1e-308) / 16.0 > 0.0


def test_the_last_block_is_filled_up():
    c = peers.contracts(300)
    blocks = c.blocks()
    assert blocks.shape == (2, 7, BLOCK)
    assert np.array_equal(blocks[1, 0, : 300 - BLOCK], c.spot[BLOCK:]) and blocks[1, 0, 300 - BLOCK] == c.spot[0]


def test_ratio_is_the_median_of_the_rounds():
    assert peers.ratio({"a": [2.0, 8.0, 30.0], "b": [1.0, 2.0, 3.0]}, "a", "b") == 4.0


def test_a_worker_without_its_peers_says_so_and_keeps_its_protocol(tmp_path: Path):
    data = tmp_path / "columns.npz"
    np.savez(data, spot=np.ones(1))
    worker = str(peers.HERE / "peer_worker.py")
    done = subprocess.run([sys.executable, worker, str(data)], input="", capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"peers": {}}


def test_missing_peers_are_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEDGEROW_PEERS", str(tmp_path / "nowhere"))
    with peers.Workers(tmp_path, {}) as workers:
        assert workers.versions == {}


@pytest.mark.slow
def test_cold_start_program_answers_in_json():
    argv = [sys.executable, "-m", "benchmarks.cold"]
    done = subprocess.run(argv, cwd=peers.HERE.parent, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert said["import_s"] > 0 and said["calls_s"] > 0

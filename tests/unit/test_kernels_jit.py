"""The compiled-code cache follows the text of every kernel file."""

from __future__ import annotations

from pathlib import Path

import numba
import pytest

from common.kernels import jit


def test_every_kernel_file_is_hashed():
    names = {path.as_posix().split("/main/")[-1] for path in jit.kernel_files()}
    for part in ("common/kernels/black76.py", "agents/gamma/kernel.py", "agents/vega/kernel.py"):
        assert any(name.endswith(part) for name in names)


def test_another_text_is_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    one, two = tmp_path / "a.py", tmp_path / "b.py"
    one.write_text("x = 1")
    two.write_text("y = 1")
    monkeypatch.setattr(jit, "kernel_files", lambda: (one, two))
    before = jit.cache_folder(tmp_path)
    assert jit.cache_folder(tmp_path) == before
    two.write_text("y = 2")
    assert jit.cache_folder(tmp_path) != before
    assert before.parent == tmp_path


def test_numba_uses_that_folder():
    assert "hedgerow-" in numba.config.CACHE_DIR


def test_rounding_trick_survives_the_flags():
    assert "reassoc" not in jit.FINITE and "fast" not in jit.FINITE
    assert not {"nnan", "ninf"} & jit.STRICT

"""What the tests of the file readers share: the example files, contracts, and a way to write a file and see it refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.errors import InputError

FORMATS = Path(__file__).resolve().parents[1] / "examples" / "formats"
CONTRACTS = FORMATS / "contracts.toml"
Reader = Callable[..., Any]


def written(folder: Path, body: str | bytes, name: str = "file.csv") -> Path:
    """A file of that content; folders in ``name`` are made."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return path


def refused(read: Reader, path: Path, **options: Any) -> list[tuple[int, str]]:
    """(line, reason) of everything that is wrong with a file; the error is printable and says what to do."""
    with pytest.raises(InputError) as refusal:
        read(path, **options)
    assert refusal.value.exit_code == 4
    assert "nothing was loaded; " in str(refusal.value)
    return [(problem.line, problem.reason) for problem in refusal.value.problems]

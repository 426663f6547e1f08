"""A run opened and checked before anything starts."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numba
import pytest
from rich.console import Console

from common.errors import HedgerowError, InputError, Unavailable, UsageError
from common.market.recorded import FILE_NAME, Recorder
from common.security import access
from deploy.config import EXAMPLES, RunConfig, load
from deploy.live import Launcher
from deploy.run_folder import RunFolder
from deploy.setup import check_reachable, prepare
from tests.unit.test_market_csv import HEADER, ROWS
from tests.unit.test_market_open import BOOK


@pytest.fixture
def settings(tmp_path: Path) -> RunConfig:
    (tmp_path / "quotes.csv").write_text(HEADER + ROWS)
    (tmp_path / "book.csv").write_text(BOOK)
    return load(None, {"market.name": str(tmp_path / "quotes.csv"), "book": tmp_path / "book.csv"}, {})


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as probe:  # bound but not listening: connections are refused, and nobody else can take it
        probe.bind(("127.0.0.1", 0))
        yield int(probe.getsockname()[1])


def test_a_run_is_prepared_and_its_reference_reads_back(settings: RunConfig) -> None:
    prepared = prepare(settings, "r1")
    reference = prepared.reference()
    assert reference["run_id"] == "r1" and RunConfig.model_validate(reference["settings"]) == settings
    assert prepared.book.quantity_lots.tolist() == [-5, 2]
    # the file spans one minute and 90 wall seconds are asked for: never slower than the market itself
    assert prepared.speed == 1.0
    faster = settings.model_copy(update={"live": settings.live.model_copy(update={"wall_seconds": 0.5})})
    assert prepare(faster, "r2").speed == pytest.approx(60.0 / 0.5)


def test_every_part_loads_the_kernels_that_the_launcher_compiled(settings: RunConfig, tmp_path: Path) -> None:
    folder = RunFolder.open(tmp_path / "run", 0)
    env = {**os.environ, **Launcher(prepare(settings, "r"), folder, Console())._env("nats://x", access.FLEET)}
    folder.close()
    program = "import common.kernels.jit, numba; print(numba.config.CACHE_DIR)"
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == numba.config.CACHE_DIR


def test_limits_on_underlyings_the_market_has_not_are_refused_with_their_lines(
    settings: RunConfig, tmp_path: Path
) -> None:
    text = (EXAMPLES / "limits.toml").read_text()
    more = '\n[factor."delta:NDX"]\nsoft_usd = 1.0\nhard_usd = 2.0\n[flow_by_underlying.RUT]\norders = 3\n'
    (tmp_path / "limits.toml").write_text(text + more)
    with pytest.raises(InputError, match="no underlying 'NDX'") as caught:
        prepare(settings.model_copy(update={"limits": tmp_path / "limits.toml"}), "r")
    first = text.count("\n") + 2
    assert [p.line for p in caught.value.problems] == [first, first + 3]


def test_a_recording_brings_its_book(settings: RunConfig, tmp_path: Path) -> None:
    prepared = prepare(settings, "r")
    Recorder(tmp_path / FILE_NAME, prepared.source, prepared.book).close()
    recorded = load(None, {"market.name": str(tmp_path / FILE_NAME)}, {})
    assert prepare(recorded, "r").book.quantity_lots.tolist() == [-5, 2]
    with pytest.raises(UsageError, match="leave --book out"):
        prepare(recorded.model_copy(update={"book": tmp_path / "book.csv"}), "r")


@pytest.mark.parametrize(
    ("key", "form", "error", "words"),
    [
        ("live.ray_address", "127.0.0.1:{}", Unavailable, "Ray at 127.0.0.1.*ray start"),
        ("live.nats_url", "nats://127.0.0.1:{}", Unavailable, "NATS at nats://127.0.0.1"),
        ("live.ray_address", "somewhere", UsageError, "HOST:PORT"),
        ("live.ray_address", "ray://127.0.0.1:10001", UsageError, "HOST:PORT"),
        ("live.ray_address", "127.0.0.1:99999", UsageError, "HOST:PORT"),
    ],
)
def test_an_address_where_nobody_listens_is_known_within_seconds(
    key: str, form: str, error: type[HedgerowError], words: str, closed_port: int
) -> None:
    began = time.monotonic()
    with pytest.raises(error, match=words):
        asyncio.run(check_reachable(load(None, {key: form.format(closed_port)}, {})))
    assert time.monotonic() - began < 10.0


def test_an_unknown_desk_is_shown_at_its_key_not_where_its_name_is_mentioned(
    settings: RunConfig, tmp_path: Path
) -> None:
    text = "# tech has limits of its own\n" + settings.limits.read_text()
    at = len(text.splitlines())
    text += "\n[flow_by_desk.tech] # tech\ncost_usd = 1.0\n"
    text += '[factor."delta:SPX@tech"]\nunit = "USD delta"\nsoft_usd = 1.0\nhard_usd = 2.0\n'
    path = tmp_path / "limits_scopes.toml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        prepare(settings.model_copy(update={"limits": path}), "r")
    assert [problem.line for problem in refused.value.problems] == [at + 2, at + 4]
    assert all("the book has no desk 'tech'" in problem.reason for problem in refused.value.problems)


def test_toml_files_may_begin_with_a_byte_order_mark(settings: RunConfig, tmp_path: Path) -> None:
    """As some editors save them. What is wrong in one still has its own line."""
    marked = {}
    for name in ("limits", "execution_limits"):
        marked[name] = tmp_path / f"{name}.toml"
        marked[name].write_bytes(b"\xef\xbb\xbf" + getattr(settings, name).read_bytes())
    config = tmp_path / "run.toml"
    config.write_bytes(b"\xef\xbb\xbf[live]\nspeed = 3.0\n")
    assert prepare(settings.model_copy(update=marked), "r").limits == prepare(settings, "r").limits
    assert load(config, {}, {}).live.speed == 3.0
    marked["limits"].write_bytes(b"\xef\xbb\xbfnothing = 1\n" + settings.limits.read_bytes())
    with pytest.raises(InputError) as refused:
        prepare(settings.model_copy(update=marked), "r")
    assert [problem.line for problem in refused.value.problems] == [1]

"""The command line as a user breaks it: one clear error, the documented exit code, nothing left behind.

Nothing here may get as far as starting a process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.market.open import open_market
from common.market.recorded import FILE_NAME, Recorder
from deploy import cli, limits_cli
from deploy.config import EXAMPLES
from deploy.run_folder import RunFolder
from tests.unit.test_market_csv import HEADER, ROWS
from tests.unit.test_market_open import BOOK

DEMO = EXAMPLES / "demo_book.csv"
LIMITS = (EXAMPLES / "limits.toml").read_text()
T1 = "2018-01-29T14:31:00Z"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Hedgerow = Callable[..., Said]


@pytest.fixture
def hedgerow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Hedgerow:
    """Runs a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("HEDGEROW_")]:
        monkeypatch.delenv(name)

    def run(*words: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["hedgerow", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
            raise SystemExit(0)
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run


def _refused(hedgerow: Hedgerow, code: int, *words: str | Path) -> str:
    """A ``live`` that must be refused before anything starts and leave no trace; returns its error."""
    before = sorted(Path().rglob("*"))
    said = hedgerow("live", "--run-dir", "run", *words)
    assert said.code == code, said
    assert "Traceback" not in said.err and said.err.count("hedgerow: ") == 1
    assert sorted(Path().rglob("*")) == before
    return said.err


def _replaced(line: int, old: str, new: str) -> str:
    lines = DEMO.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_replaced(3, ",1.17,", ",-1.17,"), ":3: average_price -1.17 is negative"),
        (_replaced(3, ",1.17,", ",x,"), ":3: average_price 'x' is not a number"),
        (_replaced(2, "-05:00", ""), ":2: as_of '2018-01-26T16:00:00' has no time zone"),
        (_replaced(2, "SPX", "XYZ"), ":2: unknown root 'XYZ'"),
        (_replaced(2, "CLIENT-05,", ""), ":2: 4 cells under 5 columns"),
        (_replaced(2, ",60,", ",6.5,"), ":2: quantity '6.5' is not a whole number"),
        (_replaced(1, "quantity", "qty"), ":1: unknown column 'qty'"),
        ("", ": the file is empty"),
        (bytes(range(256)), "not UTF-8"),
        (None, ": No such file or directory"),
    ],
)
def test_a_bad_book(hedgerow: Hedgerow, text: str | bytes | None, words: str) -> None:
    if text is not None:
        Path("book.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    error = _refused(hedgerow, 4, "--book", "book.csv")
    assert f"book.csv{words}" in error or (words in error and "book.csv" in error)
    assert "nothing was loaded; " in error


def test_a_folder_as_book(hedgerow: Hedgerow) -> None:
    Path("books").mkdir()
    assert "books: Is a directory" in _refused(hedgerow, 4, "--book", "books")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (f"{T1},SPX   180316P02700000,-1,2,1,1", "bid -1 is negative"),
        (f"{T1},SPX   180316P02700000,,2,1,1", "bid_size '1' without a bid"),
        ("2018-01-29T14:31:00,SPX   180316P02700000,1,2,1,1", "has no time zone"),
        (f"{T1},XYZ   180316P02700000,1,2,1,1", "unknown root 'XYZ'"),
    ],
)
def test_a_bad_market_file(hedgerow: Hedgerow, row: str, words: str) -> None:
    Path("quotes.csv").write_text(HEADER + ROWS + row + "\n")
    Path("book.csv").write_text(BOOK)
    error = _refused(hedgerow, 4, "--market", "quotes.csv", "--book", "book.csv")
    assert "quotes.csv:6: " in error and words in error
    Path("quotes.csv").write_text(HEADER.replace("bid,", "bidd,") + ROWS)
    assert "quotes.csv:1: unknown column 'bidd'" in _refused(
        hedgerow, 4, "--market", "quotes.csv", "--book", "book.csv"
    )


def test_a_market_that_is_none(hedgerow: Hedgerow) -> None:
    assert "neither demo nor es-options" in _refused(hedgerow, 3, "--market", "nope")
    Path("empty").mkdir()
    assert "without a recording" in _refused(hedgerow, 2, "--market", "empty")
    error = _refused(hedgerow, 3, "--market", "es-options", "--data", "empty")
    assert "no such file" in error and "--data" in error
    Path("quotes.csv").write_text(HEADER + ROWS)
    assert "--book FILE" in _refused(hedgerow, 2, "--market", "quotes.csv")


def test_a_recording_holds_its_book(hedgerow: Hedgerow) -> None:
    Path("quotes.csv").write_text(HEADER + ROWS)
    Path("book.csv").write_text(BOOK)
    Recorder(Path(FILE_NAME), *open_market("quotes.csv", Path("book.csv"))).close()
    assert "leave --book out" in _refused(hedgerow, 2, "--market", FILE_NAME, "--book", "book.csv")
    said = hedgerow("replay", FILE_NAME, "--book", "book.csv")
    assert said.code == 2 and "leave --book out" in said.err
    Path(FILE_NAME).write_bytes(Path(FILE_NAME).read_bytes()[:100])
    said = hedgerow("replay", FILE_NAME)
    assert said.code == 4 and "damaged" in said.err
    assert "damaged" in _refused(hedgerow, 4, "--market", FILE_NAME)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (LIMITS.replace("soft_usd = 2_500_000", "soft_usd = 13_000_000"), "soft_usd = 2_500_000", "is above hard"),
        (LIMITS.replace("gamma:*", "gama:*"), "gamma:*", "unknown factor"),
        (LIMITS.replace("max_lots_future", "max_lots_futures"), "max_lots_future", "unknown key"),
        (LIMITS + '\n[factor."delta:XYZ"]\nsoft_usd = 1.0\nhard_usd = 2.0\n', "", "no underlying 'XYZ'"),
    ],
)
def test_limits_that_make_no_sense(hedgerow: Hedgerow, text: str, line: str, words: str) -> None:
    Path("limits.toml").write_text(text)
    error = _refused(hedgerow, 4, "--limits", "limits.toml")
    lines = LIMITS.splitlines()
    number = next(n for n, found in enumerate(lines, 1) if line in found) if line else len(lines) + 2
    assert f"limits.toml:{number}: " in error and words in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--speed", "0"), "--speed 0.0: live.speed should be greater than 0"),
        (("--speed", "-1"), "--speed -1.0"),
        (("--speed", "inf"), "--speed inf: live.speed is not a finite number"),
        (("--speed", "nan"), "not a finite number"),
        (("--seed", "-1"), "--seed -1"),
        (("--duration-s", "0"), "--duration-s 0.0"),
        (("--ray", "nonsense"), "HOST:PORT"),
    ],
)
def test_flags_that_make_no_sense(hedgerow: Hedgerow, words: tuple[str, str], said: str) -> None:
    assert said in _refused(hedgerow, 2, *words)


def test_settings_that_make_no_sense(hedgerow: Hedgerow, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("run.toml").write_text("[live]\nspeed = 2\nsped = 3\n")
    assert "run.toml:3: live.sped is no setting" in _refused(hedgerow, 4, "--config", "run.toml")
    said = hedgerow("config", "check", "--config", "run.toml")
    assert said.code == 4 and "run.toml:3" in said.err
    monkeypatch.setenv("HEDGEROW_LIVE__SPEED", "fast")
    assert "HEDGEROW_LIVE__SPEED=fast" in _refused(hedgerow, 2)


def test_what_cannot_be_reached(hedgerow: Hedgerow) -> None:
    assert "NATS at nats://127.0.0.1:1 cannot be reached" in _refused(hedgerow, 3, "--nats", "nats://127.0.0.1:1")
    error = _refused(hedgerow, 3, "--ray", "127.0.0.1:1")
    assert "Ray at 127.0.0.1:1 cannot be reached" in error and "ray start" in error


def test_a_second_run_on_the_same_folder(hedgerow: Hedgerow, tmp_path: Path) -> None:
    first = RunFolder.open(tmp_path / "run", 0)
    assert "in use by another" in _refused(hedgerow, 5)
    (first / "journal.bin").write_bytes(b"x")
    first.close()
    assert "finished run" in _refused(hedgerow, 5)


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("limits", "show"),
        ("limits", "set", "flow.cost_usd", "3", "--why", "x"),
        ("pause", "--why", "x"),
        ("resume", "--why", "x"),
        ("kill", "--why", "x"),
        ("scale", "gamma", "2"),
        ("story", "last"),
    ],
)
def test_control_without_a_run(hedgerow: Hedgerow, words: tuple[str, ...]) -> None:
    for more in ((), ("--run-dir", "none"), ("--json",)):
        said = hedgerow(*words, *more)
        assert said.code == 3 and "no run found" in said.err and "hedgerow live" in said.err and not said.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nope",), "No such command"),
        (("live", "extra"), "unexpected extra argument"),
        (("live", "--speed", "x"), "--speed"),
        (("pause",), "--why"),
        (("pause", "--why", " "), "--why is empty"),
        (("limits", "set", "flow.cost_usd", "3", "--why", ""), "--why is empty"),
        (("scale", "foo", "3"), "no agent kind 'foo'; known: gamma"),
        (("scale", "gamma", "0"), "greater than or equal to 1"),
        (("scale", "gamma", "999"), "less than or equal to 64"),
        (("replay", "demo", "--batch", "0"), "--batch"),
        (("role", "foo", "--nats", "nats://127.0.0.1:1"), "no role 'foo'"),
        (("role", "feed"), "HEDGEROW_NATS_URL"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_usage(hedgerow: Hedgerow, words: tuple[str, ...], said: str) -> None:
    ended = hedgerow(*words)
    assert ended.code == 2 and said in " ".join(ended.err.split()) and "Traceback" not in ended.err


def test_replay_of_what_is_no_run(hedgerow: Hedgerow) -> None:
    Path("empty").mkdir()
    assert hedgerow("replay", "empty").code == 2
    assert hedgerow("replay", "nope").code == 3
    Path("empty", "journal.bin").write_bytes(b"")
    said = hedgerow("replay", "empty")
    assert said.code == 4 and "reference.json" in said.err


def test_config_says_what_holds(hedgerow: Hedgerow) -> None:
    Path("quotes.csv").write_text(HEADER + ROWS)
    Path("book.csv").write_text(BOOK)
    said = hedgerow("config", "check", "--market", "quotes.csv", "--book", "book.csv")
    assert said.code == 0 and "book book: 2 positions" in said.out and "SPX, IXIC" in said.out
    assert '"speed": null' in hedgerow("config", "show").out
    assert '"description"' in hedgerow("config", "schema").out


def test_the_version_is_that_of_the_project(hedgerow: Hedgerow) -> None:
    stated = tomllib.loads((EXAMPLES.parent / "pyproject.toml").read_text())["project"]["version"]
    said = hedgerow("--version")
    assert said.code == 0 and said.out == f"hedgerow {stated}\n" and said.err == ""


def test_numbers_of_limits_are_read_as_people_write_them() -> None:
    assert [limits_cli.number(t) for t in ("NaN", "-Infinity", "1e999")] == ["NaN", "-Infinity", "1e999"]
    assert [limits_cli.number(t) for t in ("3", "2.5", "1_000_000", "much", "[1]", "1e6")] == [
        3,
        2.5,
        1_000_000,
        "much",
        "[1]",
        1e6,
    ]


def test_a_command_over_nats_loads_no_grpc_no_ray_and_no_kernels() -> None:
    code = (
        "import sys, deploy.cli, deploy.control, deploy.commands, console.projections;"
        "print(sorted({'grpc', 'ray', 'numba', 'pandas', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

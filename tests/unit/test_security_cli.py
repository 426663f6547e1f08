"""``hedgerow audit-log verify`` on a file that is whole, and on one with each kind of damage."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.clock import WallClock
from common.errors import InputError
from common.security.audit import Asked
from common.security.audit_file import AuditFile
from common.security.keys import Keys
from deploy.cli import app
from tests.security_world import make_keys


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keys = Keys(make_keys(tmp_path / "keys") / "manager")
    audit = AuditFile.open(tmp_path / "audit", "manager-a", keys, WallClock())
    for n in range(4):
        asyncio.run(audit.add(Asked("pause", "alice", "unproven", "smoke", "{}", b"%d" % n, "done")))
    return audit.path


def verify(file: Path, *words: str) -> tuple[int, str]:
    said = CliRunner().invoke(app, ["audit-log", "verify", str(file), *words])
    assert said.exception is None or isinstance(said.exception, SystemExit), said.exception
    return said.exit_code, said.stdout


def test_a_whole_file_by_its_own_key_and_by_the_given_one(file: Path, tmp_path: Path) -> None:
    code, text = verify(file)
    assert code == 0 and "4 lines, 0 problems" in text and "give --key" in text
    code, text = verify(file, "--key", str(tmp_path / "keys" / "manager" / "audit.pub"))
    assert code == 0 and "as given" in text
    code, text = verify(file, "--key", str(tmp_path / "keys" / "viewer" / "audit.pub"))
    assert code == 1 and text.count("is signed by key") == 4


@pytest.mark.parametrize(
    ("damage", "line", "says"),
    [
        (lambda rows: [rows[0], rows[1].replace(b"alice", b"alicf"), *rows[2:]], 2, "was edited"),
        (lambda rows: [rows[0], *rows[2:]], 2, "1 before it missing"),
        (lambda rows: [rows[0], rows[2], rows[1], rows[3]], 2, "1 before it missing"),
        (lambda rows: [*rows[:3], rows[3][:-9]], 4, "is no whole audit line"),
    ],
    ids=["edited", "missing", "reordered", "cut"],
)
def test_damage_is_named_with_its_line(file: Path, damage: object, line: int, says: str) -> None:
    assert callable(damage)
    file.write_bytes(b"".join(damage(file.read_bytes().splitlines(keepends=True))))
    code, text = verify(file, "--json")
    first = json.loads(text)["problems"][0]
    assert (code, first["line"]) == (1, line) and says in first["reason"]


def test_a_cut_end_is_found_by_a_head_kept_elsewhere(file: Path) -> None:
    head = json.loads(verify(file, "--json")[1])["head"]
    rows = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(rows[:3]))
    assert verify(file)[0] == 0
    code, text = verify(file, "--head", head)
    assert code == 1 and "the end was cut off" in text


def test_no_file_is_said(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["audit-log", "verify", str(tmp_path / "none")])
    assert isinstance(said.exception, InputError)


def test_a_file_without_a_line_proves_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "manager-a-0011.jsonl"
    empty.write_bytes(b"")
    code, text = verify(empty)
    assert code == 1 and "holds no line" in text and "0 lines, 1 problems" in text
    code, text = verify(empty, "--json")
    assert code == 1 and "holds no line" in json.loads(text)["problems"][0]["reason"]

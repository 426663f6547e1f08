"""The audit chain: a file written through ``AuditFile`` verifies, and every way to change it is found at its line."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from common.clock import ManualClock, WallClock
from common.errors import InputError
from common.security.audit import FIRST, UNPROVEN, Asked, Head, sign, verify
from common.security.audit_file import AuditFile
from common.security.certificates import load_public
from common.security.keys import Keys
from deploy import certs

KEY, OTHER = Ed25519PrivateKey.from_private_bytes(b"k" * 32), Ed25519PrivateKey.from_private_bytes(b"o" * 32)


def asked(n: int) -> Asked:
    return Asked("pause", f"alice {n}", "risk_manager alice", "µ-test\nof two lines", "{}", b"request %d" % n, "done")


def chain(count: int, key: Ed25519PrivateKey = KEY) -> list[bytes]:
    lines, head = [], Head()
    for n in range(count):
        line, head = sign(asked(n), "execution", 1_000 + n, head, key)
        lines.append(line + b"\n")
    return lines


def test_a_line_can_be_checked_by_hand() -> None:
    first, second = chain(2)
    fields = json.loads(second)
    signature = bytes.fromhex(fields.pop("signature"))
    text = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(fields["key"]))
    public.verify(signature, text)  # raises if it does not fit
    with pytest.raises(InvalidSignature):
        public.verify(signature, text + b" ")
    assert fields["previous"] == hashlib.sha256(first[:-1]).hexdigest()
    assert json.loads(first)["previous"] == FIRST
    assert fields["request_sha256"] == hashlib.sha256(b"request 1").hexdigest()


def test_a_whole_file_verifies_and_says_its_head() -> None:
    lines = chain(5)
    found = verify(lines, KEY.public_key(), hashlib.sha256(lines[4][:-1]).hexdigest())
    assert (found.problems, found.head.sequence) == ((), 5)


@settings(max_examples=60)
@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    lines = chain(4)
    row = data.draw(st.integers(0, 3))
    at = data.draw(st.integers(0, len(lines[row]) - 2))
    changed = bytearray(lines[row])
    changed[at] ^= data.draw(st.integers(1, 255))
    lines[row] = bytes(changed)
    assert verify(b"".join(lines).splitlines(keepends=True), KEY.public_key()).problems


@settings(max_examples=40)
@given(st.permutations(range(5)))
def test_any_other_order_is_found(order: list[int]) -> None:
    lines = chain(5)
    found = verify([lines[n] for n in order], KEY.public_key())
    assert bool(found.problems) == (order != sorted(order))


@pytest.mark.parametrize("gone", [0, 1, 3])
def test_a_missing_line_is_found_where_it_was(gone: int) -> None:
    lines = chain(5)
    del lines[gone]
    (problem,) = verify(lines, KEY.public_key()).problems
    assert problem.line == gone + 1 and "1 before it missing" in problem.reason


def test_an_edit_signed_again_by_somebody_else_and_a_rewritten_tail_are_found() -> None:
    forged = chain(3)[:2] + chain(3, OTHER)[2:]
    assert "signed by key" in verify(forged, KEY.public_key()).problems[0].reason
    assert verify(chain(3, OTHER)).problems == ()  # one piece; whose it is only a known key tells
    assert verify(chain(3, OTHER), KEY.public_key()).problems
    lines, head = chain(2), hashlib.sha256(chain(3)[2][:-1]).hexdigest()
    assert "the end was cut off" in verify(lines, KEY.public_key(), head).problems[0].reason


def test_a_file_goes_on_after_a_restart_and_an_unfinished_line_is_cut_and_told(tmp_path: Path) -> None:
    certs.make(tmp_path / "keys", [certs.Wanted("execution", "execution", certified=False)])
    keys = Keys(tmp_path / "keys" / "execution")

    def opened() -> AuditFile:
        return AuditFile.open(tmp_path, "execution", keys, WallClock())

    file = opened()
    assert asyncio.run(file.add(asked(1))) == ""
    assert asyncio.run(opened().add(asked(2))) == ""
    with file.path.open("ab") as torn:
        torn.write(b'{"action":"pau')
    assert asyncio.run(opened().add(asked(3))) == ""
    lines = file.path.read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["action"] for line in lines] == ["pause", "pause", "audit.cut", "pause"]
    assert json.loads(lines[2])["what"].startswith("14 bytes")
    public = load_public(tmp_path / "keys" / "execution" / "audit.pub")
    assert verify(lines, public).problems == ()
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.path.write_bytes(b"".join(lines[1:]))
    with pytest.raises(InputError, match="1 before it missing"):
        opened()


def test_a_full_disk_stops_nobody_and_leaves_the_chain_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AuditFile.open(tmp_path, "execution", None, WallClock())
    assert asyncio.run(file.add(asked(1))) == ""
    real = os.write

    def half(fd: int, data: bytes) -> int:
        return real(fd, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    assert asyncio.run(file.add(asked(2))) == "not in the audit file: No space left on device"
    monkeypatch.undo()
    assert asyncio.run(file.add(asked(3))) == ""
    lines = file.path.read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["who"] for line in lines] == ["alice 1", "alice 3"]
    assert verify(lines).problems == ()


def test_a_line_whose_asker_gave_up_is_finished_and_the_chain_goes_on(tmp_path: Path) -> None:
    async def run() -> Path:
        audit = AuditFile.open(tmp_path, "execution", None, ManualClock(5))
        for number in range(20):
            asking = asyncio.create_task(audit.add(Asked("kill", f"w{number}", UNPROVEN, "why", "{}", b"", "done")))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await audit.add(Asked("resume", "last", UNPROVEN, "why", "{}", b"", "done"))
        return audit.path

    path = asyncio.run(run())
    found = verify(path.read_bytes().splitlines(keepends=True))
    assert found.problems == () and found.head.sequence == 21
    AuditFile.open(tmp_path, "execution", None, ManualClock(6))

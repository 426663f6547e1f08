"""Commands over a bus: what is carried out, refused or raised leaves a line before the answer; a full disk stops nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from common.clock import WallClock
from common.control_messages import Acknowledgement, Command
from common.errors import Refused, Unavailable
from common.security.audit import Asked, verify
from common.security.audit_commands import audited
from common.security.audit_file import AuditFile
from common.security.keys import Keys, Tls
from common.security.proof import sign_command
from common.wire import codec
from tests.security_world import make_keys, tls_of


async def carry_out(_subject: str, data: bytes) -> bytes:
    command = codec.decode_command(data)
    if command.action == "raise":
        raise Unavailable("nobody leads")
    accepted = command.why == "yes"
    return codec.encode_acknowledgement(Acknowledgement(command.command_id, accepted, "so it is"))


def send(audit: AuditFile, action: str, why: str, keys: Keys | None = None, tls: Tls | None = None) -> Acknowledgement:
    data = codec.encode_command(Command("c1", action, "alice", why, '{"scope":"desk:a"}'))
    sent = sign_command(data, tls) if tls is not None else data
    told = asyncio.run(audited(carry_out, audit, keys, WallClock())("s", sent))
    return codec.decode_acknowledgement(told)


def test_each_command_leaves_a_line_with_its_outcome_and_what_is_proven(tmp_path: Path) -> None:
    folder = make_keys(tmp_path / "keys")
    keys, alice, viewer = Keys(folder / "manager"), tls_of(folder, "alice"), tls_of(folder, "viewer")
    audit = AuditFile.open(tmp_path, "manager-a", keys, WallClock())
    assert send(audit, "pause", "yes", keys, alice).accepted
    assert send(audit, "pause", "yes", keys).accepted
    assert not send(audit, "pause", "no").accepted
    with pytest.raises(Unavailable):
        send(audit, "raise", "yes", keys, alice)
    with pytest.raises(Refused, match="role viewer"):
        send(audit, "pause", "yes", keys, viewer)
    lines = audit.path.read_bytes().splitlines(keepends=True)
    assert verify(lines).problems == ()
    said = [json.loads(line) for line in lines]
    assert [(s["action"], s["why"], s["proven"], s["outcome"]) for s in said] == [
        ("pause", "yes", "risk_manager alice", "done: so it is"),
        ("pause", "yes", "role that may publish control", "done: so it is"),
        ("pause", "no", "unproven", "refused: so it is"),
        ("raise", "yes", "risk_manager alice", "refused: nobody leads"),
        ("pause", "yes", "role that may publish control", "refused: role viewer (viewer) may not steer"),
    ]
    assert {(s["who"], s["what"]) for s in said} == {("alice", '{"scope":"desk:a"}')}


@pytest.mark.parametrize("action", ["limits.set", "limits.approve"])
def test_who_changes_a_limit_must_be_proven_where_there_are_keys(tmp_path: Path, action: str) -> None:
    folder = make_keys(tmp_path / "keys")
    keys, alice = Keys(folder / "manager"), tls_of(folder, "alice")
    audit = AuditFile.open(tmp_path, "manager-a", keys, WallClock())
    assert send(audit, action, "yes", keys, alice).accepted
    with pytest.raises(Refused, match="must be proven"):
        send(audit, action, "yes", keys)
    assert send(audit, action, "yes").accepted, "without keys nothing is proven"
    outcomes = [json.loads(line)["outcome"].partition(":")[0] for line in audit.path.read_bytes().splitlines()]
    assert outcomes == ["done", "refused", "done"]


def test_what_cannot_be_written_down_holds_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = AuditFile.open(tmp_path, "manager-a", None, WallClock())

    async def full(_asked: Asked) -> str:
        return "not in the audit file: No space left on device"

    monkeypatch.setattr(audit, "add", full)
    done = send(audit, "kill", "yes")
    assert done.accepted and done.text == "so it is; not in the audit file: No space left on device"

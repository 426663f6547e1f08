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
from common.wire import codec


async def carry_out(_subject: str, data: bytes) -> bytes:
    command = codec.decode_command(data)
    if command.action == "raise":
        raise Unavailable("nobody leads")
    accepted = command.why == "yes"
    return codec.encode_acknowledgement(Acknowledgement(command.command_id, accepted, "so it is"))


def send(audit: AuditFile | None, action: str, why: str, *, keyed: bool = True) -> Acknowledgement:
    data = codec.encode_command(Command("c1", action, "alice", why, '{"scope":"desk:a"}'))
    told = asyncio.run(audited(carry_out, audit, keyed=keyed)("s", data))
    return codec.decode_acknowledgement(told)


def test_each_command_leaves_a_line_with_its_outcome(tmp_path: Path) -> None:
    audit = AuditFile.open(tmp_path, "manager-a", None, WallClock())
    assert send(audit, "pause", "yes").accepted
    assert not send(audit, "pause", "no", keyed=False).accepted
    with pytest.raises(Unavailable):
        send(audit, "raise", "yes")
    lines = audit.path.read_bytes().splitlines(keepends=True)
    assert verify(lines).problems == ()
    said = [json.loads(line) for line in lines]
    assert [(s["action"], s["who"], s["why"], s["outcome"]) for s in said] == [
        ("pause", "alice", "yes", "done: so it is"),
        ("pause", "alice", "no", "refused: so it is"),
        ("raise", "alice", "yes", "refused: nobody leads"),
    ]
    assert [s["proven"] for s in said] == ["role that may publish control", "unproven", "role that may publish control"]
    assert {s["what"] for s in said} == {'{"scope":"desk:a"}'}


def test_what_cannot_be_written_down_holds_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = AuditFile.open(tmp_path, "manager-a", None, WallClock())

    async def full(_asked: Asked) -> str:
        return "not in the audit file: No space left on device"

    monkeypatch.setattr(audit, "add", full)
    done = send(audit, "kill", "yes")
    assert done.accepted and done.text == "so it is; not in the audit file: No space left on device"


def test_without_an_audit_file_the_responder_is_the_same() -> None:
    assert audited(carry_out, None, keyed=False) is carry_out
    assert not isinstance(send(None, "pause", "yes"), Refused)

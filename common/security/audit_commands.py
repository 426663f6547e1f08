"""Commands that come over the bus, with an audit line each: around whoever carries them out (manager, fleet, launcher).

NATS tells a responder nothing of who published, only its server's table does: whoever may publish under
``hedgerow.control`` holds a key of a role that may. So a line says ``proven`` by role alone, and ``who`` as the command
claims it. The line is on the disc before the answer leaves; if it cannot be written the answer says so, and the command
holds all the same.
*Tested by* tests/unit/test_security_audit_commands.py, tests/e2e/test_steering.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from common.control_messages import Command
from common.errors import HedgerowError
from common.ports import Responder
from common.security.audit import UNPROVEN, Asked
from common.security.audit_file import AuditFile
from common.wire import codec

#: What the table of NATS rights proves of a command's sender.
BY_ROLE: Final = "role that may publish control"


def audited(responder: Responder, audit: AuditFile | None, *, keyed: bool) -> Responder:
    """The same responder, which leaves a line for each command; as it was where ``audit`` is None.

    ``keyed``: NATS asks for keys, so at least the role of the sender is proven.
    """
    if audit is None:
        return responder
    proven = BY_ROLE if keyed else UNPROVEN

    async def answer(subject: str, data: bytes) -> bytes:
        try:
            told = await responder(subject, data)
        except HedgerowError as error:
            await audit.add(_asked(codec.decode_command(data), data, proven, f"refused: {error}"))
            raise
        said = codec.decode_acknowledgement(told)
        outcome = f"{'done' if said.accepted else 'refused'}: {said.text}"
        trouble = await audit.add(_asked(codec.decode_command(data), data, proven, outcome))
        return codec.encode_acknowledgement(replace(said, text=f"{said.text}; {trouble}")) if trouble else told

    return answer


def _asked(command: Command, data: bytes, proven: str, outcome: str) -> Asked:
    return Asked(command.action, command.who, proven, command.why, command.arguments_json, data, outcome)

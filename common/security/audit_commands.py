"""Commands that come over the bus: who sent them is checked, and each leaves an audit line.

Around whoever carries commands out (manager, fleet, launcher). A command with a proof (`common.security.proof`) that does not
hold is refused. One without is carried out as far as NATS let it through, and its line says ``proven`` by role alone: whoever
may publish under ``hedgerow.control`` holds a key of a role that may. Changes of limits are the exception: there a second
person may be asked for, and who is only claimed could be both. The line is on the disc before the answer leaves; if it
cannot be written the answer says so, and the command holds all the same.
*Tested by* tests/unit/test_security_audit_commands.py, tests/e2e/test_steering.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from common.control_messages import Command
from common.errors import HedgerowError, Refused
from common.limits_changes import ACTIONS
from common.ports import Clock, Responder
from common.security.audit import UNPROVEN, Asked
from common.security.audit_file import AuditFile
from common.security.keys import Keys
from common.security.proof import prove_command
from common.wire import codec

#: What the table of NATS rights proves of a command's sender.
BY_ROLE: Final = "role that may publish control"


def audited(responder: Responder, audit: AuditFile, keys: Keys | None, clock: Clock) -> Responder:
    """The same responder, which asks for proof and leaves a line for each command.

    ``keys``: those of the process; None where NATS and execution ask for none, and then nothing is proven.
    """
    ca = keys.ca if keys is not None else None

    async def answer(subject: str, data: bytes) -> bytes:
        proven = UNPROVEN if ca is None else BY_ROLE
        try:
            sender = prove_command(data, ca, clock.wall_ns()) if ca is not None else None
            if sender is not None:
                proven = f"{sender.role} {sender.name}"
            elif ca is not None and codec.decode_command(data).action in ACTIONS:
                raise Refused("who changes a limit must be proven: sign with a certificate (HEDGEROW_KEYS)")
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

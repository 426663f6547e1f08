"""The audit line of a control action: who asked (proven, where it can be), what, why, when, and what became of it. Pure.

One JSON object a line, keys sorted. ``previous`` is the SHA-256 of the whole line before (zeros for the first), and the
signature (ed25519, of the line without it) is that of the process that carried the action out. So an edited line breaks its
signature and the next line's ``previous``; a missing or moved line breaks the sequence and the chain. What a chain cannot show
is that lines are missing at its end: for that the head is kept elsewhere as well (each line also goes to the process's log),
and ``verify`` can be told which head to expect.
*Tested by* tests/unit/test_security_audit.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from common.errors import Problem

FIRST: Final = "0" * 64
#: Who asked, where no key proves it: a run without keys, or a command whose sender NATS knows only as a role.
UNPROVEN: Final = "unproven"
_FIELDS: Final = {
    "sequence": int,
    "wall_ns": int,
    "process": str,
    "action": str,
    "who": str,
    "proven": str,
    "why": str,
    "what": str,
    "request_sha256": str,
    "outcome": str,
    "previous": str,
    "key": str,
    "signature": str,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A control action as a process carried it out.

    ``who`` as the request says; ``proven`` what a key proves of it ("manager manager-a"), or ``UNPROVEN``; ``what`` the request
    in words or JSON; ``request`` its bytes, of which the line keeps the SHA-256; ``outcome`` what the asker was told.
    """

    action: str
    who: str
    proven: str
    why: str
    what: str
    request: bytes
    outcome: str


@dataclass(frozen=True, slots=True)
class Head:
    """End of a chain: how many lines there are, and the hash of the last one."""

    sequence: int = 0
    digest: str = FIRST


@dataclass(frozen=True, slots=True)
class Verdict:
    """What ``verify`` found: each problem with its line, the head as far as the file goes, the key of the first line (hex)."""

    problems: tuple[Problem, ...]
    head: Head
    key: str


def sign(asked: Asked, process: str, wall_ns: int, head: Head, key: Ed25519PrivateKey) -> tuple[bytes, Head]:
    """The line (without its newline) that follows ``head``, and the new head."""
    fields: dict[str, Any] = {
        "sequence": head.sequence + 1,
        "wall_ns": wall_ns,
        "process": process,
        "action": asked.action,
        "who": asked.who,
        "proven": asked.proven,
        "why": asked.why,
        "what": asked.what,
        "request_sha256": hashlib.sha256(asked.request).hexdigest(),
        "outcome": asked.outcome,
        "previous": head.digest,
        "key": key_hex(key.public_key()),
    }
    line = _canonical({**fields, "signature": key.sign(_canonical(fields)).hex()})
    return line, Head(head.sequence + 1, digest_of(line))


def verify(lines: Iterable[bytes], key: Ed25519PublicKey | None = None, expected: str = "") -> Verdict:
    """Check a whole file, given as lines with their newlines.

    ``key``: whose signatures to demand; None takes the first line's own, which proves that the file is one piece and not whose.
    ``expected``: hash of the last line that must be there, as kept elsewhere.
    """
    problems: list[Problem] = []
    head, named = Head(), key_hex(key) if key is not None else ""
    seen: set[str] = set()
    for number, whole in enumerate(lines, 1):
        line = whole.removesuffix(b"\n")
        fields = _fields(line)
        if fields is None or whole == line:
            problems.append(Problem(number, "is no whole audit line"))
            continue
        named = named or fields["key"]
        problems += [Problem(number, reason) for reason in _wrong(fields, head, named)]
        head = Head(fields["sequence"], digest_of(line))
        seen.add(head.digest)
    if expected and expected not in seen:
        problems.append(Problem(0, f"the line with hash {expected} is not there: the end was cut off or rewritten"))
    return Verdict(tuple(problems), head, named)


def digest_of(line: bytes) -> str:
    """Hash of a line without its newline, hexadecimal."""
    return hashlib.sha256(line).hexdigest()


def key_hex(key: Ed25519PublicKey) -> str:
    """A public key as lines name it: its 32 bytes, hexadecimal."""
    return key.public_bytes_raw().hex()


def _wrong(fields: dict[str, Any], head: Head, named: str) -> Iterable[str]:
    if fields["key"] != named:
        yield f"is signed by key {fields['key'][:16]}…, not {named[:16]}…"
    elif not _signed(fields):
        yield "was edited: its signature does not fit"
    got, wanted = fields["sequence"], head.sequence + 1
    if got > wanted:
        yield f"has sequence {got}: {got - wanted} before it missing, from {wanted}"
    elif got < wanted:
        yield f"has sequence {got} after {head.sequence}: out of order or repeated"
    elif fields["previous"] != head.digest:
        yield "does not follow the line before it: that line was edited or replaced"


def _signed(fields: dict[str, Any]) -> bool:
    unsigned = {name: value for name, value in fields.items() if name != "signature"}
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(fields["key"]))
        key.verify(bytes.fromhex(fields["signature"]), _canonical(unsigned))
    except (ValueError, InvalidSignature):
        return False
    return True


def _fields(line: bytes) -> dict[str, Any] | None:
    """The fields of a line in exactly the form ``sign`` writes, else None."""
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    if not isinstance(fields, dict) or fields.keys() != _FIELDS.keys():
        return None
    typed = all(type(fields[name]) is kind for name, kind in _FIELDS.items())
    return fields if typed and _canonical(fields) == line else None


def _canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()

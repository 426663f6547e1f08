"""The audit file of one process: one line a control action, on the disc before the asker hears of it.

A file belongs to one process and one key, both in its name. After a crash a line may be unfinished; it was never answered for, so
it is cut off, and a line of its own says so. A line that cannot be written (disk full) must not keep anybody from killing: it is
said in the answer and in the log, where every line goes as well.
*Tested by* tests/unit/test_security_audit.py, tests/integration/test_security_execution.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.errors import InputError
from common.ports import Clock
from common.security.audit import UNPROVEN, Asked, Head, key_hex, sign, verify
from common.security.certificates import load_signer, private_pem
from common.security.keys import AUDIT, Keys

log = logging.getLogger("hedgerow.audit")

#: Where a run folder keeps the audit files of its processes.
FOLDER: Final = "audit"
CUT: Final = "audit.cut"
REMEDY: Final = "`hedgerow audit-log verify FILE` tells what is wrong with it; move it away to begin a new one"


class AuditFile:
    """Append-only and hash-chained; ``add`` returns what has to be told besides the outcome (empty if all is well)."""

    def __init__(self, folder: Path, process: str, key: Ed25519PrivateKey, clock: Clock) -> None:
        self._process, self._key, self._clock = process, key, clock
        self.path = folder / f"{process}-{key_hex(key.public_key())[:8]}.jsonl"
        self._one = asyncio.Lock()
        self._writing: set[asyncio.Future[str]] = set()
        folder.mkdir(parents=True, exist_ok=True)
        self._head = self._open()

    @classmethod
    def open(cls, folder: Path, process: str, keys: Keys | None, clock: Clock) -> AuditFile:
        """The file of a process in ``folder``; without keys of its own the process makes itself one there.

        Raises ``InputError`` if the file holds something that does not verify.
        """
        given = keys.audit if keys is not None else None
        return cls(folder, process, load_signer(given) if given else _own_key(folder, process), clock)

    async def add(self, asked: Asked) -> str:
        """Write one line and wait for the disc.

        A line once begun is finished, also when the asker no longer waits: half of it, or one the head does not know of,
        would break the chain, and the process would not start again.
        """
        writing = asyncio.ensure_future(self._write(asked))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        return await asyncio.shield(writing)

    async def _write(self, asked: Asked) -> str:
        async with self._one:
            line, head = sign(asked, self._process, self._clock.wall_ns(), self._head, self._key)
            log.info("%s", line.decode())
            try:
                await asyncio.to_thread(_append, self.path, line + b"\n")
            except OSError as error:
                log.error("not in the audit file %s: %s", self.path, error.strerror)
                return f"not in the audit file: {error.strerror}"
            self._head = head
            return ""

    def _open(self) -> Head:
        if not self.path.exists():
            return Head()
        data = self.path.read_bytes()
        whole, unfinished = data[: data.rfind(b"\n") + 1], data[data.rfind(b"\n") + 1 :]
        found = verify(whole.splitlines(keepends=True), self._key.public_key())
        if found.problems:
            raise InputError(str(self.path), list(found.problems), REMEDY)
        if unfinished:
            os.truncate(self.path, len(whole))
            text = f"{len(unfinished)} bytes of a line that was being written when the process died"
            asked = Asked(CUT, self._process, UNPROVEN, "restart", text, unfinished, "cut off")
            line, head = sign(asked, self._process, self._clock.wall_ns(), found.head, self._key)
            _append(self.path, line + b"\n")
            return head
        return found.head


def _append(path: Path, data: bytes) -> None:
    """All of it on the disc, or none of it in the file."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        before = os.fstat(file).st_size
        try:
            if os.write(file, data) != len(data):
                raise OSError(28, "No space left on device")
            os.fsync(file)
            if not before:
                _sync_folder(path.parent)
        except OSError:
            os.ftruncate(file, before)
            raise
    finally:
        os.close(file)


def _sync_folder(folder: Path) -> None:
    """A new file's name is on the disc only when its folder is."""
    there = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(there)
    finally:
        os.close(there)


def _own_key(folder: Path, process: str) -> Ed25519PrivateKey:
    path = folder / f"{process}-{AUDIT}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_private(path, private_pem(Ed25519PrivateKey.generate()))
    return load_signer(path)


def write_private(path: Path, data: bytes) -> None:
    """A file that only its owner may read, made so from its first byte; what was there is refused, not written over."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, data)
        os.fsync(file)
    finally:
        os.close(file)

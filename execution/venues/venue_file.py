"""The venue's own file: appended to, fsynced before anything is answered, never changed, read back at the start.

A last line without its newline is what a kill tore off: nobody was told of it, so it is cut away. Damage before that is
refused with its line. Lines that say so stand or fall with the next one: the legs of a combo, and its fills.
*Tested by* tests/unit/test_venue_lasting.py.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from common.errors import Conflict, InputError, Problem, Unavailable
from execution.venues.record import VenueRecord, from_line, to_line

FILE_NAME: Final = "venue.jsonl"
_REMEDY = "restore the file or start a new run in another folder"


class VenueFile:
    """The file in ``folder`` (made if missing), locked while open. ``records``: what earlier processes wrote.

    Raises ``Conflict`` if another process has it, ``InputError`` with the line where it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE_NAME
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise Conflict(f"{self.path}: another venue is using this file; stop it first") from None
        try:
            data = self.path.read_bytes()
            whole = data.rfind(b"\n") + 1
            self.records = read_lines(self.path, data[:whole].decode())
            while self.records and self.records[-1].with_next:
                self.records.pop()
                whole = data.rfind(b"\n", 0, whole - 1) + 1
            os.truncate(self._fd, whole)
        except InputError:
            self.close()
            raise

    def append(self, records: Sequence[VenueRecord]) -> None:
        """Write and fsync. Raises ``Unavailable`` when the disk refuses; the venue must then end."""
        data = "".join(map(to_line, records)).encode()
        try:
            while data:
                data = data[os.write(self._fd, data) :]
            os.fdatasync(self._fd)
        except OSError as error:
            raise Unavailable(f"{self.path}: cannot be written ({error}); free the disk, then restart") from error

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def read_lines(path: Path, text: str) -> list[VenueRecord]:
    """Every record of a file's whole lines. Raises ``InputError`` naming the line that is none or out of sequence."""
    out: list[VenueRecord] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            record = from_line(line)
        except ValueError as error:
            raise InputError(str(path), [Problem(number, str(error))], _REMEDY) from None
        if record.sequence != number:
            raise InputError(str(path), [Problem(number, f"carries sequence {record.sequence}")], _REMEDY)
        out.append(record)
    return out

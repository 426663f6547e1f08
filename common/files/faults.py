"""Collects what is wrong with the rows of a file, and decides in the end: refuse it whole, or set the bad rows aside.

*Tested by* tests/unit/test_files_read.py, tests/unit/test_files_quarantine.py.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError, Problem, UsageError
from common.files.raw import REMEDY, RawFile

Mask = NDArray[np.bool_]
QUARANTINE_HEADER = ("line", "reason", "record")


class _Record(NamedTuple):
    """One fault: of a row, or (row -1) of a record that is none, with its text."""

    member: int
    line: int
    reason: str
    row: int
    text: str


class Faults:
    """Reasons per row of one file; a row may have several."""

    def __init__(self, raw: RawFile) -> None:
        self.raw = raw
        self.reasons: dict[int, list[str]] = {}

    def add(self, rows: Mask | NDArray[np.intp] | Iterable[int], reason: str | Callable[[int], str]) -> None:
        """``reason``, or ``reason(row)``, for each of the rows (indices, or a mask (r,))."""
        at = np.flatnonzero(rows) if isinstance(rows, np.ndarray) and rows.dtype == np.bool_ else rows
        for row in at:
            self.reasons.setdefault(int(row), []).append(reason if isinstance(reason, str) else reason(int(row)))

    @property
    def bad(self) -> Mask:
        """Rows (r,) with at least one fault."""
        out = np.zeros(len(self.raw), np.bool_)
        out[list(self.reasons)] = True
        return out

    def problems(self) -> list[Problem]:
        """Every fault of every record, in file order."""
        return [Problem(record.line, record.reason) for record in self._records()]

    def _records(self) -> list[_Record]:
        raw, found = self.raw, []
        for row, reasons in self.reasons.items():
            member = int(raw.origin[row]) if raw.origins else 0
            where = f"{raw.origins[member]}: " if raw.origins else ""
            found += [_Record(member, int(raw.line[row]), where + reason, row, "") for reason in reasons]
        found += [_Record(0, broken.line, broken.reason, -1, broken.text) for broken in raw.broken]
        return sorted(found, key=lambda record: (record.member, record.line))

    def settle(self, quarantine: str | Path | None) -> tuple[NDArray[np.intp], int]:
        """Rows to keep and how many records were set aside.

        Without ``quarantine`` one fault refuses the file. Raises ``InputError``, also if nothing good is left;
        ``UsageError`` if the quarantine file is something else.
        """
        keep = np.flatnonzero(~self.bad)
        records = self._records()
        if records and (quarantine is None or not len(keep)):
            raise InputError(self.raw.path, self.problems(), REMEDY)
        if not len(keep):
            raise InputError(self.raw.path, [Problem(0, "no rows: a header and nothing below it")], REMEDY)
        if records and quarantine is not None:
            lines = [(r.line, r.reason, r.text if r.row < 0 else self.raw.text_of(r.row)) for r in records]
            write_quarantine(Path(quarantine), Path(self.raw.path), lines)
        return keep, len(self.reasons) + len(self.raw.broken)


def write_quarantine(path: Path, source: Path, records: list[tuple[int, str, str]]) -> None:
    """One line a fault: line, reason, the record as it stands in the file. Replaces only an older quarantine file."""
    if path.exists():
        if path.samefile(source):
            raise UsageError(f"--quarantine {path} is the file that is being read")
        with path.open(encoding="utf-8", errors="replace") as old:
            if old.readline().strip() != ",".join(QUARANTINE_HEADER):
                raise UsageError(f"--quarantine {path} exists and is no quarantine file; name another")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(QUARANTINE_HEADER)
    writer.writerows(records)
    try:
        path.write_text(out.getvalue(), encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"--quarantine {path} cannot be written: {error.strerror}") from error

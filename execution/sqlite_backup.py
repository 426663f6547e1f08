"""A copy of a store while the service writes it, by SQLite's own backup: one moment of it, whole, in one file.

To restore: stop the service, put the file into an empty folder as ``execution.sqlite`` and start on that folder. What the venue
knows and the copy does not is asked about at the start where an order was open in the copy; an order sent after the copy was
made is unknown to it, so the venue's news of it pauses trading. *Tested by* tests/unit/test_execution_verify.py.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from common.errors import InputError, Problem, Unavailable
from execution.sqlite_store import FILE_NAME

#: Pages copied at a time; the service writes in between.
_PAGES = 256


def backup(store: Path, target: Path) -> int:
    """Copy the store of a folder (or its file) into the file ``target``, which must not exist; bytes written.

    Written beside it and renamed when whole and on the disc. Raises ``InputError`` where there is no store or the target exists,
    ``Unavailable`` where the disk refuses.
    """
    path = store / FILE_NAME if store.is_dir() else store
    if not path.is_file():
        raise InputError(str(path), [Problem(0, "there is no store here")], "name a store's folder or its file")
    if target.exists():
        raise InputError(str(target), [Problem(0, "exists already")], "name a new file")
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(partial)) as copy,
        ):
            source.backup(copy, pages=_PAGES)
            copy.execute("PRAGMA journal_mode = DELETE")
        _to_disc(partial)
        partial.rename(target)
        _to_disc(target.parent)
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        raise Unavailable(f"{target}: cannot be written ({error}); free the disk or mend it, then try again") from error
    return target.stat().st_size


def _to_disc(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

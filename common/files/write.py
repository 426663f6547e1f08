"""Books and surfaces to files that the readers take back unchanged: CSV (``.csv``, ``.csv.gz``) or parquet (``.parquet``).

Numbers are written so that they read back to the same bits, times with all nine digits, contracts by their canonical ids.
A file that exists is replaced in one step. *Tested by* tests/properties/test_files_write.py, tests/unit/test_files_write.py.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from common.errors import UsageError
from common.files.tables import NO_TIME, BookTable, SurfaceTable
from common.messages import F64, I64


def write_book(table: BookTable, path: str | Path) -> None:
    """A book in the ``hedgerow`` profile. Raises ``UsageError`` on another suffix or an unwritable path."""
    ids = table.listing.ids
    columns: dict[str, Sequence[object]] = {
        "account": table.account,
        "instrument": [ids[at] for at in table.instrument],
        "quantity": table.quantity_lots.tolist(),
        "average_price": _numbers(table.average_price),
        "as_of": _times(table.as_of_ns),
    }
    _write(columns, Path(path))


def write_surface(table: SurfaceTable, path: str | Path) -> None:
    """A surface in the ``hedgerow`` profile. Raises ``UsageError`` on another suffix or an unwritable path."""
    columns: dict[str, Sequence[object]] = {
        "underlying": [table.underlyings[at] for at in table.underlying],
        "expiry": _times(table.expiry_ns),
        "strike": _numbers(table.strike),
        "vol": _numbers(table.vol),
        "forward": _numbers(table.forward),
        "discount": _numbers(table.discount),
        "as_of": _times(table.as_of_ns),
    }
    _write(columns, Path(path))


def _numbers(values: F64) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


def _times(values: I64) -> list[str | None]:
    known = values != NO_TIME
    stamps = np.datetime_as_string(np.where(known, values, 0).astype("datetime64[ns]"), unit="ns")
    return [f"{stamp}Z" if has else None for stamp, has in zip(stamps.tolist(), known.tolist(), strict=True)]


def _write(columns: dict[str, Sequence[object]], path: Path) -> None:
    if path.name.endswith(".parquet"):
        sink = io.BytesIO()
        pq.write_table(pa.table({name: pa.array(column) for name, column in columns.items()}), sink)
        body = sink.getvalue()
    elif path.name.endswith((".csv", ".csv.gz")):
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(("" if cell is None else cell for cell in row) for row in zip(*columns.values(), strict=True))
        body = out.getvalue().encode()
        if path.name.endswith(".gz"):
            body = gzip.compress(body, mtime=0)
    else:
        raise UsageError(f"{path}: write .csv, .csv.gz or .parquet")
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_bytes(body)
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error

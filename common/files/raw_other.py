"""Records that do not come as CSV: parquet, and the JSON that Deribit's API answers.

Rows are numbered from 1. Parquet keeps the types of its columns (`values` checks them); JSON gives text, ``null`` an
empty cell, so that both are read by the same rules as a CSV.
*Tested by* tests/unit/test_files_raw.py.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from common.files.raw import Broken, RawFile, checked_text, refuse


def parquet_file(path: str, raw: bytes) -> RawFile:
    """A parquet file. Raises ``InputError`` if it is damaged."""
    try:
        file = pq.ParquetFile(io.BytesIO(raw))
        names = tuple(file.schema_arrow.names)
        rows = file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise refuse(path, 0, f"no readable parquet file: {error}", "write the file again") from error

    def load(wanted: Sequence[str]) -> pa.Table:
        try:
            return file.read(columns=list(wanted))
        except (pa.ArrowException, OSError) as error:
            raise refuse(path, 0, f"no readable parquet file: {error}", "write the file again") from error

    def read(wanted: Sequence[str]) -> dict[str, pa.Array]:
        table = load(wanted)
        return {name: _plain(table[name]) for name in wanted}

    whole: list[pa.Table] = []

    def text_of(row: int) -> str:
        if not whole:
            whole.append(load(names))
        return _csv_line(["" if v.as_py() is None else str(v.as_py()) for v in (c[row] for c in whole[0].columns)])

    return RawFile(path, names, np.arange(1, rows + 1), read, text_of)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    return array


def _csv_line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()


def json_file(path: str, raw: bytes) -> RawFile:
    """A list of objects, alone or under ``result``. Raises ``InputError`` on anything else, on NaN and repeated keys."""
    try:
        data = json.loads(checked_text(path, raw), parse_constant=_no_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise refuse(path, error.lineno, f"not JSON: {error.msg}") from error
    except ValueError as error:
        raise refuse(path, 0, f"not JSON that can be loaded: {error}") from error
    entries = data.get("result") if isinstance(data, dict) else data
    if isinstance(entries, dict):
        entries = [entries]
    if not isinstance(entries, list):
        raise refuse(path, 0, "neither a list of objects nor an answer with one under 'result'")
    rows = [(at, entry) for at, entry in enumerate(entries, 1) if isinstance(entry, dict)]
    broken = tuple(
        Broken(at, "not an object", json.dumps(entry))
        for at, entry in enumerate(entries, 1)
        if not isinstance(entry, dict)
    )
    names = tuple(dict.fromkeys(name for _, entry in rows for name in entry))

    def read(wanted: Sequence[str]) -> dict[str, pa.Array]:
        return {name: pa.array([_text(entry.get(name)) for _, entry in rows], pa.string()) for name in wanted}

    return RawFile(
        path, names, np.array([at for at, _ in rows], np.int64), read, lambda row: json.dumps(rows[row][1]), broken
    )


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        twice = next(k for k in out if sum(k == key for key, _ in pairs) > 1)
        raise ValueError(f"key {twice!r} appears twice in one object")
    return out


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)

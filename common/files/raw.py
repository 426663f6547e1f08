"""Bytes to records: what stands in a file, cell by cell, with the line of each record, before anyone asks what it means.

A `RawFile` tells its header first and its columns when it knows which are wanted. Text is UTF-8 (a byte order mark is
no part of the header), lines end with LF, CRLF or CR, cells may be quoted and then hold line breaks. A record with
the wrong number of cells is *broken*: it has a line, a reason and its text, but no row. Everything that leaves no
trustworthy line to point at (not UTF-8, a NUL, an unclosed quote, a damaged gzip stream) refuses the file whole.
*Tested by* tests/unit/test_files_raw.py, tests/properties/test_files_raw.py.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from common.errors import InputError, Problem
from common.messages import I64

REMEDY = "mend these lines and load the file again, or set them aside with --quarantine FILE (formats: docs/FILES.md)"
#: Largest file, uncompressed; what is larger belongs into several.
BYTES_MAX = 2**31
#: Longest line; no record of a market or a book comes near.
LINE_MAX = 2**16
_LF, _CR = 10, 13


@dataclass(frozen=True)
class Broken:
    """A record that is no row: its line, why, and its text."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class RawFile:
    """A file before its meaning: ``header`` as written, rows in file order.

    ``line`` (r,) counts from 1 with the header line (parquet and JSON: rows from 1). ``read`` gives the wanted columns
    as Arrow arrays (r,); ``text_of`` the text of a row as it stands in the file. ``origin`` (r,) and ``origins`` name
    the member of an archive that each row comes from.
    """

    path: str
    header: tuple[str, ...]
    line: I64
    read: Callable[[Sequence[str]], dict[str, pa.Array]]
    text_of: Callable[[int], str]
    broken: tuple[Broken, ...] = ()
    origins: tuple[str, ...] = ()
    origin: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))

    def __len__(self) -> int:
        return len(self.line)


def refuse(path: str, line: int, reason: str, remedy: str = REMEDY) -> InputError:
    """The error of a file with one thing wrong."""
    return InputError(path, [Problem(line, reason)], remedy)


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a file, unpacked if it is gzip. Raises ``InputError`` if it is unreadable, damaged, empty or too large."""
    name = str(path)
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise refuse(name, 0, error.strerror or "unreadable", "give a readable file") from error
    if raw[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(raw)) as stream:
                raw = stream.read(BYTES_MAX + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise refuse(name, 0, f"damaged gzip stream: {error}", "fetch the file again") from error
    if len(raw) > BYTES_MAX:
        raise refuse(name, 0, f"larger than {BYTES_MAX:,} bytes", "split it")
    if not raw.strip():
        raise refuse(name, 0, "the file is empty")
    return raw


def checked_text(path: str, raw: bytes) -> bytes:
    """UTF-8 without its byte order mark. Raises ``InputError`` with the line of a bad byte or a NUL."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise refuse(path, 0, "UTF-16, not UTF-8 text", "save it as UTF-8")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refuse(path, raw.count(b"\n", 0, error.start) + 1, "not UTF-8 text", "save it as UTF-8") from error
    if b"\0" in raw:
        raise refuse(path, raw.count(b"\n", 0, raw.index(b"\0")) + 1, "a NUL byte: not a text file")
    return raw


def csv_file(path: str, raw: bytes, delimiter: str = ",", header: Sequence[str] | None = None) -> RawFile:
    """A CSV file; ``header`` for files that have none. Raises ``InputError`` where nothing can be pointed at."""
    raw = checked_text(path, raw)
    if b'"' in raw or raw.count(b"\r") != raw.count(b"\r\n"):
        return _quoted(path, raw.decode(), delimiter, header)
    return _plain(path, raw, delimiter, header)


def _cells_reason(cells: int, width: int) -> str:
    return f"{cells} cells under {width} columns"


def _plain(path: str, raw: bytes, delimiter: str, header: Sequence[str] | None) -> RawFile:
    """No quotes: lines and cells are counted in the bytes, the values parsed by Arrow."""
    buffer = np.frombuffer(raw, np.uint8)
    breaks = np.flatnonzero(buffer == _LF)
    starts = np.concatenate(([0], breaks + 1))
    ends = np.concatenate((breaks, [len(raw)]))
    has_cr = (ends > starts) & (buffer[np.maximum(ends - 1, 0)] == _CR)
    stops = ends - has_cr
    commas = np.flatnonzero(buffer == ord(delimiter))
    cells = np.searchsorted(commas, stops) - np.searchsorted(commas, starts) + 1
    filled = stops > starts
    first = 0
    if header is None:
        header = raw[: stops[0]].decode().split(delimiter)
        first = 1
    width = len(header)
    body = np.arange(len(starts)) >= first
    long = stops - starts > LINE_MAX
    good = filled & body & (cells == width) & ~long
    at = np.flatnonzero(good)

    def text(line: int) -> str:
        return raw[starts[line] : stops[line]].decode()

    broken = tuple(
        Broken(
            int(line) + 1,
            f"longer than {LINE_MAX:,} bytes" if long[line] else _cells_reason(int(cells[line]), width),
            text(int(line)),
        )
        for line in np.flatnonzero(filled & body & ~good)
    )
    kept = (
        memoryview(raw)[starts[first] if first < len(starts) else len(raw) :]
        if np.array_equal(good, filled & body)
        else buffer[np.repeat(good, np.diff(np.append(starts, len(raw))))]
    )

    def read(wanted: Sequence[str]) -> dict[str, pa.Array]:
        return (
            _arrow(kept, header, wanted, delimiter) if len(at) else {name: pa.array([], pa.string()) for name in wanted}
        )

    return RawFile(path, tuple(header), at + 1, read, lambda row: text(int(at[row])), broken)


def _arrow(
    body: memoryview | NDArray[np.uint8], header: Sequence[str], wanted: Sequence[str], delimiter: str
) -> dict[str, pa.Array]:
    names = [f"c{at}" for at in range(len(header))]
    pick = {name: names[list(header).index(name)] for name in wanted}
    table = pacsv.read_csv(
        pa.BufferReader(pa.py_buffer(body)),
        read_options=pacsv.ReadOptions(column_names=names),
        parse_options=pacsv.ParseOptions(delimiter=delimiter, quote_char=False, ignore_empty_lines=True),
        convert_options=pacsv.ConvertOptions(
            check_utf8=False, column_types=dict.fromkeys(names, pa.string()), include_columns=list(pick.values())
        ),
    )
    return {name: table[column].combine_chunks() for name, column in pick.items()}


def _quoted(path: str, text: str, delimiter: str, header: Sequence[str] | None) -> RawFile:
    """Quoted cells or lone carriage returns: the slow way, record by record."""
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    spans: list[tuple[int, int]] = []
    broken: list[Broken] = []
    done = 0
    try:
        if header is None:
            header = next(reader)
            done = reader.line_num
        for cells in reader:
            span, done = (done, reader.line_num), reader.line_num
            if len(cells) == len(header):
                rows.append(cells)
                spans.append(span)
            elif cells:
                reason = _cells_reason(len(cells), len(header))
                broken.append(Broken(span[0] + 1, reason, "".join(lines[slice(*span)]).rstrip("\r\n")))
    except csv.Error as error:
        raise refuse(path, done + 1, f"not CSV: {error}") from error
    names = tuple(header)

    def read(wanted: Sequence[str]) -> dict[str, pa.Array]:
        return {name: pa.array([row[names.index(name)] for row in rows], pa.string()) for name in wanted}

    return RawFile(
        path,
        names,
        np.array([span[0] + 1 for span in spans], np.int64),
        read,
        lambda row: "".join(lines[slice(*spans[row])]).rstrip("\r\n"),
        tuple(broken),
    )

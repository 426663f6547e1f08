from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.errors import InputError
from common.files.raw import LINE_MAX, RawFile, csv_file, read_bytes
from common.files.raw_other import json_file, parquet_file


def _cells(raw: RawFile) -> list[list[str]]:
    columns = raw.read(list(raw.header))
    return [list(row) for row in zip(*(columns[name].to_pylist() for name in raw.header), strict=True)]


ENDINGS = [b"\n", b"\r\n", b"\r"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(ending: bytes, last: bool) -> None:
    body = ending.join([b"a,b", b"1,2", b"", b"3,4"]) + (ending if last else b"")
    raw = csv_file("f", body)
    assert raw.header == ("a", "b")
    assert _cells(raw) == [["1", "2"], ["3", "4"]]
    assert raw.line.tolist() == [2, 4]
    assert [raw.text_of(row) for row in range(2)] == ["1,2", "3,4"]


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    assert csv_file("f", b"\xef\xbb\xbfa,b\n1,2\n").header == ("a", "b")


def test_quotes_hold_delimiters_and_line_breaks() -> None:
    raw = csv_file("f", b'a,b\n"x, y","two\nlines"\n"say ""hi""",2\n1\n')
    assert _cells(raw) == [["x, y", "two\nlines"], ['say "hi"', "2"]]
    assert raw.line.tolist() == [2, 4]
    assert raw.text_of(0) == '"x, y","two\nlines"'
    assert [(b.line, b.reason, b.text) for b in raw.broken] == [(5, "1 cells under 2 columns", "1")]


def test_wrong_cell_counts_are_broken_records() -> None:
    raw = csv_file("f", b"a,b\n1\n1,2\n1,2,3\n   \n\x1a\n")
    assert _cells(raw) == [["1", "2"]]
    assert [(b.line, b.reason) for b in raw.broken] == [
        (2, "1 cells under 2 columns"),
        (4, "3 cells under 2 columns"),
        (5, "1 cells under 2 columns"),
        (6, "1 cells under 2 columns"),
    ]


def test_a_line_without_end_is_a_broken_record() -> None:
    raw = csv_file("f", b"a,b\n1,2\n3," + b"9" * LINE_MAX + b"\n")
    assert [(b.line, b.reason) for b in raw.broken] == [(3, "longer than 65,536 bytes")]


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        (b"a,b\n1,\xff\n", 2, "not UTF-8"),
        (b"a,b\n1,2\n3,\x004\n", 3, "NUL"),
        ("a,b\n".encode("utf-16"), 0, "UTF-16"),
        (b'a,b\n1,2\n"3,4\n', 3, "not CSV"),
        (b'a,b\n"1"x,2\n', 2, "not CSV"),
    ],
)
def test_what_leaves_no_line_to_trust_refuses_the_file(body: bytes, line: int, words: str) -> None:
    with pytest.raises(InputError, match=words) as refusal:
        csv_file("f", body)
    assert refusal.value.problems[0].line == line


def _gz(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (_gz(b""), "the file is empty"),
        (_gz(b"a,b\n1,2\n" * 99)[:-20], "damaged gzip"),
        (_gz(b"a,b\n")[:-8] + b"\0" * 8, "damaged gzip"),
        (_gz(b"a,b\n1,2\n") + b"garbage", "damaged gzip"),
    ],
)
def test_damaged_files(tmp_path: Path, body: bytes, words: str) -> None:
    path = tmp_path / "f.csv.gz"
    path.write_bytes(body)
    with pytest.raises(InputError, match=words):
        read_bytes(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_bytes(tmp_path / "none")
    with pytest.raises(InputError, match="directory"):
        read_bytes(tmp_path)


def test_gzip_is_told_by_its_bytes_not_its_name(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(_gz(b"a\n1\n"))
    assert read_bytes(path) == b"a\n1\n"


def test_parquet_keeps_its_types_and_counts_rows() -> None:
    sink = io.BytesIO()
    table = pa.table({"a": pa.array(["x", None]).dictionary_encode(), "b": [1.5, None], "c": ["p,q", "r"]})
    pq.write_table(table, sink)
    raw = parquet_file("f", sink.getvalue())
    assert raw.line.tolist() == [1, 2]
    assert raw.read(["a"])["a"].to_pylist() == ["x", None]
    assert raw.read(["b"])["b"].type == pa.float64()
    assert raw.text_of(0) == 'x,1.5,"p,q"'
    for damaged in (sink.getvalue()[:40], b"PAR1" + b"\0" * 50):
        with pytest.raises(InputError, match="no readable parquet"):
            parquet_file("f", damaged)


def test_json_rows_are_text_and_null_is_empty() -> None:
    raw = json_file("f", json.dumps({"result": [{"a": 1.25, "b": None}, 7, {"a": "x", "c": True}]}).encode())
    assert raw.header == ("a", "b", "c")
    assert _cells(raw) == [["1.25", None, None], ["x", None, "true"]]
    assert raw.line.tolist() == [1, 3]
    assert [(b.line, b.reason) for b in raw.broken] == [(2, "not an object")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[1,", "not JSON"),
        (b'[{"a": NaN}]', "NaN is no JSON number"),
        (b'[{"a": 1, "a": 2}]', "key 'a' appears twice"),
        (b'{"error": {"code": 10}}', "neither a list of objects"),
        (b"[] []", "not JSON"),
    ],
)
def test_json_that_is_none(body: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        json_file("f", body)

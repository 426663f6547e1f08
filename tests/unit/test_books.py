from __future__ import annotations

import math
import random
import time
from pathlib import Path

import pytest

from common.books import load_book
from common.errors import InputError
from common.instruments import parse_instrument

GOOD = "account,instrument,quantity,average_price,as_of\n"
LINE = "A1,SPX   180316P02700000,-25,24.5,2018-01-26T16:00:00-05:00\n"


def _file(folder: Path, text: str | bytes) -> Path:
    path = folder / "book.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_desk_file_is_read_as_it_stands(tmp_path: Path) -> None:
    text = GOOD + LINE + "A2,SPX 2018-03-16 F @XCME,7,,\n" + "A2,SPX180316P02700000,+3,,\n\n"
    rows = load_book(_file(tmp_path, text))
    assert rows.book_id == "book"
    assert rows.account == ("A1", "A2", "A2")
    assert [i.id for i in rows.instruments] == ["SPX 2018-03-16 2700 P @XCBO", "SPX 2018-03-16 F @XCME"]
    assert rows.instrument.tolist() == [0, 1, 0]
    assert rows.quantity_lots.tolist() == [-25, 7, 3]
    assert rows.average_price[0] == 24.5
    assert math.isnan(rows.average_price[1])
    assert rows.as_of == ("2018-01-26T16:00:00-05:00", "", "")


def test_explicit_columns_give_the_same_contracts(tmp_path: Path) -> None:
    text = (
        "Underlying,Expiry,Strike,Right,Quantity,Account\n"
        "SPX,2018-03-16,2700,P,-25,A1\nSPX,2018-03-16,,F,7,A2\nSPXW,2018-03-14,2702.5,C,1,A2\n"
    )
    rows = load_book(_file(tmp_path, text))
    wanted = ["SPX   180316P02700000", "SPX 2018-03-16 F @XCME", "SPXW  180314C02702500"]
    assert list(rows.instruments) == [parse_instrument(w) for w in wanted]


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    assert len(load_book(_file(tmp_path, b"\xef\xbb\xbf" + (GOOD + LINE).encode()))) == 1


BAD_LINES = [
    ("A1,SPX   180316P02700000,2.5,,", "quantity '2.5' is not a whole number"),
    ("A1,SPX   180316P02700000,1e3,,", "quantity '1e3'"),
    ("A1,SPX   180316P02700000,,,", "quantity ''"),
    ("A1,SPX   180316P02700000,9999999999,,", "beyond 1,000,000,000"),
    ("A1,SPX   180316P02700000,1,-3,", "average_price -3 is negative"),
    ("A1,SPX   180316P02700000,1,NaN,", "average_price 'NaN' is not a number"),
    ("A1,SPX   180316P02700000,1,inf,", "average_price 'inf' is not a number"),
    ("A1,SPX   180316P02700000,1,1" + "0" * 400 + ",", "is not finite"),
    ('A1,SPX   180316P02700000,1,"1,5",', "average_price '1,5' is not a number"),
    ("A1,SPX   180316P02700000,1,3,2018-01-26T16:00:00", "has no time zone"),
    ("A1,SPX   180316P02700000,1,3,26.1.2018", "is not an ISO time"),
    ("A1,XYZ   180316P02700000,1,,", "unknown root 'XYZ'"),
    ("A1,ESH0  200320P03200000,1,,", "unknown underlying 'ESH0'; this market has SPX, IXIC"),
    ("A1,SPX   170317P02700000,1,,", "has expired when the market opens"),
    ("A1,garbage,1,,", "neither an OSI symbol"),
    (",SPX   180316P02700000,1,,", "account is empty"),
    ("A1,SPX   180316P02700000,1", "3 cells under 5 columns"),
    ("A1,SPX   180316P02700000,1,,,,", "7 cells under 5 columns"),
]


@pytest.mark.parametrize(("bad", "words"), BAD_LINES)
def test_one_bad_line_refuses_the_file_with_its_number(tmp_path: Path, bad: str, words: str) -> None:
    path = _file(tmp_path, GOOD + LINE + bad + "\n" + LINE)
    with pytest.raises(InputError) as refusal:
        load_book(path, underlyings=("SPX", "IXIC"), open_ns=1_517_236_200_000_000_000)
    assert [p.line for p in refusal.value.problems] == [3]
    assert words in str(refusal.value)
    assert f"{path}:3: " in str(refusal.value)
    assert "nothing was loaded" in str(refusal.value)
    assert refusal.value.exit_code == 4


def test_every_fault_of_every_line_is_told(tmp_path: Path) -> None:
    text = GOOD + LINE + "A1,XYZ   180316P02700000,1.5,-3,\n" + LINE + "A1,SPX   180316P02700000,x,,\n"
    with pytest.raises(InputError) as refusal:
        load_book(_file(tmp_path, text))
    assert [p.line for p in refusal.value.problems] == [3, 3, 3, 5]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (b"", 0, "the file is empty"),
        (b" \n\n", 0, "the file is empty"),
        (GOOD.encode(), 0, "no positions"),
        (b"account,instrument,quantity,quantity\nA,B,1,1\n", 1, "column 'quantity' appears 2 times"),
        (b"account,instrument,quantity,strikes\n", 1, "unknown column 'strikes'"),
        (b"account,instrument\nA,B\n", 1, "missing column 'quantity'"),
        (b"account,underlying,expiry,right,quantity\n", 1, "missing column 'strike'"),
        (b"account,quantity\nA,1\n", 1, "missing column 'instrument'"),
        (b"account,instrument,strike,quantity\n", 1, "both name the contract"),
        (GOOD.encode() + LINE.encode() + b"A1,SPX\xff,1,,\n", 3, "not UTF-8"),
        (GOOD.encode() + b"A1,SPX\x00,1,,\n", 2, "NUL"),
        (GOOD.encode() + b'A1,"SPX,1,,\n', 2, "not CSV"),
    ],
)
def test_files_that_are_no_book(tmp_path: Path, text: bytes, line: int, words: str) -> None:
    with pytest.raises(InputError, match=words) as refusal:
        load_book(_file(tmp_path, text))
    assert refusal.value.problems[0].line == line


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("SPX,16.03.2018,2700,P", "expiry '16.03.2018' is not an ISO date"),
        ("SPX,2018-03-16,2700,X", "right 'X'"),
        ("SPX,2018-03-16,2700,F", "a future has no strike"),
        ("SPX,2018-03-16,nan,P", "strike 'nan' is not a number"),
        ("SPX,2018-03-16,-2700,P", "strike -2700 is negative"),
        ("SPX,2018-03-16,0,P", "strike 0 is not between"),
    ],
)
def test_explicit_columns_are_checked_too(tmp_path: Path, cells: str, words: str) -> None:
    path = _file(tmp_path, f"account,underlying,expiry,strike,right,quantity\nA,{cells},1\n")
    with pytest.raises(InputError, match=words):
        load_book(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_book(tmp_path / "none.csv")
    with pytest.raises(InputError, match="directory"):
        load_book(tmp_path)


def test_twenty_thousand_positions_load_in_about_a_second(tmp_path: Path) -> None:
    draw = random.Random(3)
    lines = [
        f"A{i % 9},SPXW  1804{i % 28 + 1:02d}{draw.choice('CP')}{draw.randrange(2000, 3200) * 1000:08d},{i % 99 - 49},1.5,"
        for i in range(20_000)
    ]
    path = _file(tmp_path, GOOD + "\n".join(lines) + "\n")
    started = time.perf_counter()
    rows = load_book(path, underlyings=("SPX",), open_ns=0)
    assert time.perf_counter() - started < 3.0  # 0.2 s alone; the machine is shared
    assert len(rows) == 20_000
    assert rows.quantity_lots.sum() == sum(i % 99 - 49 for i in range(20_000))

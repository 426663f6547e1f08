"""``hedgerow book``: trades travel as their file states them, and a diff is counted by hand."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_group

from common.errors import InputError
from common.universe import Book
from deploy.book import as_json, differences, import_arguments, table
from deploy.steering_cli import book_app
from tests.manager_world import universe as tiny_universe

UNIVERSE = tiny_universe()

HEADER = "trade_id,ts,account,instrument,side,quantity,price,corrects,cancels\n"
STATUS = {"imports": {"net": []}, "positions": {"traded": {}}}
PUT, FUTURE = "SPX   180316P02700000", "SPX 2018-03-16 F @XCME"


def trades(folder: Path, *lines: str) -> Path:
    file = folder / "trades.csv"
    file.write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return file


def test_every_column_arrives_with_its_sign_its_line_and_its_moment(tmp_path: Path) -> None:
    file = trades(
        tmp_path,
        f"T1,2018-01-29T10:00:00-05:00,DESK-A,{PUT},buy,10,24.6,,",
        f"T2,2018-01-29T10:00:01-05:00,DESK-B,{FUTURE},sell,3,2863.25,T1,",
        f"T3,2018-01-29T10:00:02-05:00,DESK-B,{FUTURE},sell,3,2863.25,,T2",
    )
    told = import_arguments(file, dry_run=True)
    assert told["file"] == "trades.csv" and told["dry_run"] is True
    ten_in_new_york_ns = 1_517_238_000 * 10**9
    first, second, third = told["trades"]
    assert first[0:3] == [2, "T1", "DESK-A"] and first[4:] == [10, 24.6, ten_in_new_york_ns, "", ""]
    assert second[4:] == [-3, 2863.25, ten_in_new_york_ns + 10**9, "T1", ""]
    assert third[7:] == ["", "T2"] and second[3] == third[3] != first[3]


def test_one_bad_line_refuses_the_whole_file_by_its_number(tmp_path: Path) -> None:
    good = f"T1,2018-01-29T10:00:00-05:00,DESK-A,{PUT},buy,10,24.6,,"
    with pytest.raises(InputError, match="csv:3: quantity"):
        import_arguments(trades(tmp_path, good, good.replace("T1", "T2").replace(",10,", ",half,")), dry_run=False)


def test_a_refusal_advises_nothing_that_these_commands_do_not_know(tmp_path: Path, opening: Book) -> None:
    options = {o for command in get_group(book_app).commands.values() for p in command.params for o in p.opts}
    stranger, adjusted = "XYZ   180316P02700000", "SPX1  180316P02700000"
    texts = []
    for cells in (f"{PUT},buy,half", f"{stranger},buy,1", f"{adjusted},buy,1"):
        with pytest.raises(InputError) as failed:
            import_arguments(trades(tmp_path, f"T1,2018-01-29T10:00:00Z,A,{cells},1,,"), dry_run=False)
        texts.append(str(failed.value))
    for cells in (f"{PUT},half", f"{stranger},1", f"{adjusted},1"):
        with pytest.raises(InputError) as failed:
            differences(held(tmp_path, f"A,{cells}"), UNIVERSE, opening, STATUS)
        texts.append(str(failed.value))
    for text in texts:
        assert "csv:2: " in text and "docs/FILES.md" in text
        assert set(re.findall(r"--[a-z]+", text)) <= options, text


@pytest.fixture
def opening() -> Book:
    return Book("b", ("A", "A", "B"), np.array([5, 5, 6], np.uint32), np.array([10, -4, 7]))


def held(folder: Path, *lines: str) -> Path:
    file = folder / "book.csv"
    file.write_text("account,instrument,quantity\n" + "".join(f"{line}\n" for line in lines))
    return file


def test_a_diff_is_the_file_less_what_clients_hold_now(tmp_path: Path, opening: Book) -> None:
    """By hand: A holds 10 - 4 of the put and has bought 2 since; B's 7 futures are not in the file; a stranger is."""
    one = trades(tmp_path, f"T,2018-01-29T10:00:00Z,A,{PUT},buy,1,1,,")
    ((_, _, _, put, *_),) = import_arguments(one, dry_run=True)["trades"]
    ids = UNIVERSE.instrument_id
    universe = dataclasses.replace(UNIVERSE, instrument_id=(*ids[:5], put, *ids[6:]))
    status = {
        "imports": {"net": [{"account": "A", "instrument": put, "lots": 2}]},
        "positions": {"traded": {put: -3}},
    }
    file = held(tmp_path, f"A,{PUT},9", f"C,{FUTURE},1")
    lines = differences(file, universe, opening, status)
    assert [(d.account, d.file_lots, d.client_lots, d.change, d.known) for d in lines] == [
        ("A", 9, 8, 1, True),
        ("B", 0, 7, -7, True),
        ("C", 1, 0, 1, False),
    ]
    assert [row["hedged_lots"] for row in as_json(lines, status)] == [-3, 0, 0]
    assert "not in this run's universe" in table(lines, status)


def test_equal_books_say_so(tmp_path: Path) -> None:
    nothing = Book("b", (), np.empty(0, np.uint32), np.empty(0, np.int64))
    assert table(differences(held(tmp_path, f"A,{PUT},0"), UNIVERSE, nothing, STATUS), STATUS).startswith(
        "no difference"
    )

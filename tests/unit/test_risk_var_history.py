from datetime import date

import numpy as np
import pytest

from common.errors import InputError, Unavailable, UsageError
from common.market.history import load_history

BEFORE = date(2024, 1, 1)


def write(tmp_path, rows, header="date,ABC,XYZ,vol:ABC"):
    path = tmp_path / "history.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def days(n):
    start = np.datetime64("2023-01-01")
    return [str(start + i) for i in range(n)]


def test_returns_run_from_one_date_to_the_next(tmp_path):
    rows = [f"{d},{100 + i},{200 - 0.5 * i},{20 + 0.1 * i:.1f}" for i, d in enumerate(days(150))]
    found = load_history(write(tmp_path, rows), ("ABC", "XYZ"), tmp_path, BEFORE, 120)
    assert len(found) == 120 and found.ends[-1] == days(150)[-1]
    assert found.spot[-1] == pytest.approx([249 / 248 - 1, 125.5 / 126.0 - 1])
    assert found.vol[-1] == pytest.approx([34.9 / 34.8 - 1, 0.0])
    assert "XYZ are not moved" in " ".join(found.statements)


def test_nothing_is_seen_on_or_after_the_day(tmp_path):
    rows = [f"{d},{100 + i},{200 + i},20" for i, d in enumerate(days(150))]
    found = load_history(write(tmp_path, rows), ("ABC",), tmp_path, date.fromisoformat(days(150)[140]), 1000)
    assert found.ends[-1] == days(150)[139] and len(found) == 139


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2023-05-01,1,2", "3 cells under 4 columns"),
        ("2023-13-01,1,2,3", "not an ISO date"),
        ("2022-01-01,1,2,3", "does not come after"),
        ("2024-05-01,0,2,3", "ABC 0 is not positive"),
        ("2024-05-01,1,x,3", "XYZ 'x' is not a number"),
        ("2024-05-01,1,2,-3", "vol:ABC -3 is negative"),
    ],
)
def test_a_bad_line_refuses_the_file(tmp_path, row, said):
    rows = [f"{d},{100 + i},{200 + i},20" for i, d in enumerate(days(150))]
    with pytest.raises(InputError, match=said) as error:
        load_history(write(tmp_path, [*rows, row]), ("ABC", "XYZ"), tmp_path, BEFORE, 120)
    assert error.value.problems[0].line == 152


def test_missing_columns_and_files_are_named(tmp_path):
    with pytest.raises(InputError, match="missing column 'XYZ'"):
        load_history(write(tmp_path, [], "date,ABC"), ("ABC", "XYZ"), tmp_path, BEFORE, 100)
    with pytest.raises(InputError, match="No such file"):
        load_history(str(tmp_path / "absent.csv"), ("ABC",), tmp_path, BEFORE, 100)
    with pytest.raises(InputError, match="missing column 'date'"):
        load_history(write(tmp_path, [], "day,ABC"), ("ABC",), tmp_path, BEFORE, 100)


def test_too_short_a_past_is_refused(tmp_path):
    rows = [f"{d},100,200,20" for d in days(50)]
    with pytest.raises(UsageError, match="at least 100 are needed"):
        load_history(write(tmp_path, rows), ("ABC",), tmp_path, BEFORE, 1000)


def test_an_underlying_without_a_series_says_what_to_give(tmp_path):
    with pytest.raises(UsageError, match="no history of AAPL at hand: give --history FILE"):
        load_history("daily", ("AAPL",), tmp_path, BEFORE, 100)
    with pytest.raises(UsageError, match="does not stand for IXIC"):
        load_history("hourly", ("SPX", "IXIC"), tmp_path, BEFORE, 100)
    with pytest.raises(Unavailable, match="no such file"):
        load_history("hourly", ("SPX",), tmp_path, BEFORE, 100)

import struct

import pytest

from lab.risk_pictures import grid_picture, ladder_picture, short, var_picture
from tests.risk_report import report


def size(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def test_pictures_are_drawn():
    data = report()
    width, height = size(ladder_picture(data))
    assert width > 1000 and height > 700
    assert min(size(grid_picture(data["grid"], "title"))) > 200
    assert size(var_picture(data["var"], "title"))[0] > 1000


def test_a_ladder_without_orders_has_one_bar_a_bucket():
    data = report()
    data["orders"] = []
    assert ladder_picture(data) != ladder_picture(report())


def test_a_grid_of_nothing_is_drawn():
    grid = report()["grid"]
    grid["pnl_usd"] = [[0.0, 0.0]] * 3
    assert size(grid_picture(grid, "nothing"))


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (-999.0, "-999"), (1234.0, "1.23k"), (-5.5e6, "-5.5M"), (2e9, "2B")]
)
def test_amounts_are_short(value, text):
    assert short(value) == text

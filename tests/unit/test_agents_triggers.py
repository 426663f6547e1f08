"""Each trigger alone, at its edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agents.config import TriggerConfig
from agents.decision import Decision
from agents.triggers import LastProposal, cheap_trigger, standing, threshold_trigger
from common.units import NS_PER_S

CONFIG = TriggerConfig(threshold_fraction_of_half_width=0.5, price_move_bp=10, time_s=60)
LAST = LastProposal(
    now_ns=1000 * NS_PER_S,
    position_version=7,
    factor=("delta:SPX",),
    exposure=np.array([10.0]),
    half_width=np.array([100.0]),
    base_price=np.array([2000.0, 50.0]),
    underlyings=(0, 1),
    width_gamma={"delta:SPX": 5e6},
    width_price=np.array([1999.0, 50.0]),
)


def cheap(now_s=1000, version=7, base=(2000.0, 50.0), last=LAST):
    return cheap_trigger(last, CONFIG, now_s * NS_PER_S, version, np.array(base))


def said(name, exposure, width):
    return Decision((name,), np.array([exposure]), np.array([width]), np.empty((1, 0)), np.empty(0))


def test_first_decision():
    assert cheap(last=None) == "start"


def test_nothing_happened():
    assert cheap() == ""


def test_new_positions():
    assert cheap(version=8) == "positions"
    assert cheap(version=8, base=(2002.1, 50.0)) == "price move", "the market's doing, also just after a fill"


@pytest.mark.parametrize(
    ("base", "name"), [((2001.9, 50.0), ""), ((2002.1, 50.0), "price move"), ((2000.0, 49.94), "price move")]
)
def test_price_move_of_any_own_underlying(base, name):
    assert cheap(base=base) == name


@pytest.mark.parametrize(("now_s", "name"), [(1059, ""), (1060, "time")])
def test_time(now_s, name):
    assert cheap(now_s=now_s) == name


@pytest.mark.parametrize(
    ("exposure", "width", "name"),
    [
        (59.9, 100.0, ""),
        (60.0, 100.0, "threshold"),
        (-40.0, 100.0, "threshold"),
        (10.0, 9.0, "threshold"),  # the interval shrank over it: an edge was crossed
        (12.0, 11.0, "threshold"),
        (12.0, 50.0, ""),
        (10.0, 0.0, "threshold"),
    ],
)
def test_threshold(exposure, width, name):
    assert threshold_trigger(LAST, CONFIG, said("delta:SPX", exposure, width)) == name


def test_no_width_and_no_move_is_silence():
    still = replace(LAST, factor=("x",), exposure=np.array([0.0]), half_width=np.array([0.0]))
    assert threshold_trigger(still, CONFIG, said("x", 0.0, 0.0)) == ""


def test_other_factors_than_it_spoke_for():
    assert threshold_trigger(LAST, CONFIG, said("delta:NDX", 10.0, 100.0)) == "start"


@pytest.mark.parametrize("trigger", ["", "positions", "time"])
def test_widths_stand_while_prices_do(trigger):
    stood = {"delta:SPX": 5e6}
    assert standing(LAST, CONFIG, trigger, np.array([2000.0, 50.0])) == stood
    assert standing(LAST, CONFIG, trigger, np.array([2000.9, 50.0])) == stood
    moved = "counted from where they were last free, not from the last word"
    assert standing(LAST, CONFIG, trigger, np.array([2001.1, 50.0])) == {}, moved
    assert standing(LAST, CONFIG, trigger, np.array([2000.0, 50.06])) == {}, "any own underlying"


@pytest.mark.parametrize("trigger", ["start", "price move", "parameters", "roll"])
def test_widths_are_free_where_something_else_than_a_position_has_changed(trigger):
    assert standing(LAST, CONFIG, trigger, np.array([2000.0, 50.0])) == {}
    assert standing(None, CONFIG, trigger, np.array([2000.0, 50.0])) == {}

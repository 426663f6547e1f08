"""Desks on the screen and in a story: shown where there are several, nowhere else."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from common import factors
from console.projections import view_of
from console.story import story
from console.view import render
from manager.status import status
from tests.desks_world import Desks, two
from tests.manager_world import FORWARD, FUTURE_MULTIPLIER, delta_desk

LOT = FORWARD[0] * FUTURE_MULTIPLIER[0]
DELTA = factors.delta("SPX")


def crossed() -> Desks:
    desks = two()
    desks.says("a", {DELTA: 30 * LOT}, 0.25 * LOT)
    desks.says("b", {DELTA: -10 * LOT}, 0.25 * LOT)
    desks.decide()
    desks.settle()
    return desks


def drawn(shown: dict[str, object], width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, record=True, force_terminal=True)
    console.print(render(view_of(shown), width, height))
    return console.export_text().rstrip("\n").split("\n")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (132, 40)])
def test_the_screen_has_a_line_for_the_desks(width: int, height: int) -> None:
    lines = drawn(json.loads(json.dumps(status(crossed().state, 0))), width, height)
    assert len(lines) <= height and max(map(len, lines)) <= width
    (line,) = [x for x in lines if x.startswith("desks")]
    assert "a cost " in line and "b cost 0, crossed 10" in line
    assert any("delta:SPX@a" in x for x in lines)


def test_one_desk_has_no_such_line() -> None:
    shown = status(delta_desk().state, 0)
    assert shown["desks"] == [] and shown["crossings"]["count"] == 0
    assert not [x for x in drawn(shown, 100, 30) if x.startswith("desks")]


def test_factors_are_shown_desk_by_desk() -> None:
    rows = [{"factor": name} for name in ("delta:SPX@b", "vega:SPX/8-30d@a", "vega:SPX/0-7d@a", "delta:SPX@a")]
    names = [row.name for row in view_of({"factors": rows}).factors]
    assert names == ["delta:SPX@a", "vega:SPX/0-7d@a", "vega:SPX/8-30d@a", "delta:SPX@b"]


def test_the_story_tells_what_was_crossed_and_for_whom() -> None:
    desks = crossed()
    told = story("last", desks.journal, desks.world, book=desks.book)
    text = told.text()
    name = desks.world.instrument_id[0]
    assert f"10 lots of {name} crossed at the mid" in text
    assert "desk a sold (10 for gamma-0@a), desk b bought (10 for gamma-1@b)" in text
    assert "Allocation: -20 for gamma-0@a." in text
    (decision,) = [c for c in told.chapters if c.title.startswith("3.")]
    (crossing,) = decision.facts["crossings"]
    assert (crossing["seller"], crossing["buyer"], crossing["lots"]) == ("a", "b", 10)

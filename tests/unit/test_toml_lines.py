"""The line of a key: checked against text whose lines are counted by hand."""

from __future__ import annotations

import tomllib

import pytest

from common.toml_lines import line_of, line_of_error, lines_of

TEXT = """# a comment
version = 1

[factor."delta:*"]   # quoted, with a colon
soft_usd = 1.0
[live]
speed = 2
a.b = 3
"""


def test_keys_and_tables_are_found_and_the_rest_goes_to_the_nearest_table() -> None:
    lines = lines_of(TEXT)
    assert line_of(lines, ("version",)) == 2
    assert line_of(lines, ("factor", "delta:*")) == 4
    assert line_of(lines, ("factor", "delta:*", "soft_usd")) == 5
    assert line_of(lines, ("factor", "delta:*", "hard_usd")) == 4
    assert line_of(lines, ("live", "speed")) == 7
    assert line_of(lines, ("live", "a", "b")) == 8
    assert line_of(lines, ("nothing",)) == 0


def test_the_parsers_own_line() -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads("a = 1\nb =\n")
    assert line_of_error(caught.value) == 2
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads("a = ")
    assert line_of_error(caught.value) in (0, 1)

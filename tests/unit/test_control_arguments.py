"""Arguments of commands: JSON that makes sense is read, and nothing else stops its reader."""

from __future__ import annotations

import pytest

from common.control_arguments import LENGTH_MAX, read_arguments
from common.control_messages import Command
from common.errors import Refused


def read(text: str) -> object:
    return read_arguments(Command("1", "limits.set", "risk", "why", text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"path": "a.b", "value": 1.5}', {"path": "a.b", "value": 1.5}),
        ('{"value": -123456789012345678}', {"value": -123456789012345678}),
        ('{"ts": 1517240880000000000}', {"ts": 1517240880000000000}),
        (str(-(2**63)), -(2**63)),
        ('["\\u00e9", "\\ud83d\\ude00"]', ["é", "\U0001f600"]),
        ("null", None),
    ],
)
def test_what_json_says_is_read(text: str, found: object) -> None:
    assert read(text) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "too deep"),
        ('{"a":' * 50_000, "too deep"),
        ('"\\ud800"', "half a character"),
        ('{"\\udfff": 1}', "half a character"),
        ("1e999", "no number that can be held"),
        ("NaN", "no number"),
        ("-Infinity", "no number"),
        (str(2**63), "64 bits"),
        ("9" * 20, "20 digits"),
        ("9" * 5000, "digits"),
        ("{", "not JSON"),
        ("", "not JSON"),
        (" " * (LENGTH_MAX + 1), "characters"),
    ],
)
def test_what_would_stop_its_reader_is_refused(text: str, why: str) -> None:
    with pytest.raises(Refused, match=rf"limits\.set: .*{why}"):
        read(text)


def test_pairs_are_handed_over_as_they_stand() -> None:
    def pairs(found: list[tuple[str, object]]) -> object:
        return found

    assert read_arguments(Command("1", "assign", "f", "w", '{"a": 1, "a": 2}'), pairs) == [("a", 1), ("a", 2)]

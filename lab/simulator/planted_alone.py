"""Planted mistakes about orders that nobody leads. *Tested by* tests/simulation/test_simulator_mistakes.py."""

from __future__ import annotations

from typing import Any
from unittest import mock

from execution import core
from execution.alone import Alone


def goes_on() -> list[Any]:
    """What works is left working."""
    return [mock.patch.object(core, "_left_alone", lambda *_: [])]


def counts_never() -> list[Any]:
    """Nobody counts."""
    return [mock.patch.object(Alone, "look", lambda *_: False)]

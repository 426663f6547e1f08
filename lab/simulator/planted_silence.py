"""Planted mistakes about a feed that hangs. *Tested by* tests/simulation/test_simulator_mistakes.py."""

from __future__ import annotations

from typing import Any
from unittest import mock

from manager import manual, step
from manager.feed_watch import Silence


def unnoticed() -> list[Any]:
    """Nobody counts."""
    return [mock.patch.object(Silence, "look", lambda *_, **__: None)]


def _heard(of: Any, name: str) -> Any:
    """A function of a manager's state as if the feed were heard."""
    real = getattr(of, name)

    def call(state: Any, *rest: Any) -> Any:
        silent_s, state.fold.feed_silent_s = state.fold.feed_silent_s, 0.0
        try:
            return real(state, *rest)
        finally:
            state.fold.feed_silent_s = silent_s

    return mock.patch.object(of, name, call)


def traded() -> list[Any]:
    """It stands in the record, and decisions go on."""
    return [_heard(step, "may_trade")]


def hedged() -> list[Any]:
    """It holds for the agents only."""
    return [_heard(manual, "_trading")]


def for_ever() -> list[Any]:
    """Quotes that come again are not noted."""
    real = Silence.look

    def look(self: Any, *seconds: float, **said: Any) -> float | None:
        noted = real(self, *seconds, **said)
        return noted or None

    return [mock.patch.object(Silence, "look", look)]

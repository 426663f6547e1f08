"""Mistakes planted into agents; see `lab.simulator.mistakes`.

*Tested by* tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

from agents import step
from agents.decision import Terms


def prices_forgotten() -> list[Any]:
    """A price that has moved sets no width free to narrow."""
    return [mock.patch.object(step, "standing", lambda last, *_: {} if last is None else last.width_gamma)]


def widths_stand_for_ever() -> list[Any]:
    """What an agent's widths went by they go by for good, whatever gamma is left and wherever prices are."""

    def width_gamma(self: Terms, factor: str, dollar_gamma_usd: float) -> float:
        return max(abs(dollar_gamma_usd), self.standing.get(factor, 0.0))

    stood = mock.patch.object(step, "standing", lambda last, *_: {} if last is None else last.width_gamma)
    return [stood, mock.patch.object(Terms, "width_gamma", width_gamma)]

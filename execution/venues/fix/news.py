"""What an engine tells of its session, in its order.

*Tested by* tests/unit/test_fix_venue.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from execution.venues.fix.message import FixMessage


class Said(Enum):
    """What the engine tells of."""

    LOGGED_ON = "logged on"
    LOGGED_OUT = "logged out"
    #: One side has missed messages and asks for them; the venue is not sent ours again.
    GAP = "gap"
    HEARD = "heard"
    #: A message of ours has got its sequence number.
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class News:
    """One thing the engine tells; ``message`` with HEARD and SENT."""

    said: Said
    message: FixMessage | None = None


Tell = Callable[[News], None]

"""How long one manager has heard nothing of the feed. State of its own, no clock: it counts its own looks.

A manager that was frozen, or had no processor, had no time to hear either; counted by looks, that is no silence of the feed.
Silent after ``limit_s`` of looks without a heartbeat or quotes; over with the next *quotes*, for a feed that was started again
beats before it knows what stands. What follows from it is the core's (``manager/step.py``).
*Tested by* tests/unit/test_manager_feed_silence.py.
"""

from __future__ import annotations

from typing import Final

#: Wall time between two looks.
LOOK_S: Final = 0.25


class FeedWatch:
    """What was heard of the feed since the last look. ``silent_s``: looks without a word, in wall seconds."""

    def __init__(self) -> None:
        self.silent_s = 0.0
        self._known = self._quoted = self._beat = False

    def quotes(self) -> None:
        """Quotes came."""
        self.silent_s, self._known, self._quoted = 0.0, True, True

    def beat(self) -> None:
        """It lives."""
        self.silent_s, self._known, self._beat = 0.0, True, True

    def beats(self) -> bool:
        """Whether it beat since this was last asked."""
        beat, self._beat = self._beat, False
        return beat

    def look(self, *, silent: bool, begun: bool, limit_s: float) -> float | None:
        """What is to be noted, if anything: for how long it is silent, or 0.0 where its quotes are heard again.

        ``silent``: what the record says of it. ``begun``: this run's market has; a feed that nobody ever heard is not silent.
        """
        quoted, self._quoted = self._quoted, False
        if quoted:
            return 0.0 if silent else None
        if not (self._known or begun):
            return None
        self.silent_s += LOOK_S
        return self.silent_s if not silent and self.silent_s >= limit_s else None

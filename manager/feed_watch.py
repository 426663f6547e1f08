"""For how long one manager has heard nothing of the feed. Shell: it looks four times a second; what follows is the core's.

Silent after ``feed_silent_s`` without a beat or quotes; over once *every* source whose quotes stand has sent quotes since. A feed
that is heard again is asked for them: one that was started anew beats before it knows what stands, and one source says nothing of
another.
A look counts for a second at most: a manager that was frozen itself had no time to hear, and that is no silence of the feed.
*Tested by* tests/unit/test_manager_feed_silence.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from manager.healing import Healing
from manager.state import ManagerState

#: Wall time between two looks, and what one counts for at most.
LOOK_S: Final = 0.25
LOOK_MAX_S: Final = 1.0


class Silence:
    """What was heard since the last look. ``length_s``: for how long nothing was, in wall seconds."""

    def __init__(self) -> None:
        self.length_s = 0.0
        self._word = False
        self._quoted: set[str] = set()

    @property
    def heard(self) -> bool:
        """Whether anything was since the last look."""
        return self._word

    def beat(self) -> None:
        """The feed lives."""
        self._word = True

    def quotes(self, source: str) -> None:
        """Quotes of a source came."""
        self._word = True
        self._quoted.add(source)

    def look(self, passed_s: float, limit_s: float, *, noted: bool, standing: Collection[str]) -> float | None:
        """What is to be noted: for how long it is silent, 0.0 where it is heard again, None where nothing is.

        ``noted``: the record says that it is silent. ``standing``: sources whose quotes stand.
        """
        self.length_s = 0.0 if self._word else self.length_s + min(passed_s, LOOK_MAX_S)
        self._word = False
        silent, back = self.length_s >= limit_s, bool(standing) and not self.missing(standing)
        if silent or not noted:
            self._quoted.clear()  # what was said before it fell silent is no sign that it is back
        if noted:
            return 0.0 if back and not silent else None
        return self.length_s if silent else None

    def missing(self, standing: Collection[str]) -> list[str]:
        """Sources that have said nothing since."""
        return sorted(set(standing) - self._quoted)


class FeedWatch:
    """Looks at the silence of one manager's feed for as long as it runs, standing by or leading."""

    def __init__(self, state: ManagerState, healing: Healing, note: Callable[[float], None]) -> None:
        self.silence = Silence()
        self._state, self._healing, self._note = state, healing, note
        self._looked_s: float | None = None

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Note what there is to be noted, and ask a silent feed that is heard again for what stands."""
        state, heard = self._state, self.silence.heard
        now_s = asyncio.get_running_loop().time()
        passed_s, self._looked_s = now_s - (self._looked_s or now_s), now_s
        if not state.now_ns:
            return  # it has not begun
        standing = [name for name, source in state.market.sources.items() if source.sequence]
        noted = state.fold.feed_silent_s > 0.0
        found = self.silence.look(passed_s, state.setup.config.feed_silent_s, noted=noted, standing=standing)
        if found is not None:
            self._note(found)
        elif noted and heard:
            self._healing.refresh(self.silence.missing(standing))

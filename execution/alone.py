"""How long no manager has been there, and when that is too long: what works is cancelled then (cancel on disconnect).

A leader keeps one order stream open from its fence on (`common/execution_client.py`); a standby, a person and a tool open none.
So no stream means nobody who would answer a fill. Pure; the engine looks every ``resolve_every_s``.
*Tested by* tests/unit/test_execution_alone.py, tests/integration/test_execution_alone.py.
"""

from __future__ import annotations


class Alone:
    """Counts from the first look that finds nobody. ``after_s`` seconds of whatever clock ``look`` is given; 0: never."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._since_s: float | None = None

    def look(self, now_s: float, streams: int) -> bool:
        """True while nobody has been there for long enough: again at every look, for a line may be down at the first."""
        if streams or not self._after_s:
            self._since_s = None
            return False
        if self._since_s is None:
            self._since_s = now_s
        return now_s - self._since_s >= self._after_s

    @property
    def why(self) -> str:
        """What stands in the record of an order that was cancelled so."""
        return f"no manager for {self._after_s:g} s"

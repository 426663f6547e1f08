"""Which other managers stand by, as one of them hears it. State of its own, no clock.

*Tested by* tests/unit/test_manager_standby.py.
"""

from __future__ import annotations

from typing import Final

from common.messages import Heartbeat
from common.units import NS_PER_S

#: What a manager that stands by says of itself in its heartbeats.
STANDBY: Final = "standby"
#: Managers that stand by, as far as they are remembered.
PEERS_MAX = 64


class Peers:
    """The last beat of each manager that stands by."""

    def __init__(self) -> None:
        self._beat_ns: dict[str, int] = {}

    def hear(self, beat: Heartbeat, wall_ns: int) -> None:
        """Take in a manager's beat; who leads does not stand by."""
        self._beat_ns.pop(beat.header.source, None)
        if beat.state == STANDBY:
            self._beat_ns[beat.header.source] = wall_ns
        if len(self._beat_ns) > PEERS_MAX:  # the one not heard for longest
            del self._beat_ns[next(iter(self._beat_ns))]

    def heard(self, wall_ns: int, within_s: float, *, but: str) -> list[str]:
        """Who has beaten in the last wall seconds, ``but`` one."""
        since_ns = wall_ns - int(within_s * NS_PER_S)
        return [name for name, at_ns in self._beat_ns.items() if name != but and at_ns > since_ns]

"""Where agents may run, in names that whoever starts a Ray must know too; without ``ray`` itself.

*Tested by* tests/unit/test_ray_nodes.py, tests/e2e/test_fleet_ray.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

#: Room for shards per kind on one node of an embedded or local Ray, in the kind's custom resource.
LOCAL_SHARDS: Final = 64
OBJECT_STORE_BYTES: Final = 100 * 2**20
#: Set where every Ray node is on this machine, so that a hung agent can be ended by its pid.
HERE_ENV: Final = "HEDGEROW_RAY_HERE"


def resource_of(kind: str) -> str:
    """Custom resource that places the actors of a kind, and by which a cluster scales for them."""
    return f"agent_{kind}"


class AgentHost(Protocol):
    """Where agents run: ``agents.ray_host.RayHost``, or a fake. Calls may block; names are agent names."""

    def start(self, name: str) -> None:
        """Start an agent, or adopt the one that runs under this name."""
        ...

    def gone(self, pids: Mapping[str, int]) -> set[str]:
        """Agents whose process, last heard under this pid, is no more; none where processes cannot be seen from here."""
        ...

    def replace(self, name: str, pid: int) -> None:
        """End its process (``pid`` if it has ever spoken, else 0) hard and have it started again."""
        ...

    def nodes(self) -> tuple[str, ...]:
        """Living nodes that can carry agents."""
        ...

    def load(self, name: str, node: str) -> None:
        """Load a successor of it on this node (elsewhere if the node has gone), in place of one that there may be.

        Raises ``errors.Unavailable`` where none has loaded.
        """
        ...

    def drop(self, name: str) -> None:
        """End its successor, if there is one."""
        ...

    def succeed(self, name: str, pid: int) -> None:
        """Its successor begins, and whatever is left of its process (``pid``) is ended, also where there is no successor."""
        ...

    def move(self, name: str, node: str) -> None:
        """Let it go on on this node (elsewhere if the node has gone), in a successor that has loaded before its process ends.

        Raises ``errors.Unavailable`` where none has; the agent stays then.
        """
        ...

    def stop(self, name: str, timeout_s: float) -> None:
        """End it for good, after at most ``timeout_s`` for a goodbye."""
        ...

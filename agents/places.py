"""Where agents may run, in names that whoever starts a Ray must know too; without ``ray`` itself.

*Tested by* tests/unit/test_ray_nodes.py, tests/e2e/test_fleet_ray.py.
"""

from __future__ import annotations

from typing import Final

#: Room for shards per kind on one node of an embedded or local Ray, in the kind's custom resource.
LOCAL_SHARDS: Final = 64
OBJECT_STORE_BYTES: Final = 100 * 2**20
#: Set where every Ray node is on this machine, so that a hung agent can be ended by its pid.
HERE_ENV: Final = "HEDGEROW_RAY_HERE"


def resource_of(kind: str) -> str:
    """Custom resource that places the actors of a kind, and by which a cluster scales for them."""
    return f"agent_{kind}"

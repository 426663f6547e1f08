"""What the fleet's process is told when it starts.

*Tested by* tests/e2e/test_fleet_ray.py, tests/e2e/test_steering.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from common.clock import WallClock
from common.ports import Responder
from common.security.audit_commands import audited
from common.security.audit_file import AuditFile
from common.security.keys import Keys


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """Where NATS and Ray are (``"local"`` embeds a Ray), where agents log, and whether they end with the fleet.

    ``opens_market``: nobody else does (no launcher), so the fleet sets ``subjects.MARKET_START`` once its agents are ready.
    How agents log in to NATS: `agents.actor.AgentPlace`. ``keys`` are the fleet's own, ``agent_keys`` the folder of the agents',
    for an embedded Ray; ``audit_folder`` where the fleet writes what people asked of it, empty for nowhere.
    """

    nats_url: str
    ray_address: str = "local"
    log_folder: str = ""
    stop_agents: bool = True
    opens_market: bool = False
    keys: Keys | None = None
    agent_keys: str = ""
    audit_folder: str = ""

    @property
    def seed(self) -> Path | None:
        """File of the fleet's seed."""
        return self.keys.seed if self.keys is not None else None

    def marking(self) -> Callable[[Responder], Responder]:
        """How a responder to commands leaves an audit line of each. Raises ``InputError`` if the audit file does not verify."""
        if not self.audit_folder:
            return lambda responder: responder
        audit = AuditFile.open(Path(self.audit_folder), "fleet", self.keys, WallClock())
        return partial(audited, audit=audit, keys=self.keys, clock=WallClock())

"""Keys for tests: every role, and somebody with a certificate of our CA who has no right."""

from __future__ import annotations

from pathlib import Path

from common.security.access import AGENT
from common.security.keys import Keys, Tls
from deploy import certs

#: A person, and an agent that was given a certificate, as a mesh would.
PERSON, AGENT_WITH_CERTIFICATE = "alice", "gamma-0"


def make_keys(folder: Path) -> Path:
    """Every role of one machine, a person and a certified agent; returns the folder."""
    people = [
        certs.Wanted("risk_manager", PERSON, certified=True),
        certs.Wanted(AGENT, AGENT_WITH_CERTIFICATE, certified=True),
    ]
    certs.make(folder, [*certs.defaults(embedded=True), *people], embedded=True)
    return folder


def tls_of(folder: Path, name: str) -> Tls:
    found = Keys(folder / name).tls()
    assert found is not None, name
    return found

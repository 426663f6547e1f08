"""Who may do what: one table, role by action, for gRPC and for NATS; and how a role is read off a certificate.

Execution's interceptor asks this table (``permits``). The rights on NATS stand in ``deploy/nats/accounts.conf``, which the
server reads; that both files agree is tried on a real server, cell by cell, and so is the table in docs/security.md.

*The role is a URI in the certificate* (``spiffe://hedgerow/role/manager``), the form of SPIFFE: exactly one URI, which every
issuer (a desk's own CA, cert-manager, SPIRE) can put there, and which cannot be confused with a host or a person. The
common name says which process or person it is.
*Tested by* tests/unit/test_security_access.py, tests/integration/test_security_matrix.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from common import subjects
from common.errors import Refused

SETUP, FEED, AGENT, MANAGER, EXECUTION, FLEET = "setup", "feed", "agent", "manager", "execution", "fleet"
RISK_MANAGER, VIEWER = "risk_manager", "viewer"
#: Only where one command starts everything on one machine: the launcher, and the venue as a process.
OPERATOR, VENUE = "operator", "venue"
#: Everybody whom a NATS server knows, in the order of the tables.
ROLES: Final = (SETUP, FEED, AGENT, MANAGER, EXECUTION, FLEET, RISK_MANAGER, VIEWER, OPERATOR, VENUE)
#: Roles of a cluster's servers; the others exist on one machine only.
CLUSTER_ROLES: Final = ROLES[:8]
#: Who is given a certificate. Agents, fleet, feed and setup have none: without one no connection to execution stands.
CERTIFIED: Final = (MANAGER, EXECUTION, RISK_MANAGER, VIEWER, OPERATOR)

TRUST_DOMAIN: Final = "spiffe://hedgerow/role/"
SERVICE: Final = "hedgerow.execution.v1.ExecutionService"
#: Between the name a certificate proves and the name its holder passes on: "manager-a/alice".
ON_BEHALF: Final = "/"


class Plane(StrEnum):
    """Where an action is done."""

    CALL = "call"
    SAY = "say"
    HEAR = "hear"


@dataclass(frozen=True, slots=True)
class Action:
    """One row: what it is in words, the gRPC methods or NATS subjects it takes, and who may."""

    what: str
    plane: Plane
    targets: tuple[str, ...]
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a certificate proves: the role, and which process or person."""

    role: str
    name: str


def _call(what: str, *roles: str, methods: Sequence[str], service: str = SERVICE) -> Action:
    return Action(what, Plane.CALL, tuple(f"/{service}/{method}" for method in methods), frozenset(roles))


def _say(what: str, *roles: str, on: Sequence[str]) -> Action:
    return Action(what, Plane.SAY, tuple(on), frozenset(roles))


def _hear(what: str, *roles: str, on: Sequence[str]) -> Action:
    return Action(what, Plane.HEAR, tuple(on), frozenset(roles))


_READERS: Final = (MANAGER, RISK_MANAGER, VIEWER, OPERATOR)
_PEOPLE: Final = (RISK_MANAGER, VIEWER, OPERATOR)
_STREAMS: Final = (*subjects.LAST_VALUE_STREAMS, subjects.STREAM_JOURNAL, subjects.STREAM_LEASE)
_JOURNAL: Final = (subjects.JOURNAL_ENTRY, subjects.JOURNAL_EPOCH, *subjects.JOURNAL_SNAPSHOTS)
_REFERENCE: Final = subjects.LAST_VALUE_STREAMS[subjects.STREAM_REFERENCE]
_OF_MANAGER: Final = (subjects.POSITIONS, subjects.BUDGETS, subjects.ASSIGNMENT, subjects.PARAMETERS)
_MARKET: Final = (subjects.MARKET_START, subjects.MARKET_END)


def _stored(*of: str) -> tuple[str, ...]:
    return tuple(map(subjects.stored, of))


def _kept(stream: str, *of: str) -> tuple[str, ...]:
    return tuple(f"$JS.API.DIRECT.GET.{stream}.{subject}" for subject in of)


#: Actions over gRPC. What is not here is refused to everybody.
CALLS: Final = (
    _call("send, replace and cancel orders", MANAGER, methods=["StreamOrders"]),
    _call("fence: become the leader whose orders are heard", MANAGER, methods=["Fence"]),
    _call("pause, resume, kill at execution itself", MANAGER, RISK_MANAGER, methods=["SetTradingState"]),
    # It may halt, so it is no mere reading.
    _call("compare execution's books with the venue's", MANAGER, RISK_MANAGER, methods=["Reconcile"]),
    _call(
        "read orders, reports and state", *_READERS, methods=["GetOrder", "ListOrders", "StreamReports", "GetStatus"]
    ),
    _call(
        "ask which calls there are",
        *_READERS,
        methods=["ServerReflectionInfo"],
        service="grpc.reflection.v1alpha.ServerReflection",
    ),
    _call("ask for health", *_READERS, methods=["Check", "Watch"], service="grpc.health.v1.Health"),
)

#: Actions over NATS, each subject once. ``X`` and ``A`` stand for any underlying, agent or action.
SAYS: Final = (
    _say("propose", AGENT, on=[subjects.proposal("A")]),
    _say("beat", AGENT, MANAGER, on=[subjects.heartbeat("A")]),
    _say("hear itself", AGENT, on=[subjects.echo("A")]),
    _say("quote", FEED, on=[subjects.quotes("X"), subjects.MARKET_HEARTBEAT]),
    _say("ask for the standing quotes", AGENT, MANAGER, EXECUTION, FLEET, VENUE, on=[subjects.snapshot("X")]),
    _say("open the market", FLEET, OPERATOR, on=[subjects.MARKET_START]),
    _say("keep how many agents are wanted", FLEET, on=[subjects.SHARDS]),
    _say("end the market", FEED, on=[subjects.MARKET_END]),
    _say("make the streams", SETUP, on=[f"$JS.API.STREAM.CREATE.{stream}" for stream in _STREAMS]),
    _say("store universe, book, settings", SETUP, on=_REFERENCE),
    _say("set positions, budgets, assignment, parameters", MANAGER, on=_OF_MANAGER),
    _say("write the journal", MANAGER, on=_JOURNAL),
    _say("hold the lease", MANAGER, on=[subjects.lease("leader")]),
    _say("ask whether the lease's holder is there", MANAGER, on=[subjects.held("A")]),
    _say("steer: pause, resume, kill, hedge, scale, ...", RISK_MANAGER, OPERATOR, on=[subjects.control("A")]),
    _say("assign keys to agents", RISK_MANAGER, FLEET, OPERATOR, on=[subjects.control("assign")]),
    _say("ask for the status", RISK_MANAGER, VIEWER, FLEET, OPERATOR, on=[subjects.STATUS]),
    _say("read universe, book, settings", *ROLES, on=_kept(subjects.STREAM_REFERENCE, *_REFERENCE)),
    _say(
        "read positions, budgets, assignment, parameters",
        *(AGENT, MANAGER, FLEET, *_PEOPLE),
        on=_kept(subjects.STREAM_STATE, *_OF_MANAGER),
    ),
    _say("read the journal", MANAGER, *_PEOPLE, on=_kept(subjects.STREAM_JOURNAL, *_JOURNAL)),
    _say("read the lease", MANAGER, on=_kept(subjects.STREAM_LEASE, subjects.lease("leader"))),
    _say("take exported entries off the journal", OPERATOR, on=[f"$JS.API.STREAM.PURGE.{subjects.STREAM_JOURNAL}"]),
    _say(
        "delete or purge anything else, make a consumer",
        on=[
            *(f"$JS.API.STREAM.DELETE.{stream}" for stream in _STREAMS),
            *(f"$JS.API.STREAM.PURGE.{stream}" for stream in _STREAMS if stream != subjects.STREAM_JOURNAL),
            *(f"$JS.API.CONSUMER.CREATE.{stream}" for stream in _STREAMS),
        ],
    ),
    _say("speak as a stream", on=[*_stored(*_OF_MANAGER), *_stored(*_REFERENCE)]),
)
HEARS: Final = (
    _hear("hear quotes", AGENT, MANAGER, EXECUTION, VENUE, *_PEOPLE, on=[subjects.QUOTES_ALL]),
    _hear("hear proposals", MANAGER, *_PEOPLE, on=[subjects.PROPOSALS_ALL]),
    _hear("hear heartbeats", MANAGER, FLEET, *_PEOPLE, on=[subjects.HEARTBEATS_ALL]),
    _hear("hear itself", AGENT, on=[subjects.echo("A")]),
    _hear("hear how the feed is", MANAGER, *_PEOPLE, on=[subjects.MARKET_HEARTBEAT]),
    _hear("hear of new universe, book, settings", *(r for r in ROLES if r != SETUP), on=_stored(*_REFERENCE)),
    _hear("hear of the market's start and end", FEED, AGENT, MANAGER, FLEET, *_PEOPLE, on=_stored(*_MARKET)),
    _hear("hear of a new assignment", AGENT, MANAGER, FLEET, *_PEOPLE, on=_stored(subjects.ASSIGNMENT)),
    _hear(
        "hear of new positions, budgets, parameters",
        *(AGENT, MANAGER, *_PEOPLE),
        on=_stored(subjects.POSITIONS, subjects.BUDGETS, subjects.PARAMETERS),
    ),
    _hear("hear of new journal entries", MANAGER, *_PEOPLE, on=_stored(*_JOURNAL)),
    _hear("answer requests for quotes", FEED, on=[subjects.snapshot("X")]),
    _hear("answer that the lease's holder is there", MANAGER, on=[subjects.held("A")]),
    _hear("answer commands", MANAGER, on=[subjects.CONTROL_ALL, subjects.STATUS]),
    _hear(
        "answer scale and restarts of agents",
        MANAGER,
        FLEET,
        on=[subjects.control("scale"), subjects.control("restart.agents")],
    ),
    _hear("answer restarts of the launcher's parts", MANAGER, OPERATOR, on=[subjects.control("restart")]),
    _hear("hear everything", on=[">", "$SYS.>", "$JS.API.>"]),
)
ACTIONS: Final = (*CALLS, *SAYS, *HEARS)
_METHODS: Final = {target: action.roles for action in CALLS for target in action.targets}


def permits(role: str, method: str) -> bool:
    """Whether a role may call a gRPC method, given as ``/package.Service/Method``. Unknown methods: nobody."""
    return role in _METHODS.get(method, frozenset())


def role_uri(role: str) -> str:
    """What a certificate of this role carries as its URI."""
    return TRUST_DOMAIN + role


def identity(uris: Sequence[str], common_name: str) -> Identity:
    """What a certificate proves. Raises ``Refused`` unless it has exactly one URI, a role of ours, and a name.

    The name must not contain ``ON_BEHALF``, or one could be taken for another that passes a name on.
    """
    if len(uris) != 1 or not uris[0].startswith(TRUST_DOMAIN):
        raise Refused(f"the certificate of {common_name!r} names no role: one URI {TRUST_DOMAIN}ROLE is needed")
    role = uris[0].removeprefix(TRUST_DOMAIN)
    if role not in ROLES:
        raise Refused(f"the certificate of {common_name!r} names role {role!r}; known: {', '.join(ROLES)}")
    if not common_name or ON_BEHALF in common_name:
        raise Refused(
            f"the certificate of role {role} names {common_name!r}: a common name without {ON_BEHALF!r} is needed"
        )
    return Identity(role, common_name)


def on_behalf(name: str, who: str) -> str:
    """How the holder of a certificate signs for a person: its own proven name first. Idempotent."""
    return who if speaks_for(name, who) else f"{name}{ON_BEHALF}{who}"


def speaks_for(name: str, who: str) -> bool:
    """Whether ``who`` is the proven name or begins with it: who asked is proven, not claimed."""
    return who == name or (who.startswith(name + ON_BEHALF) and len(who) > len(name) + 1)

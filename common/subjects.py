"""Every NATS subject, in one table. Nobody writes a subject by hand.

| subject | schema | from → to | plane |
|---|---|---|---|
| hedgerow.market.quotes.U | QuoteBatch | feed → agents, manager, execution | data (core, newest wins) |
| hedgerow.market.snapshot.U | (request) → QuoteBatch | agents, manager, execution, fleet → feed | data, request-reply |
| hedgerow.market.start | text: who opened the market | launcher, in a cluster the fleet → feed | record (STATE, last value) |
| hedgerow.market.end | Heartbeat "end of data" | feed → launcher, people | record (STATE, last value) |
| hedgerow.market.heartbeat | Heartbeat of the feed, lag in words | feed → manager, people | data |
| hedgerow.reference.universe, .book, .config | Universe, Book, JSON | launcher → all | record (REFERENCE, last value) |
| hedgerow.proposal.AGENT | Proposal | agent → manager, launcher | data |
| hedgerow.heartbeat.AGENT | Heartbeat | agents, managers → managers, fleet | data |
| hedgerow.echo.AGENT | number of a word | an agent, its successor → itself | data |
| hedgerow.positions | PositionUpdate | manager → agents | record (stream STATE, last value) |
| hedgerow.budgets | BudgetUpdate | manager → agents | record (stream STATE, last value) |
| hedgerow.assignment | AssignmentUpdate | manager → agents, fleet | record (stream STATE, last value) |
| hedgerow.parameters | AgentParameters | manager → agents | record (stream STATE, last value) |
| hedgerow.shards | JSON: agents wanted of each kind | fleet → fleet that starts again | record (stream STATE, last value) |
| hedgerow.control.ACTION | Command → Acknowledgement | people → manager or fleet | control, request-reply |
| hedgerow.status | (request) → JSON | people, launcher → manager | control, request-reply |
| hedgerow.journal.entry | JournalEntry | manager → record | record (stream JOURNAL, fenced) |
| hedgerow.journal.epoch | text | manager → record | record (stream JOURNAL, fence) |
| hedgerow.journal.snapshot-a, .snapshot-b | pieces of a Snapshot | manager → record | record (stream JOURNAL, fenced) |
| hedgerow.lease.TOKEN | (request) → empty | standby → who holds the lease | control, request-reply |
| hedgerow.stored.S | as hedgerow.S | NATS → whoever watches hedgerow.S | what a stream has just stored |
"""

from __future__ import annotations

ROOT = "hedgerow"
QUOTES_ALL = f"{ROOT}.market.quotes.*"
UNIVERSE = f"{ROOT}.reference.universe"
BOOK = f"{ROOT}.reference.book"
CONFIG = f"{ROOT}.reference.config"
PROPOSALS_ALL = f"{ROOT}.proposal.*"
HEARTBEATS_ALL = f"{ROOT}.heartbeat.*"
POSITIONS = f"{ROOT}.positions"
BUDGETS = f"{ROOT}.budgets"
ASSIGNMENT = f"{ROOT}.assignment"
PARAMETERS = f"{ROOT}.parameters"
SHARDS = f"{ROOT}.shards"
CONTROL_ALL = f"{ROOT}.control.*"
STATUS = f"{ROOT}.status"
MARKET_START = f"{ROOT}.market.start"
MARKET_END = f"{ROOT}.market.end"
MARKET_HEARTBEAT = f"{ROOT}.market.heartbeat"
#: What a status request says to have the fingerprint of the folded state in the answer; a moment's work for the leader.
WITH_STATE_HASH = b"state hash"
JOURNAL_ENTRY = f"{ROOT}.journal.entry"
JOURNAL_EPOCH = f"{ROOT}.journal.epoch"
JOURNAL_SNAPSHOTS = (f"{ROOT}.journal.snapshot-a", f"{ROOT}.journal.snapshot-b")

STREAM_REFERENCE = "HEDGEROW_REFERENCE"
STREAM_STATE = "HEDGEROW_STATE"
STREAM_JOURNAL = "HEDGEROW_JOURNAL"
BUCKET_LEASE = "hedgerow_lease"
STREAM_LEASE = f"KV_{BUCKET_LEASE}"

#: Subjects of each last-value stream: what ``Bus.put``, ``get`` and ``watch`` may name.
LAST_VALUE_STREAMS = {
    STREAM_REFERENCE: (UNIVERSE, BOOK, CONFIG),
    STREAM_STATE: (POSITIONS, BUDGETS, ASSIGNMENT, PARAMETERS, SHARDS, MARKET_START, MARKET_END),
}
_STREAM_OF = {subject: stream for stream, kept in LAST_VALUE_STREAMS.items() for subject in kept}


def stream_of(subject: str) -> str:
    """Stream that keeps the newest value of a subject. Raises ``KeyError`` naming the subject if none does."""
    try:
        return _STREAM_OF[subject]
    except KeyError:
        raise KeyError(f"no stream keeps the newest value of {subject}; see common/subjects.py") from None


def stored(subject: str) -> str:
    """Subject under which a stream tells that it has stored a message of ``subject``."""
    return f"{ROOT}.stored.{subject.removeprefix(f'{ROOT}.')}"


def held(token: str) -> str:
    """Where the holder of a lease answers that it is there; ``token`` is the lease's own."""
    return f"{ROOT}.lease.{token}"


def lease(name: str) -> str:
    """Subject of one lease."""
    return f"$KV.{BUCKET_LEASE}.{name}"


def quotes(underlying: str) -> str:
    """Quotes of one underlying."""
    return f"{ROOT}.market.quotes.{underlying}"


def snapshot(underlying: str) -> str:
    """Request subject for every standing quote of one underlying."""
    return f"{ROOT}.market.snapshot.{underlying}"


def feed_source(underlying: str) -> str:
    """Header source of the quotes of one underlying."""
    return f"feed.{underlying}"


def proposal(agent: str) -> str:
    """Proposals of one agent."""
    return f"{ROOT}.proposal.{agent}"


def heartbeat(agent: str) -> str:
    """Heartbeats of one agent."""
    return f"{ROOT}.heartbeat.{agent}"


def echo(agent: str) -> str:
    """What one agent says to itself, to know that it hears."""
    return f"{ROOT}.echo.{agent}"


def control(action: str) -> str:
    """Request subject of one control action; ``limits.set`` travels as ``limits-set`` (a dot would be a new token)."""
    return f"{ROOT}.control.{action.replace('.', '-')}"

"""The streams of a run, as plain settings: subjects in common/subjects.py, the reasons here.

*Tested by* tests/integration/test_bus_nats.py.
"""

from __future__ import annotations

from typing import Any, Final

from common import subjects

#: A lease that is not renewed for this long is free.
LEASE_TTL_S: Final = 1.5
LEASE_RENEW_S: Final = 0.4
#: How often a standby looks whether it is free.
LEASE_POLL_S: Final = 0.2

#: Each stream tells what it has stored, so that watchers need no consumer on the server.
_TELL = (f"{subjects.ROOT}.>", f"{subjects.ROOT}.stored.>")


def stream_settings(replicas: int, lease_ttl_s: float) -> list[dict[str, Any]]:
    """Settings of every stream; ``republish`` is a pair (source, destination), ``storage`` "file" or "memory", ``persist_mode``
    "async", or left out: synced as the server is told.
    """
    common: dict[str, Any] = {"num_replicas": replicas, "allow_direct": True}
    kept = [
        {**common, "name": name, "subjects": list(of), "max_msgs_per_subject": 1, "storage": "file", "republish": _TELL}
        for name, of in subjects.LAST_VALUE_STREAMS.items()
    ]
    journal = {
        **common,
        "name": subjects.STREAM_JOURNAL,
        "subjects": [subjects.JOURNAL_ENTRY, subjects.JOURNAL_EPOCH, *subjects.JOURNAL_SNAPSHOTS],
        "deny_delete": True,
        # The first piece of a snapshot empties its slot.
        "allow_rollup_hdrs": True,
        "storage": "file",
        "republish": _TELL,
    }
    # In a file: a server that restarts alone forgets a stream in memory altogether, and then nobody could ever lead again.
    # Not synced, which only one server alone can be told: a disk that takes a second would depose a leader that lives. What a
    # power failure loses of it is who led last; whoever leads next is fenced by the journal, which is synced.
    lease = {
        **common,
        "name": subjects.STREAM_LEASE,
        "subjects": [subjects.lease(">")],
        "max_msgs_per_subject": 1,
        "max_age": lease_ttl_s,
        "duplicate_window": min(lease_ttl_s, 120.0),
        "storage": "file",
    }
    if replicas == 1:
        lease["persist_mode"] = "async"
    return [*kept, journal, lease]

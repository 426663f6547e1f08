"""Leadership in wall time on one key that NATS forgets unless it is renewed; safety comes from the journal's fence.

The key's stream has a maximum age (``streams.LEASE_TTL_S``), so expiry is the server's decision and needs no common
clock. Taking it is a create, renewing it a compare-and-set on its revision, releasing it an empty value.

Who holds it answers under ``subjects.held``. Where NATS says that nobody serves that subject, and the lease is not renewed in
the time in which one who lives renews it, the holder is no more and the lease is free. One that hangs keeps it for its time.
*Tested by* tests/contract/test_lease_contract.py, tests/integration/test_bus_nats.py.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from common import subjects
from common.bus.delivery import Stored, WrongSequence
from common.bus.nats_bus import NatsBus
from common.bus.streams import LEASE_RENEW_S, LEASE_TTL_S
from common.errors import Unavailable
from common.ports import Subscription

#: A renewal that takes longer has failed: two of them fit into the time to live.
_STORE_TIMEOUT_S: Final = 0.6
#: A holder that NATS does not know is given the time of a renewal and a bit: it may be connected anew, or to another server.
_ORPHANED_S: Final = LEASE_RENEW_S + 0.2
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"


class NatsLease:
    """``ports.Lease`` on ``bus``. ``ttl_s`` must be what ``create_streams`` was told.

    ``token`` tells this lease object from another of the same name: a restarted process is not its predecessor.
    """

    def __init__(self, bus: NatsBus, name: str = "manager", *, ttl_s: float = LEASE_TTL_S, token: str = "") -> None:
        self._bus = bus
        self._subject = subjects.lease(name)
        self._ttl_s = ttl_s
        self._token = token or secrets.token_hex(8)
        self._holder = ""
        self._revision = 0
        self._renewed_s = 0.0
        self._serving: Subscription | None = None
        #: Revision whose holder is not there, and since when that is seen; revision 0 while there is none.
        self._orphan = (0, 0.0)

    async def try_acquire(self, holder: str) -> bool:
        """See ``ports.Lease``. Raises ``errors.Unavailable`` if NATS cannot be asked."""
        kept = await self._last()
        if kept is not None and kept.data and not self._is_mine(kept) and not await self._orphaned(kept):
            return False
        self._holder = holder
        if self._serving is None:
            self._serving = await self._bus.serve(subjects.held(self._token), _here)
        return await self._store(kept.sequence if kept else 0)

    async def _orphaned(self, kept: Stored) -> bool:
        """Whether its holder is not there and has not renewed it for so long as one who is elsewhere in NATS would have."""
        if await self._bus.served(subjects.held(_token_of(kept)), settled_s=self._ttl_s):
            self._orphan = (0, 0.0)
            return False
        now_s = asyncio.get_running_loop().time()
        if self._orphan[0] != kept.sequence:
            self._orphan = (kept.sequence, now_s)
        return now_s - self._orphan[1] >= _ORPHANED_S

    async def renew(self) -> bool:
        """False once it was lost, or may have been: NATS was out of reach for the time to live. It does not raise."""
        if not self._revision:
            return False
        try:
            if await self._store(self._revision):
                return True
            kept = await self._last()  # a renewal whose answer got lost has moved the revision on
            if kept is not None and self._is_mine(kept) and await self._store(kept.sequence):
                return True
        except Unavailable:
            if asyncio.get_running_loop().time() - self._renewed_s < self._ttl_s:
                return True
        self._revision = 0
        return False

    async def release(self) -> None:
        """See ``ports.Lease``. If NATS cannot be asked it ends by itself within the time to live."""
        revision, self._revision = self._revision, 0
        if self._serving is not None:
            await self._serving.stop()
            self._serving = None
        if revision:
            try:
                await self._bus.store(
                    self._subject, b"", headers={_EXPECTED: str(revision)}, timeout_s=_STORE_TIMEOUT_S
                )
            except (WrongSequence, Unavailable):
                return

    async def holder(self) -> str | None:
        """See ``ports.Lease``."""
        kept = await self._last()
        return kept.data.decode().rpartition(" ")[0] if kept is not None and kept.data else None

    async def _last(self) -> Stored | None:
        return await self._bus.last(subjects.STREAM_LEASE, self._subject)

    def _is_mine(self, kept: Stored) -> bool:
        return _token_of(kept) == self._token

    async def _store(self, expected: int) -> bool:
        # Measured from before the request: the server's clock for this value starts later, so this one errs to "lost".
        asked_s = asyncio.get_running_loop().time()
        value = f"{self._holder} {self._token}".encode()
        try:
            self._revision = await self._bus.store(
                self._subject, value, headers={_EXPECTED: str(expected)}, timeout_s=_STORE_TIMEOUT_S
            )
        except WrongSequence:
            return False
        self._renewed_s = asked_s
        return True


def _token_of(kept: Stored) -> str:
    return kept.data.decode().rpartition(" ")[2]


async def _here(_subject: str, _data: bytes) -> bytes:
    return b""

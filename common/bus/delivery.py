"""What every bus does alike: hand a message to a handler, ask a responder, hide a password, tell about the connection.

*Tested by* tests/contract/test_bus_contract.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from common.errors import HedgerowError, Refused
from common.ports import Handler, Responder

log = logging.getLogger("hedgerow.bus")

#: Requests one server answers at the same time; the next one is refused as busy.
MAX_REQUESTS: Final = 64
#: Of a refused message's reason, in a log: it may quote what was sent.
REASON_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored message and its sequence in the stream."""

    sequence: int
    data: bytes


class WrongSequence(Refused):
    """The condition of a conditional store did not hold: somebody else has written meanwhile."""


class CountsErrors(Protocol):
    """Something that counts the handlers that raised."""

    handler_errors: int
    #: Messages a handler refused: malformed, or nothing it may take.
    refused: int


def call(bus: CountsErrors, handler: Handler, subject: str, data: bytes) -> None:
    """Hand over one message; whatever becomes of it, the next one comes.

    One that the handler refuses is dropped and counted, with its reason in the log at the 1st, 2nd, 4th, 8th, ... of them, so
    that a sender gone mad fills no disc. A handler that raises anything else is logged with its traceback.
    """
    try:
        handler(subject, data)
    except Refused as error:
        bus.refused += 1
        if bus.refused & (bus.refused - 1) == 0:
            log.warning("%s: a message is dropped (%d so far): %s", subject, bus.refused, str(error)[:REASON_MAX])
    except Exception:
        bus.handler_errors += 1
        log.exception("the handler of %s failed on %d bytes", subject, len(data))


async def answer_of(responder: Responder, subject: str, data: bytes) -> tuple[bool, bytes]:
    """(refused, answer). An error Hedgerow raises on purpose is for the asker alone; any other is logged here too."""
    try:
        return False, await responder(subject, data)
    except HedgerowError as error:
        return True, str(error).encode()
    except Exception as error:
        log.exception("the responder of %s failed on %d bytes", subject, len(data))
        return True, f"{subject}: internal error: {error!r}".encode()


def without_password(url: str) -> str:
    """An address that may be printed: user and password left out."""
    netloc = urlsplit(url).netloc
    return url.replace(netloc, netloc.rpartition("@")[2], 1) if "@" in netloc else url


class ConnectionNews:
    """Callbacks of one connection, always set: a client's own would print a traceback for each failed attempt."""

    def __init__(self, where: str, name: str) -> None:
        self._where, self._name = where, name
        self.last_error = ""
        self.closing = False
        #: When the connection was made, in seconds of its loop.
        self.since_s = asyncio.get_running_loop().time()
        self.reconnected: Callable[[], None] = lambda: None

    async def on_error(self, error: Exception) -> None:
        """Something went wrong that no call can report."""
        self.last_error = str(error) or type(error).__name__
        # What the server forbids looks like silence to the caller, so it is said aloud.
        level = logging.WARNING if "permissions violation" in self.last_error.lower() else logging.DEBUG
        log.log(level, "%s: NATS at %s: %s", self._name, self._where, self.last_error)

    async def on_disconnected(self) -> None:
        """The connection fell; the client tries again for ever."""
        if not self.closing:
            log.warning("%s: lost NATS at %s", self._name, self._where)

    async def on_reconnected(self) -> None:
        """It stands again; subscriptions are in place."""
        log.warning("%s: NATS at %s is back", self._name, self._where)
        self.since_s = asyncio.get_running_loop().time()
        self.reconnected()

    async def on_closed(self) -> None:
        """It was closed on purpose."""
        log.debug("%s: closed NATS at %s", self._name, self._where)

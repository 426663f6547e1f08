"""The bus on NATS: the only module that imports ``nats``.

What it keeps, and what it drops:
- *Data plane* (``publish``, ``subscribe``): core NATS. Of the messages that wait for a handler the newest ``bound``
  are kept.
- *Record* (``put``, ``get``, ``watch``): one JetStream message per subject. The stream tells under ``subjects.stored``
  what it has stored, with its sequence; a watcher takes a value only if its sequence is newer, and reads the stored
  value when it begins, after each reconnect and every ``record.RECHECK_S``. So no server keeps anything for a reader, and a
  value can be late but not lost or old.
- *Control* (``request``, ``serve``): request-reply. A responder that raises ``errors.Refused`` is heard as that by the
  asker.

Every timeout here is wall time. The connection is kept for ever once it stood; ``connected`` says how it is now.
*Tested by* tests/contract/test_bus_contract.py, tests/integration/test_bus_nats.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Self

import nats
import nats.errors
import nats.js.api as js_api
import nats.js.errors
import nkeys

from common import subjects
from common.bus.delivery import (
    MAX_REQUESTS,
    ConnectionNews,
    Stored,
    WrongSequence,
    answer_of,
    call,
    without_password,
)
from common.bus.flushing import Flushes
from common.bus.record import RETRY_S, STORE_TIMEOUT_S, TRY_TIMEOUT_S, RecordPlane
from common.bus.streams import LEASE_TTL_S, stream_settings
from common.errors import InputError, Problem, Refused, Unavailable
from common.ports import Handler, Responder

log = logging.getLogger("hedgerow.bus")

CONNECT_TIMEOUT_S: Final = 5.0
RECONNECT_WAIT_S: Final = 0.1
PING_INTERVAL_S: Final = 5
#: Messages that one read of a stream brings at most.
FETCH_MESSAGES: Final = 256
FETCH_BYTES: Final = 16 * 2**20

_WRONG_SEQUENCE = (10071, 10164)
_REFUSED = "Hedgerow-Refused"
#: What NATS says of a setting that is chosen when a stream is made.
_NOT_UPDATED = 10052


class NatsBus(RecordPlane):
    """``ports.Bus`` on one NATS connection. Make it with ``connect``; ``create_streams`` once a run, by who may."""

    def __init__(self, client: Any, where: str, news: ConnectionNews) -> None:
        super().__init__()
        self._nc = client
        self._news = news
        self._flushes = Flushes(client)
        news.reconnected = self.recheck
        self._js = client.jetstream(timeout=TRY_TIMEOUT_S)
        self.where = where
        self.dropped = 0

    @classmethod
    async def connect(
        cls,
        url: str,
        name: str,
        *,
        seed: Path | None = None,
        timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> NatsBus:
        """Connect as ``name``. Raises ``errors.Unavailable`` with the address if that fails within ``timeout_s``.

        ``seed`` is the file of an nkey's seed, read again at each reconnect; a server that knows no nkeys is not shown it. For
        such a server a user and password may stand in the URL. Raises ``errors.InputError`` for a file that holds no seed.
        """
        if seed is not None:
            _check_seed(seed)
        where = without_password(url)
        news = ConnectionNews(where, name)
        client = nats.aio.client.Client()
        connecting = client.connect(
            url,
            name=name,
            connect_timeout=timeout_s,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT_S,
            ping_interval=PING_INTERVAL_S,
            error_cb=news.on_error,
            disconnected_cb=news.on_disconnected,
            reconnected_cb=news.on_reconnected,
            closed_cb=news.on_closed,
            nkeys_seed=None if seed is None else str(seed),
        )
        try:
            await asyncio.wait_for(connecting, timeout_s)
        except (TimeoutError, OSError, ValueError, nats.errors.Error) as error:
            await client.close()
            why = news.last_error or str(error) or "no answer"
            raise Unavailable(f"NATS at {where} cannot be reached within {timeout_s:g} s: {why}") from None
        return cls(client, where, news)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """True while the connection stands."""
        return bool(self._nc.is_connected)

    async def create_streams(self, *, replicas: int = 1, lease_ttl_s: float = LEASE_TTL_S) -> None:
        """Make the streams of common/subjects.py, or bring them to this form. Idempotent.

        A server whose disk is busy is asked again for ``STORE_TIMEOUT_S``; then it raises ``errors.Unavailable``.
        """
        deadline = asyncio.get_running_loop().time() + STORE_TIMEOUT_S
        for settings in stream_settings(replicas, lease_ttl_s):
            await self._make_stream(_stream_config(settings), deadline)

    async def _make_stream(self, config: js_api.StreamConfig, deadline: float) -> None:
        while True:
            try:
                try:
                    await self._js.add_stream(config)
                except nats.js.errors.BadRequestError:  # there already, in another form
                    await self._bring_to(config)
                return
            except (TimeoutError, nats.errors.Error) as error:
                transient = isinstance(error, TimeoutError | nats.js.errors.ServiceUnavailableError)
                if not transient or asyncio.get_running_loop().time() + RETRY_S >= deadline:
                    raise Unavailable(f"NATS at {self.where}: stream {config.name} cannot be made: {error}") from None
                await asyncio.sleep(RETRY_S)

    async def _bring_to(self, config: js_api.StreamConfig) -> None:
        try:
            await self._js.update_stream(config)
        except nats.js.errors.ServerError as error:
            if error.err_code != _NOT_UPDATED or config.persist_mode is None:
                raise
            name = config.name
            log.warning("stream %s at NATS %s keeps how it is synced, chosen when it was made", name, self.where)
            await self._js.update_stream(config.evolve(persist_mode=None))

    async def clear(self) -> None:
        """Forget every stored value and the journal: the start of a new run on a server that has seen another.

        Sequences go on rising, so an older leader's token stays worthless.
        """
        for stream in (*subjects.LAST_VALUE_STREAMS, subjects.STREAM_JOURNAL):
            await self._js.purge_stream(stream)

    # Data plane

    async def publish(self, subject: str, data: bytes) -> None:
        """Send and forget. While the connection is down at most 2 MiB wait; beyond that the message is dropped.

        Raises ``errors.Refused`` for a message above the server's size limit, ``errors.Unavailable`` once closed.
        """
        try:
            await self._nc.publish(subject, data)
        except nats.errors.OutboundBufferLimitError:
            self.dropped += 1
        except nats.errors.MaxPayloadError:
            raise self._too_large(subject, data) from None
        except nats.errors.ConnectionClosedError:
            raise Unavailable(f"NATS at {self.where}: the connection is closed") from None

    def _too_large(self, subject: str, data: bytes) -> Refused:
        return Refused(f"{subject}: {len(data)} bytes, above max_payload {self._nc.max_payload} of NATS {self.where}")

    async def subscribe(self, subject: str, handler: Handler, *, bound: int) -> NatsSubscription:
        """See ``ports.Bus``. What a handler does with a bad message: `delivery.call`."""
        subscription = NatsSubscription(self)

        async def on_message(message: Any) -> None:
            # nats-py keeps messages in the order of arrival and hands out the oldest: when more wait behind it than
            # the bound allows, it is the one to drop.
            if subscription.inner is not None and subscription.inner.pending_msgs >= bound:
                subscription.dropped += 1
                self.dropped += 1
            else:
                call(self, handler, message.subject, message.data)

        subscription.inner = await self._subscribe(subject, on_message)
        return subscription

    async def _subscribe(self, subject: str, callback: Callable[[Any], Awaitable[None]]) -> Any:
        # No limit inside nats-py, which would drop the newest; the socket and the server's max_pending bound it.
        inner = None
        try:
            inner = await self._nc.subscribe(subject, cb=callback, pending_msgs_limit=0, pending_bytes_limit=0)
            await self._flushes.through(STORE_TIMEOUT_S)
        except BaseException as error:
            if inner is not None:  # whoever gave it up wants to hear nothing of it
                with contextlib.suppress(nats.errors.Error):
                    await self._unsubscribe(inner)
            if not isinstance(error, TimeoutError | nats.errors.Error):
                raise
            raise Unavailable(f"NATS at {self.where}: no subscription to {subject}: {error}") from None
        return inner

    async def _unsubscribe(self, inner: Any) -> None:
        if not self._nc.is_closed:
            await inner.unsubscribe()

    # Control

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """See ``ports.Bus``. While nobody listens it asks again until the time is up. Raises ``errors.Refused`` too."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            try:
                reply = await self._nc.request(subject, data, timeout=max(deadline - loop.time(), RETRY_S))
                break
            except nats.errors.NoRespondersError:
                if loop.time() + RETRY_S >= deadline:
                    raise Unavailable(f"{subject}: nobody listens at NATS {self.where}") from None
                await asyncio.sleep(RETRY_S)
            except (TimeoutError, nats.errors.Error) as error:
                why = "no answer" if isinstance(error, TimeoutError) else str(error)
                raise Unavailable(f"{subject}: {why} within {timeout_s:g} s at NATS {self.where}") from None
        if reply.headers and _REFUSED in reply.headers:
            raise Refused(reply.data.decode())
        answer: bytes = reply.data
        return answer

    async def served(self, subject: str, *, settled_s: float) -> bool:
        """False only where NATS says that nobody serves the subject: a process that ends is gone from there at once.

        A connection younger than ``settled_s`` cannot tell: whoever lost the same server may not be back yet.
        """
        if asyncio.get_running_loop().time() - self._news.since_s < settled_s:
            return True
        try:
            await self._nc.request(subject, b"", timeout=RETRY_S)
        except nats.errors.NoRespondersError:
            return False
        except (TimeoutError, nats.errors.Error):
            return True
        return True

    async def serve(self, subject: str, responder: Responder) -> NatsSubscription:
        """Answer requests, at most ``MAX_REQUESTS`` at a time; the next one is refused."""
        running: set[asyncio.Task[None]] = set()

        async def send(reply: str, answer: bytes, refused: bool) -> None:
            try:
                await self._nc.publish(reply, answer, headers={_REFUSED: "1"} if refused else None)
            except nats.errors.Error as error:
                log.warning("an answer of %s was lost: %s", subject, error)  # the asker hears that by its timeout

        async def respond(reply: str, asked: str, data: bytes) -> None:
            refused, answer = await answer_of(responder, asked, data)
            await send(reply, answer, refused)

        async def on_message(message: Any) -> None:
            if not message.reply:
                return
            if len(running) >= MAX_REQUESTS:
                await send(message.reply, f"{message.subject}: busy".encode(), True)
                return
            task = asyncio.create_task(respond(message.reply, message.subject, message.data))
            running.add(task)
            task.add_done_callback(running.discard)

        subscription = NatsSubscription(self)
        subscription.inner = await self._subscribe(subject, on_message)
        return subscription

    # What journal and lease are built from

    async def store(
        self, subject: str, data: bytes, *, headers: dict[str, str] | None = None, timeout_s: float = TRY_TIMEOUT_S
    ) -> int:
        """Store one message; returns its sequence. Raises ``WrongSequence`` if a condition in the headers fails."""
        try:
            ack = await self._js.publish(subject, data, headers=headers, timeout=timeout_s)
        except nats.js.errors.APIError as error:
            raise self._store_error(subject, error) from None
        except nats.errors.MaxPayloadError:
            raise self._too_large(subject, data) from None
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"{subject}: not stored within {timeout_s:g} s at NATS {self.where}: {error}") from None
        return int(ack.seq)

    def _store_error(self, subject: str, error: BaseException) -> Exception:
        if getattr(error, "err_code", None) in _WRONG_SEQUENCE:
            return WrongSequence(f"{subject}: somebody else has written: {error}")
        return Unavailable(f"{subject}: not stored at NATS {self.where}: {error}")

    async def last(self, stream: str, subject: str, *, direct: bool = False) -> Stored | None:
        """Newest message of a subject; ``direct`` may ask a replica that lags, otherwise the leader answers."""
        try:
            raw = await self._js.get_msg(stream, subject=subject, direct=direct)
        except nats.js.errors.NotFoundError:
            return None
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"{subject}: stream {stream} at NATS {self.where} does not answer: {error}") from None
        return Stored(int(raw.seq), raw.data or b"")

    async def fetch(self, stream: str, subject: str, first: int) -> list[Stored]:
        """Up to ``FETCH_MESSAGES`` messages of a subject from sequence ``first`` on; empty at the end."""
        ask = f'{{"seq":{first},"batch":{FETCH_MESSAGES},"max_bytes":{FETCH_BYTES},"next_by_subj":"{subject}"}}'
        out: list[Stored] = []
        try:
            inbox = self._nc.new_inbox()
            sub = await self._nc.subscribe(inbox)
            try:
                await self._nc.publish(f"$JS.API.DIRECT.GET.{stream}", ask.encode(), reply=inbox)
                while True:
                    message = await sub.next_msg(timeout=TRY_TIMEOUT_S)
                    status = message.headers.get("Status") if message.headers else None
                    if status in ("204", "404"):  # end of the batch; nothing there
                        return out
                    if status is not None:
                        raise Unavailable(f"stream {stream} at NATS {self.where} answers {status}")
                    out.append(Stored(int(message.headers["Nats-Sequence"]), message.data))
            finally:
                await self._unsubscribe(sub)
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"stream {stream} at NATS {self.where} cannot be read: {error}") from None

    async def purge(self, stream: str, subject: str, before: int) -> None:
        """Take a subject's messages below sequence ``before`` off the server. Raises ``errors.Unavailable``."""
        try:
            await self._js.purge_stream(stream, seq=before, subject=subject)
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"stream {stream} at NATS {self.where} cannot be purged: {error}") from None

    async def close(self) -> None:
        """Flush (for at most a second) and disconnect."""
        self._news.closing = True
        self._stop_rechecking()
        if self.connected:
            try:
                await self._flushes.through(1.0)
            except (TimeoutError, nats.errors.Error) as error:
                log.warning("NATS at %s: closed before everything was sent: %s", self.where, error)
        if not self.connected:
            # nats-py would write what still waits to the dead transport, on which uvloop raises, and stop half closed.
            self._nc._pending.clear()
            self._nc._pending_data_size = 0
        await self._nc.close()
        await self._flushes.end()


class NatsSubscription:
    """A running subscription; ``dropped`` counts what the bound threw away."""

    def __init__(self, bus: NatsBus) -> None:
        self._bus = bus
        self.inner: Any = None
        self.dropped = 0

    async def stop(self) -> None:
        """See ``ports.Subscription``. Nothing to do when the connection is closed already."""
        inner, self.inner = self.inner, None
        if inner is not None:
            await self._bus._unsubscribe(inner)


def _check_seed(seed: Path) -> None:
    try:
        nkeys.from_seed(bytearray(seed.read_bytes().strip())).wipe()
    except (OSError, ValueError, nkeys.NkeysError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        remedy = "give the seed file that `hedgerow certs` made"
        raise InputError(str(seed), [Problem(0, why or "holds no seed of an nkey")], remedy) from None


def _stream_config(settings: dict[str, Any]) -> Any:
    republish = settings.get("republish")
    return js_api.StreamConfig(
        **{key: value for key, value in settings.items() if key not in ("republish", "storage", "persist_mode")},
        storage=js_api.StorageType(settings["storage"]),
        persist_mode=js_api.PersistMode(settings["persist_mode"]) if "persist_mode" in settings else None,
        republish=js_api.RePublish(src=republish[0], dest=republish[1]) if republish else None,
    )

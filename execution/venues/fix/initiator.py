"""The engine behind the line: QuickFIX, whose threads only put what they hear on the event loop. The one place that imports it.

The engine keeps the session: sequence numbers and heartbeats, in files beside the store. It keeps no message it has sent, since
the logon is one of them: asked for old ones it fills the gap, and the gate asks and cancels again by what is true then. No
dictionary checks what comes in, since a report the engine refused would be a fill nobody hears of; what cannot be read is for
``incoming`` to say.

The engine is C++: whoever uses it while it is taken down, or makes a second one before the first is gone, ends the process. So
one life of it is one object (``_Engine``), which is hidden from senders before it is ended and gone before the next is made.
*Tested by* tests/integration/test_fix_fixcore.py, tests/integration/test_fix_rude.py, tests/integration/test_fix_secrets.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any, Final

from common.clock import WallClock
from common.errors import UsageError
from execution.venues.fix.config import FixConfig
from execution.venues.fix.message import BEGIN_STRING, FixMessage, MsgType, parse, unframed
from execution.venues.fix.message_log import MessageLog
from execution.venues.fix.news import News, Said, Tell
from execution.venues.fix.redaction import Redaction

try:
    import quickfix as fix
except ImportError as error:
    raise UsageError("execution.venue = 'fix' needs the FIX engine: pip install 'hedgerow[fix]'") from error

DICTIONARY: Final = Path(__file__).with_name("FIX44.xml")
_USERNAME: Final = 553
_PASSWORD: Final = 554


class _Application(fix.Application):
    """Callbacks on the engine's threads. None calls back into the session or decides anything."""

    def __init__(self, tell: Tell, username: str, password: str) -> None:
        super().__init__()
        self._tell = tell
        self._login = ((_USERNAME, username), (_PASSWORD, password))
        self._redaction = Redaction(password)

    def onCreate(self, _session: Any) -> None:  # noqa: N802
        """Nothing to prepare."""

    def onLogon(self, _session: Any) -> None:  # noqa: N802
        """Logons are exchanged; a gap may be open."""
        self._tell(News(Said.LOGGED_ON))

    def onLogout(self, _session: Any) -> None:  # noqa: N802
        """The session or its connection has ended."""
        self._tell(News(Said.LOGGED_OUT))

    def toAdmin(self, message: Any, _session: Any) -> None:  # noqa: N802
        """The logon gets its credentials; a ResendRequest of ours means a gap."""
        kind = _type_of(message)
        if kind == MsgType.LOGON:
            for tag, value in self._login:
                if value:
                    message.setField(tag, value)
        elif kind == MsgType.RESEND_REQUEST:
            self._tell(News(Said.GAP))

    def fromAdmin(self, message: Any, _session: Any) -> None:  # noqa: N802
        """Heartbeats and session rejects matter; a ResendRequest: the venue has missed what it will not be sent again."""
        kind = _type_of(message)
        if kind in (MsgType.HEARTBEAT, MsgType.REJECT):
            self._heard(message)
        elif kind == MsgType.RESEND_REQUEST:
            self._tell(News(Said.GAP))

    def toApp(self, message: Any, _session: Any) -> None:  # noqa: N802
        """A message of ours has its number and leaves."""
        self._tell(News(Said.SENT, parse(message.toString())))

    def fromApp(self, message: Any, _session: Any) -> None:  # noqa: N802
        """In sequence, each once or marked as a possible duplicate."""
        self._heard(message)

    def _heard(self, message: Any) -> None:
        self._tell(News(Said.HEARD, self._redaction.message(parse(message.toString()))))


class _Log(fix.Log):
    """What the engine would write to a file of its own, the password among it."""

    def __init__(self, to: MessageLog) -> None:
        super().__init__()
        self._to = to

    def clear(self) -> None:
        """Nothing said is taken back."""

    def backup(self) -> None:
        """The files are appended to."""

    def onIncoming(self, text: str) -> None:  # noqa: N802
        """Before it is read."""
        self._to.incoming(text)

    def onOutgoing(self, text: str) -> None:  # noqa: N802
        """As it is handed to the line."""
        self._to.outgoing(text)

    def onEvent(self, text: str) -> None:  # noqa: N802
        """Connecting, refusing, asking again."""
        self._to.event(text)


class _Logs(fix.LogFactory):
    """Logs as the engine asks for them. It holds bare pointers to them, so they live as long as this."""

    def __init__(self, to: MessageLog) -> None:
        super().__init__()
        self._to = to
        self._made: list[_Log] = []

    def create(self, *_session: Any) -> Any:
        """One for the session and one for what no session says."""
        log = _Log(self._to)
        # Said before it is handed over: the binding's own way of taking over what it is given waits for a lock it holds.
        log.thisown = False
        self._made.append(log)
        return log

    def destroy(self, _log: Any) -> None:
        """The engine needs it no more; ``release`` lets all go."""

    def release(self) -> None:
        """After the engine's end: they are Python's to free again."""
        for log in self._made:
            log.thisown = True
        self._made.clear()


class _Engine:
    """One life of the engine and what it holds bare pointers to. Raises ``RuntimeError`` while another one lives."""

    def __init__(self, settings: Any, session: Any, application: _Application, log: MessageLog) -> None:
        if fix.Session.doesSessionExist(session):
            raise RuntimeError("an engine of this FIX session still lives in this process; end it first")
        self._log = log
        self._held = settings, application, fix.FileStoreFactory(settings), _Logs(log)
        self._initiator = fix.SocketInitiator(application, self._held[2], settings, self._held[3])
        self._initiator.start()

    def end(self) -> None:
        """Log out, wait for the engine's thread, free the engine before what it points to. Takes seconds: not on a loop."""
        self._initiator.stop(True)
        # The last reference: the destructor takes the session out of the set that every lookup reads, here and now. Left to
        # whoever forgets it last, it would take out the session of the next engine.
        self._initiator = None
        self._held[3].release()
        self._log.close()


class Initiator:
    """One session as an initiator. ``start`` and ``stop`` once each; every method is called on the event loop's thread."""

    def __init__(self, config: FixConfig, folder: Path, username: str = "", password: str = "") -> None:
        self._config = config
        self._folder = folder
        self._login = (username, password)
        self._session = fix.SessionID(BEGIN_STRING, config.sender_comp_id, config.target_comp_id)
        self._dictionary = fix.DataDictionary(str(DICTIONARY))
        self._tell: Tell = lambda _: None
        #: None as soon as its end has begun: nothing is sent through an engine that is being taken down.
        self._engine: _Engine | None = None
        self._ending: asyncio.Task[None] | None = None

    def start(self, tell: Tell) -> None:
        """Begin to connect. ``tell`` is called on the running loop, in the engine's order."""
        loop = asyncio.get_running_loop()

        def onto_loop(news: News) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody is left to hear
                loop.call_soon_threadsafe(tell, news)

        self._tell = onto_loop
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self._begin()

    def _begin(self) -> None:
        log = MessageLog(self._folder / "log", Redaction(self._login[1]), WallClock())
        settings = _settings(self._config, self._folder, self._session)
        self._engine = _Engine(settings, self._session, _Application(self._tell, *self._login), log)

    def send(self, message: FixMessage) -> bool:
        """Number and send; False if it did not go out, in which case an order never will."""
        if self._engine is None:
            return False
        # The dictionary tells a repeated group from fields of the message; it checks nothing.
        built = fix.Message(unframed(message), self._dictionary, False)
        try:
            return bool(fix.Session.sendToTarget(built, self._session))
        except fix.SessionNotFound:
            return False

    async def restart(self) -> None:
        """A new engine on the same files: one that refused a logon may keep a dead connection and never dial again."""
        await self.stop()
        self._begin()

    async def stop(self) -> None:
        """Log out and end the engine's thread. One that is cancelled goes on, and the next waits for it."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            self._ending = asyncio.create_task(asyncio.to_thread(engine.end))
        if self._ending is not None:
            await asyncio.shield(self._ending)
            self._tell(News(Said.LOGGED_OUT))


def _type_of(message: Any) -> str:
    kind = fix.MsgType()
    message.getHeader().getField(kind)
    return str(kind.getString())


def _settings(config: FixConfig, folder: Path, session: Any) -> Any:
    """Why each is so: docs/fix.md."""
    values = {
        "ConnectionType": "initiator",
        "BeginString": BEGIN_STRING,
        "SenderCompID": config.sender_comp_id,
        "TargetCompID": config.target_comp_id,
        "SocketConnectHost": config.host,
        "SocketConnectPort": str(config.port),
        "HeartBtInt": str(config.heartbeat_s),
        "ReconnectInterval": str(config.reconnect_s),
        "LogonTimeout": "10",
        "LogoutTimeout": "2",
        "SocketNodelay": "Y",
        "CheckLatency": "Y",
        "MaxLatency": "120",
        "ResetOnLogon": "N",
        "ResetOnLogout": "N",
        "ResetOnDisconnect": "N",
        "PersistMessages": "N",
        "SendRedundantResendRequests": "Y",
        "UseDataDictionary": "N",
        "FileStorePath": str(folder / "session"),
    }
    if config.session_start == config.session_end:
        values |= {"NonStopSession": "Y"}
    else:
        values |= {"StartTime": config.session_start, "EndTime": config.session_end}
    dictionary = fix.Dictionary()
    for key, value in values.items():
        dictionary.setString(key, value)
    settings = fix.SessionSettings()
    settings.set(dictionary)
    settings.set(session, dictionary)
    return settings

"""The engine behind the line: QuickFIX, whose threads only put what they hear on the event loop. The one place that imports it.

The engine keeps the session: sequence numbers, resends, heartbeats, in files beside the store. It never sends an order a
second time: asked for one again it fills the gap (``NEVER_RESENT``). No dictionary checks what comes in, since a report
the engine refused would be a fill nobody hears of; what cannot be read is for ``incoming`` to say.
*Tested by* tests/integration/test_fix_fixcore.py, tests/integration/test_fix_rude.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any, Final

from common.errors import UsageError
from execution.venues.fix.config import FixConfig
from execution.venues.fix.message import BEGIN_STRING, NEVER_RESENT, FixMessage, MsgType, Tag, parse, unframed
from execution.venues.fix.news import News, Said, Tell

try:
    import quickfix as fix
except ImportError as error:
    raise UsageError("execution.venue = 'fix' needs the FIX engine: pip install 'hedgerow[fix]'") from error

DICTIONARY: Final = Path(__file__).with_name("FIX44.xml")
_USERNAME: Final = 553
_PASSWORD: Final = 554


class _Application(fix.Application):
    """Callbacks on the engine's threads. None calls back into the session or decides anything but what is never resent."""

    def __init__(self, tell: Tell, username: str, password: str) -> None:
        super().__init__()
        self._tell = tell
        self._login = ((_USERNAME, username), (_PASSWORD, password))

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
        """Heartbeats and session rejects matter."""
        if _type_of(message) in (MsgType.HEARTBEAT, MsgType.REJECT):
            self._tell(News(Said.HEARD, parse(message.toString())))

    def toApp(self, message: Any, _session: Any) -> None:  # noqa: N802
        """The last moment before a message leaves: an order from before a break never does."""
        read = parse(message.toString())
        if read.text(Tag.PossDupFlag) == "Y" and read.msg_type in NEVER_RESENT:
            raise fix.DoNotSend()
        self._tell(News(Said.SENT, read))

    def fromApp(self, message: Any, _session: Any) -> None:  # noqa: N802
        """In sequence, each once or marked as a possible duplicate."""
        self._tell(News(Said.HEARD, parse(message.toString())))


class Initiator:
    """One session as an initiator. ``start`` and ``stop`` once each, from the event loop's thread."""

    def __init__(self, config: FixConfig, folder: Path, username: str = "", password: str = "") -> None:
        self._config = config
        self._folder = folder
        self._login = (username, password)
        self._session = fix.SessionID(BEGIN_STRING, config.sender_comp_id, config.target_comp_id)
        self._dictionary = fix.DataDictionary(str(DICTIONARY))
        self._tell: Tell = lambda _: None
        self._engine: Any = None
        #: The engine holds bare pointers to these.
        self._held: tuple[Any, ...] = ()

    def start(self, tell: Tell) -> None:
        """Begin to connect. ``tell`` is called on the running loop, in the engine's order."""
        loop = asyncio.get_running_loop()

        def onto_loop(news: News) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody is left to hear
                loop.call_soon_threadsafe(tell, news)

        self._tell = onto_loop
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)  # the engine's log and store hold the logon as it was sent
        self._begin()

    def _begin(self) -> None:
        settings = _settings(self._config, self._folder, self._session)
        application = _Application(self._tell, *self._login)
        stores, logs = fix.FileStoreFactory(settings), fix.FileLogFactory(settings)
        self._held = (settings, application, stores, logs)
        self._engine = fix.SocketInitiator(application, stores, settings, logs)
        self._engine.start()

    def send(self, message: FixMessage) -> bool:
        """Number, store and send; False if it did not go out, in which case an order never will."""
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
        """Log out and end the engine's thread."""
        if self._engine is not None:
            await asyncio.to_thread(self._engine.stop, True)
            self._engine = None
            self._held = ()


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
        "PersistMessages": "Y",
        "SendRedundantResendRequests": "Y",
        "UseDataDictionary": "N",
        "FileStorePath": str(folder / "session"),
        "FileLogPath": str(folder / "log"),
    }
    if config.session_start == config.session_end:
        values |= {"NonStopSession": "Y"}
    else:
        values |= {"StartTime": config.session_start, "EndTime": config.session_end}
    dictionary = fix.Dictionary()
    for key, value in values.items():
        dictionary.setString(key, value)
    settings = fix.SessionSettings()
    # The log of what no session says is made from the defaults.
    settings.set(dictionary)
    settings.set(session, dictionary)
    return settings

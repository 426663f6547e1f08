"""The cluster's NATS roles, on a real server with the shipped configuration: what each may and may not do.

The truth is the from -> to column of common/subjects.py, written out below by hand per role; the configuration is tried
against every subject there is, so that a right too many fails as a right too few does.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from nats.aio.client import Client

from common import subjects
from common.bus.nats_bus import NatsBus
from common.bus.nats_journal import NatsJournal
from common.bus.nats_lease import NatsLease
from deploy import certs
from tests.deployments import read_env

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "deploy" / "nats"
ROLES = ("setup", "feed", "agent", "manager", "execution", "fleet", "risk_manager", "viewer")
NATS_SERVER = Path(sys.executable).parent / "nats-server"


@dataclass(frozen=True)
class Server:
    port: int
    keys: Path

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def seed(self, role: str) -> Path:
        return self.keys / role / "nats.seed"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(keys: Path, store: Path) -> dict[str, str]:
    named = read_env(keys / "public" / "nats.env")
    return {**os.environ, **named, "HEDGEROW_NATS_NAME": "nats-test", "HEDGEROW_NATS_STORE": str(store)}


def wait_healthy(http: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        assert process.poll() is None, f"nats-server ended with {process.returncode}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{http}/healthz?js-enabled-only=true", timeout=1):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError("nats-server was not healthy within 10 s")


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    port, http = free_port(), free_port()
    keys = folder / "keys"
    certs.make(keys, certs.defaults())
    command = [str(NATS_SERVER), "-c", str(CONFIG / "nats.conf"), "-a", "127.0.0.1", "-p", str(port)]
    command += ["-m", str(http), "-l", str(folder / "log")]
    process = subprocess.Popen(command, env=environment(keys, folder / "store"))
    try:
        wait_healthy(http, process)
        it = Server(port, keys)
        asyncio.run(set_up(it))
        yield it
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("nats")) as it:
        yield it


@pytest.fixture(scope="module")
def scratch_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """For the tests that say every subject, whatever that leaves in the streams."""
    with running(tmp_path_factory.mktemp("nats")) as it:
        yield it


async def set_up(server: Server) -> None:
    """As the roles do it: the streams and reference data first, then the manager's first values."""
    async with bus_of(server, "setup") as setup:
        await setup.create_streams()
        await setup.put(subjects.UNIVERSE, b"universe")
    async with bus_of(server, "manager") as manager:
        await manager.put(subjects.POSITIONS, b"positions")


@asynccontextmanager
async def bus_of(server: Server, role: str) -> AsyncIterator[NatsBus]:
    """The bus as the role's process uses it."""
    bus = await NatsBus.connect(server.url, role, seed=server.seed(role))
    try:
        yield bus
    finally:
        await bus.close()


class Line:
    """A bare connection of one role, on which the server's refusals are seen."""

    #: Refused to everybody; refusals come in the order of what they refuse, so with it all earlier ones are in.
    LAST = "nobody.may.say.or.hear.this"

    def __init__(self) -> None:
        self.client = Client()
        self.refused: set[str] = set()
        self.all_in = asyncio.Event()

    async def on_error(self, error: Exception) -> None:
        found = re.search(r'permissions violation for (?:publish|subscription) to "([^"]+)"', str(error), re.IGNORECASE)
        assert found, f"not a refusal: {error}"
        self.refused.add(found[1])
        if found[1] == self.LAST:
            self.all_in.set()

    async def may_publish(self, subjects_tried: list[str]) -> set[str]:
        for subject in (*subjects_tried, self.LAST):
            await self.client.publish(subject, b"")
        return await self._allowed(subjects_tried)

    async def may_subscribe(self, subjects_tried: list[str]) -> set[str]:
        for subject in (*subjects_tried, self.LAST):
            await self.client.subscribe(subject)
        return await self._allowed(subjects_tried)

    async def _allowed(self, subjects_tried: list[str]) -> set[str]:
        await self.client.flush(5)
        await asyncio.wait_for(self.all_in.wait(), 5)
        # nats-py reports the server's words in lower case.
        return {s for s in subjects_tried if s.lower() not in self.refused}


@asynccontextmanager
async def line_of(server: Server, role: str) -> AsyncIterator[Line]:
    line = Line()
    await line.client.connect(
        server.url, nkeys_seed=str(server.seed(role)), error_cb=line.on_error, allow_reconnect=False
    )
    try:
        yield line
    finally:
        await line.client.close()


QUOTES = subjects.quotes("SPX")
SNAPSHOT = subjects.snapshot("SPX")
PROPOSAL = subjects.proposal("gamma-0")
HEARTBEAT, ECHO = subjects.heartbeat("gamma-0"), subjects.echo("gamma-0")
ASSIGN = subjects.control("assign")
SCALE = subjects.control("scale")
CONTROLS = {*map(subjects.control, ("pause", "resume", "kill", "limits.set")), ASSIGN, SCALE}
STATE = {subjects.POSITIONS, subjects.BUDGETS, subjects.ASSIGNMENT}
REFERENCE = {subjects.UNIVERSE, subjects.BOOK, subjects.CONFIG}
MARKET = {subjects.MARKET_START, subjects.MARKET_END, subjects.MARKET_HEARTBEAT}
JOURNAL = {subjects.JOURNAL_ENTRY, subjects.JOURNAL_EPOCH, *subjects.JOURNAL_SNAPSHOTS}
LEASE = subjects.lease("leader")
HELD = subjects.held("token")
HOLDING = {LEASE, HELD}
DATA = {QUOTES, SNAPSHOT, PROPOSAL, HEARTBEAT, ECHO}
#: Nobody's: the server's own word, replies, and every administrative call that could lose or divert something.
NOBODYS = {
    *map(subjects.stored, (*STATE, *REFERENCE, *JOURNAL)),
    "_INBOX.somebody",
    "$SYS.REQ.SERVER.PING",
    *(f"$JS.API.STREAM.{verb}.{subjects.STREAM_JOURNAL}" for verb in ("DELETE", "PURGE", "MSG.DELETE")),
    *(f"$JS.API.CONSUMER.CREATE.{stream}" for stream in (subjects.STREAM_JOURNAL, subjects.STREAM_STATE)),
}
CREATES = {
    f"$JS.API.STREAM.CREATE.{stream}"
    for stream in (*subjects.LAST_VALUE_STREAMS, subjects.STREAM_JOURNAL, subjects.STREAM_LEASE)
}
OWN = {subjects.STATUS, subjects.SHARDS}
SAID = sorted({*DATA, *STATE, *REFERENCE, *MARKET, *JOURNAL, *CONTROLS, *OWN, *HOLDING, *CREATES, *NOBODYS})

MAY_SAY: dict[str, set[str]] = {
    "setup": {*REFERENCE, *CREATES},
    "feed": {QUOTES, subjects.MARKET_END, subjects.MARKET_HEARTBEAT},
    "agent": {PROPOSAL, HEARTBEAT, ECHO, SNAPSHOT},
    "manager": {*STATE, *JOURNAL, HEARTBEAT, SNAPSHOT, *HOLDING},
    "execution": {SNAPSHOT},
    "fleet": {ASSIGN, SNAPSHOT, subjects.MARKET_START, *OWN},
    "risk_manager": {*CONTROLS, subjects.STATUS},
    "viewer": {subjects.STATUS},
}

FLOW = {subjects.QUOTES_ALL, subjects.PROPOSALS_ALL, subjects.HEARTBEATS_ALL}
STORED_STATE = set(map(subjects.stored, STATE))
STORED_REFERENCE = set(map(subjects.stored, REFERENCE))
STORED_MARKET = {subjects.stored(subjects.MARKET_START), subjects.stored(subjects.MARKET_END)}
STORED_JOURNAL = set(map(subjects.stored, JOURNAL))
STORED = STORED_STATE | STORED_REFERENCE | STORED_MARKET | STORED_JOURNAL
HEARD = sorted(
    {*FLOW, *STORED, *STATE, *CONTROLS, SNAPSHOT, subjects.CONTROL_ALL, subjects.STATUS, subjects.MARKET_HEARTBEAT}
    | {subjects.JOURNAL_ENTRY, HELD, ECHO, ">", "$SYS.>", "$JS.API.>"}
)
MAY_HEAR: dict[str, set[str]] = {
    "setup": set(),
    "feed": {SNAPSHOT} | STORED_REFERENCE | STORED_MARKET,
    "agent": {subjects.QUOTES_ALL, ECHO} | STORED_STATE | STORED_REFERENCE | STORED_MARKET,
    "manager": {*FLOW, subjects.MARKET_HEARTBEAT, *CONTROLS, HELD, subjects.CONTROL_ALL, subjects.STATUS} | STORED,
    "execution": {subjects.QUOTES_ALL} | STORED_REFERENCE,
    "fleet": {SCALE, subjects.HEARTBEATS_ALL, subjects.stored(subjects.ASSIGNMENT)} | STORED_REFERENCE | STORED_MARKET,
    "risk_manager": {*FLOW, subjects.MARKET_HEARTBEAT} | STORED,
    "viewer": {*FLOW, subjects.MARKET_HEARTBEAT} | STORED,
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_says_what_the_subject_table_lets_it_and_nothing_else(scratch_server: Server, role: str) -> None:
    async def scenario() -> set[str]:
        async with line_of(scratch_server, role) as line:
            return await line.may_publish(SAID)

    assert asyncio.run(scenario()) == MAY_SAY[role]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_hears_what_the_subject_table_lets_it_and_nothing_else(scratch_server: Server, role: str) -> None:
    async def scenario() -> set[str]:
        async with line_of(scratch_server, role) as line:
            return await line.may_subscribe(HEARD)

    assert asyncio.run(scenario()) == MAY_HEAR[role]


def test_the_roles_of_the_table_are_the_users_of_the_server() -> None:
    text = (CONFIG / "accounts.conf").read_text()
    users = [name.lower() for name in re.findall(r"^\s+nkey: \$HEDGEROW_NATS_(\w+)_NKEY$", text, re.MULTILINE)]
    users.remove("sys")
    assert "password" not in text
    assert sorted(users) == sorted(ROLES) == sorted(MAY_SAY) == sorted(MAY_HEAR)


@pytest.mark.parametrize("role", ["agent", "risk_manager", "viewer"])
def test_what_the_manager_stores_reaches_the_roles_that_watch_it(server: Server, role: str) -> None:
    async def scenario() -> None:
        async with bus_of(server, "manager") as manager, bus_of(server, role) as reader:
            seen: asyncio.Queue[bytes] = asyncio.Queue()
            await manager.put(subjects.BUDGETS, b"old")
            await reader.watch(subjects.BUDGETS, lambda _, data: seen.put_nowait(data))
            assert await asyncio.wait_for(seen.get(), 5) == b"old"
            await manager.put(subjects.BUDGETS, b"new")
            assert await asyncio.wait_for(seen.get(), 5) == b"new"
            assert await reader.get(subjects.BUDGETS) == b"new"

    asyncio.run(scenario())


def test_a_snapshot_is_asked_by_those_who_read_quotes_and_answered_by_the_feed(server: Server) -> None:
    async def scenario() -> None:
        async def answer(subject: str, _: bytes) -> bytes:
            return f"quotes of {subject}".encode()

        async with bus_of(server, "feed") as feed:
            await feed.serve(subjects.snapshot("*"), answer)
            for role in ("agent", "manager", "execution", "fleet"):
                async with bus_of(server, role) as asker:
                    assert await asker.request(SNAPSHOT, b"", timeout_s=5) == f"quotes of {SNAPSHOT}".encode()

    asyncio.run(scenario())


def test_the_fleet_opens_the_market_and_the_feed_ends_it(server: Server) -> None:
    async def scenario() -> None:
        async with bus_of(server, "fleet") as fleet, bus_of(server, "feed") as feed, bus_of(server, "viewer") as viewer:
            heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
            await feed.watch(subjects.MARKET_START, lambda *news: heard.put_nowait(news))
            await viewer.watch(subjects.MARKET_END, lambda *news: heard.put_nowait(news))
            await viewer.subscribe(subjects.MARKET_HEARTBEAT, lambda *news: heard.put_nowait(news), bound=4)
            await fleet.put(subjects.MARKET_START, b"fleet")
            assert await asyncio.wait_for(heard.get(), 5) == (subjects.MARKET_START, b"fleet")
            await feed.publish(subjects.MARKET_HEARTBEAT, b"feeding")
            assert await asyncio.wait_for(heard.get(), 5) == (subjects.MARKET_HEARTBEAT, b"feeding")
            await feed.put(subjects.MARKET_END, b"done")
            assert await asyncio.wait_for(heard.get(), 5) == (subjects.MARKET_END, b"done")
            assert await feed.get(subjects.MARKET_START) == b"fleet"

    asyncio.run(scenario())


#: Which streams each role reads directly; who may not is refused by the server, hand-written like the tables above.
READS = {
    "setup": {subjects.STREAM_REFERENCE},
    "agent": {subjects.STREAM_REFERENCE, subjects.STREAM_STATE},
    "manager": {subjects.STREAM_REFERENCE, subjects.STREAM_STATE, subjects.STREAM_JOURNAL, subjects.STREAM_LEASE},
    "execution": {subjects.STREAM_REFERENCE},
    "fleet": {subjects.STREAM_REFERENCE, subjects.STREAM_STATE},
    "risk_manager": {subjects.STREAM_REFERENCE, subjects.STREAM_STATE, subjects.STREAM_JOURNAL},
    "viewer": {subjects.STREAM_REFERENCE, subjects.STREAM_STATE, subjects.STREAM_JOURNAL},
}
KEPT = {
    subjects.STREAM_REFERENCE: REFERENCE,
    subjects.STREAM_STATE: {*STATE, subjects.SHARDS, subjects.MARKET_START, subjects.MARKET_END},
    subjects.STREAM_JOURNAL: JOURNAL,
    subjects.STREAM_LEASE: {LEASE},
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_reads_what_its_streams_keep_and_no_other(server: Server, role: str) -> None:
    calls = {f"$JS.API.DIRECT.GET.{stream}.{kept}": stream for stream, all_ in KEPT.items() for kept in all_}

    async def scenario() -> set[str]:
        async with line_of(server, role) as line:
            return await line.may_publish(sorted(calls))

    allowed = asyncio.run(scenario())
    if role == "feed":  # of the state only whether the market is open or over
        assert allowed == {c for c in calls if c.rpartition("HEDGEROW_STATE.")[2] in MARKET} | {
            c for c, stream in calls.items() if stream == subjects.STREAM_REFERENCE
        }
    else:
        assert allowed == {c for c, stream in calls.items() if stream in READS[role]}


def test_one_message_has_the_same_bound_embedded_and_in_a_cluster() -> None:
    bounds = [
        re.findall(r"^max_payload: (\w+)$", path.read_text(), re.MULTILINE)
        for path in (CONFIG / "nats.conf", ROOT / "deploy" / "nats.conf")
    ]
    assert bounds == [["8MB"], ["8MB"]]


def test_a_person_commands_and_the_manager_answers(server: Server) -> None:
    async def scenario() -> bytes:
        async def answer(subject: str, data: bytes) -> bytes:
            return subject.encode() + b" " + data

        async with bus_of(server, "manager") as manager, bus_of(server, "risk_manager") as person:
            await manager.serve(subjects.CONTROL_ALL, answer)
            return await person.request(subjects.control("pause"), b"at once", timeout_s=5)

    assert asyncio.run(scenario()) == subjects.control("pause").encode() + b" at once"


def test_a_manager_leads_and_writes_the_journal_and_a_viewer_reads_it(server: Server) -> None:
    async def scenario() -> tuple[bool, str | None, list[bytes]]:
        async with bus_of(server, "manager") as manager, bus_of(server, "viewer") as viewer:
            lease, journal = NatsLease(manager), NatsJournal(manager)
            led = await lease.try_acquire("manager-0") and await lease.renew()
            await journal.take_over("manager-0")
            journal.append(b"first")
            journal.append(b"second")
            await journal.flush()
            await journal.close()
            holder = await lease.holder()
            await lease.release()
            return led, holder, [entry async for entry in NatsJournal(viewer).read()]

    assert asyncio.run(scenario()) == (True, "manager-0", [b"first", b"second"])


@pytest.mark.parametrize("name", ["nats.conf", "cluster.conf"])
def test_each_configuration_is_accepted_and_a_missing_key_is_not(name: str, tmp_path: Path) -> None:
    command = [str(NATS_SERVER), "-c", str(CONFIG / name), "-t"]
    certs.make(tmp_path / "keys", certs.defaults())
    whole = environment(tmp_path / "keys", tmp_path)
    accepted = subprocess.run(command, env=whole, capture_output=True, text=True)
    assert accepted.returncode == 0, accepted.stderr
    without = {k: v for k, v in whole.items() if k != "HEDGEROW_NATS_AGENT_NKEY"}
    refused = subprocess.run(command, env=without, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "HEDGEROW_NATS_AGENT_NKEY" in refused.stderr


def test_every_acknowledged_write_is_on_disk() -> None:
    assert re.search(r"^\s*sync_interval: always$", (CONFIG / "nats.conf").read_text(), re.MULTILINE)

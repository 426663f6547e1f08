"""Control from a second terminal: find the run, ask over NATS, wait for the acknowledgement.

Every action travels as a ``Command`` with an id of its own; the answer comes when the action holds. Who asks is the login
name; why is required for what restrains or frees trading.
*Tested by* tests/unit/test_deploy_control.py, tests/e2e/test_bad_input.py.
"""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from common import subjects
from common.bus.delivery import without_password
from common.bus.nats_bus import NatsBus
from common.clock import WallClock
from common.control_messages import Command
from common.errors import Refused, Unavailable, UsageError
from common.messages import TradingState
from common.ports import Bus
from common.security.access import RISK_MANAGER, on_behalf
from common.security.keys import KEYS_VARIABLE, Keys, Tls
from common.security.proof import sign_command
from common.universe import Book, Universe
from common.wire import codec
from deploy import run_folder

RUNS = run_folder.RUNS
#: For execution, asked directly.
ASK_TIMEOUT_S = 5.0
#: Between two questions to the leader.
PAUSE_S = 0.05
#: Asking for the status changes nothing, so it is asked again rather than waited for: a leader killed between taking the
#: question and answering it must not hide its successor.
STATUS_TRY_S = 0.5
#: The leader does a command once under its id, so a command too is asked again: whoever leads next answers it.
COMMAND_TRY_S = 2.0
#: How long the leader, or its successor, is asked: a takeover (3 s) after a storage that took its time (5 s) fits in.
LEADER_TIMEOUT_S = 10.0
#: Re-sharding waits for new actors to start.
SCALE_TIMEOUT_S = 60.0
#: A leader that keeps 20,000 ended orders hashes for a second or two.
HASH_TIMEOUT_S = 15.0

T = TypeVar("T")


class Door(str):
    """Address of NATS, the keys of who asks (None where it asks for none) and the file of the seed it is entered with."""

    __slots__ = ("keys", "seed")
    keys: Keys | None
    seed: Path | None

    def __new__(cls, url: str, keys: Keys | None = None, seed: Path | None = None) -> Door:
        """An address with its keys; without a seed of its own it is entered with theirs."""
        door = super().__new__(cls, url)
        door.keys = keys
        door.seed = seed or (keys.seed if keys is not None else None)
        return door

    @property
    def tls(self) -> Tls | None:
        """What proves who sends a command."""
        return self.keys.tls() if self.keys is not None else None


def run_info(run_dir: Path | None) -> dict[str, Any]:
    """Addresses of a run: ``run.json`` of the given folder, else of the newest one.

    Raises ``Unavailable`` saying how to start or name a run, also where the run has ended.
    """
    folder = run_dir or RUNS / "latest"
    try:
        info = json.loads((folder / run_folder.INFO).read_text())
        if not isinstance(info, dict) or not isinstance(info.get("nats_url"), str):
            raise ValueError("it names no NATS")
    except (OSError, ValueError) as error:
        why = "no run found" if isinstance(error, OSError) else f"{run_folder.INFO} cannot be read ({error})"
        raise Unavailable(
            f"{folder}: {why}: start one with `hedgerow live`, or name it with --run-dir or --nats"
        ) from error
    if (folder / run_folder.JOURNAL).exists():
        raise Unavailable(f"{folder}: this run has ended; `hedgerow story` and `hedgerow replay` still read it")
    return info


def nats_url(run_dir: Path | None, nats: str | None) -> Door:
    """NATS address from the flag, the run folder named, the environment or the newest run, in this order.

    A run folder's NATS is entered in the asker's role with that run's seed, for a person whose certificate was made while it
    runs is no user of its server; any other with the seed of ``HEDGEROW_KEYS``.
    """
    refuse_password(nats)
    if nats is None and run_dir is None:
        nats = os.environ.get("HEDGEROW_NATS_URL")
    keys = keys_of(run_dir, named=nats is not None)
    if nats is not None:
        return Door(nats, keys)
    info, tls = run_info(run_dir), keys.tls() if keys is not None else None
    role = Keys(Path(info["keys"]) / tls.identity.role) if tls is not None else None
    return Door(info["nats_url"], keys, role.seed if role is not None else None)


def refuse_password(nats: str | None) -> None:
    """Raises ``UsageError`` for an address on the command line that holds a password: every process list shows it."""
    if nats is not None and without_password(nats) != nats:
        raise UsageError(
            f"--nats {without_password(nats)}: give it without user and password, which every process list would show; "
            "keys come from HEDGEROW_KEYS, a password from HEDGEROW_NATS_URL"
        )


def keys_of(run_dir: Path | None, *, named: bool) -> Keys | None:
    """Whose keys a person's command uses: those of ``HEDGEROW_KEYS`` where an address is ``named``, or where the CA of the run
    made them; else the run's for people.

    None where there are none. Raises ``InputError`` for a variable that names no folder.
    """
    mine = Keys.of(os.environ.get(KEYS_VARIABLE))
    if named:
        return mine
    folder = run_info(run_dir).get("keys")
    if not isinstance(folder, str) or not folder:
        return None
    run = Keys(Path(folder) / RISK_MANAGER)
    return mine if mine is not None and mine.ca is not None and mine.ca == run.ca else run


def execution_address(run_dir: Path | None) -> str:
    """Address of execution: of the run folder named, else the environment, else the newest run.

    Raises ``Unavailable`` where there is none.
    """
    address = os.environ.get("HEDGEROW_EXECUTION_ADDRESS") if run_dir is None else None
    address = address or run_info(run_dir).get("execution_address")
    if not isinstance(address, str) or not address:
        raise Unavailable("the run folder names no execution; give --execution HOST:PORT")
    return address


def execution_tls(run_dir: Path | None, address: str | None) -> Tls | None:
    """What proves to execution who we are: as for NATS; ``address`` is what the command line named, if anything."""
    named = address is not None or (run_dir is None and "HEDGEROW_EXECUTION_ADDRESS" in os.environ)
    keys = keys_of(run_dir, named=named)
    return keys.tls() if keys is not None else None


def kill_direct(address: str, order: Command, scope: str = "", tls: Tls | None = None) -> str:
    """Kill at execution itself, over gRPC, without NATS or a manager; returns what holds now.

    The manager, if it lives, learns it from execution's status and from the next refused order.
    """
    from common.execution_client import ExecutionClient  # here: what is asked over NATS does not wait for gRPC to load

    async def talk() -> str:
        async with ExecutionClient(address, deadline_s=ASK_TIMEOUT_S, tls=tls) as client:
            await client.connect(ASK_TIMEOUT_S)
            sent = await client.set_trading_state(TradingState.KILLED, order.who, order.why, scope)
            return f"{scope} killed at execution {address}; {sent} cancels sent".lstrip()

    return asyncio.run(talk())


def ask(url: str, work: Callable[[Bus], Awaitable[T]]) -> T:
    """Connect, do ``work(bus)``, disconnect."""

    async def talk() -> T:
        bus = await NatsBus.connect(url, "hedgerow-cli", seed=url.seed if isinstance(url, Door) else None)
        try:
            return await work(bus)
        finally:
            await bus.close()

    return asyncio.run(talk())


async def status(bus: Bus) -> dict[str, Any]:
    """The leader's status. Raises ``Unavailable`` if no manager leads or answers within ``LEADER_TIMEOUT_S``."""
    view: dict[str, Any] = json.loads(await _ask_again(bus, subjects.STATUS, b"", STATUS_TRY_S, LEADER_TIMEOUT_S))
    return view


async def _ask_again(bus: Bus, subject: str, data: bytes, try_s: float, timeout_s: float) -> bytes:
    """An answer to what may be asked more than once. Raises ``Unavailable`` where none came within ``timeout_s``."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        try:
            return await bus.request(subject, data, timeout_s=min(try_s, max(deadline - loop.time(), PAUSE_S)))
        except Unavailable as error:
            if loop.time() + PAUSE_S >= deadline:
                raise Unavailable(f"{error}; asked for {timeout_s:g} s") from error
            await asyncio.sleep(PAUSE_S)  # a connection that is closed says so at once


async def state_hash(bus: Bus) -> dict[str, Any]:
    """The leader's status with ``state_hash``, the fingerprint of what it has folded so far. Raises ``Unavailable``."""
    view: dict[str, Any] = json.loads(
        await bus.request(subjects.STATUS, subjects.WITH_STATE_HASH, timeout_s=HASH_TIMEOUT_S)
    )
    return view


async def reference_book(bus: Bus) -> tuple[Universe, Book]:
    """Universe and opening book of a run. Raises ``Unavailable`` if there is none."""
    universe, book = await bus.get(subjects.UNIVERSE), await bus.get(subjects.BOOK)
    if universe is None or book is None:
        raise Unavailable("NATS holds no run: start one with `hedgerow live`")
    return codec.decode_universe(universe), codec.decode_book(book)


def command(action: str, why: str, arguments: dict[str, Any]) -> Command:
    """A new command of the person at the terminal; its id is a digest of who, what, when and process.

    Raises ``UsageError`` without a reason, for the record must say why, or with one that would drive a terminal.
    """
    if not why.strip():
        raise UsageError(f"{action}: --why is empty; give the reason, it stands in the record")
    if not why.isprintable():
        raise UsageError(f"{action}: --why {why!r} holds control characters; a reason is one line of text")
    who = _login()
    text = json.dumps(arguments, sort_keys=True)
    stamp = f"{who}|{action}|{text}|{WallClock().wall_ns()}|{os.getpid()}"
    return Command(hashlib.sha256(stamp.encode()).hexdigest()[:20], action, who, why, text)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def _unknown(order: Command) -> str:
    """What to say of a command that nobody answered, where it may be given again under another id; else nothing."""
    if order.action == "scale":
        return "; it may hold all the same: `hedgerow status` names the agents, and asking again is safe"
    if order.action != "book.import" or json.loads(order.arguments_json).get("dry_run"):
        return ""
    return "; the file may have been taken all the same: import it again, which is safe, each trade counts once by its trade_id"


async def act(bus: Bus, order: Command, *, timeout_s: float | None = None, tls: Tls | None = None) -> str:
    """Send a command and return what holds now. Raises ``Refused`` with the reason if it was not carried out.

    ``timeout_s``: ask once and wait so long; None: what the leader does once, asked again until ``LEADER_TIMEOUT_S``.
    ``tls``: what proves who asks; its name is put before ``who`` and the command is signed.
    """
    if tls is None:
        wanted = codec.encode_command(order)
    else:
        wanted = sign_command(codec.encode_command(replace(order, who=on_behalf(tls.identity.name, order.who))), tls)
    subject = subjects.control(order.action)
    if timeout_s is None:
        try:
            data = await _ask_again(bus, subject, wanted, COMMAND_TRY_S, LEADER_TIMEOUT_S)
        except Unavailable as error:
            raise Unavailable(f"{error}{_unknown(order)}") from error
    else:
        data = await bus.request(subject, wanted, timeout_s=timeout_s)
    answer = codec.decode_acknowledgement(data)
    if not answer.accepted:
        raise Refused(f"{order.action} refused: {answer.text}")
    return answer.text

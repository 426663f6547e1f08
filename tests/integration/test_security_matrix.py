"""The authorisation matrix, cell by cell, on a real nats-server and a real execution; and what a taken-over agent can do."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
import uvloop
from nats.aio.client import Client

from benchmarks.security import NOBODY, Cell, make_keys, matrix
from common import subjects
from common.bus.nats_bus import NatsBus
from common.bus.nats_journal import NatsJournal
from common.bus.nats_lease import NatsLease
from common.errors import InputError, Unavailable
from common.security import access
from common.security.keys import Keys
from common.security.table import markdown
from deploy import nats_server

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Cell]:
    return uvloop.run(matrix(tmp_path_factory.mktemp("matrix")))


def test_every_cell_is_as_the_table_says(cells: list[Cell]) -> None:
    assert [c for c in cells if not c.holds] == []
    roles = Counter(c.role for c in cells)
    calls, said = (sum(len(a.targets) for a in actions) for actions in (access.CALLS, access.SAYS + access.HEARS))
    assert roles == dict.fromkeys(access.ROLES, calls + said) | {NOBODY: calls}


def test_the_matrix_has_both_allowed_and_refused_for_every_action(cells: list[Cell]) -> None:
    for action in access.ACTIONS:
        seen = {c.allowed for c in cells if c.what == action.what}
        to_all = action.roles == set(access.ROLES)
        assert seen == ({True, False} if action.roles and not to_all else {bool(to_all)}), action.what


def test_the_page_shows_this_table() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    shown = text.partition("<!-- rights -->\n")[2].partition("<!-- /rights -->")[0]
    assert shown.strip() == markdown().strip(), (
        "docs/security.md: put the output of common.security.table.markdown() there"
    )


def test_a_taken_over_agent_can_only_propose(tmp_path: Path) -> None:
    """Everything an agent's key lets out is tried, all at once; then nothing that counts has changed."""
    keys = make_keys(tmp_path / "keys")
    server = nats_server.start(tmp_path / "nats", accounts=keys / "public" / "accounts.conf", sync_always=False)

    async def bus(role: str) -> NatsBus:
        return await NatsBus.connect(server.url, role, seed=Keys(keys / role).seed)

    async def attack() -> None:
        async def ignore(_error: Exception) -> None:
            return None

        client = Client()
        await client.connect(server.url, nkeys_seed=str(Keys(keys / "agent").seed), error_cb=ignore)
        targets = [t for a in (*access.SAYS, *access.HEARS) for t in a.targets if "*" not in t and ">" not in t]
        for target in (*targets, *map(subjects.control, ("pause", "kill", "limits.set", "hedge", "scale", "restart"))):
            await client.publish(target, b"owned")
        await client.flush()
        await client.close()

    async def main() -> None:
        async with await bus("setup") as setup, await bus("manager") as manager:
            await setup.create_streams()
            journal, lease = NatsJournal(manager), NatsLease(manager)
            assert await lease.try_acquire("manager-a")
            await journal.take_over("manager-a")
            journal.append(b"entry")
            await journal.flush()
            for subject in (subjects.POSITIONS, subjects.BUDGETS, subjects.ASSIGNMENT, subjects.PARAMETERS):
                await manager.put(subject, b"true")
            proposals: asyncio.Queue[bytes] = asyncio.Queue()
            commands: list[str] = []

            async def answer(subject: str, _data: bytes) -> bytes:
                commands.append(subject)
                return b""

            await manager.subscribe(subjects.PROPOSALS_ALL, lambda _, data: proposals.put_nowait(data), bound=16)
            await manager.serve(subjects.CONTROL_ALL, answer)
            await attack()
            assert await asyncio.wait_for(proposals.get(), 5) == b"owned"  # it arrived, and so did all before it
            assert commands == []
            for subject in (subjects.POSITIONS, subjects.BUDGETS, subjects.ASSIGNMENT, subjects.PARAMETERS):
                assert await manager.get(subject) == b"true", subject
            assert await manager.get(subjects.MARKET_END) is None
            assert await manager.get(subjects.UNIVERSE) is None
            assert [entry async for entry in journal.read()] == [b"entry"]
            assert await lease.holder() == "manager-a" and await lease.renew()
            await journal.close()

    try:
        asyncio.run(main())
    finally:
        server.stop()


def test_nats_lets_nobody_in_without_a_known_key(tmp_path: Path) -> None:
    keys, strangers = make_keys(tmp_path / "keys"), make_keys(tmp_path / "strangers")
    server = nats_server.start(tmp_path / "nats", accounts=keys / "public" / "accounts.conf", sync_always=False)

    async def enters(url: str, seed: Path | None) -> None:
        await (await NatsBus.connect(url, "somebody", seed=seed, timeout_s=0.5)).close()

    try:
        asyncio.run(enters(server.url, Keys(keys / "viewer").seed))
        for url, seed in (
            (server.url, None),
            (server.url, Keys(strangers / "manager").seed),
            (server.url.replace("//", "//manager:manager@"), None),
        ):
            # The server says why and ends the line; now and then the end is heard before the word.
            heard = ""
            for _ in range(10):
                with pytest.raises(Unavailable) as refused:
                    asyncio.run(enters(url, seed))
                heard = str(refused.value).lower()
                if "connection reset" not in heard:
                    break
            assert "authorization violation" in heard
        (tmp_path / "bad.seed").write_text("planted-seed-0123")
        with pytest.raises(InputError, match=r"bad\.seed: holds no seed") as caught:
            asyncio.run(enters(server.url, tmp_path / "bad.seed"))
        assert "planted" not in str(caught.value)
        with pytest.raises(InputError, match="No such file"):
            asyncio.run(enters(server.url, tmp_path / "none.seed"))
    finally:
        server.stop()

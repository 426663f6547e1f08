"""The password of a FIX logon: it reaches the venue, and no file, output or command line of ours, whatever dies when."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from pathlib import Path

import pytest
import uvloop

from common.execution_client import ExecutionClient
from common.messages import OrderAck, Refusal
from execution.venues.fix.news import News, Said
from tests.execution_world import ROOT
from tests.fix_market import Book, fix_order
from tests.fix_rude import RudeVenue
from tests.fix_world import fix_config, free_port

pytestmark = pytest.mark.live


async def lived(folder: Path, venue: RudeVenue, password: str, end: signal.Signals, kind: str) -> None:
    """One life of execution with a session and an order, and its command line and environment as others may see them."""
    logons, address = venue.logons, f"127.0.0.1:{free_port()}"
    argv = [sys.executable, "-m", "tests.fix_world", address, str(folder / "store"), str(venue.port)]
    env = os.environ | {"OMP_NUM_THREADS": "1", "HEDGEROW_FIX_USERNAME": "desk", "HEDGEROW_FIX_PASSWORD": password}
    with (folder / "output").open("ab") as output:
        process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, env=env, stdout=output, stderr=output)
    try:
        acks: list[OrderAck] = []
        async with ExecutionClient(address, acks.append, patience_s=20.0) as client:
            await client.connect(20.0)
            assert (await client.fence(1, "leader")).accepted
            async with asyncio.timeout(20.0):
                while venue.logons == logons or "," in str((await client.status())["venue"]):
                    await asyncio.sleep(0.02)
            async with asyncio.timeout(20.0):
                # Refused until the first quotes are there.
                while not acks or acks[-1].refusal is not Refusal.NONE:
                    order = f"{kind}{len(acks)}"
                    known = len(acks)
                    await client.submit([fix_order(order)])
                    while len(acks) == known:
                        await asyncio.sleep(0.02)
                async for report in client.reports(1):
                    if report.client_order_id == order and report.ord_status.terminal:
                        break
            # A venue may repeat it: once to the session, once of a question, which is told as a warning.
            venue.send("3", [(45, "1"), (58, f"password {password} is old")])
            venue.send("j", [(372, "H"), (379, order), (380, "0"), (58, f"password {password} is old")])
            await asyncio.sleep(0.2)
        told = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"tests.fix_world" in told and password.encode() not in told
    finally:
        process.send_signal(end)
        await process.wait()


def test_the_password_is_in_no_file_output_or_command_line(tmp_path: Path) -> None:
    password = secrets.token_urlsafe(12)

    async def main() -> RudeVenue:
        async with RudeVenue(Book(tmp_path / "book.jsonl")) as venue:
            await lived(tmp_path, venue, password, signal.SIGKILL, "a")
            await lived(tmp_path, venue, password, signal.SIGTERM, "b")
        return venue

    venue = uvloop.run(main())
    logons = [m for m in venue.heard if m[35] == "A"]
    assert len(logons) == 2 and {(m[553], m[554]) for m in logons} == {("desk", password)}
    files = [path for path in (*(tmp_path / "store").rglob("*"), tmp_path / "output") if path.is_file()]
    assert [str(path) for path in files if password.encode() in path.read_bytes()] == []
    assert (tmp_path / "store" / "fix").stat().st_mode & 0o777 == 0o700
    log = (tmp_path / "store" / "fix" / "log" / "messages.log").read_text()
    assert log.count("\x01554=***\x01") == 2 and log.count("password *** is old") == 4
    assert log.count("\x0135=D\x01") == 2, "the log holds what was said, and nothing was said twice"


def test_an_engine_begun_anew_again_and_again_leaves_nothing_of_the_one_before(tmp_path: Path) -> None:
    """It used to be freed whenever its last user forgot it, which took the next one's session away: a segmentation fault."""
    from execution.venues.fix.initiator import Initiator
    from execution.venues.fix.outgoing import test_request

    async def main() -> list[News]:
        told: list[News] = []
        async with RudeVenue(Book(tmp_path / "book.jsonl")) as venue:
            engine = Initiator(fix_config(venue.port), tmp_path / "fix")
            engine.start(told.append)
            for life in range(1, 6):
                async with asyncio.timeout(10.0):
                    while sum(news.said is Said.LOGGED_ON for news in told) < life:
                        await asyncio.sleep(0.01)
                assert engine.send(test_request(f"{life}"))
                ending = asyncio.create_task(engine.restart() if life < 5 else engine.stop())
                await asyncio.sleep(0)
                assert not engine.send(test_request("while it is taken down"))
                await ending
            assert not engine.send(test_request("after the end"))
        return told

    told = asyncio.run(main())
    assert told[-1].said is Said.LOGGED_OUT

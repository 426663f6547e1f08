"""Control from a second terminal: which run, which reason, and what a refusal sounds like."""

from __future__ import annotations

import asyncio
import getpass
import json
from pathlib import Path
from typing import Any

import pytest

from common import subjects
from common.bus.memory_bus import MemoryBus
from common.control_messages import Acknowledgement
from common.errors import Refused, Unavailable, UsageError
from common.wire import codec
from deploy import control
from deploy.config import load
from deploy.steering_cli import book_import
from tests.security_world import PERSON, make_keys


def _run(folder: Path, **info: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(info))
    return folder


def test_where_nats_is_comes_from_flag_folder_environment_and_newest_run_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEDGEROW_NATS_URL", raising=False)
    (tmp_path / "runs").mkdir()
    _run(tmp_path / "runs" / "latest", nats_url="nats://newest")
    named = _run(tmp_path / "named", nats_url="nats://named")
    assert control.nats_url(None, None) == "nats://newest"
    monkeypatch.setenv("HEDGEROW_NATS_URL", "nats://environment")
    assert control.nats_url(None, None) == "nats://environment"
    assert control.nats_url(named, None) == "nats://named"
    assert control.nats_url(named, "nats://flag") == "nats://flag"


def test_a_run_is_entered_with_its_own_keys_and_any_other_nats_with_those_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that the run's CA made are a person's of that run: she signs, under the seed its server knows."""
    make_keys(tmp_path / "keys")
    make_keys(tmp_path / "others")
    run = _run(tmp_path / "run", nats_url="nats://run", keys=str(tmp_path / "keys"))
    for foreign in (None, str(tmp_path / "others" / PERSON)):
        monkeypatch.delenv("HEDGEROW_KEYS", raising=False)
        if foreign:
            monkeypatch.setenv("HEDGEROW_KEYS", foreign)
        door = control.nats_url(run, None)
        assert door.tls is not None and door.tls.identity.name == "risk_manager"
    monkeypatch.setenv("HEDGEROW_KEYS", str(tmp_path / "keys" / PERSON))
    door = control.nats_url(run, None)
    assert door.tls is not None and door.tls.identity.name == PERSON
    assert door.seed == tmp_path / "keys" / door.tls.identity.role / "nats.seed"
    direct = control.execution_tls(run, None)
    assert direct is not None and direct.identity.name == PERSON
    named = control.nats_url(run, "nats://elsewhere")
    assert named.tls is not None and named.tls.identity.name == PERSON
    assert named.seed == tmp_path / "keys" / PERSON / "nats.seed"
    open_run = control.nats_url(_run(tmp_path / "open", nats_url="nats://run", keys=""), None)
    assert open_run.seed is None and open_run.tls is None


def test_a_password_on_the_command_line_or_in_the_settings_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="process list") as flag:
        control.nats_url(None, "nats://me:planted@host:4222")
    with pytest.raises(UsageError, match="HEDGEROW_KEYS") as setting:
        load(None, {}, {"HEDGEROW_LIVE__NATS_URL": "nats://me:planted@host:4222"})
    assert "planted" not in str(flag.value) + str(setting.value)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"nats_url": 3}', "\x00"])
def test_a_folder_without_a_usable_run(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unavailable, match=r"no run found.*hedgerow live"):
        control.run_info(tmp_path)
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(Unavailable, match=r"run\.json cannot be read"):
        control.run_info(tmp_path)


def test_a_run_that_has_ended_says_so(tmp_path: Path) -> None:
    (_run(tmp_path, nats_url="nats://gone") / "journal.bin").write_bytes(b"")
    with pytest.raises(Unavailable, match=r"has ended.*story"):
        control.nats_url(tmp_path, None)


def test_a_command_needs_a_reason_and_has_an_id_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for why in ("", "  \n"):
        with pytest.raises(UsageError, match="--why is empty"):
            control.command("pause", why, {})
    first, second = (control.command("pause", "news", {"b": 1, "a": 2}) for _ in range(2))
    assert first.command_id != second.command_id
    assert json.loads(first.arguments_json) == {"a": 2, "b": 1}

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert control.command("pause", "news", {}).who.startswith("uid ")


def test_an_acknowledgement_is_its_text_and_a_refusal_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "LEADER_TIMEOUT_S", 0.2)

    async def talk() -> tuple[str, Any]:
        bus = MemoryBus()

        async def answer(_subject: str, data: bytes) -> bytes:
            order = codec.decode_command(data)
            return codec.encode_acknowledgement(Acknowledgement(order.command_id, order.why == "yes", "the reason"))

        await bus.serve(subjects.control("pause"), answer)
        text = await control.act(bus, control.command("pause", "yes", {}))
        with pytest.raises(Refused, match="pause refused: the reason") as refused:
            await control.act(bus, control.command("pause", "no", {}))
        with pytest.raises(Unavailable):
            await control.status(bus)
        return text, refused.value.exit_code

    assert asyncio.run(talk()) == ("the reason", 1)


def test_a_leader_that_ends_before_it_answers_does_not_hide_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command, id and all, reaches whoever leads next; what is asked once is not asked again."""
    monkeypatch.setattr(control, "COMMAND_TRY_S", 0.05)

    async def talk() -> list[str]:
        bus, asked = MemoryBus(), []

        async def answer(_subject: str, data: bytes) -> bytes:
            order = codec.decode_command(data)
            asked.append(order.command_id)
            if asked.count(order.command_id) == 1:  # taken by a leader that is killed now
                await asyncio.Event().wait()
            return codec.encode_acknowledgement(Acknowledgement(order.command_id, True, "paused"))

        await bus.serve(subjects.control("pause"), answer)
        order = control.command("pause", "news", {})
        assert await control.act(bus, order) == "paused"
        assert asked == [order.command_id] * 2
        with pytest.raises(Unavailable):
            await control.act(bus, control.command("pause", "once", {}), timeout_s=0.15)
        return asked

    assert len(asyncio.run(talk())) == 3


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_import_is_asked_again_under_its_id_and_says_that_it_may_be_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dry_run: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(control, "COMMAND_TRY_S", 0.05)
    monkeypatch.setattr(control, "LEADER_TIMEOUT_S", 0.5)
    asked: list[str] = []

    def ask(_url: str, work: Any) -> Any:
        async def talk() -> Any:
            bus = MemoryBus()

            async def answer(_subject: str, data: bytes) -> bytes:
                order = codec.decode_command(data)
                asked.append(order.command_id)
                if len(asked) == 1 or order.why == "to nobody":  # taken by a leader that is killed now
                    await asyncio.Event().wait()
                return codec.encode_acknowledgement(Acknowledgement(order.command_id, True, "1 new"))

            await bus.serve(subjects.control("book.import"), answer)
            return await work(bus)

        return asyncio.run(talk())

    monkeypatch.setattr(control, "ask", ask)
    file = tmp_path / "trades.csv"
    file.write_text(
        "trade_id,ts,account,instrument,quantity,price\nT1,2018-01-29T10:00:00Z,A,SPX 2018-03-16 F @XCME,3,2863\n"
    )
    book_import(file, nats="nats://nowhere", dry_run=dry_run)
    assert "1 new" in capsys.readouterr().out and len(asked) == 2 and len(set(asked)) == 1
    with pytest.raises(Unavailable) as failed:
        book_import(file, why="to nobody", nats="nats://nowhere", dry_run=dry_run)
    may_have_been = "may have been taken all the same: import it again, which is safe" in str(failed.value)
    assert may_have_been == (not dry_run)


def test_a_connection_that_refuses_at_once_is_not_asked_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "LEADER_TIMEOUT_S", 0.3)
    monkeypatch.setattr(control, "PAUSE_S", 0.1)
    asked = []

    class Closed(MemoryBus):
        async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
            asked.append(subject)
            raise Unavailable("the connection is closed")

    with pytest.raises(Unavailable, match="is closed; asked for"):
        asyncio.run(control.status(Closed()))
    assert 1 <= len(asked) <= 3


def test_nobody_answers_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "COMMAND_TRY_S", 0.02)
    monkeypatch.setattr(control, "LEADER_TIMEOUT_S", 0.1)
    with pytest.raises(Unavailable, match=r"asked for 0\.1 s"):
        asyncio.run(control.act(MemoryBus(), control.command("pause", "news", {})))

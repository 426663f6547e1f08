"""What people type becomes one command with its arguments, who and why; nothing is asked before it is understood."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from common.control_messages import Command
from common.errors import Refused, UsageError
from deploy import control
from deploy.cli import app

RUNNER = CliRunner()
NATS = ("--nats", "nats://127.0.0.1:1")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    found: list[Command] = []

    async def act(bus: Any, order: Command, *, timeout_s: float = 0.0, tls: object = None) -> str:
        found.append(order)
        return "done"

    def ask(url: str, work: Callable[[Any], Any]) -> Any:
        return asyncio.run(work(None))

    def direct(address: str, order: Command, scope: str, _tls: object) -> str:
        found.append(order)
        return f"killed {scope or 'all'} at {address}"

    monkeypatch.setattr(control, "act", act)
    monkeypatch.setattr(control, "ask", ask)
    monkeypatch.setattr(control, "kill_direct", direct)
    return found


def run(*words: str) -> str:
    result = RUNNER.invoke(app, [*words, *NATS])
    assert result.exit_code == 0, result.output
    return result.output


def said(command: Command) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(command.arguments_json)
    return told


@pytest.mark.parametrize("action", ["pause", "resume", "kill"])
def test_a_stop_is_of_everything_or_of_one_part(sent: list[Command], action: str) -> None:
    run(action, "--why", "news")
    run(action, "--underlying", "SPX", "--why", "news")
    run(action, "--desk", "rates", "--why", "news")
    run(action, "--agent", "gamma-1", "--why", "news")
    assert [said(c) for c in sent] == [
        {},
        {"scope": "underlying:SPX"},
        {"scope": "desk:rates"},
        {"scope": "agent:gamma-1"},
    ]
    assert {(c.action, c.why, bool(c.who)) for c in sent} == {(action, "news", True)}
    assert len({c.command_id for c in sent}) == 4


@pytest.mark.parametrize(
    "words",
    [
        ("pause", "--why", "x", "--underlying", "SPX", "--desk", "rates"),
        ("kill", "--why", "x", "--direct", "--desk", "rates"),
        ("pause",),
        ("hedge", "BUY", "0", "F", "--why", "x"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(sent: list[Command], words: tuple[str, ...]) -> None:
    result = RUNNER.invoke(app, [*words, *NATS])
    assert result.exit_code != 0 and sent == []


@pytest.mark.parametrize("part", ["--underlying", "--desk", "--agent"])
@pytest.mark.parametrize("action", [("pause",), ("resume",), ("kill",), ("kill", "--direct")])
@pytest.mark.parametrize("name", ["", " "])
def test_a_part_without_a_name_is_not_the_whole_firm(
    sent: list[Command], action: tuple[str, ...], part: str, name: str
) -> None:
    result = RUNNER.invoke(app, [*action, part, name, "--why", "x", *NATS])
    assert sent == [] and isinstance(result.exception, UsageError)
    assert result.exception.exit_code == 2 and f"{part} is empty" in str(result.exception)


def test_a_direct_kill_asks_execution_and_nobody_else(sent: list[Command]) -> None:
    text = run("kill", "--direct", "--execution", "127.0.0.1:9", "--underlying", "SPX", "--why", "drill")
    assert "killed underlying:SPX at 127.0.0.1:9" in text and [c.action for c in sent] == ["kill"]


def test_a_hedge_of_ones_own_keeps_the_id_it_was_given(sent: list[Command]) -> None:
    run("hedge", "buy", "3", "F", "--limit", "10.5", "--desk", "rates", "--command-id", "mine", "--why", "view")
    (order,) = sent
    assert order.command_id == "mine" and order.action == "hedge"
    assert said(order) == {"side": "BUY", "lots": 3, "instrument": "F", "limit": 10.5, "desk": "rates"}


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_id_of_ones_own_is_no_new_one(sent: list[Command], name: str) -> None:
    """`--command-id "$ID"` with nothing in it, asked again after a timeout, would be two orders."""
    result = RUNNER.invoke(app, ["hedge", "buy", "3", "F", "--command-id", name, "--why", "view", *NATS])
    assert sent == [] and isinstance(result.exception, UsageError) and "--command-id is empty" in str(result.exception)


def test_a_refusal_under_an_id_of_ones_own_says_that_it_stays(
    sent: list[Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(_bus: Any, order: Command, **_: object) -> str:
        raise Refused(f"{order.action} refused: trading: underlying:SPX KILLED")

    monkeypatch.setattr(control, "act", act)
    words = ("hedge", "buy", "3", "F", "--why", "view", *NATS)
    named = RUNNER.invoke(app, [*words, "--command-id", "mine"]).exception
    assert isinstance(named, Refused) and "KILLED; id 'mine' is answered once" in str(named)
    assert "answered once" not in str(RUNNER.invoke(app, list(words)).exception)


@pytest.mark.parametrize("why", ["two\nlines", "a\x1b[2Jb", "a\tb", "\u202egnp"])
def test_a_reason_does_not_drive_the_terminals_of_those_who_read_it(sent: list[Command], why: str) -> None:
    result = RUNNER.invoke(app, ["pause", "--why", why, *NATS])
    assert sent == [] and isinstance(result.exception, UsageError) and "control characters" in str(result.exception)


def test_parameters_are_set_and_taken_back(sent: list[Command]) -> None:
    run("agents", "set", "gamma.interval_scale", "1.5", "--why", "wider")
    run("agents", "undo", "1", "--why", "back")
    assert [(c.action, said(c)) for c in sent] == [
        ("agents.set", {"path": "gamma.interval_scale", "value": 1.5}),
        ("agents.undo", {"version": 1}),
    ]


def test_an_import_carries_the_trades_of_the_file(sent: list[Command], tmp_path: Path) -> None:
    file = tmp_path / "trades.csv"
    file.write_text(
        "trade_id,ts,account,instrument,side,quantity,price\n"
        "T1,2018-01-29T10:00:00-05:00,DESK-A,SPX 2018-03-16 F @XCME,sell,3,2863.25\n"
    )
    answer = json.loads(run("book", "import", str(file), "--dry-run", "--json"))
    assert answer["accepted"] and answer["action"] == "book.import"
    (row,) = said(sent[0])["trades"]
    assert row[1:3] == ["T1", "DESK-A"] and row[4] == -3 and said(sent[0])["dry_run"] is True
    file.write_text("trade_id,ts\nT1,yesterday\n")
    result = RUNNER.invoke(app, ["book", "import", str(file), *NATS])
    assert result.exit_code != 0 and len(sent) == 1

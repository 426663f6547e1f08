"""``hedgerow limits``: what is asked for goes out as one command, with who and why; a bad value is the manager's to refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from common.control_messages import Command
from deploy import control, limits_cli
from deploy.cli import app

RUNNER = CliRunner()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    found: list[Command] = []

    async def act(bus: Any, order: Command, *, timeout_s: float = 0.0, tls: object = None) -> str:
        found.append(order)
        return "done"

    def ask(url: str, work: Any) -> Any:
        import asyncio

        return asyncio.run(work(None))

    monkeypatch.setattr(control, "act", act)
    monkeypatch.setattr(control, "ask", ask)
    return found


def run(*words: str) -> str:
    result = RUNNER.invoke(app, ["limits", *words, "--nats", "nats://127.0.0.1:1"])
    assert result.exit_code == 0, result.output
    return result.output


def test_set_and_approve_travel_as_commands(sent: list[Command]) -> None:
    run("set", "risk.soft_usd", "250_000", "--why", "calmer")
    run("approve", "c0ffee12")
    assert [c.action for c in sent] == ["limits.set", "limits.approve"]
    assert json.loads(sent[0].arguments_json) == {"path": "risk.soft_usd", "value": 250_000}
    assert json.loads(sent[1].arguments_json) == {"id": "c0ffee12"} and sent[0].who


def test_numbers_are_read_as_people_write_them() -> None:
    assert limits_cli.number("1_000") == 1000 and limits_cli.number("1e-6") == 1e-6
    assert limits_cli.number("none") == "none" and limits_cli.number("[1]") == "[1]"
    assert limits_cli.number("true") == "true", "no 1"
    for large in ("9" * 5000, "[" * 20_000):
        assert limits_cli.number(large) == large

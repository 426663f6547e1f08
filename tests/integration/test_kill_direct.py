"""Kill with neither NATS nor a manager: only execution lives."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.errors import Unavailable
from common.messages import OrdStatus, Refusal, TimeInForce
from deploy import control
from deploy.cli import app
from tests.execution_world import make_config, make_order, running, until

pytestmark = pytest.mark.live


def test_kill_direct_cancels_what_works_and_refuses_what_comes(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk:
            await desk.client.submit([make_order("rests", limit_ticks=900, time_in_force=TimeInForce.DAY)])
            await desk.answer("rests")
            (tmp_path / "run.json").write_text(
                json.dumps({"nats_url": "nats://127.0.0.1:1", "execution_address": desk.client.address})
            )
            words = ["kill", "--direct", "--why", "smoke", "--run-dir", str(tmp_path), "--json"]
            done = await asyncio.to_thread(CliRunner().invoke, app, words)
            assert done.exit_code == 0, done.output
            said = json.loads(done.stdout)
            assert said["accepted"] and "1 cancels sent" in said["text"]

            async def ended() -> bool:
                state = await desk.client.get_order("rests")
                return state is not None and state.ord_status is OrdStatus.CANCELED

            for _ in range(100):
                if await ended():
                    break
                await asyncio.sleep(0.05)
            assert await ended()
            await desk.client.submit([make_order("late")])
            await until(lambda: any(a.client_order_id == "late" for a in desk.acks))
            assert (await desk.answer("late")).refusal is Refusal.KILLED
            assert (await desk.client.status())["state"] == "KILLED"

    asyncio.run(main())


def test_nobody_there_and_nowhere_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEDGEROW_EXECUTION_ADDRESS", raising=False)
    (tmp_path / "run.json").write_text(json.dumps({"nats_url": "nats://127.0.0.1:1"}))
    with pytest.raises(Unavailable, match="--execution HOST:PORT"):
        control.execution_address(tmp_path)
    monkeypatch.setattr(control, "ASK_TIMEOUT_S", 0.3)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 "):
        control.kill_direct("127.0.0.1:1", control.command("kill", "smoke", {}))

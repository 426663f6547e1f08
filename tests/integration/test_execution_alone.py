"""A real server whose leader goes: what rests is cancelled, and only then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop

from common.execution_client import ExecutionClient
from common.messages import OrdStatus, TimeInForce, TradingState
from tests.execution_world import make_config, make_order, running

pytestmark = pytest.mark.live


def test_what_rests_outlives_a_leader_that_is_there_and_not_one_that_is_gone(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path, cancel_alone_s=0.3, resolve_every_s=0.05)) as desk:
            await desk.client.submit([make_order("r", limit_ticks=990, time_in_force=TimeInForce.DAY)])
            await desk.answer("r")
            await asyncio.sleep(0.8)
            async with ExecutionClient(desk.address) as onlooker:
                assert (await onlooker.status())["open_orders"] == 1, "its leader is there and says nothing"
                await desk.client.close()
                async with asyncio.timeout(10.0):
                    async for report in onlooker.reports(1):
                        if (ended := report).ord_status.terminal:
                            break
                assert (
                    ended.ord_status is OrdStatus.CANCELED and ended.text == "no manager for 0.3 s; cancelled as asked"
                )
                assert (await onlooker.status())["state"] == TradingState.ACTIVE.name

    uvloop.run(main())


def test_a_leader_that_has_just_fenced_and_sent_nothing_is_there(tmp_path: Path) -> None:
    """It took over what rests; until it has an order of its own nothing else would say that somebody leads."""

    async def main() -> None:
        async with running(make_config(tmp_path, cancel_alone_s=0.5, resolve_every_s=0.05)) as desk:
            await desk.client.submit([make_order("r", limit_ticks=990, time_in_force=TimeInForce.DAY)])
            await desk.answer("r")
            async with ExecutionClient(desk.address) as second:
                assert (await second.fence(2, "m-2")).accepted
                await desk.client.close()
                await asyncio.sleep(1.2)
                assert (await second.status())["open_orders"] == 1
                found = await second.get_order("r")
                assert found is not None and found.ord_status is OrdStatus.NEW

    uvloop.run(main())

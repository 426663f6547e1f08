"""One contract, two leases: one holder at a time, free when it is not renewed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from common.bus.memory_bus import MemoryKey, MemoryLease
from common.bus.nats_bus import NatsBus
from common.bus.nats_lease import NatsLease
from common.clock import ManualClock
from common.units import NS_PER_S
from deploy.nats_server import NatsServer

AnyLease = MemoryLease | NatsLease
Pass = Callable[[float], Awaitable[None]]
Scenario = Callable[[Callable[[], AnyLease], Pass], Awaitable[None]]
TTL_S = 0.6


@pytest.fixture(params=["memory", pytest.param("nats", marks=pytest.mark.live)])
def on_lease(request: pytest.FixtureRequest, nats_server: NatsServer) -> Callable[[Scenario], None]:
    """Runs a scenario with a maker of leases on one key, and a way to let seconds pass."""

    async def in_memory(scenario: Scenario) -> None:
        clock, key = ManualClock(), MemoryKey()

        async def let_pass(seconds: float) -> None:
            clock.advance(round(seconds * NS_PER_S))

        await scenario(lambda: MemoryLease(key, clock, ttl_s=TTL_S), let_pass)

    async def on_nats(scenario: Scenario) -> None:
        async with await NatsBus.connect(nats_server.url, "lease") as bus:
            await bus.create_streams(lease_ttl_s=TTL_S)
            await scenario(lambda: NatsLease(bus, request.node.name, ttl_s=TTL_S), asyncio.sleep)
            await bus.create_streams()

    def run(scenario: Scenario) -> None:
        world = in_memory if request.param == "memory" else on_nats
        uvloop.run(asyncio.wait_for(world(scenario), 20.0))

    return run


def test_one_holds_it_and_renewing_keeps_it(on_lease):
    async def scenario(make, let_pass):
        one, two = make(), make()
        assert await one.holder() is None
        assert await one.try_acquire("manager-1")
        assert not await two.try_acquire("manager-2")
        for _ in range(4):
            await let_pass(TTL_S / 2)
            assert await one.renew()
        assert not await two.try_acquire("manager-2")
        assert await two.holder() == "manager-1"

    on_lease(scenario)


def test_it_is_free_after_its_time_and_the_old_holder_hears_it(on_lease):
    async def scenario(make, let_pass):
        one, two = make(), make()
        assert await one.try_acquire("manager-1")
        await let_pass(TTL_S + 0.6)  # the server looks for expired messages a few times a second
        assert await two.holder() is None
        assert await two.try_acquire("manager-2")
        assert not await one.renew()
        assert not await one.try_acquire("manager-1")
        assert await one.holder() == "manager-2"

    on_lease(scenario)


def test_released_it_is_free_at_once(on_lease):
    async def scenario(make, _):
        one, two = make(), make()
        assert await one.try_acquire("manager-1")
        await two.release()  # not the holder: nothing happens
        assert await two.holder() == "manager-1"
        await one.release()
        assert await two.holder() is None
        assert not await one.renew()
        assert await two.try_acquire("manager-2")

    on_lease(scenario)


def test_a_namesake_is_another(on_lease):
    async def scenario(make, _):
        assert await make().try_acquire("manager-1")
        assert not await make().try_acquire("manager-1")

    on_lease(scenario)

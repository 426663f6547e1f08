"""A line to a NATS server that can be made to carry one way only: what the client sends arrives, what is sent to it waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CHUNK = 1 << 16


@dataclass
class Line:
    """One client's connection; ``name`` is what the client calls itself."""

    name: str = ""
    carries: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class OneWay:
    """A relay in front of a server. ``url`` leads through it."""

    url: str
    lines: list[Line] = field(default_factory=list)

    def hold(self, name: str) -> None:
        """Nothing reaches the clients of this name that are connected now."""
        held = [line for line in self.lines if line.name == name]
        assert held, f"{name} is not connected: {[line.name for line in self.lines]}"
        for line in held:
            line.carries.clear()

    def release(self) -> None:
        """All that waited arrives."""
        for line in self.lines:
            line.carries.set()


@asynccontextmanager
async def one_way(server_url: str) -> AsyncIterator[OneWay]:
    """Relay to the server until left."""
    target, relay, running = urlsplit(server_url), OneWay(""), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, task = Line(), asyncio.current_task()
        assert task is not None
        running.add(task)
        line.carries.set()
        relay.lines.append(line)
        back, out = await asyncio.open_connection(target.hostname, target.port)
        pumps = [asyncio.create_task(_up(line, reader, out)), asyncio.create_task(_down(line, back, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            relay.lines.remove(line)
            running.discard(task)
            out.close()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    relay.url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _up(line: Line, reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        if not line.name and data.startswith(b"CONNECT "):
            told, _ = json.JSONDecoder().raw_decode(data.decode(errors="replace").removeprefix("CONNECT "))
            line.name = told.get("name", "")
        out.write(data)
        await out.drain()


async def _down(line: Line, back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await back.read(CHUNK):
        await line.carries.wait()
        writer.write(data)
        await writer.drain()

"""What a run is made of, opened once, checked whole, and told to everybody as reference data.

In: the resolved settings. Out: ``Prepared`` and, over the bus, universe, book and configuration. Anything malformed is
refused here, before a single process has started. *Tested by* tests/unit/test_deploy_setup.py, tests/unit/test_cli.py.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import subjects
from common.bus.nats_bus import NatsBus
from common.desks import load_desks
from common.errors import Conflict, InputError, Problem, Unavailable, UsageError
from common.factors import underlying_of
from common.limits import Limits, load_limits
from common.market.open import open_market
from common.ports import Bus, MarketSource
from common.toml_lines import line_of, lines_of
from common.units import NS_PER_S
from common.universe import Book
from common.wire import codec
from deploy.config import RunConfig
from execution.limits import ExecutionLimits, load_execution_limits

REACH_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Prepared:
    """A run, ready to start. ``speed`` is market seconds per wall second."""

    run_id: str
    settings: RunConfig
    source: MarketSource
    book: Book
    limits: Limits
    execution_limits: ExecutionLimits
    speed: float

    def reference(self) -> dict[str, Any]:
        """The configuration every process reads, JSON-able."""
        return {
            "run_id": self.run_id,
            "settings": self.settings.model_dump(mode="json"),
            "agents": self.settings.agents.model_dump(mode="json"),
            "limits": self.limits.model_dump(mode="json"),
            "execution_limits": self.execution_limits.model_dump(mode="json"),
            "speed": self.speed,
            "statements": list(self.source.statements),
            "sessions": [list(bounds) for bounds in self.source.session_bounds_ns],
        }


def prepare(settings: RunConfig, run_id: str) -> Prepared:
    """Open and check everything a run reads. Raises ``InputError`` with file, line and reason."""
    limits = load_limits(settings.limits)
    execution_limits = load_execution_limits(settings.execution_limits)
    desks = () if settings.desks is None else load_desks(settings.desks)
    source, book = open_market(settings.market, settings.book, desks=desks)
    _check_underlyings(settings.limits, limits, source.universe.symbols)
    _check_desks(settings.limits, limits, book.desk_names)
    return Prepared(run_id, settings, source, book, limits, execution_limits, _speed(settings, source))


def _check_underlyings(path: Path, limits: Limits, symbols: tuple[str, ...]) -> None:
    unknown = set(limits.unknown_underlyings(symbols))
    if not unknown:
        return
    lines, known = lines_of(path.read_text(encoding="utf-8-sig")), ", ".join(symbols)
    named = [("factor", pattern, underlying_of(pattern)) for pattern in limits.factor]
    named += [("sum", name, underlying_of(p)) for name, total in limits.sum.items() for p in total.factors]
    tables = [f"{what}_by_underlying" for what in ("flow", "order", "risk", "margin")]
    named += [(table, symbol, symbol) for table in tables for symbol in getattr(limits, table)]
    problems = [
        Problem(
            line_of(lines, (table, key)), f"{table}.{key}: the market has no underlying {symbol!r} (it has {known})"
        )
        for table, key, symbol in named
        if symbol in unknown
    ]
    raise InputError(str(path), problems, "mend the pattern or choose another --limits FILE")


def _check_desks(path: Path, limits: Limits, desks: tuple[str, ...]) -> None:
    unknown = limits.unknown_desks(desks)
    if not unknown:
        return
    lines, known = lines_of(path.read_text(encoding="utf-8-sig")), ", ".join(filter(None, desks)) or "none"
    problems = {
        Problem(line_of(lines, loc), f"{loc[0]}.{loc[1]}: the book has no desk {name!r} (it has {known})")
        for loc, name in limits.named_desks()
        if name in unknown
    }
    raise InputError(
        str(path),
        sorted(problems, key=lambda p: (p.line, p.reason)),
        "mend the name, give the desks with --desks, or choose another --limits FILE",
    )


async def check_reachable(settings: RunConfig) -> None:
    """That an external NATS and Ray answer, before anything is started or written.

    Raises ``Unavailable`` with the address, ``UsageError`` if it is none.
    """
    live = settings.live
    if live.nats_url is not None:
        await (await NatsBus.connect(live.nats_url, "setup", timeout_s=REACH_TIMEOUT_S)).close()
    if live.ray_address is not None:
        _reach_ray(live.ray_address)


def _reach_ray(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise UsageError(f"--ray {address}: give HOST:PORT of the head's control store (port 6379 by default)")
    try:
        socket.create_connection((host, int(port)), timeout=REACH_TIMEOUT_S).close()
    except OSError as error:
        remedy = "start it there (`ray start --head`), correct the address, or leave --ray out for an embedded one"
        raise Unavailable(f"Ray at {address} cannot be reached: {error}; {remedy}") from None


def _speed(settings: RunConfig, source: MarketSource) -> float:
    if settings.live.speed is not None:
        return settings.live.speed
    open_ns = sum(close - start for start, close in source.session_bounds_ns)
    return max(open_ns / NS_PER_S / settings.live.wall_seconds, 1.0)


async def publish(bus: Bus, prepared: Prepared) -> None:
    """Put universe, book and configuration where every process finds them; the configuration last, as the sign."""
    await bus.put(subjects.UNIVERSE, codec.encode_universe(prepared.source.universe))
    await bus.put(subjects.BOOK, codec.encode_book(prepared.book))
    await bus.put(subjects.CONFIG, json.dumps(prepared.reference()).encode())


async def create_and_publish(
    url: str, prepared: Prepared, *, replicas: int = 1, fresh: bool = False, seed: Path | None = None
) -> None:
    """Make the streams on the NATS at ``url`` and publish, as who ``seed`` is. Raises ``Unavailable`` with the address.

    ``fresh`` begins a new run on a server that may have seen another: its record is cleared, unless a manager leads there
    (``Conflict``).
    """
    bus = await NatsBus.connect(url, "setup", seed=seed)
    try:
        await bus.create_streams(replicas=replicas)
        if fresh:
            await _refuse_if_led(bus, url)
            await bus.clear()
        await publish(bus, prepared)
    finally:
        await bus.close()


async def _refuse_if_led(bus: NatsBus, url: str) -> None:
    try:
        await bus.request(subjects.STATUS, b"", timeout_s=1.0)
    except Unavailable:
        return
    raise Conflict(f"a manager leads a run on the NATS at {url}: stop that run first, or give another --nats")

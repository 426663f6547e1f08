"""``hedgerow reconcile``: execution compares its books with the venue's, now, and says what differs.

Asked over gRPC at execution itself, so that it works with NATS and managers dead. Exit 0 where both agree, 1 with every break.
*Tested by* tests/unit/test_deploy_reconcile.py, tests/integration/test_reconcile_service.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.errors import Unavailable, UsageError
from common.execution_client import ExecutionClient
from common.security.keys import Tls
from deploy import control


def run_reconcile(target: str, as_json: bool) -> int:
    """Reconcile the run or address ``target`` and print it; 0 if both sides agree, else 1. Raises ``Unavailable``."""
    address = address_of(target)
    folder = Path(target) if target and Path(target).is_dir() else None
    tls = control.execution_tls(folder, target if target and folder is None else None)
    found = asyncio.run(_ask(address, tls))
    print(json.dumps(found) if as_json else "\n".join(lines(found)))
    return 1 if found["breaks"] else 0


def address_of(target: str) -> str:
    """Execution's host:port: ``target`` itself, or of the run folder it names; empty takes the newest run.

    Raises ``UsageError`` where it is neither, ``Unavailable`` where the run has ended.
    """
    if not target or Path(target).is_dir():
        return control.execution_address(Path(target) if target else None)
    host, _, port = target.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        raise UsageError(f"{target}: neither a run folder nor HOST:PORT of execution")
    return target


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """For people."""
    if found["not_compared"]:
        yield f"venue {found['venue']}: asked about {found['orders']:,} orders, which make {found['positions']:,} positions"
        yield f"not compared: {found['not_compared']}"
    else:
        yield (
            f"venue {found['venue']}: {found['fills']:,} fills compared, {found['orders']:,} orders open there, "
            f"{found['positions']:,} positions"
        )
    for item in found["breaks"]:
        since = datetime.fromtimestamp(item["since_wall_ns"] / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        yield f"{item['text']}; since {since}"
    for item in found["in_doubt"]:
        yield f"in doubt, it may be under way: {item['text']}"
    yield f"{len(found['breaks'])} breaks; trading is {found['state']}" if found["breaks"] else "both sides agree"


async def _ask(address: str, tls: Tls | None) -> dict[str, Any]:
    async with ExecutionClient(address, tls=tls) as client:
        await client.connect(control.ASK_TIMEOUT_S)
        found = await client.reconcile(full=True)
    if found["why_not"]:
        raise Unavailable(f"execution at {address} could not compare: {found['why_not']}")
    return found

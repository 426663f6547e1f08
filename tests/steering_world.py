"""Commands of people for tests of the manager, and what was answered."""

from __future__ import annotations

import json

from common.control_messages import Acknowledgement, Command
from manager import events as ev
from tests.manager_world import Desk


def send(
    desk: Desk, action: str, command_id: str, /, *, ok: bool = True, **arguments: object
) -> Acknowledgement | None:
    """Send a command; where execution is asked it answers ``ok``. The acknowledgement, or None where there was none."""
    order = Command(command_id, action, "ann", "test", json.dumps(arguments))
    out = desk.send(ev.CommandArrived(0, order))
    if any(isinstance(i, ev.SetTradingState) for i in out):
        out = desk.send(ev.TradingStateSet(command_id, ok, "execution says so"))
    found = [i.acknowledgement for i in out if isinstance(i, ev.Acknowledge)]
    return found[0] if found else None


def row(line: int, trade_id: str, name: str, lots: int, price: float = 10.0, **more: str) -> list[object]:
    """A row of an import: account ``a`` unless said otherwise."""
    return [
        line,
        trade_id,
        more.get("account", "a"),
        name,
        lots,
        price,
        7,
        more.get("corrects", ""),
        more.get("cancels", ""),
    ]


def bring(desk: Desk, command_id: str, *rows: list[object], dry_run: bool = False) -> Acknowledgement:
    """Import rows."""
    ack = send(desk, "book.import", command_id, file="t.csv", dry_run=dry_run, trades=list(rows))
    assert ack is not None
    return ack


def by_hand(desk: Desk, command_id: str, side: str, lots: int, at: int, limit: float | None = None) -> Acknowledgement:
    """A manual hedge in instrument ``at``."""
    name = desk.world.instrument_id[at]
    ack = send(desk, "hedge", command_id, side=side, lots=lots, instrument=name, limit=limit, desk="")
    assert ack is not None
    return ack

"""What every command to a running system has in common: its flags, how it is carried out, how its answer is shown.

*Tested by* tests/unit/test_steering_cli.py, tests/unit/test_limits_cli.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from common.errors import Refused, UsageError

RunDir = Annotated[Path | None, typer.Option("--run-dir", help="Run folder; default: the newest under runs/.")]
Nats = Annotated[str | None, typer.Option("--nats", help="NATS address; default: that of the run folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Why = Annotated[str, typer.Option("--why", help="Reason; it stands in the record.")]


def act(
    action: str,
    why: str,
    arguments: dict[str, Any],
    run_dir: Path | None,
    nats: str | None,
    as_json: bool,
    *,
    timeout_s: float | None = None,
    command_id: str | None = None,
) -> None:
    """Send one command, wait until it holds and show the answer. Raises ``Refused``, ``Unavailable`` or ``UsageError``.

    ``command_id``: an id of one's own; None makes one. ``timeout_s``: as in ``control.act``.
    """
    from dataclasses import replace

    from deploy import control

    order = control.command(action, why, arguments)
    if command_id is not None:
        if not command_id.strip():
            raise UsageError("--command-id is empty: name one, or leave it out, which makes a new one each time")
        order = replace(order, command_id=command_id)
    door = control.nats_url(run_dir, nats)
    try:
        text = control.ask(door, lambda bus: control.act(bus, order, timeout_s=timeout_s, tls=door.tls))
    except Refused as error:
        if command_id is None:
            raise
        raise Refused(f"{error}; id {command_id!r} is answered once, so that a new try needs a new one") from error
    show_done(action, order.command_id, text, as_json)


def show_done(action: str, command_id: str, text: str, as_json: bool) -> None:
    """Print what a command that was carried out says."""
    said = {"action": action, "command_id": command_id, "accepted": True, "text": text}
    print(json.dumps(said) if as_json else text)

"""``hedgerow limits``: show, set, approve, history. *Tested by* tests/unit/test_limits_cli.py."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.commands import AsJson, Nats, RunDir, Why, act

limits_app = typer.Typer(help="The risk managers' limits of a running system.", no_args_is_help=True)


@limits_app.command("show")
def show(run_dir: RunDir = None, nats: Nats = None, as_json: AsJson = False) -> None:
    """Every limit by scope with what is used and reserved of it, who set it, when and why; and what waits for approval."""
    from deploy.tables import limits_table

    view = _status(run_dir, nats)
    print(json.dumps({**view["limits"], **view["limits_log"]}) if as_json else limits_table(view))


@limits_app.command("history")
def history(run_dir: RunDir = None, nats: Nats = None, as_json: AsJson = False) -> None:
    """Who changed which limit from what to what, when and why, oldest first."""
    from deploy.tables import history_table

    view = _status(run_dir, nats)
    print(json.dumps(view["limits_log"]["history"]) if as_json else history_table(view))


@limits_app.command("set")
def set_(
    path: Annotated[str, typer.Argument(help='E.g. factor."delta:SPX".hard_usd, risk.soft_usd or flow.cost_usd')],
    value: Annotated[str, typer.Argument(help="New value; none takes an optional limit away.")],
    why: Why,
    run_dir: RunDir = None,
    nats: Nats = None,
    as_json: AsJson = False,
) -> None:
    """Change one limit; a contradiction with another is refused. A widening may wait for a second person."""
    act("limits.set", why, {"path": path, "value": number(value)}, run_dir, nats, as_json)


@limits_app.command("approve")
def approve(
    id_: Annotated[str, typer.Argument(metavar="ID", help="What `hedgerow limits set` answered, or `show` lists.")],
    why: Why = "approved",
    run_dir: RunDir = None,
    nats: Nats = None,
    as_json: AsJson = False,
) -> None:
    """Let a widening hold that somebody else asked for."""
    act("limits.approve", why, {"id": id_}, run_dir, nats, as_json)


def number(text: str) -> float | int | str:
    """A finite number as people write it, with underscores; anything else stays text, which the setting then refuses by name."""
    try:
        value: float | int = json.loads(text.replace("_", ""))
    except (ValueError, RecursionError):  # no JSON, a number of thousands of digits, thousands of brackets
        return text
    finite = type(value) is int or (isinstance(value, float) and math.isfinite(value))
    return value if finite else text


def _status(run_dir: Path | None, nats: str | None) -> dict[str, Any]:
    from deploy import control

    return control.ask(control.nats_url(run_dir, nats), control.status)

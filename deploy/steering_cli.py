"""``hedgerow pause|resume|kill|hedge`` and ``hedgerow agents|book``: what people steer a running system with.

*Tested by* tests/unit/test_steering_cli.py, tests/e2e/test_steering.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.commands import AsJson, Nats, RunDir, Why, act, show_done

agents_app = typer.Typer(help="The agents' parameters of a running system.", no_args_is_help=True)
book_app = typer.Typer(help="Client trades and books of a running system.", no_args_is_help=True)

OfUnderlying = Annotated[str | None, typer.Option("--underlying", help="Only orders on this underlying.")]
OfDesk = Annotated[str | None, typer.Option("--desk", help="Only orders for this desk.")]
OfAgent = Annotated[str | None, typer.Option("--agent", help="Only orders that serve this agent.")]
CommandId = Annotated[
    str | None, typer.Option("--command-id", help="Id of your own; a second command of the same id does nothing.")
]


def pause(
    why: Why,
    underlying: OfUnderlying = None,
    desk: OfDesk = None,
    agent: OfAgent = None,
    run_dir: RunDir = None,
    nats: Nats = None,
    as_json: AsJson = False,
) -> None:
    """No new order leaves once this is acknowledged; working orders stay. Of everything, or of one part."""
    act("pause", why, _scope(underlying, desk, agent), run_dir, nats, as_json)


def resume(
    why: Why,
    underlying: OfUnderlying = None,
    desk: OfDesk = None,
    agent: OfAgent = None,
    run_dir: RunDir = None,
    nats: Nats = None,
    as_json: AsJson = False,
) -> None:
    """Orders may leave again. It lifts only what it names: everything, or one part."""
    act("resume", why, _scope(underlying, desk, agent), run_dir, nats, as_json)


def kill(
    why: Why,
    underlying: OfUnderlying = None,
    desk: OfDesk = None,
    agent: OfAgent = None,
    run_dir: RunDir = None,
    nats: Nats = None,
    direct: Annotated[
        bool, typer.Option("--direct", help="Ask execution itself: works with NATS and manager dead.")
    ] = False,
    execution: Annotated[
        str | None, typer.Option(help="Address of execution for --direct; default: the run's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """No new order leaves and working orders are cancelled; stays so until resumed. Of everything, or of one part."""
    from common.errors import UsageError
    from deploy import control

    wanted = _scope(underlying, desk, agent)
    if not direct:
        act("kill", why, wanted, run_dir, nats, as_json)
        return
    if desk or agent:
        raise UsageError("--direct: execution knows neither desks nor agents; name an --underlying, or nothing for all")
    order = control.command("kill", why, wanted)
    address = execution or control.execution_address(run_dir)
    tls = control.execution_tls(run_dir, execution)
    text = control.kill_direct(address, order, wanted.get("scope", ""), tls)
    show_done("kill", order.command_id, text, as_json)


def hedge(
    side: Annotated[str, typer.Argument(help="BUY or SELL.")],
    lots: Annotated[int, typer.Argument(min=1, help="Whole lots.")],
    instrument: Annotated[str, typer.Argument(help="Id of the instrument, as in `hedgerow status --json`.")],
    why: Why,
    limit: Annotated[float | None, typer.Option(help="Limit in points; default: the quoted far side.")] = None,
    desk: Annotated[str, typer.Option(help="Desk it is for, where there are several.")] = "",
    command_id: CommandId = None,
    run_dir: RunDir = None,
    nats: Nats = None,
    as_json: AsJson = False,
) -> None:
    """Send an order of your own, immediate or cancel: the same checks, limits and record as every other order."""
    wanted = {"side": side.upper(), "lots": lots, "instrument": instrument, "limit": limit, "desk": desk}
    act("hedge", why, wanted, run_dir, nats, as_json, command_id=command_id)


@agents_app.command("show")
def agents_show(run_dir: RunDir = None, nats: Nats = None, as_json: AsJson = False) -> None:
    """Every parameter that can be changed live, what holds, what the run started with, and the last changes."""
    from deploy.tables import parameters_table

    found = _status(run_dir, nats)["parameters"]
    print(json.dumps(found) if as_json else parameters_table(found))


@agents_app.command("set")
def agents_set(
    path: Annotated[str, typer.Argument(help="E.g. gamma.interval_scale")],
    value: Annotated[float, typer.Argument(help="New value.")],
    why: Why,
    run_dir: RunDir = None,
    nats: Nats = None,
    as_json: AsJson = False,
) -> None:
    """Change one parameter of the agents; a contradiction is refused."""
    act("agents.set", why, {"path": path, "value": value}, run_dir, nats, as_json)


@agents_app.command("undo")
def agents_undo(
    version: Annotated[int, typer.Argument(help="The version to take back; `hedgerow agents show` lists them.")],
    why: Why,
    run_dir: RunDir = None,
    nats: Nats = None,
    as_json: AsJson = False,
) -> None:
    """Take one change of the agents' parameters back."""
    act("agents.undo", why, {"version": version}, run_dir, nats, as_json)


@book_app.command("import")
def book_import(
    file: Annotated[Path, typer.Argument(help="Trades (CSV): trade_id, account, instrument, quantity, price, ts.")],
    why: Why = "client trades",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, take nothing.")] = False,
    run_dir: RunDir = None,
    nats: Nats = None,
    as_json: AsJson = False,
) -> None:
    """Take new or corrected client trades in while hedging runs: the whole file or nothing, each trade id once."""
    from deploy.book import import_arguments

    wanted = import_arguments(file, dry_run=dry_run)
    act("book.import", why, wanted, run_dir, nats, as_json)


@book_app.command("diff")
def book_diff(
    file: Annotated[Path, typer.Argument(help="A book (CSV), as for --book.")],
    run_dir: RunDir = None,
    nats: Nats = None,
    as_json: AsJson = False,
) -> None:
    """What a book file would change against what clients hold now, by account and instrument."""
    from deploy import book, control

    url = control.nats_url(run_dir, nats)
    universe, opening = control.ask(url, control.reference_book)
    status = _status(run_dir, nats)
    lines = book.differences(file, universe, opening, status)
    print(json.dumps(book.as_json(lines, status)) if as_json else book.table(lines, status))


def _scope(underlying: str | None, desk: str | None, agent: str | None) -> dict[str, Any]:
    from common.errors import UsageError

    named = {"underlying": underlying, "desk": desk, "agent": agent}
    for head, name in named.items():
        if name is not None and not name.strip():
            raise UsageError(f"--{head} is empty; name one, or leave --{head} out for everything")
    found = [f"{head}:{name}" for head, name in named.items() if name is not None]
    if len(found) > 1:
        raise UsageError(f"name one part at a time, not {', '.join(found)}")
    return {"scope": found[0]} if found else {}


def _status(run_dir: Path | None, nats: str | None) -> dict[str, Any]:
    from deploy import control

    return control.ask(control.nats_url(run_dir, nats), control.status)

"""The command ``hedgerow``. Exit codes: ``common/errors.py``.

Only argument handling stands here; what a command does stands in a module of its own, imported when it is called, so that
``hedgerow status`` does not wait for Ray. *Tested by* tests/unit/test_cli.py, tests/e2e.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from common.errors import HedgerowError
from deploy.commands import AsJson, Nats, RunDir, Why, act
from deploy.execution_cli import execution_app
from deploy.limits_cli import limits_app
from deploy.risk_cli import risk
from deploy.security_cli import audit_app, certs
from deploy.steering_cli import agents_app, book_app, hedge, kill, pause, resume

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
config_app = typer.Typer(help="Settings.", no_args_is_help=True)
bench_app = typer.Typer(help="Measure what the project claims.", invoke_without_command=True)
app.add_typer(limits_app, name="limits")
app.add_typer(config_app, name="config")
app.add_typer(agents_app, name="agents")
app.add_typer(book_app, name="book")
app.add_typer(audit_app, name="audit-log")
app.add_typer(execution_app, name="execution")
app.command()(risk)
app.command()(certs)
for _steer in (pause, resume, kill, hedge):
    app.command()(_steer)

MarketName = Annotated[str | None, typer.Option(help="demo, es-options, a recording, or a quote file.")]
DataDir = Annotated[Path | None, typer.Option("--data", help="Folder with market data files.")]
BookFile = Annotated[Path | None, typer.Option("--book", help="Opening book (CSV).")]
DesksFile = Annotated[Path | None, typer.Option("--desks", help="Desks: which accounts are hedged together (TOML).")]
LimitsFile = Annotated[Path | None, typer.Option("--limits", help="Limits (TOML).")]
Seed = Annotated[int | None, typer.Option(help="Seed of what is modelled.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings (TOML).")]


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"hedgerow {version('hedgerow')}")
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    """Keeps an options book hedged: agents, a manager, an execution service."""


def _settings(config: Path | None, **flags: Any) -> Any:
    from deploy.config import load

    return load(config, {key.replace("__", "."): value for key, value in flags.items()})


def _emit(value: Any, as_json: bool, text: str) -> None:
    print(json.dumps(value) if as_json else text)


@app.command()
def live(
    market: MarketName = None,
    data: DataDir = None,
    book: BookFile = None,
    desks: DesksFile = None,
    limits: LimitsFile = None,
    seed: Seed = None,
    config: ConfigFile = None,
    speed: Annotated[float | None, typer.Option(help="Market seconds per wall second.")] = None,
    duration_s: Annotated[
        float | None, typer.Option(help="Wall seconds after which to end; default: at the end.")
    ] = None,
    no_hedge: Annotated[bool, typer.Option("--no-hedge", help="Watch the book without trading.")] = False,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Skip the baselines and the report at the end.")
    ] = False,
    run_dir: RunDir = None,
    venue: Annotated[
        str | None,
        typer.Option(
            help="paper (inside execution, the default), paper-process (its own process and file) or fix (a FIX 4.4 venue)."
        ),
    ] = None,
    nats: Annotated[str | None, typer.Option(help="External NATS; default: an embedded one.")] = None,
    ray: Annotated[str | None, typer.Option(help="External Ray address; default: an embedded one.")] = None,
) -> None:
    """Hedge a book: start every part, watch it, write the report. Ctrl-C stops cleanly."""
    from deploy.live import run_live
    from deploy.setup import check_reachable

    settings = _settings(
        config,
        market__name=market,
        market__data=data,
        market__demo__seed=seed,
        book=book,
        desks=desks,
        limits=limits,
        live__speed=speed,
        live__duration_s=duration_s,
        live__nats_url=nats,
        live__ray_address=ray,
        execution__venue=venue,
        manager__netting="none" if no_hedge else None,
    )
    asyncio.run(check_reachable(settings))
    raise typer.Exit(run_live(settings, run_dir, report=not no_report))


@app.command()
def chaos(
    minutes: Annotated[float, typer.Option(help="How long to strike; 0.5 to 1440.")],
    seed: Annotated[int, typer.Option(help="Decides what is struck, when and how; 0 to 4294967295.")],
    market: MarketName = None,
    data: DataDir = None,
    book: BookFile = None,
    limits: LimitsFile = None,
    config: ConfigFile = None,
    speed: Annotated[float | None, typer.Option(help="Market seconds per wall second.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder; default: a new one under runs/.")] = None,
) -> None:
    """Kill and freeze every part of a live run, then audit every promise from the venue's own file."""
    # Read when gRPC is imported: children are started while the probes talk gRPC, which complains of every fork.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    from deploy.chaos import run_chaos

    flags = {"market.name": market, "market.data": data, "book": book, "limits": limits, "live.speed": speed}
    raise typer.Exit(run_chaos(minutes, seed, out, flags, config))


@app.command()
def audit(
    run_folder: Annotated[Path, typer.Argument(help="Folder of a run that has ended.")], as_json: AsJson = False
) -> None:
    """Check every promise of a finished run from what it left; exit 0 if clean, 1 with each violation."""
    from deploy.audit import run_audit

    raise typer.Exit(run_audit(run_folder, as_json))


@app.command()
def reconcile(
    run: Annotated[
        str, typer.Argument(metavar="RUN|ADDRESS", help="Run folder or HOST:PORT; default: the newest run.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Compare execution's fills, orders and positions with the venue's, now; exit 1 with each break."""
    from deploy.reconcile import run_reconcile

    raise typer.Exit(run_reconcile(run, as_json))


@app.command()
def tca(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run that has ended.")],
    by: Annotated[str, typer.Option(help="order, agent, underlying, hour or tactic.")] = "agent",
    write: Annotated[
        Path | None, typer.Option(help="Write the fitted cost model here, for [manager] cost_model.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the picture.")] = None,
    as_json: AsJson = False,
) -> None:
    """What the orders of a finished run cost against the mid at the decision, and what each part of it was."""
    from deploy.tca import run_tca

    raise typer.Exit(run_tca(run, by, as_json, write, out))


@app.command()
def replay(
    source: Annotated[str, typer.Argument(help="A run folder, a recording, a quote file, demo or es-options.")],
    data: DataDir = None,
    book: BookFile = None,
    desks: DesksFile = None,
    limits: LimitsFile = None,
    seed: Seed = None,
    config: ConfigFile = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Split quote batches to at most this many quotes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the same cores in process under a virtual clock; print the order hash. A recorded run must match itself."""
    from deploy.replay import run_replay

    settings = _settings(
        config,
        market__name=source,
        market__data=data,
        market__demo__seed=seed,
        book=book,
        desks=desks,
        limits=limits,
    )
    raise typer.Exit(run_replay(Path(source), settings, batch, as_json))


@app.command()
def status(run_dir: RunDir = None, nats: Nats = None, as_json: AsJson = False) -> None:
    """What the system holds, wants and does now."""
    from console.projections import view_of
    from deploy import control

    view = control.ask(control.nats_url(run_dir, nats), control.status)
    if as_json:
        print(json.dumps(view))
        return
    from rich.console import Console

    from console.view import render
    from deploy.tables import believed_lines, budgets_table, pnl_table

    console = Console()
    seen = view_of(view)
    console.print(render(seen, console.width, 200))
    if seen.state != "ACTIVE":  # the screen's first line ends where the terminal does
        console.print(f"{seen.state}: {seen.why}", highlight=False)
    console.print(pnl_table(view), highlight=False)
    console.print(budgets_table(view), highlight=False)
    for line in believed_lines(view):
        console.print(line, highlight=False)


@app.command()
def scale(
    kind: Annotated[str, typer.Argument(help="gamma, vega or cross_asset.")],
    n: Annotated[int, typer.Argument(min=1, max=64, help="Shards wanted.")],
    why: Why = "scaled by hand",
    run_dir: RunDir = None,
    nats: Nats = None,
    as_json: AsJson = False,
) -> None:
    """Run N shards of a kind; keys move while hedging goes on."""
    from common.errors import UsageError
    from common.factors import KINDS
    from deploy.control import SCALE_TIMEOUT_S

    name = kind.replace("-", "_")
    if name not in KINDS:
        raise UsageError(f"no agent kind {kind!r}; known: {', '.join(KINDS)}")
    act("scale", why, {"kind": name, "n": n}, run_dir, nats, as_json, timeout_s=SCALE_TIMEOUT_S)


@app.command()
def restart(
    part: Annotated[str, typer.Argument(help="agents, a kind, an agent, manager, leader, execution or feed.")],
    why: Why,
    run_dir: RunDir = None,
    nats: Nats = None,
    as_json: AsJson = False,
) -> None:
    """Restart a part while hedging goes on: cleanly, one at a time, acknowledged when it works again."""
    from deploy.restart import TIMEOUT_S, action_of

    action, name = action_of(part)
    act(action, why, {"part": name}, run_dir, nats, as_json, timeout_s=TIMEOUT_S)


@app.command()
def story(
    order: Annotated[str, typer.Argument(help="client_order_id or the start of one; 'last' for the newest.")],
    run_dir: RunDir = None,
    nats: Nats = None,
    as_json: AsJson = False,
) -> None:
    """Why an order exists: from the quote to the fill."""
    from deploy.story import tell

    told = tell(order, run_dir, nats)
    _emit(told.as_json(), as_json, told.text())


@config_app.command("schema")
def config_schema() -> None:
    """Every setting with its unit, default and meaning, as JSON Schema."""
    from deploy.config import RunConfig

    print(json.dumps(RunConfig.model_json_schema(), indent=2))


@config_app.command("show")
def config_show(config: ConfigFile = None) -> None:
    """The settings as they resolve from file, environment and defaults."""
    print(_settings(config).model_dump_json(indent=2))


@config_app.command("check")
def config_check(
    market: MarketName = None,
    data: DataDir = None,
    book: BookFile = None,
    desks: DesksFile = None,
    limits: LimitsFile = None,
    config: ConfigFile = None,
) -> None:
    """Read settings, market, book and limits as `live` would, start nothing, and say what they hold."""
    from deploy.setup import prepare

    settings = _settings(config, market__name=market, market__data=data, book=book, desks=desks, limits=limits)
    found = prepare(settings, "check")
    universe = found.source.universe
    print(f"market {settings.market.name}: {len(universe)} instruments on {', '.join(universe.symbols)}")
    print(f"book {found.book.book_id}: {len(found.book.instrument)} positions")
    for desk in found.book.desks:
        print(f"desk {desk.name} of {desk.legal_entity}: accounts {', '.join(desk.accounts)}")
    print(f"limits version {found.limits.version} by {found.limits.who}: {found.limits.why}")


@app.command()
def bench(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A bench id, its prefix, 'list' or 'all'.")] = "all",
    as_json: AsJson = False,
    data: DataDir = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the table and the picture.")] = None,
) -> None:
    """Measure a claimed figure again; exit 0 only if every row holds."""
    from benchmarks.run import run_bench

    raise typer.Exit(run_bench(id_, as_json, data, out))


@app.command()
def simulate(
    seeds: Annotated[str, typer.Option(help="Seeds A..B, both included.", show_default="0..99")] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="This seed alone; on a failure with what led to it.")] = None,
    story: Annotated[bool, typer.Option("--story", help="With --seed: every line of the run.")] = False,
    plant: Annotated[str, typer.Option(help="Plant a mistake by name, to see it caught.")] = "",
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 2,
) -> None:
    """Run the live code under a virtual clock with faults decided by a seed; every promise is watched."""
    from deploy.simulate import run_simulate

    raise typer.Exit(run_simulate(seeds, seed, story, plant, jobs))


@app.command(hidden=True)
def role(name: str, run_dir: RunDir = None, nats: Nats = None, member: str = "") -> None:
    """Run one part as a process of its own (used by the launcher, compose and Kubernetes)."""
    from deploy.roles import run_role

    raise typer.Exit(run_role(name, run_dir, nats, member))


def main() -> None:
    """Entry point of ``hedgerow``: one clear line for every error, with its documented exit code."""
    # What the bus logs of a lost connection is said by the error that follows; a role sets up logging of its own.
    logging.getLogger("hedgerow.bus").addHandler(logging.NullHandler())
    try:
        app()
    except HedgerowError as error:
        print(f"hedgerow: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

"""The flags of ``hedgerow risk``; what it does stands in ``deploy/risk.py``. *Tested by* tests/e2e/test_risk_cli.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Market = Annotated[
    str | None, typer.Option(help="demo, es-options, a recording, a CSV of quotes, or a chain file with --profile.")
]
RunDir = Annotated[
    Path | None, typer.Option("--run-dir", help="Run folder: its market, book, fills and working orders.")
]
LimitsFile = Annotated[
    Path | None, typer.Option(help="Limits (TOML): use of each, and the smallest move that breaks it.")
]
_SPOT = "-15,-10,-5,0,5,10,15"
_VOL = "-30,-20,-10,0,10,20,30"


def risk(
    book: Annotated[Path | None, typer.Argument(help="Book (CSV); a run or recording brings its own.")] = None,
    market: Market = None,
    data: Annotated[Path | None, typer.Option("--data", help="Folder with market data files.")] = None,
    at: Annotated[str | None, typer.Option(help="ISO time with its offset; default: see docs/risk.md.")] = None,
    profile: Annotated[str | None, typer.Option(help="Layout of a chain file: yahoo, deribit, custom, auto, …")] = None,
    mapping: Annotated[Path | None, typer.Option(help="Mapping file of profile custom.")] = None,
    contracts: Annotated[Path | None, typer.Option(help="Terms of roots that are not built in (TOML).")] = None,
    quarantine: Annotated[Path | None, typer.Option(help="Set bad chain rows aside here and use the others.")] = None,
    rate: Annotated[float | None, typer.Option(help="Discount rate per year, for chains of American options.")] = None,
    orders: Annotated[
        Path | None, typer.Option(help="Working orders (CSV: instrument, side, quantity, price).")
    ] = None,
    run_dir: RunDir = None,
    grid: Annotated[bool, typer.Option("--grid", help="P&L on a grid of spot and volatility moves.")] = False,
    grid_spot: Annotated[str, typer.Option(help="Spot moves of the grid, per cent.")] = _SPOT,
    grid_vol: Annotated[str, typer.Option(help="Volatility moves of the grid: per cent, or points by rule.")] = _VOL,
    vol_rule: Annotated[str, typer.Option(help="relative, points or sqrt-time (points at 30 days).")] = "relative",
    smile: Annotated[
        str, typer.Option(help="sticky-strike, sticky-moneyness or a skew-stickiness ratio.")
    ] = "sticky-strike",
    betas: Annotated[
        str | None, typer.Option(help="Betas to the common move: SPX=1,IXIC=1.2; 1 where not given.")
    ] = None,
    days: Annotated[float, typer.Option(min=0.0, help="Calendar days that pass in every cell of the grid.")] = 0.0,
    var: Annotated[bool, typer.Option("--var", help="Value at risk and expected shortfall.")] = False,
    level: Annotated[float, typer.Option(help="Level of VaR and expected shortfall.")] = 0.99,
    history: Annotated[str, typer.Option(help="daily, hourly, or a CSV: date, closes, vol:UNDERLYING.")] = "daily",
    periods: Annotated[int, typer.Option(min=100, help="Periods of history.")] = 1000,
    stress: LimitsFile = None,
    loss_usd: Annotated[
        float | None, typer.Option(help="With --stress: also the smallest move that loses this.")
    ] = None,
    farthest: Annotated[float, typer.Option(min=0.5, max=30.0, help="Standard deviations to search.")] = 8.0,
    depth: Annotated[str, typer.Option(help="Deepest rung: underlying, bucket or contract.")] = "contract",
    out: Annotated[Path | None, typer.Option(help="Folder for pictures (PNG) and risk.json.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What a book risks: ladder by underlying, expiry and contract, before and after working orders; grid, VaR, stress."""
    from deploy.risk import Wanted, parse_at, parse_rate, run_risk, settings_of
    from deploy.risk_inputs import Request

    settings = settings_of(
        grid_spot=grid_spot,
        grid_vol=grid_vol,
        vol_rule=vol_rule,
        smile=smile,
        betas=betas,
        days=days,
        level=level,
        history=history,
        periods=periods,
        farthest=farthest,
        loss_usd=loss_usd,
    )
    request = Request(
        book, market, data, parse_at(at), profile, mapping, contracts, quarantine, orders, run_dir, parse_rate(rate)
    )
    raise typer.Exit(run_risk(request, settings, Wanted(grid, var, stress, out, as_json, depth)))

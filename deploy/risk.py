"""``hedgerow risk``: the ladder of a book, before and after working orders; on request grid, VaR and reverse stress.

Tables on the terminal, PNG pictures and ``risk.json`` with ``--out DIR``, one JSON object with ``--json``. Reads only; asks
a live run for its record at most. docs/risk.md shows every table, picture and key.
*Tested by* tests/e2e/test_risk_cli.py, tests/unit/test_risk_cli_report.py.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from common.books import parse_time
from common.errors import UsageError
from common.limits import Limits, load_limits
from common.messages import F64
from common.risk.ladder import LEVELS
from common.risk.scenarios import Rules
from common.surfaces.dynamics import STICKY_MONEYNESS, STICKY_STRIKE
from common.units import NS_PER_S, NS_PER_US
from console.ladder import render
from deploy.compiling import announce_compiling
from deploy.progress import Progress
from deploy.risk_inputs import Request, gather
from deploy.risk_report import base_report, limit_lines, positions_of
from deploy.risk_scenarios import Settings, grid_report, read_history, stress_report, var_report

_SMILES = {"sticky-strike": STICKY_STRIKE, "sticky-moneyness": STICKY_MONEYNESS}
_WIDTH = 160
#: Times are read between these years, as in files (docs/FILES.md).
_FIRST_YEAR, _LAST_YEAR = 1980, 2200
#: Largest move of a grid (100 times), days that pass in it, and rate: beyond is a slip of the keyboard.
_LARGEST_MOVE, _MOST_DAYS, _LARGEST_RATE = 100.0, 36_500.0, 1.0


@dataclass(frozen=True)
class Wanted:
    """What to show. ``limits``: file for limits and reverse stress; ``out``: folder for pictures and risk.json."""

    grid: bool = False
    var: bool = False
    limits: Path | None = None
    out: Path | None = None
    as_json: bool = False
    depth: str = "contract"


def run_risk(request: Request, settings: Settings, wanted: Wanted) -> int:
    """Compute and show; 0. Raises the errors of ``common/errors.py`` before anything is printed or written."""
    if wanted.depth not in LEVELS[1:]:
        raise UsageError(f"--depth {wanted.depth!r} is none of {', '.join(LEVELS[1:])}")
    if settings.loss_usd is not None and wanted.limits is None:
        raise UsageError("--loss-usd is searched for by the reverse stress: give --stress LIMITS.toml too")
    if wanted.out is not None:
        _check_writable(wanted.out)
    limits = None if wanted.limits is None else load_limits(wanted.limits)
    announce_compiling()
    with Progress(sys.stderr) as progress:
        report = _compute(request, settings, wanted, limits, progress)
    files = [] if wanted.out is None else _write(report, wanted.out)
    if wanted.as_json:
        print(json.dumps(report, allow_nan=False))
    else:
        console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
        console.print(render(report, console.width))
        for path in files:
            console.print(f"written: {path}", highlight=False)
    return 0


def _compute(
    request: Request, settings: Settings, wanted: Wanted, limits: Limits | None, progress: Progress
) -> dict[str, Any]:
    inputs = gather(request, progress)
    progress("book", 0.0)
    positions = positions_of(inputs)
    _check_betas(settings, positions.symbols, wanted.grid)
    report = base_report(inputs, positions, LEVELS.index(wanted.depth))
    history = read_history(positions, settings, request.data_dir) if wanted.var or limits is not None else None
    if limits is not None:
        report["limits"] = limit_lines(positions, limits, settings.betas(positions.symbols))
    if wanted.grid:
        report["grid"] = grid_report(positions, settings, progress)
    if wanted.var and history is not None:
        report["var"] = var_report(positions, settings, history, progress)
    if limits is not None and history is not None:
        report["stress"] = stress_report(positions, settings, limits, history, progress)
    return report


def _check_betas(settings: Settings, symbols: tuple[str, ...], grid: bool) -> None:
    strangers = sorted(set(settings.beta) - set(symbols))
    if strangers:
        raise UsageError(f"--betas names {', '.join(strangers)}, the book holds {', '.join(symbols) or 'nothing'}")
    for symbol, beta in zip(symbols, settings.betas(symbols), strict=True):
        if grid and (beta * settings.spot_moves <= -1.0).any():
            raise UsageError(f"--betas: {symbol} would lose 100 % or more at beta {beta:g} and these --grid-spot moves")


def _check_writable(folder: Path) -> None:
    """Raises ``UsageError`` before anything is computed if ``folder`` can neither be made nor be written to."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"--out {folder} cannot be written: {there} is a file; name a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"--out {folder} cannot be written: no permission in {there}; name another folder")


def _write(report: dict[str, Any], folder: Path) -> list[Path]:
    """Pictures and risk.json, each whole or not at all. Raises ``UsageError`` if the folder cannot be written."""
    from lab import risk_pictures  # matplotlib, only where pictures are wanted

    title = f"{report['book']['name']}, {report['at']}"
    pictures = {"ladder.png": risk_pictures.ladder_picture(report)}
    if "grid" in report:
        pictures["grid.png"] = risk_pictures.grid_picture(report["grid"], title)
    if "var" in report:
        pictures["var.png"] = risk_pictures.var_picture(report["var"], title)
    files = pictures | {"risk.json": (json.dumps(report, indent=1, allow_nan=False) + "\n").encode()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            whole = folder / f".{name}.part"
            try:
                whole.write_bytes(data)
                whole.replace(folder / name)
            finally:
                whole.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder} cannot be written: {error.strerror}; name another folder") from None
    return [folder / name for name in files]


def parse_at(text: str | None) -> int | None:
    """UTC ns of ``--at``. Raises ``UsageError`` unless it is an ISO time with its offset, between 1980 and 2200."""
    if text is None:
        return None
    try:
        moment = parse_time(text, "--at")
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not _FIRST_YEAR <= moment.year < _LAST_YEAR:
        raise UsageError(f"--at {text!r} is not between {_FIRST_YEAR} and {_LAST_YEAR}")
    return int(moment.replace(microsecond=0).timestamp()) * NS_PER_S + moment.microsecond * NS_PER_US


def parse_moves(text: str, flag: str) -> F64:
    """Shares (m,) of a list of per cent: "-10,0,10". Raises ``UsageError`` for what is no list of numbers above -100."""
    try:
        moves = np.array([float(part) for part in text.split(",")]) / 100.0
    except ValueError:
        raise UsageError(f"{flag} {text!r} is not a list of numbers like -10,-5,0,5,10") from None
    if not (np.abs(moves) <= _LARGEST_MOVE).all() or (flag == "--grid-spot" and (moves <= -1.0).any()):
        raise UsageError(f"{flag} {text!r}: a spot cannot lose 100 % or more, nor anything move by over 10,000")
    return moves


def parse_rate(rate: float | None) -> float | None:
    """Rate per year of ``--rate``. Raises ``UsageError`` beyond ±1: a rate in per cent is a slip."""
    if rate is not None and not abs(rate) <= _LARGEST_RATE:
        raise UsageError(f"--rate {rate:g} is not a rate per year between -1 and 1, like 0.04")
    return rate


def parse_smile(text: str) -> float:
    """Skew-stickiness ratio of ``--smile``: a name or the ratio itself. Raises ``UsageError`` for neither."""
    if text in _SMILES:
        return _SMILES[text]
    try:
        ratio = float(text)
    except ValueError:
        ratio = float("nan")
    if not -5.0 <= ratio <= 5.0:
        raise UsageError(f"--smile {text!r} is neither {', '.join(_SMILES)} nor a skew-stickiness ratio from -5 to 5")
    return ratio


def parse_betas(text: str | None) -> dict[str, float]:
    """Betas of ``--betas SPX=1,IXIC=1.2``. Raises ``UsageError`` for anything else."""
    found: dict[str, float] = {}
    for part in (text or "").split(","):
        name, equals, value = part.partition("=")
        if not part:
            continue
        try:
            found[name.strip()] = float(value) if equals else float("nan")
        except ValueError:
            found[name.strip()] = float("nan")
        if not np.isfinite(found[name.strip()]):
            raise UsageError(f"--betas {text!r} is not a list like SPX=1,IXIC=1.2")
    return found


def settings_of(
    *,
    grid_spot: str,
    grid_vol: str,
    vol_rule: str,
    smile: str,
    betas: str | None,
    days: float,
    level: float,
    history: str,
    periods: int,
    farthest: float,
    loss_usd: float | None,
) -> Settings:
    """Settings from the flags. Raises ``UsageError`` that names the flag."""
    if vol_rule not in ("points", "relative", "sqrt-time"):
        raise UsageError(f"--vol-rule {vol_rule!r} is none of points, relative, sqrt-time")
    if not 0.5 <= level < 1.0:
        raise UsageError(f"--level {level:g} is not a share of at least 0.5 and below 1, like 0.99")
    if not 0.0 <= days <= _MOST_DAYS:
        raise UsageError(f"--days {days:g} is not between 0 and {_MOST_DAYS:g}")
    if loss_usd is not None and not 0.0 < loss_usd < np.inf:
        raise UsageError(f"--loss-usd {loss_usd:g} is not an amount above 0")
    return Settings(
        spot_moves=parse_moves(grid_spot, "--grid-spot"),
        vol_moves=parse_moves(grid_vol, "--grid-vol"),
        rules=Rules(vol=vol_rule, stickiness=parse_smile(smile)),  # type: ignore[arg-type]
        smile=smile if smile in _SMILES else f"skew-stickiness ratio {smile}",
        beta=parse_betas(betas),
        days=days,
        level=level,
        history=history,
        periods=periods,
        farthest=farthest,
        loss_usd=loss_usd,
    )

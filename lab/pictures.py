"""The pictures of a report as PNG bytes; drawn on figures of their own, never through pyplot's global state.

*Tested by* tests/simulation/test_closed_loop_report.py.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from common.factors import unit_of
from common.messages import F64, I64
from common.units import CENTS_PER_USD, NS_PER_MIN
from common.universe import Universe
from lab.baselines import Outcome
from lab.exposures import ExposurePaths
from lab.fills import external_cost_cents, spread_half_cents
from lab.pnl import HALF_CENTS_PER_USD, PnlPath

#: Okabe and Ito's palette, told apart by every eye.
COLOURS = {
    "hedged": "#0072B2",
    "live": "#0072B2",
    "joint": "#0072B2",
    "delta_only": "#E69F00",
    "unhedged": "#D55E00",
    "plain": "#009E73",
    "alone": "#CC79A7",
}
NAMES = {
    "delta_only": "delta only",
    "unhedged": "unhedged",
    "joint": "joint",
    "plain": "plain netting",
    "alone": "alone",
}
_FACTORS_MAX = 24


def pnl_picture(pnl: Mapping[str, PnlPath], hedged: str) -> bytes:
    """P&L paths: all, and the hedged ones alone below, on the grid (sessions side by side, nights as one step)."""
    figure = Figure(figsize=(10, 6.2), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    for axes, names in ((top, ("unhedged", "delta_only", hedged)), (bottom, ("delta_only", hedged))):
        for name in names:
            if name in pnl:
                path = pnl[name]
                label = "hedged" if name == hedged else NAMES.get(name, name)
                axes.plot(path.total, color=COLOURS.get(name, "#0072B2"), label=label, linewidth=1.5)
        axes.axhline(0.0, color="#999999", linewidth=0.6)
        axes.yaxis.set_major_formatter(FuncFormatter(short))
        axes.set_ylabel("P&L, USD")
        axes.legend(loc="best", frameon=False, fontsize=9)
    top.set_title("Profit and loss of the whole position since the open", loc="left", fontsize=11)
    bottom.set_title("The same without the unhedged book", loc="left", fontsize=11)
    _days(bottom, pnl[hedged].times_ns, pnl[hedged].session)
    return png(figure)


def exposure_picture(paths: ExposurePaths) -> bytes:
    """One panel a factor: the exposure as a line, its interval as a band."""
    count = min(len(paths.factor), _FACTORS_MAX)
    columns = 3 if count > 4 else 2
    rows = max(-(-count // columns), 1)
    figure = Figure(figsize=(10, 1.75 * rows + 0.5), layout="constrained")
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    hours = _open_hours(paths)
    for k, axes in enumerate(cells):
        if k >= count:
            axes.axis("off")
            continue
        low, high = paths.lower[:, k], paths.upper[:, k]
        axes.fill_between(hours, low, high, step="post", color="#0072B2", alpha=0.22, linewidth=0)
        axes.step(hours, paths.exposure[:, k], where="post", color="#333333", linewidth=0.7)
        axes.set_title(f"{paths.factor[k]}, {unit_of(paths.factor[k])}", loc="left", fontsize=8)
        axes.yaxis.set_major_formatter(FuncFormatter(short))
        axes.tick_params(labelsize=7)
        _limits(axes, paths.exposure[:, k], low, high)
    figure.supxlabel("hours of open market", fontsize=8)
    return png(figure)


def cost_picture(outcomes: Mapping[str, Outcome], universe: Universe) -> bytes:
    """Bars of spread and fees for joint, plain, alone; beside them the cost as it grew."""
    modes = [m for m in ("joint", "plain", "alone") if m in outcomes]
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    bars, lines = figure.subplots(1, 2)
    spread = [spread_half_cents(outcomes[m].fills, universe).sum() / HALF_CENTS_PER_USD for m in modes]
    fees = [outcomes[m].fills.fee_cents.sum() / CENTS_PER_USD for m in modes]
    colours = [COLOURS[m] for m in modes]
    at = np.arange(len(modes))
    bars.bar(at, spread, color=colours, label="spread")
    bars.bar(at, fees, bottom=spread, color=colours, alpha=0.45, hatch="//", label="fees")
    for k, mode in enumerate(modes):
        total = external_cost_cents(outcomes[mode].fills, universe) / CENTS_PER_USD
        bars.annotate(f"{total:,.0f}", (k, total), ha="center", va="bottom", fontsize=9)
    bars.set_xticks(at, [NAMES[m] for m in modes])
    bars.set_title("External cost, USD (hatched: fees)", loc="left", fontsize=11)
    for mode in modes:
        fills = outcomes[mode].fills
        cost = np.cumsum(spread_half_cents(fills, universe) / HALF_CENTS_PER_USD + fills.fee_cents / CENTS_PER_USD)
        lines.plot(np.arange(len(cost)), cost, color=COLOURS[mode], label=NAMES[mode])
    lines.set_title("Cost against number of fills", loc="left", fontsize=11)
    lines.legend(frameon=False, fontsize=9)
    for axes in (bars, lines):
        axes.yaxis.set_major_formatter(FuncFormatter(short))
    return png(figure)


def latency_picture(waits_ms: F64) -> bytes:
    """Histogram of tick to decision on a logarithmic scale, with median and 99th percentile."""
    figure = Figure(figsize=(10, 2.8), layout="constrained")
    axes = figure.subplots()
    low, high = max(float(waits_ms.min()), 1e-2), float(waits_ms.max()) * 1.01 + 1e-2
    axes.hist(np.maximum(waits_ms, low), bins=list(np.geomspace(low, high, 60)), color="#0072B2")
    axes.set_xscale("log")
    for q, style in ((50, "-"), (99, "--")):
        value = float(np.percentile(waits_ms, q))
        axes.axvline(value, color="#D55E00", linestyle=style, label=f"p{q} {value:.2f} ms")
    axes.set_xlabel("milliseconds of wall time from the tick's entry to the decision")
    axes.set_ylabel("decisions")
    axes.legend(frameon=False, fontsize=9)
    return png(figure)


def _open_hours(paths: ExposurePaths) -> F64:
    """Hours of open market passed at each row."""
    return np.concatenate([[0.0], np.cumsum(paths.weight_s)[:-1]]) / 3600.0 if len(paths.weight_s) else np.empty(0)


def _limits(axes: Any, exposure: F64, low: F64, high: F64) -> None:
    """Let the band fill most of the panel; a spike beyond five half-widths leaves it."""
    if not np.isfinite(exposure).any():
        return
    half = float(np.nanmedian(high - low)) / 2.0
    edge = max(float(np.nanpercentile(np.abs(exposure), 99.0)), float(np.nanmax(np.abs(np.r_[low, high]))))
    reach = min(1.1 * edge, 5.0 * half) if half > 0 else 1.1 * edge
    if reach > 0:
        axes.set_ylim(-reach, reach)


def _days(axes: Any, times_ns: I64, session: I64) -> None:
    first = np.flatnonzero(np.append(True, np.diff(session) > 0))
    labels = [str(np.datetime64(int(times_ns[i]), "ns"))[5:10] for i in first]
    axes.set_xticks(first, labels, fontsize=8)
    axes.set_xlabel(f"session (grid of {round(np.median(np.diff(times_ns)) / NS_PER_MIN):.0f} minutes)", fontsize=9)
    for i in first[1:]:
        axes.axvline(i - 0.5, color="#dddddd", linewidth=0.6)


def short(value: float, _: object = None) -> str:
    """A number of an axis in few characters: 12k, 3.4M."""
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


def png(figure: Figure) -> bytes:
    """The figure as bytes, without the lines nobody needs."""
    for axes in figure.axes:
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    FigureCanvasAgg(figure)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=120, facecolor="white")
    return out.getvalue()


def names(order: Sequence[str]) -> list[str]:
    """Names of runs as people read them."""
    return [NAMES.get(name, name) for name in order]

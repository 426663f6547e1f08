"""The pictures of ``hedgerow risk`` as PNG bytes, from the same report as its tables and JSON (docs/risk.md).

*Tested by* tests/unit/test_risk_ladder_pictures.py.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

#: Okabe and Ito's palette, told apart by every eye.
_BEFORE, _AFTER, _MARK = "#0072B2", "#E69F00", "#D55E00"
PANELS: Final = (
    ("delta_usd", "delta, USD"),
    ("gamma_usd_per_pct", "gamma, USD of delta per 1 %"),
    ("vega_usd_per_point", "vega, USD per vol point"),
    ("theta_usd_per_day", "theta, USD per day"),
    ("vanna_usd_per_point_per_pct", "vanna, USD per point per 1 %"),
    ("volga_usd_per_point2", "volga, USD per point²"),
)
_BUCKET_DEPTH = 2


def ladder_picture(report: Mapping[str, Any]) -> bytes:
    """Bars by underlying and expiry bucket, one panel a figure; beside them after working orders where there are any."""
    labels, before, after = _buckets(report["ladder"])
    ordered = bool(report["orders"])
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    at = np.arange(len(labels))
    for axes, (key, title) in zip(figure.subplots(3, 2).ravel(), PANELS, strict=True):
        width = 0.4 if ordered else 0.75
        axes.bar(at - (width / 2 if ordered else 0.0), [x[key] for x in before], width, color=_BEFORE, label="book")
        if ordered:
            bars = [x[key] for x in after]
            axes.bar(at + width / 2, bars, width, color=_AFTER, hatch="//", label="after working orders")
        axes.axhline(0.0, color="#999999", linewidth=0.6)
        axes.set_title(title, loc="left", fontsize=9)
        axes.set_xticks(at, labels, rotation=60, ha="right", fontsize=6 if len(labels) > 12 else 7)
        axes.yaxis.set_major_formatter(FuncFormatter(short))
        axes.tick_params(axis="y", labelsize=7)
    if ordered:
        figure.axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle(f"{report['book']['name']}, {report['at']}", x=0.01, ha="left", fontsize=11)
    return _png(figure)


def _buckets(lines: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[Any], list[Any]]:
    labels, before, after, underlying = [], [], [], ""
    for line in lines:
        if line["depth"] == _BUCKET_DEPTH - 1:
            underlying = line["name"]
        elif line["depth"] == _BUCKET_DEPTH:
            labels.append(f"{underlying} {line['name']}")
            before.append(line["before"])
            after.append(line["after"])
    return labels, before, after


def grid_picture(grid: Mapping[str, Any], title: str) -> bytes:
    """Heat map of P&L over spot and volatility moves with the number in each cell; blue gains, red losses, 0 white."""
    pnl = np.array(grid["pnl_usd"])
    s, v = pnl.shape
    figure = Figure(figsize=(1.6 + 0.95 * v, 1.6 + 0.42 * s), layout="constrained")
    axes = figure.subplots()
    edge = max(float(np.abs(pnl).max()), 1.0)
    axes.imshow(pnl, cmap="RdBu", norm=TwoSlopeNorm(0.0, -edge, edge), aspect="auto", origin="lower")
    for i in range(s):
        for j in range(v):
            colour = "white" if abs(pnl[i, j]) > 0.6 * edge else "black"
            axes.text(j, i, short(pnl[i, j]), ha="center", va="center", fontsize=8, color=colour)
    relative = grid["vol_rule"] == "relative"
    unit = "%" if relative else "pt"
    axes.set_xticks(np.arange(v), [f"{100 * x:+g} {unit}" for x in grid["vol_moves"]], fontsize=8)
    axes.set_yticks(np.arange(s), [f"{100 * x:+g} %" for x in grid["spot_moves"]], fontsize=8)
    axes.set_xlabel(f"volatility ({grid['vol_rule']}), {grid['smile']}", fontsize=9)
    axes.set_ylabel("spot", fontsize=9)
    axes.set_title(f"P&L, USD: {title}", loc="left", fontsize=11)
    return _png(figure)


def var_picture(var: Mapping[str, Any], title: str) -> bytes:
    """Histogram of the historical P&L with VaR, its interval and ES of each historical method."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    axes.hist(var["pnl_usd"], bins=80, color=_BEFORE, alpha=0.85)
    for method, style in zip(var["methods"], ("-", "--", ":", "-."), strict=False):
        if method["var_usd"] is None:
            continue
        label = f"{method['method']}: VaR {short(method['var_usd'])}, ES {short(method['es_usd'])}"
        axes.axvline(-method["var_usd"], color=_MARK, linestyle=style, linewidth=1.2, label=label)
        low, high = method.get("var_interval_usd") or (None, None)
        if low is not None and high is not None:
            axes.axvspan(-high, -low, color=_MARK, alpha=0.12, linewidth=0)
    axes.xaxis.set_major_formatter(FuncFormatter(short))
    axes.set_xlabel(f"P&L of one {var['period']}, USD; shaded: 95 % intervals of the historical VaR", fontsize=9)
    axes.set_ylabel("states", fontsize=9)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    axes.set_title(f"{len(var['pnl_usd']):,} past moves, revalued: {title}", loc="left", fontsize=11)
    return _png(figure)


def short(value: float, _: object = None) -> str:
    """A USD amount in three digits: 1.25M, -340k."""
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


def _png(figure: Figure) -> bytes:
    for axes in figure.axes:
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    FigureCanvasAgg(figure)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=120, facecolor="white")
    return out.getvalue()

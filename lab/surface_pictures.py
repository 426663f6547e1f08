"""Pictures of a fitted surface: each expiry's smile against the volatilities of bid and ask, and any arbitrage marked.

``python -m lab.surface_pictures FOLDER`` draws the SPX chain of 2026-01-30 into ``FOLDER`` (data: ``HEDGEROW_DATA``).
*Tested by* tests/unit/test_surfaces_pictures.py.
"""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from common.kernels.svi import durrleman, total_variance
from common.market.config import default_data_dir
from common.surfaces.fitting import Fit, fit
from common.surfaces.quotes import volatility
from common.surfaces.surface import Surface
from common.units import NS_PER_S
from lab.surface_chains import spx_close

_MARKET, _MODEL, _BAD = "#999999", "#0072B2", "#D55E00"
_COLUMNS = 4
#: Strikes drawn: beyond, quotes are a few ticks and their volatilities fill the picture.
_DEVIATIONS = 6.0


def smiles_picture(result: Fit, most: int = 16) -> bytes:
    """One panel an expiry (at most ``most``, evenly chosen): bid to ask as bars, the fit as a line, violations in
    orange.

    PNG. Raises ``ValueError`` for a fit without a surface.
    """
    surface = _surface(result)
    chosen = np.unique(np.linspace(0, len(surface) - 1, min(most, len(surface))).round().astype(int))
    rows = -(-len(chosen) // _COLUMNS)
    figure = Figure(figsize=(3.2 * _COLUMNS, 2.3 * rows + 0.6), layout="constrained")
    cells = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    bid, ask = (volatility(result.quotes, price) for price in (result.quotes.bid, result.quotes.ask))
    for axes, i in zip(cells, chosen, strict=False):
        _smile(axes, result, surface, int(i), bid, ask)
    for axes in cells[len(chosen) :]:
        axes.axis("off")
    figure.suptitle(f"{surface.underlying}: volatility in % over ln(K/F); bars bid to ask, line the fit", fontsize=11)
    return _png(figure)


def variance_picture(result: Fit) -> bytes:
    """Total variance of every expiry over ln(K/F): lines that touch would be calendar arbitrage, marked where they
    do. PNG."""
    surface = _surface(result)
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    k = np.linspace(-0.6, 0.3, 301)
    before = np.zeros(len(k))
    for p in surface.slices:
        w = np.array([total_variance(float(x), *p) for x in k])
        axes.plot(k, w, color=_MODEL, linewidth=0.7)
        bad = w < before
        axes.plot(k[bad], w[bad], ".", color=_BAD, markersize=3)
        before = w
    axes.set_yscale("log")
    axes.set_xlabel("ln(K/F)")
    axes.set_ylabel("total variance")
    axes.set_title(f"{surface.underlying}: {len(surface)} expiries, {result.report.violations} violations", loc="left")
    return _png(figure)


def _surface(result: Fit) -> Surface:
    if result.surface is None:
        raise ValueError("no surface was fitted: nothing to draw")
    return result.surface


def _smile(axes: Any, result: Fit, surface: Surface, i: int, bid: Any, ask: Any) -> None:
    quotes = result.quotes
    rows = slice(int(quotes.first[i]), int(quotes.first[i + 1]))
    k = np.log(quotes.strike[rows] / quotes.forward[i])
    reach = _DEVIATIONS * float(surface.vol(surface.expiry_ns[i], surface.forwards[i])) * np.sqrt(surface.tau_years[i])
    seen = np.abs(k) <= reach
    axes.vlines(k[seen], 100 * bid[rows][seen], 100 * ask[rows][seen], color=_MARKET, linewidth=1.0)
    grid = np.linspace(max(-reach, surface.k_low[i]), min(reach, surface.k_high[i]), 201)
    vol = 100 * surface.vol(surface.expiry_ns[i], surface.forwards[i] * np.exp(grid))
    axes.plot(grid, vol, color=_MODEL, linewidth=1.1)
    bad = np.array([durrleman(float(x), surface.slices[i]) < 0.0 for x in grid])
    if i > 0:
        lower, own = surface.slices[i - 1], surface.slices[i]
        bad |= np.array([total_variance(float(x), *own) < total_variance(float(x), *lower) for x in grid])
    axes.plot(grid[bad], vol[bad], ".", color=_BAD, markersize=4)
    day = datetime.fromtimestamp(int(surface.expiry_ns[i]) // NS_PER_S, UTC)
    quality = result.report.slices[i]
    axes.set_title(
        f"{day:%Y-%m-%d %H:%M}Z  {quality.rmse_vol_bp:.0f} bp  {quality.inside_share:.0%} inside", fontsize=8
    )
    axes.tick_params(labelsize=7)


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": None})
    return out.getvalue()


def main(folder: Path) -> None:
    """Draw the SPX chain."""
    folder.mkdir(parents=True, exist_ok=True)
    result = fit(*spx_close(default_data_dir()))
    (folder / "surface-smiles.png").write_bytes(smiles_picture(result))
    (folder / "surface-variance.png").write_bytes(variance_picture(result))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))

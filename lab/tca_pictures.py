"""The picture of the transaction costs. *Tested by* tests/unit/test_tca_report.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from lab.pictures import png, short
from lab.tca import HORIZONS_S, QUARTER_CENTS_PER_USD
from lab.tca_groups import Group

#: Okabe and Ito's palette, as in the other pictures.
PARTS: Final = (
    ("spread", "#0072B2"),
    ("timing", "#E69F00"),
    ("fees", "#009E73"),
    ("opportunity", "#CC79A7"),
)
_GROUPS_MAX: Final = 20


def tca_picture(groups: Sequence[Group], whole: Group, horizons_s: Sequence[float] = HORIZONS_S) -> bytes:
    """Left: the parts of each group's shortfall, costs to the right; beside it what of the spread stayed and what came back."""
    figure = Figure(figsize=(10, 3.4 + 0.12 * min(len(groups), _GROUPS_MAX)), layout="constrained")
    bars, after = figure.subplots(1, 2, width_ratios=(3, 2))
    shown = sorted(groups, key=lambda g: -abs(g.shortfall))[:_GROUPS_MAX][::-1]
    at = np.arange(len(shown))
    right, left = np.zeros(len(shown)), np.zeros(len(shown))
    for part, colour in PARTS:
        value = np.array([getattr(g, part) for g in shown], np.float64) / QUARTER_CENTS_PER_USD
        bars.barh(at, value, left=np.where(value >= 0, right, left), color=colour, label=part)
        right += np.maximum(value, 0.0)
        left += np.minimum(value, 0.0)
    bars.axvline(0.0, color="#999999", linewidth=0.6)
    bars.set_yticks(at, [g.name for g in shown], fontsize=8)
    bars.set_title("Implementation shortfall, USD (right of 0: cost)", loc="left", fontsize=11)
    bars.legend(frameon=False, fontsize=8)
    bars.xaxis.set_major_formatter(FuncFormatter(short))
    names = ["at once", *(f"{h:g} s" for h in horizons_s)]
    stays = np.array([0, *whole.impact], np.float64) / QUARTER_CENTS_PER_USD
    back = np.array([whole.spread, *whole.reversion], np.float64) / QUARTER_CENTS_PER_USD
    places = np.arange(len(names))
    after.bar(places - 0.2, stays, 0.4, color="#D55E00", label="impact (stays)")
    after.bar(places + 0.2, back, 0.4, color="#56B4E9", label="reversion (comes back)")
    after.axhline(0.0, color="#999999", linewidth=0.6)
    after.set_xticks(places, names, fontsize=8)
    after.set_title("The spread, so long after the fill, USD", loc="left", fontsize=11)
    after.margins(y=0.25)
    after.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    after.yaxis.set_major_formatter(FuncFormatter(short))
    return png(figure)

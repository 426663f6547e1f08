"""Real daily series of the demo: S&P 500 and Nasdaq Composite OHLC and VIX closes, from the package ``arch``.

The files inside the wheel (``arch.data.sp500``, ``.nasdaq``: Yahoo Finance; ``.vix``: FRED, VIXCLS) hold 1999-01-04 to
2018-12-31 and 2014-01-03 to 2019-01-03. Nothing is filled: a day on which one of them is missing is not a session.

The files are read where the package lies. The package itself is not imported: its models bring SciPy, statsmodels and
matplotlib, a second of every process that opens the demo, and numba before our settings of it.
*Tested by* tests/golden/test_market_demo.py, tests/golden/test_risk_var_history.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import Unavailable, UsageError
from common.messages import F64

#: Fewest daily returns before the window that make a year's covariance.
RETURNS_MIN = 200


@dataclass(frozen=True)
class DailyWindow:
    """Sessions of a window: days (d,), ohlc (2, d, 4) in points (S&P 500, Nasdaq), vix (d + 1,) closes, the first of
    them before the window; returns_before (r, 2): daily log returns of the year before the first day.
    """

    days: tuple[date, ...]
    ohlc: F64
    vix: F64
    returns_before: F64


def load_window(start: date, end: date) -> DailyWindow:
    """The sessions of a window. Raises ``Unavailable`` without ``arch``, ``UsageError`` outside the files."""
    spx, nasdaq, vix = _frames()
    both = spx.index.intersection(nasdaq.index).intersection(vix.index)
    inside = both[(both >= _stamp(start)) & (both <= _stamp(end))]
    before = vix.index[vix.index < _stamp(start)]
    held = f"; the files hold {vix.index[0].date()} to {min(spx.index[-1], vix.index[-1]).date()}"
    if not len(inside) or end > spx.index[-1].date():
        raise UsageError(f"no sessions of the demo from {start} to {end}{held}")
    if not len(before):
        raise UsageError(f"no VIX close before {start}{held}")
    columns = ["Open", "High", "Low", "Close"]
    ohlc = np.stack([frame.loc[inside, columns].to_numpy(np.float64) for frame in (spx, nasdaq)])
    returns = _returns_before(spx, nasdaq, start)
    closes = np.concatenate([[float(vix[before[-1]])], vix.loc[inside].to_numpy(np.float64)])
    return DailyWindow(tuple(stamp.date() for stamp in inside), ohlc, closes, returns)


@dataclass(frozen=True)
class DailyCloses:
    """Every day on which all three series stand: days (d,) as datetime64[D], S&P 500, Nasdaq Composite, VIX closes (d, 3)."""

    days: np.ndarray[tuple[int], np.dtype[np.datetime64]]
    closes: F64


def load_closes() -> DailyCloses:
    """Closes of the whole files, aligned by date. Raises ``Unavailable`` without ``arch``."""
    spx, nasdaq, vix = _frames()
    days = spx.index.intersection(nasdaq.index).intersection(vix.index)
    columns = (spx.loc[days, "Close"], nasdaq.loc[days, "Close"], vix.loc[days])
    return DailyCloses(
        days.to_numpy().astype("datetime64[D]"), np.stack([c.to_numpy(np.float64) for c in columns], axis=1)
    )


def _returns_before(spx: Any, nasdaq: Any, start: date) -> F64:
    first = _stamp(start - timedelta(days=366))
    closes = [f.loc[(f.index >= first) & (f.index < _stamp(start)), "Close"] for f in (spx, nasdaq)]
    common = closes[0].index.intersection(closes[1].index)
    returns = np.diff(np.log(np.stack([c.loc[common].to_numpy(np.float64) for c in closes], axis=1)), axis=0)
    if len(returns) < RETURNS_MIN:
        raise UsageError(f"{len(returns)} daily returns in the year before {start}; {RETURNS_MIN} are needed")
    return np.asarray(returns)


def _stamp(day: date) -> Any:
    return np.datetime64(day)


def _frames() -> tuple[Any, Any, Any]:
    package = find_spec("arch")
    if package is None or not package.submodule_search_locations:
        raise Unavailable("the demo market needs the package arch: install the demo extra (pip install '.[demo]')")
    folder = Path(package.submodule_search_locations[0]) / "data"
    spx, nasdaq, vix = (_table(folder / name / f"{name}.csv.gz") for name in ("sp500", "nasdaq", "vix"))
    return spx, nasdaq, vix["vix"].dropna()


def _table(path: Path) -> Any:
    """One file by date, what is no number as NaN: as ``arch.data`` loads it."""
    import pandas  # here: only a process that opens the demo needs it

    table = pandas.read_csv(path, index_col="Date", parse_dates=["Date"])
    return table.apply(pandas.to_numeric, errors="coerce")

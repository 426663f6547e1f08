"""How underlyings and their volatilities have moved, period by period, aligned by date: the past that VaR is read from.

* ``daily``: from the data files SPY closes, not adjusted for dividends, and VIX closes; where a Nasdaq index is held or
  the files are not, S&P 500 and Nasdaq Composite closes and the VIX of the package ``arch``.
* ``hourly``: SPY from hour to hour of the regular session, a night counting as one; volatilities are not moved.
* a path: a CSV with ``date`` (ISO), the close of each underlying, and ``vol:UNDERLYING`` where it is known.

A volatility index stands for every volatility of its underlying: its relative change moves them all. Only dates on which
every series stands are used; a return runs from one such date to the next. Nothing is filled.
*Tested by* tests/unit/test_risk_var_history.py, tests/golden/test_risk_var_history.py.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from common.books import parse_price, read_text
from common.errors import InputError, Problem, Unavailable, UsageError
from common.messages import F64

DAILY: Final = "daily"
HOURLY: Final = "hourly"
SPY_DAILY: Final = "spy_daily_1998-2021.csv.gz"
SPY_HOURLY: Final = "spy_hour_1998-2021.csv.gz"
VIX_DAILY: Final = "vix_daily_1990-2026.csv.gz"
#: Fewest periods from which a tail is read.
PERIODS_MIN: Final = 100

_SP500 = re.compile(r"(SPX|SPXW|XSP|SPY|ES[FGHJKMNQUVXZ]\d{1,2}|ES)\Z")
_NASDAQ = re.compile(r"(IXIC|NDX|NDXP|QQQ|NQ[FGHJKMNQUVXZ]\d{1,2}|NQ)\Z")
_VOL = "vol:"
_REMEDY = "mend these lines and load the file again (columns: docs/risk.md)"


@dataclass(frozen=True)
class History:
    """d periods of u underlyings. ``ends`` (d,): date or time at which each period ends, ascending text.

    spot, vol (d, u): relative changes (0.01 is 1 %) of price and of volatility. ``statements``: what was taken for what.
    """

    symbols: tuple[str, ...]
    ends: tuple[str, ...]
    spot: F64
    vol: F64
    statements: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ends)


def load_history(name: str, symbols: Sequence[str], data_dir: Path, before: date, periods: int) -> History:
    """The last ``periods`` periods that end before ``before``; ``name`` as in the table above.

    Raises ``UsageError`` where an underlying has no series or fewer than ``PERIODS_MIN`` periods are left,
    ``Unavailable`` where the data are not, ``InputError`` for a malformed file.
    """
    if name == DAILY:
        ends, closes, vols, said = _daily(symbols, data_dir)
    elif name == HOURLY:
        ends, closes, vols, said = _hourly(symbols, data_dir)
    else:
        ends, closes, vols, said = _from_csv(Path(name), symbols)
    inside = np.array([end[:10] < before.isoformat() for end in ends], np.bool_)
    rows = np.flatnonzero(inside)[-(periods + 1) :]
    if len(rows) <= PERIODS_MIN:
        held = f"{ends[0]} to {ends[-1]}" if ends else "nothing"
        raise UsageError(
            f"history {name}: {max(len(rows) - 1, 0)} periods before {before}; at least {PERIODS_MIN} are needed "
            f"(it holds {held})"
        )
    spot, vol = (series[rows][1:] / series[rows][:-1] - 1.0 for series in (closes, vols))
    kept = tuple(ends[i] for i in rows[1:])
    span = f"{len(kept):,} periods, {ends[rows[0]]} to {kept[-1]}"
    return History(tuple(symbols), kept, spot, vol, (f"History: {span}.", *said))


_Series = tuple[list[str], F64, F64, tuple[str, ...]]


def _daily(symbols: Sequence[str], data_dir: Path) -> _Series:
    if all(_SP500.match(s) for s in symbols) and (data_dir / SPY_DAILY).is_file():
        spy, vix = (dict(_closes(data_dir / n)) for n in (SPY_DAILY, VIX_DAILY))
        days = sorted(spy.keys() & vix.keys())
        u = len(symbols)
        closes = np.repeat([[spy[d]] for d in days], u, axis=1)
        vols = np.repeat([[vix[d]] for d in days], u, axis=1)
        said = f"SPY daily closes, not adjusted for dividends, stand for {', '.join(symbols)}; VIX closes for their volatilities."
        return days, closes, vols, (said,)
    at = [_index_of(s) for s in symbols]
    from common.market.daily import load_closes  # pandas, through arch: only where it is needed

    found = load_closes()
    vols = np.repeat(found.closes[:, 2:], len(symbols), axis=1)
    names = ("S&P 500", "Nasdaq Composite")
    said = "; ".join(f"{names[i]} closes stand for {s}" for s, i in zip(symbols, at, strict=True))
    return [str(d) for d in found.days], found.closes[:, at], vols, (f"{said}; VIX closes for all volatilities.",)


def _index_of(symbol: str) -> int:
    if _SP500.match(symbol):
        return 0
    if _NASDAQ.match(symbol):
        return 1
    raise UsageError(
        f"no history of {symbol} at hand: give --history FILE, a CSV with the columns date, {symbol} and, if known, vol:{symbol}"
    )


def _hourly(symbols: Sequence[str], data_dir: Path) -> _Series:
    strangers = [s for s in symbols if not _SP500.match(s)]
    if strangers:
        raise UsageError(f"hourly history is of SPY alone, which does not stand for {', '.join(strangers)}")
    rows = _closes(data_dir / SPY_HOURLY)
    closes = np.repeat([[close] for _, close in rows], len(symbols), axis=1)
    said = f"SPY hourly closes, New York time, stand for {', '.join(symbols)}; volatilities are not moved."
    return [ts for ts, _ in rows], closes, np.ones_like(closes), (said,)


def _closes(path: Path) -> list[tuple[str, float]]:
    """(first column, close) of a price file, in its order."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
            lines = csv.reader(stream)
            at = next(lines).index("close")
            return [(cells[0], float(cells[at])) for cells in lines]
    except FileNotFoundError:
        raise Unavailable(f"{path}: no such file; give --data DIR, or --history FILE") from None
    except (OSError, EOFError, ValueError, IndexError, StopIteration) as error:
        reason = Problem(0, f"cannot be read as prices: {error}")
        raise InputError(str(path), [reason], "give the file as it was published") from error


def _from_csv(path: Path, symbols: Sequence[str]) -> _Series:
    try:
        lines = list(csv.reader(io.StringIO(read_text(path, _REMEDY), newline=""), strict=True))
    except csv.Error as error:
        raise InputError(str(path), [Problem(0, f"not CSV: {error}")], _REMEDY) from error
    header = [name.strip() for name in (lines or [[]])[0]]
    missing = [name for name in ("date", *symbols) if name not in header]
    if missing:
        raise InputError(str(path), [Problem(1, f"missing column {name!r}") for name in missing], _REMEDY)
    vol_at = [header.index(_VOL + s) if _VOL + s in header else -1 for s in symbols]
    ends: list[str] = []
    closes: list[list[float]] = []
    vols: list[list[float]] = []
    problems: list[Problem] = []
    for line, cells in enumerate(lines[1:], 2):
        if not cells:
            continue
        try:
            end = _date(cells, header, ends)
            closes.append([_positive(cells[header.index(s)], s) for s in symbols])
            vols.append([1.0 if i < 0 else _positive(cells[i], header[i]) for i in vol_at])
            ends.append(end)
        except ValueError as error:
            problems.append(Problem(line, str(error)))
    if problems:
        raise InputError(str(path), problems, _REMEDY)
    still = [s for s, i in zip(symbols, vol_at, strict=True) if i < 0]
    said = (f"Closes of {path}.", *([f"Volatilities of {', '.join(still)} are not moved."] if still else []))
    return ends, np.array(closes).reshape(-1, len(symbols)), np.array(vols).reshape(-1, len(symbols)), said


def _date(cells: list[str], header: list[str], ends: list[str]) -> str:
    if len(cells) != len(header):
        raise ValueError(f"{len(cells)} cells under {len(header)} columns")
    text = cells[header.index("date")].strip()
    try:
        end = date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"date {text!r} is not an ISO date") from None
    if ends and end <= ends[-1]:
        raise ValueError(f"date {end} does not come after {ends[-1]}")
    return end


def _positive(text: str, name: str) -> float:
    value = parse_price(text.strip(), name)
    if value <= 0.0:
        raise ValueError(f"{name} {text.strip()} is not positive")
    return value

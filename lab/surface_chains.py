"""Reads the real chains that surfaces are measured on: the SPX close of 2026-01-30, the E-mini day of 2020-01-06.

*Tested by* tests/golden/test_surfaces_spx.py, tests/golden/test_surfaces_es.py.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Final

import numpy as np

from common.errors import InputError, Problem, Unavailable
from common.instruments import contract_of, instant_ns
from common.market.es_files import QuoteRows, read_futures, read_options
from common.messages import F64, I64
from common.surfaces.chain import UNKNOWN, ChainQuotes, KnownForward
from common.units import NO_PRICE, NS_PER_MIN, NS_PER_S, NS_PER_YEAR
from common.universe import AMERICAN

SPX_FILE: Final = "spx_option_chain_2026-01-30.csv.gz"
SPX_DAY: Final = date(2026, 1, 30)
#: End of the regular session of SPX options, New York.
SPX_CLOSE: Final = time(16, 15)
#: Discount rate of the E-mini day (US bills, early January 2020); the forwards are the futures.
ES_RATE: Final = 0.0155
#: What the files hold of the day: 2020-01-05 23:00 to 2020-01-07 00:00 UTC, halts included.
ES_DAY_NS: Final = (1_578_265_200 * NS_PER_S, 1_578_355_200 * NS_PER_S)
_REMEDY: Final = "restore the file (shared/data/README.md describes it)"


def spx_close(data_dir: Path) -> tuple[ChainQuotes, int]:
    """The SPX chain and its moment: the end of the session, or the last trade printed after it.

    Raises ``Unavailable`` without the file, ``InputError`` with line numbers where a row is malformed.
    """
    path = data_dir / SPX_FILE
    if not path.is_file():
        raise Unavailable(f"{path}: no such file; HEDGEROW_DATA names the folder that holds it")
    rows: list[tuple[int, float, float, float, float, int]] = []
    problems: list[Problem] = []
    with gzip.open(path, "rt", newline="") as file:
        for number, told in enumerate(csv.DictReader(file), 2):
            try:
                rows.append(_spx_row(told))
            except (KeyError, ValueError) as error:
                problems.append(Problem(number, str(error)))
    if problems:
        raise InputError(str(path), problems, _REMEDY)
    expiry, strike, right, bid, ask, last = zip(*rows, strict=True)
    k, side, b, a = np.array([strike, right, bid, ask], np.float64)
    chain = ChainQuotes("SPX", np.array(expiry, np.int64), k, side, b, a, np.array(last, np.int64))
    return chain, max(instant_ns(SPX_DAY, SPX_CLOSE), int(chain.last_trade_ns.max()))


def _spx_row(told: dict[str, str]) -> tuple[int, float, float, float, float, int]:
    settles = contract_of(told["root"]).settlement
    expiry = instant_ns(date.fromisoformat(told["expiration"]), settles)
    if told["right"] not in ("C", "P"):
        raise ValueError(f"right {told['right']!r} is neither C nor P")
    last = told["last_trade_ts"]
    traded = int(datetime.fromisoformat(last).timestamp()) * NS_PER_S if last else UNKNOWN
    bid, ask = (float(told[name]) if told[name] else math.nan for name in ("bid", "ask"))
    return expiry, float(told["strike"]), 1.0 if told["right"] == "C" else -1.0, bid, ask, traded


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Standing quotes by contract, changed in place as rows come."""

    rows: QuoteRows
    bid: F64
    ask: F64

    @staticmethod
    def of(rows: QuoteRows) -> _Side:
        n = len(rows.instruments)
        return _Side(rows, np.full(n, np.nan), np.full(n, np.nan))

    def take(self, a: int, b: int) -> None:
        tick = np.array([i.tick_size for i in self.rows.instruments])[self.rows.contract[a:b]]
        for standing, ticks in ((self.bid, self.rows.bid_ticks), (self.ask, self.rows.ask_ticks)):
            standing[self.rows.contract[a:b]] = np.where(ticks[a:b] > NO_PRICE, ticks[a:b] * tick, np.nan)


def _ordered(rows: QuoteRows) -> QuoteRows:
    order = np.argsort(rows.ts_ns, kind="stable")
    return QuoteRows(
        rows.instruments,
        rows.ts_ns[order],
        rows.contract[order],
        rows.bid_ticks[order],
        rows.ask_ticks[order],
        rows.bid_size_lots[order],
        rows.ask_size_lots[order],
    )


def es_minutes(data_dir: Path, minutes_ns: I64) -> Iterator[tuple[int, ChainQuotes]]:
    """(moment, chain) at the end of each of the minutes (m,) that start at ``minutes_ns``, ascending.

    A quote stands until it is changed; rows outside ``minutes_ns`` are not read (indications before the open). An
    expiry whose future has no two-sided quote yet is left out. Raises as `common.market.es_files.read_options`.
    """
    sides = [_Side.of(_ordered(read(data_dir).since(int(minutes_ns[0])))) for read in (read_options, read_futures)]
    edges = [
        (np.searchsorted(s.rows.ts_ns, minutes_ns), np.searchsorted(s.rows.ts_ns, minutes_ns, "right")) for s in sides
    ]
    for m in range(len(minutes_ns)):
        for side, (a, b) in zip(sides, edges, strict=True):
            side.take(int(a[m]), int(b[m]))
        moment = int(minutes_ns[m]) + NS_PER_MIN
        yield moment, _es_chain(sides[0], sides[1], moment)


def _es_chain(options: _Side, futures: _Side, moment: int) -> ChainQuotes:
    mid = {i.underlying: 0.5 * (futures.bid[c] + futures.ask[c]) for c, i in enumerate(futures.rows.instruments)}
    listed = options.rows.instruments
    known = {}
    for i in listed:
        forward = float(mid.get(i.underlying, math.nan))
        if forward > 0.0:
            known[i.expiry_ns] = KnownForward(forward, math.exp(-ES_RATE * (i.expiry_ns - moment) / NS_PER_YEAR))
    keep = np.array([i.expiry_ns in known for i in listed], np.bool_)
    strike, right = (np.array([getattr(i, name) for i in listed], np.float64)[keep] for name in ("strike", "right"))
    expiry = np.array([i.expiry_ns for i in listed], np.int64)[keep]
    last = np.full(int(keep.sum()), UNKNOWN, np.int64)
    return ChainQuotes("ES", expiry, strike, right, options.bid[keep], options.ask[keep], last, AMERICAN, known)

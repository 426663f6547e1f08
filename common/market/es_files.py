"""Reads the files of the E-mini day (options of 2020-01-06, futures) into checked columns.

Only pyarrow. A file with a missing column, a wrong type, naive times, a negative price, an unknown contract, a price
off the tick grid or a repeated row is refused whole, with row numbers (1 is the first row).
*Tested by* tests/unit/test_market_es_files.py, tests/golden/test_market_es_options.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from common.errors import InputError, Problem, Unavailable
from common.instruments import CALL, PUT, Instrument, future, option
from common.market.calendar import QUARTERLY_MONTHS, monthly_expiry
from common.messages import F64, I32, I64
from common.units import NO_PRICE

OPTIONS_FILE = "es_options_quotes_1min_2020-01-06.parquet"
FUTURES_FILE = "es_futures_1min.parquet"
REMEDY = "restore the file (shared/data/README.md describes it)"
_QUOTES = {"bid_close": "price", "ask_close": "price", "bid_size": "size", "ask_size": "size"}
_OPTION_COLUMNS = {"ts": "time", "underlying": "text", "expiry": "date", "right": "text", "strike": "price"} | _QUOTES
_FUTURE_COLUMNS = {"ts": "time", "contract_month": "text"} | _QUOTES
_MONTH_CODE = dict(zip(QUARTERLY_MONTHS, "HMUZ", strict=True))
_PRICE_MAX = 1e6
_SIZE_MAX = 10**9


@dataclass(frozen=True)
class QuoteRows:
    """Rows of one file, as they stand in it: r rows on c contracts.

    ``ts_ns`` (r,) start of the minute, UTC; ``contract`` (r,) points into ``instruments``; bid and ask (r,) in ticks,
    an absent side ``NO_PRICE``; sizes (r,) in lots, 0 where the side is absent.
    """

    instruments: tuple[Instrument, ...]
    ts_ns: I64
    contract: NDArray[np.int64]
    bid_ticks: I32
    ask_ticks: I32
    bid_size_lots: I32
    ask_size_lots: I32

    def since(self, start_ns: int) -> QuoteRows:
        """The rows from ``start_ns`` on."""
        return self.where(self.ts_ns >= start_ns)

    def where(self, keep: NDArray[np.bool_]) -> QuoteRows:
        """The rows (r,) for which ``keep`` is true, and the contracts that still appear."""
        left, contract = np.unique(self.contract[keep], return_inverse=True)
        return QuoteRows(
            tuple(self.instruments[c] for c in left),
            self.ts_ns[keep],
            np.asarray(contract, np.int64),
            self.bid_ticks[keep],
            self.ask_ticks[keep],
            self.bid_size_lots[keep],
            self.ask_size_lots[keep],
        )

    def only(self, underlyings: frozenset[str]) -> QuoteRows:
        """The rows on these underlyings."""
        wanted = np.array([i.underlying in underlyings for i in self.instruments], np.bool_)
        return self.where(wanted[self.contract])


def read_options(data_dir: Path) -> QuoteRows:
    """The option file. Raises ``Unavailable`` if it is not there, ``InputError`` if it is malformed."""
    path = data_dir / OPTIONS_FILE
    table = _table(path, _OPTION_COLUMNS)
    names = ("underlying", "expiry", "right", "strike")
    return _rows(path, table, names, _option_of)


def option_underlyings(data_dir: Path) -> tuple[str, ...]:
    """Underlyings that the option file names, sorted; reads one column. Raises as `read_options`."""
    column = _table(data_dir / OPTIONS_FILE, {"underlying": "text"})["underlying"]
    return tuple(sorted(str(name) for name in pc.unique(column).to_pylist() if name is not None))


def read_futures(data_dir: Path) -> QuoteRows:
    """The futures file, every quarter in it. Raises as `read_options`."""
    path = data_dir / FUTURES_FILE
    return _rows(path, _table(path, _FUTURE_COLUMNS), ("contract_month",), _future_of)


def _option_of(underlying: str, expiry: date, right: str, strike: float) -> Instrument:
    if right not in ("C", "P"):
        raise ValueError(f"right {right!r} is neither C nor P")
    return option(underlying, expiry, strike, CALL if right == "C" else PUT)


def _future_of(contract_month: str) -> Instrument:
    year, _, month = contract_month.partition("-")
    if not (year.isdigit() and len(year) == 4 and month.isdigit() and int(month) in _MONTH_CODE):
        raise ValueError(f"unknown contract month {contract_month!r}: not YYYY-MM of a quarter")
    return future(f"ES{_MONTH_CODE[int(month)]}{year[-1]}", monthly_expiry(int(year), int(month)))


def _table(path: Path, wanted: Mapping[str, str]) -> Any:
    if not path.is_file():
        raise Unavailable(f"{path}: no such file; HEDGEROW_DATA or --data names the folder that holds it")
    try:
        found = pq.read_schema(path)
        problems = [Problem(0, text) for name, kind in wanted.items() if (text := _schema_problem(found, name, kind))]
        if problems:
            raise InputError(str(path), problems, REMEDY)
        return pq.read_table(path, columns=list(wanted)).combine_chunks()
    except (pa.ArrowException, OSError) as error:
        raise InputError(str(path), [Problem(0, f"not a Parquet file: {error}")], REMEDY) from error


def _schema_problem(schema: Any, name: str, kind: str) -> str:
    if name not in schema.names:
        return f"missing column {name!r}"
    found = schema.field(name).type
    right = {
        "time": pa.types.is_timestamp(found),
        "text": pa.types.is_string(found) or pa.types.is_large_string(found),
        "date": pa.types.is_date32(found),
        "price": pa.types.is_floating(found),
        "size": pa.types.is_integer(found) or pa.types.is_floating(found),
    }[kind]
    if not right:
        return f"column {name!r} holds {found}, not a {kind}"
    if kind == "time" and found.tz is None:
        return f"column {name!r} has no time zone"
    return ""


def _rows(path: Path, table: Any, names: tuple[str, ...], make: Any) -> QuoteRows:
    found = _Columns(path, table)
    if table.num_rows == 0:
        raise InputError(str(path), [Problem(0, "no rows")], REMEDY)
    for name in ("ts", *names):
        found.refuse(~found.present(name), f"{name} is empty")
    found.stop_if_refused()
    instruments, contract = found.contracts(names, make)
    found.stop_if_refused()
    tick = np.array([i.tick_size for i in instruments])[contract]
    sides = {side: found.side(side, tick) for side in ("bid", "ask")}
    ts_ns = np.asarray(table["ts"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64()), np.int64)
    found.refuse_repeats(ts_ns, contract)
    found.stop_if_refused()
    return QuoteRows(instruments, ts_ns, contract, sides["bid"][0], sides["ask"][0], sides["bid"][1], sides["ask"][1])


class _Columns:
    """Columns of one table and what is wrong in them."""

    def __init__(self, path: Path, table: Any) -> None:
        self.path = path
        self.table = table
        self.problems: list[Problem] = []

    def refuse(self, bad: NDArray[np.bool_], reason: str) -> None:
        self.problems.extend(Problem(int(row) + 1, f"row {row + 1}: {reason}") for row in np.flatnonzero(bad))

    def stop_if_refused(self) -> None:
        if self.problems:
            raise InputError(str(self.path), sorted(self.problems, key=lambda p: p.line), REMEDY)

    def present(self, name: str) -> NDArray[np.bool_]:
        return np.asarray(self.table[name].is_valid(), np.bool_)

    def contracts(self, names: tuple[str, ...], make: Any) -> tuple[tuple[Instrument, ...], NDArray[np.int64]]:
        """Distinct contracts in order of first appearance and the contract of each row."""
        code = np.zeros(self.table.num_rows, np.int64)
        for name in names:
            column = self.table[name]
            dictionary = pc.dictionary_encode(column.combine_chunks())
            code = code * len(dictionary.dictionary) + np.asarray(dictionary.indices, np.int64)
        _, first, contract = np.unique(code, return_index=True, return_inverse=True)
        instruments = []
        for distinct, row in enumerate(first):
            try:
                instruments.append(make(*(self.table[name][int(row)].as_py() for name in names)))
            except ValueError as error:
                self.refuse(contract == distinct, str(error))
        return tuple(instruments), np.asarray(contract, np.int64)

    def side(self, side: str, tick: F64) -> tuple[I32, I32]:
        """Ticks and lots of one side; absent where the price is."""
        there = self.present(f"{side}_close")
        price = self._numbers(f"{side}_close")
        size = self._numbers(f"{side}_size")
        self.refuse(there & (price < 0.0), f"{side}_close is negative")
        self.refuse(there & ~(price < _PRICE_MAX), f"{side}_close is not a price")
        priced = there & (price >= 0.0) & (price < _PRICE_MAX)
        price = np.where(priced, price, 0.0)
        ticks = np.rint(price / tick)
        self.refuse(np.abs(ticks * tick - price) > 1e-6, f"{side}_close is not a whole number of ticks")
        lots = np.floor(np.where(self.present(f"{side}_size"), size, 0.0))
        sized = (lots >= 0.0) & (lots <= _SIZE_MAX)
        self.refuse(there & ~sized, f"{side}_size is not a size")
        return (
            np.where(priced, ticks, NO_PRICE).astype(np.int32),
            np.where(priced & sized, lots, 0.0).astype(np.int32),
        )

    def _numbers(self, name: str) -> F64:
        filled = pc.fill_null(self.table[name].cast(pa.float64()), 0.0)
        return np.asarray(filled, np.float64)

    def refuse_repeats(self, ts_ns: I64, contract: NDArray[np.int64]) -> None:
        """One row per contract and minute."""
        order = np.lexsort((contract, ts_ns))
        same = (np.diff(ts_ns[order]) == 0) & (np.diff(contract[order]) == 0)
        bad = np.zeros(len(ts_ns), np.bool_)
        bad[order[1:][same]] = True
        self.refuse(bad, "a second row of the same contract and minute")

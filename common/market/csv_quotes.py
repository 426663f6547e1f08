"""A plain quote file as a market: CSV with ts, instrument, bid, ask, bid_size, ask_size.

``ts`` ISO with its offset, never going back; ``instrument`` OSI or canonical; prices in points on the tick grid of the
contract, empty where that side is absent; sizes in whole lots, empty together with their price. One bad line refuses the
whole file. Underlyings and their front futures follow from the instruments; an underlying without a future in the file
has no hedge of its own.
*Tested by* tests/unit/test_market_csv.py.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from common.books import BookRows, check_header, parse_price, parse_time, read_text
from common.errors import InputError, Problem
from common.instruments import Instrument, contract_of, parse_instrument
from common.market.batching import Quotes, batches_of, sessions_of
from common.market.build import Terms, build_universe, front_future
from common.market.config import CsvConfig
from common.market.rolls import rolled
from common.messages import QuoteBatch
from common.units import NO_PRICE, NS_PER_US
from common.universe import AMERICAN, Universe

REMEDY = "mend these lines and load the file again (columns: docs/MARKET.md)"
COLUMNS = ("ts", "instrument", "bid", "ask", "bid_size", "ask_size")
SIZE_MAX_LOTS = 10**9
TICKS_MAX = 2**31 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class QuoteFile:
    """The checked rows of a quote file, before any universe. Raises ``InputError`` with every bad line."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.instruments: list[Instrument] = []
        self.time_ns: list[int] = []
        self.contract: list[int] = []
        self.ticks: list[tuple[int, int]] = []
        self.lots: list[tuple[int, int]] = []
        self._row_of: dict[str, int] = {}
        self._parsed: dict[str, int] = {}
        self._problems: list[Problem] = []
        self._last_ns = -(2**63)
        lines = csv.reader(io.StringIO(read_text(path, REMEDY), newline=""), strict=True)
        try:
            self._take_all(lines)
        except csv.Error as error:
            self._problems.append(Problem(lines.line_num, f"not CSV: {error}"))
        if not self.time_ns and not self._problems:
            self._problems.append(Problem(0, "no quotes: a header and nothing below it"))
        if self._problems:
            raise InputError(self.path, self._problems, REMEDY)

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Symbols in order of first appearance."""
        return tuple(dict.fromkeys(i.underlying for i in self.instruments))

    def _take_all(self, lines: Iterator[list[str]]) -> None:
        header = next(lines, [])
        self._column = check_header(self.path, header, COLUMNS)
        missing = [name for name in COLUMNS if name not in self._column]
        if missing:
            raise InputError(self.path, [Problem(1, f"missing column {name!r}") for name in missing], REMEDY)
        for cells in lines:
            if cells:
                self._take(int(getattr(lines, "line_num", 0)), cells)

    def _take(self, line: int, cells: list[str]) -> None:
        if len(cells) != len(COLUMNS):
            self._problems.append(Problem(line, f"{len(cells)} cells under {len(COLUMNS)} columns"))
            return
        cell = {name: cells[at].strip() for name, at in self._column.items()}
        try:
            at_ns = self._time(cell["ts"])
            contract = self._contract(cell["instrument"], at_ns)
            bid, bid_lots = _side(cell, "bid", self.instruments[contract])
            ask, ask_lots = _side(cell, "ask", self.instruments[contract])
        except ValueError as error:
            self._problems.append(Problem(line, str(error)))
            return
        self.time_ns.append(at_ns)
        self.contract.append(contract)
        self.ticks.append((bid, ask))
        self.lots.append((bid_lots, ask_lots))

    def _time(self, text: str) -> int:
        at_ns = (parse_time(text, "ts") - _EPOCH) // timedelta(microseconds=1) * NS_PER_US
        if at_ns < self._last_ns:
            raise ValueError(f"ts {text} lies before the line above it; sort the file by time")
        self._last_ns = at_ns
        return at_ns

    def _contract(self, text: str, at_ns: int) -> int:
        contract = self._parsed.get(text)
        if contract is None:
            found = parse_instrument(text)
            contract = self._row_of.setdefault(found.id, len(self.instruments))
            if contract == len(self.instruments):
                self.instruments.append(found)
            self._parsed[text] = contract
        if self.instruments[contract].expiry_ns <= at_ns:
            raise ValueError(f"{self.instruments[contract].id} is quoted after it expired")
        return contract


def _side(cell: dict[str, str], side: str, instrument: Instrument) -> tuple[int, int]:
    price, size = cell[side], cell[f"{side}_size"]
    if not price:
        if size not in ("", "0"):
            raise ValueError(f"{side}_size {size!r} without a {side}")
        return NO_PRICE, 0
    points = parse_price(price, side)
    ticks = round(points / instrument.tick_size)
    if abs(ticks * instrument.tick_size - points) > 1e-6:
        raise ValueError(f"{side} {price} is not a whole number of ticks of {instrument.tick_size:g}")
    if ticks > TICKS_MAX:
        raise ValueError(f"{side} {price} is too large for a price")
    if not (size.isascii() and size.isdigit()) or int(size) > SIZE_MAX_LOTS:
        raise ValueError(f"{side}_size {size!r} is not a whole number of lots from 0 to {SIZE_MAX_LOTS:,}")
    return ticks, int(size)


class CsvQuotesMarket:
    """``MarketSource`` of a quote file; rates and the covariance prior come from ``CsvConfig``."""

    def __init__(self, file: QuoteFile, book_rows: BookRows | None, config: CsvConfig) -> None:
        self.config = config
        self.path = file.path
        symbols = file.underlyings
        on_futures = {i.underlying for i in file.instruments if contract_of(i.root).style == AMERICAN}
        terms = {
            s: Terms(
                front_future(file.instruments, s),
                0.0 if s in on_futures else config.carry_per_year,
                config.rate_per_year,
            )
            for s in symbols
        }
        correlation = np.where(np.eye(len(symbols), dtype=np.bool_), 1.0, config.correlation)
        self.universe: Universe = build_universe(
            file.instruments,
            book_rows.instruments if book_rows else (),
            terms,
            config.daily_vol**2 * correlation,
            f"assumed: {config.daily_vol:.2%} a day, correlation {config.correlation:g}",
        )
        if config.roll_calendar and file.time_ns:
            self.universe = rolled(self.universe, config.roll_calendar, file.time_ns[0])
        index = np.array([self.universe.index[i.id] for i in file.instruments], np.uint32)
        ticks, lots = np.array(file.ticks, np.int32), np.array(file.lots, np.int32)
        self._quotes = Quotes(
            np.array(file.time_ns, np.int64),
            index[np.array(file.contract, np.intp)],
            *(np.ascontiguousarray(column) for column in (ticks[:, 0], ticks[:, 1], lots[:, 0], lots[:, 1])),
        ).ordered(self.universe)

    @property
    def session_bounds_ns(self) -> tuple[tuple[int, int], ...]:
        """Stretches without a silence longer than ``session_gap_s``."""
        return sessions_of(self._quotes.time_ns, self.config.session_gap_s)

    @property
    def statements(self) -> tuple[str, ...]:
        """Where the quotes come from and what is assumed beside them."""
        alone = [u.symbol for u in self.universe.underlyings if u.future_instrument < 0]
        return (
            f"Quotes: {self.path}, as they stand in it.",
            f"Assumed: rate {self.config.rate_per_year:.2%}, carry {self.config.carry_per_year:.2%} (none on futures), "
            f"covariance prior {self.config.daily_vol:.2%} a day with correlation {self.config.correlation:g}.",
            *([f"No future is quoted on {', '.join(alone)}: no liquid hedge of its own."] if alone else []),
        )

    def batches(self) -> Iterator[QuoteBatch]:
        """Per instant and underlying the rows of the file."""
        return batches_of(self._quotes, self.universe)

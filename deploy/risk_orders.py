"""Working orders and positions for ``hedgerow risk``: from a CSV, or from the record of a run, live or finished.

CSV columns, any order: ``instrument`` (OSI symbol or canonical id), ``side`` (buy, sell), ``quantity`` (whole lots above
0), ``price`` (points; empty: at market). One bad line refuses the whole file.
*Tested by* tests/unit/test_risk_cli_orders.py.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.books import check_header, parse_price, read_text
from common.control_messages import Cycle, JournalEntry, LeaderStarted, TradesImported
from common.errors import InputError, Problem
from common.instruments import Instrument
from common.messages import I64, ExecutionReport, Order, OrdStatus, Side
from common.universe import Book, Universe
from manager.imports import Imports

COLUMNS = ("instrument", "side", "quantity", "price")
REMEDY = "mend these lines and load the file again (columns: docs/risk.md)"
_SIDES = {"buy": 1, "b": 1, "1": 1, "sell": -1, "s": -1, "2": -1}


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """What is left of an order: signed lots, limit price in points (NaN: none)."""

    order: str
    instrument: Instrument
    lots: int
    price: float


def load_orders(path: Path, parse: Callable[[str], Instrument]) -> tuple[WorkingOrder, ...]:
    """Read an order file; ``parse`` turns a symbol into a contract. Raises ``InputError`` with every bad line."""
    try:
        lines = list(csv.reader(io.StringIO(read_text(path, REMEDY), newline=""), strict=True))
    except csv.Error as error:
        raise InputError(str(path), [Problem(0, f"not CSV: {error}")], REMEDY) from error
    column = check_header(str(path), lines[0] if lines else [], COLUMNS)
    missing = [name for name in COLUMNS[:3] if name not in column]
    if missing:
        raise InputError(str(path), [Problem(1, f"missing column {name!r}") for name in missing], REMEDY)
    found: list[WorkingOrder] = []
    problems: list[Problem] = []
    for line, cells in enumerate(lines[1:], 2):
        if not cells:
            continue
        try:
            found.append(_order(line, cells, column, parse))
        except ValueError as error:
            problems.append(Problem(line, str(error)))
    if problems:
        raise InputError(str(path), problems, REMEDY)
    return tuple(found)


def _order(line: int, cells: list[str], column: dict[str, int], parse: Callable[[str], Instrument]) -> WorkingOrder:
    if len(cells) != len(column):
        raise ValueError(f"{len(cells)} cells under {len(column)} columns")
    text = {name: cells[at].strip() for name, at in column.items()}
    side = _SIDES.get(text["side"].lower())
    if side is None:
        raise ValueError(f"side {text['side']!r} is neither buy nor sell")
    quantity = text["quantity"]
    if not (quantity.isascii() and quantity.isdigit() and 0 < int(quantity) <= 10**9):
        raise ValueError(f"quantity {quantity!r} is not a whole number of lots above 0; the side gives the sign")
    price = text.get("price", "")
    limit = parse_price(price, "price") if price else float("nan")
    return WorkingOrder(f"line {line}", parse(text["instrument"]), side * int(quantity), limit)


@dataclass(frozen=True)
class RunPositions:
    """What a run holds: lots (n,) traded since the open per instrument of its universe, and what still works."""

    traded: I64
    working: tuple[tuple[Order, int], ...]
    now_ns: int


def fold_record(entries: Iterable[JournalEntry], universe: Universe) -> RunPositions:
    """Fills and working orders of a record: each fill once, an order while no terminal report of it has come."""
    traded = np.zeros(len(universe), np.int64)
    open_: dict[str, tuple[Order, int]] = {}
    seen: set[str] = set()
    imports = Imports()
    now_ns = 0
    for entry in entries:
        now_ns = max(now_ns, entry.now_ns)
        event = entry.event
        if isinstance(event, Cycle):
            open_.update({order.client_order_id: (order, 0) for order in event.orders})
        elif isinstance(event, TradesImported):
            for trade in event.trades:
                for _, at, lots, _ in imports.take(trade):
                    traded[at] += lots
        elif isinstance(event, LeaderStarted):
            for state in event.recovered:
                _settle(open_, state.order, state.ord_status, state.cum_lots)
        elif isinstance(event, ExecutionReport):
            if event.last_lots and event.exec_id not in seen:
                seen.add(event.exec_id)
                traded[event.instrument] += event.side.sign * event.last_lots
            known = open_.get(event.client_order_id)
            if known is not None:
                _settle(open_, known[0], event.ord_status, event.cum_lots)
    working = tuple((order, order.quantity_lots - cum) for order, cum in open_.values() if order.quantity_lots > cum)
    return RunPositions(traded, working, now_ns)


def _settle(open_: dict[str, tuple[Order, int]], order: Order, status: OrdStatus, cum_lots: int) -> None:
    if status.terminal:
        open_.pop(order.client_order_id, None)
    else:
        open_[order.client_order_id] = (order, cum_lots)


def of_run(found: RunPositions, universe: Universe, contract: Callable[[int], Instrument]) -> tuple[WorkingOrder, ...]:
    """Working orders of a run; ``contract`` gives the instrument of a row of its universe."""
    return tuple(
        WorkingOrder(
            order.client_order_id,
            contract(order.instrument),
            (1 if order.side is Side.BUY else -1) * left,
            order.limit_ticks * float(universe.tick_size[order.instrument]),
        )
        for order, left in found.working
    )


def lots_held(book: Book, found: RunPositions, universe: Universe) -> I64:
    """Lots (n,) per instrument of the universe: the opening book and every fill."""
    return np.asarray(book.net_lots(len(universe)) + found.traded)

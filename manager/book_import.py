"""``book.import``: new or corrected client trades, a whole file or nothing, each trade once by its own id.

Arguments: ``file``, ``dry_run``, ``trades``: rows (line, trade_id, account, instrument id, signed lots, price, time in ns,
corrects, cancels). A trade known with the same content is ignored and said; with other content it is refused, unless the
line is a correction under an id of its own. Only instruments of the run's universe, for only those can be priced and hedged;
positions and cash stay within ``common.bounds``.
*Tested by* tests/unit/test_manager_imports.py.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from common.client_trades import effects
from common.control_arguments import read_arguments
from common.control_messages import Command, ImportedTrade, TradesImported
from common.errors import Refused
from common.units import NS_PER_DAY
from manager.budgets_marks import marks
from manager.import_bounds import Bounds, value_problem
from manager.imports import TRADES_MAX, problem_of
from manager.state import ManagerState

#: Rows of one command; a longer file is to be split.
ROWS_MAX = 5_000
_SHOWN = 20
_ROW = (int, str, str, str, int, float, int, str, str)


@dataclass
class _Reading:
    """A file on its way in: what is known with the rows above, the trades that are new, what is wrong."""

    known: dict[str, ImportedTrade]
    ended: dict[str, str]
    bounds: Bounds
    new: list[ImportedTrade] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def read_import(state: ManagerState, command: Command) -> tuple[TradesImported, str, bool]:
    """The trades that are new, what to say, and whether it is a dry run. Raises ``Refused`` with every bad line."""
    rows, dry_run = _arguments(command)
    imports = state.fold.imports
    reading = _Reading(dict(imports.trades), dict(imports.ended), Bounds(state))
    for row in rows:
        _take(state, reading, row)
    if reading.wrong:
        more = len(reading.wrong) - _SHOWN
        rest = [f"and {more} more"] if more > 0 else []
        raise Refused("nothing was taken: " + "; ".join([*reading.wrong[:_SHOWN], *rest]))
    if len(reading.known) > TRADES_MAX:
        raise Refused(f"imported trades: {len(reading.known)}, limit {TRADES_MAX} a run")
    new = tuple(reading.new)
    event = TradesImported(command.command_id, new, state.market.seen(), _marks(state, new, reading.known))
    return event, _said(reading), dry_run


def _marks(
    state: ManagerState, trades: Sequence[ImportedTrade], known: Mapping[str, ImportedTrade]
) -> tuple[tuple[int, float], ...]:
    """(instrument, points) of what the trades are in or take back, as far as it can be marked now."""
    rows = np.unique([effect.instrument for t in trades for effect in effects(t, known)]).astype(np.intp)
    points = marks(state.market, rows, state.now_ns)
    return tuple((at, x) for at, x in zip(rows.tolist(), points.tolist(), strict=True) if math.isfinite(x))


def _said(reading: _Reading) -> str:
    kinds = Counter("corrected" if t.corrects else "cancelled" if t.cancels else "new" for t in reading.new)
    text = f"{kinds['new']} new, {kinds['corrected']} corrected, {kinds['cancelled']} cancelled"
    if reading.ignored:
        named = ", ".join(reading.ignored[:_SHOWN]) + (", …" if len(reading.ignored) > _SHOWN else "")
        text += f", {len(reading.ignored)} known already and ignored: {named}"
    return text


def _arguments(command: Command) -> tuple[list[Any], bool]:
    found = read_arguments(command)
    if not isinstance(found, dict) or set(found) != {"file", "dry_run", "trades"}:
        raise Refused(f"{command.action} takes exactly file, dry_run, trades")
    rows, dry_run = found["trades"], found["dry_run"]
    if not isinstance(rows, list) or not isinstance(dry_run, bool) or not rows:
        raise Refused(f"{command.action}: trades is a list of at least one row, dry_run true or false")
    if len(rows) > ROWS_MAX:
        raise Refused(f"rows of a file: {len(rows)}, limit {ROWS_MAX}: split it")
    return rows, dry_run


def _take(state: ManagerState, reading: _Reading, row: Any) -> None:
    if not isinstance(row, list) or len(row) != len(_ROW):
        reading.wrong.append(f"a row of {row!r} is none")
        return
    fits = [isinstance(x, kind) and not isinstance(x, bool) for x, kind in zip(row, _ROW, strict=True)]
    if not all(fits):
        reading.wrong.append(f"line {row[0]}: a column is of the wrong sort")
        return
    line, trade_id, account, name, lots, price, time_ns, corrects, cancels = row
    at = state.setup.universe.index.get(name, -1)
    trade = ImportedTrade(trade_id, account, at, lots, price, time_ns, corrects, cancels)
    known = reading.known.get(trade_id)
    # Before anything else: what was taken may have expired since, and the file is whole all the same.
    if known == trade:
        reading.ignored.append(trade_id)
        return
    why = _unfit(state, trade, name)
    if not why and known is not None:
        why = "the id is known with other content; a correction has an id of its own and names this one in `corrects`"
    why = (
        why
        or problem_of(trade, reading.known, reading.ended)
        or _settled(state, reading.known.get(corrects or cancels))
        or reading.bounds.take(effects(trade, reading.known))
    )
    if why:
        reading.wrong.append(f"line {line} (trade {trade_id!r}): {why}")
        return
    reading.known[trade_id] = trade
    if former := corrects or cancels:
        reading.ended[former] = trade_id
    reading.new.append(trade)


def _settled(state: ManagerState, former: ImportedTrade | None) -> str:
    """Why the trade a line takes back cannot be: what was in a contract that has expired is settled and paid."""
    universe = state.setup.universe
    if former is None or universe.expiry_ns[former.instrument] > state.now_ns:
        return ""
    name = universe.instrument_id[former.instrument]
    return (
        f"trade {former.trade_id!r} is in {name}, which has expired and settled; book the difference outside this run"
    )


def _too_late(state: ManagerState, t: ImportedTrade) -> str:
    """Why a trade cannot have been done yet; a day is left for clocks and dates of other zones."""
    now_ns = state.now_ns
    if not state.market.sources or t.time_ns <= now_ns + NS_PER_DAY:
        return ""
    traded, now = (np.datetime64(ns, "ns").astype("datetime64[s]") for ns in (t.time_ns, now_ns))
    return f"it was done at {traded}Z, which is more than a day after the market's time, {now}Z"


def _unfit(state: ManagerState, t: ImportedTrade, name: str) -> str:
    universe, book = state.setup.universe, state.setup.book
    if not t.trade_id:
        return "it has no trade_id"
    if t.instrument < 0:
        return (
            f"{name} is not among the instruments of this run: it cannot be priced or hedged before the next start, "
            "where an opening book may hold it"
        )
    if universe.expiry_ns[t.instrument] <= state.now_ns:
        return f"{name} has expired"
    if not t.lots or abs(t.lots) > 10**9:
        return f"quantity {t.lots} is not between 1 and 1e9 lots, bought or sold"
    if not math.isfinite(t.price) or t.price < 0.0:
        return f"price {t.price} is none"
    if why := _too_late(state, t) or value_problem(state, t):
        return why
    if len(book.desk_names) > 1 and not any(t.account in desk.accounts for desk in book.desks):
        return f"account {t.account!r} belongs to no desk of this run"
    return ""

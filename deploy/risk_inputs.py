"""What ``hedgerow risk`` looks at: positions, working orders and the market they are valued in.

*Tested by* tests/unit/test_risk_cli_inputs.py, tests/e2e/test_risk_cli.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from common.books import BookRows, load_book
from common.errors import InputError, UsageError
from common.files.contracts import load_contracts
from common.files.read import read_book, read_chain
from common.files.tables import BookTable
from common.instruments import Instrument, parse_instrument
from common.instruments_contracts import BUILT_IN, Contracts
from common.market.config import MarketConfig, default_data_dir
from common.market.open import EXAMPLE_BOOKS, open_market
from common.market.recorded import RecordedMarket, is_recording
from common.messages import I64
from common.ports import MarketSource
from common.risk.market import MarketView
from common.universe import Book, Universe
from deploy.risk_market import chain_view, snapshot_at, stream_view
from deploy.risk_orders import RunPositions, WorkingOrder, fold_record, load_orders, of_run

Progress = Callable[[str, float], None]
BOOK_REMEDY: Final = "mend the book and run the command again (formats: docs/FILES.md; roots: --contracts; dates: --at)"


@dataclass(frozen=True)
class Request:
    """What was asked for. ``at_ns`` None: the end of the first session of demo and es-options, else the newest quote."""

    book: Path | None = None
    market: str | None = None
    data: Path | None = None
    at_ns: int | None = None
    profile: str | None = None
    mapping: Path | None = None
    contracts: Path | None = None
    quarantine: Path | None = None
    orders: Path | None = None
    run_dir: Path | None = None
    rate_per_year: float | None = None

    @property
    def data_dir(self) -> Path:
        """Folder of the real data files."""
        return self.data or default_data_dir()


@dataclass(frozen=True)
class Inputs:
    """Positions: each contract once, signed lots (n,). ``view`` is the market at one instant; orders name contracts."""

    book: str
    market: str
    view: MarketView
    contracts: tuple[Instrument, ...]
    lots: I64
    orders: tuple[WorkingOrder, ...]


def gather(request: Request, progress: Progress) -> Inputs:
    """Read and check everything. Raises ``InputError``, ``UsageError`` or ``Unavailable``; nothing is half-loaded."""
    if request.orders is not None and request.run_dir is not None:
        raise UsageError("--orders and --run-dir both say what is working; give one of the two")
    if request.run_dir is not None:
        return _of_run(request, request.run_dir, progress)
    terms = load_contracts(request.contracts) if request.contracts is not None else BUILT_IN
    if request.market is None:
        raise UsageError("give the market with --market demo, es-options or FILE (or a run with --run-dir DIR)")
    if request.profile is not None or request.mapping is not None:
        return _of_chain(request, request.market, terms, progress)
    if request.quarantine is not None:
        raise UsageError("--quarantine sets bad rows of a chain file aside: give its --profile too")
    if request.rate_per_year is not None:
        raise UsageError("--rate is for chain files of American options: give --profile too, or leave it out")
    return _of_stream(request, request.market, terms, progress)


def _of_chain(request: Request, market: str, terms: Contracts, progress: Progress) -> Inputs:
    if request.book is None:
        raise UsageError("give the book: hedgerow risk BOOK --market FILE --profile NAME")
    held = _read_book(request.book, terms, request.at_ns)
    progress("chain file", 0.0)
    profile = request.profile or "custom"
    table = read_chain(market, profile, request.mapping, terms, request.quarantine, request.at_ns)
    progress("surfaces", 0.0)
    view = chain_view(table, request.at_ns, request.rate_per_year)
    progress("surfaces", 1.0)
    orders = () if request.orders is None else load_orders(request.orders, terms.parse)
    return Inputs(held.book_id, market, view, held.listing.instruments, held.net_lots(), orders)


def _read_book(path: Path, terms: Contracts, at_ns: int | None) -> BookTable:
    """The book, whole: ``--quarantine`` is for rows of the chain, so a bad book is not told to use it."""
    try:
        return read_book(path, contracts=terms, as_of_ns=at_ns)
    except InputError as error:
        raise InputError(error.path, error.problems, BOOK_REMEDY) from None


def _of_stream(request: Request, market: str, terms: Contracts, progress: Progress) -> Inputs:
    source, book, default_ns = _open(request, market)
    at_ns = default_ns if request.at_ns is None else request.at_ns
    snapshot = snapshot_at(source, at_ns, lambda share: progress("quotes", share))
    progress("surfaces", 0.0)
    view = stream_view(source, snapshot, at_ns, lambda share: progress("surfaces", share))
    orders = () if request.orders is None else load_orders(request.orders, terms.parse)
    contracts, lots = _positions(source.universe, book.net_lots(len(source.universe)), book)
    return Inputs(book.book_id, market, view, contracts, lots, orders)


def _open(request: Request, market: str) -> tuple[MarketSource, Book, int]:
    """(source, book, instant to look at)."""
    path = Path(market)
    if market not in EXAMPLE_BOOKS and is_recording(path):
        recorded = RecordedMarket(path)
        book = recorded.book if request.book is None else _in_universe(load_book(request.book), recorded.universe)
        return recorded, book, recorded.session_bounds_ns[-1][1]
    if request.book is None:
        raise UsageError("give the book: hedgerow risk BOOK --market MARKET")
    source, book = open_market(MarketConfig(name=market, data=request.data), request.book)
    bounds = source.session_bounds_ns
    return source, book, bounds[0 if market in EXAMPLE_BOOKS else -1][1]


def _of_run(request: Request, folder: Path, progress: Progress) -> Inputs:
    from deploy.story import record_of

    given: dict[str, object] = {"--market": request.market, "--profile": request.profile, "--mapping": request.mapping}
    given |= {"--contracts": request.contracts, "--quarantine": request.quarantine, "--rate": request.rate_per_year}
    if idle := [flag for flag, value in given.items() if value is not None]:
        raise UsageError(f"--run-dir brings its own market (what its feed published); leave {', '.join(idle)} out")
    entries, universe, opening = record_of(folder)
    found = fold_record(entries, universe)
    progress("record", 1.0)
    source = RecordedMarket(folder)
    book = opening if request.book is None else _in_universe(load_book(request.book), universe)
    at_ns = request.at_ns or found.now_ns or source.session_bounds_ns[0][1]
    snapshot = snapshot_at(source, at_ns, lambda share: progress("quotes", share))
    orders = of_run(found, universe, lambda row: parse_instrument(universe.instrument_id[row]))
    contracts, lots = _positions(universe, book.net_lots(len(universe)) + found.traded, book, found)
    progress("surfaces", 0.0)
    view = stream_view(source, snapshot, at_ns, lambda share: progress("surfaces", share))
    return Inputs(book.book_id, str(folder), view, contracts, lots, orders)


def _in_universe(rows: BookRows, universe: Universe) -> Book:
    """The book in the rows of a universe. Raises ``UsageError`` naming contracts that it does not hold."""
    strangers = [i.id for i in rows.instruments if i.id not in universe.index]
    if strangers:
        more = f" and {len(strangers) - 3} more" if len(strangers) > 3 else ""
        raise UsageError(f"the recording has no {', '.join(strangers[:3])}{more}; leave BOOK out to take its own book")
    return rows.to_book(universe.index)


def _positions(
    universe: Universe, lots: I64, book: Book, found: RunPositions | None = None
) -> tuple[tuple[Instrument, ...], I64]:
    """Contracts of the book, and what was traded since, in the order of the universe."""
    named = np.zeros(len(universe), np.bool_)
    named[book.instrument.astype(np.intp)] = True
    if found is not None:
        named |= found.traded != 0
    rows = np.flatnonzero(named)
    return tuple(parse_instrument(universe.instrument_id[i]) for i in rows), lots[rows]

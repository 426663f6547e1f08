"""One door to every market: a name or a path in, a source and the opening book out.

*Tested by* tests/unit/test_market_open.py.
"""

from __future__ import annotations

from pathlib import Path

from common.books import BookRows, load_book
from common.errors import InputError, Problem, Unavailable, UsageError
from common.market.calendar import session_ns
from common.market.config import REPOSITORY, MarketConfig
from common.market.csv_quotes import CsvQuotesMarket, QuoteFile
from common.market.recorded import RecordedMarket, is_recording
from common.ports import MarketSource
from common.units import NS_PER_S
from common.universe import Book, Desk

EXAMPLES = REPOSITORY / "examples"
EXAMPLE_BOOKS = {"demo": EXAMPLES / "demo_book.csv", "es-options": EXAMPLES / "es_book.csv"}


def open_market(
    market: MarketConfig | str | Path,
    book_path: Path | None = None,
    *,
    data_dir: Path | None = None,
    desks: tuple[Desk, ...] = (),
) -> tuple[MarketSource, Book]:
    """A market and the book it opens with; ``market`` is its settings, or just its name or path.

    ``demo`` and ``es-options`` bring an example book; a recording (run folder or file) brings its own and takes no other;
    a CSV of quotes needs ``book_path``. ``data_dir`` (None: from the settings) holds the real data files. ``desks`` divide
    the accounts of the book; a recording has its own. Raises ``InputError``, ``Unavailable`` or ``UsageError``.
    """
    settings = market if isinstance(market, MarketConfig) else MarketConfig(name=str(market))
    name, path = settings.name, Path(settings.name)
    if name in EXAMPLE_BOOKS:
        return _named(settings, data_dir or settings.data_dir, book_path or EXAMPLE_BOOKS[name], desks)
    if not path.exists():
        raise Unavailable(f"{name}: neither demo nor es-options, nor a file or folder that exists")
    if is_recording(path):
        if book_path is not None or desks:
            flag = "--book" if book_path is not None else "--desks"
            raise UsageError(f"{name} is a recording and holds its book; leave {flag} out")
        recorded = RecordedMarket(path)
        return recorded, recorded.book
    if path.is_dir():
        raise UsageError(f"{name or path.resolve()} is a folder without a recording (market.bin)")
    if path.suffix == ".bin":
        raise InputError(name, [Problem(0, "not a Hedgerow recording")], "give a recording or a CSV of quotes")
    if book_path is None:
        raise UsageError(f"{name} holds quotes only; give the book with --book FILE")
    quotes = QuoteFile(path)
    rows = load_book(book_path, underlyings=quotes.underlyings, open_ns=quotes.time_ns[0], accounts=_accounts(desks))
    return _with_book(CsvQuotesMarket(quotes, rows, settings.csv), rows, desks)


def _accounts(desks: tuple[Desk, ...]) -> tuple[str, ...] | None:
    return tuple(account for desk in desks for account in desk.accounts) or None


def _named(
    settings: MarketConfig, data_dir: Path, book_path: Path, desks: tuple[Desk, ...]
) -> tuple[MarketSource, Book]:
    # Imported here: the demo needs pandas through arch, the E-mini day pyarrow; neither market needs the other's.
    if settings.name == "demo":
        from common.market.demo import SYMBOLS, DemoMarket

        opens_ns = session_ns(settings.demo.start)[0]
        rows = load_book(book_path, underlyings=SYMBOLS, open_ns=opens_ns, accounts=_accounts(desks))
        return _with_book(DemoMarket(rows, settings.demo), rows, desks)
    from common.market.es_files import option_underlyings
    from common.market.es_options import EsOptionsMarket

    open_ns = int(settings.es_options.start.timestamp()) * NS_PER_S
    known = option_underlyings(data_dir)
    rows = load_book(book_path, underlyings=known, open_ns=open_ns, accounts=_accounts(desks))
    return _with_book(EsOptionsMarket(data_dir, rows, settings.es_options), rows, desks)


def _with_book(source: MarketSource, rows: BookRows, desks: tuple[Desk, ...]) -> tuple[MarketSource, Book]:
    return source, rows.to_book(source.universe.index, desks)

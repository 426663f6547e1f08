"""One door to every market: a name or a path in, a source and the opening book out.

*Tested by* tests/unit/test_market_open.py.
"""

from __future__ import annotations

from pathlib import Path

from common.books import BookRows, load_book
from common.errors import Unavailable, UsageError
from common.market.calendar import session_ns
from common.market.config import REPOSITORY, MarketConfig
from common.market.csv_quotes import CsvQuotesMarket, QuoteFile
from common.market.recorded import RecordedMarket, is_recording
from common.ports import MarketSource
from common.universe import Book

EXAMPLES = REPOSITORY / "examples"
EXAMPLE_BOOKS = {"demo": EXAMPLES / "demo_book.csv", "es-options": EXAMPLES / "es_book.csv"}


def open_market(
    name_or_path: str | Path,
    data_dir: Path | None = None,
    book_path: Path | None = None,
    config: MarketConfig | None = None,
) -> tuple[MarketSource, Book]:
    """A market and the book it opens with.

    ``demo`` and ``es-options`` bring an example book; a recording (run folder or file) brings its own and takes no other;
    a CSV of quotes needs ``book_path``. ``data_dir`` (None: from ``config``) holds the real data files. Raises
    ``InputError``, ``Unavailable`` or ``UsageError``.
    """
    settings = config or MarketConfig()
    name, path = str(name_or_path), Path(name_or_path)
    if name in EXAMPLE_BOOKS:
        return _named(name, data_dir or settings.data_dir, book_path or EXAMPLE_BOOKS[name], settings)
    if not path.exists():
        raise Unavailable(f"{name}: neither demo nor es-options, nor a file or folder that exists")
    if is_recording(path):
        if book_path is not None:
            raise UsageError(f"{name} is a recording and holds its book; leave --book out")
        recorded = RecordedMarket(path)
        return recorded, recorded.book
    if path.is_dir():
        raise UsageError(f"{name} is a folder without a recording (market.bin)")
    if book_path is None:
        raise UsageError(f"{name} holds quotes only; give the book with --book FILE")
    quotes = QuoteFile(path)
    rows = load_book(book_path, underlyings=quotes.underlyings, open_ns=quotes.time_ns[0])
    return _with_book(CsvQuotesMarket(quotes, rows, settings.csv), rows)


def _named(name: str, data_dir: Path, book_path: Path, settings: MarketConfig) -> tuple[MarketSource, Book]:
    # Imported here: the demo needs pandas through arch, the E-mini day pyarrow; neither market needs the other's.
    if name == "demo":
        from common.market.demo import SYMBOLS, DemoMarket

        rows = load_book(book_path, underlyings=SYMBOLS, open_ns=session_ns(settings.demo.start)[0])
        return _with_book(DemoMarket(rows, settings.demo), rows)
    from common.market.es_options import EsOptionsMarket, known_underlyings

    open_ns = int(settings.es_options.start.timestamp()) * 10**9
    rows = load_book(book_path, underlyings=known_underlyings(data_dir), open_ns=open_ns)
    return _with_book(EsOptionsMarket(data_dir, rows, settings.es_options), rows)


def _with_book(source: MarketSource, rows: BookRows) -> tuple[MarketSource, Book]:
    return source, rows.to_book(source.universe.index)

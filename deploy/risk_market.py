"""The market of ``hedgerow risk``: quotes that stood at an instant, turned into surfaces and prices.

Two kinds of source: whatever `live` can run on (demo, es-options, a recording, a CSV of quotes), taken up to an instant;
and option-chain files (``common/files``), whose rows describe one. *Tested by* tests/unit/test_risk_cli_market.py,
tests/e2e/test_risk_cli.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from common.errors import UsageError
from common.files.tables import NO_TIME, ChainTable
from common.instruments import NEVER_NS, Instrument
from common.messages import F64, I64
from common.ports import MarketSource
from common.risk.market import MarketView, VolSurface
from common.snapshot import MarketSnapshot
from common.surfaces.chain import UNKNOWN, ChainQuotes, KnownForward
from common.surfaces.fitting import Fit, fit
from common.units import NS_PER_YEAR
from common.universe import AMERICAN, EUROPEAN, FUTURE, OPTION, Universe

Progress = Callable[[float], None]


def snapshot_at(source: MarketSource, at_ns: int, progress: Progress | None = None) -> MarketSnapshot:
    """Every quote up to ``at_ns``. Raises ``UsageError`` if nothing was quoted by then."""
    snapshot = MarketSnapshot(source.universe)
    first = source.session_bounds_ns[0][0] if source.session_bounds_ns else at_ns
    for batch in source.batches():
        time_ns = batch.header.event_time_ns
        if time_ns > at_ns:
            break
        snapshot.apply(batch)
        if progress is not None and at_ns > first:
            progress(min(max((time_ns - first) / (at_ns - first), 0.0), 1.0))
    if not snapshot.sources:
        raise UsageError("--at lies before the first quote of this market")
    return snapshot


def stream_view(
    source: MarketSource, snapshot: MarketSnapshot, at_ns: int, progress: Progress | None = None
) -> MarketView:
    """The view of a source at ``at_ns``, from the quotes that stand in ``snapshot``."""
    universe = source.universe
    usable, mid = snapshot.usable(), snapshot.mid()
    quoted = {universe.instrument_id[i]: float(mid[i]) for i in np.flatnonzero(usable & (universe.kind == FUTURE))}
    surfaces: dict[str, VolSurface] = {}
    said: list[str] = list(source.statements)
    for u, symbol in enumerate(universe.symbols):
        chain = _stream_chain(universe, u, snapshot, usable, mid, at_ns)
        if chain is not None:
            _take(symbol, fit(chain, at_ns), surfaces, said)
        else:
            said.append(f"{symbol}: no usable option quotes; its options have no price.")
        if progress is not None:
            progress((u + 1) / len(universe.symbols))
    if ((universe.style == AMERICAN) & (universe.kind == OPTION)).any():
        said.append("In these tables American options are valued as American; their volatilities are read as European.")
    return MarketView(at_ns, surfaces, quoted, {}, tuple(said))


def _stream_chain(
    universe: Universe, u: int, snapshot: MarketSnapshot, usable: np.ndarray[Any, Any], mid: F64, at_ns: int
) -> ChainQuotes | None:
    rows = np.flatnonzero(
        (universe.underlying == u) & (universe.kind == OPTION) & usable & (universe.expiry_ns > at_ns)
    )
    terms = universe.underlyings[u]
    future, known = terms.future_instrument, dict[int, KnownForward]()
    if future >= 0 and np.isfinite(mid[future]):
        for expiry in np.unique(universe.expiry_ns[rows]):
            years = (int(expiry) - int(universe.expiry_ns[future])) / NS_PER_YEAR
            discount = np.exp(-terms.rate_per_year * (int(expiry) - at_ns) / NS_PER_YEAR)
            known[int(expiry)] = KnownForward(
                float(mid[future] * np.exp(terms.carry_per_year * years)), float(discount)
            )
    style = AMERICAN if (universe.style[rows] == AMERICAN).any() else EUROPEAN
    if not len(rows) or (style == AMERICAN and not known):
        return None
    tick = universe.tick_size[rows]
    return ChainQuotes(
        underlying=terms.symbol,
        expiry_ns=np.asarray(universe.expiry_ns[rows], np.int64),
        strike=np.asarray(universe.strike[rows], np.float64),
        right=universe.right[rows].astype(np.float64),
        bid=snapshot.bid_ticks[rows] * tick,
        ask=snapshot.ask_ticks[rows] * tick,
        last_trade_ns=np.full(len(rows), UNKNOWN, np.int64),
        style=style,
        known=known,
    )


def chain_view(table: ChainTable, at_ns: int | None, rate_per_year: float | None) -> MarketView:
    """The view of a chain file at ``at_ns`` (None: its newest moment).

    Forwards and discounts come from put-call parity; coin-settled options, whose forward the file states, are turned into
    USD with it; American options need the price of their underlying in the file and ``rate_per_year``. A file that does
    not say when it was taken was taken at its newest trade. Raises ``UsageError`` if it has none.
    """
    now_ns, moment = _moment(table, at_ns)
    rows = table.latest(at_ns if table.snapshot_ns != NO_TIME else None)
    contracts = [table.listing.instruments[i] for i in table.instrument[rows]]
    quotes = _Rows(
        contracts, *(np.asarray(c, np.float64)[rows] for c in (table.bid, table.ask, table.underlying_price))
    )
    last = np.where(table.last_trade_ns[rows] == NO_TIME, UNKNOWN, table.last_trade_ns[rows])
    counts = table.quote_counts
    said = [
        f"Chain: {table.source.path}, {counts.rows:,} rows, {counts.two_sided:,} two-sided, {counts.crossed} crossed, "
        f"{counts.one_sided + counts.empty:,} without a side.",
        *moment,
    ]
    surfaces: dict[str, VolSurface] = {}
    spot: dict[str, float] = {}
    for symbol in dict.fromkeys(c.underlying for c in contracts):
        chain, price, why = _file_chain(symbol, quotes, last, now_ns, rate_per_year)
        if np.isfinite(price):
            spot[symbol] = price
        if chain is None:
            said.append(f"{symbol}: {why}.")
        else:
            _take(symbol, fit(chain, now_ns), surfaces, said)
    return MarketView(now_ns, surfaces, quotes.mids(), spot, tuple(said))


def _moment(table: ChainTable, at_ns: int | None) -> tuple[int, tuple[str, ...]]:
    """(when the chain was taken, what has to be said about that)."""
    if at_ns is not None:
        return at_ns, ()
    if table.snapshot_ns != NO_TIME:
        return table.snapshot_ns, ()
    newest = int(table.last_trade_ns.max()) if len(table) else NO_TIME
    if newest == NO_TIME:
        raise UsageError(f"{table.source.path} does not say when it was taken: give --at TIME with its offset")
    return newest, (
        "The file does not say when it was taken; its newest trade is taken for that (--at TIME says otherwise).",
    )


class _Rows:
    """Quotes (r,) beside their contracts."""

    def __init__(self, contracts: list[Instrument], bid: F64, ask: F64, underlying_price: F64) -> None:
        self.contracts = contracts
        self.bid, self.ask, self.underlying_price = bid, ask, underlying_price
        self.expiry_ns: I64 = np.array([c.expiry_ns for c in contracts], np.int64)

    def mids(self) -> dict[str, float]:
        """Mid by id of every future with two sides."""
        both = (self.bid > 0.0) & (self.ask > self.bid)
        return {
            c.id: float(0.5 * (self.bid[i] + self.ask[i]))
            for i, c in enumerate(self.contracts)
            if c.kind == FUTURE and both[i]
        }

    def options(self, symbol: str, now_ns: int) -> np.ndarray[Any, Any]:
        """Rows of the unexpired options of an underlying."""
        wanted = (
            c.kind != FUTURE and c.underlying == symbol and now_ns < c.expiry_ns < NEVER_NS for c in self.contracts
        )
        return np.flatnonzero(np.fromiter(wanted, np.bool_, len(self.contracts)))


def _file_chain(
    symbol: str, quotes: _Rows, last: I64, now_ns: int, rate: float | None
) -> tuple[ChainQuotes | None, float, str]:
    """(chain, price of the underlying or NaN, why there is no chain)."""
    rows = quotes.options(symbol, now_ns)
    if not len(rows):
        return None, np.nan, "no options that have not expired"
    contracts = [quotes.contracts[i] for i in rows]
    expiry, stated = quotes.expiry_ns[rows], quotes.underlying_price[rows]
    price = _median(stated)
    unit = np.ones(len(rows))
    known: dict[int, KnownForward] = {}
    style = AMERICAN if any(c.style == AMERICAN for c in contracts) else EUROPEAN
    if any(c.inverse for c in contracts):
        known = {int(e): KnownForward(_median(stated[expiry == e]), 1.0) for e in np.unique(expiry)}
        known = {e: f for e, f in known.items() if f.forward > 0.0}
        unit = np.array([known[int(e)].forward if int(e) in known else np.nan for e in expiry])
    elif style == AMERICAN:
        if not price > 0.0 or rate is None:
            return None, price, "American options; their forwards need the underlying's price in the file and --rate"
        years = {int(e): (int(e) - now_ns) / NS_PER_YEAR for e in np.unique(expiry)}
        known = {e: KnownForward(price * float(np.exp(rate * t)), float(np.exp(-rate * t))) for e, t in years.items()}
    chain = ChainQuotes(
        underlying=symbol,
        expiry_ns=expiry,
        strike=np.array([c.strike for c in contracts], np.float64),
        right=np.array([c.right for c in contracts], np.float64),
        bid=quotes.bid[rows] * unit,
        ask=quotes.ask[rows] * unit,
        last_trade_ns=np.asarray(last[rows], np.int64),
        style=style,
        known=known,
    )
    return chain, price, ""


def _median(values: F64) -> float:
    good = values[np.isfinite(values) & (values > 0.0)]
    return float(np.median(good)) if len(good) else float("nan")


def _take(symbol: str, found: Fit, surfaces: dict[str, VolSurface], said: list[str]) -> None:
    """Keep the surface of one underlying and say how good it is."""
    if found.surface is None:
        said.append(
            f"{symbol}: no quote could be fitted ({_left_out(found.report.counted)}); its options have no price."
        )
        return
    report = found.report
    lost = int((~np.isfinite(found.surface.slices)).any(axis=1).sum())
    if lost:
        said.append(
            f"{symbol}: {lost} of {len(found.surface)} expiries could not be fitted (no finite surface goes through their "
            "quotes); its options have no price."
        )
        return
    surfaces[symbol] = found.surface
    said.append(
        f"{symbol}: surface of {len(found.surface)} expiries from {report.quotes:,} quotes, "
        f"{report.violations} arbitrage violations, {100.0 * report.inside_share:.0f} % of its prices inside the spreads."
    )


def _left_out(counted: Mapping[str, int]) -> str:
    return ", ".join(_words(counted.items())) or "no quotes"


def _words(items: Iterable[tuple[str, int]]) -> list[str]:
    return [f"{count:,} {name.replace('_', ' ')}" for name, count in items if count and name != "used"]

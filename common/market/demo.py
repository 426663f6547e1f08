"""The demo market: real daily figures of early 2018, modelled inside the day. docs/MARKET.md says what is which.

*Tested by* tests/golden/test_market_demo.py, tests/properties/test_market_surface.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np

from common.books import BookRows
from common.instruments import Instrument, future
from common.market import ssvi
from common.market.build import Terms, build_universe
from common.market.calendar import expiries_after, session_ns
from common.market.config import DemoConfig
from common.market.daily import load_window
from common.market.demo_model import build_days
from common.market.demo_quotes import Values, listed_options, make_listing, quote_day, value_day
from common.messages import Header, QuoteBatch
from common.subjects import feed_source

SYMBOLS = ("SPX", "IXIC")
MONTHLY_EXPIRIES = 4
QUARTERLY_EXPIRIES = 3


class DemoMarket:
    """``MarketSource`` of the demo.

    ``window`` holds the real figures, ``days`` the model of each session. Raises ``Unavailable`` without the package
    ``arch``, ``UsageError`` for a window that the files do not hold.
    """

    def __init__(self, book_rows: BookRows | None, config: DemoConfig) -> None:
        self.config = config
        self.window = load_window(config.start, config.end)
        last = self.window.days[-1]
        expiries = expiries_after(last, MONTHLY_EXPIRIES, QUARTERLY_EXPIRIES)
        self.days = build_days(self.window, config, len(expiries))
        dividend = {"SPX": config.dividend_spx_per_year, "IXIC": config.dividend_ixic_per_year}
        futures = {symbol: future(symbol, expiries_after(last, 0, 1)[0]) for symbol in SYMBOLS}
        terms = {s: Terms(futures[s].id, config.rate_per_year - dividend[s], config.rate_per_year) for s in SYMBOLS}
        before = self.window.returns_before
        self.universe = build_universe(
            [*futures.values(), *self._options(expiries)],
            book_rows.instruments if book_rows else (),
            terms,
            np.cov(before.T),
            f"sample covariance of {len(before)} daily log returns before {self.window.days[0]}",
        )
        factors = {"SPX": 1.0, "IXIC": config.nasdaq_vol_factor}
        self._listings = [make_listing(self.universe, symbol, factors[symbol]) for symbol in SYMBOLS]

    def _options(self, expiries: tuple[date, ...]) -> list[Instrument]:
        found = []
        for u, symbol in enumerate(SYMBOLS):
            opened, highs, lows, _ = self.window.ohlc[u].T
            extent = float(lows.min()), float(highs.max())
            found += listed_options(symbol, expiries, self.window.days[0], extent, float(opened[0]))
        return found

    @property
    def session_bounds_ns(self) -> tuple[tuple[int, int], ...]:
        """Open and close of each session."""
        return tuple(session_ns(day) for day in self.window.days)

    @property
    def statements(self) -> tuple[str, ...]:
        """What is real and what is modelled."""
        c, days = self.config, self.window.days
        correlation = float(np.atleast_2d(np.corrcoef(self.window.returns_before.T))[0, 1])
        return (
            f"Real: S&P 500 and Nasdaq Composite open, high, low, close and the VIX close of {len(days)} days, {days[0]} to "
            f"{days[-1]} (package arch: Yahoo Finance, FRED).",
            "Modelled: the path inside each day, a Brownian bridge through open and close that touches high and low, "
            f"correlated across the two as their daily returns were the year before ({correlation:.2f}); seed {c.seed}.",
            f"Modelled: the VIX inside the day ({c.vix_overnight_share:.0%} of its change at the open, the rest along the "
            f"session, {c.vix_per_return:g} times the index's return about its line).",
            f"Modelled: the option surface (SSVI; at-the-money 30-day vol {ssvi.ATM_PER_VIX:g} VIX, Nasdaq "
            f"{c.nasdaq_vol_factor:g} times that; shocks damped with tenor; noise of a few tenths of a point).",
            "Modelled: spreads and sizes, a fit to the real E-mini option day 2020-01-06 (median spread 0.9 % of mid, bid "
            "size 30); no wider in stress, which is kind to every hedger alike.",
            f"Assumed: rate {c.rate_per_year:.1%}, dividend yields {c.dividend_spx_per_year:.1%} and "
            f"{c.dividend_ixic_per_year:.1%}, constant; fees of 1.10 USD an option and 1.30 USD a future, per lot and side.",
            "Assumed: futures and options on the Nasdaq Composite, which no exchange lists, with the terms of the Nasdaq-100's.",
        )

    def values(self, symbol: str, day_at: int) -> Values:
        """Model values of the listed options of one underlying in one session (what the quotes are made from)."""
        at = SYMBOLS.index(symbol)
        return value_day(self._listings[at], self.days[day_at], at)

    def batches(self) -> Iterator[QuoteBatch]:
        """Per step one batch of each underlying: its future and every listed option."""
        sequence = 0
        for day_at, day in enumerate(self.days):
            quoted = [
                quote_day(listing, value_day(listing, day, u), self.config.seed, day_at, u)
                for u, listing in enumerate(self._listings)
            ]
            for step, time_ns in enumerate(day.time_ns):
                sequence += 1
                for symbol, listing, columns in zip(SYMBOLS, self._listings, quoted, strict=True):
                    header = Header(feed_source(symbol), sequence, int(time_ns))
                    bid, ask, bid_size, ask_size = (column[step] for column in columns)
                    yield QuoteBatch(header, listing.rows, bid, ask, bid_size, ask_size)

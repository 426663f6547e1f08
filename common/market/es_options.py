"""Real quotes of options and futures on the E-mini S&P 500 future, 2020-01-06, minute by minute.

A minute's row holds the state at its end, so it is news one minute after its stamp: nothing is seen before it happened.
Underlyings are the futures themselves (``ESH0``, ``ESM0``), so carry is 0. Rows exist only where something changed; they
go out as they are, an empty side as ``NO_PRICE``. The options are American; see `early_exercise_premium_bound`.
*Tested by* tests/golden/test_market_es_options.py, tests/unit/test_market_es_files.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from common.books import BookRows
from common.errors import UsageError
from common.market.batching import Quotes, batches_of, sessions_of
from common.market.build import Terms, build_universe
from common.market.config import EsOptionsConfig
from common.market.es_files import QuoteRows, read_futures, read_options
from common.messages import F64, QuoteBatch
from common.units import NO_PRICE, NS_PER_DAY, NS_PER_MIN, NS_PER_S, NS_PER_YEAR
from common.universe import Universe

#: Daily volatility before the day: SPY daily log returns of 2019 (spy_daily file), sample standard deviation.
PRIOR_DAILY_VOL = 0.0079
#: Two quarters of one index move as one; the rest is carry.
PRIOR_CORRELATION = 0.999
SESSION_GAP_S = 600
#: Globex rests each day from 22:00 to 23:00 UTC in winter; quotes in that hour are indications before the open.
_REST_NS = (22 * 60 * NS_PER_MIN, 23 * 60 * NS_PER_MIN)


def early_exercise_premium_bound(price: F64, rate_per_year: float, years: F64) -> F64:
    """Most that early exercise can be worth in an American option on a future, in the unit of ``price`` (n,).

    Under the pricing measure the future is a martingale and the payoff convex, so for any exercise time τ <= T the payoff
    at τ is at most the conditional expectation of the payoff at T (Jensen); its discount factor is at most 1. Hence
    American <= exp(rT) × European, and the premium is at most European × (exp(rT) - 1) <= price × (exp(rT) - 1), r >= 0.
    """
    return np.asarray(price * np.expm1(max(rate_per_year, 0.0) * years))


class EsOptionsMarket:
    """``MarketSource`` of the E-mini day.

    Raises ``Unavailable`` where the files are not, ``InputError`` where they are malformed, ``UsageError`` for a window
    without quotes.
    """

    def __init__(self, data_dir: Path, book_rows: BookRows | None, config: EsOptionsConfig) -> None:
        self.config = config
        start = int(config.start.timestamp()) * NS_PER_S
        options = _in_session(read_options(data_dir).since(start))
        symbols = sorted({i.underlying for i in options.instruments}, key=lambda s: (s[-1], s[:-1]))
        futures = _in_session(read_futures(data_dir).since(start)).only(frozenset(symbols))
        future_id = {i.underlying: i.id for i in futures.instruments}
        missing = [s for s in symbols if s not in future_id]
        if missing:
            raise UsageError(f"{data_dir}: no futures quotes of {', '.join(missing)} from {config.start} on")
        correlation = np.where(np.eye(len(symbols), dtype=np.bool_), 1.0, PRIOR_CORRELATION)
        self.universe: Universe = build_universe(
            [*futures.instruments, *options.instruments],
            book_rows.instruments if book_rows else (),
            {s: Terms(future_id[s], 0.0, config.rate_per_year) for s in symbols},
            PRIOR_DAILY_VOL**2 * correlation,
            f"SPY daily log returns of 2019 ({PRIOR_DAILY_VOL:.2%} a day); correlation {PRIOR_CORRELATION} assumed",
        )
        self._quotes = self._joined(options, futures)
        if not len(self._quotes.time_ns):
            raise UsageError(f"{data_dir}: no quotes from {config.start} to {config.end or 'the end'}")
        self._premium_points, self._premium_share = self._largest_premium(options)

    def _joined(self, options: QuoteRows, futures: QuoteRows) -> Quotes:
        parts = []
        for rows in (options, futures):
            index = np.array([self.universe.index[i.id] for i in rows.instruments], np.uint32)
            parts.append(
                (
                    rows.ts_ns + NS_PER_MIN,
                    index[rows.contract],
                    rows.bid_ticks,
                    rows.ask_ticks,
                    rows.bid_size_lots,
                    rows.ask_size_lots,
                )
            )
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        if self.config.end is not None:
            keep = columns[0] < int(self.config.end.timestamp()) * NS_PER_S
            columns = [column[keep] for column in columns]
        return Quotes(*columns).ordered(self.universe)

    def _largest_premium(self, options: QuoteRows) -> tuple[float, float]:
        """Largest bound on the early-exercise premium over the quoted mids: in points, and as a share of the mid."""
        two_sided = (options.bid_ticks > NO_PRICE) & (options.ask_ticks > NO_PRICE)
        contract = options.contract[two_sided]
        tick = np.array([i.tick_size for i in options.instruments])[contract]
        expiry = np.array([i.expiry_ns for i in options.instruments])[contract]
        mid = 0.5 * (options.bid_ticks[two_sided].astype(np.float64) + options.ask_ticks[two_sided]) * tick
        years = (expiry - options.ts_ns[two_sided]) / NS_PER_YEAR
        bound = early_exercise_premium_bound(mid, self.config.rate_per_year, years)
        return float(np.max(bound, initial=0.0)), float(np.max(bound / mid, initial=0.0))

    @property
    def session_bounds_ns(self) -> tuple[tuple[int, int], ...]:
        """Stretches without a silence of more than ``SESSION_GAP_S`` in any quote."""
        return sessions_of(self._quotes.time_ns, SESSION_GAP_S)

    @property
    def statements(self) -> tuple[str, ...]:
        """What is real and what is assumed."""
        return (
            "Real: bid, ask and sizes of options on the E-mini S&P 500 future and of the futures, CME Globex, 2020-01-06, "
            "state at the end of each minute, taken as news at that end (QuantConnect Lean, Apache-2.0).",
            "Real: only the quoted size at the quoted price is there to trade; nothing is filled in or smoothed.",
            "Approximated: the options are American and valued as European (Black-76); early exercise is worth at most "
            f"{self._premium_points:.2f} points, or {self._premium_share:.2%} of an option's mid.",
            f"Assumed: rate {self.config.rate_per_year:.2%}; covariance prior from {self.universe.covariance_source}; fees "
            "of 1.30 USD per lot and side.",
        )

    def batches(self) -> Iterator[QuoteBatch]:
        """Per minute and underlying the rows that changed, the future first."""
        return batches_of(self._quotes, self.universe)


def _in_session(rows: QuoteRows) -> QuoteRows:
    of_day = rows.ts_ns % NS_PER_DAY
    return rows.where((of_day < _REST_NS[0]) | (of_day >= _REST_NS[1]))

"""Builds the universe of a run: what the market lists, then what only the book holds.

*Tested by* tests/unit/test_universe.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.instruments import Instrument
from common.messages import F64
from common.universe import FUTURE, Underlying, Universe


@dataclass(frozen=True, slots=True)
class Terms:
    """What forwards of one underlying need. ``future_id`` empty: no future trades it. Rates per year, continuous."""

    future_id: str
    carry_per_year: float
    rate_per_year: float


def build_universe(
    listed: Iterable[Instrument],
    held: Iterable[Instrument],
    terms: Mapping[str, Terms],
    covariance_daily: F64,
    covariance_source: str,
) -> Universe:
    """The universe: listed futures and options per underlying, then what only the book holds, in the same order.

    Order: ``terms``, futures first, expiry, strike, call before put. ``covariance_daily`` (u, u) in the order of
    ``terms``. Raises ``ValueError`` if an instrument's underlying has no terms.
    """
    order = {symbol: at for at, symbol in enumerate(terms)}

    def key(i: Instrument) -> tuple[int, int, int, float, int, str]:
        return (order[i.underlying], i.kind, i.expiry_ns, i.strike, -i.right, i.id)

    market = {i.id: i for i in listed}
    extra = {i.id: i for i in held if i.id not in market}
    strangers = {i.underlying for i in (*market.values(), *extra.values())} - set(order)
    if strangers:
        raise ValueError(f"no terms for underlying {', '.join(sorted(strangers))}; known: {', '.join(order)}")
    rows = sorted(market.values(), key=key) + sorted(extra.values(), key=key)
    index = {i.id: at for at, i in enumerate(rows)}
    underlyings = tuple(
        Underlying(symbol, index[t.future_id] if t.future_id else -1, t.carry_per_year, t.rate_per_year)
        for symbol, t in terms.items()
    )
    return _columns(rows, len(market), order, underlyings, covariance_daily, covariance_source)


def _columns(
    rows: Sequence[Instrument],
    listed: int,
    order: Mapping[str, int],
    underlyings: tuple[Underlying, ...],
    covariance_daily: F64,
    covariance_source: str,
) -> Universe:
    return Universe(
        instrument_id=tuple(i.id for i in rows),
        kind=np.array([i.kind for i in rows], np.uint8),
        underlying=np.array([order[i.underlying] for i in rows], np.uint16),
        expiry_ns=np.array([i.expiry_ns for i in rows], np.int64),
        strike=np.array([i.strike for i in rows], np.float64),
        right=np.array([i.right for i in rows], np.int8),
        style=np.array([i.style for i in rows], np.uint8),
        multiplier_usd=np.array([i.multiplier for i in rows], np.float64),
        tick_size=np.array([i.tick_size for i in rows], np.float64),
        fee_cents=np.array([i.fee_cents for i in rows], np.int64),
        listed=(np.arange(len(rows)) < listed).astype(np.uint8),
        underlyings=underlyings,
        covariance_daily=np.ascontiguousarray(covariance_daily, np.float64),
        covariance_source=covariance_source,
    )


def front_future(instruments: Iterable[Instrument], symbol: str) -> str:
    """Id of the future of ``symbol`` that expires first; empty if there is none."""
    futures = sorted((i.expiry_ns, i.id) for i in instruments if i.kind == FUTURE and i.underlying == symbol)
    return futures[0][1] if futures else ""

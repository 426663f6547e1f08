"""Quotes of a recording at stated moments: what stood then, for transaction costs and the cost model.

*Tested by* tests/unit/test_lab_mids.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.messages import I64, QuoteBatch
from common.units import NO_PRICE


@dataclass(frozen=True)
class Standing:
    """The last usable quote at or before each moment, columns (q,); ``twice_mid_ticks`` is bid + ask, so that it is whole.

    Usable: both sides, uncrossed, with size. ``NO_PRICE`` and 0 where there was none, or where the recording had ended.
    """

    twice_mid_ticks: I64
    spread_ticks: I64
    size_lots: I64

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where there was one, (q,)."""
        return np.not_equal(self.twice_mid_ticks, NO_PRICE)


def standing_at(batches: Iterable[QuoteBatch], instruments: int, instrument: I64, time_ns: I64) -> Standing:
    """What stood for ``instrument`` (q,) at market ``time_ns`` (q,). ``batches`` in order of event time.

    A quote of exactly that time counts. ``size_lots``: the smaller of both sides, as the manager's cost model takes it.
    """
    order = np.argsort(time_ns, kind="stable")
    due_ns = time_ns[order]
    out = np.full((3, len(order)), 0, np.int64)
    out[0] = NO_PRICE
    last = np.zeros((3, instruments), np.int64)
    last[0] = NO_PRICE
    at = 0
    for batch in batches:
        upto = int(np.searchsorted(due_ns, batch.header.event_time_ns, side="left"))
        if upto > at:
            rows = order[at:upto]
            out[:, rows] = last[:, instrument[rows]]
            at = upto
        ok = (batch.bid_ticks > NO_PRICE) & (batch.ask_ticks > NO_PRICE) & (batch.bid_ticks < batch.ask_ticks)
        ok &= (batch.bid_size_lots > 0) & (batch.ask_size_lots > 0)
        bid, ask = batch.bid_ticks[ok].astype(np.int64), batch.ask_ticks[ok].astype(np.int64)
        size = np.minimum(batch.bid_size_lots[ok], batch.ask_size_lots[ok])
        last[:, batch.instrument[ok]] = (bid + ask, ask - bid, size)
        end_ns = batch.header.event_time_ns
        exact = int(np.searchsorted(due_ns, end_ns, side="right"))
        if exact > at:  # asked for at this very moment; a later batch of the same time overwrites it
            rows = order[at:exact]
            out[:, rows] = last[:, instrument[rows]]
    return Standing(out[0], out[1], out[2])

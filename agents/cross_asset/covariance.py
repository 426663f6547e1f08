"""Running covariance of the underlyings' log returns on a grid of market time, and what follows from it.

Each underlying's price at a grid point is its last at or before it. A point counts once every watched underlying has
news from after it, so the order in which batches of different sources arrive cannot change the result. Points between
which nothing was heard (nights) are skipped: the return then covers the longer span, and decay is by calendar time.
*Tested by* tests/unit/test_agents_cross_asset.py (numpy EWMA, interleavings),
tests/properties/test_agents_covariance.py.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from agents.cross_asset.kernel import decay_and_add
from common.messages import F64
from common.units import NS_PER_DAY, NS_PER_S

#: Grid points one underlying may run ahead of the slowest; beyond it the oldest is dropped (its source is stale
#: anyway).
MAX_AHEAD = 4096


class GridCovariance:
    """Covariance (u, u) per day of ``watched`` underlyings, from the prior on. Owner: the cross-asset `AgentState`."""

    def __init__(self, prior: F64, watched: tuple[int, ...], grid_s: float, half_life_days: float) -> None:
        self.matrix = np.array(prior, np.float64, order="C")
        self.version = 0
        self._watched = watched
        self._grid_ns = max(int(grid_s * NS_PER_S), 1)
        self._half_life_days = half_life_days
        u = len(prior)
        self._last_price = np.full(u, np.nan)
        self._last_time_ns = np.full(u, -1, np.int64)
        self._sealed: list[deque[tuple[int, float]]] = [deque(maxlen=MAX_AHEAD) for _ in range(u)]
        self._at = np.full(u, np.nan)
        self._at_index = -1

    def observe(self, underlying: int, time_ns: int, price: float) -> None:
        """Price of one underlying from ``time_ns`` on, points, NaN if unknown; an earlier time counts as its last."""
        before = int(self._last_time_ns[underlying])
        time_ns = max(time_ns, before)
        known = self._last_price[underlying]
        index = -(-before // self._grid_ns)  # first grid point at or after the previous news
        if known == known and index * self._grid_ns < time_ns:
            self._sealed[underlying].append((index, float(known)))
        self._last_time_ns[underlying] = time_ns
        if price > 0.0:
            self._last_price[underlying] = price
        self._advance()

    def rescale(self, underlying: int, ratio: float) -> None:
        """Its prices so far, times ``ratio``: after a roll they are those of the new future, and their distance is no return."""
        if not ratio > 0.0:
            return
        self._last_price[underlying] *= ratio
        self._at[underlying] *= ratio
        queue = self._sealed[underlying]
        self._sealed[underlying] = deque(((index, price * ratio) for index, price in queue), maxlen=MAX_AHEAD)

    def _advance(self) -> None:
        heard = [int(self._last_time_ns[u]) for u in self._watched]
        if min(heard, default=-1) < 0:
            return
        complete = (min(heard) - 1) // self._grid_ns
        while True:
            ready = [q[0][0] for q in (self._sealed[u] for u in self._watched) if q and q[0][0] <= complete]
            if not ready:
                return
            self._take(min(ready))

    def _take(self, index: int) -> None:
        following = self._at.copy()
        for u in self._watched:
            queue = self._sealed[u]
            while queue and queue[0][0] <= index:
                following[u] = queue.popleft()[1]
        if self._at_index >= 0:
            days = (index - self._at_index) * self._grid_ns / NS_PER_DAY
            decay_and_add(self.matrix, np.log(following / self._at), days, self._half_life_days)
            self.version += 1
        self._at, self._at_index = following, index


def common_betas(covariance: F64, members: tuple[int, ...]) -> F64:
    """Loadings (u,) of the first principal component of ``members``, 0 elsewhere; Σβ² = their number, Σβ >= 0.

    covariance (u, u), symmetric. With equal variances and correlations every β is 1. A block without variance: all 1.
    """
    beta = np.zeros(len(covariance))
    if not members:
        return beta
    rows = list(members)
    block = covariance[np.ix_(rows, rows)]
    values, vectors = np.linalg.eigh(block)
    v = vectors[:, -1] if values[-1] > 0.0 else np.ones(len(rows)) / np.sqrt(len(rows))
    if v.sum() < 0.0 or (v.sum() == 0.0 and v[0] < 0.0):
        v = -v
    beta[rows] = v * np.sqrt(len(rows))
    return beta


def best_proxy(covariance: F64, underlying: int, candidates: tuple[int, ...]) -> tuple[int, float]:
    """The candidate with the highest |correlation| to ``underlying`` and the beta on it; (-1, 0) without one."""
    best, best_correlation, beta = -1, 0.0, 0.0
    for c in candidates:
        scale = covariance[underlying, underlying] * covariance[c, c]
        if not scale > 0.0:
            continue
        correlation = abs(covariance[underlying, c]) / np.sqrt(scale)
        if correlation > best_correlation:
            best, best_correlation = c, correlation
            beta = covariance[underlying, c] / covariance[c, c]
    return best, float(beta)

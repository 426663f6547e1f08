"""When and at what price the paper venue settles contracts: once each, from its own quotes.

The price is the underlying's: the mid of its future carried to the settlement instant, or put-call parity where it has none
(the strike whose call and put are closest, at the next expiry quoted). It is taken
- at the instant, from the quotes that stand then, those of the instant included, if they are of the session that holds it
  (PM: the instant is the close);
- else from the first usable quotes after it (AM: the instant is the open, and what stands is yesterday's).

Contracts that settled before the venue saw the market are not its business. Nothing that settles is refused for its size:
positions are not known here, who holds what books it (`common.lifecycle`).
*Tested by* tests/unit/test_execution_paper_settle.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from common.calendars.day import Schedule
from common.lifecycle import Settlement, price_ticks, settlements
from common.subjects import feed_source
from common.units import NO_PRICE, NS_PER_YEAR
from common.universe import OPTION, Universe
from execution.venues.paper_market import PaperMarket
from execution.venues.port import VenueEvent, VenueKind


class PaperSettlements:
    """Owns what is still to settle. ``since_ns``: market time an earlier process had seen; 0 for a fresh venue."""

    def __init__(self, universe: Universe, market: PaperMarket, schedule: Schedule, since_ns: int = 0) -> None:
        self._universe = universe
        self._market = market
        self._schedule = schedule
        self._since_ns = since_ns
        self._seen = since_ns > 0
        self._quoted_ns: dict[str, int] = {}
        self._open = list(settlements(universe))

    def told(self, settlement_ids: Iterable[str]) -> None:
        """These an earlier process has told already."""
        known = set(settlement_ids)
        self._open = [s for s in self._open if s.settlement_id not in known]

    def due_ns(self, now_ns: int) -> int | None:
        """The next instant after ``now_ns`` that lies in the session of now, its close included, or None."""
        session = self._schedule.session_at(now_ns)
        if session is None or not self._open or not self._seen:
            return None
        inside = (s.expiry_ns for s in self._open if now_ns < s.expiry_ns <= session.close_ns)
        return next(inside, None)

    def quoted(self, source: str, at_ns: int) -> None:
        """Quotes of a source have come in."""
        if not self._seen:
            session = self._schedule.session_at(at_ns)
            self._begin(at_ns if session is None else session.open_ns)
        self._quoted_ns[source] = max(self._quoted_ns.get(source, 0), at_ns)

    def _begin(self, since_ns: int) -> None:
        self._seen, self._since_ns = True, since_ns

    def pending(self, before_ns: int) -> bool:
        """Whether something settles before an instant; cheap, for every batch."""
        return self._seen and bool(self._open) and self._open[0].expiry_ns < before_ns

    def settle(self, before_ns: int, now_ns: int, source: str = "") -> list[VenueEvent]:
        """Settle what is due before an instant and has a price; ``now_ns``: when it is told; of one source, or of all."""
        if not self.pending(before_ns):
            return []
        out: list[VenueEvent] = []
        left: list[Settlement] = []
        for at, s in enumerate(self._open):
            if s.expiry_ns >= before_ns:
                left += self._open[at:]
                break
            if s.expiry_ns < self._since_ns:
                continue
            asked = not source or source == self._source(s)
            points = self._points(s) if asked and self._fresh(s) else None
            if points is None:
                left.append(s)
            else:
                out.append(self._event(s, points, max(now_ns, s.expiry_ns)))
        self._open = left
        return out

    def _source(self, s: Settlement) -> str:
        return feed_source(self._universe.symbols[s.underlying])

    def _event(self, s: Settlement, points: float, at_ns: int) -> VenueEvent:
        ticks, size = price_ticks(self._universe, s, points), self._universe.tick_size.item(s.reference)
        symbol = self._universe.symbols[s.underlying]
        text = f"{len(s.rows)} contracts on {symbol} settle at {ticks * size:g}"
        name = s.settlement_id
        return VenueEvent(VenueKind.SETTLED, name, at_ns, name, ticks=ticks, text=text, instrument=s.reference)

    def _fresh(self, s: Settlement) -> bool:
        """Whether the underlying has been quoted since the session of the instant opened."""
        quoted_ns = self._quoted_ns.get(self._source(s), 0)
        opens = [x.open_ns for x in self._schedule.sessions if x.open_ns <= s.expiry_ns]
        return quoted_ns >= (opens[-1] if opens else 1)

    def _points(self, s: Settlement) -> float | None:
        """Price of the underlying in points, None while no usable quote tells it."""
        u = self._universe.underlyings[s.underlying]
        if (future := u.front(s.expiry_ns)) >= 0:
            mid = self._mid(future)
            years = (s.expiry_ns - self._universe.expiry_ns.item(future)) / NS_PER_YEAR
            return None if mid is None else mid * math.exp(u.carry_per_year * years)
        return next(self._parities(s, u.carry_per_year, u.rate_per_year), None)

    def _parities(self, s: Settlement, carry: float, rate: float) -> Iterator[float]:
        """K + e^(rτ) (C - P) where call and put are closest, carried back to the instant; expiry by expiry."""
        u = self._universe
        rows = (u.kind == OPTION) & (u.underlying == s.underlying) & (u.expiry_ns >= s.expiry_ns)
        for expiry in sorted(set(u.expiry_ns[rows].tolist())):
            sides: dict[int, dict[float, float]] = {1: {}, -1: {}}
            for row in (rows & (u.expiry_ns == expiry)).nonzero()[0].tolist():
                mid = self._mid(row)
                if mid is not None:
                    sides[u.right.item(row)][u.strike.item(row)] = mid
            gaps = {k: sides[1][k] - sides[-1][k] for k in sides[1].keys() & sides[-1].keys()}
            if gaps:
                strike = min(gaps, key=lambda k: (abs(gaps[k]), k))
                years = (expiry - s.expiry_ns) / NS_PER_YEAR
                yield (strike + math.exp(rate * years) * gaps[strike]) * math.exp(-carry * years)

    def _mid(self, row: int) -> float | None:
        bid, ask, bid_lots, ask_lots = self._market.touch(row)
        usable = bid != NO_PRICE and ask != NO_PRICE and bid_lots > 0 and ask_lots > 0
        if not usable or not self._market.trades(row):
            return None
        return 0.5 * (bid + ask) * self._universe.tick_size.item(row)

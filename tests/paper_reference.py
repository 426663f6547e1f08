"""The paper venue's matching once more, as slowly and plainly as possible: every lot of every queue is an item of a list.

One instrument, no latency, always open. A queue at a price is a list of lots from front to back: ``MARKET`` for a lot of
somebody else, else the id of an own order, once a lot. Nothing is shared with the venue but the written rules.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from common.messages import Side

MARKET = "*"
#: Stands for a number of lots that the quotes have never shown.
MANY = 500
Quote = tuple[int | None, int | None, int, int]


@dataclass
class Resting:
    name: str
    side: Side
    limit: int
    lots: int


@dataclass
class ReferenceVenue:
    """``percent``: what share of the lots that disappear was traded."""

    percent: int
    quote: Quote = (None, None, 0, 0)
    queues: dict[tuple[Side, int], list[str]] = field(default_factory=dict)
    orders: dict[str, Resting] = field(default_factory=dict)
    taken: Counter[Side] = field(default_factory=Counter)

    def near(self, side: Side, quote: Quote) -> tuple[int | None, int]:
        bid, ask, bid_lots, ask_lots = quote
        return (bid, bid_lots) if side is Side.BUY else (ask, ask_lots)

    def far(self, side: Side, quote: Quote) -> tuple[int | None, int]:
        return self.near(Side.SELL if side is Side.BUY else Side.BUY, quote)

    def believable(self, quote: Quote) -> bool:
        bid, ask, _, _ = quote
        return bid is None or ask is None or bid < ask

    def better(self, side: Side, a: int, b: int) -> bool:
        return a > b if side is Side.BUY else a < b

    def prices(self, side: Side) -> list[int]:
        """Own prices of a side, best first."""
        own = {order.limit for order in self.orders.values() if order.side is side}
        return sorted(own, reverse=side is Side.BUY)

    def submit(self, name: str, side: Side, lots: int, limit: int, rests: bool) -> Counter[tuple[str, int]]:
        """An order arrives; what it fills, as lots by (id, price)."""
        filled: Counter[tuple[str, int]] = Counter()
        far, shown = self.far(side, self.quote)
        while lots and far is not None and self.believable(self.quote):
            if self.better(side, far, limit) or shown <= self.taken[side]:
                break
            self.taken[side] += 1
            lots -= 1
            filled[name, far] += 1
        if lots and rests:
            near, size = self.near(side, self.quote)
            queue = self.queues.setdefault((side, limit), [])
            if near is None or not self.believable(self.quote) or self.better(side, near, limit):
                queue += [MARKET] * MANY
            elif near == limit and MARKET not in queue and not any(x != MARKET for x in queue):
                queue += [MARKET] * size
            elif near == limit:
                queue += [MARKET] * (size - queue.count(MARKET))
            queue += [name] * lots
            self.orders[name] = Resting(name, side, limit, lots)
        return filled

    def cancel(self, name: str) -> None:
        order = self.orders.pop(name, None)
        if order is not None:
            key = (order.side, order.limit)
            self.queues[key] = [lot for lot in self.queues[key] if lot != name]
            self.tidy(key)

    def tidy(self, key: tuple[Side, int]) -> None:
        if all(lot == MARKET for lot in self.queues[key]):
            del self.queues[key]

    def requote(self, quote: Quote) -> Counter[tuple[str, int]]:
        before, self.quote = self.quote, quote
        filled: Counter[tuple[str, int]] = Counter()
        for side in (Side.BUY, Side.SELL):
            if self.far(side, before) != self.far(side, quote):
                self.taken[side] = 0
        if not self.believable(quote):
            return filled
        for side in (Side.BUY, Side.SELL):
            if self.believable(before):
                self.trade(side, before, filled)
            self.look(side)
        for side in (Side.BUY, Side.SELL):
            self.reach(side, filled)
        return filled

    def trade(self, side: Side, before: Quote, filled: Counter[tuple[str, int]]) -> None:
        was, shown = self.near(side, before)
        now, left = self.near(side, self.quote)
        if was is None or (now is not None and self.better(side, now, was)):
            return
        gone = shown - left if now == was else shown
        for _ in range(gone * self.percent // 100 if gone > 0 else 0):
            for price in self.prices(side):
                if self.better(side, was, price):
                    continue
                queue = self.queues[side, price]
                if price != was:  # nobody else is at a better price than the best
                    queue = self.queues[side, price] = [lot for lot in queue if lot != MARKET]
                lot = queue.pop(0) if queue else None
                if lot is not None:
                    if lot != MARKET:
                        self.give(lot, filled)
                    break

    def give(self, name: str, filled: Counter[tuple[str, int]]) -> None:
        order = self.orders[name]
        order.lots -= 1
        filled[name, order.limit] += 1
        if order.lots == 0:
            self.cancel(name)

    def look(self, side: Side) -> None:
        """Hold every queue against what is shown now."""
        near, shown = self.near(side, self.quote)
        if near is None:
            return
        for price in self.prices(side):
            queue = self.queues[side, price]
            most = 0 if self.better(side, price, near) else shown if price == near else len(queue)
            while queue.count(MARKET) > most:
                del queue[len(queue) - 1 - queue[::-1].index(MARKET)]
            if price == near:
                queue += [MARKET] * (shown - queue.count(MARKET))

    def reach(self, side: Side, filled: Counter[tuple[str, int]]) -> None:
        far, shown = self.far(side, self.quote)
        while far is not None and self.taken[side] < shown:
            reached = [p for p in self.prices(side) if not self.better(side, far, p)]
            if not reached:
                return
            queue = self.queues[side, reached[0]]
            name = next(lot for lot in queue if lot != MARKET)
            queue.remove(name)
            self.taken[side] += 1
            self.give(name, filled)

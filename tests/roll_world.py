"""A synthetic market whose futures roll: two quarters, the second quoted at a carry above the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from common.calendars.day import schedule_of_bounds
from common.calendars.rolls import roll_plan
from common.messages import QuoteBatch
from common.units import NS_PER_DAY, NS_PER_MIN, NS_PER_YEAR
from common.universe import FUTURE, Universe
from lab.synthetic import SyntheticMarket

#: What the next quarter lies above the first one.
CARRY = 0.01


def with_next_quarter(base: Universe, days: int = 91) -> Universe:
    """The same with a second future for every underlying, appended, that expires ``days`` after the first."""
    at = np.array([u.future_instrument for u in base.underlyings], np.intp)

    def longer(column: np.ndarray) -> np.ndarray:
        return np.concatenate([column, column[at]])

    expiry = np.concatenate([base.expiry_ns, base.expiry_ns[at] + days * NS_PER_DAY])
    columns = {
        name: longer(getattr(base, name))
        for name in (
            "kind",
            "underlying",
            "strike",
            "right",
            "style",
            "multiplier_usd",
            "tick_size",
            "fee_cents",
            "listed",
        )
    }
    ids = (*base.instrument_id, *(f"{base.instrument_id[i]}-NEXT" for i in at.tolist()))
    return replace(base, instrument_id=ids, expiry_ns=expiry, **columns)


def with_rolls(universe: Universe, at_ns: int) -> Universe:
    """The same with the last futures entering at an instant."""
    n = len(universe) - len(universe.underlyings)
    changed = (replace(u, rolls=((at_ns, n + k),)) for k, u in enumerate(universe.underlyings))
    return replace(universe, underlyings=tuple(changed))


@dataclass(frozen=True)
class RollingMarket(SyntheticMarket):
    """``sessions`` days; the old future's last day is the last session and it is rolled on the first, by the plan."""

    sessions: int = 2
    session_s: int = 600
    strikes: int = 6
    minutes_before: int = 5

    @cached_property
    def universe(self) -> Universe:
        """The synthetic one with a second quarter and the roll that the plan gives."""
        base = SyntheticMarket(self.symbols, strikes=self.strikes).universe
        last = self.session_bounds_ns[-1][1]
        front = base.kind == FUTURE
        base = with_next_quarter(replace(base, expiry_ns=np.where(front, last, base.expiry_ns)))
        n, futures = len(base), np.flatnonzero(base.kind == FUTURE)
        ids = [base.instrument_id[i] for i in futures if i < n - len(self.symbols)]
        chain = [(ids[0], last), (base.instrument_id[n - len(self.symbols)], last + NS_PER_DAY)]
        # The plan of one root is that of all: they expire together.
        (roll,) = roll_plan(chain[:2], schedule_of_bounds(self._hours()), sessions_before=self.sessions - 1)
        return with_rolls(base, roll.begins_ns(self.minutes_before))

    def _hours(self) -> list[tuple[int, int]]:
        bounds = list(self.session_bounds_ns)
        return [*bounds, (bounds[-1][1] + NS_PER_MIN, bounds[-1][1] + NS_PER_DAY)]

    @property
    def rolls_ns(self) -> int:
        """When the roll begins."""
        return self.universe.underlyings[0].rolls[0][0]

    def batches(self) -> Iterator[QuoteBatch]:
        """The first quarter's quotes and, in the same batches, the next one's: the same size, a carry above."""
        plain = SyntheticMarket(
            self.symbols, self.sessions, self.session_s, self.step_s, self.strikes, self.batch_max, self.seed
        )
        first = [u.future_instrument for u in self.universe.underlyings]
        n = len(self.universe) - len(first)
        factor = np.exp(CARRY * 91 * NS_PER_DAY / NS_PER_YEAR)
        for b in plain.batches():
            k = int(self.universe.underlying[b.instrument[0]])
            at = np.flatnonzero(b.instrument == first[k])
            if not len(at):
                yield b
                continue
            bid = np.rint(b.bid_ticks[at] * factor).astype(np.int32)
            columns = (bid, bid + (b.ask_ticks[at] - b.bid_ticks[at]), b.bid_size_lots[at], b.ask_size_lots[at])
            row = np.array([n + k], np.uint32)
            old = (b.bid_ticks, b.ask_ticks, b.bid_size_lots, b.ask_size_lots)
            joined = (np.concatenate([a, c]).astype(np.int32) for a, c in zip(old, columns, strict=True))
            yield QuoteBatch(b.header, np.concatenate([b.instrument, row]), *joined)

"""The rolls of a universe's futures by the sessions of a market: reference data, made once with the universe.

A chain is what one underlying lists: futures of the front's multiplier from the front on. Where each future is an underlying of
its own (options on futures), nothing rolls: what hedges such an option is its own future, until it expires.
*Tested by* tests/unit/test_market_rolls.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from common.calendars.day import schedule_of
from common.calendars.exchanges import market_calendar
from common.calendars.rolls import roll_plan
from common.calendars.zones import local_date
from common.universe import FUTURE, Underlying, Universe


def rolled(universe: Universe, calendar: str, first_ns: int) -> Universe:
    """The universe with the rolls from ``first_ns`` (UTC) on that the sessions of ``calendar`` give; those before are done.

    Raises ``ValueError`` for an unknown calendar, and where two futures of a chain settle at one instant.
    """
    market = market_calendar(calendar)
    ends = universe.expiry_ns[universe.kind == FUTURE]
    if not len(ends):
        return universe
    first = max(local_date(first_ns, market.zone) - timedelta(days=14), market.first_day)
    last = min(local_date(int(ends.max()), market.zone) + timedelta(days=14), market.last_day)
    schedule = schedule_of(market, first, last)

    def planned(k: int, u: Underlying) -> Underlying:
        chain = _chain(universe, k, u)
        if len(chain) < 2:
            return u
        plan = roll_plan([(universe.instrument_id[i], universe.expiry_ns.item(i)) for i in chain], schedule)
        rolls = tuple((roll.begins_ns(), universe.index[roll.enters]) for roll in plan)
        done = [row for at_ns, row in rolls if at_ns <= first_ns]
        return replace(
            u,
            future_instrument=done[-1] if done else u.future_instrument,
            rolls=tuple(r for r in rolls if r[0] > first_ns),
        )

    return replace(universe, underlyings=tuple(planned(k, u) for k, u in enumerate(universe.underlyings)))


def _chain(universe: Universe, k: int, u: Underlying) -> list[int]:
    """Rows of the listed futures of an underlying from its front on, with the front's multiplier and tick."""
    front = u.future_instrument
    if front < 0:
        return []
    like = (universe.kind == FUTURE) & (universe.underlying == k) & (universe.listed != 0)
    like &= (universe.multiplier_usd == universe.multiplier_usd[front]) & (
        universe.tick_size == universe.tick_size[front]
    )
    rows = np.flatnonzero(like & (universe.expiry_ns >= universe.expiry_ns[front]))
    return [int(i) for i in rows[np.argsort(universe.expiry_ns[rows], kind="stable")]]

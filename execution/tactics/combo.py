"""The arithmetic of a combo: lots of each leg in one unit, and what one unit costs. Exact; pure.

One unit is the smallest set of whole lots that keeps every ratio. Its cost is the sum of its legs' lots times price times the
money in a tick, bought positive, sold negative: exact fractions of a cent, since legs may differ in tick and multiplier.
*Tested by* tests/unit/test_tactics_combo.py, tests/properties/test_execution_combos.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from common.messages import Order, Side
from common.tactics import Combo, Follow
from common.universe import Universe

#: Legs of one combo, at most.
MAX_LEGS = 4
#: Instrument, side, lots in one unit, price in ticks.
PricedLeg = tuple[int, Side, int, int]


def ratios(follows: Iterable[Follow]) -> tuple[int, ...]:
    """Lots in one unit of the order that is followed and of each that follows it, in that order."""
    parts = [Fraction(f.numerator, f.denominator) for f in follows]
    lead = math.lcm(*(part.denominator for part in parts))
    return lead, *(int(part * lead) for part in parts)


def tick_cents(universe: Universe, instrument: int) -> Fraction:
    """Money in one tick of one lot, US cents; read as the decimal numbers people wrote."""
    size, multiplier = universe.tick_size.item(instrument), universe.multiplier_usd.item(instrument)
    return 100 * Fraction(Decimal(repr(float(size)))) * Fraction(Decimal(repr(float(multiplier))))


def net_cents(universe: Universe, legs: Iterable[PricedLeg]) -> Fraction:
    """What one unit costs at these prices, US cents; below zero it brings that."""
    return sum(
        (side.sign * ratio * ticks * tick_cents(universe, at) for at, side, ratio, ticks in legs), start=Fraction(0)
    )


def combined(universe: Universe, legs: Iterable[Order], lots: Iterable[int]) -> Combo:
    """The combo of these orders, each at its own limit; ``lots`` of each in one unit.

    The net limit is what the limits come to together, rounded down to a whole cent: never worse than they are.
    """
    pairs = list(zip(legs, lots, strict=True))
    net = net_cents(universe, ((o.instrument, o.side, n, o.limit_ticks) for o, n in pairs))
    return Combo(tuple((o.client_order_id, n) for o, n in pairs), math.floor(net))

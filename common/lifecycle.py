"""Exercise, assignment and expiry: what a settlement price does to one lot of each contract that settles. Pure, whole ticks.

Contracts of one underlying that settle at one instant are a *settlement*, under the id ``S-<symbol>-<instant ns>``, with one
price: that of the underlying, in ticks of the settlement's *reference*, the first of its rows with the largest tick.

- An option is worth ``max(right × (S - K), 0)``, rounded to its own tick, half up. One that is worth nothing is gone.
- Everybody exercises what is worth something, so everybody short is assigned in whole: long and short mirror each other.
- An American option whose underlying has a future of the same multiplier that lives on is exercised into it: a lot becomes
  ``right`` lots of the future at the strike. Its value moves with it: ``right × (S - K)`` is what the future is then worth.
- Every other option, and a future at its own end, is paid in cash.
- Early exercise is nobody's choice here: a contract lives to its settlement.

Outcomes are linear in lots, so that accounts, desks and agents add up exactly, and each contract settles once: what settles
is the whole position, and a second time there is none.
*Tested by* tests/unit/test_lifecycle.py, tests/properties/test_lifecycle.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.messages import I64
from common.universe import AMERICAN, FUTURE, OPTION, Universe

PREFIX: Final = "S-"
CASH: Final = -1
#: Settlement instants from here on never come (perpetuals).
_NEVER_NS: Final = 2**62


@dataclass(frozen=True, slots=True)
class Outcome:
    """One lot of ``instrument`` becomes ``value_ticks`` in cash, or ``future_lots`` of ``future`` at ``strike_ticks``.

    ``future`` is ``CASH`` where it is paid; ``strike_ticks`` is in ticks of the future, ``value_ticks`` in the instrument's.
    """

    instrument: int
    value_ticks: int
    future: int = CASH
    future_lots: int = 0
    strike_ticks: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """What settles together: ``rows`` ascending, and the row in whose ticks the price is told."""

    settlement_id: str
    underlying: int
    expiry_ns: int
    rows: tuple[int, ...]
    reference: int


def settlements(universe: Universe) -> tuple[Settlement, ...]:
    """Every settlement of a universe, earliest first; perpetuals have none."""
    out: list[Settlement] = []
    ends = (universe.expiry_ns > 0) & (universe.expiry_ns < _NEVER_NS)
    for expiry in np.unique(universe.expiry_ns[ends]).tolist():
        at = np.flatnonzero(universe.expiry_ns == expiry)
        for k in np.unique(universe.underlying[at]).tolist():
            out.append(_settlement(universe, k, expiry, at[universe.underlying[at] == k]))
    return tuple(out)


def settlement_at(universe: Universe, reference: int) -> Settlement:
    """The settlement that one of its rows belongs to."""
    k, expiry = universe.underlying.item(reference), universe.expiry_ns.item(reference)
    return _settlement(universe, k, expiry, np.flatnonzero((universe.expiry_ns == expiry) & (universe.underlying == k)))


def _settlement(universe: Universe, underlying: int, expiry_ns: int, rows: NDArray[np.intp]) -> Settlement:
    reference = int(rows[np.argmax(universe.tick_size[rows])])
    name = f"{PREFIX}{universe.symbols[underlying]}-{expiry_ns}"
    return Settlement(name, underlying, expiry_ns, tuple(rows.tolist()), reference)


def price_ticks(universe: Universe, settlement: Settlement, points: float) -> int:
    """A price of the underlying in points as the settlement tells it: in ticks of its reference, half up."""
    return _half_up(points / universe.tick_size.item(settlement.reference))


def outcomes(universe: Universe, settlement: Settlement, price: int) -> tuple[Outcome, ...]:
    """What one lot of each contract becomes at ``price``, in ticks of the reference. In the order of the rows."""
    points = price * universe.tick_size.item(settlement.reference)
    return tuple(_outcome(universe, row, points, settlement.expiry_ns) for row in settlement.rows)


def _outcome(universe: Universe, row: int, points: float, expiry_ns: int) -> Outcome:
    if universe.kind[row] != OPTION:
        return Outcome(row, _half_up(points / universe.tick_size.item(row)))
    right = universe.right.item(row)
    value = max(_half_up(right * (points - universe.strike.item(row)) / universe.tick_size.item(row)), 0)
    future = _delivered(universe, row, expiry_ns)
    if value == 0 or future == CASH:
        return Outcome(row, value)
    strike = _half_up(universe.strike.item(row) / universe.tick_size.item(future))
    return Outcome(row, value, future, right, strike)


def _delivered(universe: Universe, row: int, expiry_ns: int) -> int:
    """The future into which an option is exercised, ``CASH`` if it is paid."""
    future = universe.underlyings[universe.underlying.item(row)].front(expiry_ns)
    if future < 0 or universe.style[row] != AMERICAN or universe.kind[future] != FUTURE:
        return CASH
    same = universe.multiplier_usd[future] == universe.multiplier_usd[row]
    return future if same and universe.expiry_ns[future] > expiry_ns else CASH


def _half_up(x: float) -> int:
    # A price is a whole number of ticks up to the rounding of the division; a millionth of a tick tells them apart.
    return math.floor(x + 0.5 + 1e-6)


def settled(position_lots: I64, outcome: Outcome) -> tuple[I64, int]:
    """Change of a position (n,) by one outcome, and the lots that settled."""
    lots = position_lots.item(outcome.instrument)
    change = np.zeros(len(position_lots), np.int64)
    change[outcome.instrument] = -lots
    if outcome.future != CASH:
        change[outcome.future] += outcome.future_lots * lots
    return change, lots

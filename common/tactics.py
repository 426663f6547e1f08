"""How an order is to be worked: part of its content, decided by the manager, carried out by execution.

Whole numbers throughout: percent, ticks, milliseconds of market time. See execution.proto and docs/tactics.md.
*Tested by* tests/unit/test_tactics_order.py, tests/properties/test_wire_round_trip.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class TacticKind(IntEnum):
    """How an order becomes what the venue sees; values as in execution.proto."""

    #: The order itself goes to the venue.
    DIRECT = 1
    #: Rests at the near side first, then takes the far side.
    PASSIVE = 2
    #: Takes the far side in slices, each a stated share of the size shown.
    SLICED = 3
    #: Goes to the venue as one order together with those that follow it; leg by leg where the venue cannot.
    COMBO = 4


@dataclass(frozen=True, slots=True)
class Tactic:
    """Terms of a tactic; what a kind does not use is 0.

    ``urgency_percent`` 0..100: the share of the time budget in which PASSIVE may not rest. ``participation_percent``
    1..100: the share of the far side's displayed lots that one slice may take. ``budget_ms``: market time from the
    decision to the end of the effort. ``interval_ms``: least market time between two children. ``improve_ticks``: how
    far in front of the near side a child rests. ``runaway_ticks``: how far the mid may move away from the mid at the
    decision before resting ends; 0 is never. ``legs``: orders a COMBO is made of, of
    the one that the others follow; 0 of the others. A COMBO's lead rests where it improves (the far sides), and goes in slices
    where it participates.
    """

    kind: TacticKind = TacticKind.DIRECT
    urgency_percent: int = 0
    participation_percent: int = 0
    budget_ms: int = 0
    interval_ms: int = 0
    improve_ticks: int = 0
    runaway_ticks: int = 0
    legs: int = 0


@dataclass(frozen=True, slots=True)
class Follow:
    """The lots of an order are released as another order fills: ``numerator / denominator`` of its filled lots."""

    lead_client_order_id: str
    numerator: int
    denominator: int

    def released_lots(self, lead_lots: int) -> int:
        """Lots that ``lead_lots`` filled lots of the lead stand for, to the nearest whole lot, halves up."""
        return (2 * self.numerator * lead_lots + self.denominator) // (2 * self.denominator)


@dataclass(frozen=True, slots=True)
class Combo:
    """Several orders as one at the venue, whose id is the first leg's; made by execution alone.

    ``legs``: id and lots in one unit of every leg, smallest whole numbers, each side as its own order says.
    ``net_limit_cents``: what one unit may cost, US cents; below zero what it must bring.
    """

    legs: tuple[tuple[str, int], ...]
    net_limit_cents: int

    @property
    def combo_id(self) -> str:
        """Id at the venue."""
        return self.legs[0][0]

    @property
    def leg_ids(self) -> tuple[str, ...]:
        """Ids of the legs in their order."""
        return tuple(name for name, _ in self.legs)

    def ratio(self, client_order_id: str) -> int:
        """Lots of a leg in one unit."""
        return dict(self.legs)[client_order_id]


#: An order that goes to the venue as it is.
DIRECT = Tactic()

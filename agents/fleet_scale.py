"""How many shards of a kind its load asks for: pure, bounded, without flapping.

Let b be the mean share of wall time that the n shards of a kind spend working and w = b·n what they do together, in shards.
Above ``busy_high`` the answer is the fewest shards that bring b down to ``busy_target``; ticks that wait longer than
``lag_s_high`` at shards that are not idle (b ≥ ``busy_target``) ask for one more. Fewer are wanted only where w, spread
over them, leaves b at or below ``busy_low``. Because ``busy_low`` < ``busy_target`` < ``busy_high``, the same w asks for
no further change after a step has been made, whichever it was; what the load does in between is left to the waiting
times of ``Scaler``. A kind needs no more shards than it has keys: a key is hedged by one agent.
*Tested by* tests/properties/test_fleet_scale.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.fleet_plan import Known, Rules, unsettled
from common.factors import kind_of_key
from common.units import NS_PER_S

#: Ratios of loads are exact to this: rounding must not ask for a shard more.
_EXACT = 1e-9


class ScaleRules(BaseModel):
    """When the fleet scales by load. Shares are of wall time; seconds are wall time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: bool = Field(default=False, description="Scale by load; off: only `hedgerow scale` changes the shards.")
    min_shards: int = Field(default=1, ge=1, le=16, description="Never fewer of a kind.")
    max_shards: int = Field(default=8, ge=1, le=16, description="Never more of a kind.")
    busy_target: float = Field(default=0.5, gt=0, lt=1, description="What scaling up aims at.")
    busy_high: float = Field(default=0.75, gt=0, lt=1, description="Busier shards are helped.")
    busy_low: float = Field(default=0.35, gt=0, lt=1, description="Fewer shards must not be busier than this.")
    lag_s_high: float = Field(default=0.1, gt=0, description="A tick that waits longer asks for one more shard.")
    up_s: float = Field(default=2.0, ge=0, description="A wish for more must last this long.")
    down_s: float = Field(default=30.0, ge=0, description="A wish for fewer must last this long.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.busy_low < self.busy_target < self.busy_high:
            raise ValueError("busy_low < busy_target < busy_high must hold, or shards would come and go")
        if self.min_shards > self.max_shards:
            raise ValueError("min_shards must not exceed max_shards")
        return self


@dataclass(frozen=True, slots=True)
class Load:
    """Load of one kind, from the heartbeats of its shards.

    ``shards`` that run, ≥ 1; ``keys`` of the kind; ``busy_share``: mean share of wall time spent taking news in and
    deciding, 0 to 1; ``lag_s``: the longest a tick waited, from the feed's stamp to the agent that took it in.
    """

    shards: int
    keys: int
    busy_share: float
    lag_s: float


def wanted_replicas(load: Load, rules: ScaleRules) -> int:
    """Shards wanted, within ``min_shards`` and ``max_shards`` and at most one a key; never falls as the load rises.

    Busy shares that are no number count as 0, above 1 as 1.
    """
    busy = min(max(load.busy_share, 0.0), 1.0) if math.isfinite(load.busy_share) else 0.0
    work = busy * load.shards
    wanted = load.shards
    if busy > rules.busy_high:
        wanted = max(_fewest(work, rules.busy_target), load.shards + 1)
    elif busy >= rules.busy_target and load.lag_s > rules.lag_s_high:
        wanted = load.shards + 1
    elif busy < rules.busy_target:
        wanted = min(_fewest(work, rules.busy_low), load.shards)
    most = min(rules.max_shards, max(load.keys, 1))
    return min(max(wanted, rules.min_shards), most)


def _fewest(work: float, busy: float) -> int:
    """Fewest shards that do ``work`` at ``busy`` or less."""
    return max(math.ceil(work / busy - _EXACT), 1)


@dataclass(slots=True)
class Scaler:
    """Carries a wish out only once it has lasted: up for ``up_s``, down for ``down_s``, of the wishes the mildest.

    It begins anew where a kind was not looked at meanwhile, or had another number of shards.
    """

    rules: ScaleRules
    #: Of each kind the shards it had, which way the wish goes, since when, and the mildest of the wishes.
    _since: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)

    def wish(self, loads: Mapping[str, Load], wall_ns: int) -> dict[str, int]:
        """Kinds to change now and their new number of shards; empty while scaling by load is off."""
        out: dict[str, int] = {}
        self._since = {kind: since for kind, since in self._since.items() if kind in loads}
        for kind, load in loads.items() if self.rules.on else ():
            wanted = wanted_replicas(load, self.rules)
            way = (wanted > load.shards) - (wanted < load.shards)
            shards, last_way, began_ns, mildest = self._since.get(kind, (load.shards, 0, wall_ns, wanted))
            if way != last_way or shards != load.shards:
                began_ns, mildest = wall_ns, wanted
            mildest = min(mildest, wanted) if way > 0 else max(mildest, wanted)
            self._since[kind] = (load.shards, way, began_ns, mildest)
            wait_s = self.rules.up_s if way > 0 else self.rules.down_s
            if way and wall_ns - began_ns >= wait_s * NS_PER_S:
                out[kind] = mildest
                del self._since[kind]
        return out


def loads(known: Known, rules: Rules, wall_ns: int) -> dict[str, Load]:
    """Load of each kind whose shards have settled: while keys move, heartbeats say little about the load to come."""
    out: dict[str, Load] = {}
    for kind in known.desired:
        beats = [known.beats[name] for name in known.agents(kind) if name in known.beats]
        if beats and not unsettled(known, kind, rules, wall_ns):
            keys = sum(kind_of_key(key) == kind for key in known.keys)
            busy = sum(beat.busy_share for beat in beats) / len(beats)
            out[kind] = Load(len(beats), keys, busy, max(beat.lag_s for beat in beats))
    return out

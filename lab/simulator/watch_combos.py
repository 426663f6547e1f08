"""Children and combos, watched: what execution makes of an order that is worked, against that order and the venue's own list.

A child stands for lots of its parent and no more. Legs of a combo are stored in one commit and leave as one order, in its ratio
and within the limits of their parents; a venue that fills them out of it halts trading. *Tested by*
tests/simulation/test_simulator_mistakes.py, tests/simulation/test_simulator_combos.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from common.messages import Order, TradingState
from common.tactics import Combo, TacticKind
from common.universe import Universe
from execution.events import NewOrder, Record, TradingSet
from execution.orders import OrderRecord

if TYPE_CHECKING:
    from lab.simulator.run import Simulation


class ComboWatch:
    """Hears of each commit after ``Watch``, whose ``stored`` holds it then."""

    def __init__(self, run: Simulation, stored: Mapping[str, OrderRecord], stopped: Mapping[str, TradingState]) -> None:
        self._run = run
        self._stored, self._stopped = stored, stopped
        self._children: defaultdict[str, list[str]] = defaultdict(list)
        self._leaving: tuple[str, ...] = ()
        self._judged: set[str] = set()
        run.exchange.on_send.append(self._on_send)
        run.exchange.combos.on_send.append(self._on_combo)
        run.execution.store.on_commit.append(self._on_commit)

    def _fail(self, what: str) -> None:
        self._run.world.fail(what)

    def filled(self, record: OrderRecord) -> int:
        """Lots of an order that the store has as filled, by the venue's fills, its children's included."""
        fills, children = self._run.exchange.fills, self._children[record.order.client_order_id]
        own = [self._stored[name] for name in children if name in self._stored]
        return sum(fills[x].lots for one in (record, *own) for x in one.fills if x in fills)

    # -- what leaves -----------------------------------------------------------------------------------------------

    def _on_combo(self, legs: Sequence[Order]) -> None:
        self._leaving = tuple(order.client_order_id for order in legs)
        combo = legs[0].combo
        self._run.world.say("execution", f"sends a combo of {', '.join(name[:6] for name in self._leaving)}")
        if combo is None or combo.leg_ids != self._leaving or any(order.combo != combo for order in legs):
            self._fail(f"promise 2: the legs {self._leaving} leave as one order that names others")

    def _on_send(self, order: Order) -> None:
        name, record = order.client_order_id, self._stored.get(order.client_order_id)
        if order.tactic.kind is not TacticKind.DIRECT or order.follows is not None:
            self._fail(f"promise 2: order {name}, which is worked, reaches the venue itself")
        if order.combo is not None and name not in self._leaving:
            self._fail(f"promise 2: leg {name} of combo {order.combo.combo_id} leaves without the others")
        if record is not None and record.order != order:
            self._fail(f"promise 2: order {name} leaves as another one than was stored")

    # -- what is stored --------------------------------------------------------------------------------------------

    def _on_commit(self, records: Sequence[Record]) -> None:
        made = {r.record.order.client_order_id: r.record for r in records if isinstance(r, NewOrder)}
        for combo in {c.combo_id: c for r in made.values() if (c := r.order.combo) is not None}.values():
            self._combo(combo, made)
        ended = [r.order.combo for r in records if isinstance(r, OrderRecord) and r.order.combo and not r.open]
        for combo in {c.combo_id: c for c in ended if c is not None}.values():
            self._over(combo, records)

    def child(self, record: OrderRecord) -> None:
        """It is its parent's in all but id, lots and price, and its lots are the parent's own; as of its place in the commit."""
        order, parent = record.order, self._stored.get(record.parent)
        name = order.client_order_id
        if parent is None or parent.parent or not parent.open or name.rpartition(".")[0] != record.parent:
            self._fail(f"promise 2: child {name} is stored for {record.parent}, which nobody works")
            return
        of, terms = parent.order, self._run.plan.combos
        if (order.epoch, order.instrument, order.side) != (of.epoch, of.instrument, of.side):
            self._fail(f"promise 3: child {name} is of another epoch, instrument or side than its parent")
        if of.side.sign * (order.limit_ticks - of.limit_ticks) > 0:
            self._fail(f"promise 4: child {name} at {order.limit_ticks} ticks, limit of its parent {of.limit_ticks}")
        siblings = [self._stored[n] for n in self._children[record.parent]]
        self._children[record.parent].append(name)
        out = sum(r.order.quantity_lots - self.filled(r) for r in siblings if r.open)
        if (lots := self.filled(parent) + out + order.quantity_lots) > of.quantity_lots:
            self._fail(f"promise 4: child {name} brings {record.parent} to {lots} lots of {of.quantity_lots}")
        if of.tactic.kind is TacticKind.COMBO and order.combo is None and (terms is None or terms.taken):
            self._fail(f"promise 2: child {name} is to leave alone, and the venue takes combos")

    def _combo(self, combo: Combo, made: Mapping[str, OrderRecord]) -> None:
        """All of its legs in this one commit, of a lead and its followers, whole units, no dearer than the parents allow."""
        legs = [made[name] for name in combo.leg_ids if name in made]
        if len(legs) < len(combo.legs) or any(r.order.combo != combo for r in legs):
            self._fail(f"promise 2: combo {combo.combo_id} is stored with {len(legs)} of its {len(combo.legs)} legs")
            return
        parents = [self._stored[r.parent].order for r in legs]
        lead = parents[0]
        if lead.follows is not None or lead.tactic.legs != len(legs):
            self._fail(f"promise 2: combo {combo.combo_id} has {len(legs)} legs, its lead says {lead.tactic.legs}")
        if len({divmod(r.order.quantity_lots, n) for r, (_, n) in zip(legs, combo.legs, strict=True)}) != 1:
            self._fail(f"promise 4: the lots of combo {combo.combo_id} are out of its ratio")
        for of, (_, ratio) in zip(parents[1:], combo.legs[1:], strict=True):
            follows = of.follows
            if follows is None or follows.lead_client_order_id != lead.client_order_id:
                self._fail(f"promise 2: a leg of combo {combo.combo_id} does not follow its lead")
            elif ratio * follows.denominator != combo.legs[0][1] * follows.numerator:
                self._fail(f"promise 4: combo {combo.combo_id} is in another ratio than its orders")
        universe = self._run.plan.setting.universe
        worst = sum(_cents(universe, of, ratio) for of, (_, ratio) in zip(parents, combo.legs, strict=True))
        if combo.net_limit_cents > worst:
            self._fail(
                f"promise 4: combo {combo.combo_id} may cost {combo.net_limit_cents} cents, its limits are {worst}"
            )

    def _over(self, combo: Combo, records: Sequence[Record]) -> None:
        """Once the store holds the end of every leg: filled in the ratio, or trading is halted by the same commit."""
        legs = [self._stored[name] for name in combo.leg_ids]
        if combo.combo_id in self._judged or any(r.open for r in legs):
            return
        self._judged.add(combo.combo_id)
        units = {divmod(self.filled(r), n) for r, (_, n) in zip(legs, combo.legs, strict=True)}
        stands = self._stopped.get("", TradingState.ACTIVE).halted
        said = any(isinstance(r, TradingSet) and r.state.halted for r in records)
        if (len(units) != 1 or units.pop()[1]) and not (stands or said):
            self._fail(f"promise 5: the venue filled combo {combo.combo_id} out of its ratio and nothing halts trading")


def _cents(universe: Universe, order: Order, lots: int) -> int:
    """What so many lots cost at the order's limit, US cents; sold, what they bring, below zero."""
    tick = int(np.rint(100 * universe.tick_size[order.instrument] * universe.multiplier_usd[order.instrument]))
    return order.side.sign * lots * order.limit_ticks * tick

"""Transaction-cost analysis: the implementation shortfall of every order and what it is made of. Columns in, columns out.

Against the mid at the decision m0, for an order on side s (+1 buy) with fills (q, p, mid m then) and u lots left unfilled when it
ended at mid mT (Perold 1988, "The implementation shortfall: paper versus reality"):

    shortfall = timing Σ q s (m - m0) + spread Σ q s (p - m) + fees + opportunity u s (mT - m0)

Timing and spread are the slippage against arrival. A spread comes back, or it does not: over a horizon h

    spread = impact Σ q s (m_h - m) + reversion Σ q s (p - m_h)

(price impact and realised spread; the part that stays and the temporary one). Positive is a cost throughout.

Amounts are whole quarter cents: a mid is half a tick, a tick at least half a cent, so nothing is rounded, every grouping adds up.
An agent has the lots of a fill that are dealt to it (``audit_desks.furthest_behind``, as the manager deals them) and their price;
fees of a fill go by lots, cent by cent. A replacement is an order for what its originals had not filled, with a mid of its
own; one that was refused is none. Σ spread and Σ fees are those of ``lab/pnl.py``.
*Tested by* tests/unit/test_lab_tca.py, tests/properties/test_tca_conserve.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.cost_model import Kind
from common.messages import I64, ExecutionReport, Order, OrdStatus, QuoteBatch
from common.units import NO_PRICE, NS_PER_S
from common.universe import FUTURE, Universe
from lab.audit_desks import furthest_behind
from lab.fills import Fills, fills_of, half_cents_per_tick
from lab.mids import standing_at

#: Market seconds after a fill at which the mid is looked at again.
HORIZONS_S: Final = (1.0, 10.0, 60.0)
QUARTER_CENTS_PER_USD: Final = 400
NOBODY: Final = "nobody"


@dataclass(frozen=True)
class Worked:
    """Orders and fills with the quotes they met. Orders (o,), fills (f,), horizons (h,); prices in ticks, mids doubled.

    ``fill_order`` (f,): row of the order, -1 for a fill of an unknown one. Mids that nobody knows are ``NO_PRICE``. ``replaces``
    (o,): row of the original, -1 for an order that replaces none; ``asked_lots`` (o,) what was not filled before it;
    ``placed`` (o,) False for an order of which execution never told anything.
    """

    orders: tuple[Order, ...]
    fills: Fills
    fill_order: I64
    replaces: I64
    asked_lots: I64
    placed: NDArray[np.bool_]
    arrival_twice: I64
    arrival_spread_ticks: I64
    arrival_size_lots: I64
    end_ns: I64
    end_twice: I64
    fill_twice: I64
    later_twice: I64
    first_report_wall_ns: I64


@dataclass(frozen=True)
class Costs:
    """Rows (r,), one an order and agent: amounts in quarter cents; ``impact``, ``reversion``, ``seen_lots`` (h, r).

    ``seen_lots``: filled lots whose later mid is known; impact and reversion count those, ``seen_spread`` their spread.
    """

    order: I64
    agent: tuple[str, ...]
    ordered_lots: I64
    filled_lots: I64
    spread: I64
    timing: I64
    fees: I64
    opportunity: I64
    impact: I64
    reversion: I64
    seen_lots: I64
    seen_spread: I64

    @property
    def shortfall(self) -> I64:
        """Implementation shortfall, (r,)."""
        out: I64 = self.spread + self.timing + self.fees + self.opportunity
        return out


def worked_of(
    orders: Iterable[Order],
    reports: Sequence[ExecutionReport],
    batches: Iterable[QuoteBatch],
    universe: Universe,
    horizons_s: Sequence[float] = HORIZONS_S,
) -> Worked:
    """Put orders, reports and a recording together. An order told twice counts once; one never ended ends with the reports.

    The arrival mid is the order's own; where it states none, the recorded one of its decision.
    """
    unique = tuple({o.client_order_id: o for o in orders}.values())
    row = {o.client_order_id: k for k, o in enumerate(unique)}
    fills = fills_of(reports)
    last_ns = max((r.event_time_ns for r in reports), default=0)
    end_ns = np.full(len(unique), last_ns, np.int64)
    wall_ns = np.zeros(len(unique), np.int64)
    placed = np.zeros(len(unique), np.bool_)
    refused: set[int] = set()
    for report in reports:
        k = row.get(report.client_order_id)
        if k is None:
            continue
        placed[k] = True
        if report.ord_status.terminal:
            end_ns[k] = report.event_time_ns
            if report.ord_status is OrdStatus.REJECTED:
                refused.add(k)
        if not wall_ns[k]:
            wall_ns[k] = report.receive_time_ns
    instrument = np.array([o.instrument for o in unique], np.int64)
    decided_ns = np.array([o.event_time_ns for o in unique], np.int64)
    later_ns = [fills.time_ns + int(h * NS_PER_S) for h in horizons_s]
    asked = np.concatenate([instrument, instrument, *[fills.instrument] * len(later_ns)])
    times_ns = np.concatenate([decided_ns, end_ns, *later_ns])
    found = standing_at(batches, len(universe), asked, times_ns)
    o = len(unique)
    stated = [(order.arrival_bid_ticks, order.arrival_ask_ticks) for order in unique]
    own = np.array([b + a if NO_PRICE < b < a else NO_PRICE for b, a in stated], np.int64)
    width = np.array([a - b if NO_PRICE < b < a else 0 for b, a in stated], np.int64)
    two_sided = (fills.bid_ticks > NO_PRICE) & (fills.ask_ticks > NO_PRICE)
    fill_order = np.array([row.get(name, -1) for name in fills.client_order_id], np.int64)
    replaces = np.array([row.get(order.orig_client_order_id, -1) for order in unique], np.int64)
    return Worked(
        orders=unique,
        fills=fills,
        fill_order=fill_order,
        replaces=replaces,
        asked_lots=_asked_lots(unique, fills, fill_order, replaces, refused),
        placed=placed,
        arrival_twice=np.where(own != NO_PRICE, own, found.twice_mid_ticks[:o]),
        arrival_spread_ticks=np.where(own != NO_PRICE, width, found.spread_ticks[:o]),
        arrival_size_lots=found.size_lots[:o],
        end_ns=end_ns,
        end_twice=np.where(placed, found.twice_mid_ticks[o : 2 * o], NO_PRICE),
        fill_twice=np.where(two_sided, fills.bid_ticks + fills.ask_ticks, NO_PRICE),
        later_twice=found.twice_mid_ticks[2 * o :].reshape(len(later_ns), len(fills)),
        first_report_wall_ns=wall_ns,
    )


def _asked_lots(orders: Sequence[Order], fills: Fills, fill_order: I64, replaces: I64, refused: set[int]) -> I64:
    filled = np.zeros(len(orders), np.int64)
    known = fill_order >= 0
    np.add.at(filled, fill_order[known], np.abs(fills.signed_lots[known]))
    out = np.array([order.quantity_lots for order in orders], np.int64)
    for k in range(len(orders)):
        if replaces[k] >= 0 and k in refused:
            out[k] = 0
        at = int(replaces[k])
        while at >= 0 and out[k]:
            out[k] = max(out[k] - filled[at], 0)
            at = int(replaces[at])
    return out


def costs_of(worked: Worked, universe: Universe) -> Costs:
    """The bill of every order and agent. A fill of an unknown order is the bill of ``NOBODY`` under order -1.

    Without an arrival mid an order's timing and opportunity are nil: there is nothing to hold them against. So is the opportunity
    of an order that was never placed: nobody knows when it ended, and the manager has decided anew since. A fill at a
    one-sided quote has no spread (as in ``lab/fills.py``): all of its slippage is timing.
    """
    rows = _Rows(len(worked.later_twice))
    tick = half_cents_per_tick(universe)
    per_fill = _per_lot(worked, tick)
    got: dict[int, Counter[str]] = {}
    # Of a replacement after those of what it replaces: it is dealt on from there.
    for f in sorted(range(len(worked.fills)), key=lambda f: len(_before(worked, int(worked.fill_order[f])))):
        k = int(worked.fill_order[f])
        lots = abs(int(worked.fills.signed_lots[f]))
        if k not in got:
            got[k] = _dealt_before(worked, got, k)
        dealt = _deal(worked.orders[k] if k >= 0 else None, got[k], lots)
        fees = _fees(int(worked.fills.fee_cents[f]), dealt)
        for agent, mine in dealt.items():
            rows.add(k, agent, mine, per_fill[f], fees[agent])
    for k, order in enumerate(worked.orders):
        mids = int(worked.arrival_twice[k]), int(worked.end_twice[k])
        moved = mids[1] - mids[0] if NO_PRICE not in mids else 0
        per_lot = order.side.sign * moved * int(tick[order.instrument])
        before = _dealt_before(worked, got, k)
        ended = got.get(k, before)
        for agent, share in order.allocation or ((NOBODY, order.signed_lots),):
            asked = max(abs(share) - before[agent], 0) if worked.asked_lots[k] else 0
            left = asked - (ended[agent] - before[agent])
            rows.leave(k, agent, asked, left * per_lot)
    return rows.done()


def _before(worked: Worked, k: int) -> list[int]:
    """Rows of what an order replaces, the latest first."""
    out: list[int] = []
    while k >= 0 and (k := int(worked.replaces[k])) >= 0:
        out.append(k)
    return out


def _dealt_before(worked: Worked, got: dict[int, Counter[str]], k: int) -> Counter[str]:
    """Lots by agent dealt under the ids before; each one's count goes on from the one before it."""
    return Counter(next((got[at] for at in _before(worked, k) if at in got), Counter()))


@dataclass(frozen=True, slots=True)
class _PerLot:
    spread: int
    timing: int
    impact: tuple[int | None, ...]


def _per_lot(worked: Worked, tick: I64) -> list[_PerLot]:
    """Quarter cents of one lot of each fill."""
    out = []
    for f, k in enumerate(worked.fill_order.tolist()):
        fills = worked.fills
        scale = int(np.sign(fills.signed_lots[f])) * int(tick[fills.instrument[f]])
        price, mid = 2 * int(fills.last_ticks[f]), int(worked.fill_twice[f])
        arrival = int(worked.arrival_twice[k]) if k >= 0 else NO_PRICE
        spread = price - mid if mid != NO_PRICE else 0
        timing = price - spread - arrival if arrival != NO_PRICE else 0
        later = worked.later_twice[:, f].tolist()
        impact = tuple(scale * (m - mid) if m != NO_PRICE and mid != NO_PRICE else None for m in later)
        out.append(_PerLot(scale * spread, scale * timing, impact))
    return out


def _deal(order: Order | None, got: Counter[str], lots: int) -> Counter[str]:
    """Lots of a fill by agent; ``got`` is what the order's earlier fills dealt, and is moved on."""
    dealt: Counter[str] = Counter()
    for _ in range(lots):
        agent = (furthest_behind(order, got) if order is not None else "") or NOBODY
        got[agent] += 1
        dealt[agent] += 1
    return dealt


def _fees(fee_cents: int, dealt: Counter[str]) -> dict[str, int]:
    """Quarter cents by agent: whole cents by lots, the cents that do not divide to the first agents."""
    lots, out, before = dealt.total(), {}, 0
    seen = 0
    for agent in sorted(dealt):
        seen += dealt[agent]
        upto = -(-fee_cents * seen // lots)
        out[agent] = 4 * (upto - before)
        before = upto
    return out


class _Rows:
    """Sums under (order, agent), in the order they first appear."""

    def __init__(self, horizons: int) -> None:
        self._horizons = horizons
        self._at: dict[tuple[int, str], list[int]] = {}

    def _row(self, order: int, agent: str) -> list[int]:
        return self._at.setdefault((order, agent), [0] * (6 + 4 * self._horizons))

    def add(self, order: int, agent: str, lots: int, per_lot: _PerLot, fees: int) -> None:
        row = self._row(order, agent)
        row[1] += lots
        row[2] += lots * per_lot.spread
        row[3] += lots * per_lot.timing
        row[4] += fees
        for h, impact in enumerate(per_lot.impact):
            if impact is not None:
                for part, value in enumerate((impact, per_lot.spread - impact, 1, per_lot.spread)):
                    row[6 + part * self._horizons + h] += lots * value

    def leave(self, order: int, agent: str, ordered: int, opportunity: int) -> None:
        row = self._row(order, agent)
        row[0] += ordered
        row[5] += opportunity

    def done(self) -> Costs:
        table = np.array(list(self._at.values()), np.int64).reshape(len(self._at), 6 + 4 * self._horizons).T
        parts = table[6:].reshape(4, self._horizons, len(self._at))
        return Costs(
            np.array([k for k, _ in self._at], np.int64),
            tuple(agent for _, agent in self._at),
            *(table[c].copy() for c in range(6)),
            *(parts[c].copy() for c in range(4)),
        )


def kind_of(universe: Universe, instrument: int) -> Kind:
    """``future`` or ``option``."""
    return "future" if universe.kind[instrument] == FUTURE else "option"

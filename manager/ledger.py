"""Positions and costs from fills, each fill once. Whole lots and whole cents.

*Tested by* tests/unit/test_manager_ledger.py, tests/properties/test_manager_conservation.py.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from common.control_messages import Crossing
from common.factors import at_desk, desk_of, without_desk
from common.lifecycle import CASH, Outcome
from common.messages import I64, CostShare, ExecutionReport, Header, Order, PositionUpdate
from common.units import CENTS_PER_USD, NO_PRICE
from common.universe import Universe
from manager.attribution import bill, deal
from manager.exposures import Moved
from manager.orders import SeenIds

SOURCE = "manager"
#: Under whose name the cash of client trades is kept, and that of settlements.
CLIENT = "client"
SETTLEMENT = "settlement"


class Ledger:
    """Everything traded since the open: ``traded`` (n,) signed lots; ``version`` rises by one per fill, crossing, import and
    contract that settles.

    Of several desks each one's part is what its agents (``gamma-0@rates``) hold: see ``desk_lots``.
    """

    def __init__(
        self, universe: Universe, history_max: int, exec_ids_kept: int, desks: tuple[str, ...] = ("",)
    ) -> None:
        self.desks = desks
        self.traded = np.zeros(len(universe), np.int64)
        self.touched: set[int] = set()
        #: Client trades told since the open, by desk, (desks, n); they are not ours and not in ``traded``.
        self.imported = np.zeros((len(desks), len(universe)), np.int64)
        self.imported_at: set[int] = set()
        #: By desk, cents: what client trades were worth when they were told, over what was paid for them.
        self.edge_cents: dict[str, int] = dict.fromkeys(desks, 0)
        #: What settlements changed, by desk, (desks, n): the opening book's and clients' lots with ours; not in ``traded``.
        self.settled = np.zeros((len(desks), len(universe)), np.int64)
        #: Per contract that has settled (value, future, its lots, strike): see `common.lifecycle.Outcome`.
        self.outcomes: dict[int, tuple[int, int, int, int]] = {}
        self.by_agent: dict[str, dict[int, int]] = {}
        #: Position version of each agent's last fill.
        self.last_fill: dict[str, int] = {}
        self.version = 0
        #: (version, instrument, signed lots: one number, or one a desk where there are several).
        self.history: deque[tuple[int, int, int | tuple[int, ...]]] = deque(maxlen=history_max)
        self.exec_ids = SeenIds(exec_ids_kept)
        self.fills = 0
        self.fee_cents = 0
        #: The fees by desk; Σ = fee_cents.
        self.desk_fee_cents: dict[str, int] = dict.fromkeys(desks, 0)
        #: Against the mid when the order was decided: positive is paid, negative is gained while the order flew.
        self.cost_cents = 0
        #: Against the mid when it filled: the half spread paid.
        self.half_spread_cents = 0
        #: Who pays: cents by (factor, agent). Σ = cost_cents + fee_cents at every event.
        self.accounts: dict[tuple[str, str], int] = {}
        #: Cents each agent's fills brought in (sells) or took (buys), its part of the prices paid.
        self.cash_cents: dict[str, int] = {}
        #: Trades between desks at mid: how many, lots of each desk, cents of half spreads and fees both sides did not pay.
        self.crossings = 0
        self.crossed_lots: dict[str, int] = {}
        self.crossing_saved_cents = 0
        self.fee_per_lot_cents = universe.fee_cents
        self.tick_size = universe.tick_size
        self.tick_cents = universe.tick_size * universe.multiplier_usd * CENTS_PER_USD

    def book(self, report: ExecutionReport, order: Order | None, split: dict[str, int]) -> int:
        """Take a fill in; returns what it costs its budget in cents (slippage if paid, and the fee)."""
        at, lots = report.instrument, report.side.sign * report.last_lots
        self.traded[at] += lots
        self._move(at, split)
        self.fills += 1
        self.fee_cents += report.fee_cents
        for agent, part in zip(split, deal(report.fee_cents, [abs(n) for n in split.values()]), strict=True):
            self.desk_fee_cents[desk_of(agent)] += part
        slippage = 0 if order is None else self.cents(at, lots, report.last_ticks, _twice_mid(order))
        self.cost_cents += slippage
        self._charge(slippage + report.fee_cents, () if order is None else order.cost_shares)
        self._settle(-self.cents(at, lots, report.last_ticks, 0), split)
        if report.bid_ticks > NO_PRICE and report.ask_ticks > NO_PRICE:
            self.half_spread_cents += abs(self.cents(at, lots, report.last_ticks, report.bid_ticks + report.ask_ticks))
        return max(slippage, 0) + max(report.fee_cents, 0)

    def cross(self, crossing: Crossing) -> Moved:
        """Take a crossing in: lots and their value at mid change sides, the total does not. Returns lots by desk."""
        at, mid = crossing.instrument, crossing.bid_ticks + crossing.ask_ticks
        bought, sold = dict(crossing.bought), {agent: -lots for agent, lots in crossing.sold}
        self._move(at, {**bought, **sold})
        cents = self.cents(at, crossing.lots, 0, -mid)
        self._settle(-cents, bought)
        self._settle(cents, sold)
        self.crossings += 1
        for desk in (crossing.buyer, crossing.seller):
            self.crossed_lots[desk] = self.crossed_lots.get(desk, 0) + crossing.lots
        spread = self.cents(at, 2 * crossing.lots, crossing.ask_ticks, mid)
        self.crossing_saved_cents += spread + 2 * crossing.lots * int(self.fee_per_lot_cents[at])
        return self.by_desk({**bought, **sold})

    def _move(self, at: int, split: dict[str, int]) -> None:
        """One new version of the positions: whose lots of an instrument changed by how much."""
        self.touched.add(at)
        self.version += 1
        moved = self.by_desk(split)
        self.history.append((self.version, at, moved if isinstance(moved, int) else tuple(moved.tolist())))
        for agent, part in split.items():
            self.last_fill[without_desk(agent)] = self.version
            mine = self.by_agent.setdefault(agent, {})
            mine[at] = mine.get(at, 0) + part

    def take_import(self, instrument: int, desk: int, lots: int, price: float, mark: float | None = None) -> Moved:
        """Take a client's trade in: signed lots of a desk at ``price`` points, whose cash is the client book's. Lots by desk.

        ``mark``: what the contract is worth now, points; without one it counts as worth its price.
        """
        self.imported[desk, instrument] += lots
        self.imported_at.add(instrument)
        holder = at_desk(CLIENT, self.desks[desk])
        paid = self.import_cents(instrument, lots, price)
        self.cash_cents[holder] = self.cash_cents.get(holder, 0) + paid
        if mark is not None:
            self.edge_cents[self.desks[desk]] += paid - self.import_cents(instrument, lots, mark)
        self.version += 1
        moved: Moved = lots
        if len(self.desks) > 1:
            moved = np.zeros(len(self.desks), np.int64)
            moved[desk] = lots
        self.history.append((self.version, instrument, moved if isinstance(moved, int) else tuple(moved.tolist())))
        return moved

    def import_cents(self, instrument: int, lots: int, price: float) -> int:
        """Cash in cents that a client's trade of signed lots at ``price`` points brings in, rounded half up."""
        value = -lots * price / self.tick_size[instrument] * float(self.tick_cents[instrument])
        return int(np.floor(value + 0.5))

    def settle(self, opening: I64, outcome: Outcome) -> list[tuple[int, Moved]]:
        """Let all of a contract settle that is held: of the ``opening`` book (desks, n), clients' and ours.

        Returns the moves, lots by desk: the contract's and, where it was delivered, the future's. None if nothing is held, so
        a second settlement moves nothing. Cash: what is paid, and what the future is bought for at the strike.
        """
        at = outcome.instrument
        self.outcomes[at] = (outcome.value_ticks, outcome.future, outcome.future_lots, outcome.strike_ticks)
        held = opening[:, at] + self.net_desk_lots()[:, at]
        if not held.any():
            return []
        moves = [(at, -held)]
        cash_at, lots, ticks = at, held, outcome.value_ticks
        if outcome.future != CASH:
            moves.append((outcome.future, outcome.future_lots * held))
            cash_at, lots, ticks = outcome.future, -outcome.future_lots * held, outcome.strike_ticks
        for desk, n in zip(self.desks, lots.tolist(), strict=True):
            holder = at_desk(SETTLEMENT, desk)
            self.cash_cents[holder] = self.cash_cents.get(holder, 0) + self.cents(cash_at, n, ticks, 0)
        out: list[tuple[int, Moved]] = []
        for instrument, change in moves:
            self.settled[:, instrument] += change
            self.version += 1
            one = len(self.desks) == 1
            self.history.append((self.version, instrument, change.item() if one else tuple(change.tolist())))
            out.append((instrument, change.item() if one else change))
        return out

    def net_lots(self) -> I64:
        """Signed lots (n,) by which positions differ from the opening book: traded, told by clients, settled."""
        return np.asarray(self.traded + self.imported.sum(axis=0) + self.settled.sum(axis=0))

    def net_desk_lots(self) -> I64:
        """The same of each desk, (desks, n)."""
        return self.desk_lots() + self.imported + self.settled

    def by_desk(self, split: dict[str, int]) -> Moved:
        """Σ of the agents' lots by desk: one number where there is one desk."""
        if len(self.desks) == 1:
            return sum(split.values())
        of = {name: sum(n for agent, n in split.items() if desk_of(agent) == name) for name in self.desks}
        return np.array(list(of.values()), np.int64)

    def desk_lots(self) -> I64:
        """Signed lots traded by each desk, crossings included, (desks, n); they add up to ``traded``."""
        if len(self.desks) == 1:
            return self.traded[None, :].copy()
        out = np.zeros((len(self.desks), len(self.traded)), np.int64)
        row = {name: d for d, name in enumerate(self.desks)}
        for agent, mine in self.by_agent.items():
            for at, lots in mine.items():
                out[row[desk_of(agent)], at] += lots
        return out

    def _charge(self, cents: int, shares: tuple[CostShare, ...]) -> None:
        for who, part in bill(cents, shares).items():
            self.accounts[who] = self.accounts.get(who, 0) + part

    def _settle(self, cents: int, split: dict[str, int]) -> None:
        for agent, part in zip(split, deal(cents, [abs(n) for n in split.values()]), strict=True):
            self.cash_cents[agent] = self.cash_cents.get(agent, 0) + part

    def cents(self, instrument: int, signed_lots: int, price_ticks: int, twice_mid_ticks: int) -> int:
        """Signed cents paid above mid (above nothing for a mid of 0), rounded half up."""
        value = signed_lots * (2 * price_ticks - twice_mid_ticks) * float(self.tick_cents[instrument]) / 2.0
        return int(np.floor(value + 0.5))

    def since(self, version: int) -> dict[int, Moved] | None:
        """Net signed lots per instrument traded after ``version``; None when that is no longer (or not yet) known.

        One number an instrument where there is one desk, else one number a desk.
        """
        if version == self.version:
            return {}
        if version > self.version or not self.history or version < self.history[0][0] - 1:
            return None
        out: dict[int, Moved] = {}
        for at_version, instrument, lots in reversed(self.history):
            if at_version <= version:
                break
            out[instrument] = out.get(instrument, 0) + (lots if isinstance(lots, int) else np.array(lots, np.int64))
        return {j: n for j, n in sorted(out.items()) if np.any(n)}

    def update(self, now_ns: int, wall_ns: int, cause_id: str) -> PositionUpdate:
        """The whole of it for the agents, sparse, instruments ascending."""
        moved = set(np.flatnonzero(self.settled.any(axis=0)).tolist())
        at = np.array(sorted(self.touched | self.imported_at | moved), np.uint32)
        header = Header(SOURCE, self.version, now_ns, wall_ns, cause_id)
        net = self.net_lots()[at]
        if len(self.desks) == 1:
            return PositionUpdate(header, self.version, at, net)
        return PositionUpdate(header, self.version, at, net, self.desks, self.net_desk_lots()[:, at])


def _twice_mid(order: Order) -> int:
    return order.arrival_bid_ticks + order.arrival_ask_ticks


def per_lot_cents(tick_cents: float, order: Order, fee_cents: int) -> tuple[int, int]:
    """(cost, notional) one lot reserves: what a fill at the limit pays above mid and the fee, and the limit price. Rounded up.

    A limit on the near side of mid pays nothing above it.
    """
    above_mid = max(order.side.sign * (2 * order.limit_ticks - _twice_mid(order)), 0) * tick_cents / 2.0
    return int(np.ceil(above_mid)) + fee_cents, int(np.ceil(abs(order.limit_ticks) * tick_cents))

"""A small desk for tests of the manager: two underlyings, honest agents, a venue that fills what it is told to fill.

Prices, deltas, gammas and vegas are Black's formula at 20 % and rate 0, written out here; nothing under test computes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from common import factors
from common.control_messages import Command, JournalEntry
from common.limits import FactorLimit, FlowBudget, Limits, OrderCaps
from common.messages import ExecutionReport, Header, Order, OrderState, OrdStatus, Proposal, QuoteBatch, Refusal, Side
from common.units import NS_PER_DAY, NS_PER_S
from common.universe import EUROPEAN, FUTURE, OPTION, Book, Underlying, Universe
from manager import events as ev
from manager.config import ManagerConfig
from manager.step import ManagerSetup, ManagerState, start, step

NOW_NS = 1_520_000_000 * NS_PER_S
SYMBOLS = ("SPX", "NDX")
FORWARD = (2700.0, 6900.0)
FUTURE_MULTIPLIER = (50.0, 20.0)
SIGMA = 0.20
TICK = 0.05
DAYS = (20, 50, 80)
MONEYNESS = (0.94, 0.97, 1.0, 1.03)
FEE_CENTS = 100
SIZE = 30


def limits(**changes: object) -> Limits:
    """Wide limits; a test narrows what it is about."""
    base: dict[str, object] = {
        "version": 1,
        "who": "risk",
        "firm": "test desk",
        "base_currency": "USD",
        "risk_aversion_per_usd": 5e-6,
        "factor": {
            "delta:*": FactorLimit(soft_usd=5e7, hard_usd=5e8),
            "gamma:*": FactorLimit(soft_usd=1e7, hard_usd=1e8),
            "vega:*": FactorLimit(soft_usd=2e6, hard_usd=1e7),
        },
        "order": OrderCaps(max_lots_future=500, max_lots_option=500, max_notional_usd=1e9),
        "flow": FlowBudget(cost_usd=1e7, notional_usd=1e12, orders=100_000),
    }
    return Limits.model_validate({**base, **changes})


def universe() -> Universe:
    """Rows 0 and 1 are the futures, then per underlying calls and puts of three expiries at four strikes."""
    rows = [(u, FUTURE, 90, 0.0, 0) for u in range(2)]
    rows += [(u, OPTION, d, FORWARD[u] * m, r) for u in range(2) for d in DAYS for m in MONEYNESS for r in (1, -1)]
    u, kind, days, strike, right = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    multiplier = np.where(kind == FUTURE, np.array(FUTURE_MULTIPLIER)[u], 100.0)
    vol = np.array([0.010, 0.013])
    return Universe(
        instrument_id=tuple(f"{SYMBOLS[a]}-{k}-{d}-{s:g}-{r}" for a, k, d, s, r in rows),
        kind=kind.astype(np.uint8),
        underlying=u.astype(np.uint16),
        expiry_ns=NOW_NS + days.astype(np.int64) * NS_PER_DAY,
        strike=strike.astype(np.float64),
        right=right.astype(np.int8),
        style=np.full(n, EUROPEAN, np.uint8),
        multiplier_usd=multiplier,
        tick_size=np.full(n, TICK),
        fee_cents=np.full(n, FEE_CENTS, np.int64),
        listed=np.ones(n, np.uint8),
        underlyings=tuple(Underlying(s, i, 0.0, 0.0) for i, s in enumerate(SYMBOLS)),
        covariance_daily=np.outer(vol, vol) * np.array([[1.0, 0.9], [0.9, 1.0]]),
    )


def _pdf(x: float) -> float:
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def greeks(world: Universe, j: int) -> tuple[float, float, float, float]:
    """(price in points, USD delta, USD delta per 1 %, USD per vol point) of one lot."""
    u = int(world.underlying[j])
    forward, multiplier = FORWARD[u], float(world.multiplier_usd[j])
    if world.kind[j] == FUTURE:
        return forward, multiplier * forward, 0.0, 0.0
    years = (int(world.expiry_ns[j]) - NOW_NS) / (365 * NS_PER_DAY)
    strike, w, total = float(world.strike[j]), int(world.right[j]), SIGMA * math.sqrt(years)
    d1 = math.log(forward / strike) / total + 0.5 * total
    price = w * (forward * _cdf(w * d1) - strike * _cdf(w * (d1 - total)))
    gamma = _pdf(d1) / (forward * total)
    return (
        price,
        multiplier * forward * w * _cdf(w * d1),
        multiplier * gamma * forward * forward * 0.01,
        multiplier * forward * _pdf(d1) * math.sqrt(years) * 0.01,
    )


def bucket_of(world: Universe, j: int) -> str:
    """Vega bucket of an option now."""
    return factors.BUCKET_NAMES[factors.bucket_index(int(world.expiry_ns[j]), NOW_NS)]


def sensitivity(world: Universe, names: Iterable[str], menu: Iterable[int]) -> np.ndarray:
    """Change of each factor per lot, (f, m); the common factor has betas 1."""
    out = np.array([[_one(world, name, int(j)) for j in menu] for name in names])
    return out


def _one(world: Universe, name: str, j: int) -> float:
    symbol, name = world.symbols[int(world.underlying[j])], factors.without_desk(name)
    _, delta, gamma, vega = greeks(world, j)
    if name == factors.COMMON or name == factors.delta(symbol):
        return delta
    if name == factors.gamma(symbol):
        return gamma
    is_mine = world.kind[j] == OPTION and name == factors.vega(symbol, bucket_of(world, j))
    return vega if is_mine else 0.0


def quotes(
    world: Universe, symbol: str, sequence: int, now_ns: int, shift: float = 0.0, spread: float = 0.02
) -> QuoteBatch:
    """Every quote of one underlying: 2 % around fair for options, two ticks for the future."""
    rows = world.rows_of(symbol)
    mid = np.array([greeks(world, int(j))[0] for j in rows]) * (1.0 + shift)
    half = np.maximum(0.5 * spread * mid, TICK)
    half[world.kind[rows] == FUTURE] = 2.0 * TICK
    bid = np.maximum(np.round((mid - half) / TICK), 1).astype(np.int32)
    ask = np.maximum(np.round((mid + half) / TICK), bid + 1).astype(np.int32)
    size = np.full(len(rows), SIZE, np.int32)
    header = Header(f"feed.{symbol}", sequence, now_ns, 1_000 + sequence)
    return QuoteBatch(header, rows.astype(np.uint32), bid, ask, size, size)


OWNER = {
    "gamma/SPX": "gamma-0",
    "gamma/NDX": "gamma-1",
    "cross_asset/common": "cross_asset-0",
    **{f"vega/{s}/{b}": "vega-0" for s in SYMBOLS for b in factors.BUCKET_NAMES},
}


def assign(owner: dict[str, str], command_id: str = "assign-1") -> Command:
    """The fleet's command."""
    return Command(command_id, "assign", "fleet", "start", json.dumps({"owner": owner}))


@dataclass
class Desk:
    """A leading manager with a venue in the test's hand. Everything recorded and submitted is kept."""

    config: ManagerConfig = field(default_factory=ManagerConfig)
    limits: Limits = field(default_factory=limits)
    owner: dict[str, str] = field(default_factory=lambda: dict(OWNER))
    world: Universe = field(default_factory=universe)
    now_ns: int = NOW_NS
    run_id: str = "run"
    book: Book = field(default_factory=lambda: Book("book", (), np.empty(0, np.uint32), np.empty(0, np.int64)))

    def __post_init__(self) -> None:
        self.setup = ManagerSetup(self.world, self.book, self.config, self.limits, self.run_id)
        self.state: ManagerState = start(self.setup)
        self.journal: list[JournalEntry] = []
        self.orders: list[Order] = []
        self.out: list[ev.Instruction] = []
        self.sequence: dict[str, int] = {}
        self.reports = 0
        self.feed(0)
        self.take_over(1)
        self.send(ev.CommandArrived(0, assign(self.owner)))

    def send(self, event: ev.Event) -> list[ev.Instruction]:
        """One step; the state is checked after it."""
        self.state, out = step(self.state, event)
        self.state.check()
        self.out += out
        self.journal += [i.entry for i in out if isinstance(i, ev.Record)]
        self.orders += [o for i in out if isinstance(i, ev.Submit) for o in i.orders]
        return out

    def take_over(self, epoch: int, states: Iterable[OrderState] = (), reports: Iterable[ExecutionReport] = ()) -> None:
        """Lead with a new epoch."""
        reports = tuple(reports)
        last = reports[-1].sequence if reports else self.state.report_sequence
        self.send(ev.TookOver(self.now_ns, 0, epoch, "manager-0", tuple(states), reports, last))

    def feed(self, seconds: float, shift: float = 0.0) -> None:
        """Time passes and both sources send everything."""
        self.now_ns += int(seconds * NS_PER_S)
        for symbol in SYMBOLS:
            n = self.sequence.get(symbol, 0) + 1
            self.sequence[symbol] = n
            self.send(ev.MarketNews(quotes(self.world, symbol, n, self.now_ns, shift)))

    def proposal(
        self,
        agent: str,
        exposure: dict[str, float],
        width: dict[str, float] | float,
        *,
        menu: Iterable[int] | None = None,
        alone: dict[int, float] | None = None,
        **changes: object,
    ) -> Proposal:
        """An honest proposal: intervals ± width, true sensitivities, the current versions."""
        n = self.sequence.get(agent, 0) + 1
        self.sequence[agent] = n
        names = tuple(exposure)
        at = np.array(sorted(menu if menu is not None else range(len(self.world))), np.uint32)
        half = np.array([width[k] if isinstance(width, dict) else width for k in names])
        wishes = np.array([(alone or {}).get(int(j), 0.0) for j in at])
        fold = self.state.fold
        fields: dict[str, object] = {
            "header": Header(agent, n, self.now_ns, 5_000 + n, "feed.SPX:1"),
            "kind": factors.kind_of(agent),
            "shard": 0,
            "book_id": "book",
            "incarnation": 1,
            "assignment_version": fold.assignment.version if fold.assignment else 0,
            "position_version": fold.ledger.version,
            "budget_epoch": fold.budgets.budget_epoch if fold.budgets else 0,
            "inputs": (),
            "factor": names,
            "exposure": np.array(list(exposure.values())),
            "lower": -half,
            "upper": half,
            "weighs_cost": np.ones(len(names), np.uint8),
            "menu": at,
            "sensitivity": sensitivity(self.world, names, at),
            "alone_lots": wishes,
            "trigger": "threshold",
            "expires_ns": self.now_ns + 600 * NS_PER_S,
        }
        return Proposal(**{**fields, **changes})

    def propose(self, *args: object, **kwargs: object) -> list[ev.Instruction]:
        """Send a proposal."""
        return self.send(ev.ProposalArrived(0, self.proposal(*args, **kwargs)))

    def settle(self, instrument: int, points: float) -> None:
        """Execution says what the underlying settled at, of a contract that has come to its end."""
        self.reports += 1
        name = f"S-{self.reports}"
        told = ExecutionReport(
            sequence=self.reports,
            exec_id=name,
            client_order_id=name,
            ord_status=OrdStatus.SETTLED,
            last_lots=0,
            last_ticks=round(points / TICK),
            cum_lots=0,
            leaves_lots=0,
            fee_cents=0,
            instrument=instrument,
            side=Side.BUY,
            refusal=Refusal.NONE,
            text="",
            event_time_ns=self.now_ns,
            receive_time_ns=0,
            bid_ticks=0,
            ask_ticks=0,
        )
        self.send(ev.ReportArrived(0, told))

    def decide(self) -> list[Order]:
        """One decision; the orders it sent."""
        before = len(self.orders)
        self.send(ev.Decide(self.now_ns, 0))
        return self.orders[before:]

    def report(self, order: Order, status: OrdStatus, lots: int = 0, **changes: object) -> ExecutionReport:
        """The next report on an order; the fill is at the limit price."""
        self.reports += 1
        life = self.state.fold.orders.get(order.client_order_id)
        cum = (life.cum_lots if life else 0) + lots
        fields: dict[str, object] = {
            "sequence": self.reports,
            "exec_id": f"e{self.reports}",
            "client_order_id": order.client_order_id,
            "ord_status": status,
            "last_lots": lots,
            "last_ticks": order.limit_ticks,
            "cum_lots": cum,
            "leaves_lots": 0 if status.terminal else order.quantity_lots - cum,
            "fee_cents": lots * FEE_CENTS,
            "instrument": order.instrument,
            "side": order.side,
            "refusal": Refusal.NONE,
            "text": "",
            "event_time_ns": self.now_ns,
            "receive_time_ns": 0,
            "bid_ticks": order.arrival_bid_ticks,
            "ask_ticks": order.arrival_ask_ticks,
        }
        return ExecutionReport(**{**fields, **changes})

    def fill(self, order: Order, lots: int | None = None) -> None:
        """Fill an order in full, or in part and cancel the rest, as an immediate-or-cancel order ends."""
        lots = order.quantity_lots if lots is None else lots
        if lots == order.quantity_lots:
            self.send(ev.ReportArrived(0, self.report(order, OrdStatus.FILLED, lots)))
            return
        if lots:
            self.send(ev.ReportArrived(0, self.report(order, OrdStatus.PARTIALLY_FILLED, lots)))
        self.send(ev.ReportArrived(0, self.report(order, OrdStatus.CANCELED)))


def delta_desk(**kwargs: object) -> Desk:
    """A desk whose only agent is the delta of one underlying."""
    return Desk(owner={"gamma/SPX": "gamma-0"}, **kwargs)


def all_agents(desk: Desk, scale: float = 1.0) -> None:
    """Everybody proposes for a book short gamma and vega; one wish each, all on the menu of everything."""
    menu = range(len(desk.world))
    for u, symbol in enumerate(SYMBOLS):
        desk.propose(
            f"gamma-{u}",
            {factors.delta(symbol): 3e6 * scale, factors.gamma(symbol): -1.5e6 * scale},
            {factors.delta(symbol): 3e5, factors.gamma(symbol): 2e5},
            menu=menu,
            alone={u: -18.0 * scale},
        )
    buckets = ("8-30d", "31-60d", "61-90d")
    vegas = {factors.vega(s, b): -20_000.0 * scale for s in SYMBOLS for b in buckets}
    options = [j for j in menu if desk.world.kind[j] == OPTION]
    desk.propose("vega-0", vegas, 3_000.0, menu=options, alone={options[4]: 25.0 * scale, options[30]: 12.0 * scale})
    desk.propose("cross_asset-0", {factors.COMMON: 6e6 * scale}, 1e6, menu=menu, alone={0: -12.0 * scale})

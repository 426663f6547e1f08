"""Stock limits and order caps recounted from the journal alone: no order was decided that could go beyond a limit (promise 4).

Exposures are what agents said, moved by every fill since at the sensitivities they stated; on top of the worst subset of
working orders no subset of a cycle's orders may bring a factor, or a limited sum of factors, beyond its hard limit, nor a
broken one further out. A sum counts what a silent agent said last, too. Every order keeps to the caps of the firm and of each
scope it serves.
*Tested by* tests/unit/test_budgets_audit.py (each rule on a doctored run).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from common import limits_changes
from common.control_messages import CommandTaken, Cycle, JournalEntry, LeaderStarted, ProposalTaken, TradesImported
from common.errors import Refused
from common.factors import at_desk, desk_of, kind_of, underlying_of, without_desk
from common.lifecycle import CASH, Outcome, outcomes, settlement_at
from common.limits import Limits
from common.limits_changes import LimitsLog
from common.limits_scopes import covers
from common.messages import ExecutionReport, Order, OrdStatus, Proposal
from common.universe import FUTURE, Book, Universe
from lab.audit_desks import furthest_behind

#: Of the limit, or of the exposure: the order in which floats are added up.
_SLACK = 1e-6
Lots = dict[str, int]


@dataclass(slots=True)
class _Working:
    order: Order
    got: Counter[str] = field(default_factory=Counter)

    def left(self) -> Lots:
        """Signed lots that may still fill, by desk."""
        out: Counter[str] = Counter()
        for agent, share in self.order.allocation:
            out[desk_of(agent)] += self.order.side.sign * max(abs(share) - self.got[agent], 0)
        return dict(out)


class _Exposures:
    """What each factor stands at, and what a lot of each instrument does to it, as far as anybody said."""

    def __init__(self, universe: Universe, book: Book) -> None:
        self.universe, self.book = universe, book
        self.now: dict[str, float] = {}
        #: As ``now``, a move by an unknown amount left out.
        self.told: dict[str, float] = {}
        self.until: dict[str, int] = {}
        self.owner: dict[str, str] = {}
        self.per_lot: dict[tuple[str, int], float] = {}
        self.moves: list[tuple[int, Lots]] = []
        n = len(universe)
        self.held = dict(zip(book.desk_names, (row.copy() for row in book.desk_lots(n)), strict=True))
        #: What has settled: it weighs nothing any more.
        self.gone: dict[int, Outcome] = {}

    def said(self, p: Proposal) -> None:
        """An accepted proposal replaces what its agent had said."""
        for row, name in enumerate(p.factor):
            self.now[name], self.until[name], self.owner[name] = float(p.exposure[row]), p.expires_ns, p.agent
            for column, instrument in enumerate(p.menu.tolist()):
                self.per_lot[name, instrument] = float(p.sensitivity[row, column])
            for instrument, lots in self.moves[p.position_version :]:
                self.now[name] += self.change(name, instrument, lots)
            self.told[name] = self.now[name]

    def moved(self, instrument: int, lots: Lots) -> None:
        """A fill, crossing, imported trade or settlement: one new version of the positions."""
        self.moves.append((instrument, lots))
        for desk, n in lots.items():
            self.held[desk if desk in self.held else next(iter(self.held))][instrument] += n
        for name in self.now:
            change = self.change(name, instrument, lots)
            self.now[name] += change
            self.told[name] += 0.0 if math.isnan(change) else change

    def settled(self, outcome: Outcome) -> None:
        """All that is held of a contract goes, and comes back as the future where it is delivered."""
        lots = {desk: int(row[outcome.instrument]) for desk, row in self.held.items()}
        if any(lots.values()):
            self.moved(outcome.instrument, {desk: -n for desk, n in lots.items()})
            if outcome.future != CASH:
                self.moved(outcome.future, {desk: outcome.future_lots * n for desk, n in lots.items()})
        self.gone[outcome.instrument] = outcome

    def change(self, name: str, instrument: int, lots: Lots) -> float:
        """What signed lots by desk do to a factor; NaN where nobody said."""
        mine = lots.get(desk_of(name), 0)
        if not mine or instrument in self.gone:
            return 0.0
        known = self.per_lot.get((name, instrument))
        return mine * (self._by_nature(name, instrument) if known is None else known)

    def _by_nature(self, name: str, instrument: int) -> float:
        symbol, future = underlying_of(name), self.universe.kind[instrument] == FUTURE
        other = symbol and self.universe.symbols[int(self.universe.underlying[instrument])] != symbol
        head = name.partition(":")[0]
        if head in ("delta", "gamma", "vega") and (other or (future and head != "delta")):
            return 0.0
        return math.nan

    def live(self, now_ns: int) -> list[str]:
        """Factors that were decided on: said, not expired, known."""
        return [n for n, x in self.now.items() if self.until[n] > now_ns and not math.isnan(x)]


class _Recount:
    def __init__(self, universe: Universe, book: Book, limits: Limits) -> None:
        self.log, self.exposures = LimitsLog(limits), _Exposures(universe, book)
        self.universe, self.book = universe, book
        self.working: dict[str, _Working] = {}
        self.seen: set[str] = set()
        self.trades: dict[str, tuple[str, int, int]] = {}

    def cycle(self, cycle: Cycle, now_ns: int) -> Iterator[str]:
        for order in cycle.orders:
            yield from self._caps(order)
        live = self.exposures.live(now_ns)
        for name in live:
            limit = [self.log.limits.of_factor(name), self.log.limits.of_factor(without_desk(name))]
            hard = min((x.hard_usd for x in limit if x is not None), default=math.inf)
            yield from self._stock(cycle, name, (name,), hard)
        for label, total in self.log.limits.sum.items():
            said = self.exposures.told
            names = tuple(n for n in said if any(covers(p, n if "@" in p else without_desk(n)) for p in total.factors))
            yield from self._stock(cycle, f"sum {label}", names, total.hard_usd)
        for order in cycle.orders:
            self.working[order.client_order_id] = _Working(order)
        for c in cycle.crossings:
            self.exposures.moved(c.instrument, {c.buyer: c.lots, c.seller: -c.lots})

    def _stock(self, cycle: Cycle, label: str, names: tuple[str, ...], hard: float) -> Iterator[str]:
        if math.isinf(hard) or not names:
            return
        at = sum(self.exposures.told[n] for n in names)
        work = [self._move(names, w.order.instrument, w.left()) for w in self.working.values()]
        new = [self._move(names, o.instrument, _Working(o).left()) for o in cycle.orders]
        slack = _SLACK * max(hard, abs(at), 1.0)
        for side, sign in (("above", 1.0), ("below", -1.0)):
            before = sign * at + sum(max(sign * x, 0.0) for x in work)
            grows = sum(max(sign * x, 0.0) for x in new)
            if grows > slack and before + grows > hard + slack:
                what = f"could bring {label} to {sign * (before + grows):,.0f}, {side} its hard limit of {hard:,.0f}"
                yield f"cycle {cycle.cycle_id} {what}" + (" (broken before)" if before > hard else "")

    def _move(self, names: tuple[str, ...], instrument: int, lots: Lots) -> float:
        """What is not known counts as nothing."""
        known = (self.exposures.change(n, instrument, lots) for n in names)
        return sum(x for x in known if not math.isnan(x))

    def _caps(self, order: Order) -> Iterator[str]:
        limits = self.log.limits
        symbol = self.universe.symbols[int(self.universe.underlying[order.instrument])]
        served = {"firm", f"underlying:{symbol}"}
        served |= {x for a, n in order.allocation if n for x in (f"kind:{kind_of(a)}", f"desk:{desk_of(a)}")}
        future = self.universe.kind[order.instrument] == FUTURE
        at = order.instrument
        value = order.quantity_lots * max(order.arrival_ask_ticks, 0) * float(self.universe.tick_size[at])
        value *= float(self.universe.multiplier_usd[at])
        for scope, caps in limits.scoped("order").items():
            lots = caps.max_lots_future if future else caps.max_lots_option
            if scope in served and lots is not None and order.quantity_lots > lots:
                yield f"order {order.client_order_id}: {order.quantity_lots} lots, the cap of {scope} is {lots}"
            if scope in served and caps.max_notional_usd is not None and value > caps.max_notional_usd * (1 + _SLACK):
                yield f"order {order.client_order_id}: {value:,.0f} USD, the cap of {scope} is {caps.max_notional_usd:,.0f}"

    def report(self, r: ExecutionReport) -> None:
        if r.ord_status is OrdStatus.SETTLED:
            if r.instrument not in self.exposures.gone:
                for outcome in outcomes(self.universe, settlement_at(self.universe, r.instrument), r.last_ticks):
                    self.exposures.settled(outcome)
            return
        held = self.working.get(r.client_order_id)
        if r.last_lots and r.exec_id not in self.seen:
            lots: Counter[str] = Counter()
            for _ in range(r.last_lots):
                agent = at_desk("", self.book.desk_names[0]) if held is None else furthest_behind(held.order, held.got)
                lots[desk_of(agent)] += r.side.sign
                if held is not None:
                    held.got[agent] += 1
            self.seen.add(r.exec_id)
            self.exposures.moved(r.instrument, dict(lots))
            if r.instrument in self.exposures.gone:
                self.exposures.settled(self.exposures.gone[r.instrument])
        if held is not None and r.ord_status.terminal:
            del self.working[r.client_order_id]

    def imported(self, event: TradesImported) -> None:
        desk = {a: d.name for d in self.book.desks for a in d.accounts} if len(self.book.desk_names) > 1 else {}
        for t in event.trades:
            former = self.trades.get(t.corrects or t.cancels)
            if former is not None:
                self.exposures.moved(former[1], {former[0]: -former[2]})
            if not t.cancels:
                self.trades[t.trade_id] = (desk.get(t.account, ""), t.instrument, t.lots)
                self.exposures.moved(t.instrument, {desk.get(t.account, ""): t.lots})

    def command(self, taken: CommandTaken, entry: JournalEntry) -> Iterator[str]:
        if taken.command.action in limits_changes.ACTIONS and taken.acknowledgement.accepted:
            try:
                self.log = self.log.take(taken.command, entry.now_ns, entry.wall_ns)[0]
            except Refused as error:
                yield f"entry {entry.sequence}: {taken.command.action} was accepted and must not be: {error}"


def limit_violations(universe: Universe, book: Book, entries: Sequence[JournalEntry], limits: Limits) -> Iterator[str]:
    """Orders that could have gone beyond a hard limit, a limited sum or a cap, in words."""
    count = _Recount(universe, book, limits)
    for entry in entries:
        match entry.event:
            case ProposalTaken(proposal, refusal) if not refusal:
                count.exposures.said(proposal)
            case Cycle():
                yield from count.cycle(entry.event, entry.now_ns)
            case ExecutionReport():
                count.report(entry.event)
            case CommandTaken():
                yield from count.command(entry.event, entry)
            case TradesImported():
                count.imported(entry.event)
            case LeaderStarted():
                _recovered(count, entry.event)


def _recovered(count: _Recount, event: LeaderStarted) -> None:
    """Orders the journal had lost work; those that never arrived have ended."""
    for state in event.recovered:
        name = state.order.client_order_id
        if state.ord_status.terminal and name in count.working:
            del count.working[name]
        elif name not in count.working and not state.ord_status.terminal:
            count.working[name] = _Working(state.order)

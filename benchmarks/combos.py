"""What a roll of two quarters costs as one combo, resting, in slices and leg after leg: real E-mini quotes, the paper venue.

Every roll is worked each way in an execution of its own on the same quotes of ESH0 and ESM0 (2020-01-05 23:00 to 2020-01-06
21:00 UTC, the state at the end of each minute): LOTS sold of the one and bought of the other, from a start every quarter of an
hour, in both directions, so that drift cancels; one start is one sample of the interval. The cost is the implementation
shortfall of both legs in USD a lot rolled: beyond the mids at the start, fees left out; what has not filled at the horizon,
either leg, counts as taken at the far side then. One thing the quotes cannot show matters most: the calendar spread has a book
of its own at the exchange, a twentieth of a point wide, which nobody sees here. A combo at this venue takes the far sides of
its legs, so it saves what happens between two legs and nothing of their spreads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from benchmarks import execution_world as world
from benchmarks.registry import Context, Row, bench
from benchmarks.tactics import BUDGET_MIN, CHASE_TICKS, FROM_NS, HORIZON_MIN, START_EVERY_MIN, TO_NS, wide_limits
from common.market.es_files import QuoteRows, read_futures
from common.messages import F64, ExecutionReport, Header, Order, QuoteBatch, Side, TimeInForce
from common.tactics import Follow, Tactic, TacticKind
from common.units import NO_PRICE, NS_PER_MIN
from common.universe import Universe
from execution.config import PaperConfig
from execution.inprocess import InProcessExecution
from lab.simulator.market import universe_of

LOTS: Final = 4
SYMBOLS: Final = ("ESH0", "ESM0")
USD_PER_TICK: Final = 12.5
_TIMES: Final = {"budget_ms": BUDGET_MIN * 60_000, "interval_ms": 59_000}


@dataclass(frozen=True)
class Way:
    """How both legs are worked: the lead's terms, and whether the venue takes combos."""

    text: str
    lead: Tactic
    combos: bool = True


_PLAIN = Tactic(TacticKind.COMBO, legs=2, **_TIMES)
LEGS = Way("leg after leg", _PLAIN, combos=False)
WAYS: Final = {
    "plain": Way("as one combo", _PLAIN),
    "resting": Way(
        "resting a tick better for four fifths of ten minutes", replace(_PLAIN, improve_ticks=1, urgency_percent=20)
    ),
    "sliced": Way("in slices of half of what is shown", replace(_PLAIN, participation_percent=50)),
}
_IDS = ("execution.combos.legs", *(f"execution.combos.{name}" for name in WAYS))


@dataclass(frozen=True)
class Tape:
    """Quotes of both quarters by minute, (m, 2, 4): bid, ask, sizes; rows where both stand. ``time_ns`` (m,)."""

    time_ns: np.ndarray[tuple[int], np.dtype[np.int64]]
    quotes: np.ndarray[tuple[int, int, int], np.dtype[np.int64]]


@bench(*_IDS, what="cost of rolling two quarters as a combo and leg after leg, real E-mini quotes", minutes=2)
def combos(context: Context) -> Iterable[Row]:
    """USD a lot: what leg after leg costs, and what each other way saves against it, with their intervals."""
    tape = tape_of(read_futures(context.data_dir))
    starts = range(FROM_NS, TO_NS - HORIZON_MIN * NS_PER_MIN, START_EVERY_MIN * NS_PER_MIN)
    legs = [_start(tape, at_ns, LEGS) for at_ns in starts]
    cost = np.array([c for c, _ in legs])
    low, high = _interval(cost)
    filled = np.mean([f for _, f in legs])
    what = f"{LOTS} lots {LEGS.text}, 95 % {low:.2f} to {high:.2f}; filled {filled:.0%}"
    yield Row("execution.combos.legs", what, round(float(cost.mean()), 3), "USD a lot", "", True, "", 2 * len(cost))
    for name, way in WAYS.items():
        found = [_start(tape, at_ns, way) for at_ns in starts]
        saved = cost - np.array([c for c, _ in found])
        low, high = _interval(saved)
        filled = np.mean([f for _, f in found])
        what = f"saved {way.text}, 95 % {low:.2f} to {high:.2f}; filled {filled:.0%}"
        mean = round(float(saved.mean()), 3)
        yield Row(f"execution.combos.{name}", what, mean, "USD a lot", "", True, LEGS.text, 2 * len(saved))


def _interval(samples: F64) -> tuple[float, float]:
    half = 1.96 * samples.std(ddof=1) / len(samples) ** 0.5
    return float(samples.mean() - half), float(samples.mean() + half)


def tape_of(rows: QuoteRows) -> Tape:
    """The minutes of the window at which both quarters are usable, each with what stands of both."""
    usable = (rows.bid_ticks > NO_PRICE) & (rows.ask_ticks > rows.bid_ticks)
    usable &= (rows.bid_size_lots > 0) & (rows.ask_size_lots > 0) & (rows.ts_ns >= FROM_NS) & (rows.ts_ns < TO_NS)
    names = [i.underlying for i in rows.instruments]
    standing: dict[int, dict[int, tuple[int, ...]]] = {}
    for k, symbol in enumerate(SYMBOLS):
        at = np.flatnonzero(usable & (rows.contract == names.index(symbol)))
        columns = (rows.bid_ticks, rows.ask_ticks, rows.bid_size_lots, rows.ask_size_lots)
        for i in at.tolist():
            standing.setdefault(int(rows.ts_ns[i]) + NS_PER_MIN, {})[k] = tuple(int(c[i]) for c in columns)
    last: dict[int, tuple[int, ...]] = {}
    times, quotes = [], []
    for time_ns, news in sorted(standing.items()):
        last |= news
        if len(last) == len(SYMBOLS):
            times.append(time_ns)
            quotes.append([last[k] for k in range(len(SYMBOLS))])
    return Tape(np.array(times, np.int64), np.array(quotes, np.int64))


def _start(tape: Tape, at_ns: int, way: Way) -> tuple[float, float]:
    """Mean of both directions from the first minute at or after ``at_ns``: USD a lot, share of both legs that filled."""
    begin = int(np.searchsorted(tape.time_ns, at_ns))
    both = [rolled(tape, begin, sells, way) for sells in (0, 1)]
    return float(np.mean([c for c, _ in both])), float(np.mean([f for _, f in both]))


def rolled(tape: Tape, begin: int, sells: int, way: Way) -> tuple[float, float]:
    """One roll out of quarter ``sells`` into the other one: shortfall in USD a lot, share of both legs that filled."""
    universe, start_ns = universe_of(SYMBOLS), int(tape.time_ns[begin])
    at = [u.future_instrument for u in universe.underlyings]
    execution = InProcessExecution(universe, wide_limits(), PaperConfig(combos=way.combos))
    execution.fence(1, "bench")
    reports = _quoted(execution, tape, begin, at, 1)
    sides = (Side.SELL, Side.BUY) if sells == 0 else (Side.BUY, Side.SELL)
    lead, other = (
        _leg(universe, at[k], sides[k], tuple(tape.quotes[begin, k].tolist()), start_ns) for k in (sells, 1 - sells)
    )
    lead = replace(lead, tactic=way.lead)
    follows = Follow(lead.client_order_id, 1, 1)
    other = replace(other, tactic=Tactic(TacticKind.COMBO, **_TIMES), follows=follows)
    reports += execution.submit([lead, other], start_ns)[1]
    last = begin
    for k in range(begin + 1, len(tape.time_ns)):
        if tape.time_ns[k] > start_ns + HORIZON_MIN * NS_PER_MIN:
            break
        while (due_ns := execution.next_due_ns) is not None and due_ns < tape.time_ns[k]:
            reports += execution.on_time(due_ns)
        reports += _quoted(execution, tape, k, at, k - begin + 1)
        last = k
    ticks, filled = 0.0, 0
    for k in range(len(SYMBOLS)):
        mine = [r for r in reports if r.instrument == at[k]]
        paid, lots = sum(r.last_lots * r.last_ticks for r in mine), sum(r.last_lots for r in mine)
        end = int(tape.quotes[last, k, 1 if sides[k] is Side.BUY else 0])
        mid = 0.5 * float(tape.quotes[begin, k, 0] + tape.quotes[begin, k, 1])
        ticks += sides[k].sign * ((paid + (LOTS - lots) * end) / LOTS - mid)
        filled += lots
    return ticks * USD_PER_TICK, filled / (LOTS * len(SYMBOLS))


def _quoted(execution: InProcessExecution, tape: Tape, k: int, at: list[int], sequence: int) -> list[ExecutionReport]:
    """Both quarters of a minute, each from its own source."""
    out: list[ExecutionReport] = []
    for row, symbol in enumerate(SYMBOLS):
        bid, ask, bid_lots, ask_lots = (np.array([v], np.int32) for v in tape.quotes[k, row].tolist())
        head = Header(f"feed.{symbol}", sequence, int(tape.time_ns[k]))
        out += execution.on_quotes(QuoteBatch(head, np.array([at[row]], np.uint32), bid, ask, bid_lots, ask_lots))
    return out


def _leg(universe: Universe, at: int, side: Side, quote: tuple[int, ...], start_ns: int) -> Order:
    bid, ask = quote[:2]
    far = ask if side is Side.BUY else bid
    return replace(
        world.order(1),
        client_order_id=f"leg{at}",
        instrument=at,
        instrument_id=universe.instrument_id[at],
        side=side,
        quantity_lots=LOTS,
        limit_ticks=far + side.sign * CHASE_TICKS,
        time_in_force=TimeInForce.IOC,
        event_time_ns=start_ns,
        receive_time_ns=0,
        allocation=(),
        arrival_bid_ticks=bid,
        arrival_ask_ticks=ask,
    )

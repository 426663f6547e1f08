"""Makes the example books: client flow of a stated net risk, from a seed.

    python examples/make_books.py                                  # examples/demo_book.csv, examples/es_book.csv
    python examples/make_books.py --positions 20000 --out FILE     # demo book of another size

Clients buy long-dated options more often than they sell them, mostly out of the money. Sizes are drawn; signs are turned
one by one until each underlying opens with the gamma and vega of ``TARGETS``; futures then bring its dollar delta within
half a lot of zero. Books above ``LISTED_ONLY`` positions also hold
strikes and expiries that nobody lists. Greeks are Black-76 at the implied volatilities of the first quotes.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np

from common.instruments import Instrument, local_date, option, parse_instrument
from common.market.black76 import values
from common.market.config import DemoConfig, EsOptionsConfig, default_data_dir
from common.market.demo import DemoMarket
from common.market.es_options import EsOptionsMarket
from common.messages import F64
from common.ports import MarketSource
from common.snapshot import MarketSnapshot
from common.units import NS_PER_MIN, NS_PER_YEAR, VOL_POINT
from common.universe import OPTION

HERE = Path(__file__).resolve().parent
#: Dollar gamma per 1 % and vega per volatility point (USD) with which each underlying opens.
TARGETS = {
    "SPX": (-2.4e6, -2.7e5),
    "IXIC": (-1.0e6, -1.1e5),
    "ESH0": (-1.6e6, -4.0e4),
    "ESM0": (-9.0e5, -5.0e4),
}
#: Futures held against the options, in lots, about (what is left of their delta decides the last few).
FUTURES = {"SPX": -45, "IXIC": 60, "ESH0": -20, "ESM0": 12}
#: Share of the positions on each underlying.
SHARE = {"SPX": 0.6, "IXIC": 0.4, "ESH0": 0.55, "ESM0": 0.45}
LISTED_ONLY = 2000
FRONT_DAYS = 60.0
#: Nobody trades what is worth less than this many ticks, or is further than this from the money, in deviations.
TICKS_MIN = 4
DEVIATIONS_MAX = 2.2
#: Options in the money are asked for this much less.
IN_THE_MONEY_APPEAL = 0.1
#: How often the desk is short at first, beyond and within ``FRONT_DAYS``.
SHORT_SHARE_BACK = 0.6
SHORT_SHARE_FRONT = 0.5
#: Dollar delta that weighs as much as the whole gamma target.
DELTA_UNIT = 10.0
ROUNDS = 6
DEMO_POSITIONS = 560
ES_POSITIONS = 72
SEED = 11


@dataclass(frozen=True)
class Menu:
    """Options of one underlying a client may hold (n,), price in points and Greeks per lot in USD at the first quotes."""

    instruments: tuple[Instrument, ...]
    price: F64
    delta: F64
    gamma: F64
    vega: F64
    days: F64
    appeal: F64
    future: Instrument
    future_price: float


def first_quotes(source: MarketSource, minutes: int) -> MarketSnapshot:
    """What stands ``minutes`` of market time after the first batch."""
    snapshot = MarketSnapshot(source.universe)
    for batch in source.batches():
        if snapshot.now_ns and batch.header.event_time_ns > source.session_bounds_ns[0][0] + minutes * NS_PER_MIN:
            break
        snapshot.apply(batch)
    return snapshot


def implied_deviation(price: F64, forward: F64, strike: F64, right: F64, discount: F64) -> F64:
    """σ√T (n,) that gives each price, by bisection on [0, 5]; a price below intrinsic value gives 0."""
    low, high = np.zeros(len(price)), np.full(len(price), 5.0)
    for _ in range(60):
        middle = 0.5 * (low + high)
        below = values(forward[None], strike, right, middle[None] ** 2, discount[None])[0] < price
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(0.5 * (low + high))


def menu_of(snapshot: MarketSnapshot, symbol: str, *, off_grid: bool, rng: np.random.Generator) -> Menu:
    """The tradable options of one underlying; with ``off_grid`` as many again between the listed strikes and expiries."""
    universe, mid = snapshot.universe, snapshot.mid()
    terms = universe.underlyings[universe.underlying_index(symbol)]
    at = terms.future_instrument
    rows = universe.rows_of(symbol)
    rows = rows[snapshot.usable()[rows] & (universe.kind[rows] == OPTION)]
    instruments = [parse_instrument(universe.instrument_id[row]) for row in rows]
    strike, right, expiry_ns = universe.strike[rows], universe.right[rows].astype(np.float64), universe.expiry_ns[rows]
    years, forward, discount = _terms(snapshot, at, expiry_ns, terms.carry_per_year, terms.rate_per_year, mid[at])
    deviation = implied_deviation(mid[rows], forward, strike, right, discount)
    if off_grid:
        vol = deviation / np.sqrt(years)
        extra = [_off_grid(i, rng) for i in instruments for _ in range(8)]
        instruments += extra
        strike = np.array([i.strike for i in instruments])
        right = np.array([float(i.right) for i in instruments])
        expiry_ns = np.array([i.expiry_ns for i in instruments])
        years, forward, discount = _terms(snapshot, at, expiry_ns, terms.carry_per_year, terms.rate_per_year, mid[at])
        deviation = np.append(vol, np.repeat(vol, 8)) * np.sqrt(years)
    price = values(forward[None], strike, right, deviation[None] ** 2, discount[None])[0]
    far = np.abs(np.log(strike / forward)) > DEVIATIONS_MAX * deviation
    keep = (price >= TICKS_MIN * instruments[0].tick_size) & ~far & (deviation > 0.0)
    chosen = tuple(i for i, wanted in zip(instruments, keep, strict=True) if wanted)
    columns = [column[keep] for column in (strike, right, forward, deviation, discount, years, price)]
    away = right * np.log(strike / forward) / deviation
    appeal = np.exp(-0.5 * away[keep] ** 2) * np.where(away[keep] < -0.25, IN_THE_MONEY_APPEAL, 1.0)
    delta, gamma, vega = _greeks(*columns[:6], multiplier=chosen[0].multiplier)
    future = parse_instrument(universe.instrument_id[at])
    return Menu(chosen, columns[6], delta, gamma, vega, columns[5] * 365.0, appeal, future, float(mid[at]))


def _terms(
    snapshot: MarketSnapshot, future_row: int, expiry_ns: F64, carry: float, rate: float, future_mid: float
) -> tuple[F64, F64, F64]:
    years = (expiry_ns - snapshot.now_ns) / NS_PER_YEAR
    beyond = (expiry_ns - snapshot.universe.expiry_ns[future_row]) / NS_PER_YEAR
    return years, future_mid * np.exp(carry * beyond), np.exp(-rate * years)


def _off_grid(listed: Instrument, rng: np.random.Generator) -> Instrument:
    """A contract beside a listed one: strike moved by up to 20 points, PM-settled expiry up to 10 days later."""
    root = {"SPX": "SPXW", "IXIC": "IXICP"}[listed.root]
    day = local_date(listed.expiry_ns) + timedelta(days=int(rng.integers(3, 11)))
    day -= timedelta(days=max(day.weekday() - 4, 0))
    return option(root, day, listed.strike + 5.0 * int(rng.integers(-4, 5)), listed.right)


def _greeks(
    strike: F64, right: F64, forward: F64, deviation: F64, discount: F64, years: F64, *, multiplier: float
) -> tuple[F64, F64, F64]:
    """Dollar delta, dollar gamma per 1 % and vega per point of one lot (Black 1976, delta to the forward)."""
    d1 = np.log(forward / strike) / deviation + 0.5 * deviation
    density = np.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
    cumulative = np.array([0.5 * math.erfc(-x * math.sqrt(0.5)) for x in right * d1])
    delta = multiplier * forward * discount * right * cumulative
    gamma = 0.01 * multiplier * forward * discount * density / deviation
    vega = VOL_POINT * multiplier * forward * discount * density * np.sqrt(years)
    return delta, gamma, vega


def client_sizes(count: int, median_lots: float, rng: np.random.Generator) -> F64:
    """Sizes as clients ask for them: log-normal, in steps of 1, 5, 10 or 25 lots."""
    drawn = median_lots * np.exp(0.9 * rng.standard_normal(count))
    step = np.select([drawn < 10, drawn < 50, drawn < 200], [1.0, 5.0, 10.0], 25.0)
    return np.asarray(np.maximum(step, np.rint(drawn / step) * step))


def positions_of(menu: Menu, count: int, symbol: str, rng: np.random.Generator) -> list[tuple[int, int]]:
    """(menu row, lots) of ``count`` positions: sizes as drawn, signs turned one by one until the net risk is the target's."""
    row = rng.choice(len(menu.price), size=count, p=menu.appeal / menu.appeal.sum())
    median = max(2.0, 6.0 * math.sqrt(DEMO_POSITIONS / max(count, DEMO_POSITIONS)))
    short = np.where(menu.days[row] > FRONT_DAYS, SHORT_SHARE_BACK, SHORT_SHARE_FRONT)
    lots = client_sizes(count, median, rng) * np.where(rng.random(count) < short, -1.0, 1.0)
    # Gamma and vega in units of their targets; delta counts less, only so that the futures are about as many as stated.
    target = TARGETS[symbol]
    hedged = -FUTURES[symbol] * menu.future.multiplier * menu.future_price
    unit = np.array([abs(target[0]), abs(target[1]), DELTA_UNIT * abs(target[0])])
    risk = np.stack([menu.gamma, menu.vega, menu.delta], axis=1)[row] / unit
    goal = np.array([math.copysign(1.0, target[0]), math.copysign(1.0, target[1]), hedged / unit[2]])
    off = lots @ risk - goal
    for _ in range(ROUNDS):
        for i in rng.permutation(count):
            turned = off - 2.0 * lots[i] * risk[i]
            if turned @ turned < off @ off:
                lots[i], off = -lots[i], turned
    return [(int(r), int(n)) for r, n in zip(row, lots, strict=True)]


def book_lines(source: MarketSource, count: int, seed: int, as_of: str, minutes: int) -> list[list[str]]:
    """Lines of a book file without its header."""
    snapshot = first_quotes(source, minutes)
    lines: list[list[str]] = []
    for at, symbol in enumerate(source.universe.symbols):
        rng = np.random.default_rng([seed, at])
        menu = menu_of(snapshot, symbol, off_grid=count > LISTED_ONLY, rng=rng)
        held = positions_of(menu, round(count * SHARE[symbol]) - 1, symbol, rng)
        account = rng.integers(1, 9, size=len(held))
        for (row, lots), client in zip(held, account, strict=True):
            name = menu.instruments[row].osi
            lines.append([f"CLIENT-{client:02d}", name, str(lots), f"{menu.price[row]:.2f}", as_of])
        delta = sum(lots * menu.delta[row] for row, lots in held)
        futures = -round(delta / (menu.future.multiplier * menu.future_price))
        if futures:
            lines.append(["HEDGE", menu.future.id, str(futures), f"{menu.future_price:.2f}", as_of])
        totals = [sum(lots * column[row] for row, lots in held) for column in (menu.gamma, menu.vega)]
        left = delta + futures * menu.future.multiplier * menu.future_price
        print(
            f"{symbol}: {len(held)} options, gamma {totals[0]:,.0f} USD per 1 %, vega {totals[1]:,.0f} USD per point, "
            f"{futures} futures, delta left {left:,.0f} USD"
        )
    return lines


def write_book(path: Path, lines: Sequence[Sequence[str]]) -> None:
    """Write header and lines."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["account", "instrument", "quantity", "average_price", "as_of"])
        writer.writerows(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--positions", type=int, help="positions of a demo book; with --out")
    parser.add_argument("--out", type=Path, help="file to write; without it the two examples are written")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    if (given.positions is None) != (given.out is None) or (given.positions or 10) < 10:
        parser.error("--positions (10 or more) and --out belong together")
    demo = DemoMarket(None, DemoConfig())
    count = given.positions or DEMO_POSITIONS
    lines = book_lines(demo, count, given.seed, "2018-01-26T16:00:00-05:00", 0)
    write_book(given.out or HERE / "demo_book.csv", lines)
    if given.out is None:
        market = EsOptionsMarket(default_data_dir(), None, EsOptionsConfig())
        write_book(HERE / "es_book.csv", book_lines(market, ES_POSITIONS, given.seed, "2020-01-03T16:00:00-05:00", 15))


if __name__ == "__main__":
    main()

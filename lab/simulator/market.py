"""A market small enough for thousands of runs: one or two futures, two expiries, three strikes, a short book, its limits.

*Tested by* tests/simulation/test_simulator_world.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from agents.config import AgentsConfig, TriggerConfig
from agents.sharding import all_keys
from common import factors
from common.limits import Limits
from common.messages import Header, QuoteBatch
from common.subjects import feed_source
from common.units import NS_PER_DAY, NS_PER_S, TRADING_DAYS_PER_YEAR
from common.universe import EUROPEAN, FUTURE, OPTION, Book, Underlying, Universe
from execution.limits import ExecutionLimits
from lab.simulator.world import START_NS
from lab.synthetic import theoretical
from manager.config import ManagerConfig

_DAYS = (9, 37)
_STRIKES = (-0.6, 0.0, 0.6)
_VOL = 0.2
_PRICE = (3000.0, 5000.0)
_BOOK_ID = "desk"
#: Market seconds between two batches of one underlying, and market seconds a wall second.
STEP_S = 8.0
SPEED = 10.0
#: Largest order of the manager, lots.
MAX_LOTS = 40


@cache
def universe_of(symbols: tuple[str, ...], expiries: int = len(_DAYS)) -> Universe:
    """Per underlying a future and six options of each expiry."""
    rows: list[tuple[str, int, int, int, float, int]] = []
    underlyings = []
    for k, symbol in enumerate(symbols):
        underlyings.append(Underlying(symbol, len(rows), 0.01, 0.02))
        rows.append((f"{symbol}-FUT", FUTURE, k, START_NS + 80 * NS_PER_DAY, 0.0, 0))
        for days in _DAYS[:expiries]:
            width = _VOL * np.sqrt(days / 365.0)
            for z in _STRIKES:
                strike = round(_PRICE[k] * np.exp(z * width) / 5.0) * 5.0
                for name, right in (("C", 1), ("P", -1)):
                    expiry_ns = START_NS + days * NS_PER_DAY
                    rows.append((f"{symbol}-{days}D-{strike:g}{name}", OPTION, k, expiry_ns, strike, right))
    ids, kind, underlying, expiry, strikes, rights = zip(*rows, strict=True)
    option = np.array(kind) == OPTION
    u, daily = len(symbols), _VOL**2 / TRADING_DAYS_PER_YEAR
    return Universe(
        instrument_id=ids,
        kind=np.array(kind, np.uint8),
        underlying=np.array(underlying, np.uint16),
        expiry_ns=np.array(expiry, np.int64),
        strike=np.array(strikes, np.float64),
        right=np.array(rights, np.int8),
        style=np.full(len(ids), EUROPEAN, np.uint8),
        multiplier_usd=np.where(option, 100.0, 50.0),
        tick_size=np.where(option, 0.05, 0.25),
        fee_cents=np.where(option, 65, 130).astype(np.int64),
        listed=np.ones(len(ids), np.uint8),
        underlyings=tuple(underlyings),
        covariance_daily=daily * (0.8 + 0.2 * np.eye(u)),
        covariance_source="stated",
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """What is given to every part of one run."""

    universe: Universe
    book: Book
    limits: Limits
    execution_limits: ExecutionLimits
    agents: AgentsConfig
    manager: ManagerConfig


def book_of(universe: Universe, rng: random.Random) -> Book:
    """Short some options of each underlying, with a delta nobody has hedged yet."""
    instrument, lots = [], []
    for k, symbol in enumerate(universe.symbols):
        rows = [int(i) for i in universe.rows_of(symbol) if universe.kind[i] == OPTION]
        for at in sorted(rng.sample(rows, 4)):
            instrument.append(at)
            lots.append(-rng.randint(8, 40))
        instrument.append(universe.underlyings[k].future_instrument)
        lots.append(rng.choice((-1, 1)) * rng.randint(4, 20))
    return Book(_BOOK_ID, ("clients",) * len(lots), np.array(instrument, np.uint32), np.array(lots, np.int64))


def limits_of(orders: int, notional_usd: float, max_lots: int) -> Limits:
    """The manager's limits. A narrow day of ``orders`` or ``notional_usd`` makes the flow budget bind."""
    wide = {"soft_usd": 2e9, "hard_usd": 4e9}
    return Limits.model_validate(
        {
            "version": 1,
            "who": "risk",
            "why": "simulated",
            "firm": "simulated desk",
            "base_currency": "USD",
            "risk_aversion_per_usd": 2e-5,
            "factor": {"delta:*": wide, "gamma:*": wide, "vega:*": wide, "factor:common": wide},
            "order": {"max_lots_future": max_lots, "max_lots_option": max_lots, "max_notional_usd": 1e9},
            "flow": {"cost_usd": 1e6, "notional_usd": notional_usd, "orders": orders},
        }
    )


def execution_limits_of(max_order_lots: int, max_position_lots: int) -> ExecutionLimits:
    """Execution's own limits; narrower than the manager's in some runs, so that it has something to refuse."""
    kind = {
        "max_order_lots": max_order_lots,
        "max_notional_usd": 1e9,
        "collar_ticks": 400,
        "collar_fraction": 0.25,
        "max_position_lots": max_position_lots,
    }
    return ExecutionLimits.model_validate(
        {
            "max_open_orders": 200,
            "max_orders_per_window": 1000,
            "max_messages_per_window": 2000,
            "max_same_orders": 100,
            "same_order_window_s": 1.0,
            "max_drawdown_usd": 1e9,
            "rate_window_s": 60.0,
            "max_source_age_s": 12.0,
            "max_order_age_s": 20.0,
            "future": kind,
            "option": kind,
        }
    )


AGENTS = AgentsConfig(
    shards={"gamma": 2, "vega": 1, "cross_asset": 0},
    trigger=TriggerConfig(price_move_bp=2.0, time_s=24.0),
    max_source_age_s=60.0,
    proposal_life_s=240.0,
)
MANAGER = ManagerConfig(
    max_source_age_s=40.0,
    feed_silent_s=2.5,
    proposal_age_s=240.0,
    rebase_age_s=120.0,
    order_life_s=8.0,
    refused_rest_s=10.0,
)


def owners(universe: Universe, book: Book, shard: int) -> dict[str, str]:
    """An assignment of every key: the gamma of each underlying and desk to one of two shards, vega to the only one."""
    out = {}
    for key in all_keys(universe, book, START_NS):
        kind, symbol = factors.without_desk(key).split("/")[:2]
        if kind == factors.GAMMA:
            place = universe.underlying_index(symbol) + book.desk_names.index(factors.desk_of(key))
            out[key] = f"gamma-{(place + shard) % 2}"
        elif kind == factors.VEGA:
            out[key] = "vega-0"
    return out


def path_of(universe: Universe, rng: random.Random, calm_after: int) -> Iterator[list[QuoteBatch]]:
    """Batches, one list a step, for ever. After ``calm_after`` steps the prices stand still."""
    sequence = [0] * len(universe.symbols)
    prices, level = [_PRICE[k] for k in range(len(sequence))], _VOL
    step = 0
    while True:
        now_ns = START_NS + round(step * STEP_S * NS_PER_S)
        if 0 < step <= calm_after:
            prices = [p * float(np.exp(rng.gauss(0.0, 0.0012))) for p in prices]
            level = max(0.1, level + rng.gauss(0.0, 0.0015))
        out = []
        for k, symbol in enumerate(universe.symbols):
            sequence[k] += 1
            out.append(_batch(universe, k, symbol, sequence[k], now_ns, prices[k], level))
        yield out
        step += 1


def _batch(
    universe: Universe, k: int, symbol: str, sequence: int, now_ns: int, future: float, level: float
) -> QuoteBatch:
    rows = universe.rows_of(symbol)
    mid = theoretical(universe, k, now_ns, future, level)[0]
    tick = universe.tick_size[rows]
    option = universe.kind[rows] == OPTION
    half = np.where(option, np.maximum(0.004 * mid, 0.5 * tick), 0.5 * tick)
    bid = np.maximum(np.floor((mid - half) / tick + 0.5), 1).astype(np.int32)
    ask = np.maximum(np.ceil((mid + half) / tick - 0.5), bid + 1).astype(np.int32)
    size = np.where(option, 60, 300).astype(np.int32)
    return QuoteBatch(Header(feed_source(symbol), sequence, now_ns), rows.astype(np.uint32), bid, ask, size, size)

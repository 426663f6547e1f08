"""What an agent knows about prices: volatilities of the quotes that arrived, smiles, Greeks of any contract.

The maths stands in ``common/kernels/surface.py``; here are the tables it works on and the rules of when. American
options (E-mini) are priced as Black-76. What early exercise adds is at most e^(rτ) - 1 of the European premium (0.4 %
for three months at 1.6 %), since the future is a martingale and the payoff convex; it is stated and not modelled.
*Tested by* tests/unit/test_agents_pricing.py against a QuantLib portfolio.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.kernels import chain as chains
from common.kernels import surface
from common.kernels.smile import FIT_SIZE
from common.messages import F64, I64
from common.snapshot import MarketSnapshot
from common.units import CENTS_PER_USD, NS_PER_DAY
from common.universe import OPTION, Universe

Rows = NDArray[np.int64]
_NEVER_NS = 2**63 - 1


def contracts_of(universe: Universe, slice_of: I64) -> surface.Contracts:
    """Static columns of a universe in the dtypes of the kernels; own copies, since a decoded universe is read-only."""
    strike = np.array(universe.strike, np.float64)
    option = universe.kind == OPTION
    return surface.Contracts(
        right=np.where(option, universe.right, 0).astype(np.float64),
        underlying=universe.underlying.astype(np.int64),
        slice=slice_of,
        expiry_ns=np.array(universe.expiry_ns, np.int64),
        strike=strike,
        log_strike=np.log(np.where(option, strike, 1.0)),
        multiplier_usd=np.array(universe.multiplier_usd, np.float64),
        tick_size=np.array(universe.tick_size, np.float64),
        fee_usd=universe.fee_cents.astype(np.float64) / CENTS_PER_USD,
    )


def chain_of(universe: Universe) -> tuple[surface.Chain, I64]:
    """Listed expiries by underlying with their options by strike, and the slice of each instrument (-1 without)."""
    n, u = len(universe), len(universe.underlyings)
    slice_of = np.full(n, -1, np.int64)
    rows = np.flatnonzero((universe.kind == OPTION) & (universe.listed != 0))
    order = np.lexsort(
        (-universe.right[rows], universe.strike[rows], universe.expiry_ns[rows], universe.underlying[rows])
    )
    member = rows[order].astype(np.int64)
    key = np.stack([universe.underlying[member].astype(np.int64), universe.expiry_ns[member]], axis=1)
    starts = np.flatnonzero(np.r_[True, np.any(key[1:] != key[:-1], axis=1)]) if len(member) else np.empty(0, np.int64)
    slice_of[member] = np.searchsorted(starts, np.arange(len(member)), side="right") - 1
    chain = surface.Chain(
        underlying=np.ascontiguousarray(key[starts, 0]),
        expiry_ns=np.ascontiguousarray(key[starts, 1]),
        first=np.r_[starts, len(member)].astype(np.int64),
        member=member,
        of_underlying=np.searchsorted(key[starts, 0], np.arange(u + 1)).astype(np.int64),
        future=np.array([x.future_instrument for x in universe.underlyings], np.int64),
        carry=np.array([x.carry_per_year for x in universe.underlyings], np.float64),
        rate=np.array([x.rate_per_year for x in universe.underlyings], np.float64),
    )
    return chain, slice_of


class Pricing:
    """Volatilities, smiles and base prices of one agent. Owner: its `AgentState`."""

    def __init__(self, universe: Universe, snapshot: MarketSnapshot) -> None:
        self.chain, slice_of = chain_of(universe)
        self.contracts = contracts_of(universe, slice_of)
        self.snapshot = snapshot
        self.quotes = surface.Quotes(
            snapshot.bid_ticks, snapshot.ask_ticks, snapshot.bid_size_lots, snapshot.ask_size_lots
        )
        n, u, s = len(universe), len(universe.underlyings), len(self.chain.expiry_ns)
        self.vols = surface.Vols(
            vol=np.full(n, np.nan),
            weight=np.zeros(n),
            fit=np.full((s, FIT_SIZE), np.nan),
            live=np.zeros(s, np.uint8),
            dirty=np.zeros(s, np.uint8),
            base_price=np.full(u, np.nan),
            base_half_spread=np.full(u, np.nan),
            base_expiry_ns=np.zeros(u, np.int64),
            base_time_ns=np.zeros(u, np.int64),
        )
        slices = np.diff(self.chain.of_underlying)
        self._underlyings = universe.underlyings
        self._next_roll_ns = min((at_ns for x in universe.underlyings for at_ns, _ in x.rolls), default=_NEVER_NS)
        self._room = np.empty(1 + chains.PER_EXPIRY * int(slices.max(initial=0)), np.int64)

    def absorb(self, underlying: int, rows: Rows, event_time_ns: int) -> None:
        """Take newly applied quotes of one underlying in; ``rows`` are theirs, the snapshot already holds them."""
        surface.absorb(underlying, rows, self.contracts, self.chain, self.quotes, self.vols, event_time_ns)

    def roll(self, now_ns: int) -> bool:
        """Let what is due at ``now_ns`` be the front: menus name it, and forwards follow from its next quotes. True if it was."""
        if now_ns < self._next_roll_ns:
            return False
        self.chain.future[:] = [x.front(now_ns) for x in self._underlyings]
        later = (at_ns for x in self._underlyings for at_ns, _ in x.rolls if at_ns > now_ns)
        self._next_roll_ns = min(later, default=_NEVER_NS)
        return True

    def leaving(self, held: Rows) -> Rows:
        """Of the rows held the futures that are no front: a roll takes them out, and somebody must say what that does."""
        c = self.contracts
        away: Rows = held[(c.right[held] == 0.0) & (self.chain.future[c.underlying[held]] != held)]
        return away

    def refit(self, underlying: int, now_ns: int) -> None:
        """Fit the smiles whose quotes changed."""
        surface.refit(underlying, self.contracts, self.chain, self.vols, now_ns)

    def greeks(self, rows: Rows, now_ns: int) -> F64:
        """Dollar Greeks of one lot, (len(rows), LOT_GREEKS); see `surface.lot_greeks`."""
        out = np.empty((len(rows), surface.LOT_GREEKS))
        surface.lot_greeks(rows, self.contracts, self.chain, self.vols, now_ns, out)
        return out

    def menu(self, underlying: int, now_ns: int, shortest_days: float, widest_spread: float) -> Rows:
        """Rows of the hedge menu of one underlying; see `chain.pick`."""
        shortest_ns = int(shortest_days * NS_PER_DAY)
        count = chains.pick(
            underlying,
            self.contracts,
            self.chain,
            self.quotes,
            self.vols,
            now_ns,
            shortest_ns,
            widest_spread,
            self._room,
        )
        return self._room[:count].copy()

    def costs_usd(self, rows: Rows) -> F64:
        """USD of trading one lot of each row now: half spread and fee; NaN where the quote is unusable."""
        out = np.empty(len(rows))
        chains.lot_costs(rows, self.contracts, self.quotes, out)
        return out

    def atm_vol(self, underlying: int, tenor_days: float, now_ns: int) -> float:
        """At-the-money volatility per √year of a tenor; NaN where no smile stands."""
        return float(surface.atm_vol(underlying, int(tenor_days * NS_PER_DAY), self.chain, self.vols, now_ns))

    def base_price(self, underlying: int) -> float:
        """Mid of the future (or its parity substitute) in points; NaN before the first."""
        return float(self.vols.base_price[underlying])


@dataclass(frozen=True, slots=True)
class Picture:
    """What the kernels say at one instant, for the underlyings of one agent: the input of every ``decide``.

    h held and m menu instruments; Greeks (h or m, LOT_GREEKS) per lot; ``base_usd`` and ``atm_vol`` (u,) over the whole
    universe, NaN where the agent does not look.
    """

    now_ns: int
    held: Rows
    lots: F64
    held_underlying: I64
    held_expiry_ns: I64
    held_greeks: F64
    menu: Rows
    menu_underlying: I64
    menu_expiry_ns: I64
    menu_is_future: NDArray[np.bool_]
    menu_greeks: F64
    menu_cost_usd: F64
    base_price: F64
    atm_vol: F64
    future: I64
    future_delta_usd: F64
    future_cost_rate: F64


def take_picture(
    pricing: Pricing,
    held: Rows,
    lots: F64,
    underlyings: tuple[int, ...],
    menu: Rows,
    now_ns: int,
    reference_tenor_days: float,
) -> Picture:
    """Greeks of book and menu in one kernel call, at ``now_ns``; smiles are refitted first where quotes changed.

    A menu contract without a Greek is left out. A future's cost rate is (half spread × multiplier + fee)/(multiplier ×
    price) of its last usable quote; NaN for an underlying without a future.
    """
    c = pricing.contracts
    count = len(pricing.chain.future)
    atm = np.full(count, np.nan)
    for u in underlyings:
        atm[u] = pricing.atm_vol(u, reference_tenor_days, now_ns)
    rows = np.concatenate([held, menu])
    greeks = pricing.greeks(rows, now_ns)
    h = len(held)
    costs = pricing.costs_usd(menu)
    if not (np.isfinite(greeks[h:]).all() and np.isfinite(costs).all()):
        priced = np.isfinite(greeks[h:]).all(axis=1) & np.isfinite(costs)
        menu, costs, greeks = menu[priced], costs[priced], np.concatenate([greeks[:h], greeks[h:][priced]])
    future = pricing.chain.future
    size = np.where(future >= 0, c.multiplier_usd[future], np.nan)
    cost = pricing.vols.base_half_spread * size + c.fee_usd[future]
    size = size * pricing.vols.base_price
    return Picture(
        now_ns=now_ns,
        held=held,
        lots=lots,
        held_underlying=c.underlying[held],
        held_expiry_ns=c.expiry_ns[held],
        held_greeks=greeks[:h],
        menu=menu,
        menu_underlying=c.underlying[menu],
        menu_expiry_ns=c.expiry_ns[menu],
        menu_is_future=(c.right[menu] == 0.0) & (future[c.underlying[menu]] == menu),
        menu_greeks=greeks[h:],
        menu_cost_usd=costs,
        base_price=pricing.vols.base_price.copy(),
        atm_vol=atm,
        future=future,
        future_delta_usd=size,
        future_cost_rate=cost / size,
    )

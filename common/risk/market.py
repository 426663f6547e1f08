"""A market at one instant, as the valuation of any contract needs it: prices, forwards, discount, volatilities.

| contract | priced as | base |
|---|---|---|
| future | itself | its own mid, else the forward of its expiry |
| European option | Black-76 | the forward of its expiry |
| American option on a future | American on a future | the forward of its expiry |
| American option on a spot | American | the spot; the yield is what takes it to the forward |
| coin-settled option, future | inverse | the forward of its expiry; its own mid |

European options are taken on their forwards because the forwards are what a chain shows; an index itself cannot be
traded. Their theta holds the forward, their USD delta and gamma are the same as on the spot. Years are ACT/365.
What lacks a number is a row of NaN with a reason in words: never a zero.
*Tested by* tests/unit/test_risk_market.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from common.instruments import NEVER_NS, Instrument
from common.kernels import layout
from common.messages import F64, I64
from common.risk.columns import Columns
from common.risk.holdings import Rows
from common.universe import AMERICAN, FUTURE


class VolSurface(Protocol):
    """What is read of the surface of one underlying (common/surfaces/surface.py). NaN where it says nothing."""

    def tau(self, expiry_ns: ArrayLike) -> F64:
        """Years to an expiry that volatility is quoted in."""
        ...

    def forward(self, expiry_ns: ArrayLike) -> F64:
        """Forward of an expiry in points."""
        ...

    def discount(self, expiry_ns: ArrayLike) -> F64:
        """USD now for one USD at the expiry."""
        ...

    def vol(self, expiry_ns: ArrayLike, strike: ArrayLike) -> F64:
        """Volatility per √year, broadcast over expiries and strikes in points."""
        ...


def model_of(instrument: Instrument) -> int:
    """The model a contract is valued with here (the table above)."""
    if instrument.kind == FUTURE:
        return layout.INVERSE_FUTURE if instrument.inverse else layout.FUTURE
    if instrument.inverse:
        return layout.INVERSE
    if instrument.style == AMERICAN:
        return layout.AMERICAN_FUTURE if instrument.on_future else layout.AMERICAN
    return layout.BLACK76


@dataclass(frozen=True)
class MarketView:
    """One instant. ``surfaces`` and ``spot`` by underlying, ``mid`` in points by instrument id; what is absent is unknown.

    ``usd_per_currency``: USD for one unit of the currencies that prices are quoted in, where it is not USD or the coin.
    """

    now_ns: int
    surfaces: Mapping[str, VolSurface]
    mid: Mapping[str, float]
    spot: Mapping[str, float]
    statements: tuple[str, ...] = ()
    usd_per_currency: Mapping[str, float] | None = None

    def columns(self, contracts: Sequence[Instrument]) -> tuple[Columns, dict[int, str]]:
        """Columns (n,) of the contracts, and by row why a contract cannot be valued; its row holds NaN."""
        cells = _Cells(contracts)
        for (underlying, expiry_ns), rows in _by_expiry(contracts).items():
            surface = self.surfaces.get(underlying)
            if expiry_ns <= self.now_ns:
                cells.refuse(rows, "expired")
                continue
            futures = [r for r in rows if contracts[r].kind == FUTURE]
            options = [r for r in rows if contracts[r].kind != FUTURE]
            self._futures(cells, futures, surface, expiry_ns)
            if surface is None:
                cells.refuse(options, f"no volatility surface of {underlying}")
            elif options:
                self._options(cells, options, surface, expiry_ns, underlying)
        return cells.columns(), cells.reasons

    def _futures(self, cells: _Cells, rows: list[int], surface: VolSurface | None, expiry_ns: int) -> None:
        for row in rows:
            price = self.mid.get(cells.contracts[row].id, np.nan)
            if not price > 0.0 and surface is not None and expiry_ns != NEVER_NS:
                price = float(surface.forward(expiry_ns))
            cells.base[row] = price
            if not price > 0.0:
                cells.refuse([row], "neither a quote nor a forward")

    def _options(self, cells: _Cells, rows: list[int], surface: VolSurface, expiry_ns: int, underlying: str) -> None:
        at = np.array(rows, np.intp)
        forward, discount = float(surface.forward(expiry_ns)), float(surface.discount(expiry_ns))
        tau = float(surface.tau(expiry_ns))
        if not (forward > 0.0 and discount > 0.0 and tau > 0.0):
            cells.refuse(rows, "no forward for its expiry")
            return
        rate = -float(np.log(discount)) / tau
        cells.base[at], cells.tau[at], cells.rate[at], cells.yields[at] = forward, tau, rate, rate
        cells.vol[at] = surface.vol(expiry_ns, cells.strike[at])
        on_spot = at[cells.model[at] == layout.AMERICAN]
        spot = self.spot.get(underlying, np.nan)
        cells.base[on_spot], cells.yields[on_spot] = spot, rate - np.log(forward / spot) / tau
        cells.refuse(at[~(cells.vol[at] > 0.0)].tolist(), "no volatility at its strike and expiry")
        if not spot > 0.0:
            cells.refuse(on_spot.tolist(), "American on a spot whose price is not known")

    def usd_per_point(self, contract: Instrument) -> tuple[float, str]:
        """USD per point and lot (coins of an inverse option, USD notional of an inverse future), and why it is not known."""
        if contract.currency == "USD" or contract.inverse:
            return contract.multiplier, ""
        rate = (self.usd_per_currency or {}).get(contract.currency)
        if rate is None:
            return np.nan, f"no exchange rate of {contract.currency}"
        return contract.multiplier * rate, ""


class _Cells:
    """Columns under construction: NaN until known."""

    def __init__(self, contracts: Sequence[Instrument]) -> None:
        n = len(contracts)
        self.contracts = contracts
        self.reasons: dict[int, str] = {}
        self.model = np.array([model_of(i) for i in contracts], np.uint8)
        self.strike = np.array([i.strike for i in contracts], np.float64)
        self.right = np.array([i.right for i in contracts], np.float64)
        self.base, self.tau, self.vol, self.rate, self.yields = (np.full(n, np.nan) for _ in range(5))

    def refuse(self, rows: Sequence[int], reason: str) -> None:
        """Make rows NaN, saying why; the first reason stands."""
        for row in rows:
            self.base[row] = np.nan
            self.reasons.setdefault(int(row), reason)

    def columns(self) -> Columns:
        """The columns as they stand."""
        return Columns(self.model, self.base, self.strike, self.tau, self.vol, self.rate, self.yields, self.right)


def _by_expiry(contracts: Sequence[Instrument]) -> dict[tuple[str, int], list[int]]:
    out: dict[tuple[str, int], list[int]] = {}
    for row, contract in enumerate(contracts):
        out.setdefault((contract.underlying, contract.expiry_ns), []).append(row)
    return out


class SurfaceSmile:
    """The smile of a book's contracts, read again after a move: `holdings.Smile` over the surfaces of a market."""

    def __init__(self, surfaces: Mapping[str, VolSurface], contracts: Sequence[Instrument]) -> None:
        self._surfaces = surfaces
        self._group: I64 = np.zeros(len(contracts), np.int64)
        self._strike: F64 = np.array([i.strike for i in contracts], np.float64)
        self._of: list[tuple[str, int]] = []
        for at, (key, rows) in enumerate(_by_expiry(contracts).items()):
            self._of.append(key)
            self._group[rows] = at

    def vol(self, rows: Rows, log_shift: F64) -> F64:
        """Volatility (n,) per √year of the given rows, at strike × exp(-log_shift); NaN without a surface."""
        out = np.full(len(rows), np.nan)
        strike = self._strike[rows] * np.exp(-log_shift)
        group = self._group[rows]
        for at in np.unique(group):
            underlying, expiry_ns = self._of[int(at)]
            surface = self._surfaces.get(underlying)
            if surface is not None:
                mine = np.flatnonzero(group == at)
                out[mine] = surface.vol(expiry_ns, strike[mine])
        return out

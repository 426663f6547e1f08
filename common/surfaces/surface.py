"""A fitted volatility surface: slices, forwards, discount factors; volatility at any expiry and strike.

Between expiries prices are mixed at equal ln(K/F); before the first expiry total variance shrinks with time
(volatility stays as it is at equal ln(K/F)); after the last total variance grows everywhere by the at-the-money
variance of the last slice per year (common/kernels/svi.py has the reasons). ln F and ln D are linear in time between
expiries, from spot rates of the first expiry before it, and go on with the last slope. A listed expiry is read from
its own slice.
*Tested by* tests/unit/test_surfaces_surface.py, tests/properties/test_surfaces_arbitrage.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from common.kernels.svi import M, S, vols_at
from common.messages import F64, I64
from common.units import NS_PER_YEAR

FORMAT: Final = 1
_COLUMNS: Final = ("expiry_ns", "tau_years", "slices", "essvi", "forwards", "discounts", "k_low", "k_high")


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Slices (s,) by expiry. slices (s, 5): a, left slope, right slope, m, s of common/kernels/svi.py; essvi (s, 3):
    the fit they refine (common/kernels/ssvi.py). tau_years (s,): years at ``as_of_ns`` that volatility is quoted in.
    forwards in points. k_low, k_high (s,): quoted range of ln(K/F)."""

    underlying: str
    as_of_ns: int
    expiry_ns: I64
    tau_years: F64
    slices: F64
    essvi: F64
    forwards: F64
    discounts: F64
    k_low: F64
    k_high: F64

    def __len__(self) -> int:
        return len(self.expiry_ns)

    def tau(self, expiry_ns: ArrayLike) -> F64:
        """Years from ``as_of_ns`` to an expiry: those of the slices, linear in calendar time between them."""
        at = np.asarray(expiry_ns, np.int64)
        nodes = np.concatenate(([self.as_of_ns], self.expiry_ns))
        years = np.concatenate(([0.0], self.tau_years))
        later = np.maximum(at - self.expiry_ns[-1], 0) / NS_PER_YEAR
        # Offsets keep the nanoseconds that a float of the instant would lose.
        inside = np.interp((at - self.as_of_ns).astype(np.float64), (nodes - self.as_of_ns).astype(np.float64), years)
        return np.asarray(np.where(at > self.as_of_ns, inside + later, np.nan))

    def forward(self, expiry_ns: ArrayLike) -> F64:
        """Forward in points for settlement at ``expiry_ns``."""
        return np.asarray(np.exp(self._linear(expiry_ns, np.log(self.forwards))))

    def discount(self, expiry_ns: ArrayLike) -> F64:
        """Discount factor from ``expiry_ns`` to ``as_of_ns``."""
        at = np.asarray(expiry_ns, np.int64)
        years = (at - self.as_of_ns) / NS_PER_YEAR
        first, last = (self.expiry_ns[[0, -1]] - self.as_of_ns) / NS_PER_YEAR
        inside = self._linear(at, np.log(self.discounts))
        early = np.log(self.discounts[0]) * years / first
        late = np.log(self.discounts[-1]) * years / last
        return np.asarray(np.exp(np.where(years < first, early, np.where(years > last, late, inside))))

    def vol(self, expiry_ns: ArrayLike, strike: ArrayLike, forward: ArrayLike | None = None) -> F64:
        """Volatility per √year, broadcast; NaN for a strike <= 0 or an expiry not after ``as_of_ns``.

        forward: of the moment, where it has moved since the fit (sticky moneyness); none: that of the fit.
        """
        at = np.asarray(expiry_ns, np.int64)
        fwd = self.forward(at) if forward is None else np.asarray(forward, np.float64)
        tau, k, f = np.broadcast_arrays(self.tau(at), np.asarray(strike, np.float64), fwd)
        out = np.empty(tau.size)
        years, level, base = (np.ascontiguousarray(x, np.float64).ravel() for x in (tau, k, f))
        vols_at(years, level, base, self.tau_years, self.slices, out)
        return out.reshape(tau.shape)

    def raw_svi(self) -> F64:
        """Gatheral's a, b, ρ, m, σ (s, 5)."""
        left, right = self.slices[:, 1], self.slices[:, 2]
        b = 0.5 * (left + right)
        return np.stack(
            (self.slices[:, 0], b, (right - left) / (2.0 * b), self.slices[:, M], self.slices[:, S]), axis=1
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; numbers come back exactly."""
        head = {"format": FORMAT, "underlying": self.underlying, "as_of_ns": self.as_of_ns}
        return {**head, **{name: getattr(self, name).tolist() for name in _COLUMNS}}

    @staticmethod
    def from_dict(told: Mapping[str, Any]) -> Surface:
        """Inverse of `to_dict`. Raises ``ValueError`` that says what is missing or of the wrong shape."""
        missing = [n for n in ("format", "underlying", "as_of_ns", *_COLUMNS) if n not in told]
        if missing or told["format"] != FORMAT:
            raise ValueError(
                f"not a surface of format {FORMAT}: missing {', '.join(missing) or 'nothing, other format'}"
            )
        columns: dict[str, Any] = {n: np.array(told[n], np.int64 if n == "expiry_ns" else np.float64) for n in _COLUMNS}
        s = len(columns["expiry_ns"])
        shapes = {"slices": (s, 5), "essvi": (s, 3)}
        wrong = [n for n, c in columns.items() if c.shape != shapes.get(n, (s,)) or not np.isfinite(c).all()]
        if wrong or s == 0 or (np.diff(columns["expiry_ns"]) <= 0).any() or (np.diff(columns["tau_years"]) <= 0).any():
            raise ValueError(
                f"not a surface: {', '.join(wrong) or 'expiries'} are not of the right shape, finite and ascending"
            )
        return Surface(str(told["underlying"]), int(told["as_of_ns"]), **columns)

    def _linear(self, expiry_ns: ArrayLike, values: F64) -> F64:
        """Linear in calendar time; beyond the ends with the slope of all slices, flat with one."""
        x = (np.asarray(expiry_ns, np.int64) - self.as_of_ns).astype(np.float64)
        t = (self.expiry_ns - self.as_of_ns).astype(np.float64)
        slope = (values[-1] - values[0]) / (t[-1] - t[0]) if len(t) > 1 else 0.0
        beyond = np.minimum(x - t[0], 0.0) + np.maximum(x - t[-1], 0.0)
        return np.asarray(np.interp(x, t, values) + slope * beyond)

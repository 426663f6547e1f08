"""eSSVI slices in coordinates where freedom from arbitrage is a set of linear inequalities.

A slice has at-the-money total variance θ, correlation ρ and ψ = θφ:  w(k) = ½ (θ + ρψk + √((ψk + θρ)² + θ²(1 - ρ²))).
With  q = ln(θ/ψ) = -ln φ,  l = ln ψ(1 - ρ),  r = ln ψ(1 + ρ)  the known conditions are linear:

    no butterflies    l, r <= ln 4  and  l, r <= q + ln 4      θφ(1 + |ρ|) <= 4 and θφ²(1 + |ρ|) <= 4, sufficient
    no calendars      q, l, r do not fall from expiry to expiry     ψ₁(1 ± ρ₁) <= ψ₂(1 ± ρ₂) and φ₂ <= φ₁, sufficient

Sources: Gatheral and Jacquier (2014), theorem 4.2; Hendriks and Martini (2019), proposition 3.5, as used by Corbetta
et al. (2019) and Mingone (2022). θ then grows by itself, being e^q ψ with both factors growing. `make_feasible` walks
from the first to the last expiry and clips each number into the interval the one before leaves; that interval is
never empty, so every surface it writes is free of arbitrage by construction.
*Tested by* tests/unit/test_surfaces_ssvi.py, tests/properties/test_surfaces_arbitrage.py.
"""

from __future__ import annotations

import math
from typing import Final

from common.kernels.jit import F64, strict_kernel

#: Columns of a slice.
Q: Final = 0
L: Final = 1
R: Final = 2
COORDINATES: Final = 3
LN_4: Final = 1.3862943611198906


@strict_kernel
def make_feasible(x: F64, margin: float) -> None:
    """Clip eSSVI coordinates (s, COORDINATES), expiries ascending, into the arbitrage-free cone, ``margin`` >= 0
    inside."""
    for i in range(len(x)):
        if i > 0:
            for c in range(3):
                x[i, c] = max(x[i, c], x[i - 1, c] + margin)
        bound = min(LN_4, x[i, 0] + LN_4) - margin
        for c in range(1, 3):
            x[i, c] = min(x[i, c], bound)


@strict_kernel
def to_svi(x: F64, out: F64) -> None:
    """eSSVI coordinates (s, COORDINATES) as slices (s, 5) of svi.py."""
    for i in range(len(x)):
        left, right = 0.5 * math.exp(x[i, 1]), 0.5 * math.exp(x[i, 2])
        psi = left + right
        theta = psi * math.exp(x[i, 0])
        rho = (right - left) / psi
        rest = 4.0 * left * right / (psi * psi)  # 1 - ρ²
        width = math.exp(x[i, 0])
        out[i, 0] = 0.5 * theta * rest
        out[i, 1] = left
        out[i, 2] = right
        out[i, 3] = -rho * width
        out[i, 4] = math.sqrt(rest) * width

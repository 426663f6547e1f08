"""Numbers that kernels and their callers share: the models of a price and the rows of a Greek array.

*Tested by* tests/unit/test_risk_columns.py.
"""

from __future__ import annotations

from typing import Final

#: Models; the number stands in ``Columns.model``.
SPOT: Final = 0  # the underlying itself
FUTURE: Final = 1  # a future on it, priced by its own quote
EUROPEAN: Final = 2  # Black-Scholes-Merton on a spot with a continuous yield
BLACK76: Final = 3  # European on a future or forward
AMERICAN: Final = 4  # American on a spot with a continuous yield
AMERICAN_FUTURE: Final = 5  # American on a future, premium paid at the trade: the yield is the rate
INVERSE: Final = 6  # European on a forward, quoted and settled in the coin (1 coin = ``base`` USD)
INVERSE_FUTURE: Final = 7  # future on the coin, settled in the coin
MODELS: Final = 8

#: Rows of every Greek array. By ``base``, per unit of the contract, per year and per 1.00 of volatility or rate.
PRICE: Final = 0
DELTA: Final = 1  # dV/dS
GAMMA: Final = 2  # d²V/dS²
VEGA: Final = 3  # dV/dσ
THETA: Final = 4  # dV/dt, base and volatility held: negative for long options
RHO: Final = 5  # dV/dr, base and yield held (on a future: base held)
VANNA: Final = 6  # d²V/dS dσ
VOLGA: Final = 7  # d²V/dσ²
CHARM: Final = 8  # d(delta)/dt, base and volatility held
GREEKS: Final = 9
GREEK_NAMES: Final = ("price", "delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm")

"""A spot tick over the book of one underlying: price, delta, gamma, vega and the sums of them, in a fixed order.

*Layout.* Positions stand in blocks of `LANES`, field by field, so that a block is a run of vector operations in the
first-level cache whose result depends on nothing but the block's content. A block is `GROUPS` groups of `DEPTH`
positions; position ``r`` of group ``g`` is lane ``r * GROUPS + g``, so that the sums of all groups are vertical adds. A
group belongs to one cell (expiry bucket); a cell is a run of groups.
*Order of reduction.* Within a group a binary tree over its `DEPTH` positions, within a cell its groups from first to
last, over underlyings a binary tree: stated, and compiled without any freedom of rounding (`exact_kernel`), so that
totals have the same bits however a state was reached.
*Formula.* With forward value A = U g, strike value B = K e^(-rτ), x = ln U: d1 = (x - k)/s + s/2, d2 = d1 - s,
V = φ (A N(φ d1) - B N(φ d2)). Since A n(d1) = B n(d2), one exponential serves both normals. g, k, s, ... are prepared
(`book_prepare.py`): Black-Scholes-Merton, Black-76 and, in USD, coin-settled options differ only in them; futures and
spot are options that cannot expire worthless. Source: Black (1976), eq. 16; Merton (1973), eq. 38.
*Tested by* tests/unit/test_book_risk_kernels.py, tests/properties/test_book_risk_events.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.elementary import mills, normal_pdf
from common.kernels.jit import F64, I64, exact_inline, exact_kernel, inline, kernel

#: Positions in a block, groups in a block, positions in a group.
LANES: Final = 256
GROUPS: Final = 16
DEPTH: Final = 16

#: Prepared fields of a position.
LOG_STRIKE: Final = 0  # k: ln K - shift, where ln(A/B) = ln U - k
INVERSE_S: Final = 1  # 1/s
S: Final = 2  # s = σ√τ
GROWTH: Final = 3  # g: A/U; 0 in a lane that is empty or cannot be priced
STRIKE_VALUE: Final = 4  # B
RIGHT: Final = 5  # φ: +1 call, -1 put
ROOT_TAU: Final = 6  # √τ, 0 for spot and futures
GAMMA_WEIGHT: Final = 7  # 1/s, 0 where there is no gamma
PREPARED: Final = 8

#: Greeks that a tick brings up to date; the rest of the rows of ``layout`` follow when asked for.
TICK_GREEKS: Final = 4

#: Beyond this many standard deviations the normal tail is zero to double precision.
_D_MAX: Final = 37.5
_PER_CENT: Final = 0.01


@inline
def halves(
    x: float, price: float, k: float, per_s: float, s: float, growth: float, cash_value: float, right: float
) -> tuple[float, float, float, float, float]:
    """d1, d2, A n(d1), A N(φ d1), B N(φ d2) of one position; x = ln price."""
    middle = (x - k) * per_s
    d1 = min(max(middle + 0.5 * s, -_D_MAX), _D_MAX)
    d2 = min(max(middle - 0.5 * s, -_D_MAX), _D_MAX)
    forward_value = price * growth
    density = forward_value * normal_pdf(d1)
    tail1 = density * mills(abs(d1))
    tail2 = density * mills(abs(d2))
    asset = tail1 if right * d1 < 0.0 else forward_value - tail1
    cash = tail2 if right * d2 < 0.0 else cash_value - tail2
    return d1, d2, density, asset, cash


@inline
def _price_block(p: F64, greeks: F64, x: float, price: float) -> None:
    # p (PREPARED, LANES), greeks (TICK_GREEKS, LANES), both finite. Greeks by the underlying's price, per unit.
    per_price = 1.0 / price
    for i in range(256):
        right = p[5, i]
        _, _, density, asset, cash = halves(x, price, p[0, i], p[1, i], p[2, i], p[3, i], p[4, i], right)
        greeks[0, i] = max(right * (asset - cash), 0.0)
        greeks[1, i] = right * asset * per_price
        greeks[2, i] = density * p[7, i] * per_price * per_price
        greeks[3, i] = density * p[6, i]


@exact_inline
def fold_block(values: F64, weight: F64, scratch: F64, sums: F64) -> None:
    """Weighted sums (GROUPS,) of a block: the tree over the DEPTH positions of each group."""
    for i in range(128):
        scratch[i] = weight[i] * values[i] + weight[i + 128] * values[i + 128]
    for i in range(64):
        scratch[i] += scratch[i + 64]
    for i in range(32):
        scratch[i] += scratch[i + 32]
    for i in range(16):
        sums[i] = scratch[i] + scratch[i + 16]


@exact_kernel
def fold(blocks: I64, greeks: F64, weight: F64, sums: F64) -> None:
    """Group sums of the given blocks from Greeks that stand: greeks (b, r, LANES), sums (b, r, GROUPS)."""
    scratch = np.empty(128)
    for j in range(len(blocks)):
        b = blocks[j]
        for g in range(greeks.shape[1]):
            fold_block(greeks[b, g], weight[b], scratch, sums[b, g])


@exact_kernel
def add_groups(sums: F64, hole: F64, first: I64, totals: F64) -> None:
    """Cell sums ``totals`` (c, r): groups ``first[c]`` ... ``first[c+1] - 1`` of sums (b, r, GROUPS), in order.

    ``hole`` (b, GROUPS) is 0, or NaN where a group holds a position that cannot be priced: its cell becomes NaN.
    """
    for c in range(len(first) - 1):
        for g in range(totals.shape[1]):
            total = 0.0
            for q in range(first[c], first[c + 1]):
                total += sums[q >> 4, g, q & 15] + hole[q >> 4, q & 15]
            totals[c, g] = total


@exact_kernel
def settle(price: float, sums: F64, hole: F64, first: I64, general: F64, tree: F64, leaf: int) -> None:
    """USD totals of one underlying into row ``leaf`` of ``tree`` (2p, cells, GREEKS), and up to the firm's at row 1.

    sums (b, TICK_GREEKS, GROUPS) by the underlying's price; ``general`` (cells, GREEKS) is added, USD, what other models
    bring. Value in USD, delta USD, gamma USD of delta per 1 %, vega USD per volatility point.
    """
    scales = (1.0, price, _PER_CENT * price * price, _PER_CENT)
    for c in range(len(first) - 1):
        for g in range(4):
            total = 0.0
            for q in range(first[c], first[c + 1]):
                total += sums[q >> 4, g, q & 15] + hole[q >> 4, q & 15]
            tree[leaf, c, g] = scales[g] * total + general[c, g]
    climb(tree, leaf, 0, 4)


@exact_kernel
def climb(tree: F64, leaf: int, first_row: int, last_row: int) -> None:
    """Bring the ancestors of ``leaf`` in the binary tree (2p, cells, rows) up to date: node i is 2i plus 2i + 1."""
    node = leaf >> 1
    while node > 0:
        for c in range(tree.shape[1]):
            for g in range(first_row, last_row):
                tree[node, c, g] = tree[2 * node, c, g] + tree[2 * node + 1, c, g]
        node >>= 1


@kernel
def tick(
    blocks: I64,
    price: float,
    prepared: F64,
    weight: F64,
    greeks: F64,
    sums: F64,
    hole: F64,
    first: I64,
    general: F64,
    tree: F64,
    leaf: int,
) -> None:
    """Value the given blocks of one underlying at ``price``, finite and above 0, and `settle` its totals.

    Greeks (b, TICK_GREEKS, LANES) by the underlying's price and per unit, group sums (b, TICK_GREEKS, GROUPS). This is the
    only function that prices prepared blocks, a spot tick or not: one machine code, hence one result for one content.
    """
    scratch = np.empty(128)
    log_price = math.log(price)
    for j in range(len(blocks)):
        b = blocks[j]
        _price_block(prepared[b], greeks[b], log_price, price)
        for g in range(4):
            fold_block(greeks[b, g], weight[b], scratch, sums[b, g])
    settle(price, sums, hole, first, general, tree, leaf)

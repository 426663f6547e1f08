"""Branch-free exp, log and the normal tail, so that LLVM turns a loop of them into vector code.

numba's wheels have no vector library for ``math.exp``; written as plain arithmetic the same loop runs several times
faster. Argument ranges are the caller's duty: these functions never test for NaN or infinity (`kernel` is compiled
without them).
*Tested by* tests/unit/test_kernels_elementary.py against scipy over the whole range.
"""

from __future__ import annotations

import numpy as np

from common.kernels.jit import inline

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
# Adding 1.5 * 2^52 leaves round(x) in the low bits; "reassoc" must stay off for this (see jit.py).
_ROUND = 6755399441055744.0
_SQRT2 = 1.4142135623730951
_INV_SQRT_2PI = 0.3989422804014327


@inline
def exp(x: float) -> float:
    """e**x for -708 <= x <= 709, relative error below 3e-16. Cody-Waite reduction, Taylor to the 13th power."""
    shifted = x * _LOG2_E + _ROUND
    k = shifted - _ROUND
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = 1.6059043836821613e-10
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 0.0001984126984126984
    p = p * r + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    bits = np.float64(shifted).view(np.int64)
    scale = np.int64((bits + 1023) << 52).view(np.float64)
    return p * scale


@inline
def log(x: float) -> float:
    """Natural logarithm of a normal positive number, error below 5e-16 relative. Odd series in (m - 1)/(m + 1)."""
    bits = np.float64(x).view(np.int64)
    # Split at 1/sqrt(2) so that the mantissa lies in [0.707, 1.414).
    biased = bits - 0x3FE6A09E667F3BCD
    exponent = biased >> 52
    m = np.int64(bits - (exponent << 52)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    s2 = s * s
    p = 0.09523809523809523
    p = p * s2 + 0.10526315789473684
    p = p * s2 + 0.11764705882352941
    p = p * s2 + 0.13333333333333333
    p = p * s2 + 0.15384615384615385
    p = p * s2 + 0.18181818181818182
    p = p * s2 + 0.2222222222222222
    p = p * s2 + 0.2857142857142857
    p = p * s2 + 0.4
    p = p * s2 + 0.6666666666666666
    p = p * s2 + 2.0
    # int -> float by the same rounding constant, which vectorises where the conversion does not.
    e = np.int64(exponent + 0x4338000000000000).view(np.float64) - _ROUND
    return e * _LN2_HIGH + (s * p + e * _LN2_LOW)


@inline
def mills(x: float) -> float:
    """Mills ratio N(-x)/n(x) for x >= 0, relative error below 2e-15.

    (1 + x) N(-x)/n(x) is smooth in t = (x - 5)/(x + 5); a polynomial of degree 22, after Shepherd and Laframboise
    (1981).
    """
    t = (x - 5.0) / (x + 5.0)
    p = -5.831584221042186e-10
    p = p * t + 5.542386413881195e-09
    p = p * t + 8.457879984556732e-09
    p = p * t + -6.389123228262446e-08
    p = p * t + -6.450494800606112e-08
    p = p * t + 4.725369572432944e-07
    p = p * t + 3.188563042860199e-07
    p = p * t + -3.2599416032856938e-06
    p = p * t + -1.75073303234384e-07
    p = p * t + 2.2699546181972348e-05
    p = p * t + -2.480643442936208e-05
    p = p * t + -0.00013437045746298728
    p = p * t + 0.00045704410303469735
    p = p * t + 1.9529709823806106e-05
    p = p * t + -0.004201290362835291
    p = p * t + 0.01634823141827976
    p = p * t + -0.03802659218212536
    p = p * t + 0.06150504582897811
    p = p * t + -0.06617760077930407
    p = p * t + 0.02507217930205939
    p = p * t + 0.0777815988687405
    p = p * t + -0.22948753825211773
    p = p * t + 1.1568486282918946
    return p / (1.0 + x)


@inline
def normal_pdf(x: float) -> float:
    """Standard normal density; 0 beyond 37.6 standard deviations."""
    return _INV_SQRT_2PI * exp(max(-0.5 * x * x, -707.0))

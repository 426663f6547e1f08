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
_INV_SQRT_2PI = 0.3989422804014327


@inline
def exp(x: float) -> float:
    """e**x for -708 <= x <= 709, relative error below 3e-16. Cody-Waite reduction, then 1 + r + r² g(r), g of degree 9."""
    shifted = x * _LOG2_E + _ROUND
    k = shifted - _ROUND
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = 2.5100385495510319e-08
    p = p * r + 2.7620088445409748e-07
    p = p * r + 2.7557268459997065e-06
    p = p * r + 2.4801521295954375e-05
    p = p * r + 0.00019841269863053617
    p = p * r + 0.0013888888917213717
    p = p * r + 0.008333333333330062
    p = p * r + 0.04166666666662413
    p = p * r + 0.16666666666666667
    p = p * r + 0.5000000000000001
    p = p * r + 1.0
    p = p * r + 1.0
    bits = np.float64(shifted).view(np.int64)
    scale = np.int64((bits + 1023) << 52).view(np.float64)
    return p * scale


@inline
def _log_of(s: float, exponent: np.int64) -> float:
    # ln(2^exponent m) with s = (m - 1)/(m + 1), |s| <= 0.2: s (2 + s² g(s²)), g of degree 7 by Chebyshev nodes.
    s2 = s * s
    p = 0.13614059585772761
    p = p * s2 + 0.13209052444000552
    p = p * s2 + 0.15388901197185678
    p = p * s2 + 0.18181736789201602
    p = p * s2 + 0.22222223059033036
    p = p * s2 + 0.285714285672117
    p = p * s2 + 0.40000000000008085
    p = p * s2 + 0.6666666666666666
    p = p * s2 + 2.0
    # int -> float by the same rounding constant, which vectorises where the conversion does not.
    e = np.int64(exponent + 0x4338000000000000).view(np.float64) - _ROUND
    return e * _LN2_HIGH + (s * p + e * _LN2_LOW)


@inline
def log(x: float) -> float:
    """Natural logarithm of a normal positive number, error below 5e-16 relative."""
    bits = np.float64(x).view(np.int64)
    # Split at 1/sqrt(2) so that the mantissa lies in [0.707, 1.414).
    biased = bits - 0x3FE6A09E667F3BCD
    exponent = biased >> 52
    m = np.int64(bits - (exponent << 52)).view(np.float64)
    return _log_of((m - 1.0) / (m + 1.0), exponent)


@inline
def log_ratio(a: float, b: float) -> float:
    """ln(a/b) of normal positive numbers by one division, absolute error below 3e-16 + 2e-16 |ln(a/b)|; 0 where a = b.

    `log` of b scaled by a power of two to within 1.5 times of a, where a - b is exact.
    """
    a_bits, b_bits = np.float64(a).view(np.int64), np.float64(b).view(np.int64)
    exponent = (a_bits - b_bits + 0x0008000000000000) >> 52
    near = np.int64(b_bits + (exponent << 52)).view(np.float64)
    return _log_of((a - near) / (a + near), exponent)


@inline
def mills_numerator(x: float) -> float:
    """P(x) of `mills`; a kernel that needs two ratios divides once by the product of the denominators."""
    p = 4.8284313007332144e-06
    p = p * x + 0.00012293670412661745
    p = p * x + 0.0015472931353975566
    p = p * x + 0.012406490989206676
    p = p * x + 0.06918784469331117
    p = p * x + 0.27702685130421806
    p = p * x + 0.7957557745774101
    p = p * x + 1.586280394274813
    p = p * x + 2.008294899647693
    return p * x + 1.2533141373155


@inline
def mills_denominator(x: float) -> float:
    """Q(x) of `mills`, at least 1."""
    p = 4.828431300733223e-06
    p = p * x + 0.00012293670412660818
    p = p * x + 0.0015521215667011982
    p = p * x + 0.012529427692929007
    p = p * x + 0.07072548099688393
    p = p * x + 0.2891874674304714
    p = p * x + 0.8618973637098091
    p = p * x + 1.8397225718071342
    p = p * x + 2.6808086499263606
    p = p * x + 2.400272054770833
    return p * x + 1.0


@inline
def mills(x: float) -> float:
    """Mills ratio N(-x)/n(x) for 0 <= x <= 1e25, relative error below 3e-15.

    P(x)/Q(x) of degrees 9 and 10, minimax (3.6e-16) on [0, 1000] by iteratively reweighted least squares in 60 digits;
    all coefficients are positive, so nothing cancels.
    """
    return mills_numerator(x) / mills_denominator(x)


@inline
def normal_pdf(x: float) -> float:
    """Standard normal density; 0 beyond 37.6 standard deviations."""
    return _INV_SQRT_2PI * exp(max(-0.5 * x * x, -707.0))

"""Value at risk and expected shortfall of P&L samples and of linear and quadratic books, with how sure they are.

P&L is positive for gains; VaR and ES are losses, positive for a loss. With losses sorted from the largest, k = (1 - α) m:

* VaR_α = L_(⌊k⌋+1): the smallest x that at most a share 1 - α of the losses exceeds;
* ES_α = (Σ_{i<=⌊k⌋} L_(i) + (k - ⌊k⌋) L_(⌊k⌋+1)) / k: the mean of exactly the worst share 1 - α, so coherent and never
  below VaR. Source: Acerbi and Tasche (2002), J. Banking & Finance 26, definition 2.6 and proposition 4.1.

Both tail figures are an expectation over the same states, so that an ES splits into parts that add up (Euler; Tasche 1999).
*Tested by* tests/unit/test_risk_var.py (hand, scipy, Monte Carlo), tests/properties/test_risk_var.py (coherence, sums).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from common.messages import F64

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Tail:
    """VaR and ES of one level, USD; ``states`` is how many P&L figures they rest on."""

    level: float
    var_usd: float
    es_usd: float
    states: int


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true figure lies with ``confidence``; an infinite edge says that the sample cannot bound it."""

    low: float
    high: float
    confidence: float


def _check(level: float) -> None:
    if not 0.5 <= level < 1.0:
        raise ValueError(f"level {level} is not between 0.5 and 1")


def tail_weights(pnl: F64, level: float) -> F64:
    """Weight (m,) of each state in the expected shortfall; they sum to 1, equal P&L by order of the sample."""
    _check(level)
    m = len(pnl)
    k = _tail_size(m, level)
    order = np.argsort(pnl, kind="stable")
    weight = np.zeros(m)
    whole = min(int(k), m)
    weight[order[:whole]] = 1.0
    if whole < m:
        weight[order[whole]] = k - whole
    return weight / k


def _tail_size(m: int, level: float) -> float:
    # 1000 × (1 - 0.99) is 10.000000000000009 in binary; a tail that is whole to rounding is whole.
    k = m * (1.0 - level)
    return float(round(k)) if round(k) >= 1 and abs(k - round(k)) < 1e-9 * m else k


def tail(pnl: F64, level: float) -> Tail:
    """VaR and ES of a sample of P&L (m,) USD. Raises ``ValueError`` if it is empty or not finite."""
    if not len(pnl) or not np.isfinite(pnl).all():
        raise ValueError("P&L figures are missing or not finite")
    weight = tail_weights(pnl, level)
    ordered = np.sort(pnl)
    at = min(int(_tail_size(len(pnl), level)), len(pnl) - 1)
    var = -float(ordered[at])
    # The mean of losses that are all at least VaR; the maximum takes out what rounding of the weights leaves.
    return Tail(level, var, max(-float(weight @ pnl), var), len(pnl))


def es_components(pnl: F64, level: float) -> F64:
    """Parts (p,) USD of the expected shortfall of Σ_p pnl[:, p], pnl (m, p); they add up to it. NaN-free input."""
    return np.asarray(-(tail_weights(pnl.sum(axis=1), level) @ pnl))


def var_interval(pnl: F64, level: float, confidence: float = 0.95) -> Interval:
    """Distribution-free interval of VaR from order statistics of a sample (m,) of independent states.

    The number of losses beyond the true quantile is binomial(m, 1 - level); each side is cut at (1 - confidence)/2.
    Infinite where m is too small. Source: David and Nagaraja (2003), Order Statistics, section 7.1.
    """
    _check(level)
    m, side = len(pnl), 0.5 * (1.0 - confidence)
    losses = np.sort(-pnl)[::-1]
    beyond = np.cumsum(_binomial(m, 1.0 - level))  # P(at most i losses beyond the quantile)
    # High edge L_(a): P(fewer than a beyond... = at most a - 1) <= side. Low edge L_(b): P(at least b) <= side.
    a = int(np.searchsorted(beyond, side, side="right"))
    b = int(np.searchsorted(beyond, 1.0 - side, side="left")) + 1
    high = math.inf if a < 1 else float(losses[a - 1])
    low = -math.inf if b > m else float(losses[b - 1])
    return Interval(low, high, confidence)


def _binomial(m: int, p: float) -> F64:
    i = np.arange(m + 1)
    log_choose = np.array([math.lgamma(m + 1) - math.lgamma(k + 1) - math.lgamma(m - k + 1) for k in range(m + 1)])
    return np.asarray(np.exp(log_choose + i * math.log(p) + (m - i) * math.log1p(-p)))


def es_interval(pnl: F64, level: float, *, seed: int, confidence: float = 0.95, samples: int = 2000) -> Interval:
    """Percentile bootstrap interval of the expected shortfall of a sample (m,) of independent states; same seed, same answer."""
    rng = np.random.default_rng(seed)
    m, k = len(pnl), _tail_size(len(pnl), level)
    whole = min(int(k), m - 1)
    found = np.empty(samples)
    for i in range(samples):
        drawn = np.partition(pnl[rng.integers(0, m, m)], whole)[: whole + 1]
        edge = drawn[whole]
        found[i] = -(drawn[:whole].sum() + (k - whole) * edge) / k
    low, high = np.quantile(found, [0.5 * (1.0 - confidence), 0.5 * (1.0 + confidence)])
    return Interval(float(low), float(high), confidence)


def ewma_scaled(returns: F64, decay: float = 0.94) -> F64:
    """Returns (d, k) as they would have been at today's volatility: filtered historical simulation.

    r*_t = r_t σ_(d+1)/σ_t with σ²_(t+1) = decay σ²_t + (1 - decay) r²_t, σ²_1 the mean square. A column without any
    movement stays as it is. Source: Hull and White (1998), J. Risk 1, eq. 2; decay of RiskMetrics (1996).
    """
    if not 0.0 < decay < 1.0:
        raise ValueError(f"decay {decay} is not between 0 and 1")
    variance = np.empty((len(returns) + 1, returns.shape[1]))
    variance[0] = (returns**2).mean(axis=0)
    for t, row in enumerate(returns):
        variance[t + 1] = decay * variance[t] + (1.0 - decay) * row**2
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.sqrt(variance[-1] / variance[:-1])
    return np.where(variance[:-1] > 0.0, returns * factor, returns)


@dataclass(frozen=True)
class Linear:
    """A delta-normal figure. marginal (k,): VaR per unit of exposure; component (k,): parts of VaR that add up to it.

    ``es_per_var`` turns VaR and its parts into ES.
    """

    level: float
    sigma_usd: float
    var_usd: float
    es_usd: float
    marginal: F64
    component_usd: F64

    @property
    def es_per_var(self) -> float:
        """ES/VaR of a normal; 1 for a book without risk."""
        return self.es_usd / self.var_usd if self.var_usd > 0.0 else 1.0


def delta_normal(exposure: F64, covariance: F64, level: float) -> Linear:
    """VaR and ES of P&L exposure' x with x normal, mean 0: z σ and φ(z)/(1 - level) σ.

    exposure (k,) USD per unit of a factor, covariance (k, k) of the factors over the horizon. Source: Jorion (2006),
    Value at Risk, chapters 7 and 10; McNeil, Frey and Embrechts (2005), eq. 2.24.
    """
    _check(level)
    z = _NORMAL.inv_cdf(level)
    gradient = covariance @ exposure
    sigma = math.sqrt(max(float(exposure @ gradient), 0.0))
    marginal = z * gradient / sigma if sigma > 0.0 else np.zeros(len(exposure))
    es = _NORMAL.pdf(z) / (1.0 - level) * sigma
    return Linear(level, sigma, z * sigma, es, marginal, marginal * exposure)


def delta_normal_components(exposures: F64, covariance: F64, level: float) -> F64:
    """Parts (p,) USD of the delta-normal VaR of Σ_p exposures[p], exposures (p, k); they add up to it (Euler)."""
    return np.asarray(exposures @ delta_normal(exposures.sum(axis=0), covariance, level).marginal)


@dataclass(frozen=True)
class CornishFisher:
    """Moments of P&L and the VaR and ES of the Cornish-Fisher expansion; NaN, with ``why``, outside its domain."""

    level: float
    mean_usd: float
    sigma_usd: float
    skewness: float
    excess_kurtosis: float
    var_usd: float
    es_usd: float
    why: str


def delta_gamma(delta: F64, gamma: F64, covariance: F64, level: float) -> CornishFisher:
    """VaR and ES of P&L δ'x + ½ x'Γx with x normal of mean 0, by its first four moments.

    delta (k,), gamma (k, k) symmetric, covariance (k, k). Cumulants: κ_r = ½ (r-1)! tr((ΓΣ)^r) + ½ r! δ'Σ(ΓΣ)^(r-2)δ.
    The expansion is a quantile function only where it rises; where it does not up to the level, the figures are NaN.
    Source: Mina and Ulmer (1999), Delta-gamma four ways; Maillard (2012) on the domain; Boudt, Peterson and Croux (2008)
    for the ES.
    """
    _check(level)
    product = gamma @ covariance
    gradient = covariance @ delta
    step = product.T @ gradient  # Σ Γ Σ δ
    square = product @ product
    mean = 0.5 * float(np.trace(product))
    variance = float(delta @ gradient) + 0.5 * float(np.trace(square))
    if not variance > 0.0:
        return CornishFisher(level, mean, 0.0, 0.0, 0.0, -mean, -mean, "")
    third = 3.0 * float(delta @ step) + float(np.trace(square @ product))
    fourth = 12.0 * float(delta @ (product.T @ step)) + 3.0 * float(np.trace(square @ square))
    sigma = math.sqrt(variance)
    skewness, kurtosis = third / variance**1.5, fourth / variance**2
    z = _NORMAL.inv_cdf(1.0 - level)
    coefficients = _expansion(skewness, kurtosis)
    if not _rises(coefficients, z):
        why = f"skewness {skewness:.2f} and excess kurtosis {kurtosis:.2f} lie outside the domain of the expansion"
        return CornishFisher(level, mean, sigma, skewness, kurtosis, math.nan, math.nan, why)
    quantile = sum(c * z**i for i, c in enumerate(coefficients))
    below = _tail_mean(coefficients, z) / (1.0 - level)
    return CornishFisher(level, mean, sigma, skewness, kurtosis, -mean - sigma * quantile, -mean - sigma * below, "")


def _expansion(skewness: float, kurtosis: float) -> tuple[float, float, float, float]:
    # Coefficients of 1, z, z², z³ of z + (z²-1) s/6 + (z³-3z) k/24 - (2z³-5z) s²/36.
    s, k = skewness, kurtosis
    return -s / 6.0, 1.0 - k / 8.0 + 5.0 * s * s / 36.0, s / 6.0, k / 24.0 - s * s / 18.0


def _rises(c: tuple[float, float, float, float], z: float) -> bool:
    """Whether the cubic has a positive slope from minus infinity to z, so that its lower tail is a quantile function."""
    a, b, d = 3.0 * c[3], 2.0 * c[2], c[1]  # slope a z² + b z + d
    if a == 0.0:
        return d + b * z > 0.0 and b <= 0.0
    if a < 0.0:
        return False
    discriminant = b * b - 4.0 * a * d
    if discriminant < 0.0:
        return True
    return z < (-b - math.sqrt(discriminant)) / (2.0 * a)


def _tail_mean(c: tuple[float, float, float, float], z: float) -> float:
    """∫_{-∞}^{z} of the cubic times the normal density."""
    density, below = _NORMAL.pdf(z), _NORMAL.cdf(z)
    moments = (below, -density, below - z * density, -(z * z + 2.0) * density)
    return sum(x * y for x, y in zip(c, moments, strict=True))


def kupiec(exceptions: int, states: int, level: float) -> float:
    """p-value of the likelihood ratio that losses beyond VaR come with the probability they should (1 degree of freedom).

    exceptions of states. Source: Kupiec (1995), J. Derivatives 3, eq. 5.
    """
    _check(level)
    if not 0 <= exceptions <= states or states < 1:
        raise ValueError(f"{exceptions} exceptions in {states} states")
    p, share = 1.0 - level, exceptions / states

    def log_likelihood(q: float) -> float:
        hit = exceptions * math.log(q) if exceptions else 0.0
        return hit + ((states - exceptions) * math.log1p(-q) if exceptions < states else 0.0)

    ratio = 2.0 * (log_likelihood(share) - log_likelihood(p))
    return math.erfc(math.sqrt(max(ratio, 0.0) / 2.0))

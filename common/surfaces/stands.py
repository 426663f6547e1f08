"""Which surface stands: a new fit replaces it, or is refused with a reason while the old one is marked stale.

Rule, in this order. A fit is refused if it has no surface; if it has an arbitrage; if it is not later than the standing
one; if it has lost more than ``lost_share`` of the standing expiries still alive; if its error is worse than
``worse_ratio`` times that of the standing surface on the *same new quotes* (the old smile carried along with the new
forwards) plus ``worse_floor``. The error is the root mean square distance from mid in half spreads. So a fit to bad
quotes is accepted only as long as it explains them better than what stands; and a fit whose own error exceeds
``worst_error`` never replaces one within it. A refusal marks the standing surface stale, an acceptance ends that; age
beyond ``oldest_s`` does so by itself. Before the first acceptance there is nothing to compare with. A pure state
machine: time comes as an argument.
*Tested by* tests/unit/test_surfaces_stands.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from common.surfaces.fitting import Fit
from common.surfaces.quality import FitReport, age_s, errors
from common.surfaces.surface import Surface


@dataclass(frozen=True, slots=True)
class StandRules:
    """Limits of the rule above; ``oldest_s`` market seconds."""

    worse_ratio: float = 1.25
    worse_floor: float = 0.25
    worst_error: float = 10.0
    lost_share: float = 0.2
    oldest_s: float = 300.0

    def __post_init__(self) -> None:
        if not (self.worse_ratio >= 1.0 and self.worse_floor >= 0.0 and 0.0 <= self.lost_share <= 1.0):
            raise ValueError("worse_ratio must be at least 1, worse_floor not negative, lost_share a share")
        if not (self.worst_error > 0.0 and self.oldest_s > 0.0):
            raise ValueError("worst_error and oldest_s must be positive")


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """The surface in force. refused: fits refused since it was accepted; stale: why, empty while it is fresh."""

    surface: Surface
    report: FitReport
    refused: int = 0
    stale: str = ""

    def is_stale(self, now_ns: int, rules: StandRules) -> bool:
        """Marked by a refusal, or older than ``oldest_s``."""
        return bool(self.stale) or age_s(self.surface, now_ns) > rules.oldest_s


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one offered fit. ``reason`` is empty when it was accepted."""

    underlying: str
    accepted: bool
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceBook:
    """Standing surfaces by underlying; never changed, `offer` gives the next one."""

    rules: StandRules = field(default_factory=StandRules)
    standing: Mapping[str, Standing] = field(default_factory=lambda: MappingProxyType({}))

    def offer(self, fit: Fit) -> tuple[SurfaceBook, Verdict]:
        """The book after ``fit``, and what became of it."""
        name = fit.quotes.underlying
        old = self.standing.get(name)
        reason = refusal(fit, old, self.rules)
        if not reason and fit.surface is not None:
            return self._with(name, Standing(fit.surface, fit.report)), Verdict(name, True, "")
        if old is None:
            return self, Verdict(name, False, reason)
        return self._with(name, replace(old, refused=old.refused + 1, stale=reason)), Verdict(name, False, reason)

    def _with(self, name: str, standing: Standing) -> SurfaceBook:
        return SurfaceBook(self.rules, MappingProxyType({**self.standing, name: standing}))


def refusal(fit: Fit, old: Standing | None, rules: StandRules) -> str:
    """Why ``fit`` may not replace ``old``; empty if it may."""
    new = fit.surface
    if new is None:
        return "no usable quote"
    if fit.report.violations:
        return f"{fit.report.violations} slices with an arbitrage"
    if old is None:
        return ""
    if new.as_of_ns <= old.surface.as_of_ns:
        return "not later than the standing surface"
    alive = old.surface.expiry_ns[old.surface.expiry_ns > new.as_of_ns]
    lost = int((~np.isin(alive, new.expiry_ns)).sum())
    if lost > rules.lost_share * len(alive):
        return f"{lost} of {len(alive)} expiries lost"
    error = fit.report.rmse_half_spreads
    before = errors(old.surface, fit.quotes, fit.vol_mid).rmse_half_spreads
    if not error <= rules.worse_ratio * before + rules.worse_floor:
        return f"error {error:.2f} half spreads against {before:.2f} of the standing surface on the same quotes"
    if error > rules.worst_error >= old.report.rmse_half_spreads:
        return f"error {error:.2f} half spreads, more than {rules.worst_error:g}"
    return ""

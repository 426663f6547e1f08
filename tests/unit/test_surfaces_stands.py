"""A better fit stands, a worse one is refused and what stands is marked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.surfaces.chain import ChainQuotes
from common.surfaces.fitting import Fit, fit
from common.surfaces.stands import StandRules, SurfaceBook
from common.units import NS_PER_MIN, NS_PER_S
from tests.surfaces_world import AS_OF_NS, chain_of, essvi_w

DAYS = [10.0, 40.0, 200.0]
RULES = StandRules()


def truth(i: int, k: np.ndarray) -> np.ndarray:
    return essvi_w(k, 0.04 * DAYS[i] / 365, -0.6, 0.18 * np.sqrt(DAYS[i] / 365))


def at(minutes: int, chain: ChainQuotes | None = None) -> Fit:
    return fit(chain_of(DAYS, truth) if chain is None else chain, AS_OF_NS + minutes * NS_PER_MIN)


def broken(fits: Fit) -> Fit:
    """The same fit with slices half a volatility point off."""
    assert fits.surface is not None
    slices = fits.surface.slices.copy()
    slices[:, 0] *= 1.3
    report = replace(fits.report, rmse_half_spreads=40.0)
    return replace(fits, surface=replace(fits.surface, slices=slices), report=report)


def test_the_first_and_a_later_good_fit_are_accepted() -> None:
    book, first = SurfaceBook().offer(at(0))
    book, second = book.offer(at(1))
    assert (first.accepted, second.accepted) == (True, True)
    standing = book.standing["TEST"]
    assert standing.surface.as_of_ns == AS_OF_NS + NS_PER_MIN
    assert not standing.is_stale(AS_OF_NS + 2 * NS_PER_MIN, RULES)


def test_a_worse_fit_is_refused_and_the_old_one_marked_until_a_good_one_comes() -> None:
    book, _ = SurfaceBook().offer(at(0))
    book, verdict = book.offer(broken(at(1)))
    standing = book.standing["TEST"]
    assert not verdict.accepted and "half spreads against" in verdict.reason
    assert (standing.surface.as_of_ns, standing.refused, standing.stale) == (AS_OF_NS, 1, verdict.reason)
    assert standing.is_stale(AS_OF_NS + NS_PER_MIN, RULES)
    book, verdict = book.offer(at(2))
    assert verdict.accepted and not book.standing["TEST"].stale


def test_the_book_before_is_unchanged() -> None:
    book, _ = SurfaceBook().offer(at(0))
    after, _ = book.offer(broken(at(1)))
    assert book.standing["TEST"].refused == 0 and after.standing["TEST"].refused == 1


def test_age_makes_stale_by_itself() -> None:
    book, _ = SurfaceBook().offer(at(0))
    standing = book.standing["TEST"]
    edge = AS_OF_NS + round(RULES.oldest_s) * NS_PER_S
    assert not standing.is_stale(edge, RULES) and standing.is_stale(edge + 1, RULES)


def without(expiries: int) -> ChainQuotes:
    chain = chain_of(DAYS, truth)
    keep = chain.expiry_ns > np.unique(chain.expiry_ns)[expiries - 1]
    names = ("expiry_ns", "strike", "right", "bid", "ask", "last_trade_ns")
    return replace(chain, **{n: getattr(chain, n)[keep] for n in names})


@pytest.mark.parametrize(
    ("offered", "reason"),
    [
        (lambda: at(0), "not later"),
        (lambda: at(1, without(1)), "1 of 3 expiries lost"),
        (lambda: at(1, replace(chain_of(DAYS, truth), bid=np.zeros(174))), "no usable quote"),
        (lambda: replace(f := at(1), report=replace(f.report, violations=2)), "2 slices with an arbitrage"),
    ],
)
def test_each_reason(offered: object, reason: str) -> None:
    assert callable(offered)
    book, _ = SurfaceBook().offer(at(0))
    book, verdict = book.offer(offered())
    assert not verdict.accepted and reason in verdict.reason
    assert book.standing["TEST"].stale == verdict.reason


def test_an_expiry_that_has_passed_is_not_lost() -> None:
    book, _ = SurfaceBook().offer(at(0))
    book, verdict = book.offer(fit(chain_of(DAYS, truth), AS_OF_NS + 11 * 1440 * NS_PER_MIN))
    assert "lost" not in verdict.reason


def test_without_a_surface_nothing_stands() -> None:
    book, verdict = SurfaceBook().offer(at(0, replace(chain_of(DAYS, truth), bid=np.zeros(174))))
    assert not verdict.accepted and not book.standing


def test_senseless_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        StandRules(worse_ratio=0.5)
    with pytest.raises(ValueError, match="must be positive"):
        StandRules(oldest_s=0.0)

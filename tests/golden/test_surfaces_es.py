"""The E-mini day of 2020-01-06: a surface for each open minute, clean. Every 47th minute here; the bench does all."""

from __future__ import annotations

import numpy as np

from common.calendars.exchanges import market_calendar
from common.surfaces.arbitrage import check
from common.surfaces.fitting import fit
from common.surfaces.stands import SurfaceBook
from lab.surface_chains import ES_DAY_NS, es_minutes
from tests.surfaces_world import DATA, needs_es

pytestmark = needs_es


def test_open_minutes_have_a_clean_surface() -> None:
    minutes = market_calendar("XCME").minutes(*ES_DAY_NS)
    assert len(minutes) == 1_425  # a day of 24 hours and 59 minutes less one hour and a quarter of halts
    previous, book, worst, premium = None, SurfaceBook(), 0.0, 0.0
    for n, (moment, chain) in enumerate(es_minutes(DATA, minutes)):
        if n % 47:
            continue
        result = fit(chain, moment, previous)
        assert result.surface is not None
        assert result.report.violations == 0
        assert check(result.surface, 501, beyond=2.0).clean
        book, _ = book.offer(result)
        previous = result.surface
        worst = max(worst, result.report.rmse_vol_bp)
        premium = max(premium, float(np.max(result.quotes.premium)))
    assert worst < 20.0
    assert 0.0 < premium < 0.007  # the bound exp(rT) - 1 of the price
    assert set(book.standing) == {"ES"}

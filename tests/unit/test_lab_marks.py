"""Marks: the grid, standing mids, the surface against the model that made the quotes, expiry."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from common.units import NS_PER_DAY, NS_PER_MIN, NS_PER_S
from lab.marks import GRID_NS, Marker, grid, marks_of, unlisted_rows
from lab.synthetic import SyntheticMarket, theoretical

MARKET = SyntheticMarket(symbols=("AAA", "BBB"), sessions=2, session_s=3 * 3600 + 900, step_s=300.0, strikes=9)


def test_grid_has_open_every_half_hour_and_close() -> None:
    times, session = grid(MARKET.session_bounds_ns)
    first = MARKET.session_bounds_ns[0]
    assert times[0] == first[0] and times[1] - times[0] == GRID_NS
    assert times[7] == first[1] and times[7] - times[6] == 15 * NS_PER_MIN
    assert session.tolist() == [0] * 8 + [1] * 8


def test_marks_are_the_standing_mids() -> None:
    marks = marks_of(MARKET, range(len(MARKET.universe)))
    assert len(marks.times_ns) == 16
    u = MARKET.universe
    mid = np.full(len(u), np.nan)
    rows = {}
    for batch in MARKET.batches():
        mid[batch.instrument] = 0.5 * (batch.bid_ticks + batch.ask_ticks) * u.tick_size[batch.instrument]
        rows[batch.header.event_time_ns] = mid.copy()
    for g, time in enumerate(marks.times_ns):
        np.testing.assert_allclose(marks.points[g], rows[max(t for t in rows if t <= time)])


def test_unquoted_options_are_marked_near_the_model_that_made_the_quotes() -> None:
    """Hide a third of the options (not the outermost strikes) from the marker: marks come back within the spread."""
    u = MARKET.universe
    ends = {
        (k, e, f(u.strike[(u.underlying == k) & (u.expiry_ns == e)])) for k, e in _EXPIRIES for f in (np.min, np.max)
    }
    options = [
        i for i in range(len(u)) if u.kind[i] == 1 and (u.underlying[i], u.expiry_ns[i], u.strike[i]) not in ends
    ]
    hidden = np.array(options[::3])
    marker = Marker(u, hidden, MARKET.session_bounds_ns)
    full = marks_of(MARKET, ())
    for b in MARKET.batches():
        keep = ~np.isin(b.instrument, hidden)
        columns = (b.instrument, b.bid_ticks, b.ask_ticks, b.bid_size_lots, b.ask_size_lots)
        marker.on_batch(dataclasses.replace(b, **dict(zip(_NAMES, (c[keep] for c in columns), strict=True))))
    marks = marker.finish()
    spread = np.maximum(0.01 * full.points[:, hidden], 0.10)
    assert np.isfinite(marks.points).all()
    assert (np.abs(marks.points[:, hidden] - full.points[:, hidden]) < spread).all()


_EXPIRIES = {(int(k), int(e)) for k, e in zip(MARKET.universe.underlying, MARKET.universe.expiry_ns, strict=True)}
_NAMES = ("instrument", "bid_ticks", "ask_ticks", "bid_size_lots", "ask_size_lots")


def test_an_expired_option_keeps_its_settlement_value() -> None:
    market = dataclasses.replace(MARKET, symbols=("AAA",), sessions=11, session_s=3600, step_s=1800.0, strikes=3)
    u = market.universe
    near = np.flatnonzero((u.kind == 1) & (u.expiry_ns == u.expiry_ns[1]))
    marks = marks_of(market, near)
    after = marks.times_ns >= u.expiry_ns[near[0]]
    assert after.any() and not after.all()
    settled = marks.points[np.ix_(after, near)]
    assert (settled == settled[0]).all()
    # Settled on the forward that stood at the last quote before the expiry (the open of that very session).
    future = marks.points[~after, 0][-1]
    forward = future * np.exp(0.01 * (u.expiry_ns[near[0]] - u.expiry_ns[0]) / (365 * NS_PER_DAY))
    expected = np.maximum(u.right[near] * (forward - u.strike[near]), 0.0)
    np.testing.assert_allclose(settled[0], expected, rtol=0.02, atol=30.0)


def test_without_a_future_the_forward_comes_from_parity() -> None:
    """The same quotes with the future taken out of the universe's description: the hidden options are marked alike."""
    u = MARKET.universe
    listed = tuple(dataclasses.replace(x, future_instrument=-1) for x in u.underlyings)
    blind = dataclasses.replace(u, underlyings=listed)
    hidden = [i for i in range(len(u)) if u.strike[i] > 0 and i % 18 == 8]
    found = []
    for universe in (u, blind):
        marker = Marker(universe, hidden, MARKET.session_bounds_ns)
        for b in MARKET.batches():
            keep = ~np.isin(b.instrument, hidden)
            columns = (getattr(b, name)[keep] for name in _NAMES)
            marker.on_batch(dataclasses.replace(b, **dict(zip(_NAMES, columns, strict=True))))
        found.append(marker.finish().points[:, hidden])
    np.testing.assert_allclose(found[1], found[0], rtol=0.01, atol=0.5)


def test_nothing_to_mark_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to mark"):
        Marker(MARKET.universe, (), MARKET.session_bounds_ns).finish()


def test_a_run_that_ends_early_ends_with_its_last_quote() -> None:
    marker = Marker(MARKET.universe, unlisted_rows(MARKET.universe, [0, 1]), MARKET.session_bounds_ns)
    stop = MARKET.session_bounds_ns[0][0] + 50 * 60 * NS_PER_S
    for b in MARKET.batches():
        if b.header.event_time_ns > stop:
            break
        marker.on_batch(b)
    marks = marker.finish()
    assert marks.times_ns[-1] == stop and len(marks.times_ns) == 3


def test_model_price_of_the_synthetic_market_obeys_parity() -> None:
    u = MARKET.universe
    price, delta = theoretical(u, 0, MARKET.session_bounds_ns[0][0], 3000.0, 0.2)
    call, put = price[1], price[2]
    tau = (u.expiry_ns[1] - MARKET.session_bounds_ns[0][0]) / (365 * NS_PER_DAY)
    forward = 3000.0 * np.exp(0.01 * (u.expiry_ns[1] - u.expiry_ns[0]) / (365 * NS_PER_DAY))
    assert call - put == pytest.approx(np.exp(-0.02 * tau) * (forward - u.strike[1]), abs=1e-9)
    assert delta[1] - delta[2] == pytest.approx(np.exp(-0.02 * tau), abs=1e-12)

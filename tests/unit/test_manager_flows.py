"""Flow budgets by hand-worked numbers."""

from __future__ import annotations

import pytest

from common.calendars.trading_days import TradingDays
from common.errors import HedgerowError
from common.limits import FlowBudget, FlowShare
from common.units import NS_PER_DAY
from manager.flows import Flows, scopes_of
from tests.manager_world import limits


def flows() -> Flows:
    return Flows(
        limits(
            flow=FlowBudget(cost_usd=100.0, notional_usd=10_000.0, orders=3),
            flow_by_kind={"gamma": FlowShare(cost_usd=30.0)},
            flow_by_underlying={"SPX": FlowShare(orders=2)},
        )
    )


def test_scopes_of_an_order() -> None:
    scopes = scopes_of("SPX", {"gamma-0": -3, "gamma-1": -1, "vega-0": -2})
    agents = {"agent:gamma-0": 3, "agent:gamma-1": 1, "agent:vega-0": 2}
    assert scopes == {"firm": 6, "underlying:SPX": 6, "kind:gamma": 4, "kind:vega": 2, **agents}
    at_desk = scopes_of("SPX", {"gamma-0@rates": -3, "gamma-0@index": 2})
    assert at_desk["desk:rates"] == 3 and at_desk["desk:index"] == 2 and at_desk["agent:gamma-0"] == 5


def test_reserve_consume_release_by_hand() -> None:
    f = flows()
    scopes = {"firm": 5, "underlying:SPX": 5, "kind:gamma": 2, "kind:vega": 3}
    f.reserve(scopes, 0, (1_000, 50_000))
    assert f.room("firm", 0) == (5_000, 750_000, 2)
    assert f.room("kind:gamma", 0)[0] == 1_000
    f.consume({"firm": 2, "underlying:SPX": 2, "kind:gamma": 1, "kind:vega": 1}, 0, (1_000, 50_000), 1_501)
    f.check()
    meter = f.meters["firm", 0]
    assert (meter.used, meter.reserved) == ([1_501, 100_000, 0], [3_000, 150_000, 1])
    assert f.meters["kind:gamma", 0].used[0] == 751, "its half, rounded up"
    f.close(scopes, {"firm": 3, "underlying:SPX": 3, "kind:gamma": 1, "kind:vega": 2}, 0, (1_000, 50_000), True)
    f.check()
    assert all(m.reserved == [0, 0, 0] for m in f.meters.values())
    assert f.room("firm", 0) == (8_499, 900_000, 2)


def test_kind_and_underlying_bind_before_the_firm() -> None:
    f = flows()
    assert f.fits({"firm": 3, "kind:gamma": 3}, 0, (1_000, 1))
    assert not f.fits({"firm": 4, "kind:gamma": 4}, 0, (1_000, 1))
    for _ in range(2):
        f.reserve({"firm": 1, "underlying:SPX": 1}, 0, (1, 1))
    assert not f.fits({"firm": 1, "underlying:SPX": 1}, 0, (1, 1))
    assert f.fits({"firm": 1, "underlying:NDX": 1}, 0, (1, 1))


def test_a_new_day_has_its_own_budget() -> None:
    f = flows()
    f.reserve({"firm": 9}, 0, (1_000, 1))
    assert f.room("firm", 0)[0] == 1_000 and f.room("firm", 1)[0] == 10_000
    assert TradingDays().of(3 * NS_PER_DAY + 5) == 3


def test_tightening_below_what_stands_blocks_but_does_not_break() -> None:
    f = flows()
    f.reserve({"firm": 9}, 0, (1_000, 1))
    f.set_limits(limits(flow=FlowBudget(cost_usd=10.0, notional_usd=1.0, orders=1)))
    f.check()
    assert f.room("firm", 0)[0] == 0
    f.meters["firm", 0].reserved[0] += 1
    with pytest.raises(HedgerowError):
        f.check()


def test_a_dearer_fee_than_stated_is_used_and_raises_the_ceiling() -> None:
    f = flows()
    f.reserve({"firm": 10}, 0, (1_000, 1))
    f.consume({"firm": 10}, 0, (1_000, 1), 10_700)
    f.check()
    assert f.meters["firm", 0].used[0] == 10_700 and f.room("firm", 0)[0] == 0
    f.late({"firm": 1}, 0, 1, 50)
    f.check()


def test_a_day_is_forgotten_two_days_later_but_for_what_is_still_set_aside() -> None:
    f, per_lot = flows(), (10, 1)
    f.reserve({"firm": 1}, 0, per_lot)  # works on
    f.reserve({"kind:gamma": 1}, 0, per_lot)
    f.close(["kind:gamma"], {"kind:gamma": 1}, 0, per_lot, counts=True)
    f.reserve({"firm": 1}, 1, per_lot)
    assert set(f.meters) == {("firm", 0), ("kind:gamma", 0), ("firm", 1)}, "yesterday's fills may still come"
    f.reserve({"firm": 1}, 2, per_lot)
    assert set(f.meters) == {("firm", 0), ("firm", 1), ("firm", 2)}
    f.close(["firm"], {"firm": 1}, 0, per_lot, counts=False)
    assert not any(f.meters["firm", 0].reserved)
    f.reserve({"firm": 1}, 2, per_lot)
    assert set(f.meters) == {("firm", 1), ("firm", 2)}
    f.check()

"""The agents' step: what it waits for, when it stops and why, when it speaks, and what a proposal carries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agents import recorder
from agents.config import AgentsConfig
from agents.step import AgentSetup, Decide, look, start, step, warm
from common.kernels import chain, surface
from common.messages import AssignmentUpdate, Header, InputRun
from common.units import NS_PER_MS, NS_PER_S
from tests.agents_market import (
    NOW_NS,
    absent,
    assignment_of,
    budget_update,
    feed,
    first_proposal,
    make_book,
    make_market,
    position_update,
    ready_agent,
)

ONE = {"gamma": 1, "vega": 1, "cross_asset": 1}
MINUTE_NS = 60 * NS_PER_S


@pytest.fixture
def market():
    return make_market({"SPX": 2700.0, "NDX": 6800.0})


def test_it_says_what_it_waits_for(market):
    book, config = make_book(market.universe, 50), AgentsConfig(shards=ONE)
    state = start(AgentSetup(market.universe, book, "gamma", 0, config, 1))
    assert state.status == "starting: waiting for assignment" and state.symbols == ()
    feed(state, assignment_of(market.universe, book, config))
    assert state.keys == ("gamma/NDX", "gamma/SPX") and state.symbols == ("SPX", "NDX")
    assert state.status == "starting: waiting for feed.SPX"
    feed(state, market.quotes("SPX"), market.quotes("NDX"))
    assert state.status == "starting: waiting for positions"
    feed(state, position_update())
    assert state.status == "starting: waiting for budgets"
    assert feed(state, Decide()) == []
    feed(state, budget_update())
    assert state.status == "hedging"
    assert feed(state, Decide())[0].trigger == "start"


def test_without_keys_it_is_idle_and_silent(market):
    book, config = make_book(market.universe, 50), AgentsConfig(shards={"gamma": 5, "vega": 0, "cross_asset": 0})
    owners = assignment_of(market.universe, book, config).owner
    idle = next(i for i in range(5) if f"gamma-{i}" not in owners.values())
    state = start(AgentSetup(market.universe, book, "gamma", idle, config, 1))
    feed(state, assignment_of(market.universe, book, config), position_update(), budget_update())
    for _ in range(5):
        assert feed(state, market.quotes("SPX"), Decide()) == []
    assert state.status == "idle" and state.unusable_quotes == 0
    assert state.recorder.take()[-1] == InputRun("decide", 1, 5)  # no quotes were consumed


def test_a_gap_stops_it_until_a_snapshot(market):
    agent = ready_agent(market, make_book(market.universe, 50), "gamma")
    first_proposal(agent)
    market.quotes("SPX", NOW_NS + MINUTE_NS)  # lost on the way
    late = market.quotes("SPX", NOW_NS + 20 * MINUTE_NS)
    assert feed(agent, late, Decide()) == []
    assert agent.status == "stopped: gap in feed.SPX" and agent.gaps == 1
    healing = replace(market.quotes("SPX", NOW_NS + 20 * MINUTE_NS), snapshot=True)
    news = market.quotes("NDX", NOW_NS + 20 * MINUTE_NS)
    assert len(feed(agent, healing, news, Decide())) == 1
    assert agent.status == "hedging"


def test_a_silent_source_stops_it_for_that_underlying(market):
    agent = ready_agent(market, make_book(market.universe, 50), "gamma")
    feed(agent, market.quotes("NDX", NOW_NS + 16 * MINUTE_NS))
    assert agent.status == "hedging, without SPX (feed.SPX is stale)"
    assert feed(agent, Decide())[0].factor == ("delta:NDX", "gamma:NDX")


def test_an_unusable_future_stands_for_a_while_and_then_stops_it_for_that_underlying(market):
    agent = ready_agent(market, make_book(market.universe, 50), "gamma")
    future = market.universe.underlyings[0].future_instrument
    for minutes, status in ((10, "hedging"), (20, "hedging, without SPX (no usable price of SPX)")):
        now = NOW_NS + minutes * MINUTE_NS
        feed(agent, absent(market.quotes("SPX", now), future), market.quotes("NDX", now))
        assert agent.status == status


def test_no_volatility_no_proposal():
    market = make_market({"SPX": 2700.0})
    agent = ready_agent(market, make_book(market.universe, 50), "gamma")
    everything = np.flatnonzero(market.universe.kind == 1)
    feed(agent, market.quotes("SPX", crossed=everything))
    assert feed(agent, Decide()) == []
    assert agent.status == "stopped: no volatility for delta:SPX, gamma:SPX"
    assert len(feed(agent, market.quotes("SPX"), Decide())) == 1


@pytest.mark.parametrize("aversion", [0.0, -1.0, np.nan, np.inf])
def test_senseless_budgets_stop_it(market, aversion):
    agent = ready_agent(market, make_book(market.universe, 50), "gamma", risk_aversion=aversion)
    assert agent.status.startswith("stopped: risk aversion")
    assert feed(agent, Decide()) == []


def test_it_speaks_when_something_happened(market):
    agent = ready_agent(market, make_book(market.universe, 50), "gamma")
    first_proposal(agent)
    assert feed(agent, Decide()) == []  # nothing new
    assert feed(agent, market.quotes("SPX"), Decide()) == []  # the same prices again
    feed(agent, position_update(1, [0], [1]))
    assert feed(agent, Decide()) == []  # a fill alone: the manager re-bases; nothing to add within one quote
    assert [p.trigger for p in feed(agent, market.quotes("SPX", NOW_NS + MINUTE_NS), Decide())] == ["positions"]
    market.future_price["SPX"] *= 1.002
    assert [p.trigger for p in feed(agent, market.quotes("SPX", NOW_NS + MINUTE_NS), Decide())] == ["price move"]
    both = (market.quotes(s, NOW_NS + 7 * MINUTE_NS) for s in ("SPX", "NDX"))
    assert [p.trigger for p in feed(agent, *both, Decide())] == ["time"]


def test_quotes_whose_sizes_alone_changed_are_priced_again_only_when_time_has_passed(market):
    agent = ready_agent(market, make_book(market.universe, 50), "gamma")
    same, vols = market.quotes("SPX", NOW_NS), agent.pricing.vols
    size = same.bid_size_lots

    def priced_ms(after_ms, **changes):
        feed(agent, replace(market.quotes("SPX", NOW_NS + after_ms * NS_PER_MS), **{**prices, **changes}))
        return (int(vols.base_time_ns[0]) - NOW_NS) / NS_PER_MS

    prices = {"bid_ticks": same.bid_ticks, "ask_ticks": same.ask_ticks}
    assert priced_ms(1, bid_ticks=same.bid_ticks - 1) == 1  # a price at once
    assert priced_ms(2) == 2 == priced_ms(50, bid_size_lots=size + 1) == priced_ms(101, bid_size_lots=size + 2)
    assert priced_ms(102, bid_size_lots=size + 3) == 102


def test_sizes_alone_are_no_reason_to_look_at_every_greek_again_before_time_has_passed(market, monkeypatch):
    agent = ready_agent(market, make_book(market.universe, 50), "gamma")
    first_proposal(agent)
    looks = []
    monkeypatch.setattr(
        "agents.step.look", lambda state, seen: looks.append(state.snapshot.now_ns) or look(state, seen)
    )

    def quotes(after_ms, **changes):
        return replace(market.quotes("SPX", NOW_NS + after_ms * NS_PER_MS), **changes)

    feed(agent, same := quotes(1), Decide())
    size = same.bid_size_lots
    feed(agent, quotes(1, bid_size_lots=size + 1), Decide())
    feed(agent, quotes(99, bid_size_lots=size + 2), Decide())
    assert looks == []
    feed(agent, quotes(100, bid_size_lots=size + 3), Decide())
    assert looks == [NOW_NS + 100 * NS_PER_MS]
    feed(agent, quotes(101, bid_size_lots=0 * size), Decide())  # sides that go change what is usable
    market.future_price["SPX"] *= 1.0001
    feed(agent, quotes(102, bid_size_lots=size), Decide())
    assert len(looks) == 3
    feed(agent, position_update(1, [0], [1]), quotes(103, bid_size_lots=size + 1), Decide())
    assert len(looks) == 4


def test_what_a_proposal_carries(market):
    book = make_book(market.universe, 50)
    agent = ready_agent(market, book, "vega")
    first = first_proposal(agent)
    assert (first.header.source, first.header.sequence) == ("vega-0", 1)
    assert first.header.event_time_ns == NOW_NS and first.header.receive_time_ns == NOW_NS + 7
    assert first.header.cause_id == "feed.NDX:1"
    assert first.expires_ns == NOW_NS + 900 * NS_PER_S
    assert (first.position_version, first.budget_epoch, first.assignment_version, first.incarnation) == (0, 1, 1, 1)
    assert first.sensitivity.shape == (len(first.factor), len(first.menu))
    assert first.menu.dtype == np.uint32 and first.weighs_cost.dtype == np.uint8 and first.weighs_cost.all()
    later = NOW_NS + MINUTE_NS
    feed(agent, position_update(1, [0], [1]), market.quotes("SPX", later), market.quotes("SPX", later))
    second = first_proposal(agent)
    assert second.header.sequence == 2 and second.position_version == 1
    assert second.inputs == (
        InputRun("positions", 1, 1),
        InputRun("feed.SPX", 2, 2),
        InputRun("decide", 2, 1),
    )


def test_old_news_is_ignored_and_not_recorded(market):
    agent = ready_agent(market, make_book(market.universe, 50), "vega")
    first_proposal(agent)
    old = replace(market.quotes("SPX"), header=Header("feed.SPX", 1, NOW_NS))
    feed(
        agent,
        old,
        position_update(0, [0], [500]),
        budget_update(1, 5.0),
        assignment_of(market.universe, agent.setup.book, agent.setup.config),
    )
    feed(agent, replace(market.quotes("SPX"), header=Header("feed.OTHER", 1, NOW_NS)))
    assert agent.recorder.take() == ()


def test_keys_change_while_it_lives(market):
    book = make_book(market.universe, 200)
    agent = ready_agent(market, book, "gamma")
    both = first_proposal(agent)
    only = AssignmentUpdate(Header("manager", 60, NOW_NS), 2, {"gamma/NDX": "gamma-0", "gamma/SPX": "gamma-1"})
    feed(agent, only)
    one = first_proposal(agent)
    assert one.trigger == "start" and one.factor == ("delta:NDX", "gamma:NDX")
    assert one.exposure.tolist() == both.exposure[:2].tolist()
    assert agent.symbols == ("NDX",)
    nothing = AssignmentUpdate(Header("manager", 61, NOW_NS), 3, {"gamma/NDX": "gamma-1", "gamma/SPX": "gamma-1"})
    feed(agent, nothing)
    assert agent.status == "idle" and feed(agent, market.quotes("NDX"), Decide()) == []
    back = AssignmentUpdate(Header("manager", 62, NOW_NS), 4, {"gamma/NDX": "gamma-0", "gamma/SPX": "gamma-0"})
    healing = [replace(market.quotes(s), snapshot=True) for s in ("SPX", "NDX")]
    again = feed(agent, back, *healing, Decide())[0]
    assert again.exposure == pytest.approx(both.exposure, rel=1e-9)


def test_a_key_that_comes_back_is_hedged_on_quotes_of_now(market):
    """Found by a review: it was hedged at once on the quotes of when it was lost, which nobody had listened to since."""
    book = make_book(market.universe, 200)
    agent = ready_agent(market, book, "gamma")
    first_proposal(agent)
    feed(agent, AssignmentUpdate(Header("manager", 60, NOW_NS), 2, {"gamma/NDX": "gamma-0", "gamma/SPX": "gamma-1"}))
    market.future_price["SPX"] *= 1.1
    feed(agent, market.quotes("SPX"), market.quotes("NDX"), Decide())
    back = AssignmentUpdate(Header("manager", 61, NOW_NS), 3, {"gamma/NDX": "gamma-0", "gamma/SPX": "gamma-0"})
    (meanwhile,) = feed(agent, back, market.quotes("NDX"), Decide())
    assert meanwhile.factor == ("delta:NDX", "gamma:NDX")
    assert agent.status == "hedging, without SPX (gap in feed.SPX)"
    (said,) = feed(agent, replace(market.quotes("SPX"), snapshot=True), Decide())
    fresh = ready_agent(market, book, "gamma")
    assert said.exposure == pytest.approx(first_proposal(fresh).exposure, rel=1e-9)


def test_what_the_manager_did_not_hear_in_time_is_said_again_under_the_new_assignment(market):
    """Found by a review: refused as of an old assignment, it was not said again before the timer, five minutes later."""
    agent = ready_agent(market, make_book(market.universe, 50), "gamma")
    first_proposal(agent)
    market.future_price["SPX"] *= 1.01
    (missed,) = feed(agent, market.quotes("SPX", NOW_NS + NS_PER_S), Decide())
    assert agent.assignment is not None and missed.assignment_version == 1
    feed(agent, AssignmentUpdate(Header("manager", 60, NOW_NS), 2, dict(agent.assignment.owner)))
    (again,) = feed(agent, Decide())
    assert again.assignment_version == 2 and again.exposure.tolist() == missed.exposure.tolist()


def test_positions_are_the_book_and_everything_traded(market):
    book = make_book(market.universe, 200)
    plain = first_proposal(ready_agent(market, book, "vega"))
    market.sequence.clear()
    agent = ready_agent(market, book, "vega")
    lots = -book.net_lots(len(market.universe))
    rows = np.flatnonzero(lots)
    feed(agent, position_update(3, rows, lots[rows]))
    flat = first_proposal(agent)
    assert np.abs(plain.exposure).max() > 0 and not flat.exposure.any()
    assert not flat.alone_lots.any()


def test_a_full_record_begins_anew_and_hedging_goes_on(market, monkeypatch):
    monkeypatch.setattr(recorder, "MAX_RUNS", 40)
    agent = ready_agent(market, make_book(market.universe, 50), "gamma")
    first_proposal(agent)
    quiet = [(market.quotes("SPX"), market.quotes("NDX")) for _ in range(60)]
    for pair in quiet:
        feed(agent, *pair, Decide())
    assert agent.resets >= 1
    proposals = feed(
        agent, market.quotes("SPX", NOW_NS + 7 * MINUTE_NS), market.quotes("NDX", NOW_NS + 7 * MINUTE_NS), Decide()
    )
    assert agent.status == "hedging" and len(proposals) == 1
    assert len(proposals[0].inputs) <= 40
    assert proposals[0].header.sequence == agent.sequence


def test_warm_leaves_no_kernel_cold(market):
    setup = AgentSetup(market.universe, make_book(market.universe, 50), "gamma", 0, AgentsConfig(), 1)
    warm(setup)
    kernels = [surface.absorb, surface.refit, surface.lot_greeks, surface.atm_vol, chain.pick, chain.lot_costs]
    before = [len(k.signatures) for k in kernels]
    assert all(before)
    for kind in ("gamma", "vega", "cross_asset"):
        market.sequence.clear()
        first_proposal(ready_agent(market, setup.book, kind))
    assert [len(k.signatures) for k in kernels] == before


def test_twenty_thousand_positions(market):
    book = make_book(market.universe, 20_000)
    agent = ready_agent(market, book, "gamma")
    first_proposal(agent)
    assert len(agent.held) < len(market.universe)
    assert int(agent.lots.sum()) == int(book.quantity_lots.sum())


def test_step_returns_its_state(market):
    agent = ready_agent(market, make_book(market.universe, 10), "gamma")
    state, proposals = step(agent, Decide())
    assert state is agent and len(proposals) == 1

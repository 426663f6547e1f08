"""Half-widths that less gamma narrows a little stand while prices do, so that no lot goes forth and back."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import intervals
from agents.config import AgentsConfig, TriggerConfig
from agents.decision import Decision, Terms
from agents.desks import decide_desks
from agents.pricing import Picture
from agents.step import AgentState, Decide, look
from common.messages import AgentParameters, Header, Proposal
from common.units import NS_PER_S
from lab.simulator.run import simulate
from tests.agents_market import (
    NOW_NS,
    Market,
    feed,
    first_proposal,
    make_book,
    make_market,
    position_update,
    ready_agent,
)

gammas = st.floats(0.0, 1e15)


def terms(stood: float | None = None) -> Terms:
    """Terms under which the width of ``delta:SPX`` went by ``stood`` while prices stood."""
    return Terms(1e-7, {}, AgentsConfig(), {} if stood is None else {"delta:SPX": stood})


@pytest.mark.parametrize(
    ("stood", "gamma", "goes_by"),
    [
        (None, -90.0, 90.0),
        (100.0, 90.0, 100.0),
        (100.0, -90.0, 100.0),  # short or long: a width knows no sign
        (100.0, 110.0, 110.0),  # wider at once
        (100.0, 65.0, 100.0),  # a quarter narrower is 0.75^1.5 = 0.6495 of the gamma
        (100.0, 64.9, 64.9),  # so much is news
        (100.0, 0.0, 0.0),
    ],
)
def test_what_a_width_goes_by(stood: float | None, gamma: float, goes_by: float) -> None:
    assert terms(stood).width_gamma("delta:SPX", gamma) == goes_by
    assert terms(stood).width_gamma("delta:NDX", gamma) == abs(gamma), "of another factor nothing stands"


def test_an_unknown_gamma_stays_unknown() -> None:
    assert math.isnan(terms(100.0).width_gamma("delta:SPX", math.nan))


@given(st.lists(gammas, min_size=1, max_size=20))
def test_a_width_never_narrows_by_a_little(held: list[float]) -> None:
    """The reason that nothing goes round in circles: whatever narrows, narrows by a quarter or more."""
    width, stood = 0.0, None
    for gamma in held:
        stood = terms(stood).width_gamma("delta:SPX", gamma)
        now = intervals.delta_half_width_usd(1e-4, stood, 1e-7)
        assert stood >= gamma and (now >= width or now <= 0.75 * width * (1.0 + 1e-9))
        width = now


def agent_and_first(config: AgentsConfig | None = None) -> tuple[Market, AgentState, Proposal]:
    """A gamma agent that has said how wide its intervals are."""
    market = make_market({"SPX": 2700.0})
    agent = ready_agent(market, make_book(market.universe, 200), "gamma", config)
    return market, agent, first_proposal(agent)


def lots_for(first: Proposal, share: float) -> tuple[int, int]:
    """Lots, and the option, that take away ``share`` of the gamma that it is short."""
    at = first.factor.index("gamma:SPX")
    best = int(np.argmax(first.sensitivity[at]))
    return round(-share * float(first.exposure[at]) / float(first.sensitivity[at, best])), int(first.menu[best])


def bought(market: Market, agent: AgentState, first: Proposal, share: float, version: int = 1) -> Proposal:
    """What it says a second after it was given ``share`` of the gamma that it is short."""
    lots, row = lots_for(first, share)
    feed(agent, position_update(version, at=[row], lots=[lots]))
    (said,) = feed(agent, market.quotes("SPX", NOW_NS + version * NS_PER_S), Decide())
    assert said.trigger == "positions"
    return said


def test_less_gamma_narrows_the_delta_interval_only_once_the_price_has_moved() -> None:
    market, agent, first = agent_and_first()
    assert first.factor[0] == "delta:SPX" and first.exposure[1] < 0.0
    said = bought(market, agent, first, 0.3)
    assert abs(said.exposure[1]) < 0.8 * abs(first.exposure[1])
    assert said.upper[0] == first.upper[0] and said.lower[0] == first.lower[0]
    time = feed(agent, market.quotes("SPX", NOW_NS + 400 * NS_PER_S), Decide())[0]
    assert time.trigger == "time" and time.upper[0] == first.upper[0]
    market.future_price["SPX"] *= 1.0011
    moved = feed(agent, market.quotes("SPX", NOW_NS + 401 * NS_PER_S), Decide())[0]
    assert moved.trigger == "price move" and moved.upper[0] < 0.95 * first.upper[0]


def test_a_price_that_creeps_sets_widths_free_too() -> None:
    """Four basis points at a time, with a word each time: counted from where widths were last free, not from the last word."""
    market, agent, first = agent_and_first()
    future = int(market.universe.underlyings[0].future_instrument)
    lots, row = lots_for(first, 0.3)
    widths = []
    for k in range(1, 5):
        market.future_price["SPX"] *= 1.0004
        feed(agent, position_update(k, at=[row, future], lots=[lots, k]))
        (said,) = feed(agent, market.quotes("SPX", NOW_NS + k * NS_PER_S), Decide())
        widths.append(float(said.upper[0]))
    assert widths[1] == pytest.approx(widths[0], rel=0.01), "little but the cost in dollars goes with the price"
    assert widths[2] < 0.9 * widths[1], "free at twelve basis points"


def test_the_common_factor_stands_by_its_width_too() -> None:
    market = make_market({"SPX": 2700.0, "NDX": 6800.0})
    book = make_book(market.universe, 200)
    gamma = first_proposal(ready_agent(market, book, "gamma"))
    agent = ready_agent(market, book, "cross_asset")
    first = first_proposal(agent)
    lots, row = lots_for(gamma, 0.2)
    feed(agent, position_update(1, at=[row], lots=[lots]))
    (said,) = feed(agent, market.quotes("SPX", NOW_NS + NS_PER_S), Decide())
    fresh = ready_agent(market, book, "cross_asset")
    feed(fresh, agent.positions)
    assert first_proposal(fresh).upper[0] < 0.99 * first.upper[0]
    assert said.upper[0] == pytest.approx(first.upper[0], rel=1e-9)


def test_parameters_that_change_set_widths_free_also_right_after_a_fill() -> None:
    market, agent, first = agent_and_first()
    values = {"trigger.time_s": 299.0}
    change = AgentParameters(Header("manager", 9, NOW_NS), 1, values, "trigger.time_s", 300.0, 299.0, 0, "ann", "test")
    feed(agent, change)
    lots, row = lots_for(first, 0.3)
    feed(agent, position_update(1, at=[row], lots=[lots]))
    (said,) = feed(agent, market.quotes("SPX", NOW_NS + NS_PER_S), Decide())
    assert said.trigger == "parameters" and said.upper[0] < 0.95 * first.upper[0]


@pytest.mark.parametrize("share", [0.01, 1.0, 10.0])
def test_how_often_it_speaks_is_another_matter(share: float) -> None:
    config = AgentsConfig(
        shards={"gamma": 1, "vega": 1, "cross_asset": 1}, trigger=TriggerConfig(threshold_fraction_of_half_width=share)
    )
    market, agent, first = agent_and_first(config)
    assert bought(market, agent, first, 0.9).upper[0] < 0.5 * first.upper[0]


def test_it_says_what_a_fresh_agent_says_once_the_price_has_moved() -> None:
    market, agent, first = agent_and_first()
    bought(market, agent, first, 0.3)
    market.future_price["SPX"] *= 1.0011
    moved = feed(agent, market.quotes("SPX", NOW_NS + 2 * NS_PER_S), Decide())[0]
    fresh = ready_agent(market, agent.setup.book, "gamma")
    feed(fresh, agent.positions)
    feed(fresh, replace(market.quotes("SPX", NOW_NS + 2 * NS_PER_S), snapshot=True))
    assert first_proposal(fresh).upper.tolist() == pytest.approx(moved.upper.tolist(), rel=1e-6)


def test_much_less_gamma_narrows_it_at_once() -> None:
    market, agent, first = agent_and_first()
    assert bought(market, agent, first, 0.8).upper[0] < 0.75 * first.upper[0]


def test_what_a_quote_does_to_a_width_is_done_at_once() -> None:
    market, agent, _ = agent_and_first()
    (wide,) = feed(agent, position_update(1), market.quotes("SPX", NOW_NS + NS_PER_S, spread=0.03), Decide())
    (tight,) = feed(agent, position_update(2), market.quotes("SPX", NOW_NS + 2 * NS_PER_S, spread=0.026), Decide())
    assert wide.upper[1] > 1.05 * tight.upper[1], "cheaper hedges, a narrower interval"


def test_more_gamma_widens_it_at_once_and_what_was_widened_stands() -> None:
    market, agent, first = agent_and_first()
    wider = bought(market, agent, first, -0.3)
    assert wider.upper[0] > first.upper[0]
    back = bought(market, agent, first, 0.0, version=2)
    assert back.upper[0] == wider.upper[0], "a lot that comes and goes leaves the wider one"


def test_each_desk_stands_by_its_own() -> None:
    _, agent, _ = agent_and_first()
    picture = look(agent, (0,))
    menu, held = len(picture.menu), len(picture.held)

    def decide(_desk: str, _picture: Picture, its: Terms) -> Decision:
        gamma = its.width_gamma("delta:SPX", -9.0)
        width, none = np.array([gamma]), np.zeros((1, menu))
        return Decision(("delta:SPX",), np.zeros(1), width, none, np.zeros(menu), width_gamma={"delta:SPX": gamma})

    whole = Terms(1.0, {}, AgentsConfig(), {"delta:SPX@a": 10.0, "delta:SPX@b": 11.0})
    said = decide_desks(decide, picture, whole, {desk: np.zeros(held) for desk in "abc"})
    assert said.half_width.tolist() == [10.0, 11.0, 9.0]
    assert said.width_gamma == {"delta:SPX@a": 10.0, "delta:SPX@b": 11.0, "delta:SPX@c": 9.0}


@pytest.mark.slow
def test_two_desks_do_not_pass_a_lot_back_and_forth() -> None:
    """Found as seed 13672: at each quote one lot crossed, and at the next one back, for widths went with it."""
    found = simulate(13672)
    assert not found.failure, found.text()

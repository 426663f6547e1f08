"""An agent of several underlyings that cannot see one of them hedges the others, and says what it is blind to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.config import AgentsConfig
from agents.decision import Decision
from agents.step import AgentSetup, AgentState, Decide, start
from common.factors import underlying_of
from common.messages import Proposal
from common.units import NS_PER_S
from common.universe import Book, Desk
from tests.agents_market import (
    NOW_NS,
    Market,
    assignment_of,
    budget_update,
    feed,
    first_proposal,
    make_book,
    make_market,
    position_update,
    ready_agent,
)

ONE = AgentsConfig(shards={"gamma": 1, "vega": 1, "cross_asset": 1})
MINUTE_NS = 60 * NS_PER_S
HOW = ["gap", "silence", "no volatility"]


@pytest.fixture
def market() -> Market:
    return make_market({"SPX": 2700.0, "NDX": 6800.0})


def symbols_of(proposal: Proposal) -> set[str]:
    return {underlying_of(name) for name in proposal.factor}


def blinded(market: Market, agent: AgentState, how: str) -> list[Proposal]:
    """SPX is lost to the agent, NDX goes on; what it says then."""
    if how == "gap":
        market.quotes("SPX")  # lost on the way
        market.future_price["SPX"] *= 1.001
        return feed(agent, market.quotes("SPX"), market.quotes("NDX"), Decide())
    if how == "silence":
        return feed(agent, market.quotes("NDX", NOW_NS + 16 * MINUTE_NS), Decide())
    options = np.flatnonzero(market.universe.kind == 1)
    return feed(agent, market.quotes("SPX", NOW_NS + NS_PER_S, crossed=options), Decide())


@pytest.mark.parametrize("kind", ["gamma", "vega"])
@pytest.mark.parametrize("how", HOW)
def test_what_it_says_of_the_other_is_what_it_says_where_it_sees_both(market: Market, kind: str, how: str) -> None:
    agent = ready_agent(market, make_book(market.universe, 200), kind)
    both = first_proposal(agent)
    (alone,) = blinded(market, agent, how)
    assert alone.factor == tuple(name for name in both.factor if underlying_of(name) == "NDX")
    if how == "gap":  # at the same instant: the same numbers
        at = [both.factor.index(name) for name in alone.factor]
        assert alone.exposure.tolist() == both.exposure[at].tolist()
        assert alone.upper.tolist() == both.upper[at].tolist()
        menu = np.isin(both.menu, alone.menu)
        assert alone.menu.tolist() == both.menu[menu].tolist()
        assert np.array_equal(alone.sensitivity, both.sensitivity[np.ix_(at, menu)])
        assert alone.alone_lots.tolist() == both.alone_lots[menu].tolist()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("gap", "hedging, without SPX (gap in feed.SPX)"),
        ("silence", "hedging, without SPX (feed.SPX is stale)"),
        ("no volatility", "hedging, no volatility for delta:SPX, gamma:SPX"),
    ],
)
def test_it_says_what_it_is_blind_to(market: Market, how: str, said: str) -> None:
    agent = ready_agent(market, make_book(market.universe, 50), "gamma")
    first_proposal(agent)
    blinded(market, agent, how)
    assert agent.status == said


def test_once_it_sees_again_it_speaks_for_both(market: Market) -> None:
    agent = ready_agent(market, make_book(market.universe, 50), "gamma")
    both = first_proposal(agent)
    blinded(market, agent, "gap")
    (healed,) = feed(agent, replace(market.quotes("SPX"), snapshot=True), Decide())
    assert healed.factor == both.factor and agent.status == "hedging"
    blinded(market, agent, "no volatility")
    (priced,) = feed(agent, market.quotes("SPX", NOW_NS + 2 * NS_PER_S), Decide())
    assert priced.factor == both.factor and agent.status == "hedging"


def test_it_does_not_wait_for_an_underlying_that_opens_later(market: Market) -> None:
    state = start(AgentSetup(market.universe, make_book(market.universe, 50), "vega", 0, ONE, 1))
    feed(state, position_update(), budget_update(), assignment_of(market.universe, state.setup.book, ONE))
    (said,) = feed(state, market.quotes("NDX"), Decide())
    assert symbols_of(said) == {"NDX"}
    assert state.status == "starting: waiting for feed.SPX", "it is not ready to have keys given back"
    (said,) = feed(state, market.quotes("SPX"), Decide())
    assert symbols_of(said) == {"SPX", "NDX"} and state.status == "hedging"


def test_nor_for_one_whose_future_has_had_no_price_yet(market: Market) -> None:
    state = start(AgentSetup(market.universe, make_book(market.universe, 50), "gamma", 0, ONE, 1))
    feed(state, position_update(), budget_update(), assignment_of(market.universe, state.setup.book, ONE))
    everything = np.arange(len(market.universe))
    (said,) = feed(state, market.quotes("SPX", crossed=everything), market.quotes("NDX"), Decide())
    assert symbols_of(said) == {"NDX"} and state.status == "starting: waiting for a usable price of SPX"


@pytest.mark.parametrize("how", ["gap", "silence"])
def test_what_goes_over_all_underlyings_is_said_only_where_all_are_seen(market: Market, how: str) -> None:
    agent = ready_agent(market, make_book(market.universe, 50), "cross_asset")
    first_proposal(agent)
    assert blinded(market, agent, how) == []
    assert agent.status.startswith("stopped: ")


def two_desks(market: Market, east: np.ndarray, west: np.ndarray) -> AgentState:
    """A gamma agent of two desks, each short of ten lots of its contracts, that has seen both underlyings."""
    at = np.concatenate([east, west]).astype(np.uint32)
    account = ("E",) * len(east) + ("W",) * len(west)
    desks = (Desk("east", "", ("E",)), Desk("west", "", ("W",)))
    book = Book("desk", account, at, np.full(len(at), -10, np.int64), desks=desks)
    agent = start(AgentSetup(market.universe, book, "gamma", 0, ONE, 1))
    flat = replace(position_update(), desk=("east", "west"), desk_lots=np.zeros((2, 0), np.int64))
    feed(agent, flat, budget_update(), assignment_of(market.universe, book, ONE))
    feed(agent, market.quotes("SPX"), market.quotes("NDX"))
    return agent


def test_each_desk_is_spoken_for_where_it_is_seen(market: Market) -> None:
    spx, ndx = (market.listed_rows[s][5:40] for s in ("SPX", "NDX"))
    agent = two_desks(market, np.concatenate([spx, ndx]), np.concatenate([spx[:9], ndx[:9]]))
    both = first_proposal(agent)
    assert len(both.factor) == 8
    (alone,) = blinded(market, agent, "gap")
    assert alone.factor == tuple(name for name in both.factor if underlying_of(name) == "NDX")
    assert alone.desk == both.desk == ("east", "west")


def test_what_one_desk_cannot_price_silences_no_other_desk(market: Market) -> None:
    spx, ndx = (market.listed_rows[s][5:40] for s in ("SPX", "NDX"))
    agent = two_desks(market, spx, ndx)
    both = first_proposal(agent)
    (said,) = blinded(market, agent, "no volatility")
    lost = ("delta:SPX@east", "gamma:SPX@east")
    assert said.factor == tuple(name for name in both.factor if name not in lost)
    assert agent.status == "hedging, no volatility for delta:SPX@east, gamma:SPX@east"


def test_where_one_bucket_has_no_volatility_nothing_is_said_of_its_underlying() -> None:
    """What its options do to that bucket nobody knows then, and a part of an underlying would pass for the whole."""
    names = ("vega:SPX/8-30d", "vega:SPX/31-60d", "vega:NDX/8-30d")
    moves = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    whole = Decision(names, np.array([1.0, np.nan, 3.0]), np.ones(3), moves, np.array([-4.0, 5.0]))
    said, unpriced = whole.sayable({"SPX", "NDX", ""})
    assert said.factor == ("vega:NDX/8-30d",)
    assert said.exposure.tolist() == [3.0] and said.sensitivity.tolist() == [[0.0, 1.0]]
    assert said.alone_lots.tolist() == [0.0, 5.0], "nor is anything wished for it"
    assert unpriced == ("vega:SPX/31-60d",)
    of_desks = replace(
        whole,
        factor=("vega:SPX/8-30d@a", "vega:SPX/31-60d@a", "vega:SPX/8-30d@b"),
        sensitivity=np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]),
        desk=("a", "b"),
        desk_alone_lots=np.array([[-4.0, 5.0], [2.0, 0.0]]),
    )
    said, _ = of_desks.sayable({"SPX"})
    assert said.desk_alone_lots.tolist() == [[0.0, 0.0], [2.0, 0.0]] and said.alone_lots.tolist() == [2.0, 0.0]
    assert whole.sayable({"SPX"})[0].factor == () and whole.sayable({"NDX"})[1] == ()


@settings(max_examples=40)
@given(
    st.sampled_from(["gamma", "vega"]),
    st.lists(st.tuples(st.sampled_from(["SPX", "NDX", "RUT"]), st.sampled_from(["gap", "heal", "quote"])), max_size=12),
)
def test_it_speaks_for_all_it_sees_and_for_nothing_else(kind: str, news: list[tuple[str, str]]) -> None:
    """Whatever comes and goes: the newest proposal names exactly the factors of what is seen, kept by the test itself."""
    market = make_market({"SPX": 2700.0, "NDX": 6800.0, "RUT": 1500.0}, strikes=6)
    agent = ready_agent(market, make_book(market.universe, 60), kind)
    every = first_proposal(agent).factor
    lost: set[str] = set()
    for second, (symbol, what) in enumerate(news, 1):
        now_ns = NOW_NS + second * NS_PER_S
        if what == "gap":
            market.quotes(symbol, now_ns)
            lost.add(symbol)
        batch = replace(market.quotes(symbol, now_ns), snapshot=what == "heal")
        lost -= {symbol} if what == "heal" else set()
        market.future_price["NDX"] *= 1.002
        for proposal in feed(agent, batch, Decide()):
            assert proposal.factor == tuple(name for name in every if underlying_of(name) not in lost)
            assert np.isfinite(proposal.exposure).all() and np.isfinite(proposal.upper).all()
        assert ("without" in agent.status or agent.status.startswith("stopped")) == bool(lost)

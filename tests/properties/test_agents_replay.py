"""Whatever happened to an agent, its recorded inputs lead a fresh one to the same proposals, byte for byte."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import recorder
from agents.config import AgentsConfig, TriggerConfig
from agents.replay import replay
from agents.step import AgentSetup, Decide, start, step
from common.messages import AssignmentUpdate, Header, Proposal
from common.snapshot import MarketSnapshot
from common.units import NS_PER_S
from tests.agents_market import NOW_NS, budget_update, make_book, make_market, position_update

SYMBOLS = ("SPX", "NDX")
ACTIONS = (
    "quote SPX",
    "quote NDX",
    "quote SPX",
    "quote NDX",
    "lose",
    "heal",
    "trade",
    "budget",
    "keys",
    "decide",
    "decide",
)


class Recording:
    """What the feed and the manager published: the streams a replay looks things up in."""

    def __init__(self, market):
        self.market = market
        self.published = {}
        self.standing = MarketSnapshot(market.universe)

    def quote(self, symbol, now_ns, rows):
        batch = self.market.quotes(symbol, now_ns, rows=rows)
        self.published[(batch.header.source, batch.header.sequence)] = batch
        self.standing.apply(batch)
        return batch

    def snapshot(self, symbol):
        return self.standing.as_batch(symbol)

    def keep(self, stream, number, event):
        self.published[(stream, number)] = event
        return event

    def lookup(self, stream, sequence):
        if stream.startswith(recorder.SNAPSHOT_PREFIX):
            source = stream.removeprefix(recorder.SNAPSHOT_PREFIX)
            again = MarketSnapshot(self.market.universe)
            for i in range(1, sequence + 1):
                again.apply(self.published[(source, i)])
            return again.as_batch(source.partition(".")[2])
        return self.published[(stream, sequence)]


def keys_of(setup):
    """Every key of the agent's kind, all its own."""
    keys = {
        "gamma": [f"gamma/{s}" for s in SYMBOLS],
        "vega": [f"vega/{s}/{b}" for s in SYMBOLS for b in ("0-7d", "8-30d", "31-60d")],
        "cross_asset": ["cross_asset/common"],
    }
    return dict.fromkeys(keys[setup.kind], setup.name)


class Life:
    """An agent led through actions drawn from a seed; ``said`` are its proposals."""

    def __init__(self, recording, setup, seed):
        self.recording = recording
        self.rng = np.random.default_rng(seed)
        self.state = start(setup)
        self.said: list[Proposal] = []
        self.now_ns, self.counters = NOW_NS, {"positions": 0, "budgets": 0, "assignment": 0}
        self.full = keys_of(setup)
        self.assign(self.full)
        self.publish("budgets", budget_update)
        self.publish("positions", position_update)
        for symbol in SYMBOLS:
            recording.quote(symbol, self.now_ns, None)
            self.take(recording.snapshot(symbol))

    def take(self, event):
        self.state, more = step(self.state, event)
        self.said.extend(more)

    def publish(self, stream, update, *arguments):
        self.counters[stream] += 1
        n = self.counters[stream]
        self.take(self.recording.keep(stream, n, update(n, *arguments)))

    def assign(self, owner):
        self.publish("assignment", lambda n: AssignmentUpdate(Header("manager", n, self.now_ns), n, owner))

    def quote(self, symbol):
        market, rng = self.recording.market, self.rng
        market.future_price[symbol] *= float(np.exp(6e-4 * rng.standard_normal()))
        rows = market.listed_rows[symbol]
        rows = None if rng.random() < 0.3 else np.unique(np.r_[rows[0], rng.choice(rows, 40)])
        self.take(self.recording.quote(symbol, self.now_ns, rows))

    def act(self, action):
        rng = self.rng
        self.now_ns += int(rng.integers(1, 90)) * NS_PER_S
        if action.startswith("quote"):
            self.quote(action[6:])
        elif action == "lose":
            self.recording.quote(SYMBOLS[int(rng.integers(2))], self.now_ns, None)
        elif action == "heal":
            for symbol in SYMBOLS:
                self.take(self.recording.snapshot(symbol))
        elif action == "trade":
            at = rng.choice(len(self.recording.market.universe), 5, replace=False)
            self.publish("positions", position_update, at, rng.integers(-20, 20, 5))
        elif action == "budget":
            self.publish("budgets", budget_update, 1e-7 * float(rng.uniform(0.5, 2)))
        elif action == "keys":
            half = dict(list(self.full.items())[: max(1, len(self.full) // 2)])
            self.assign(half if rng.random() < 0.5 else self.full)
        else:
            self.take(Decide())


def live(recording, setup, actions, seed):
    """Lead an agent through the actions; returns its proposals."""
    life = Life(recording, setup, seed)
    for action in actions:
        life.act(action)
    return life.said


@pytest.mark.parametrize("kind", ["gamma", "vega", "cross_asset"])
@given(actions=st.lists(st.sampled_from(ACTIONS), min_size=10, max_size=60), seed=st.integers(0, 2**31))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_replay_is_byte_equal(kind, actions, seed):
    check(kind, actions, seed)


@pytest.mark.parametrize("runs", range(12, 28))
def test_replay_after_the_record_was_full(monkeypatch, runs):
    """Whichever event it is that fills the record: news, or the look that would have spoken."""
    monkeypatch.setattr(recorder, "MAX_RUNS", runs)
    actions = (
        ["quote SPX", "decide", "quote NDX", "decide"] * 25
        + ["lose", "quote SPX", "quote NDX"] * 8
        + ["heal", "decide"]
    )
    said = check("gamma", actions, 3)
    assert any(run.stream == recorder.RESET for proposal in said for run in proposal.inputs)


def check(kind, actions, seed):
    market = make_market(dict.fromkeys(SYMBOLS, 2700.0), strikes=10)
    trigger = TriggerConfig(price_move_bp=8, time_s=1200, threshold_fraction_of_half_width=0.5)
    setup = AgentSetup(market.universe, make_book(market.universe, 60), kind, 0, AgentsConfig(trigger=trigger), 1)
    recording = Recording(market)
    said = live(recording, setup, actions, seed)
    state, again = start(setup), []
    for proposal in said:
        state, more = replay(state, proposal.inputs, recording.lookup)
        again += more
    assert len(again) == len(said)
    for one, two in zip(said, again, strict=True):
        # the wall time of arrival is that of the batch last applied; a snapshot carries none
        assert pickle.dumps(as_bytes(one)) == pickle.dumps(as_bytes(two))
    return said


def as_bytes(proposal):
    return [
        value.tobytes() if isinstance(value, np.ndarray) else repr(value)
        for value in (getattr(proposal, name) for name in Proposal.__dataclass_fields__)
    ]


def test_two_lives_of_the_same_inputs_are_one():
    market = make_market(dict.fromkeys(SYMBOLS, 2700.0), strikes=10)
    setup = AgentSetup(market.universe, make_book(market.universe, 60), "gamma", 0, AgentsConfig(), 1)
    actions = ["quote SPX", "quote NDX", "decide", "trade", "decide"] * 6
    one = live(Recording(market), setup, actions, 8)
    fresh = make_market(dict.fromkeys(SYMBOLS, 2700.0), strikes=10)
    two = live(Recording(fresh), replace(setup, universe=fresh.universe), actions, 8)
    assert [as_bytes(p) for p in one] == [as_bytes(p) for p in two] and len(one) > 3

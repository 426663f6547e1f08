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


def live(recording, setup, actions, seed):
    """Lead an agent through the actions; returns its proposals."""
    rng = np.random.default_rng(seed)
    state = start(setup)
    said: list[Proposal] = []
    now_ns, counters = NOW_NS, {"positions": 0, "budgets": 0, "assignment": 0}
    full = (
        {f"{setup.kind}/{s}": setup.name for s in SYMBOLS}
        if setup.kind == "gamma"
        else {
            "vega": {f"vega/{s}/{b}": setup.name for s in SYMBOLS for b in ("0-7d", "8-30d", "31-60d")},
            "cross_asset": {"cross_asset/common": setup.name},
        }[setup.kind]
    )

    def take(*events):
        nonlocal state
        for event in events:
            state, more = step(state, event)
            said.extend(more)

    def number(stream):
        counters[stream] += 1
        return counters[stream]

    def assign(owner):
        n = number("assignment")
        take(recording.keep("assignment", n, AssignmentUpdate(Header("manager", n, now_ns), n, owner)))

    assign(full)
    n = number("budgets")
    take(recording.keep("budgets", n, budget_update(n)))
    n = number("positions")
    take(recording.keep("positions", n, position_update(n)))
    for symbol in SYMBOLS:
        recording.quote(symbol, now_ns, None)
        take(recording.snapshot(symbol))
    for action in actions:
        now_ns += int(rng.integers(1, 90)) * NS_PER_S
        if action.startswith("quote"):
            symbol = action[6:]
            recording.market.future_price[symbol] *= float(np.exp(6e-4 * rng.standard_normal()))
            rows = recording.market.listed_rows[symbol]
            rows = None if rng.random() < 0.3 else np.unique(np.r_[rows[0], rng.choice(rows, 40)])
            take(recording.quote(symbol, now_ns, rows))
        elif action == "lose":
            recording.quote(SYMBOLS[int(rng.integers(2))], now_ns, None)
        elif action == "heal":
            for symbol in SYMBOLS:
                take(recording.snapshot(symbol))
        elif action == "trade":
            n = number("positions")
            at = rng.choice(len(recording.market.universe), 5, replace=False)
            take(recording.keep("positions", n, position_update(n, at, rng.integers(-20, 20, 5))))
        elif action == "budget":
            n = number("budgets")
            take(recording.keep("budgets", n, budget_update(n, 1e-7 * float(rng.uniform(0.5, 2)))))
        elif action == "keys":
            half = dict(list(full.items())[: max(1, len(full) // 2)])
            assign(half if rng.random() < 0.5 else full)
        else:
            take(Decide())
    return said


@pytest.mark.parametrize("kind", ["gamma", "vega", "cross_asset"])
@given(actions=st.lists(st.sampled_from(ACTIONS), min_size=10, max_size=60), seed=st.integers(0, 2**31))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_replay_is_byte_equal(kind, actions, seed):
    check(kind, actions, seed)


def test_replay_after_the_record_was_full(monkeypatch):
    monkeypatch.setattr(recorder, "MAX_RUNS", 25)
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

"""Every message comes back from its bytes as it was, NaN, extremes and emptiness included."""

from __future__ import annotations

import dataclasses
from enum import IntEnum

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from common import control_messages as c
from common import messages as m
from common.tactics import Combo, Follow, Tactic, TacticKind
from common.universe import Book, Underlying, Universe
from common.wire import codec

U64 = st.integers(0, 2**64 - 1)
I64 = st.integers(-(2**63), 2**63 - 1)
U32 = st.integers(0, 2**32 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
FLOAT = st.floats(allow_nan=False)


def column(dtype: str, n: int | tuple[int, int]) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.dtype(dtype), n)


def names(n: int, *, unique: bool = False) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(TEXT, min_size=n, max_size=n, unique=unique).map(tuple)


def same(a: object, b: object) -> bool:
    """Equal bit for bit, arrays with dtype and shape."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, IntEnum) or not dataclasses.is_dataclass(a):
        if isinstance(a, tuple) and isinstance(b, tuple):
            return len(a) == len(b) and all(map(same, a, b))
        return type(a) is type(b) and a == b
    return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))


HEADER = st.builds(m.Header, NAME, U64, I64, I64, TEXT)
COUNT = st.integers(0, 9)


@st.composite
def quote_batches(draw):
    n = draw(COUNT)
    columns = [draw(column(t, n)) for t in ("<u4", "<i4", "<i4", "<i4", "<i4")]
    times = draw(column("<i8", draw(st.sampled_from([0, n]))))
    return m.QuoteBatch(draw(HEADER), *columns, times, draw(st.booleans()))


@st.composite
def universes(draw):
    u = draw(st.integers(1, 3))
    n = draw(COUNT)
    underlying = draw(hnp.arrays(np.dtype("<u2"), n, elements=st.integers(0, u - 1)))
    types = {
        "kind": "u1",
        "expiry_ns": "<i8",
        "strike": "<f8",
        "right": "i1",
        "style": "u1",
        "multiplier_usd": "<f8",
        "tick_size": "<f8",
        "fee_cents": "<i8",
        "listed": "u1",
    }
    return Universe(
        instrument_id=draw(names(n, unique=True)),
        underlying=underlying,
        underlyings=tuple(
            draw(st.builds(Underlying, TEXT, st.integers(-1, 2**31 - 1), FLOAT, FLOAT)) for _ in range(u)
        ),
        covariance_daily=draw(column("<f8", (u, u))),
        covariance_source=draw(TEXT),
        **{name: draw(column(dtype, n)) for name, dtype in types.items()},
    )


@st.composite
def books(draw):
    n = draw(COUNT)
    price = draw(column("<f8", draw(st.sampled_from([0, n]))))
    return Book(draw(TEXT), draw(names(n)), draw(column("<u4", n)), draw(column("<i8", n)), price)


RUN = st.builds(m.InputRun, TEXT, U64, U32)


@st.composite
def proposals(draw):
    f, n, k = draw(COUNT), draw(COUNT), draw(COUNT)
    return m.Proposal(
        header=draw(HEADER),
        kind=draw(TEXT),
        shard=draw(U32),
        book_id=draw(TEXT),
        incarnation=draw(U64),
        assignment_version=draw(U64),
        position_version=draw(U64),
        budget_epoch=draw(U64),
        inputs=tuple(draw(st.lists(RUN, max_size=4))),
        factor=draw(names(f)),
        exposure=draw(column("<f8", f)),
        lower=draw(column("<f8", f)),
        upper=draw(column("<f8", f)),
        weighs_cost=draw(column("u1", f)),
        menu=draw(column("<u4", n)),
        sensitivity=draw(column("<f8", (f, n))),
        alone_lots=draw(column("<f8", n)),
        trigger=draw(TEXT),
        expires_ns=draw(I64),
        reported=draw(names(k)),
        reported_value=draw(column("<f8", k)),
    )


@st.composite
def position_updates(draw):
    n = draw(COUNT)
    return m.PositionUpdate(draw(HEADER), draw(U64), draw(column("<u4", n)), draw(column("<i8", n)))


@st.composite
def budget_updates(draw):
    f = draw(COUNT)
    columns = draw(column("<f8", f)), draw(column("<f8", f))
    return m.BudgetUpdate(draw(HEADER), draw(U64), draw(names(f)), *columns, draw(FLOAT))


ASSIGNMENT = st.builds(m.AssignmentUpdate, HEADER, U64, st.dictionaries(TEXT, TEXT, max_size=6))
HEARTBEAT = st.builds(
    m.Heartbeat,
    header=HEADER,
    incarnation=U64,
    state=TEXT,
    loop=TEXT,
    pid=U32,
    proposals=U64,
    batches=U64,
    gaps=U64,
    decide_p50_us=FLOAT,
    decide_p99_us=FLOAT,
    rss_bytes=U64,
    unusable_quotes=U64,
    keys=st.lists(TEXT, max_size=4).map(tuple),
    assignment_version=U64,
    busy_share=FLOAT,
    lag_us=FLOAT,
    node=TEXT,
)
COMMAND = st.builds(c.Command, NAME, NAME, TEXT, TEXT, TEXT)
ACKNOWLEDGEMENT = st.builds(c.Acknowledgement, TEXT, st.booleans(), TEXT)
ORDER = st.builds(
    m.Order,
    client_order_id=NAME,
    epoch=U64,
    instrument_id=TEXT,
    instrument=U32,
    side=st.sampled_from(m.Side),
    quantity_lots=I64,
    limit_ticks=I64,
    time_in_force=st.sampled_from(m.TimeInForce),
    book_id=TEXT,
    cycle_id=TEXT,
    inputs_hash=TEXT,
    cause_id=TEXT,
    order_sequence=U64,
    receive_time_ns=I64,
    event_time_ns=I64,
    allocation=st.lists(st.tuples(TEXT, I64), max_size=3).map(tuple),
    cost_shares=st.lists(st.builds(m.CostShare, TEXT, TEXT, U32), max_size=3).map(tuple),
    arrival_bid_ticks=I64,
    arrival_ask_ticks=I64,
    ord_type=st.sampled_from(m.OrdType),
    orig_client_order_id=TEXT,
    tactic=st.builds(Tactic, st.sampled_from(TacticKind), U32, U32, U32, U32, U32, U32, U32),
    follows=st.one_of(st.none(), st.builds(Follow, NAME, U32, U32)),
    combo=st.one_of(
        st.none(),
        st.builds(
            Combo, st.lists(st.tuples(NAME, U32), min_size=1, max_size=4).map(tuple), st.integers(-(2**62), 2**62)
        ),
    ),
)
STATUS = st.sampled_from(m.OrdStatus)
REPORT = st.builds(
    m.ExecutionReport,
    sequence=U64,
    exec_id=NAME,
    client_order_id=NAME,
    ord_status=STATUS,
    last_lots=I64,
    last_ticks=I64,
    cum_lots=I64,
    leaves_lots=I64,
    fee_cents=I64,
    instrument=U32,
    side=st.sampled_from(m.Side),
    refusal=st.sampled_from(m.Refusal),
    text=TEXT,
    event_time_ns=I64,
    receive_time_ns=I64,
    bid_ticks=I64,
    ask_ticks=I64,
    child_order_id=TEXT,
)
ORDER_STATE = st.builds(m.OrderState, ORDER, STATUS, I64, I64)
ACK = st.builds(m.OrderAck, NAME, STATUS, st.sampled_from(m.Refusal), TEXT, st.booleans(), I64)


@st.composite
def cycles(draw):
    f, n = draw(COUNT), draw(COUNT)
    factors = {k: draw(column("<f8", f)) for k in ("exposure_before", "exposure_after", "lower", "upper")}
    return c.Cycle(
        cycle_id=draw(TEXT),
        market_seen=tuple(draw(st.lists(st.tuples(TEXT, U64), max_size=3))),
        proposal_id=draw(names(2)),
        method=draw(TEXT),
        factor=draw(names(f)),
        price_of_risk=draw(column("<f8", f)),
        menu=draw(column("<u4", n)),
        solution_lots=draw(column("<f8", n)),
        ordered_lots=draw(column("<i8", n)),
        wished_lots=draw(column("<f8", n)),
        iterations=draw(U32),
        orders=tuple(draw(st.lists(ORDER, max_size=2))),
        inputs_hash=draw(TEXT),
        cost_cents=draw(I64),
        wished_cost_cents=draw(I64),
        solve_ns=draw(I64),
        **factors,
    )


@st.composite
def budget_rounds(draw):
    f, u, s, k = (draw(COUNT) for _ in range(4))
    of_factor = {n: draw(column("<f8", f)) for n in ("exposure", "used", "price_of_risk", "share", "soft_limit")}
    of_scope = ("risk_usd", "open_usd", "pnl_usd", "high_usd", "stop_usd", "worst_loss_usd")
    return c.BudgetRound(
        number=draw(U32),
        reasons=draw(names(2)),
        market_seen=tuple(draw(st.lists(st.tuples(TEXT, U64), max_size=3))),
        limits_version=draw(U32),
        day=draw(I64),
        published=draw(st.booleans()),
        factor=draw(names(f)),
        sigma_daily=draw(column("<f8", u)),
        mid=draw(column("<f8", u)),
        fresh=draw(column("u1", u)),
        scope=draw(names(s)),
        reduce_only=draw(names(s)),
        spender=draw(names(k)),
        cost_cents=draw(column("<i8", k)),
        spent_cents=draw(column("<i8", k)),
        unpriced=draw(U32),
        **of_factor,
        **{n: draw(column("<f8", s)) for n in of_scope},
    )


@st.composite
def struck_days(draw):
    k, d = draw(COUNT), draw(COUNT)
    return c.DayStruck(
        day=draw(I64),
        at_ns=draw(I64),
        market_seen=tuple(draw(st.lists(st.tuples(TEXT, U64), max_size=3))),
        instrument=draw(column("<u4", k)),
        mark=draw(column("<f8", k)),
        desk=draw(names(d)),
        level_usd=draw(column("<f8", d)),
        pnl_usd=draw(column("<f8", d)),
        late=draw(names(2)),
    )


TRADE = st.builds(c.ImportedTrade, TEXT, TEXT, U32, I64, FLOAT, I64, TEXT, TEXT)
PARAMETERS = st.builds(
    m.AgentParameters, HEADER, U32, st.dictionaries(TEXT, FLOAT, max_size=3), TEXT, FLOAT, FLOAT, U32, TEXT, TEXT
)
EVENTS = {
    "leader": st.builds(
        c.LeaderStarted,
        TEXT,
        U64,
        st.lists(ORDER_STATE, max_size=2).map(tuple),
        st.lists(st.tuples(TEXT, U64), max_size=3).map(tuple),
    ),
    "proposal": st.builds(c.ProposalTaken, proposals(), TEXT),
    "cycle": cycles(),
    "report": REPORT,
    "command": st.builds(c.CommandTaken, COMMAND, ACKNOWLEDGEMENT),
    "budgets": budget_updates(),
    "assignment": ASSIGNMENT,
    "round": budget_rounds(),
    "cancel": st.builds(c.CancelAsked, st.lists(TEXT, max_size=3).map(tuple), TEXT),
    "imported": st.builds(
        c.TradesImported,
        TEXT,
        st.lists(TRADE, max_size=3).map(tuple),
        st.lists(st.tuples(TEXT, U64), max_size=3).map(tuple),
        st.lists(st.tuples(U32, FLOAT), max_size=3).map(tuple),
    ),
    "parameters": PARAMETERS,
    "struck": struck_days(),
    "feed": st.builds(c.FeedSilence, FLOAT),
}
BYTES = {
    "quote_batch": quote_batches(),
    "universe": universes(),
    "book": books(),
    "proposal": proposals(),
    "position_update": position_updates(),
    "budget_update": budget_updates(),
    "assignment_update": ASSIGNMENT,
    "agent_parameters": PARAMETERS,
    "heartbeat": HEARTBEAT,
    "command": COMMAND,
    "acknowledgement": ACKNOWLEDGEMENT,
    "cycle": cycles(),
}


@pytest.mark.parametrize("name", BYTES)
def test_every_message_comes_back(name):
    encode, decode = getattr(codec, f"encode_{name}"), getattr(codec, f"decode_{name}")

    @settings(max_examples=60)
    @given(BYTES[name])
    def check(message):
        data = encode(message)
        assert isinstance(data, bytes)
        assert same(decode(data), message)

    check()


@pytest.mark.parametrize("kind", EVENTS)
def test_every_journal_event_comes_back(kind):
    entry = st.builds(c.JournalEntry, U64, U64, I64, I64, EVENTS[kind], HEADER)

    @settings(max_examples=40)
    @given(entry)
    def check(message):
        assert same(codec.decode_journal_entry(codec.encode_journal_entry(message)), message)

    check()


def test_the_events_here_are_all_there_are():
    covered = {c.LeaderStarted, c.ProposalTaken, c.Cycle, m.ExecutionReport, c.CommandTaken, m.BudgetUpdate}
    covered |= {m.AssignmentUpdate, c.CancelAsked, c.BudgetRound, c.TradesImported, m.AgentParameters, c.DayStruck}
    covered |= {c.FeedSilence}
    assert covered == set(c.JournalEvent.__args__)
    assert len(EVENTS) == len(c.JournalEvent.__args__)


@pytest.mark.parametrize(
    ("to_pb", "from_pb", "messages"),
    [
        (codec.order_to_pb, codec.order_from_pb, ORDER),
        (codec.report_to_pb, codec.report_from_pb, REPORT),
        (codec.ack_to_pb, codec.ack_from_pb, ACK),
        (codec.order_state_to_pb, codec.order_state_from_pb, ORDER_STATE),
    ],
)
def test_execution_messages_come_back(to_pb, from_pb, messages):
    @settings(max_examples=60)
    @given(messages)
    def check(message):
        pb = to_pb(message)
        assert same(from_pb(type(pb).FromString(pb.SerializeToString())), message)

    check()


@given(quote_batches())
def test_decoded_columns_cannot_be_changed(batch):
    again = codec.decode_quote_batch(codec.encode_quote_batch(batch))
    assert not again.bid_ticks.flags.writeable

"""Same input, same orders: twice the same events, and sources interleaved differently between the same decisions."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common import factors
from common.messages import Order, OrdStatus
from common.units import NS_PER_S
from manager import events as ev
from manager.hash import order_hash
from tests.manager_world import SYMBOLS, Desk, all_agents, quotes


def run(seed: int, swap: bool) -> Desk:
    rng = np.random.default_rng(seed)
    desk = Desk()
    for _ in range(8):
        seconds, scale, shift = rng.uniform(0, 400), rng.uniform(-0.8, 0.8), rng.uniform(-0.01, 0.01)
        desk.now_ns += int(seconds * 1e9)
        for symbol in SYMBOLS[::-1] if swap else SYMBOLS:
            desk.sequence[symbol] += 1
            batch = quotes(desk.world, symbol, desk.sequence[symbol], desk.now_ns, shift)
            desk.send(ev.MarketNews(batch))
        all_agents(desk, scale)
        for order in desk.decide():
            desk.fill(order)
    return desk


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_same_events_same_instructions_and_interleaving_of_sources_does_not_matter(seed: int) -> None:
    first, again, swapped = run(seed, False), run(seed, False), run(seed, True)
    assert first.orders
    assert order_hash(first.orders) == order_hash(again.orders) == order_hash(swapped.orders)
    assert [o.inputs_hash for o in first.orders] == [o.inputs_hash for o in swapped.orders]
    assert repr(first.journal) == repr(again.journal)


def test_a_replay_that_decides_only_where_the_record_says_so_finds_the_same_orders() -> None:
    """Live, Decide comes whenever the queue is empty; those that recorded nothing must not matter."""
    live, events = Desk(), []

    def send(event: ev.Event) -> list[Order]:
        before = len(live.orders)
        recorded = [i for i in live.send(event) if isinstance(i, ev.Record)]
        if not isinstance(event, ev.Decide) or recorded:
            events.append(event)
        return live.orders[before:]

    silent = 0
    for k in range(12):
        live.now_ns += 2 * NS_PER_S
        for symbol in SYMBOLS:
            live.sequence[symbol] += 1
            send(ev.MarketNews(quotes(live.world, symbol, live.sequence[symbol], live.now_ns, 0.001 * (k % 3))))
            send(ev.Decide(live.now_ns, k))
        for u, symbol in enumerate(SYMBOLS):
            at = 3e6 if k % 3 == 0 else 1e5
            send(ev.ProposalArrived(k, live.proposal(f"gamma-{u}", {factors.delta(symbol): at}, 3e5, menu=[u])))
            for order in send(ev.Decide(live.now_ns, k)):
                lots = order.quantity_lots if k % 2 else 0
                send(ev.ReportArrived(k, live.report(order, OrdStatus.FILLED if lots else OrdStatus.CANCELED, lots)))
            silent += 1
    decided = sum(isinstance(e, ev.Decide) for e in events)
    assert live.orders and decided < silent
    replay = Desk()
    for event in events:
        replay.send(event)
    assert order_hash(replay.orders) == order_hash(live.orders)
    assert [o.cause_id for o in replay.orders] == [o.cause_id for o in live.orders]


def test_order_hash_ignores_wall_time_and_sees_content() -> None:
    from dataclasses import replace

    desk = run(1, False)
    (order, *_) = desk.orders
    assert order_hash([replace(order, receive_time_ns=1)]) == order_hash([order])
    for change in ({"quantity_lots": 99}, {"limit_ticks": 1}, {"client_order_id": "x"}, {"instrument_id": "y"}):
        assert order_hash([replace(order, **change)]) != order_hash([order])
    assert order_hash(desk.orders) != order_hash(desk.orders[::-1]) or len(desk.orders) < 2

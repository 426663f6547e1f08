"""Fuzzing execution in process, in short; and that the oracle sees an order, a crash, a change and a hang when there is one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hedgerow.execution.v1 import execution_pb2 as pb

from benchmarks import fuzz_execution as fuzz
from common.messages import OrderAck, OrdStatus, Refusal, TradingState
from common.wire.execution_codec import order_to_pb
from execution import checks, core
from execution.stream import STREAM_BOUND, AckStream
from lab.fuzz.mutation import Cases
from lab.fuzz.spelled import orders_in, same


def test_orders_that_reach_the_venue_are_spelled_out_and_allowed(tmp_path: Path) -> None:
    verdict = asyncio.run(fuzz.trading(tmp_path, fuzz.order_cases(11), 0, 1200))
    assert verdict.findings == [] and verdict.messages == 1200
    assert verdict.counts["orders at the venue, each spelled and allowed"] > 100


def test_nothing_but_a_valid_request_changes_epoch_or_trading(tmp_path: Path) -> None:
    verdict = asyncio.run(fuzz.control(tmp_path, fuzz.control_cases(12), 0, 1200))
    assert verdict.findings == [] and verdict.counts["answered"] > 100


def test_an_order_that_a_check_lets_through_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_size", lambda *_: None)
    verdict = asyncio.run(fuzz.trading(tmp_path, fuzz.order_cases(11), 0, 1200))
    assert any("lots, limit 5" in text for text in verdict.orders)


def test_a_refusal_of_the_core_that_is_missing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "_not_leading", lambda *_: None)
    verdict = asyncio.run(fuzz.trading(tmp_path, fuzz.order_cases(11), 0, 1200))
    assert any("epoch" in text for text in verdict.orders)


def test_a_core_that_raises_and_a_state_that_changes_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, seen = core._submit, [0]

    def planted(state, event):
        seen[0] += 1
        if seen[0] == 200:
            state.trading = replace(state.trading, state=TradingState.REDUCE_ONLY)
        if seen[0] == 600:
            raise IndexError("planted")
        return step(state, event)

    monkeypatch.setattr(core, "_submit", planted)
    verdict = asyncio.run(fuzz.trading(tmp_path, fuzz.order_cases(11), 0, 600))
    assert any("planted" in text for text in verdict.crashes) and any("REDUCE_ONLY" in text for text in verdict.changes)


def test_a_stream_that_does_not_answer_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "ANSWER_S", 0.05)
    monkeypatch.setattr(AckStream, "deliver", lambda *_: None)
    verdict = asyncio.run(fuzz.trading(tmp_path, fuzz.order_cases(11), 0, 64))
    assert any("orders and cancels answered" in text for text in verdict.hangs)


def test_the_reader_of_the_wire_agrees_with_protobuf() -> None:
    cases, compared = Cases(5, fuzz.requests_of(fuzz.EPOCH)), 0
    for number in range(3000):
        data = cases.case(number).data
        try:
            request = pb.StreamOrdersRequest.FromString(data)
        except Exception:  # what protobuf does not read, nobody compares
            assert number >= 0
            continue
        orders = list(request.submit.orders or request.replace.orders)
        read = orders_in(data)
        assert len(read) == len(orders), f"5:{number}"
        for mine, theirs in zip(read, orders, strict=True):
            compared += 1
            assert mine.get(2, 0) == theirs.epoch and mine.get(1, b"").decode() == theirs.client_order_id, f"5:{number}"
    assert compared > 500
    one = fuzz._one_lot(1, 3)
    request = pb.StreamOrdersRequest(submit=pb.SubmitOrders(orders=[order_to_pb(one)]))
    (spelled,) = orders_in(request.SerializeToString())
    assert same(one, spelled) and not same(replace(one, quantity_lots=2), spelled)


# -- what fuzzing found ------------------------------------------------------------------------------------------------


def _case(message: object) -> object:
    return Cases(0, [fuzz.Seed(fuzz.STREAM, message.SerializeToString(), pb.StreamOrdersRequest)]).case(0)


async def _told(folder: Path, *orders) -> list[OrderAck]:
    out: list[OrderAck] = []
    async with fuzz.World(folder, TradingState.ACTIVE) as world:
        message = pb.StreamOrdersRequest(submit=pb.SubmitOrders(orders=map(order_to_pb, orders)))

        async def requests():
            yield message

        async with asyncio.timeout(10.0):
            async for response in world.servicer.StreamOrders(requests(), fuzz.Context()):
                out += response.acks
        assert world.died() == ""
    return out


def test_an_order_time_before_1970_and_long_texts_are_answered(tmp_path: Path) -> None:
    plain = fuzz._one_lot(1, fuzz.EPOCH)
    old = replace(plain, receive_time_ns=-(2**63))
    long = replace(plain, client_order_id="long", cause_id="x" * (checks.MAX_TEXT_LENGTH + 1))
    many = replace(plain, client_order_id="many", allocation=(("gamma-0", 1), ("gamma-1", 0)) * checks.MAX_PARTS)
    acks = asyncio.run(_told(tmp_path, old, long, many))
    assert [a.ord_status for a in acks] == [OrdStatus.PENDING_NEW, OrdStatus.REJECTED, OrdStatus.REJECTED]
    assert [a.refusal for a in acks[1:]] == [Refusal.MALFORMED, Refusal.MALFORMED]


def test_two_equal_orders_of_one_moment_leave_their_window_together(tmp_path: Path) -> None:
    plain = fuzz._one_lot(1, fuzz.EPOCH)
    later = replace(plain, event_time_ns=plain.event_time_ns + 10 * 10**9)
    acks = asyncio.run(
        _told(tmp_path, plain, replace(plain, client_order_id="twin"), replace(later, client_order_id="later"))
    )
    assert [a.ord_status for a in acks] == [OrdStatus.PENDING_NEW] * 3


@pytest.mark.parametrize("epoch", [2**63, 2**64 - 1])
def test_a_fence_above_what_the_store_holds_is_refused(tmp_path: Path, epoch: int) -> None:
    async def run() -> str:
        async with fuzz.World(tmp_path, TradingState.ACTIVE) as world:
            with pytest.raises(fuzz.Ended, match="INVALID_ARGUMENT"):
                await world.servicer.Fence(pb.FenceRequest(epoch=epoch, holder="h"), fuzz.Context())
            return world.died()

    assert asyncio.run(run()) == ""


def test_more_orders_than_a_stream_may_owe_end_the_stream(tmp_path: Path) -> None:
    orders = [replace(fuzz._one_lot(1, fuzz.EPOCH), client_order_id=f"n{k}") for k in range(STREAM_BOUND + 1)]
    with pytest.raises(fuzz.Ended, match="INVALID_ARGUMENT"):
        asyncio.run(_told(tmp_path, *orders))

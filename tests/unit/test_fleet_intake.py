"""Inbox and gate: what may be dropped, and that an agent sees each source in sequence or hears of the gap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.intake import QUOTES, Durations, Gate, Inbox, LoadMeter
from common.messages import Header, QuoteBatch


def batch(sequence: int, *, snapshot: bool = False) -> QuoteBatch:
    none = np.empty(0, np.int32)
    return QuoteBatch(
        Header("feed.AAA", sequence, sequence), np.empty(0, np.uint32), none, none, none, none, snapshot=snapshot
    )


def passed(batches: list[QuoteBatch]) -> list[tuple[int, bool]]:
    return [(b.header.sequence, b.snapshot) for b in batches]


def test_inbox_keeps_the_order_of_arrival_across_streams() -> None:
    inbox = Inbox(8)
    inbox.put_batch(b"1")
    inbox.put_latest("positions", b"p1")
    inbox.put_batch(b"2")
    assert [(a.stream, a.data) for a in inbox.take()] == [(QUOTES, b"1"), ("positions", b"p1"), (QUOTES, b"2")]
    assert inbox.take() == []


def test_inbox_drops_the_oldest_batch_and_never_a_state() -> None:
    inbox = Inbox(3)
    inbox.put_latest("budgets", b"b")
    for i in range(5):
        inbox.put_batch(bytes([i]))
    assert [a.data for a in inbox.take()] == [b"b", b"\x02", b"\x03", b"\x04"]
    assert inbox.dropped == 2


def test_inbox_replaces_a_pending_state_by_the_newer_one() -> None:
    inbox = Inbox(3)
    inbox.put_latest("positions", b"old")
    inbox.put_batch(b"q")
    inbox.put_latest("positions", b"new")
    assert [a.data for a in inbox.take()] == [b"q", b"new"]
    inbox.put_latest("positions", b"newer")
    assert [a.data for a in inbox.take()] == [b"newer"]


@given(st.lists(st.one_of(st.just(QUOTES), st.sampled_from(["positions", "budgets", "snapshot.AAA"])), max_size=200))
def test_inbox_stays_within_its_bound(streams: list[str]) -> None:
    inbox = Inbox(5)
    for i, stream in enumerate(streams):
        if stream == QUOTES:
            inbox.put_batch(str(i).encode())
        else:
            inbox.put_latest(stream, str(i).encode())
        assert len(inbox) <= 5 + 3
    taken = [int(a.data) for a in inbox.take()]
    assert taken == sorted(taken)
    last = {stream: i for i, stream in enumerate(streams)}
    assert all(i in taken for i in last.values())


def test_gate_holds_back_until_the_first_snapshot() -> None:
    gate = Gate(10)
    assert gate.offer(batch(7)) == []
    assert gate.offer(batch(8)) == []
    assert passed(gate.heal(batch(7, snapshot=True))) == [(7, True), (8, False)]
    assert not gate.waiting
    assert passed(gate.offer(batch(9))) == [(9, False)]
    assert gate.lost == 0


def test_gate_opens_for_a_source_that_has_not_begun() -> None:
    gate = Gate(10)
    assert gate.heal(batch(0, snapshot=True)) == []
    assert passed(gate.offer(batch(1))) == [(1, False)]


def test_gate_shows_a_gap_then_waits_for_a_snapshot() -> None:
    gate = Gate(10)
    gate.heal(batch(3, snapshot=True))
    assert passed(gate.offer(batch(6))) == [(6, False)]
    assert gate.waiting and gate.lost == 2
    assert gate.offer(batch(7)) == []
    assert gate.heal(batch(5, snapshot=True)) == [], "older than the gap: it cannot heal it"
    assert passed(gate.heal(batch(6, snapshot=True))) == [(6, True), (7, False)]


def test_gate_takes_a_whole_chain_in_the_stream_as_a_snapshot() -> None:
    gate = Gate(10)
    assert passed(gate.offer(batch(1, snapshot=True))) == [(1, True)]
    assert not gate.waiting


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=60), st.integers(1, 6))
def test_gate_is_gapless_or_says_so_whatever_is_lost(fate: list[tuple[bool, int]], bound: int) -> None:
    """``fate``: of each batch whether it arrives, and how many batches old a snapshot is that follows it (0: none)."""
    gate = Gate(bound)
    out: list[QuoteBatch] = []
    for sequence, (arrives, age) in enumerate(fate, start=1):
        if arrives:
            out += gate.offer(batch(sequence))
        if age:
            out += gate.heal(batch(max(sequence - age + 1, 0), snapshot=True))
    last = len(fate) + 1
    out += gate.offer(batch(last)) + gate.heal(batch(last, snapshot=True))
    seen, gapped = 0, False
    for b in out:
        at = b.header.sequence
        if b.snapshot:
            assert at >= seen
            gapped = False
        else:
            assert at > seen
            assert not gapped, "nothing passes between a gap and its snapshot"
            gapped = at != seen + 1
        seen = at
    assert seen == last and not gapped, "the next batch and a snapshot bring everybody up to date"


def test_durations_are_those_of_the_last_ones() -> None:
    durations = Durations(size=100)
    assert durations.percentile_us(50.0) == 0.0
    for us in range(1000):
        durations.add(us * 1000)
    assert durations.percentile_us(50.0) == pytest.approx(949.5)
    assert durations.percentile_us(100.0) == 999.0


def test_load_is_what_was_worked_and_waited_since_the_last_look() -> None:
    meter = LoadMeter()
    meter.worked(500)
    assert meter.read(1_000) == (0.0, 0.0), "there was no look before"
    meter.worked(150)
    meter.worked(100)
    meter.waited(3_000)
    meter.waited(2_000)
    assert meter.read(2_000) == (0.25, 3.0)
    assert meter.read(3_000) == (0.0, 0.0)

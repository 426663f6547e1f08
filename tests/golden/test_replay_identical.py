"""A recorded run replays to the identical order list, agents included; a doctored record is told from it in words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.config import AgentsConfig
from agents.step import Decide
from agents.step import start as start_agent
from agents.step import step as step_agent
from common.control_messages import (
    BudgetRound,
    CancelAsked,
    Command,
    CommandTaken,
    Cycle,
    DayStruck,
    FeedSilence,
    JournalEntry,
    ProposalTaken,
    TradesImported,
)
from common.limits import load_limits
from common.market.recorded import RecordedMarket, Recorder
from common.messages import BudgetUpdate, QuoteBatch
from common.snapshot import MarketSnapshot
from execution.config import ExecutionConfig
from execution.limits import load_execution_limits
from lab.closed_loop import ClosedLoop, configs_of, instants
from lab.replay import ReplayResult, _decided_with, replay_run
from lab.synthetic import SyntheticMarket, short_book
from manager import events as ev
from manager import step as manager
from manager.closing import ClosingQuotes
from manager.config import ManagerConfig, Volatility
from manager.fold import apply

ROOT = Path(__file__).resolve().parents[2]
MARKET = SyntheticMarket(session_s=1200, step_s=60.0)
BOOK = short_book(MARKET, 40)
LIMITS = load_limits(ROOT / "examples/limits.toml")
AGENTS, MANAGER = configs_of("joint", AgentsConfig(), ManagerConfig(volatility=Volatility(grid_s=60.0)))
SETUP = manager.ManagerSetup(MARKET.universe, BOOK, MANAGER, LIMITS, "r", sessions_ns=MARKET.session_bounds_ns)
Entries = list[JournalEntry]


def new_loop(market: SyntheticMarket = MARKET) -> ClosedLoop:
    limits = load_execution_limits(ROOT / "examples/execution_limits.toml")
    return ClosedLoop(market, BOOK, AGENTS, MANAGER, LIMITS, ExecutionConfig(store=Path(), limits=limits), "r")


def play(
    loop: ClosedLoop, disturb: Callable[[int], None] = lambda _: None, market: SyntheticMarket = MARKET
) -> Entries:
    for k, (now_ns, together) in enumerate(instants(market.batches())):
        while (due := loop.execution.next_due_ns) is not None and due < now_ns:
            loop.feed(due, [])
        disturb(k)
        loop.feed(now_ns, together)
    loop.settle()
    return loop.entries


@cache
def plain_run() -> tuple[JournalEntry, ...]:
    return tuple(play(new_loop()))


def replayed(entries: Entries | tuple[JournalEntry, ...], **more: Any) -> ReplayResult:
    return replay_run(MARKET, BOOK, list(entries), AGENTS, MANAGER, LIMITS, "r", **more)


def test_identical(tmp_path: Path) -> None:
    entries = plain_run()
    result = replayed(entries)
    assert result.difference == "" and result.identical
    assert result.orders > 0 and result.proposals == result.proposals_compared > 0 and result.unfollowed == ()
    path = tmp_path / "market.bin"
    with Recorder(path, MARKET, BOOK) as recording:
        for batch in MARKET.batches():
            recording.append(batch)
    recorded = RecordedMarket(path)
    again = replay_run(recorded, recorded.book, entries, AGENTS, MANAGER, LIMITS, "r")
    assert again == result


def test_commands_and_a_pause_replay() -> None:
    loop = new_loop()

    def command(k: int) -> None:
        if k in (6, 9):
            asked = Command(f"c{k}", "pause" if k == 6 else "resume", "risk", "test")
            loop._do(ev.CommandArrived(0, asked))
            loop._do(ev.TradingStateSet(asked.command_id, True, "execution holds it", 0))
        if k == 12:
            asked = Command("c12", "limits.set", "risk", "test", '{"path": "order.max_lots_option", "value": 7}')
            loop._do(ev.CommandArrived(0, asked))

    entries = play(loop, command)
    assert [e.event.orders for e in entries if isinstance(e.event, Cycle)]
    result = replayed(entries)
    assert result.difference == ""


def test_a_refused_hedge_replays_where_it_was_asked() -> None:
    """It has no cycle of its own: what follows in the record may be a decision of many ticks later."""
    loop = new_loop()
    name = MARKET.universe.instrument_id[0]
    asked = {"side": "BUY", "lots": 10**6, "instrument": name, "limit": None, "desk": ""}

    def command(k: int) -> None:
        loop._do(ev.CommandArrived(0, Command(f"c{k}", "hedge", "trader", "test", json.dumps(asked))))

    entries = play(loop, command)
    after = [b for a, b in pairwise(entries) if isinstance(a.event, CommandTaken) and b.market != a.market]
    assert any(isinstance(entry.event, BudgetRound | Cycle) for entry in after), "the case this test is about"
    assert replayed(entries).difference == ""


def test_client_trades_replay_with_the_marks_they_were_taken_at() -> None:
    loop = new_loop()
    name = MARKET.universe.instrument_id[0]

    def command(k: int) -> None:
        if k in (6, 9):
            more = ["", ""] if k == 6 else ["T6", ""]
            rows = [[2, f"T{k}", "a", name, -3, 5000.0 if k == 6 else 50.0, 7, *more]]
            asked = {"file": "t.csv", "dry_run": False, "trades": rows}
            loop._do(ev.CommandArrived(0, Command(f"c{k}", "book.import", "trader", "test", json.dumps(asked))))

    entries = play(loop, command)
    told = [e.event for e in entries if isinstance(e.event, TradesImported)]
    assert len(told) == 2 and all(event.marks and event.market_seen for event in told)
    assert told[0].marks != told[1].marks, "the market moved in between"
    assert replayed(entries).identical
    at = next(k for k, e in enumerate(entries) if isinstance(e.event, TradesImported))
    other = dataclasses.replace(told[0], marks=((told[0].marks[0][0], told[0].marks[0][1] + 1.0),))
    assert (
        "marks"
        in replayed([*entries[:at], dataclasses.replace(entries[at], event=other), *entries[at + 1 :]]).difference
    )


def test_a_silence_of_the_feed_replays_with_the_cancels_and_decisions_that_follow() -> None:
    loop = new_loop()

    def note(k: int) -> None:
        if k in (8, 14):
            loop._do(ev.FeedNoted(6.0 if k == 8 else 0.0, 0))

    entries = play(loop, note)
    at = [i for i, e in enumerate(entries) if isinstance(e.event, FeedSilence)]
    assert [entries[i].event.silent_s for i in at] == [6.0, 0.0]
    kept = entries[at[0] : at[1]]
    assert kept[1:], "agents go on saying what they see"
    assert not any(e.event.orders for e in kept if isinstance(e.event, Cycle))
    assert any(e.event.orders for e in entries[at[1] :] if isinstance(e.event, Cycle))
    result = replayed(entries)
    assert result.difference == "" and result.recorded_hash == result.replayed_hash


def standing(past: list[QuoteBatch]) -> list[QuoteBatch]:
    """What the feed answers a process that has just started."""
    known = MarketSnapshot(MARKET.universe)
    for batch in past:
        known.apply(batch)
    return [known.as_batch(symbol) for symbol in MARKET.universe.symbols]


@pytest.mark.parametrize("watched", ["all along", "since a moment ago"])
@pytest.mark.parametrize("cut", ["between two steps", "within a step"])
def test_a_takeover_with_a_lost_tail_replays(watched: str, cut: str) -> None:
    """The leader dies after execution has its orders and before the journal has its last cycles.

    How long the new leader's process has watched the market decides nothing. Of a step that began with a round of
    budgets, the round may be all that was stored.
    """
    loop = new_loop()

    def die(k: int) -> None:
        if k != 8:
            return
        cycles = [i for i, e in enumerate(loop.entries) if isinstance(e.event, Cycle) and e.event.orders]
        end = cycles[-2]
        if cut == "within a step":
            end = 1 + max(i for i in range(end) if isinstance(loop.entries[i].event, BudgetRound))
            assert isinstance(loop.entries[end].event, BudgetUpdate | Cycle), "the step goes on"
        kept = loop.entries[:end]
        new = manager.start(SETUP)
        past = [b for b in MARKET.batches() if b.header.event_time_ns <= loop.manager.now_ns]
        for batch in past if watched == "all along" else standing(past):
            manager.step(new, ev.MarketNews(batch))
        for entry in kept:
            apply(new, entry)
        loop.manager, loop.entries = new, kept
        loop.execution.fence(2, "standby")
        states = loop.execution.orders()
        reports = loop.execution.store.reports(new.report_sequence + 1, 10_000)
        loop._do(ev.TookOver(new.now_ns, 0, 2, "standby", states, reports, loop.execution.last_report_sequence))

    # Orders of epoch 2 carry it; the loop's own cancels would not, so none may be asked for.
    entries = play(loop, die)
    started = [e.event for e in entries if type(e.event).__name__ == "LeaderStarted"]
    assert len(started) == 2 and len(started[1].recovered) > 0
    result = replayed(entries)
    assert result.difference == ""
    assert result.recorded_hash == result.replayed_hash
    # Proposals that arrived in the lost tail are gone from the record: their agents cannot be followed further.
    assert result.proposals_compared > 0 and all("nobody recorded" in said for said in result.unfollowed)


def test_a_leader_that_starts_after_the_next_open_strikes_late_and_replays() -> None:
    """Nobody lived at the close. The new process has the feed's snapshot of the next day, then the next batches."""
    market = SyntheticMarket(sessions=2, session_s=600, step_s=60.0)
    closes_ns = market.session_bounds_ns[0][1]
    beyond = [k for k, (now_ns, _) in enumerate(instants(market.batches())) if now_ns > closes_ns]
    setup = dataclasses.replace(SETUP, sessions_ns=market.session_bounds_ns)
    loop = new_loop(market)

    def start_late(k: int) -> None:
        if k != beyond[2]:
            return
        strikes = [i for i, e in enumerate(loop.entries) if isinstance(e.event, DayStruck)]
        assert len(strikes) == 2 and loop.entries[strikes[1]].event.late == ()
        kept, new = loop.entries[: strikes[1]], manager.start(setup)
        for entry in kept:
            apply(new, entry)
        past = [b for b in market.batches() if b.header.event_time_ns <= loop.manager.now_ns]
        for batch in standing(past):
            manager.step(new, ev.MarketNews(batch))
        loop.manager, loop.entries = new, kept
        loop.execution.fence(2, "late")
        reports = loop.execution.store.reports(new.report_sequence + 1, 10_000)
        last = loop.execution.last_report_sequence
        loop._do(ev.TookOver(new.now_ns, 0, 2, "late", loop.execution.orders(), reports, last))

    entries = play(loop, start_late, market)
    assert [e.event.late for e in entries if isinstance(e.event, DayStruck)][1] == market.symbols
    result = replay_run(market, BOOK, entries, AGENTS, MANAGER, LIMITS, "r")
    assert result.difference == "" and result.recorded_state_hash == result.state_hash


def test_what_a_late_leader_did_not_see_is_forgotten_also_where_cancels_precede_the_strike_in_its_step() -> None:
    from lab.replay import _ManagerReplay, _Tape

    some = next(e for e in plain_run() if isinstance(e.event, DayStruck))
    late = dataclasses.replace(some, event=dataclasses.replace(some.event, late=("AAA",)))
    cancel = dataclasses.replace(some, event=CancelAsked(("a",), "order life"))
    for ahead, left in (
        ([late], {"BBB"}),
        ([cancel, late], {"BBB"}),
        ([cancel, some], {"AAA", "BBB"}),
        ([some], {"AAA", "BBB"}),
    ):
        leader = _ManagerReplay(SETUP, _Tape(MARKET))
        leader.state.closing = ClosingQuotes(MARKET.universe, 1)
        leader.state.closing.kept = {"AAA", "BBB"}
        leader._forget_the_close(ahead)
        assert leader.state.closing.kept == left


def doctored(kind: type, change: Callable[[Any], Any]) -> Entries:
    entries = list(plain_run())
    at = [i for i, e in enumerate(entries) if isinstance(e.event, kind)][3]
    entries[at] = dataclasses.replace(entries[at], event=change(entries[at].event))
    return entries


def test_a_doctored_cycle_is_found() -> None:
    def other(cycle: Cycle) -> Cycle:
        return dataclasses.replace(cycle, exposure_before=cycle.exposure_before + 1.0)

    result = replayed(doctored(Cycle, other))
    assert not result.identical
    assert "cycle" in result.difference and "exposure_before[0]: recorded" in result.difference


def test_a_doctored_proposal_is_found_at_the_agent_too() -> None:
    def other(taken: ProposalTaken) -> ProposalTaken:
        exposure = taken.proposal.exposure + np.where(np.arange(len(taken.proposal.exposure)) == 0, 1.0, 0.0)
        return dataclasses.replace(taken, proposal=dataclasses.replace(taken.proposal, exposure=exposure))

    result = replayed(doctored(ProposalTaken, other))
    assert not result.identical and result.proposals_compared < result.proposals


def test_a_doctored_proposal_is_found_although_the_true_one_was_heard_elsewhere() -> None:
    """The journal is what is judged: a kept copy of what the agent said must not stand in for it."""

    def other(taken: ProposalTaken) -> ProposalTaken:  # in what no decision depends on
        return dataclasses.replace(taken, proposal=dataclasses.replace(taken.proposal, trigger="of another kind"))

    said = [e.event.proposal for e in plain_run() if isinstance(e.event, ProposalTaken)]
    result = replayed(doctored(ProposalTaken, other), heard=said)
    assert "trigger" in result.difference and result.proposals_compared < result.proposals


def test_a_lost_entry_is_found() -> None:
    entries = list(plain_run())
    at = next(i for i, e in enumerate(entries) if isinstance(e.event, Cycle) and e.event.orders)
    lost = [*entries[:at], *entries[at + 1 :]]
    assert "sequence" in replayed(lost).difference or "recorded" in replayed(lost).difference


def test_a_proposal_nobody_recorded_is_said_and_one_that_was_heard_helps() -> None:
    """Published while nobody led: not in the journal; whoever kept it makes the agent followable again."""
    entries = list(plain_run())
    spoken = [e.event.proposal for e in entries if isinstance(e.event, ProposalTaken)]
    last = [p for p in spoken if p.agent == "vega-0"][-1]
    cut = [e for e in entries if not (isinstance(e.event, ProposalTaken) and e.event.proposal is last)]
    assert replayed(cut).unfollowed == () and replayed(cut).proposals == len(spoken) - 1
    first = next(p for p in spoken if p.agent == "vega-0" and p.header.sequence == 2)
    cut = [e for e in entries if not (isinstance(e.event, ProposalTaken) and e.event.proposal is first)]
    assert any("vega-0 #1 from its proposal 2 on" in said for said in replayed(cut).unfollowed)
    assert replayed(cut, heard=[first]).unfollowed == ()


def test_an_agent_that_joined_late_replays_from_the_feeds_snapshot() -> None:
    """A restarted agent begins with a snapshot; the replay folds the same one from the recording."""
    from agents.step import AgentSetup
    from common.snapshot import MarketSnapshot

    entries = list(plain_run())
    result = replayed(entries)
    assert result.identical
    setup = AgentSetup(MARKET.universe, BOOK, "gamma", 0, AGENTS, 2)
    agent, fold, said = start_agent(setup), MarketSnapshot(MARKET.universe), []
    from lab.replay import _ManagerReplay, _Tape

    leader = _ManagerReplay(SETUP, _Tape(MARKET))
    leader.run(entries)
    for k, batch in enumerate(MARKET.batches()):
        fold.apply(batch)
        if k == 21:
            for update in leader.published.values():
                step_agent(agent, update)
            for symbol in ("AAA", "BBB"):
                step_agent(agent, fold.as_batch(symbol))
        if k > 21:
            step_agent(agent, batch)
        said += step_agent(agent, Decide())[1]
    assert said and any(r.stream.startswith("snapshot.feed.") for r in said[0].inputs)
    late = replayed(entries, heard=said)
    assert late.difference == "" and late.proposals_compared == result.proposals_compared + len(said)


def test_a_cancel_for_age_decides_in_the_replay_only_what_its_own_step_decided() -> None:
    """A decision that found nothing to do leaves no entry, so the replay goes by what one step wrote: one wall time."""
    cycle = next(e for e in plain_run() if isinstance(e.event, Cycle))
    held = next(e for e in plain_run() if isinstance(e.event, BudgetRound))
    cancel = dataclasses.replace(cycle, event=CancelAsked(("a",), "order life"), wall_ns=5)
    at = {ns: [dataclasses.replace(e, wall_ns=ns) for e in (held, cycle)] for ns in (5, 6)}
    assert _decided_with(cancel, at[5]) and _decided_with(cancel, at[5][1:]) and _decided_with(cancel, [*at[5], *at[6]])
    assert not _decided_with(cancel, at[6]) and not _decided_with(cancel, []) and not _decided_with(cancel, [cancel])

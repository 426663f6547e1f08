"""The manager's shell: what ``manager.step`` decides, carried out over NATS and gRPC.

Guarantees
- Only the holder of the newest epoch changes anything: the journal and execution refuse every older one. The lease merely
  says who should try; a holder that was paused and wakes up is refused, learns it, and ends.
- A new leader first fences (journal, then execution), then reconciles (execution's store is the truth about orders, the
  journal about everything else), and only then acts.
- Everything runs through one queue on one loop. Orders leave before the journal's acknowledgement arrives; execution's
  commit is the durable intent, and a lost journal tail is filled from execution by the next leader.
- While execution cannot be reached no order is decided; when it is back the leader reconciles before it acts again.

*Tested by* tests/unit/test_manager_standby.py, tests/e2e/test_live.py.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from common import subjects
from common.bus.streams import LEASE_POLL_S, LEASE_RENEW_S, LEASE_TTL_S
from common.control_messages import Command
from common.errors import Refused, Unavailable
from common.execution_client import ExecutionClient
from common.factors import is_agent, succeeded_by
from common.messages import Header, Heartbeat, OrderAck, Refusal, TradingState
from common.ports import Bus, Clock, Journal, Lease, Responder, Subscription
from common.tasks import end
from common.wire import codec
from manager import events as ev
from manager.control import CONTROL_ACTIONS
from manager.feed_watch import FeedWatch
from manager.fold import apply
from manager.hash import state_hash
from manager.healing import Healing
from manager.peers import STANDBY, Peers
from manager.snapshots import Snapshots
from manager.state import ManagerSetup, start
from manager.status import status
from manager.step import step
from manager.telling import Telling
from manager.waiting import first_error, first_of, orders_first, sleep

#: Pending market batches and proposals a manager keeps; beyond, the oldest are dropped (a gap, healed by a snapshot).
DATA_BOUND = 4096
#: A manager that starts into a run somebody has led leaves the lease to a warmer one: so long, or till it hears no other.
COLD_S, ALONE_S = 2 * LEASE_TTL_S, 3 * LEASE_POLL_S
STATUS_EVERY_S = 0.5
EXECUTION_RETRY_S = 0.25
#: Events of a long queue that are worked off before the lease, and everybody who waits, gets a turn.
EVENTS_PER_TURN = 32
#: Who was heard so lately is shown as standing by.
PEER_S = 2.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside the process that the manager talks to."""

    bus: Bus
    journal: Journal
    lease: Lease
    execution: ExecutionClient
    clock: Clock
    #: None: this manager neither reads nor writes snapshots; it folds the journal from its first entry.
    snapshots: Snapshots | None = None
    #: How a responder to commands leaves an audit line of each; unchanged where there is no audit file.
    audited: Callable[[Responder], Responder] = lambda responder: responder


class ManagerService:
    """One manager process: a standby that folds the journal until it holds the lease, then the leader."""

    def __init__(self, setup: ManagerSetup, ports: Ports, holder: str) -> None:
        self.ports = ports
        self.holder = holder
        self.state = start(setup)
        self.epoch = 0
        self.leading = False
        self._events: deque[ev.Event] = deque()
        self._wake = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._healing = Healing(ports.bus, self.state.market, self._on_news)
        self._telling = Telling(ports.bus, ports.journal)
        self._peers = Peers()
        self._feed = FeedWatch(self.state, self._healing, self._on_silence)
        self._execution_status: dict[str, object] = {}
        self._execution_up = False
        self._deposed = asyncio.Event()
        self._running: list[Subscription] = []

    # -- standby ---------------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> str:
        """Stand by, lead, and return why it ended: "stopped" or "deposed: REASON"."""
        bus, ended = self.ports.bus, "stopped"
        self._running = [
            await bus.subscribe(subjects.QUOTES_ALL, self._on_quotes, bound=DATA_BOUND),
            await bus.subscribe(subjects.HEARTBEATS_ALL, self._on_heartbeat, bound=DATA_BOUND),
            await bus.subscribe(
                subjects.MARKET_HEARTBEAT, lambda _subject, _data: self._feed.silence.beat(), bound=DATA_BOUND
            ),
        ]
        await self._healing.catch_up()
        minding = asyncio.create_task(self._feed.run())
        try:
            if await self._stand_by(stop):
                await self._lead(stop, minding)
        except (Refused, Unavailable) as error:
            ended = f"deposed: {error}"
        finally:
            self.leading = False
            await end([minding])
            await self._healing.stop()
            if self.ports.snapshots is not None:
                await self.ports.snapshots.close()
            for subscription in self._running:
                await subscription.stop()
        return ended

    async def _stand_by(self, stop: asyncio.Event) -> bool:
        """Fold the journal until the lease is ours (True) or we are told to stop (False).

        Who finds that somebody has led before leaves the lease to a standby that is warm already, if one beats.
        """
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        if self.ports.snapshots is not None and (known := await self.ports.snapshots.load(self.state.setup)):
            self.state.fold = known.fold
        tail = await self.ports.journal.follow(self.state.journal_sequence + 1, self._on_journal)
        await sleep(stop, LEASE_POLL_S)
        while not stop.is_set():
            waits_s = COLD_S if self._peers.heard(self._wall(), ALONE_S, but=self.holder) else ALONE_S
            cold = self.state.journal_sequence > 0 and loop.time() - began_s < waits_s
            if not cold and await self._try_lease():
                await tail.stop()
                return True
            await self._announce(STANDBY)
            self._drain_as_standby()
            if self.ports.journal.behind:
                raise Unavailable(self.ports.journal.behind)
            await sleep(stop, LEASE_POLL_S)
        await tail.stop()
        return False

    async def _try_lease(self) -> bool:
        try:
            return await self.ports.lease.try_acquire(self.holder)
        except Unavailable:
            return False

    def _on_journal(self, data: bytes) -> None:
        entry = codec.decode_journal_entry(data)
        if entry.sequence > self.state.journal_sequence:
            apply(self.state, entry)

    def _drain_as_standby(self) -> None:
        while self._events:
            event = self._events.popleft()
            if isinstance(event, ev.MarketNews | ev.HeartbeatArrived):
                step(self.state, event)
            self._healing.mind(event)

    # -- leading ---------------------------------------------------------------------------------------------------

    async def _lead(self, stop: asyncio.Event, minding: asyncio.Task[None]) -> None:
        """Take over and lead until told to stop, until deposed, or until a job fails; then nothing of it runs on."""
        opening, keeping = asyncio.create_task(self._take_over()), asyncio.create_task(self._keep_lease())
        jobs = [opening, keeping, minding]
        try:
            await first_of(stop, self._deposed, jobs)
            if opening.done() and not keeping.done() and opening.exception() is None:
                work = (self._work(), self._read_reports(), self._mind_execution())
                told = (self._telling.tell_positions(), self._telling.keep_word())
                jobs += [asyncio.create_task(job) for job in (*work, *told)]
                self._wake.set()
                await first_of(stop, self._deposed, jobs[1:])
        finally:
            self.leading = False
            await end(jobs)
        if error := first_error(jobs):
            raise error
        if self._deposed.is_set():
            raise Refused("execution refused our epoch: another manager leads")
        if not opening.cancelled():  # leave the record complete
            await self._run_queue()
            await self._telling.last_positions()
            await self.ports.journal.flush()
        await self.ports.lease.release()

    async def _take_over(self) -> None:
        """Fence, read on, reconcile, and open for business."""
        self.epoch = await self.ports.journal.take_over(self.holder)
        async for data in self.ports.journal.read(self.state.journal_sequence + 1):
            self._on_journal(data)
        await self._reconcile()
        self.leading = True
        self._feed.look()
        await self._open_for_business()

    async def _reconcile(self) -> None:
        """Fence execution, then queue what it knows ahead of any decision; retried until it answers.

        The reports we lack come over the report stream; the core decides nothing before they are in.
        """
        client = self.ports.execution
        while True:
            try:
                fence = await client.fence(self.epoch, self.holder)
                if not fence.accepted:
                    raise Refused(f"execution has seen epoch {fence.epoch}, newer than ours ({self.epoch})")
                states = await client.list_orders()
                break
            except Unavailable:
                await asyncio.sleep(EXECUTION_RETRY_S)
        last = fence.last_report_sequence
        self._push(ev.TookOver(self.state.now_ns, self._wall(), self.epoch, self.holder, states, (), last))
        self._execution_up = True

    async def _open_for_business(self) -> None:
        bus = self.ports.bus
        self._running.append(await bus.subscribe(subjects.PROPOSALS_ALL, self._on_proposal, bound=DATA_BOUND))
        for action in CONTROL_ACTIONS:
            self._running.append(await bus.serve(subjects.control(action), self.ports.audited(self._on_command)))
        self._running.append(await bus.serve(subjects.STATUS, self._on_status))

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(LEASE_RENEW_S)
            if not await self.ports.lease.renew():
                raise Refused(f"{self.holder} lost the lease")
            await self._announce("leading" if self.leading else "taking over")

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._run_queue()

    async def _run_queue(self) -> None:
        """Everything queued, then one decision: proposals that arrive together are decided together, nobody waits."""
        done = 0
        while self._events:
            await self._do(self._events.popleft())
            if not self._events and self._execution_up:
                await self._do(ev.Decide(self.state.now_ns, self._wall()))
            done += 1
            if done % EVENTS_PER_TURN == 0:
                await asyncio.sleep(0)  # a long queue, as after a takeover, must not cost the lease
        if self.ports.snapshots is not None:
            self.ports.snapshots.after(self.state)

    async def _do(self, event: ev.Event) -> None:
        _, instructions = step(self.state, event)
        self._healing.mind(event)
        for instruction in sorted(instructions, key=orders_first):
            await self._carry_out(instruction)

    async def _carry_out(self, instruction: ev.Instruction) -> None:
        match instruction:
            case ev.Submit(orders):
                await self._guarded(self.ports.execution.submit(list(orders)))
            case ev.Cancel(ids):
                await self._guarded(self.ports.execution.cancel(list(ids), self.epoch))
            case ev.Record(entry):
                self.ports.journal.append(codec.encode_journal_entry(entry))
            case ev.Publish(update):
                await self._telling.say(update)
            case ev.Acknowledge(ack):
                await self.ports.journal.flush()  # a deposed leader, whose word is not recorded, must not give it
                waiting = self._waiting.pop(ack.command_id, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(codec.encode_acknowledgement(ack))
            case ev.SetTradingState(state, command, scope):
                await self._set_trading_state(state, command, scope)

    async def _guarded(self, call: Awaitable[None]) -> None:
        try:
            await call
        except Unavailable:
            self._execution_up = False

    async def _set_trading_state(self, state: TradingState, command: Command, scope: str) -> None:
        try:
            sent = await self.ports.execution.set_trading_state(state, command.who, command.why, scope)
            text = f"execution holds {state.name}" + (f"; {sent} cancels sent" if state is TradingState.KILLED else "")
            self._push(ev.TradingStateSet(command.command_id, True, text))
        except Unavailable as error:
            self._push(ev.TradingStateSet(command.command_id, False, str(error)))

    # -- news ------------------------------------------------------------------------------------------------------

    def _push(self, event: ev.Event) -> None:
        self._events.append(event)
        self._wake.set()

    def _on_quotes(self, _subject: str, data: bytes) -> None:
        self._on_news(ev.MarketNews(self.state.market.check(codec.decode_quote_batch(data))))

    def _on_news(self, news: ev.MarketNews) -> None:
        self._feed.silence.quotes(news.batch.header.source)
        self._push(news)

    def _on_silence(self, length_s: float) -> None:
        if self.leading:
            self._push(ev.FeedNoted(length_s, self._wall()))

    def _on_proposal(self, _subject: str, data: bytes) -> None:
        self._push(ev.ProposalArrived(self._wall(), codec.decode_proposal(data)))

    def _on_heartbeat(self, _subject: str, data: bytes) -> None:
        beat = codec.decode_heartbeat(data)
        if beat.header.source.startswith("manager"):
            self._peers.hear(beat, self._wall())
            return
        if not is_agent(succeeded_by(beat.header.source) or beat.header.source):
            raise Refused(f"a heartbeat of {beat.header.source[:80]!r}, who is no agent")
        self._push(ev.HeartbeatArrived(beat, self._wall()))

    async def _on_command(self, _subject: str, data: bytes) -> bytes:
        command = codec.decode_command(data)
        done = self._waiting.get(command.command_id)
        if done is None:
            done = self._waiting[command.command_id] = asyncio.get_running_loop().create_future()
        self._push(ev.CommandArrived(self._wall(), command))
        # Whoever sends a command again while it is carried out waits for the one answer; one who gives up takes it from nobody.
        return await asyncio.shield(done)

    async def _on_status(self, _subject: str, data: bytes) -> bytes:
        view = self.status()
        if data == subjects.WITH_STATE_HASH:
            view["state_hash"] = state_hash(self.state)
        return json.dumps(view).encode()

    async def _read_reports(self) -> None:
        """Reports in sequence, for ever; a gap or a broken stream resumes after the last one taken."""
        while True:
            try:
                async for report in self.ports.execution.reports(self.state.report_sequence + 1):
                    self._push(ev.ReportArrived(self._wall(), report))
            except Unavailable:
                self._execution_up = False
                await asyncio.sleep(EXECUTION_RETRY_S)

    async def _mind_execution(self) -> None:
        """Ask execution how it is; when it was out of reach and is back, reconcile before anything is decided."""
        while True:
            try:
                self._execution_status = await self.ports.execution.status()
            except Unavailable:
                self._execution_up = False
            if not self._execution_up:
                await self._reconcile()
            await asyncio.sleep(STATUS_EVERY_S)

    def on_ack(self, ack: OrderAck) -> None:
        """Execution's answer to an order. What became of it comes as a report; a stale epoch comes only here."""
        if ack.refusal is Refusal.STALE_EPOCH:
            self._deposed.set()

    def status(self) -> dict[str, object]:
        """The core's projection plus what only the shell knows: execution's own figures, peers, holder."""
        now = self._wall()
        view = status(self.state, now)
        view["leader"] = {"holder": self.holder, "pid": os.getpid(), "epoch": self.epoch, "leading": self.leading}
        view["standby"] = self._peers.heard(now, PEER_S, but=self.holder)
        view["record"] = {"entries": self.state.journal_sequence}
        if self.ports.snapshots is not None:
            view["record"] = {"entries": self.state.journal_sequence, "snapshot": self.ports.snapshots.status()}
        view["execution"] = {**self._execution_status, "reachable": self._execution_up}
        return view

    async def _announce(self, role: str) -> None:
        beat = Heartbeat(Header(self.holder, self._wall(), self.state.now_ns), self.epoch, role)
        await self.ports.bus.publish(subjects.heartbeat(self.holder), codec.encode_heartbeat(beat))

    def _wall(self) -> int:
        return self.ports.clock.wall_ns()

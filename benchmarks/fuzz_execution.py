"""Mutated requests for the execution service in this process: the real servicer, engine, checks and SQLite store, a paper venue.

Two worlds. *Trading*: ACTIVE, one epoch, one standing quote; every mutated order that is still an order by chance does reach
the venue, and each that does is held against the bytes (``lab/fuzz/spelled.py``). *Control*: killed, an epoch nobody uses;
fences and trading states are followed by a model of a few lines, and nothing at all may reach the venue.
*Tested by* tests/properties/test_fuzz_execution.py.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError, Message
from hedgerow.execution.v1 import execution_pb2 as pb

from benchmarks.execution_world import ASK, BID, SYMBOL, T0_NS, limits, order, quotes, universe, universe_ids
from benchmarks.fuzz_verdict import ANSWER_S, SHOWN, Ears, Memory, Verdict, listening
from common.clock import WallClock
from common.errors import HedgerowError
from common.messages import Order, OrdType, TimeInForce, TradingState
from common.universe import Universe
from common.wire.execution_codec import order_to_pb
from execution.config import ExecutionConfig, PaperConfig
from execution.engine import Engine
from execution.reconciler import Reconciler
from execution.servicer import ExecutionServicer
from execution.sqlite_store import SqliteStore
from execution.state import ExecutionSetup, start
from execution.venues.paper import PaperVenue
from execution.venues.port import VenueEvent
from lab.fuzz import protobuf
from lab.fuzz.mutation import MARK, Case, Cases, Seed
from lab.fuzz.spelled import Allowed, orders_in, same

EPOCH: Final = 7
MAX_LOTS: Final = 5
COLLAR: Final = 100
AGE_S: Final = 60.0
#: Requests of one stream before its answers are awaited.
GROUP: Final = 64
#: Cases for one store and venue.
WORLD_CASES: Final = 2048
STREAM: Final = "StreamOrders"
METHODS: Final[dict[str, type[Message]]] = {
    STREAM: pb.StreamOrdersRequest,
    "Fence": pb.FenceRequest,
    "GetOrder": pb.GetOrderRequest,
    "ListOrders": pb.ListOrdersRequest,
    "StreamReports": pb.StreamReportsRequest,
    "SetTradingState": pb.SetTradingStateRequest,
    "GetStatus": pb.GetStatusRequest,
    "Reconcile": pb.ReconcileRequest,
}


def requests_of(epoch: int) -> list[Seed]:
    """Real order requests: submits of several kinds, cancels, replacements. Each case has ids of its own."""
    mark = MARK.decode()
    plain = [replace(_one_lot(k, epoch), client_order_id=f"o{k}{mark}") for k in range(4)]
    resting = [replace(o, time_in_force=TimeInForce.DAY, limit_ticks=BID - 50 * o.side.sign) for o in plain]
    market = [replace(o, ord_type=OrdType.MARKET, limit_ticks=0) for o in plain[:2]]
    bare = [replace(plain[0], allocation=())]
    changed = [
        replace(o, client_order_id=f"r{k}{mark}", orig_client_order_id=o.client_order_id) for k, o in enumerate(resting)
    ]
    cancel = pb.CancelOrders(client_order_id=[o.client_order_id for o in plain], epoch=epoch)
    made = [pb.StreamOrdersRequest(submit=_submit(part)) for part in (plain, resting, market, bare, plain[:1])]
    made.append(pb.StreamOrdersRequest(submit=_submit([*resting, *changed])))
    made.append(pb.StreamOrdersRequest(replace=pb.ReplaceOrders(orders=map(order_to_pb, changed))))
    made.append(pb.StreamOrdersRequest(cancel=cancel))
    return [Seed(STREAM, m.SerializeToString(), pb.StreamOrdersRequest) for m in made]


def _one_lot(number: int, epoch: int) -> Order:
    made = order(number, epoch)
    return replace(made, quantity_lots=1, allocation=(("gamma-0", made.side.sign),))


def _submit(orders: Sequence[Order]) -> pb.SubmitOrders:
    return pb.SubmitOrders(orders=map(order_to_pb, orders))


def controls() -> list[Seed]:
    """Real requests of every other call."""
    killed, reduce_only = (_number(TradingState.KILLED), _number(TradingState.REDUCE_ONLY))
    made: list[Message] = [
        pb.FenceRequest(epoch=EPOCH + 1, holder="fuzz"),
        pb.GetOrderRequest(client_order_id="o000000001"),
        pb.ListOrdersRequest(open_only=True, after_row=3, limit=10),
        pb.StreamReportsRequest(from_sequence=1),
        pb.SetTradingStateRequest(state=killed, who="risk", why="fuzz"),
        pb.SetTradingStateRequest(state=reduce_only, who="risk", why="fuzz", scope=f"underlying:{SYMBOL}"),
        pb.GetStatusRequest(),
        pb.ReconcileRequest(full=True),
    ]
    named = {cls: name for name, cls in METHODS.items()}
    return [Seed(named[type(m)], m.SerializeToString(), type(m)) for m in made]


def _number(state: TradingState) -> Any:
    return int(state)


class Told(PaperVenue):
    """The paper venue, and what reached it."""

    def __init__(self, market: Universe) -> None:
        super().__init__(market, PaperConfig(latency_ms=5.0, jitter_ms=1.0))
        self.reached: list[Order] = []

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        """See ``Venue``."""
        self.reached.append(order)
        return super().submit(order, now_ns)

    def replace(self, original_id: str, order: Order, now_ns: int) -> list[VenueEvent]:
        """See ``Venue``."""
        self.reached.append(order)
        return super().replace(original_id, order, now_ns)


class Ended(Exception):
    """A call ended with a code, as ``context.abort`` ends it."""


class Context:
    """What a servicer uses of grpc's own."""

    async def abort(self, code: Any, *_: object) -> None:
        """See ``grpc.aio.ServicerContext``."""
        raise Ended(code.name)

    async def send_initial_metadata(self, *_: object) -> None:
        """See ``grpc.aio.ServicerContext``."""

    def time_remaining(self) -> float:
        """See ``grpc.aio.ServicerContext``."""
        return ANSWER_S


class World:
    """An engine that runs, its servicer, and the model of what may change."""

    def __init__(self, folder: Path, trading: TradingState) -> None:
        market = universe()
        kind = limits().future.model_copy(update={"max_order_lots": MAX_LOTS, "collar_ticks": COLLAR})
        wanted = {"future": kind, "option": kind, "max_source_age_s": AGE_S, "max_order_age_s": AGE_S}
        config = ExecutionConfig(store=folder, limits=limits().model_copy(update=wanted), speed=1.0)
        self.store = SqliteStore(folder)
        self.state = start(ExecutionSetup(market, config.limits, self.store.load()))
        self.venue = Told(market)
        self.engine = Engine(config, self.state, self.store, self.venue, WallClock(), lambda _: None)
        self.servicer = ExecutionServicer(self.engine, WallClock(), Reconciler(self.engine, config, WallClock()))
        self._wanted = trading
        self.allowed = Allowed(
            EPOCH, universe_ids(), BID, ASK, COLLAR, MAX_LOTS, T0_NS, round(AGE_S * 1e9)
        )  # fmt: skip

    async def __aenter__(self) -> World:
        self.running = asyncio.create_task(self.engine.run())
        self.engine.take_quotes(quotes())
        await self.servicer.Fence(pb.FenceRequest(epoch=EPOCH, holder="fuzz"), Context())
        asked = pb.SetTradingStateRequest(state=_number(self._wanted), who="fuzz", why="as the part wants it")
        await self.servicer.SetTradingState(asked, Context())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.engine.stop()
        await asyncio.gather(self.running, return_exceptions=True)
        self.store.close()

    def died(self) -> str:
        """What ended the engine; empty while it works."""
        if not self.running.done():
            return ""
        error = self.running.exception()
        return f"the engine ended: {error!r}"[:300]


async def stream(world: World, cases: Sequence[Case], verdict: Verdict) -> None:
    """One order stream with these requests; every order and cancel must be answered."""
    wanted = 0
    parsed: list[pb.StreamOrdersRequest] = []
    for case in cases:
        try:
            parsed.append(request := pb.StreamOrdersRequest.FromString(case.data))
        except DecodeError:
            verdict.counts["not a message"] += 1
            continue
        which = request.WhichOneof("request")
        wanted += (
            len(request.cancel.client_order_id)
            if which == "cancel"
            else len(request.submit.orders or request.replace.orders)
        )

    async def requests() -> AsyncIterator[pb.StreamOrdersRequest]:
        for request in parsed:
            yield request

    answered, ended = 0, ""
    try:
        async with asyncio.timeout(ANSWER_S * 4):
            async for response in world.servicer.StreamOrders(requests(), Context()):
                answered += len(response.acks)
                verdict.counts["refused"] += sum(a.refusal != 0 for a in response.acks)
    except TimeoutError:
        verdict.hangs.append(f"{cases[0].name} to {cases[-1].name}: {answered} of {wanted} orders and cancels answered")
        return
    except Ended as error:
        ended = str(error)
        verdict.counts[f"stream ended {ended}"] += 1
    except Exception as error:
        ended = repr(error)
        verdict.crashes.append(f"{cases[0].name} to {cases[-1].name}: the stream raised {ended}"[:300])
    if answered != wanted and not ended:
        verdict.hangs.append(f"{cases[0].name} to {cases[-1].name}: {answered} answers to {wanted}")


def judge_orders(world: World, cases: Sequence[Case], verdict: Verdict) -> None:
    """Whatever reached the venue is what some request spells out, and allowed."""
    for reached in world.venue.reached:
        named = [case for case in cases if reached.client_order_id.encode() in case.data]
        name = next((case.name for case in named if any(same(reached, one) for one in orders_in(case.data))), "")
        problem = world.allowed.problem(reached) if name else "no request spells it out"
        if problem:
            verdict.orders.append(f"{name or cases[0].name}: {reached.client_order_id!r} reached the venue: {problem}")
        else:
            verdict.counts["orders at the venue, each spelled and allowed"] += 1
    world.venue.reached.clear()


async def trading(folder: Path, cases: Cases, first: int, count: int) -> Verdict:
    """Order requests while trading is ACTIVE; a new store and venue every ``WORLD_CASES``, or orders would only pile up."""
    verdict, memory = Verdict("grpc, orders in process"), Memory()
    with listening() as ears:
        for begin in range(first, first + count, WORLD_CASES):
            async with World(folder / str(begin), TradingState.ACTIVE) as world:
                for at in range(begin, min(begin + WORLD_CASES, first + count), GROUP):
                    group = [cases.case(n) for n in range(at, min(at + GROUP, begin + WORLD_CASES, first + count))]
                    verdict.messages += len(group)
                    await stream(world, group, verdict)
                    judge_orders(world, group, verdict)
                    held = (world.state.epoch, world.state.trading.state)
                    if held != (EPOCH, TradingState.ACTIVE):
                        verdict.changes.append(f"{group[0].name} to {group[-1].name}: epoch and trading are {held}")
                    if _broken(world, ears, group, verdict):
                        break
            shutil.rmtree(folder / str(begin))
            if len(verdict.findings) > SHOWN:
                break
            if begin - first >= 0.4 * count:
                memory.warm()
        verdict.growth_mib = memory.growth_mib()
    return verdict


def _broken(world: World, ears: Ears, group: Sequence[Case], verdict: Verdict) -> bool:
    where = f"{group[0].name} to {group[-1].name}"
    verdict.crashes += [f"{where}: {text}" for text in ears.take()]
    if died := world.died():
        verdict.crashes.append(f"{where}: {died}")
    return bool(died) or len(verdict.findings) > SHOWN


class Model:
    """Epoch and trading states as the requests that make sense should leave them."""

    def __init__(self) -> None:
        self.epoch = EPOCH
        self.trading = {"": int(TradingState.KILLED)}

    def asked(self, request: Message) -> None:
        """Take a request in."""
        if isinstance(request, pb.FenceRequest) and request.holder and request.epoch < 2**63:
            self.epoch = max(self.epoch, request.epoch)
        if isinstance(request, pb.SetTradingStateRequest) and request.who and request.why:
            known = request.scope in ("", f"underlying:{SYMBOL}")
            short = max(map(len, (request.who, request.why))) <= 1000
            if known and short and 1 <= request.state <= 4:
                self.trading[request.scope] = int(request.state)

    def holds(self, world: World) -> str:
        """What differs from it, in words."""
        state = world.state
        said = {"": int(state.trading.state)} | {scope: int(held.state) for scope, held in state.stopped.items()}
        wanted = {scope: n for scope, n in self.trading.items() if not scope or n != int(TradingState.ACTIVE)}
        if (state.epoch, said) != (self.epoch, wanted):
            return f"epoch {state.epoch} and trading {said}, should be {self.epoch} and {wanted}"
        return ""


async def control(folder: Path, cases: Cases, first: int, count: int) -> Verdict:
    """Every other call, and order requests under an epoch that is not fenced; no order may come of any."""
    verdict, memory, model = Verdict("grpc, control in process"), Memory(), Model()
    with listening() as ears:
        async with World(folder, TradingState.KILLED) as world:
            for number in range(first, first + count):
                case = cases.case(number)
                verdict.messages += 1
                if case.seed.where == STREAM:
                    await stream(world, [case], verdict)
                else:
                    await _call(world, case, model, verdict)
                if text := model.holds(world):
                    verdict.changes.append(f"{case.name}: {text}")
                verdict.orders += [f"{case.name}: {o.client_order_id!r} reached the venue" for o in world.venue.reached]
                world.venue.reached.clear()
                if _broken(world, ears, [case], verdict):
                    break
                if number - first >= 0.4 * count:
                    memory.warm()
        verdict.growth_mib = memory.growth_mib()
    return verdict


async def _call(world: World, case: Case, model: Model, verdict: Verdict) -> None:
    method = case.seed.where
    try:
        request = METHODS[method].FromString(case.data)
    except DecodeError:
        verdict.counts["not a message"] += 1
        return
    try:
        async with asyncio.timeout(ANSWER_S):
            if method == "StreamReports":
                await _reports(world, request)
            else:
                await getattr(world.servicer, method)(request, Context())
        verdict.counts["answered"] += 1
    except Ended as error:
        verdict.counts[f"ended {error}"] += 1
    except TimeoutError:
        verdict.hangs.append(f"{case.name}: {method} was not answered")
    except (HedgerowError, Exception) as error:  # whatever a servicer lets out would be a traceback in its log
        verdict.crashes.append(f"{case.name}: {method} raised {error!r}"[:300])
    model.asked(request)


async def _reports(world: World, request: Any) -> None:
    """What is stored; a reader that waits for more is let go."""
    told: Any = world.servicer.StreamReports(request, Context())
    try:
        async with asyncio.timeout(0.001):
            async for _ in told:
                pass
    except TimeoutError:
        pass
    finally:
        await told.aclose()


def order_cases(seed: int) -> Cases:
    """Order requests that may well be orders."""
    return Cases(seed, requests_of(EPOCH), protobuf.remade)


def control_cases(seed: int) -> Cases:
    """The other calls, more often than order requests of an epoch nobody fences: 0, which no fence takes."""
    return Cases(seed, [*controls() * 4, *requests_of(0)], protobuf.remade)

"""The fold of the journal up to one entry, as bytes: where a new leader begins instead of at the first entry.

``decode(encode(fold))`` and the journal's rest give what the whole journal gives, by ``hash.state_hash``. The form is
proto/hedgerow/record/v1/record.proto: versioned, every attribute by its name, no class but those named here. What
follows from the run's own settings (``DERIVED``) is not stored: ``state.start`` makes it. A snapshot of another run, of
another form, or whose attributes are not those of this version is refused whole; then the journal is read from further
back. *Tested by* tests/properties/test_manager_snapshot.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, Final

from hedgerow.control.v1 import control_pb2
from hedgerow.execution.v1 import execution_pb2
from hedgerow.record.v1 import record_pb2 as pb

from common.control_messages import Acknowledgement, BudgetRound, Cycle, DayStruck, ImportedTrade
from common.errors import Refused
from common.limits import Limits
from common.limits_changes import Change, LimitsLog, Pending
from common.messages import AgentParameters, AssignmentUpdate, BudgetUpdate, OrdStatus, Proposal, TradingState
from common.wire import codec
from common.wire.budget_codec import round_from_pb, round_to_pb
from common.wire.columns import parse
from common.wire.strike_codec import struck_from_pb, struck_to_pb
from common.wire.value_codec import Message, Parts, Values
from manager.exposures import FactorTable
from manager.flows import Flows, Meter
from manager.hash import attributes
from manager.imports import Imports
from manager.ledger import Ledger
from manager.orders import OrderBook, OrderLife, SeenIds
from manager.state import Fold, Hold, ManagerSetup, ManagerState, start

FORMAT: Final = 1
_KIND: Final = "Snapshot"

#: What ``state.start`` makes from the run's settings, or what stands elsewhere in the snapshot, by class.
DERIVED: Final[dict[type, frozenset[str]]] = {
    FactorTable: frozenset({"names", "desk", "index", "underlying", "nature"}),
    Ledger: frozenset({"desks", "fee_per_lot_cents", "tick_cents", "tick_size"}),
    OrderBook: frozenset({"open", "ended"}),
    SeenIds: frozenset({"_ids"}),
}
#: Of an order's life what stands in columns of its own.
_OF_LIFE: Final = ("order", "status", "got")
_REST_OF_LIFE: Final = tuple(f.name for f in fields(OrderLife) if f.name not in _OF_LIFE)


def kept(owner: Any) -> list[str]:
    """Attributes of an object that a snapshot holds by name."""
    return [name for name in attributes(owner) if name not in DERIVED.get(type(owner), ())]


def encode(fold: Fold, run_id: str) -> bytes:
    """Bytes of a fold. Raises ``TypeError`` naming an attribute that has no codec."""
    return pb.Snapshot(
        format=FORMAT,
        run_id=run_id,
        sequence=fold.sequence,
        fields=_VALUES.fields_to_pb(fold, kept(fold)),
        open=_lives_to_pb(fold.orders.open.values()),
        ended=_lives_to_pb(fold.orders.ended.values()),
    ).SerializeToString()


def decode(data: bytes, setup: ManagerSetup) -> Fold:
    """The fold, ready for the entry after ``fold.sequence``. Raises ``errors.Refused``; nothing is half-restored."""
    return restore(data, setup).fold


def restore(data: bytes, setup: ManagerSetup) -> ManagerState:
    """A manager that knows what the journal had said up to the snapshot and nothing else. Raises ``errors.Refused``."""
    m = parse(pb.Snapshot(), _KIND, data)
    if m.format != FORMAT:
        raise Refused(f"{_KIND}: form {m.format}, this version reads {FORMAT}")
    if m.run_id != setup.run_id:
        raise Refused(f"{_KIND}: of run {m.run_id!r}, not of {setup.run_id!r}")
    state = start(setup)
    _fill(state.fold, _VALUES.fields_from_pb(m.fields))
    orders = state.fold.orders
    orders.open = {life.order.client_order_id: life for life in _lives_from_pb(m.open)}
    orders.ended = {life.order.client_order_id: life for life in _lives_from_pb(m.ended)}
    if state.fold.sequence != m.sequence:
        raise Refused(f"{_KIND}: says entry {m.sequence}, holds {state.fold.sequence}")
    return state


class _Holder:
    """Attributes of an object that ``state.start`` makes and the snapshot fills."""

    def __init__(self, kind: str, found: dict[str, Any]) -> None:
        self.kind, self.found = kind, found


def _fill(owner: Any, found: dict[str, Any]) -> None:
    """Set what an object keeps. Raises ``errors.Refused`` unless it is exactly what this version keeps of it."""
    wrong = set(kept(owner)) ^ set(found)
    if wrong:
        raise Refused(f"{_KIND}: {type(owner).__name__} of another version: {', '.join(sorted(wrong))}")
    for name, value in found.items():
        if isinstance(value, _Holder):
            _fill(getattr(owner, name), value.found)
        else:
            _fits(owner, name, value)
            setattr(owner, name, value)


def _fits(owner: Any, name: str, value: Any) -> None:
    old = getattr(owner, name)
    if hasattr(old, "shape") and (getattr(value, "shape", None), value.dtype) != (old.shape, old.dtype):
        raise Refused(f"{_KIND}: {type(owner).__name__}.{name} is {value.shape}, this market needs {old.shape}")


def _lives_to_pb(lives: Iterable[OrderLife]) -> pb.OrderLives:
    lives = list(lives)
    return pb.OrderLives(
        order=[codec.order_to_pb(life.order) for life in lives],
        ord_status=[execution_pb2.OrdStatus.Name(life.status.value) for life in lives],
        got_count=[len(life.got) for life in lives],
        got_agent=[agent for life in lives for agent in life.got],
        got_lots=[lots for life in lives for lots in life.got.values()],
        columns=[
            pb.Field(name=name, value=_VALUES.to_pb([getattr(life, name) for life in lives])) for name in _REST_OF_LIFE
        ],
    )


def _lives_from_pb(m: pb.OrderLives) -> list[OrderLife]:
    columns = _VALUES.fields_from_pb(m.columns)
    same = {len(c) for c in columns.values()} | {len(m.ord_status), len(m.got_count), len(m.order)}
    if set(columns) != set(_REST_OF_LIFE) or len(same) != 1 or sum(m.got_count) != len(m.got_agent):
        raise Refused(f"{_KIND}: orders of another version, or columns of unequal length")
    got = zip(m.got_agent, m.got_lots, strict=True)
    rest = zip(*(columns[name] for name in _REST_OF_LIFE), strict=True)
    if not set(m.ord_status) <= {int(status) for status in OrdStatus}:
        raise Refused(f"{_KIND}: an order status that is not known here")
    out = []
    for order, status, count, values in zip(m.order, m.ord_status, m.got_count, rest, strict=True):
        mine = {agent: lots for _, (agent, lots) in zip(range(count), got, strict=False)}
        life = dict(zip(_REST_OF_LIFE, values, strict=True))
        out.append(OrderLife(order=codec.order_from_pb(order), status=OrdStatus(status), got=mine, **life))
    return out


def _seen(found: dict[str, Any]) -> SeenIds:
    out = SeenIds(found["_bound"])
    for name in found["_order"]:
        out.add(name)
    return out


def _holder(cls: type) -> Parts:
    return Parts(kept, lambda found: _Holder(cls.__name__, found))


def _whole(cls: type) -> Parts:
    return Parts(kept, lambda found: cls(**found))


def _limits(data: bytes) -> Limits:
    return Limits.model_validate(json.loads(data))


_VALUES: Final = Values(
    messages={
        Limits: Message(lambda limits: json.dumps(limits.model_dump()).encode(), _limits),
        Proposal: Message(codec.encode_proposal, codec.decode_proposal),
        Cycle: Message(codec.encode_cycle, codec.decode_cycle),
        BudgetUpdate: Message(codec.encode_budget_update, codec.decode_budget_update),
        AssignmentUpdate: Message(codec.encode_assignment_update, codec.decode_assignment_update),
        Acknowledgement: Message(codec.encode_acknowledgement, codec.decode_acknowledgement),
        AgentParameters: Message(codec.encode_agent_parameters, codec.decode_agent_parameters),
        BudgetRound: Message(
            lambda found: round_to_pb(found).SerializeToString(),
            lambda data: round_from_pb(parse(control_pb2.BudgetRound(), "BudgetRound", data)),
        ),
        DayStruck: Message(
            lambda found: struck_to_pb(found).SerializeToString(),
            lambda data: struck_from_pb(parse(control_pb2.DayStruck(), "DayStruck", data)),
        ),
    },
    parts={
        FactorTable: _holder(FactorTable),
        OrderBook: _holder(OrderBook),
        Ledger: _holder(Ledger),
        Flows: _holder(Flows),
        SeenIds: Parts(kept, _seen),
        Meter: _whole(Meter),
        LimitsLog: _whole(LimitsLog),
        Change: _whole(Change),
        Pending: _whole(Pending),
        Hold: _whole(Hold),
        Imports: _holder(Imports),
        ImportedTrade: _whole(ImportedTrade),
    },
    enums=(TradingState,),
)

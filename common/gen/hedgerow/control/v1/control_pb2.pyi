from hedgerow.execution.v1 import execution_pb2 as _execution_pb2
from hedgerow.hedge.v1 import hedge_pb2 as _hedge_pb2
from hedgerow.market.v1 import market_pb2 as _market_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Command(_message.Message):
    __slots__ = ("command_id", "action", "who", "why", "arguments_json", "certificate", "signature")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    action: str
    who: str
    why: str
    arguments_json: str
    certificate: bytes
    signature: bytes
    def __init__(self, command_id: _Optional[str] = ..., action: _Optional[str] = ..., who: _Optional[str] = ..., why: _Optional[str] = ..., arguments_json: _Optional[str] = ..., certificate: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Acknowledgement(_message.Message):
    __slots__ = ("command_id", "accepted", "text")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    accepted: bool
    text: str
    def __init__(self, command_id: _Optional[str] = ..., accepted: _Optional[bool] = ..., text: _Optional[str] = ...) -> None: ...

class ProposalTaken(_message.Message):
    __slots__ = ("proposal", "refusal")
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    proposal: _hedge_pb2.Proposal
    refusal: str
    def __init__(self, proposal: _Optional[_Union[_hedge_pb2.Proposal, _Mapping]] = ..., refusal: _Optional[str] = ...) -> None: ...

class SourceSequence(_message.Message):
    __slots__ = ("source", "sequence")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    source: str
    sequence: int
    def __init__(self, source: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...

class Cycle(_message.Message):
    __slots__ = ("cycle_id", "market_seen", "proposal_id", "method", "factor", "exposure_before", "exposure_after", "lower", "upper", "price_of_risk", "menu", "solution_lots", "ordered_lots", "wished_lots", "iterations", "orders", "inputs_hash", "cost_cents", "wished_cost_cents", "solve_ns", "desk", "desk_lots", "crossings", "emergency")
    CYCLE_ID_FIELD_NUMBER: _ClassVar[int]
    MARKET_SEEN_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_AFTER_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    PRICE_OF_RISK_FIELD_NUMBER: _ClassVar[int]
    MENU_FIELD_NUMBER: _ClassVar[int]
    SOLUTION_LOTS_FIELD_NUMBER: _ClassVar[int]
    ORDERED_LOTS_FIELD_NUMBER: _ClassVar[int]
    WISHED_LOTS_FIELD_NUMBER: _ClassVar[int]
    ITERATIONS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    INPUTS_HASH_FIELD_NUMBER: _ClassVar[int]
    COST_CENTS_FIELD_NUMBER: _ClassVar[int]
    WISHED_COST_CENTS_FIELD_NUMBER: _ClassVar[int]
    SOLVE_NS_FIELD_NUMBER: _ClassVar[int]
    DESK_FIELD_NUMBER: _ClassVar[int]
    DESK_LOTS_FIELD_NUMBER: _ClassVar[int]
    CROSSINGS_FIELD_NUMBER: _ClassVar[int]
    EMERGENCY_FIELD_NUMBER: _ClassVar[int]
    cycle_id: str
    market_seen: _containers.RepeatedCompositeFieldContainer[SourceSequence]
    proposal_id: _containers.RepeatedScalarFieldContainer[str]
    method: str
    factor: _containers.RepeatedScalarFieldContainer[str]
    exposure_before: bytes
    exposure_after: bytes
    lower: bytes
    upper: bytes
    price_of_risk: bytes
    menu: bytes
    solution_lots: bytes
    ordered_lots: bytes
    wished_lots: bytes
    iterations: int
    orders: _containers.RepeatedCompositeFieldContainer[_execution_pb2.Order]
    inputs_hash: str
    cost_cents: int
    wished_cost_cents: int
    solve_ns: int
    desk: _containers.RepeatedScalarFieldContainer[str]
    desk_lots: bytes
    crossings: _containers.RepeatedCompositeFieldContainer[Crossing]
    emergency: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cycle_id: _Optional[str] = ..., market_seen: _Optional[_Iterable[_Union[SourceSequence, _Mapping]]] = ..., proposal_id: _Optional[_Iterable[str]] = ..., method: _Optional[str] = ..., factor: _Optional[_Iterable[str]] = ..., exposure_before: _Optional[bytes] = ..., exposure_after: _Optional[bytes] = ..., lower: _Optional[bytes] = ..., upper: _Optional[bytes] = ..., price_of_risk: _Optional[bytes] = ..., menu: _Optional[bytes] = ..., solution_lots: _Optional[bytes] = ..., ordered_lots: _Optional[bytes] = ..., wished_lots: _Optional[bytes] = ..., iterations: _Optional[int] = ..., orders: _Optional[_Iterable[_Union[_execution_pb2.Order, _Mapping]]] = ..., inputs_hash: _Optional[str] = ..., cost_cents: _Optional[int] = ..., wished_cost_cents: _Optional[int] = ..., solve_ns: _Optional[int] = ..., desk: _Optional[_Iterable[str]] = ..., desk_lots: _Optional[bytes] = ..., crossings: _Optional[_Iterable[_Union[Crossing, _Mapping]]] = ..., emergency: _Optional[_Iterable[str]] = ...) -> None: ...

class Crossing(_message.Message):
    __slots__ = ("crossing_id", "instrument", "buyer", "seller", "lots", "bid_ticks", "ask_ticks", "bought", "sold")
    CROSSING_ID_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    SELLER_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    BID_TICKS_FIELD_NUMBER: _ClassVar[int]
    ASK_TICKS_FIELD_NUMBER: _ClassVar[int]
    BOUGHT_FIELD_NUMBER: _ClassVar[int]
    SOLD_FIELD_NUMBER: _ClassVar[int]
    crossing_id: str
    instrument: int
    buyer: str
    seller: str
    lots: int
    bid_ticks: int
    ask_ticks: int
    bought: _containers.RepeatedCompositeFieldContainer[_execution_pb2.Allocation]
    sold: _containers.RepeatedCompositeFieldContainer[_execution_pb2.Allocation]
    def __init__(self, crossing_id: _Optional[str] = ..., instrument: _Optional[int] = ..., buyer: _Optional[str] = ..., seller: _Optional[str] = ..., lots: _Optional[int] = ..., bid_ticks: _Optional[int] = ..., ask_ticks: _Optional[int] = ..., bought: _Optional[_Iterable[_Union[_execution_pb2.Allocation, _Mapping]]] = ..., sold: _Optional[_Iterable[_Union[_execution_pb2.Allocation, _Mapping]]] = ...) -> None: ...

class CommandTaken(_message.Message):
    __slots__ = ("command", "acknowledgement")
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    command: Command
    acknowledgement: Acknowledgement
    def __init__(self, command: _Optional[_Union[Command, _Mapping]] = ..., acknowledgement: _Optional[_Union[Acknowledgement, _Mapping]] = ...) -> None: ...

class LeaderStarted(_message.Message):
    __slots__ = ("holder", "last_report_sequence", "recovered", "market_seen")
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    LAST_REPORT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_FIELD_NUMBER: _ClassVar[int]
    MARKET_SEEN_FIELD_NUMBER: _ClassVar[int]
    holder: str
    last_report_sequence: int
    recovered: _containers.RepeatedCompositeFieldContainer[_execution_pb2.OrderState]
    market_seen: _containers.RepeatedCompositeFieldContainer[SourceSequence]
    def __init__(self, holder: _Optional[str] = ..., last_report_sequence: _Optional[int] = ..., recovered: _Optional[_Iterable[_Union[_execution_pb2.OrderState, _Mapping]]] = ..., market_seen: _Optional[_Iterable[_Union[SourceSequence, _Mapping]]] = ...) -> None: ...

class CancelAsked(_message.Message):
    __slots__ = ("client_order_id", "reason")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    client_order_id: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    def __init__(self, client_order_id: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ...) -> None: ...

class BudgetRound(_message.Message):
    __slots__ = ("number", "reasons", "market_seen", "limits_version", "day", "published", "factor", "exposure", "used", "price_of_risk", "share", "soft_limit", "sigma_daily", "mid", "fresh", "scope", "risk_usd", "open_usd", "pnl_usd", "high_usd", "stop_usd", "worst_loss_usd", "reduce_only", "spender", "cost_cents", "spent_cents", "unpriced")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    MARKET_SEEN_FIELD_NUMBER: _ClassVar[int]
    LIMITS_VERSION_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    PRICE_OF_RISK_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    SOFT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    SIGMA_DAILY_FIELD_NUMBER: _ClassVar[int]
    MID_FIELD_NUMBER: _ClassVar[int]
    FRESH_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    RISK_USD_FIELD_NUMBER: _ClassVar[int]
    OPEN_USD_FIELD_NUMBER: _ClassVar[int]
    PNL_USD_FIELD_NUMBER: _ClassVar[int]
    HIGH_USD_FIELD_NUMBER: _ClassVar[int]
    STOP_USD_FIELD_NUMBER: _ClassVar[int]
    WORST_LOSS_USD_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    SPENDER_FIELD_NUMBER: _ClassVar[int]
    COST_CENTS_FIELD_NUMBER: _ClassVar[int]
    SPENT_CENTS_FIELD_NUMBER: _ClassVar[int]
    UNPRICED_FIELD_NUMBER: _ClassVar[int]
    number: int
    reasons: _containers.RepeatedScalarFieldContainer[str]
    market_seen: _containers.RepeatedCompositeFieldContainer[SourceSequence]
    limits_version: int
    day: int
    published: bool
    factor: _containers.RepeatedScalarFieldContainer[str]
    exposure: bytes
    used: bytes
    price_of_risk: bytes
    share: bytes
    soft_limit: bytes
    sigma_daily: bytes
    mid: bytes
    fresh: bytes
    scope: _containers.RepeatedScalarFieldContainer[str]
    risk_usd: bytes
    open_usd: bytes
    pnl_usd: bytes
    high_usd: bytes
    stop_usd: bytes
    worst_loss_usd: bytes
    reduce_only: _containers.RepeatedScalarFieldContainer[str]
    spender: _containers.RepeatedScalarFieldContainer[str]
    cost_cents: bytes
    spent_cents: bytes
    unpriced: int
    def __init__(self, number: _Optional[int] = ..., reasons: _Optional[_Iterable[str]] = ..., market_seen: _Optional[_Iterable[_Union[SourceSequence, _Mapping]]] = ..., limits_version: _Optional[int] = ..., day: _Optional[int] = ..., published: _Optional[bool] = ..., factor: _Optional[_Iterable[str]] = ..., exposure: _Optional[bytes] = ..., used: _Optional[bytes] = ..., price_of_risk: _Optional[bytes] = ..., share: _Optional[bytes] = ..., soft_limit: _Optional[bytes] = ..., sigma_daily: _Optional[bytes] = ..., mid: _Optional[bytes] = ..., fresh: _Optional[bytes] = ..., scope: _Optional[_Iterable[str]] = ..., risk_usd: _Optional[bytes] = ..., open_usd: _Optional[bytes] = ..., pnl_usd: _Optional[bytes] = ..., high_usd: _Optional[bytes] = ..., stop_usd: _Optional[bytes] = ..., worst_loss_usd: _Optional[bytes] = ..., reduce_only: _Optional[_Iterable[str]] = ..., spender: _Optional[_Iterable[str]] = ..., cost_cents: _Optional[bytes] = ..., spent_cents: _Optional[bytes] = ..., unpriced: _Optional[int] = ...) -> None: ...

class ImportedTrade(_message.Message):
    __slots__ = ("trade_id", "account", "instrument", "lots", "price", "time_ns", "corrects", "cancels")
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    CORRECTS_FIELD_NUMBER: _ClassVar[int]
    CANCELS_FIELD_NUMBER: _ClassVar[int]
    trade_id: str
    account: str
    instrument: int
    lots: int
    price: float
    time_ns: int
    corrects: str
    cancels: str
    def __init__(self, trade_id: _Optional[str] = ..., account: _Optional[str] = ..., instrument: _Optional[int] = ..., lots: _Optional[int] = ..., price: _Optional[float] = ..., time_ns: _Optional[int] = ..., corrects: _Optional[str] = ..., cancels: _Optional[str] = ...) -> None: ...

class TradesImported(_message.Message):
    __slots__ = ("import_id", "trades", "market_seen", "instrument", "mark")
    IMPORT_ID_FIELD_NUMBER: _ClassVar[int]
    TRADES_FIELD_NUMBER: _ClassVar[int]
    MARKET_SEEN_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    import_id: str
    trades: _containers.RepeatedCompositeFieldContainer[ImportedTrade]
    market_seen: _containers.RepeatedCompositeFieldContainer[SourceSequence]
    instrument: bytes
    mark: bytes
    def __init__(self, import_id: _Optional[str] = ..., trades: _Optional[_Iterable[_Union[ImportedTrade, _Mapping]]] = ..., market_seen: _Optional[_Iterable[_Union[SourceSequence, _Mapping]]] = ..., instrument: _Optional[bytes] = ..., mark: _Optional[bytes] = ...) -> None: ...

class DayStruck(_message.Message):
    __slots__ = ("day", "at_ns", "market_seen", "instrument", "mark", "desk", "level_usd", "pnl_usd", "late")
    DAY_FIELD_NUMBER: _ClassVar[int]
    AT_NS_FIELD_NUMBER: _ClassVar[int]
    MARKET_SEEN_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    DESK_FIELD_NUMBER: _ClassVar[int]
    LEVEL_USD_FIELD_NUMBER: _ClassVar[int]
    PNL_USD_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    day: int
    at_ns: int
    market_seen: _containers.RepeatedCompositeFieldContainer[SourceSequence]
    instrument: bytes
    mark: bytes
    desk: _containers.RepeatedScalarFieldContainer[str]
    level_usd: bytes
    pnl_usd: bytes
    late: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, day: _Optional[int] = ..., at_ns: _Optional[int] = ..., market_seen: _Optional[_Iterable[_Union[SourceSequence, _Mapping]]] = ..., instrument: _Optional[bytes] = ..., mark: _Optional[bytes] = ..., desk: _Optional[_Iterable[str]] = ..., level_usd: _Optional[bytes] = ..., pnl_usd: _Optional[bytes] = ..., late: _Optional[_Iterable[str]] = ...) -> None: ...

class FeedSilence(_message.Message):
    __slots__ = ("silent_s",)
    SILENT_S_FIELD_NUMBER: _ClassVar[int]
    silent_s: float
    def __init__(self, silent_s: _Optional[float] = ...) -> None: ...

class JournalEntry(_message.Message):
    __slots__ = ("sequence", "epoch", "now_ns", "wall_ns", "leader_started", "proposal", "cycle", "report", "command", "budgets", "assignment", "cancel", "round", "trades", "parameters", "struck", "feed", "market")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NOW_NS_FIELD_NUMBER: _ClassVar[int]
    WALL_NS_FIELD_NUMBER: _ClassVar[int]
    LEADER_STARTED_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    CYCLE_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    BUDGETS_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TRADES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    STRUCK_FIELD_NUMBER: _ClassVar[int]
    FEED_FIELD_NUMBER: _ClassVar[int]
    MARKET_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    epoch: int
    now_ns: int
    wall_ns: int
    leader_started: LeaderStarted
    proposal: ProposalTaken
    cycle: Cycle
    report: _execution_pb2.ExecutionReport
    command: CommandTaken
    budgets: _hedge_pb2.BudgetUpdate
    assignment: _hedge_pb2.AssignmentUpdate
    cancel: CancelAsked
    round: BudgetRound
    trades: TradesImported
    parameters: _hedge_pb2.AgentParameters
    struck: DayStruck
    feed: FeedSilence
    market: _market_pb2.Header
    def __init__(self, sequence: _Optional[int] = ..., epoch: _Optional[int] = ..., now_ns: _Optional[int] = ..., wall_ns: _Optional[int] = ..., leader_started: _Optional[_Union[LeaderStarted, _Mapping]] = ..., proposal: _Optional[_Union[ProposalTaken, _Mapping]] = ..., cycle: _Optional[_Union[Cycle, _Mapping]] = ..., report: _Optional[_Union[_execution_pb2.ExecutionReport, _Mapping]] = ..., command: _Optional[_Union[CommandTaken, _Mapping]] = ..., budgets: _Optional[_Union[_hedge_pb2.BudgetUpdate, _Mapping]] = ..., assignment: _Optional[_Union[_hedge_pb2.AssignmentUpdate, _Mapping]] = ..., cancel: _Optional[_Union[CancelAsked, _Mapping]] = ..., round: _Optional[_Union[BudgetRound, _Mapping]] = ..., trades: _Optional[_Union[TradesImported, _Mapping]] = ..., parameters: _Optional[_Union[_hedge_pb2.AgentParameters, _Mapping]] = ..., struck: _Optional[_Union[DayStruck, _Mapping]] = ..., feed: _Optional[_Union[FeedSilence, _Mapping]] = ..., market: _Optional[_Union[_market_pb2.Header, _Mapping]] = ...) -> None: ...

"""A division of budgets to bytes and back. Schema: ``BudgetRound`` in proto/hedgerow/control/v1/control.proto.

*Tested by* tests/unit/test_budgets_wire.py.
"""

from __future__ import annotations

from typing import Any, Final

from hedgerow.control.v1 import control_pb2 as pb

from common.control_messages import BudgetRound
from common.wire.columns import F64_LE, I64_LE, U8_LE, column, column_bytes, same_length

_KIND: Final = "BudgetRound"
_OF_FACTOR: Final = ("exposure", "used", "price_of_risk", "share", "soft_limit")
_OF_SCOPE: Final = ("risk_usd", "open_usd", "pnl_usd", "high_usd", "stop_usd", "worst_loss_usd")
_OF_SPENDER: Final = ("cost_cents", "spent_cents")


def round_to_pb(r: BudgetRound) -> pb.BudgetRound:
    """A round as protobuf."""
    columns = {name: column_bytes(getattr(r, name), F64_LE) for name in (*_OF_FACTOR, *_OF_SCOPE, "sigma_daily", "mid")}
    columns |= {name: column_bytes(getattr(r, name), I64_LE) for name in _OF_SPENDER}
    return pb.BudgetRound(
        number=r.number,
        reasons=r.reasons,
        market_seen=[pb.SourceSequence(source=source, sequence=sequence) for source, sequence in r.market_seen],
        limits_version=r.limits_version,
        day=r.day,
        published=r.published,
        factor=r.factor,
        fresh=column_bytes(r.fresh, U8_LE),
        scope=r.scope,
        reduce_only=r.reduce_only,
        spender=r.spender,
        unpriced=r.unpriced,
        **columns,
    )


def round_from_pb(m: pb.BudgetRound) -> BudgetRound:
    """A round. Raises ``errors.Refused`` where a column has another length than what it belongs to."""
    f, s, k = len(m.factor), len(m.scope), len(m.spender)
    same_length(_KIND, "reduce_only", len(m.reduce_only), s)
    columns: dict[str, Any] = {name: column(_KIND, name, getattr(m, name), F64_LE, f) for name in _OF_FACTOR}
    columns |= {name: column(_KIND, name, getattr(m, name), F64_LE, s) for name in _OF_SCOPE}
    columns |= {name: column(_KIND, name, getattr(m, name), I64_LE, k) for name in _OF_SPENDER}
    columns["mid"] = column(_KIND, "mid", m.mid, F64_LE)
    u = len(columns["mid"])
    return BudgetRound(
        number=m.number,
        reasons=tuple(m.reasons),
        market_seen=tuple((x.source, x.sequence) for x in m.market_seen),
        limits_version=m.limits_version,
        day=m.day,
        published=m.published,
        factor=tuple(m.factor),
        sigma_daily=column(_KIND, "sigma_daily", m.sigma_daily, F64_LE, u),
        fresh=column(_KIND, "fresh", m.fresh, U8_LE, u),
        scope=tuple(m.scope),
        reduce_only=tuple(m.reduce_only),
        spender=tuple(m.spender),
        unpriced=m.unpriced,
        **columns,
    )

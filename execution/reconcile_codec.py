"""The answer to ``Reconcile`` on the wire. *Tested by* tests/integration/test_reconcile_service.py."""

from __future__ import annotations

from typing import Any

from hedgerow.execution.v1 import execution_pb2 as pb

from common.messages import TradingState
from execution.reconciler import Found, Reconciliation


def reconciliation_to_pb(done: Reconciliation, venue: str, state: TradingState) -> pb.ReconcileResponse:
    """What a pass found, at which venue, and the trading state after it."""
    number: Any = int(state)
    return pb.ReconcileResponse(
        wall_ns=done.wall_ns,
        venue=venue,
        why_not=done.why_not,
        not_compared=done.not_compared,
        fills=done.fills,
        orders=done.orders,
        positions=done.positions,
        breaks=map(_found, done.breaks),
        in_doubt=map(_found, done.in_doubt),
        state=number,
    )


def _found(found: Found) -> pb.ReconcileBreak:
    said = found.difference
    return pb.ReconcileBreak(
        kind=said.kind.name,
        subject=said.subject,
        client_order_id=said.client_order_id,
        ours=said.ours,
        theirs=said.theirs,
        since_wall_ns=found.since_wall_ns,
        text=said.text(),
    )

"""A venue's statement on its line.

*Tested by* tests/unit/test_venue_statement.py, tests/integration/test_reconcile_service.py.
"""

from __future__ import annotations

from hedgerow.venue.v1 import venue_pb2 as pb

from execution.venues.statement import StatedFill, StatedOrder, VenueStatement


def statement_to_pb(number: int, stated: VenueStatement) -> pb.VenueStatement:
    """For the wire, as the answer to question ``number``."""
    return pb.VenueStatement(
        number=number,
        first=stated.first,
        count=stated.count,
        from_time_ns=stated.from_time_ns,
        fills=[
            pb.StatedFill(
                exec_id=f.exec_id,
                client_order_id=f.client_order_id,
                instrument=f.instrument,
                signed_lots=f.signed_lots,
                ticks=f.ticks,
                fee_cents=f.fee_cents,
                event_time_ns=f.event_time_ns,
            )
            for f in stated.fills
        ],
        orders=[
            pb.StatedOrder(
                client_order_id=o.client_order_id,
                instrument=o.instrument,
                signed_lots=o.signed_lots,
                limit_ticks=o.limit_ticks,
                cum_lots=o.cum_lots,
            )
            for o in stated.orders
        ],
        positions=[pb.StatedPosition(instrument=at, lots=lots) for at, lots in stated.position_lots.items()],
    )


def statement_from_pb(m: pb.VenueStatement) -> VenueStatement:
    """From the wire."""
    return VenueStatement(
        first=m.first,
        count=m.count,
        from_time_ns=m.from_time_ns,
        fills=tuple(
            StatedFill(f.exec_id, f.client_order_id, f.instrument, f.signed_lots, f.ticks, f.fee_cents, f.event_time_ns)
            for f in m.fills
        ),
        orders=tuple(
            StatedOrder(o.client_order_id, o.instrument, o.signed_lots, o.limit_ticks, o.cum_lots) for o in m.orders
        ),
        position_lots={p.instrument: p.lots for p in m.positions},
    )

"""Several days of the whole loop across closes, a holiday and an expiry, with everything recounted."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from benchmarks.registry import Context, Row, bench
from common.messages import OrdStatus
from deploy.config import load
from deploy.finish import lab_settings
from deploy.setup import prepare
from lab.audit import Run, audit
from lab.closed_loop import ClosedLoop, instants
from lab.settled import after_settlements

#: The book of the demo holds options that settle at the open of Friday 2018-02-16; the Monday after it is a holiday.
_DAYS = {"market.demo.start": "2018-02-15", "market.demo.end": "2018-02-20", "market.demo.step_s": 600}


@bench(
    "trading_day.broken_promises",
    "trading_day.settled_contracts",
    "trading_day.left_in_expired",
    what="the demo book over four dates with a holiday and an expiry: what settled, and whether every count agrees",
    minutes=2,
)
def across_an_expiry(context: Context) -> Iterable[Row]:
    """The joint closed loop; the auditors recount it from the journal."""
    began = time.perf_counter()
    prepared = prepare(load(None, {"market.name": "demo", "market.data": str(context.data_dir), **_DAYS}), "bench-days")
    settings = lab_settings(prepared, None)
    source, book = settings.open_market()
    loop = ClosedLoop(
        source, book, settings.agents, settings.manager, settings.limits, settings.execution, prepared.run_id
    )
    for now_ns, together in instants(source.batches()):
        while (due := loop.execution.next_due_ns) is not None and due < now_ns:
            loop.feed(due, [])
        loop.feed(now_ns, together)
    loop.settle()
    loop.manager.check()
    result, universe, n = loop.result(), source.universe, len(source.universe)
    position = book.net_lots(n) + loop.manager.fold.ledger.net_lots()
    record, hours = (result.entries, result.order_states, result.reports), source.session_bounds_ns
    broken = audit(Run(universe, book, *record, position, settings.limits, sessions_ns=hours))
    seconds = time.perf_counter() - began
    told = [r for r in result.reports if r.ord_status is OrdStatus.SETTLED]
    what = f"sentences of the auditors over {len(source.session_bounds_ns)} days, {len(result.orders)} orders"
    yield Row("trading_day.broken_promises", what, len(broken), "", "0", not broken, "", len(result.entries), seconds)
    held = book.net_lots(n) != 0
    gone = int(np.count_nonzero(held & (after_settlements(universe, book.net_lots(n), result.reports) == 0)))
    what = f"contracts of the opening book that settled, in {len(told)} settlements"
    yield Row("trading_day.settled_contracts", what, gone, "", "above 0", gone > 0, "", len(told))
    expired = universe.expiry_ns <= source.session_bounds_ns[-1][1]
    left = int(np.abs(position[expired]).sum())
    yield Row(
        "trading_day.left_in_expired", "lots still held of contracts past their end", left, "lots", "0", left == 0
    )

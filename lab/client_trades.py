"""Client trades told while a run lasted (``hedgerow book import``), as columns, from the journal alone.

What counts is the record as it ended: a trade that was corrected or cancelled never was, and its correction counts from its own
time. A trade stamped later than it was told counts from when it was told. *Tested by* tests/unit/test_lab_client_trades.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.control_messages import Command, CommandTaken, JournalEntry, TradesImported
from common.messages import F64, I64

_IMPORT = "book.import"


@dataclass(frozen=True)
class ClientTrades:
    """One row a trade that stands (n,): market time, row of the universe, signed lots, price in points."""

    time_ns: I64
    instrument: I64
    lots: I64
    price: F64

    def __len__(self) -> int:
        return len(self.time_ns)

    def net_lots(self, instruments: int) -> I64:
        """Signed lots per instrument, (instruments,)."""
        out = np.zeros(instruments, np.int64)
        np.add.at(out, self.instrument, self.lots)
        return out


NO_TRADES = ClientTrades(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def client_trades_of(entries: Sequence[JournalEntry]) -> ClientTrades:
    """The trades that stand at the end of a journal, in the order they were told."""
    told = {t.trade_id: (t, e.now_ns) for e in entries if isinstance(e.event, TradesImported) for t in e.event.trades}
    ended = {t.corrects or t.cancels for t, _ in told.values()}
    stand = [(t, now_ns) for name, (t, now_ns) in told.items() if name not in ended and not t.cancels]
    return ClientTrades(
        np.array([min(t.time_ns, now_ns) for t, now_ns in stand], np.int64),
        np.array([t.instrument for t, _ in stand], np.int64),
        np.array([t.lots for t, _ in stand], np.int64),
        np.array([t.price for t, _ in stand], np.float64),
    )


def imports_asked(entries: Sequence[JournalEntry]) -> tuple[tuple[int, Command], ...]:
    """The accepted imports of a journal with their market time, so that another run is told the same at the same time."""
    taken = [(e.now_ns, e.event) for e in entries if isinstance(e.event, CommandTaken)]
    return tuple(
        (now_ns, t.command)
        for now_ns, t in taken
        if t.command.action == _IMPORT
        and t.acknowledgement.accepted
        and not json.loads(t.command.arguments_json)["dry_run"]
    )

"""What a client's trade told while a run lasts does to the book.

*Tested by* tests/unit/test_manager_imports.py, tests/unit/test_lab_client_trades.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from common.control_messages import ImportedTrade


class Effect(NamedTuple):
    """A change of the book: signed lots at a price in points."""

    account: str
    instrument: int
    lots: int
    price: float


def effects(trade: ImportedTrade, known: Mapping[str, ImportedTrade]) -> Iterator[Effect]:
    """What a trade does on top of those known: what it takes back, at the price of then, and what it brings."""
    former = known.get(trade.corrects or trade.cancels)
    if former is not None:
        yield Effect(former.account, former.instrument, -former.lots, former.price)
    if not trade.cancels:
        yield Effect(trade.account, trade.instrument, trade.lots, trade.price)

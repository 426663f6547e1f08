"""Client trades told while a run lasts, by their own id: what each does to the book, and which still count.

A trade counts once. One that is corrected or cancelled counts no more; what ended it is remembered, so that nothing is taken
back twice. *Tested by* tests/unit/test_manager_imports.py, tests/properties/test_manager_conservation.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from common.client_trades import Effect, effects
from common.control_messages import ImportedTrade

#: Trades a run takes; beyond, imports are refused.
TRADES_MAX = 100_000


@dataclass(slots=True)
class Imports:
    """``trades`` by id in the order they came; ``ended``: trade id to the id of the trade that replaced or cancelled it."""

    trades: dict[str, ImportedTrade] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    def take(self, trade: ImportedTrade) -> list[Effect]:
        """Take a trade in; what it does. ``problem_of`` has found nothing wrong."""
        out = list(effects(trade, self.trades))
        self.trades[trade.trade_id] = trade
        if former := trade.corrects or trade.cancels:
            self.ended[former] = trade.trade_id
        return out

    def live(self) -> Iterator[ImportedTrade]:
        """Trades that count now."""
        return (t for name, t in self.trades.items() if name not in self.ended and not t.cancels)


def problem_of(trade: ImportedTrade, known: Mapping[str, ImportedTrade], ended: Mapping[str, str]) -> str:
    """Why a new trade cannot be taken on top of those known, in words; empty where it can."""
    former = trade.corrects or trade.cancels
    if trade.corrects and trade.cancels:
        return "it both corrects and cancels; a line does one of them"
    if not former:
        return ""
    if former == trade.trade_id:
        return "it names itself; a correction has an id of its own"
    old = known.get(former)
    if old is None:
        return f"there is no imported trade {former!r} to {'correct' if trade.corrects else 'cancel'}"
    if former in ended:
        return f"trade {former!r} has been ended by {ended[former]!r} already; name that one"
    if old.cancels:
        return f"trade {former!r} is a cancellation; nothing of it stands"
    same = (old.account, old.instrument, old.lots) == (trade.account, trade.instrument, trade.lots)
    return "" if trade.corrects or same else f"a cancellation repeats account, instrument and quantity of {former!r}"

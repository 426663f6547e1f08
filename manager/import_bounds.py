"""Whether an import leaves positions and cash within what the rest of the system believes; asked trade by trade.

Positions: the opening book's lots and those told since, long and short, of all contracts and desks of an underlying, so that
options delivered into one future fit too. Cash: of a desk's client trades, cents. What is beyond already may only shrink.
*Tested by* tests/unit/test_manager_import_bounds.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from common.bounds import CLIENT_CENTS_MAX, POSITION_LOTS_MAX
from common.client_trades import Effect
from common.control_messages import ImportedTrade
from common.factors import at_desk
from common.units import CENTS_PER_USD
from manager.ledger import CLIENT
from manager.state import ManagerState


def value_problem(state: ManagerState, trade: ImportedTrade) -> str:
    """Why a trade is worth more than is believed, in words; empty where it is not. A cancellation brings no price."""
    multiplier = float(state.setup.universe.multiplier_usd[trade.instrument])
    usd, most = abs(trade.lots) * trade.price * multiplier, CLIENT_CENTS_MAX // CENTS_PER_USD
    if trade.cancels or usd <= most:
        return ""
    return f"quantity x price x multiplier is {usd:.6g} USD, limit {most:.6g} USD a trade"


class Bounds:
    """Positions and cash with the trades of a file taken so far."""

    def __init__(self, state: ManagerState) -> None:
        ledger, universe, book = state.fold.ledger, state.setup.universe, state.setup.book
        several = len(ledger.desks) > 1
        self._ledger, self._universe = ledger, universe
        self._desk = {a: d for d, desk in enumerate(book.desks) for a in desk.accounts} if several else {}
        self._net = ledger.net_desk_lots()
        lots = (abs(self._net) + abs(book.desk_lots(len(universe)))).sum(axis=0)
        self._gross = [int(lots[universe.underlying == k].sum()) for k in range(len(universe.symbols))]
        self._cents = [ledger.cash_cents.get(at_desk(CLIENT, desk), 0) for desk in ledger.desks]

    def take(self, effects: Iterable[Effect]) -> str:
        """Take what a trade does in, or say why it leaves the bounds; then nothing is taken."""
        gross, cents, moved = dict[int, int](), dict[int, int](), dict[tuple[int, int], int]()
        for account, at, lots, price in effects:
            d, k = self._desk.get(account, 0), int(self._universe.underlying[at])
            old = moved.get((d, at), int(self._net[d, at]))
            moved[d, at] = old + lots
            gross[k] = gross.get(k, self._gross[k]) + abs(old + lots) - abs(old)
            cents[d] = cents.get(d, self._cents[d]) + self._ledger.import_cents(at, lots, price)
        for k, after in gross.items():
            if after > max(POSITION_LOTS_MAX, self._gross[k]):
                return f"{after} lots of {self._universe.symbols[k]} would be held, limit {POSITION_LOTS_MAX}"
        for d, after in cents.items():
            if abs(after) > max(CLIENT_CENTS_MAX, abs(self._cents[d])):
                most = CLIENT_CENTS_MAX // CENTS_PER_USD
                return f"client trades would come to {after / CENTS_PER_USD:.6g} USD of cash, limit {most:.6g} USD"
        for place, lots in moved.items():
            self._net[place] = lots
        for k, after in gross.items():
            self._gross[k] = after
        for d, after in cents.items():
            self._cents[d] = after
        return ""

"""Reconciliation, watched: a venue that lies is told and halts trading, an honest one never does (promise 5).

*Tested by* tests/simulation/test_simulator_reconciles.py, tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from common.messages import TradingState
from execution.events import Record, TradingSet
from execution.venues.statement import VenueStatement

if TYPE_CHECKING:
    from lab.simulator.run import Simulation

#: So many statements in a row hold a pass of two looks, however they lie among the passes; both must see the same lie.
_LOOKS = 4
_HALT = "reconciliation found"
#: What a halt must say of each lie.
_WORDS = {
    "position": "position that no fill explains",
    "order": "never sent from here",
    "price": "fill with other content",
    "denied": "the venue does not state",
}


class StatementWatch:
    """Follows each life of execution: what the venue stated to it, and what came of that."""

    def __init__(self, run: Simulation) -> None:
        self._run = run
        #: The lie that each of the last statements showed to an execution that traded; empty for none.
        self._shown: deque[str] = deque(maxlen=_LOOKS)
        #: Fills that the venue counted in its last statement.
        self._counted = 0
        self._halted = False
        #: Lies stated in this life of execution.
        self.lies: set[str] = set()
        self.halts = 0
        self.statements = 0
        run.exchange.on_statement.append(self._on_statement)
        run.execution.on_life.append(self._begins)
        run.execution.store.on_commit.append(self._on_commit)

    def _begins(self) -> None:
        self._shown.clear()
        self.lies.clear()
        self._halted = False

    def _on_statement(self, stated: VenueStatement | None) -> None:
        watch, statements = self._run.watch, self._run.exchange.statements
        if stated is None:
            self._shown.clear()
            return
        self.statements += 1
        seen = set(self._shown)
        if len(self._shown) == _LOOKS and len(seen) == 1 and (same := seen.pop()) and not self._halted:
            self._run.world.fail(f"promise 5: the venue's statement is wrong ({same}) and nothing halts trading")
        lie, back = statements.lie, statements.states_back
        if lie is not None:
            self.lies.add(lie.what)
            self._run.world.say("venue", f"states what is not so: {lie.what}")
        stands = watch.stopped.get("", TradingState.ACTIVE).halted
        shown = lie.what if lie is not None and statements.shows(watch.booked) and not stands else ""
        # Where the venue has forgotten fills of between two looks, positions are in doubt until a calmer pass.
        doubtful = shown == "position" and back is not None and stated.count - self._counted > back
        self._shown.append("" if doubtful else shown)
        self._counted = stated.count

    def _on_commit(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, TradingSet) and record.who == "execution" and record.why.startswith(_HALT):
                self._halt(record.why)

    def _halt(self, why: str) -> None:
        self.halts += 1
        self._halted = True
        if not self.lies:
            self._run.world.fail(f"promise 5: trading halts though the venue stated what it did: {why}")
        elif not any(_WORDS[lie] in why for lie in self.lies):
            self._run.world.fail(f"promise 5: trading halts for another reason than {sorted(self.lies)}: {why}")

    def expects(self, logger: str) -> bool:
        """Whether an error logged there is due: a break with a venue that lies."""
        return logger.endswith("reconciler") and bool(self.lies)

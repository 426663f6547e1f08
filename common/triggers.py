"""Why an agent speaks, as its proposals name it (``Proposal.trigger``).

*Tested by* tests/unit/test_agents_triggers.py, tests/unit/test_manager_step.py.
"""

from __future__ import annotations

from typing import Final

START: Final = "start"
PRICE_MOVE: Final = "price move"
POSITIONS: Final = "positions"
TIME: Final = "time"
THRESHOLD: Final = "threshold"
PARAMETERS: Final = "parameters"
ROLL: Final = "roll"

#: What a tick brings about. Fills, time, people and a start bring about the others, at the tick that happens to be the newest.
OF_THE_MARKET: Final = frozenset({PRICE_MOVE, THRESHOLD})

"""How much of anything is believed: bounds that the door and every room behind it hold to, far inside 64 bits.

*Tested by* tests/unit/test_manager_import_bounds.py, tests/unit/test_agents_fitting.py.
"""

from __future__ import annotations

from typing import Final

#: Largest position in lots: of an instrument as agents are told it, and of an underlying, all contracts and desks, at imports.
POSITION_LOTS_MAX: Final = 10**12
#: Largest value of one client trade, and of the cash of a desk's client trades together, cents.
CLIENT_CENTS_MAX: Final = 10**15

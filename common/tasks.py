"""Ending tasks so that they have ended.

*Tested by* tests/unit/test_tasks.py, tests/simulation/test_simulator_seeds.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

#: Wall time after which a task that has not ended is cancelled again.
AGAIN_S: Final = 0.2


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and return when all are done; what they raised is left in them.

    One cancel is not enough: where the answer that a task waits for comes in the same moment, ``asyncio.wait_for`` of
    Python 3.11, which NATS's client uses too, returns the answer and forgets the cancel. A loop then goes on for ever.
    """
    left = [task for task in tasks if not task.done()]
    while left:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=AGAIN_S)
        left = [task for task in left if not task.done()]

"""The arguments of a command: JSON a person or a program wrote, read so that nothing in it can stop who reads it. Pure.

Refused, each with its reason: what is no JSON or too deep, too long or without end; numbers that are not finite or beyond 64
bits; text that is no Unicode (a lone surrogate, which nothing can write down).
*Tested by* tests/unit/test_control_arguments.py, tests/properties/test_fuzz_bus.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Final

from common.control_messages import Command
from common.errors import Refused

#: Longest arguments in characters: a file of 5,000 client trades is about a tenth of it.
LENGTH_MAX: Final = 8_000_000
_DIGITS_MAX: Final = 19
_WHOLE_MAX: Final = 2**63 - 1

Pairs = Callable[[list[tuple[str, Any]]], Any]


def read_arguments(command: Command, pairs: Pairs | None = None) -> Any:
    """What the arguments say; ``pairs`` makes an object of its pairs (None: a dict). Raises ``Refused``."""
    text = command.arguments_json
    if len(text) > LENGTH_MAX:
        raise Refused(f"{command.action}: the arguments have {len(text)} characters, limit {LENGTH_MAX}")
    try:
        found = json.loads(text, object_pairs_hook=pairs, parse_int=_whole, parse_float=_real, parse_constant=_none)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise Refused(f"{command.action}: the arguments are nested too deep") from None
    except UnicodeEncodeError:
        raise Refused(f"{command.action}: the arguments hold half a character (a lone surrogate)") from None
    except ValueError as error:
        raise Refused(f"{command.action}: the arguments are not JSON: {error}") from error
    return found


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > _DIGITS_MAX:
        raise ValueError(f"a whole number of {len(text)} digits, limit {_DIGITS_MAX}")
    found = int(text)  # after the look at its length: to read a million digits takes long
    if not -_WHOLE_MAX - 1 <= found <= _WHOLE_MAX:
        raise ValueError(f"{text} needs more than 64 bits")
    return found


def _real(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(f"{text[:20]} is no number that can be held")
    return found


def _none(text: str) -> float:
    raise ValueError(f"{text} is no number")

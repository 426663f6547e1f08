"""Fingerprints: of the order list (what promise 9 compares) and of the folded state.

*Tested by* tests/properties/test_manager_determinism.py, tests/properties/test_manager_fold.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from common.messages import Order
from manager.state import ManagerState


def order_hash(orders: Iterable[Order]) -> str:
    """SHA-256 over the ordered list of id, instrument, side, lots and limit in ticks. No wall time goes in."""
    digest = hashlib.sha256()
    for o in orders:
        line = f"{o.client_order_id}|{o.instrument_id}|{o.side.name}|{o.quantity_lots}|{o.limit_ticks}\n"
        digest.update(line.encode())
    return digest.hexdigest()


def state_hash(state: ManagerState) -> str:
    """SHA-256 of everything the journal gives back: equal for a leader and for a fold of its journal."""
    digest = hashlib.sha256()
    _feed(digest.update, state.fold)
    return digest.hexdigest()


def _feed(update: Any, value: Any) -> None:
    """Feed a value by content. Objects by their attributes, mappings in their order, arrays by dtype and bytes."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        update(f"{value.dtype}{value.shape}".encode())
        update(value.tobytes())
    elif isinstance(value, dict):
        for key, item in value.items():
            update(repr(key).encode())
            _feed(update, item)
    elif isinstance(value, set | frozenset):
        update(repr(sorted(value)).encode())
    elif isinstance(value, str | int | float | bool | None):
        update(repr(value).encode())
    elif hasattr(value, "__iter__"):
        update(b"[")
        for item in value:
            _feed(update, item)
    else:
        for name in attributes(value):
            update(name.encode())
            _feed(update, getattr(value, name))


def attributes(value: Any) -> list[str]:
    """Names of an object's attributes, slots included, sorted."""
    slots = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
    return sorted({*slots, *getattr(value, "__dict__", {})})

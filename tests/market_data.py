"""What several market tests share: the real data folder, the demo's default run, columns of batches."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from common.market.config import DemoConfig, default_data_dir
from common.market.demo import DemoMarket
from common.market.es_files import FUTURES_FILE, OPTIONS_FILE
from common.messages import QuoteBatch
from common.wire.market_codec import encode_quote_batch

DATA = default_data_dir()
needs_es_files = pytest.mark.skipif(
    not ((DATA / OPTIONS_FILE).is_file() and (DATA / FUTURES_FILE).is_file()),
    reason="the E-mini files are not in HEDGEROW_DATA or ../shared/data",
)


@cache
def demo() -> DemoMarket:
    """The default demo without a book."""
    return DemoMarket(None, DemoConfig())


@cache
def demo_batches(symbol: str) -> tuple[QuoteBatch, ...]:
    """Every batch of one underlying of the default demo."""
    return tuple(b for b in demo().batches() if b.header.source == f"feed.{symbol}")


def column(batches: Iterable[QuoteBatch], name: str) -> np.ndarray:
    """One column of batches of equal length, (batches, n)."""
    return np.array([getattr(b, name) for b in batches])


def as_bytes(batches: Iterable[QuoteBatch]) -> bytes:
    """What the batches are on the wire."""
    return b"".join(encode_quote_batch(b) for b in batches)


def examples() -> Path:
    """The folder of the example books."""
    return Path(__file__).resolve().parents[1] / "examples"

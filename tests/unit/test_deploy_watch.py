"""P&L on the screen, against sums done by hand on the toy market."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from common.control_messages import ImportedTrade, JournalEntry, TradesImported
from common.messages import ExecutionReport, Header, OrdStatus, QuoteBatch, Refusal, Side
from common.wire import codec
from deploy.watch import AT_ONCE, PnlMeter
from tests.toy_world import NOW_NS, book, universe

LISTED = universe()


def quotes(symbol: str, sequence: int, mid_ticks: dict[int, int]) -> bytes:
    rows = LISTED.rows_of(symbol)
    mid = np.array([mid_ticks.get(int(i), 500) for i in rows], np.int32)
    size = np.full(len(rows), 10, np.int32)
    head = Header(f"feed.{symbol}", sequence, NOW_NS + sequence)
    return codec.encode_quote_batch(QuoteBatch(head, rows.astype(np.uint32), mid - 1, mid + 1, size, size))


def fill(at: int, side: Side, lots: int, ticks: int, fee_cents: int) -> bytes:
    report = ExecutionReport(
        1, "e1", "c1", OrdStatus.FILLED, lots, ticks, lots, 0, fee_cents, at, side, Refusal.NONE, "", NOW_NS, 0, 0, 0
    )
    return codec.encode_journal_entry(JournalEntry(1, 1, NOW_NS, 0, report, Header("feed.AAA", 1, NOW_NS)))


def test_nothing_before_every_position_has_a_mid_then_book_and_trades_at_mids() -> None:
    prepared = SimpleNamespace(source=SimpleNamespace(universe=LISTED), book=book())
    meter = PnlMeter(prepared)
    held = int(book().instrument[0])  # short 200 lots, 100 USD a point, tick 0.01
    assert meter.read() == (None, None)
    meter.on_quotes("", quotes("AAA", 1, {}))
    meter.on_quotes("", quotes("BBB", 1, {}))
    assert meter.read() == (0.0, 0.0)
    meter.on_quotes("", quotes("AAA", 2, {held: 510}))
    assert meter.read() == pytest.approx((-200 * 100 * 0.10, -200 * 100 * 0.10))
    # Ten lots bought at 5.11 with the mid at 5.10 and a fee of 5 USD: 10 USD of spread and the fee.
    meter.on_journal(fill(held, Side.BUY, 10, 511, 500))
    assert meter.read() == pytest.approx((-2000.0 - 10.0 - 5.0, -2000.0))


def test_batches_wait_for_the_reading_and_one_that_is_no_batch_takes_no_other_with_it() -> None:
    meter = PnlMeter(SimpleNamespace(source=SimpleNamespace(universe=LISTED), book=book()))
    held = int(book().instrument[0])
    for data in (quotes("AAA", 1, {}), b"\xff\xff", b"", quotes("BBB", 1, {})):
        meter.on_quotes("", data)
    assert meter.read() == (0.0, 0.0)
    for sequence in range(2, 2 + 2 * AT_ONCE):  # more than are kept: none is lost, the newest stands
        meter.on_quotes("", quotes("AAA", sequence, {held: 500 + sequence % 7}))
    last = 500 + (1 + 2 * AT_ONCE) % 7
    assert meter.read() == pytest.approx((-200 * (last - 500), -200 * (last - 500)))


def imported(*trades: ImportedTrade) -> bytes:
    event = TradesImported("i", trades)
    return codec.encode_journal_entry(JournalEntry(1, 1, NOW_NS, 0, event, Header("feed.AAA", 1, NOW_NS)))


def test_client_trades_count_at_their_price_and_a_correction_takes_the_old_one_back() -> None:
    meter = PnlMeter(SimpleNamespace(source=SimpleNamespace(universe=LISTED), book=book()))
    held = int(book().instrument[0])
    meter.on_quotes("", quotes("AAA", 1, {}))
    meter.on_quotes("", quotes("BBB", 1, {}))
    assert meter.read() == (0.0, 0.0)  # mids of 5.00
    meter.on_journal(imported(ImportedTrade("T1", "a", held, 10, 4.90, 5)))
    assert meter.read() == pytest.approx((100.0, 100.0))
    meter.on_journal(imported(ImportedTrade("T1b", "a", held, 20, 4.95, 5, corrects="T1")))
    assert meter.read() == pytest.approx((100.0, 100.0))
    meter.on_journal(imported(ImportedTrade("T1c", "a", held, 20, 4.95, 5, cancels="T1b")))
    assert meter.read() == pytest.approx((0.0, 0.0))

"""The example books: form, and risk at the first quotes with QuantLib as the pricer."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.factors import bucket_index
from common.market.open import open_market
from common.ports import MarketSource
from common.snapshot import MarketSnapshot
from common.units import NS_PER_MIN, NS_PER_YEAR
from common.universe import OPTION, Book
from tests.market_data import examples, needs_es_files
from tests.quantlib_book import option_greeks


def _risk(source: MarketSource, book: Book, minutes: int) -> dict[str, dict[str, float]]:
    """Dollar delta, gamma per 1 %, vega per point and futures notional of each underlying at the first quotes."""
    snapshot = MarketSnapshot(source.universe)
    for batch in source.batches():
        if snapshot.now_ns and batch.header.event_time_ns > source.session_bounds_ns[0][0] + minutes * NS_PER_MIN:
            break
        snapshot.apply(batch)
    universe, mid = source.universe, snapshot.mid()
    totals = {s: dict.fromkeys(("delta", "gamma", "vega", "lot"), 0.0) for s in universe.symbols}
    for row, lots in enumerate(book.net_lots(len(universe))):
        if not lots:
            continue
        terms = universe.underlyings[int(universe.underlying[row])]
        at = terms.future_instrument
        years = (universe.expiry_ns[row] - snapshot.now_ns) / NS_PER_YEAR
        beyond = (universe.expiry_ns[row] - universe.expiry_ns[at]) / NS_PER_YEAR
        forward, vol = float(mid[at] * np.exp(terms.carry_per_year * beyond)), 0.0
        if universe.kind[row] == OPTION:
            kind = ql.Option.Call if universe.right[row] > 0 else ql.Option.Put
            discount = float(np.exp(-terms.rate_per_year * years))
            deviation = ql.blackFormulaImpliedStdDev(
                kind, float(universe.strike[row]), forward, float(mid[row]), discount
            )
            vol = deviation / float(np.sqrt(years))
        greeks = option_greeks(universe, row, forward, vol, snapshot.now_ns)
        total = totals[terms.symbol]
        total["delta"] += lots * greeks["delta"]
        total["gamma"] += 0.01 * lots * greeks["gamma"]
        total["vega"] += lots * greeks["vega"]
        total["lot"] = float(universe.multiplier_usd[at] * mid[at])
    return totals


def test_the_demo_book_opens_with_the_stated_risk() -> None:
    source, book = open_market("demo")
    risk = _risk(source, book, 0)
    spx, ixic = risk["SPX"], risk["IXIC"]
    assert -3e6 < spx["gamma"] < -1.5e6
    assert 0.3 < ixic["gamma"] / spx["gamma"] < 0.55
    assert spx["vega"] < 0
    assert ixic["vega"] < 0
    assert -6e5 < spx["vega"] + ixic["vega"] < -3e5
    for total in risk.values():
        assert abs(total["delta"]) < total["lot"]


def test_the_demo_book_is_one_a_desk_would_recognise() -> None:
    source, book = open_market("demo")
    universe = source.universe
    rows = book.instrument.astype(int)
    assert len(rows) >= 500
    assert len(set(book.account)) >= 5
    assert universe.listed[rows].all()
    assert not universe.style[rows].any()
    for u in range(2):
        mine = rows[universe.underlying[rows] == u]
        assert len(np.unique(universe.expiry_ns[mine])) >= 6
        assert (universe.kind[mine] != OPTION).any()
        opened = source.session_bounds_ns[0][0]
        assert len({bucket_index(int(t), opened) for t in universe.expiry_ns[mine]}) >= 4
    assert book.quantity_lots.all()
    assert np.median(np.abs(book.quantity_lots)) <= 10
    assert np.nanmin(book.average_price) > 0


@needs_es_files
def test_the_e_mini_book_opens_short_gamma_and_vega_with_little_delta() -> None:
    source, book = open_market("es-options")
    assert len(book.account) >= 60
    opened = source.session_bounds_ns[0][0]
    assert opened == int(datetime(2020, 1, 5, 23, 1, tzinfo=UTC).timestamp()) * 10**9
    for total in _risk(source, book, 15).values():
        assert total["gamma"] < -5e5
        assert total["vega"] < -2e4
        assert abs(total["delta"]) < total["lot"]


def _make(*arguments: str) -> None:
    script = str(examples() / "make_books.py")
    subprocess.run([sys.executable, script, *arguments], check=True, capture_output=True, timeout=120)


def test_the_demo_book_is_what_its_script_makes(tmp_path: Path) -> None:
    _make("--positions", "560", "--out", str(tmp_path / "book.csv"))
    assert (tmp_path / "book.csv").read_bytes() == (examples() / "demo_book.csv").read_bytes()


@pytest.mark.parametrize("positions", [100, 20_000])
def test_books_of_other_sizes_load(tmp_path: Path, positions: int) -> None:
    path = tmp_path / "book.csv"
    _make("--positions", str(positions), "--out", str(path))
    source, book = open_market("demo", path)
    assert len(book.account) == positions
    universe = source.universe
    assert (universe.listed == 0).any() == (positions > 2000)
    assert universe.listed[: universe.listed.sum()].all()
    quoted = {int(i) for b, _ in zip(source.batches(), range(2), strict=False) for i in b.instrument}
    assert quoted == set(np.flatnonzero(universe.listed).tolist())

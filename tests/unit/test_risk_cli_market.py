"""Chain files and quote files as markets: prices come back out of the surfaces that were fitted to them."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.errors import UsageError
from common.files.tables import NO_TIME, ChainTable, Listing, Source
from common.instruments import CALL, PUT, future, option
from common.instruments_contracts import BUILT_IN
from common.kernels.layout import PRICE
from common.market.config import CsvConfig
from common.market.csv_quotes import CsvQuotesMarket, QuoteFile
from common.risk.evaluate import evaluate
from common.surfaces.fitting import fit
from common.units import NS_PER_YEAR
from deploy import risk_market
from deploy.risk_market import chain_view, snapshot_at, stream_view

NOW_NS = 1_769_806_800 * 10**9  # 2026-01-30 21:00 UTC
RATE = 0.04


def priced(contracts, forward, vol, now_ns=NOW_NS, rate=RATE):
    """Mids of flat-volatility options on forwards, by QuantLib."""
    out = []
    for c in contracts:
        tau = (c.expiry_ns - now_ns) / NS_PER_YEAR
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if c.right > 0 else ql.Option.Put, c.strike)
        out.append(ql.BlackCalculator(payoff, forward(tau), vol * np.sqrt(tau), float(np.exp(-rate * tau))).value())
    return np.array(out)


def table(contracts, mid, half, **more):
    n = len(contracts)
    none, ns = np.full(n, np.nan), np.full(n, NOW_NS, np.int64)
    columns = {
        "as_of_ns": ns,
        "bid": mid - half,
        "ask": mid + half,
        "bid_size": none,
        "ask_size": none,
        "last": none,
        "last_trade_ns": ns - 10**9,
        "volume": none,
        "open_interest": none,
        "mark": none,
        "vendor_iv": none,
        "underlying_price": none,
    } | more
    listing = Listing(tuple(contracts))
    return ChainTable(Source("chain.csv", "yahoo", n), listing, np.arange(n), np.arange(n) + 2, **columns)


def spx(expiries=(date(2026, 3, 20), date(2026, 6, 18))):
    strikes = np.arange(5800.0, 8001.0, 50.0)
    return [option("SPX", e, float(k), r) for e in expiries for k in strikes for r in (CALL, PUT)]


def growing(tau):
    return float(6940.0 * np.exp(0.03 * tau))


def test_a_chain_gives_back_its_own_prices_and_forwards():
    contracts = spx()
    mid = priced(contracts, growing, 0.18)
    view = chain_view(table(contracts, mid, 0.05), None, None)
    columns, reasons = view.columns(contracts)
    assert not reasons and view.now_ns == NOW_NS
    tau = columns.tau_years
    assert columns.base == pytest.approx(np.array([growing(t) for t in tau]), rel=2e-5)
    near = np.abs(np.log(columns.strike / columns.base)) < 0.1
    assert np.abs(evaluate(columns)[PRICE] - mid)[near].max() < 0.5
    assert any("arbitrage violations" in s for s in view.statements)


def test_a_surface_of_no_numbers_is_said_and_not_used(monkeypatch):
    def broken(chain, now_ns):
        found = fit(chain, now_ns)
        slices = found.surface.slices.copy()
        slices[0] = np.nan
        return replace(found, surface=replace(found.surface, slices=slices))

    monkeypatch.setattr(risk_market, "fit", broken)
    contracts = spx()
    view = chain_view(table(contracts, priced(contracts, growing, 0.18), 0.05), None, None)
    assert not view.surfaces and any("1 of 2 expiries could not be fitted" in line for line in view.statements)


def test_a_chain_without_a_moment_was_taken_at_its_newest_trade():
    contracts = spx()
    bare = table(contracts, priced(contracts, growing, 0.18), 0.05, as_of_ns=np.full(len(contracts), NO_TIME, np.int64))
    view = chain_view(bare, None, None)
    assert view.now_ns == NOW_NS - 10**9 and any("newest trade" in s for s in view.statements)
    assert chain_view(bare, NOW_NS, None).now_ns == NOW_NS
    silent = replace(bare, last_trade_ns=np.full(len(contracts), NO_TIME, np.int64))
    with pytest.raises(UsageError, match="give --at"):
        chain_view(silent, None, None)


def test_coin_quotes_are_turned_into_usd_by_their_forward():
    contracts = [BUILT_IN.parse(f"BTC-27MAR26-{k}-{r}") for k in range(60_000, 140_001, 5_000) for r in ("C", "P")]
    forward = 95_000.0
    coin = priced(contracts, lambda tau: forward, 0.55, rate=0.0) / forward
    stated = np.full(len(contracts), forward)
    view = chain_view(table(contracts, coin, 5e-5, underlying_price=stated), None, None)
    columns, reasons = view.columns(contracts)
    assert not reasons and columns.base == pytest.approx(stated)
    assert evaluate(columns)[PRICE] == pytest.approx(coin, abs=2e-4)


def test_american_chains_need_a_rate_and_say_so():
    american = [replace(c, style=1) for c in spx()]
    mid = priced(american, growing, 0.18)
    stated = table(american, mid, 0.05, underlying_price=np.full(len(american), 6940.0))
    without = chain_view(stated, None, None)
    assert not without.surfaces and any("--rate" in s for s in without.statements)
    columns, reasons = chain_view(stated, None, 0.03).columns(american)
    assert not reasons and (columns.base == 6940.0).all() and columns.yield_per_year == pytest.approx(0.0, abs=1e-9)


def quote_file(tmp_path):
    """Quotes of a future and a chain at two instants, in ticks of the contracts."""
    contracts = [option("SPX", date(2026, 3, 20), float(k), r) for k in range(6500, 7401, 50) for r in (CALL, PUT)]
    mid = priced(contracts, lambda tau: 6940.0, 0.18, rate=0.02)
    rows = ["ts,instrument,bid,ask,bid_size,ask_size"]
    for stamp, shift in (("2026-01-30T20:00:00Z", 0.0), ("2026-01-30T21:00:00Z", 0.0), ("2026-01-30T22:00:00Z", 100.0)):
        rows.append(f"{stamp},{future('SPX', date(2026, 3, 20)).id},{6939.75 + shift},{6940.25 + shift},50,50")
        rows += [
            f"{stamp},{c.id},{max(round(m * 20) / 20 - 0.1, 0):.2f},{round(m * 20) / 20 + 0.1:.2f},20,20"
            for c, m in zip(contracts, mid, strict=True)
        ]
    path = tmp_path / "quotes.csv"
    path.write_text("\n".join(rows) + "\n")
    return path, contracts, mid


def test_a_stream_is_looked_at_up_to_an_instant(tmp_path):
    path, contracts, mid = quote_file(tmp_path)
    source = CsvQuotesMarket(QuoteFile(path), None, CsvConfig())
    told = []
    snapshot = snapshot_at(source, NOW_NS, told.append)
    view = stream_view(source, snapshot, NOW_NS)
    columns, reasons = view.columns(contracts)
    assert not reasons and told == sorted(told)
    assert columns.base == pytest.approx(np.full(len(contracts), 6940.0))  # not the quote of an hour later
    assert np.abs(evaluate(columns)[PRICE] - mid).max() < 0.25
    with pytest.raises(UsageError, match="before the first quote"):
        snapshot_at(source, NOW_NS - 10 * 3600 * 10**9)

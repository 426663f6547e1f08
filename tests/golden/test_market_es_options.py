"""The E-mini market against the Parquet files, read here again with pyarrow alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import QuantLib as ql  # noqa: N813

from common.market.config import EsOptionsConfig
from common.market.es_files import FUTURES_FILE, OPTIONS_FILE
from common.market.es_options import EsOptionsMarket, early_exercise_premium_bound
from common.messages import QuoteBatch
from common.units import NO_PRICE
from tests.market_data import DATA, as_bytes, needs_es_files

pytestmark = needs_es_files


@cache
def market() -> EsOptionsMarket:
    return EsOptionsMarket(DATA, None, EsOptionsConfig())


@cache
def batches() -> dict[tuple[str, int], QuoteBatch]:
    return {(b.header.source, b.header.event_time_ns): b for b in market().batches()}


def _price(ticks: int, tick: float) -> float | None:
    return None if ticks == NO_PRICE else round(ticks * tick, 6)


def _quoted(symbol: str, minute: datetime) -> dict[str, tuple[Any, ...]]:
    """What the market says at the end of a minute, by instrument id."""
    at = int((minute + timedelta(minutes=1)).timestamp()) * 10**9
    b = batches().get((f"feed.{symbol}", at))
    if b is None:
        return {}
    universe = market().universe
    return {
        universe.instrument_id[i]: (
            _price(int(bid), universe.tick_size[i]),
            _price(int(ask), universe.tick_size[i]),
            int(bid_size),
            int(ask_size),
        )
        for i, bid, ask, bid_size, ask_size in zip(
            b.instrument, b.bid_ticks, b.ask_ticks, b.bid_size_lots, b.ask_size_lots, strict=True
        )
    }


def _in_file(symbol: str, minute: datetime) -> dict[str, tuple[Any, ...]]:
    options = pq.read_table(DATA / OPTIONS_FILE, filters=[("ts", "=", minute), ("underlying", "=", symbol)]).to_pylist()
    month = {"ESH0": "2020-03", "ESM0": "2020-06"}[symbol]
    futures = pq.read_table(DATA / FUTURES_FILE, filters=[("ts", "=", minute), ("contract_month", "=", month)])
    expiry = {"ESH0": "2020-03-20", "ESM0": "2020-06-19"}[symbol]

    def quote(row: dict[str, Any]) -> tuple[Any, ...]:
        sides = [(row["bid_close"], row["bid_size"]), (row["ask_close"], row["ask_size"])]
        return (*(p for p, _ in sides), *(0 if p is None else int(s) for p, s in sides))

    found = {f"{symbol} {row['expiry']} {row['strike']:g} {row['right']} @XCME": quote(row) for row in options}
    return found | {f"{symbol} {expiry} F @XCME": quote(row) for row in futures.to_pylist()}


SAMPLED = [datetime(2020, 1, 5, 23, 0, tzinfo=UTC) + timedelta(minutes=m) for m in range(0, 1380, 97)]


@pytest.mark.parametrize("symbol", ["ESH0", "ESM0"])
@pytest.mark.parametrize("minute", SAMPLED, ids=lambda m: m.strftime("%d-%H%M"))
def test_quotes_are_the_files(symbol: str, minute: datetime) -> None:
    if minute.hour == 22:
        assert not _quoted(symbol, minute)  # Globex rests; the file's rows of that hour are indications
    else:
        assert _quoted(symbol, minute) == _in_file(symbol, minute)


def test_every_row_of_the_session_goes_out_once() -> None:
    session = (pc.field("ts") >= datetime(2020, 1, 5, 23, tzinfo=UTC)) & (
        (pc.field("ts") < datetime(2020, 1, 6, 22, tzinfo=UTC))
        | (pc.field("ts") >= datetime(2020, 1, 6, 23, tzinfo=UTC))
    )
    options = pq.read_table(DATA / OPTIONS_FILE, filters=session).num_rows
    futures = pq.read_table(
        DATA / FUTURES_FILE, filters=session & pc.field("contract_month").isin(["2020-03", "2020-06"])
    ).num_rows
    assert sum(len(b.instrument) for b in batches().values()) == options + futures


def test_two_sided_quotes_are_uncrossed_and_batches_small() -> None:
    for b in batches().values():
        both = (b.bid_ticks > NO_PRICE) & (b.ask_ticks > NO_PRICE)
        assert np.all(b.ask_ticks[both] > b.bid_ticks[both])
        assert np.all((b.bid_ticks > NO_PRICE) | (b.bid_size_lots == 0))
        assert len(b.instrument) <= 200


def test_sessions_are_the_real_ones() -> None:
    said = [
        tuple(datetime.fromtimestamp(t / 1e9, UTC).strftime("%d %H:%M") for t in s) for s in market().session_bounds_ns
    ]
    assert said == [("05 23:01", "06 21:16"), ("06 21:28", "06 22:00"), ("06 23:01", "07 00:00")]
    times = [b.header.event_time_ns for b in market().batches()]
    assert times == sorted(times)
    assert min(times) == int(datetime(2020, 1, 5, 23, 1, tzinfo=UTC).timestamp()) * 10**9


def test_underlyings_are_the_futures() -> None:
    universe = market().universe
    assert universe.symbols == ("ESH0", "ESM0")
    assert [universe.instrument_id[u.future_instrument] for u in universe.underlyings] == [
        "ESH0 2020-03-20 F @XCME",
        "ESM0 2020-06-19 F @XCME",
    ]
    assert all(u.carry_per_year == 0.0 for u in universe.underlyings)
    assert len(universe) == 211 + 2
    assert np.all(universe.style[universe.kind == 1] == 1)
    assert np.all(universe.multiplier_usd == 50.0)
    assert as_bytes(market().batches()) == as_bytes(batches().values())


def test_stamps_are_utc() -> None:
    """The Federal Reserve spoke on 2013-12-18 at 19:00 UTC: the most volume of the day, its closing hour apart."""
    day = (pc.field("ts") >= datetime(2013, 12, 18, tzinfo=UTC)) & (
        pc.field("ts") < datetime(2013, 12, 18, 20, 30, tzinfo=UTC)
    )
    rows = pq.read_table(DATA / FUTURES_FILE, filters=day).to_pylist()
    busiest = max(rows, key=lambda row: row["trade_volume"] or 0.0)
    assert datetime(2013, 12, 18, 19, 0, tzinfo=UTC) <= busiest["ts"] <= datetime(2013, 12, 18, 19, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("strike", "right"), [(2900, "P"), (3230, "C"), (3230, "P"), (3500, "P"), (3000, "C"), (3400, "P")]
)
@pytest.mark.parametrize("days", [74, 165])
@pytest.mark.parametrize("rate", [0.0155, 0.05])
def test_early_exercise_is_worth_less_than_the_bound(strike: int, right: str, days: int, rate: float) -> None:
    """American less European value on one 2000-step tree each (QuantLib, Cox-Ross-Rubinstein on the future)."""
    today = ql.Date(6, 1, 2020)
    ql.Settings.instance().evaluationDate = today
    count = ql.Actual365Fixed()
    forward = ql.QuoteHandle(ql.SimpleQuote(3230.0))
    curve = ql.YieldTermStructureHandle(ql.FlatForward(today, rate, count))
    vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), 0.13, count))
    process = ql.BlackProcess(forward, curve, vol)
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if right == "C" else ql.Option.Put, float(strike))
    values = []
    for exercise in (ql.AmericanExercise(today, today + days), ql.EuropeanExercise(today + days)):
        option = ql.VanillaOption(payoff, exercise)
        option.setPricingEngine(ql.BinomialCRRVanillaEngine(process, 2000))
        values.append(option.NPV())
    bound = early_exercise_premium_bound(np.array([values[1]]), rate, np.array([days / 365]))[0]
    assert -1e-9 <= values[0] - values[1] <= bound


def test_the_bound_for_the_day_is_stated() -> None:
    assert any("2.44 points, or 0.71% of an option's mid" in s for s in market().statements)


def test_a_window_can_be_cut_out() -> None:
    config = EsOptionsConfig.model_validate({"start": "2020-01-06T14:30:00Z", "end": "2020-01-06T15:00:00Z"})
    times = [b.header.event_time_ns for b in EsOptionsMarket(DATA, None, config).batches()]
    assert min(times) == int(datetime(2020, 1, 6, 14, 31, tzinfo=UTC).timestamp()) * 10**9
    assert max(times) < int(datetime(2020, 1, 6, 15, 0, tzinfo=UTC).timestamp()) * 10**9

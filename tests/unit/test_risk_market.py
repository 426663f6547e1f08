from datetime import date

import numpy as np
import pytest

from common.instruments import CALL, PUT, future, option
from common.instruments_contracts import BUILT_IN
from common.kernels import layout
from common.risk.market import MarketView, SurfaceSmile, model_of
from common.units import NS_PER_YEAR

NOW_NS = 1_517_000_000 * 10**9
SPX_CALL = option("SPX", date(2018, 6, 15), 2800.0, CALL)
SPX_PUT = option("SPX", date(2018, 3, 16), 2700.0, PUT)
SPX_FUTURE = future("SPX", date(2018, 6, 15))
ES_CALL = option("ESH8", date(2018, 3, 16), 2800.0, CALL)


class Flat:
    """A surface whose every reading is known: forwards grow with time, a straight skew in strike."""

    def __init__(self, level: float = 0.2, forward: float = 2850.0) -> None:
        self.level, self._forward = level, forward

    def tau(self, expiry_ns):
        return (np.asarray(expiry_ns) - NOW_NS) / NS_PER_YEAR

    def forward(self, expiry_ns):
        return self._forward * np.exp(0.01 * self.tau(expiry_ns))

    def discount(self, expiry_ns):
        return np.exp(-0.03 * self.tau(expiry_ns))

    def vol(self, expiry_ns, strike):
        return self.level - 1e-4 * (np.asarray(strike) - 2850.0)


def view(**changes):
    settings = {"now_ns": NOW_NS, "surfaces": {"SPX": Flat(), "ESH8": Flat()}, "mid": {}, "spot": {}}
    return MarketView(**(settings | changes))


def test_a_european_option_is_read_on_its_forward():
    columns, reasons = view().columns([SPX_CALL, SPX_PUT])
    tau = (SPX_CALL.expiry_ns - NOW_NS) / NS_PER_YEAR
    assert reasons == {}
    assert columns.model.tolist() == [layout.BLACK76] * 2
    assert columns.base[0] == pytest.approx(2850.0 * np.exp(0.01 * tau))
    assert columns.rate_per_year == pytest.approx([0.03, 0.03])
    assert columns.vol == pytest.approx([0.2 + 0.005, 0.2 + 0.015])
    assert columns.right.tolist() == [1.0, -1.0]


def test_a_future_is_its_quote_or_its_forward():
    quoted, _ = view(mid={SPX_FUTURE.id: 2860.5}).columns([SPX_FUTURE])
    implied, _ = view().columns([SPX_FUTURE])
    assert quoted.base.tolist() == [2860.5]
    assert implied.base[0] == pytest.approx(float(Flat().forward(SPX_FUTURE.expiry_ns)))


def test_what_has_no_number_says_why_and_is_nan():
    expired = option("SPX", date(2018, 1, 19), 2800.0, CALL)
    nasdaq = option("NDX", date(2018, 6, 15), 6900.0, CALL)
    empty = view(surfaces={"SPX": Flat(level=float("nan"))})
    columns, reasons = empty.columns([expired, nasdaq, SPX_CALL, future("NDX", date(2018, 6, 15))])
    assert reasons == {
        0: "expired",
        1: "no volatility surface of NDX",
        2: "no volatility at its strike and expiry",
        3: "neither a quote nor a forward",
    }
    assert np.isnan(columns.base).all()


def test_american_options_keep_their_exercise():
    columns, reasons = view().columns([ES_CALL])
    assert reasons == {} and columns.model.tolist() == [layout.AMERICAN_FUTURE]
    assert columns.base[0] == pytest.approx(float(Flat().forward(ES_CALL.expiry_ns)))


def test_models_follow_from_the_terms():
    coin = BUILT_IN.parse("BTC-27MAR26-100000-C")
    assert model_of(coin) == layout.INVERSE
    assert model_of(BUILT_IN.parse("BTC-PERPETUAL")) == layout.INVERSE_FUTURE
    assert view().usd_per_point(coin) == (coin.multiplier, "")
    assert view().usd_per_point(SPX_CALL) == (100.0, "")


def test_the_smile_is_read_again_at_the_moved_strike():
    smile = SurfaceSmile({"SPX": Flat()}, [SPX_CALL, SPX_PUT, ES_CALL])
    found = smile.vol(np.array([1, 0, 2]), np.array([0.0, 0.1, 0.0]))
    assert found[0] == pytest.approx(0.2 + 0.015)
    assert found[1] == pytest.approx(0.2 - 1e-4 * (2800.0 * np.exp(-0.1) - 2850.0))
    assert np.isnan(found[2])

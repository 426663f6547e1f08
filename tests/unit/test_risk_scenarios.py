import numpy as np
import pytest

from common.kernels import layout
from common.risk.columns import Columns
from common.risk.holdings import Holdings, usable
from common.risk.scenarios import Rules, Shocks, pnl_by_row, pnl_by_underlying, spot_vol_grid, worst_loss
from common.surfaces.dynamics import STICKY_MONEYNESS
from tests.risk_books import LineSmile, black_scholes, columns, holdings, random_holdings, worth


def state(spot, vol=0.0, **more):
    spot = np.atleast_2d(np.asarray(spot, np.float64))
    return Shocks.of(spot, np.broadcast_to(np.asarray(vol, np.float64), spot.shape).copy(), **more)


def test_the_underlying_gains_its_move():
    book = holdings([3.0, -2.0], model=[layout.SPOT, layout.FUTURE], base=[100.0, 250.0], right=0.0)
    pnl = pnl_by_row(book, state([0.1]), Rules())
    assert pnl[0] == pytest.approx([3.0 * 10.0, -2.0 * 25.0], rel=1e-13)


def test_every_row_is_valued_again_as_quantlib_values_it():
    book = random_holdings(3, 60)
    shocks = Shocks(np.array([[0.1, -0.2, 0.03]]), np.array([[0.3, -0.1, 0.05]]), np.array([2.0]), np.array([0.01]))
    c, u = book.columns, book.underlying
    moved = Columns(
        c.model,
        c.base * (1.0 + shocks.spot[0, u]),
        c.strike,
        np.maximum(c.tau_years - 2.0 / 365.0, 0.0),
        c.vol * (1.0 + shocks.vol[0, u]),
        c.rate_per_year + 0.01,
        c.yield_per_year,
        c.right,
    )
    expected = worth(book, moved) - worth(book, c)
    assert pnl_by_row(book, shocks, Rules())[0] == pytest.approx(expected, abs=1e-8 * np.abs(worth(book, c)).max())


@pytest.mark.parametrize(
    ("rule", "shock", "expected"),
    [
        ("points", 0.05, 0.25),
        ("relative", 0.05, 0.21),
        ("sqrt-time", 0.05, 0.2 + 0.05 * np.sqrt(30.0 / 365.0)),
        ("points", -0.5, 0.0),
        ("relative", -1.5, 0.0),
    ],
)
def test_volatility_rules_by_hand(rule, shock, expected):
    book = holdings(1.0, strike=110.0)
    found = pnl_by_row(book, state([0.0], shock), Rules(vol=rule))[0, 0]
    here = black_scholes(book.columns, 0)
    then = black_scholes(columns(strike=110.0, vol=max(expected, 1e-12)), 0)
    assert found == pytest.approx(then - here, abs=1e-11)


def test_nothing_moved_is_exactly_nothing():
    book = random_holdings(4, 97)
    grid = spot_vol_grid(book, np.array([-0.1, 0.0, 0.1]), np.array([-0.2, 0.0]))
    assert (grid.by_underlying_usd[:, 1, 1] == 0.0).all()
    assert (grid.by_underlying_usd[:, 0, 0] != 0.0).all()


def test_expiry_on_the_way_pays_off_at_the_shocked_price():
    book = holdings([1.0, 1.0], strike=[100.0, 130.0], tau_years=10 / 365, right=[1.0, -1.0])
    pnl = pnl_by_row(book, state([0.2], days=11.0), Rules())[0]
    here = [black_scholes(book.columns, i) for i in range(2)]
    assert pnl == pytest.approx([20.0 - here[0], 10.0 - here[1]], abs=1e-10)


def test_sticky_moneyness_keeps_the_vol_at_the_money():
    c = columns(strike=[100.0, 110.0])
    smile = LineSmile(c, 0.2, -0.3)
    c = columns(strike=[100.0, 110.0], vol=smile.vol(np.arange(2), np.zeros(2)))
    book = Holdings(c, np.ones(2), np.zeros(2, np.int64), ("A",), smile)
    pnl = pnl_by_row(book, state([0.1]), Rules(stickiness=STICKY_MONEYNESS))[0]
    # The strike of 110 is at the money after a move to 110: it has the level of the smile.
    then = black_scholes(columns(base=110.0, strike=110.0, vol=0.2), 0)
    assert pnl[1] == pytest.approx(then - black_scholes(c, 1), abs=1e-11)


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0, 1.7])
def test_the_vol_at_the_money_moves_by_the_ratio_times_the_skew(ratio):
    c = columns(strike=110.0)
    smile = LineSmile(c, 0.2, -0.3)
    c = columns(strike=110.0, vol=smile.vol(np.arange(1), np.zeros(1)))
    book = Holdings(c, np.ones(1), np.zeros(1, np.int64), ("A",), smile)
    pnl = pnl_by_row(book, state([0.1]), Rules(stickiness=ratio))[0]
    at_the_money = 0.2 - 0.3 * ratio * np.log(1.1)
    then = black_scholes(columns(base=110.0, strike=110.0, vol=at_the_money), 0)
    assert pnl[0] == pytest.approx(then - black_scholes(c, 0), abs=1e-11)


def test_a_moving_smile_needs_a_smile():
    with pytest.raises(ValueError, match="without a smile"):
        pnl_by_row(holdings(1.0), state([0.1]), Rules(stickiness=0.0))


def test_coin_settled_contracts_gain_in_usd():
    # One USD of an inverse future gains the relative move; an inverse call is worth coins at the shocked price.
    book = holdings(
        [1.0, 2.0],
        model=[layout.INVERSE_FUTURE, layout.INVERSE],
        base=50_000.0,
        strike=[0.0, 52_000.0],
        vol=0.7,
        tau_years=0.25,
        right=[0.0, 1.0],
    )
    pnl = pnl_by_row(book, state([0.1]), Rules())[0]
    usd = columns(model=layout.BLACK76, base=[50_000.0, 55_000.0], strike=52_000.0, vol=0.7, tau_years=0.25)
    assert pnl[0] == pytest.approx(0.1, rel=1e-12)
    assert pnl[1] == pytest.approx(2.0 * (black_scholes(usd, 1) - black_scholes(usd, 0)), rel=1e-10)


def test_worst_loss_is_the_worst_cell_or_nothing():
    book = holdings([1.0, -1.0], [0, 1], ("A", "B"), model=layout.SPOT, right=0.0)
    grid = spot_vol_grid(book, np.array([-0.2, 0.0, 0.2]), np.array([0.0]))
    assert worst_loss(grid) == 0.0
    assert worst_loss(grid, separately=True) == pytest.approx(40.0)
    assert grid.worst()[0] == pytest.approx(0.0, abs=1e-12)


def test_betas_scale_the_common_move():
    book = holdings([1.0, 1.0], [0, 1], ("A", "B"), model=layout.SPOT, right=0.0)
    grid = spot_vol_grid(book, np.array([0.1]), np.array([0.0]), betas=np.array([1.0, 0.5]))
    assert grid.by_underlying_usd[:, 0, 0] == pytest.approx([10.0, 5.0])


def test_what_cannot_be_valued_is_set_apart_by_row():
    book = holdings([1.0, 1.0, 1.0], vol=[0.2, np.nan, 0.3])
    priced, lost = book.priced()
    assert lost.tolist() == [1] and len(priced) == 2
    assert np.isnan(pnl_by_underlying(book, state([0.1]), Rules())).all()
    future = columns(model=layout.FUTURE, strike=np.nan, vol=np.nan, tau_years=np.nan, right=0.0)
    assert usable(future).all()


def test_many_states_come_in_blocks_with_progress():
    book, told = random_holdings(5, 200), []
    shocks = Shocks.of(np.linspace(-0.2, 0.2, 600)[:, None] * np.ones(3), np.zeros((600, 3)))
    whole = pnl_by_underlying(book, shocks, Rules(), told.append)
    assert told == sorted(told) and told[-1] == 1.0 and len(told) > 2
    one = Shocks.of(shocks.spot[311:312], shocks.vol[311:312])
    assert whole[311] == pytest.approx(pnl_by_underlying(book, one, Rules())[0], rel=1e-12)


@pytest.mark.parametrize(
    ("shocks", "said"),
    [
        (lambda: Shocks.of(np.array([[-1.0]]), np.zeros((1, 1))), "100 %"),
        (lambda: Shocks.of(np.zeros((1, 1)), np.zeros((1, 1)), days=-1.0), "backwards"),
        (lambda: Shocks.of(np.zeros((2, 1)), np.zeros((1, 1))), "shapes"),
    ],
)
def test_senseless_shocks_are_refused(shocks, said):
    with pytest.raises(ValueError, match=said):
        shocks()


def test_an_unknown_rule_is_refused_by_name():
    with pytest.raises(ValueError, match="wild"):
        Rules(vol="wild")

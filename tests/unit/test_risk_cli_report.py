"""What the command computes from positions and a market, checked against sums written out here."""

import json
from datetime import date

import numpy as np
import pytest

from common.errors import UsageError
from common.instruments import CALL, PUT, future, option
from common.limits import FactorLimit
from common.market.history import History
from common.risk.dollars import DESK_NAMES
from common.risk.market import MarketView
from common.units import NS_PER_DAY
from deploy.progress import Progress
from deploy.risk import settings_of
from deploy.risk_inputs import Inputs
from deploy.risk_orders import WorkingOrder
from deploy.risk_report import base_report, limit_lines, positions_of
from deploy.risk_scenarios import covariance_of, grid_report, stress_report, var_report
from tests.manager_world import limits
from tests.unit.test_risk_cli_inputs import SETTINGS
from tests.unit.test_risk_market import NOW_NS, Flat

NEAR = option("SPX", date(2018, 3, 16), 2850.0, CALL)
FAR = option("SPX", date(2018, 6, 15), 2700.0, PUT)
LOST = option("NDX", date(2018, 6, 15), 6900.0, CALL)
FUTURE = future("SPX", date(2018, 6, 15))
SILENT = lambda step, share: None  # noqa: E731


def inputs(orders=()):
    view = MarketView(NOW_NS, {"SPX": Flat()}, {FUTURE.id: 2860.0}, {}, ("Real: nothing.",))
    return Inputs("book", "demo", view, (NEAR, FAR, LOST, FUTURE), np.array([-30, 20, 5, 4]), orders)


def history(n=400):
    rng = np.random.default_rng(4)
    spot = rng.normal(0.0, 0.01, (n, 2))
    vol = -4.0 * spot + rng.normal(0.0, 0.03, (n, 2))
    return History(("SPX", "NDX"), tuple(str(i) for i in range(n)), spot, vol, ("History: made up.",))


def settings(**changes):
    return settings_of(**SETTINGS | changes)


def test_the_ladder_is_the_positions_times_their_lots():
    positions = positions_of(inputs())
    report = base_report(inputs(), positions, 3)
    lines = {line["name"]: line for line in report["ladder"]}
    lots = dict(zip((NEAR.id, FAR.id), (-30, 20), strict=True))
    for key in DESK_NAMES:
        expected = sum(positions.per_lot[DESK_NAMES.index(key), i] * n for i, n in enumerate(lots.values()))
        told = lines["SPX"]["before"][key] - lines[FUTURE.id]["before"][key]
        assert told == pytest.approx(expected, rel=1e-12)
    assert lines[FUTURE.id]["before"]["value_usd"] == 0.0
    assert lines[FUTURE.id]["before"]["delta_usd"] == pytest.approx(4 * 50.0 * 2860.0)
    assert report["unpriced"] == [f"{LOST.id}: no volatility surface of NDX"]
    assert lines[LOST.id]["before"]["delta_usd"] is None and lines["all"]["unpriced"] == 1
    json.dumps(report, allow_nan=False)


def test_orders_move_the_ladder_by_what_they_add():
    orders = (WorkingOrder("line 2", FUTURE, 3, 2861.0), WorkingOrder("line 3", FAR, -20, float("nan")))
    report = base_report(inputs(orders), positions_of(inputs(orders)), 3)
    top = report["ladder"][0]
    for key in ("delta_usd", "vega_usd_per_point"):
        assert top["after"][key] - top["before"][key] == pytest.approx(sum(o["adds"][key] for o in report["orders"]))
    far = next(line for line in report["ladder"] if line["name"] == FAR.id)
    assert (far["lots_before"], far["lots_after"], far["after"]["delta_usd"]) == (20, 0, 0.0)
    assert report["orders"][1]["price"] is None


def test_an_order_in_a_new_contract_gets_a_rung_of_its_own():
    new = option("SPX", date(2018, 6, 15), 3000.0, CALL)
    asked = inputs((WorkingOrder("line 2", new, 7, 1.0),))
    report = base_report(asked, positions_of(asked), 3)
    line = next(line for line in report["ladder"] if line["name"] == new.id)
    assert (line["lots_before"], line["lots_after"], line["before"]["delta_usd"]) == (0, 7, 0.0)
    assert report["book"]["contracts"] == 4


def test_limits_see_the_worst_subset():
    orders = (WorkingOrder("a", FUTURE, 3, 1.0), WorkingOrder("b", FUTURE, -8, 1.0))
    positions = positions_of(inputs(orders))
    delta = {line["factor"]: line for line in limit_lines(positions, limits(), np.ones(2))}["delta:SPX"]
    assert delta["after"] == pytest.approx(delta["before"] - 5 * 50 * 2860.0)
    assert delta["high"] == pytest.approx(delta["before"] + 3 * 50 * 2860.0)
    assert delta["low"] == pytest.approx(delta["before"] - 8 * 50 * 2860.0)
    assert delta["used"] == pytest.approx(abs(delta["worst"]) / 5e8) and not delta["broken"]


def test_the_grid_says_what_it_left_unmoved():
    grid = grid_report(positions_of(inputs()), settings(), SILENT)
    assert grid["pnl_usd"][1] == [0.0]
    assert np.array(grid["by_underlying_usd"]["SPX"]) == pytest.approx(np.array(grid["pnl_usd"]))
    assert grid["worst_loss_usd"] == pytest.approx(max(-min(map(min, grid["pnl_usd"])), 0.0))


def test_var_parts_add_up_and_every_method_answers():
    found = var_report(positions_of(inputs()), settings(level=0.95), history(), SILENT)
    plain, _, linear, curved = found["methods"]
    assert plain["es_usd"] >= plain["var_usd"] > 0.0 and plain["states"] == 400
    assert sum(c["historical_es_usd"] for c in found["components"].values()) == pytest.approx(plain["es_usd"])
    assert sum(c["delta_normal_var_usd"] for c in found["components"].values()) == pytest.approx(linear["var_usd"])
    assert linear["es_usd"] > linear["var_usd"] and curved["var_usd"] is not None
    assert plain["var_interval_usd"][0] <= plain["var_usd"] <= plain["var_interval_usd"][1]
    assert found["components"]["NDX"]["historical_es_usd"] == 0.0  # nothing of it has a price


def test_reverse_stress_names_limit_and_move():
    positions = positions_of(inputs())
    now = {line["factor"]: line["before"] for line in limit_lines(positions, limits(), np.ones(2))}
    near = abs(now["delta:SPX"]) * 1.2
    tight = limits(
        factor={
            "delta:*": FactorLimit(soft_usd=near, hard_usd=near),
            "gamma:*": FactorLimit(soft_usd=1e9, hard_usd=1e9),
        }
    )
    found = stress_report(positions, settings(loss_usd=30_000.0), tight, history(), SILENT)
    by_limit = {line["limit"]: line for line in found["lines"]}
    assert set(by_limit) == {"delta:SPX", "gamma:SPX", "loss"}
    delta = by_limit["delta:SPX"]
    assert 0.0 < delta["sigma"] < 6.0 and abs(delta["then"]) == pytest.approx(near, rel=1e-4)
    assert list(delta["moves"]) == ["SPX"]
    x = np.array([delta["moves"]["SPX"]["spot"], delta["moves"]["SPX"]["vol"]])
    block = covariance_of(history())[np.ix_([0, 2], [0, 2])]
    assert np.sqrt(x @ np.linalg.solve(block, x)) == pytest.approx(delta["sigma"], rel=1e-6)
    assert by_limit["gamma:SPX"]["sigma"] is None and by_limit["gamma:SPX"]["moves"] == {}
    assert by_limit["loss"]["then"] == pytest.approx(-30_000.0, rel=1e-4)


def test_a_book_without_prices_has_no_scenarios():
    lost = Inputs("book", "demo", MarketView(NOW_NS + 400 * NS_PER_DAY, {}, {}, {}), (NEAR,), np.array([1]), ())
    with pytest.raises(UsageError, match="no contract of this book has a price"):
        grid_report(positions_of(lost), settings(), SILENT)
    assert base_report(lost, positions_of(lost), 3)["unpriced"] == [f"{NEAR.id}: expired"]


def test_progress_tells_only_what_takes_long(capsys, monkeypatch):
    monkeypatch.setattr("deploy.progress.TOLD_AFTER_S", 0.0)
    monkeypatch.setattr("deploy.progress._REPEAT_S", 0.01)
    import sys
    import time

    with Progress(sys.stderr) as progress:
        progress("grid", 0.25)
        time.sleep(0.1)
    assert capsys.readouterr().err == "grid: 25 %\n"
    monkeypatch.setattr("deploy.progress.TOLD_AFTER_S", 60.0)
    with Progress(sys.stderr) as progress:
        progress("grid", 0.25)
        time.sleep(0.05)
    assert capsys.readouterr().err == ""

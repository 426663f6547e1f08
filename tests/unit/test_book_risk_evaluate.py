"""`evaluate`: each model to its kernel, in the caller's order, against QuantLib."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.kernels import layout
from common.risk.columns import Columns
from common.risk.evaluate import evaluate


def mixed(n: int, seed: int = 1, models: int = layout.MODELS) -> Columns:
    rng = np.random.default_rng(seed)
    return Columns(
        rng.integers(0, models, n).astype(np.uint8),
        rng.uniform(80.0, 120.0, n),
        rng.uniform(80.0, 120.0, n),
        rng.uniform(0.05, 2.0, n),
        rng.uniform(0.1, 0.6, n),
        rng.uniform(0.0, 0.06, n),
        rng.uniform(0.0, 0.04, n),
        rng.choice([-1.0, 1.0], n),
    )


def black(c: Columns, i: int, income: float) -> ql.BlackCalculator:
    tau, rate = float(c.tau_years[i]), float(c.rate_per_year[i])
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if c.right[i] > 0 else ql.Option.Put, float(c.strike[i]))
    forward = float(c.base[i]) * math.exp((rate - income) * tau)
    return ql.BlackCalculator(payoff, forward, float(c.vol[i]) * math.sqrt(tau), math.exp(-rate * tau))


def test_a_mixed_book_has_each_row_by_its_model() -> None:
    c = mixed(200)
    out = evaluate(c)
    assert out.shape == (layout.GREEKS, 200)
    for i in range(200):
        model, base, rate = int(c.model[i]), float(c.base[i]), float(c.rate_per_year[i])
        if model in (layout.SPOT, layout.FUTURE):
            assert out[:2, i].tolist() == [base, 1.0]
        elif model == layout.EUROPEAN:
            truth = black(c, i, float(c.yield_per_year[i]))
            assert out[0, i] == pytest.approx(truth.value(), abs=1e-10)
            assert out[1, i] == pytest.approx(truth.delta(base), abs=1e-12)
        elif model == layout.BLACK76:
            truth = black(c, i, rate)
            assert out[0, i] == pytest.approx(truth.value(), abs=1e-10)
            assert out[3, i] == pytest.approx(truth.vega(float(c.tau_years[i])), abs=1e-9)
        elif model == layout.INVERSE:
            assert out[0, i] * base == pytest.approx(black(c, i, rate).value(), abs=1e-10)
        elif model == layout.INVERSE_FUTURE:
            assert out[1, i] == pytest.approx(1.0 / base**2, rel=1e-14)
        else:
            # An American option is worth at least the European one and what exercise brings now.
            income = rate if model == layout.AMERICAN_FUTURE else float(c.yield_per_year[i])
            now = float(c.right[i] * (c.base[i] - c.strike[i]))
            assert out[0, i] >= max(black(c, i, income).value(), now) - 1e-5 * base


def test_order_and_company_do_not_matter() -> None:
    c = mixed(300, models=layout.AMERICAN)
    whole = evaluate(c)
    order = np.random.default_rng(2).permutation(300)
    np.testing.assert_allclose(evaluate(c.take(order)), whole[:, order], rtol=1e-12, atol=1e-13)


def test_unknown_models_and_missing_numbers_are_nan_and_spoil_nobody() -> None:
    c = mixed(40, models=layout.AMERICAN)
    c.model[3], c.model[4] = 200, layout.EUROPEAN
    c.vol[4] = np.nan
    out = evaluate(c)
    assert np.isnan(out[:, [3, 4]]).all()
    assert np.isfinite(np.delete(out, [3, 4], axis=1)).all()


def test_nothing_in_nothing_out() -> None:
    assert evaluate(mixed(0)).shape == (layout.GREEKS, 0)


def test_strided_read_only_and_narrow_columns_are_taken() -> None:
    c = mixed(64, models=layout.AMERICAN)
    wide = np.repeat(c.base, 2)
    wide.setflags(write=False)
    odd = Columns(
        c.model, wide[::2], c.strike, c.tau_years, c.vol, c.rate_per_year, c.yield_per_year, c.right.astype(np.int8)
    )  # type: ignore[arg-type]
    assert np.array_equal(evaluate(odd), evaluate(c))

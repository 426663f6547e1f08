"""A report of ``hedgerow risk`` with every part in it, made up: for tables and pictures, which compute nothing."""

from __future__ import annotations

from typing import Any

from common.risk.dollars import DESK_NAMES


def figures(value: float) -> dict[str, float | None]:
    """Every figure the same."""
    return dict.fromkeys(DESK_NAMES, value)


def rung(depth: int, name: str, before: float, after: float | None = None, lots: int | None = None) -> dict[str, Any]:
    """One line of the ladder."""
    return {
        "depth": depth,
        "level": ("firm", "underlying", "bucket", "contract")[depth],
        "name": name,
        "lots_before": lots,
        "lots_after": lots,
        "before": figures(before),
        "after": figures(before if after is None else after),
        "unpriced": 1 if depth == 0 else 0,
    }


def report() -> dict[str, Any]:
    """Everything at once."""
    return {
        "at": "2026-01-30T21:00:00Z",
        "book": {"name": "some_book", "contracts": 2, "lots": 7},
        "market": {"name": "demo", "statements": ["Real: nothing."]},
        "ladder": [
            rung(0, "all", 1234.0, 2234.0),
            rung(1, "SPX", 1234.0, 2234.0),
            rung(2, "0-7d", 1234.0, 2234.0),
            rung(3, "SPX 2026-02-02 6900 C @XCBO", 1234.0, 2234.0, 7),
        ],
        "unpriced": ["SPX 2030-02-02 6900 C @XCBO: no volatility at its strike and expiry"],
        "orders": [
            {"order": "line 2", "instrument": "SPX", "lots": -3, "price": None, "adds": figures(1000.0)},
        ],
        "limits": [
            {
                "factor": "delta:SPX",
                "unit": "USD delta",
                "before": 1.0,
                "after": 2.0,
                "low": 1.0,
                "high": 2.0,
                "worst": 2.0,
                "worst_orders": [0],
                "soft": 1.0,
                "hard": 1.5,
                "used": 1.3333,
                "broken": True,
            }
        ],
        "grid": _grid(),
        "var": _var(),
        "stress": _stress(),
    }


def _grid() -> dict[str, Any]:
    return {
        "spot_moves": [-0.1, 0.0, 0.1],
        "vol_moves": [-0.2, 0.2],
        "vol_rule": "relative",
        "smile": "sticky-strike",
        "pnl_usd": [[-5e6, -4e6], [1e5, -2e5], [3e6, 4e6]],
        "worst": {"pnl_usd": -5e6, "spot_move": -0.1, "vol_move": -0.2},
        "worst_loss_usd": 5e6,
        "worst_loss_separately_usd": 6e6,
    }


def _var() -> dict[str, Any]:
    return {
        "level": 0.99,
        "period": "day",
        "statements": ["History: 500 periods."],
        "methods": [
            {
                "method": "historical",
                "var_usd": 3.0e6,
                "es_usd": 4.0e6,
                "var_interval_usd": [2.5e6, None],
                "es_interval_usd": [3.0e6, 5.0e6],
            },
            {"method": "delta-gamma, Cornish-Fisher", "var_usd": None, "es_usd": None, "why": "outside the domain"},
        ],
        "components": {"SPX": {"delta_normal_var_usd": 1.0e6, "historical_es_usd": 4.0e6}},
        "pnl_usd": [float(x) * 1e5 for x in range(-40, 20)],
    }


def _stress() -> dict[str, Any]:
    return {
        "farthest_sigma": 6.0,
        "vol_rule": "relative",
        "lines": [
            {
                "limit": "delta:SPX",
                "hard": 1.5,
                "now": 1.0,
                "then": 1.5,
                "sigma": 2.345,
                "moves": {"SPX": {"spot": -0.031, "vol": 0.2}},
            },
            {"limit": "gamma:SPX", "hard": 1.5, "now": 1.0, "then": None, "sigma": None, "moves": {}},
            {"limit": "loss", "hard": 1.5, "now": 2.0, "then": 2.0, "sigma": 0.0, "moves": {}},
        ],
    }

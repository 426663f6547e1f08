"""The screen at several sizes: it fits, says what matters, and lives when parts of the system do not."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from rich.console import Console

from console.projections import FactorRow, View, one_line, view_of
from console.view import bar, render, show

STATUS: dict[str, Any] = {
    "run_id": "r1",
    "now_ns": 1_517_500_000_000_000_000,
    "trading": {"state": "ACTIVE", "text": "since the start", "waiting": []},
    "leader": {"holder": "manager-0", "epoch": 2, "leading": True},
    "standby": ["manager-1"],
    "sources": [{"underlying": "SPX", "age_s": 0.4}, {"underlying": "NDX", "age_s": 12.0}],
    "agents": [
        {
            "agent": f"{kind}-{k}",
            "state": "hedging",
            "heard_ms": 200 + 4000 * (kind == "vega"),
            "trigger": "threshold",
            "proposals": 412,
            "decide_p50_us": 310.0,
            "decide_p99_us": 900.0,
            "rss_bytes": 250 << 20,
            "loop": "uvloop.Loop",
            "incarnation": 1 + (kind == "vega"),
            "keys": [],
        }
        for kind, k in (("cross_asset", 0), ("gamma", 0), ("gamma", 1), ("vega", 0))
    ],
    "factors": [
        {
            "factor": name,
            "unit": "USD delta",
            "exposure": exposure,
            "lower": -2e6,
            "upper": 2e6,
            "price_of_risk": 0.0,
            "hard": 1e8,
            "live": True,
            "owner": "",
        }
        for name, exposure in (
            [
                ("delta:SPX", 1.2e6),
                ("delta:NDX", -3.3e6),
                ("gamma:SPX", 4.1e7),
                ("gamma:NDX", 0.0),
                ("factor:common", 1e6),
            ]
            + [(f"vega:{u}/{b}", 1e5) for u in ("SPX", "NDX") for b in ("0-7d", "8-30d", "31-60d", "61-90d", "3-6m")]
        )
    ],
    "flows": [{"scope": "firm", "budget": "cost_usd", "used": 4e5, "reserved": 1e4, "limit": 1e6}],
    "cycle": {
        "method": "joint",
        "trades": [{"instrument": f"SPX-{k}", "wished": 3.2 * k, "solution": 2.1, "ordered": 2} for k in range(30)],
    },
    "orders": {
        "decided": 1234,
        "open": 3,
        "fills": 1190,
        "latest": [
            {
                "client_order_id": f"ABCDEFGHIJKLMNOPQR{k}",
                "instrument": "SPX-2800C",
                "side": "SELL",
                "lots": 3,
                "filled": 2,
                "status": "CANCELED",
            }
            for k in range(20)
        ],
    },
    "refused_orders": {"collar": 1},
    "costs": {"half_spread_usd": 100_000.0, "fees_usd": 23_456.0, "wished_usd": 220_000.0},
    "execution": {"reachable": True, "tick_to_order_p50_ns": 1_900_000, "tick_to_order_p99_ns": 7_250_000},
}
EXTRA = {"speed": 700.0, "pnl_usd": -123456.0, "unhedged_pnl_usd": -9e6, "memory_bytes": {"ray": 3 << 30}}


def drawn(view: View, width: int, height: int) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, record=True, force_terminal=True)
    console.print(render(view, width, height))
    return console.export_text()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (131, 40), (132, 24), (160, 50), (220, 80)])
def test_it_fits_and_says_what_matters(width: int, height: int) -> None:
    text = drawn(view_of(STATUS, EXTRA), width, height)
    lines = text.rstrip("\n").split("\n")
    assert len(lines) <= height, text
    assert max(map(len, lines)) <= width
    for words in ("ACTIVE", "manager-0", "epoch 2", "delta:NDX", "below", "gamma:SPX", "vega-0", "late", "p99 7.25 ms"):
        assert words in text, text
    assert (
        "budget" in text
        and "orders 1234" in text
        and "cost 123,456" in text
        and "P&L -123,456 USD" in text
        and "3.00 GiB" in text
    )


def test_what_is_outside_is_shown_first_and_the_rest_is_counted() -> None:
    text = drawn(view_of(STATUS), 80, 24)
    assert "delta:NDX" in text and "gamma:SPX" in text
    assert "more exposures inside" in text


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"agents": [{}], "factors": [{}], "flows": [{}], "cycle": None},
        {**STATUS, "execution": {"reachable": False}},
    ],
)
def test_it_lives_when_parts_are_missing(status: dict[str, Any]) -> None:
    text = drawn(view_of(status), 80, 24)
    assert "hedgerow" in text
    if "execution" in status:
        assert "EXECUTION UNREACHABLE" in text


@pytest.mark.parametrize(
    ("exposure", "place", "at"), [(0.0, "inside", 8), (1.0, "inside", None), (-5.0, "below", 0), (9.0, "above", 16)]
)
def test_bar(exposure: float, place: str, at: int | None) -> None:
    row = FactorRow("delta:SPX", "USD", "gamma-0", exposure, -1.0, 1.0, 0.0, None)
    text = bar(row, 17).plain
    assert row.place == place and len(text) == 17
    if at is not None:
        assert text[at] in "●◀▶"
    assert text.count("[") == 1 or exposure in (-5.0,)


def test_bar_keeps_inside_marks_between_the_brackets() -> None:
    for e in (-1.0, -0.99, 0.5, 1.0):
        text = bar(FactorRow("d", "", "", e, -1.0, 1.0, None, None)).plain
        assert text.index("[") < text.index("●") < text.index("]")


def test_one_line_for_a_pipe() -> None:
    line = one_line(view_of(STATUS, EXTRA))
    assert "\n" not in line
    for words in ("ACTIVE", "agents 3/4", "outside 2/15", "orders 1234", "tick to order 1.9/7.2 ms"):
        assert words in line, line


def test_show_prints_lines_where_there_is_no_terminal_and_ends() -> None:
    out = io.StringIO()
    answers = [None, view_of(STATUS), view_of(STATUS, EXTRA)]

    async def main() -> None:
        stop = asyncio.Event()

        async def fetch() -> View | None:
            if len(answers) == 1:
                stop.set()
            return answers.pop(0)

        await show(fetch, stop, Console(file=out, width=60), line_every_s=0.001)

    asyncio.run(main())
    assert len(out.getvalue().splitlines()) == 2


def test_show_draws_on_a_terminal_and_leaves_the_last_screen() -> None:
    out = io.StringIO()

    async def main() -> None:
        stop = asyncio.Event()

        async def fetch() -> View | None:
            stop.set()
            return view_of(STATUS)

        await show(fetch, stop, Console(file=out, width=80, height=24, force_terminal=True))

    asyncio.run(main())
    assert out.getvalue().count("delta:NDX") >= 1


DIRECT = {"state": "KILLED", "who": "risk/ann", "why": "direct", "reachable": True}
SPX_KILLED = {"scope": "underlying:SPX", "state": "KILLED", "who": "risk/ann", "why": "direct"}
SPX_PAUSED = {**SPX_KILLED, "state": "PAUSED"}


@pytest.mark.parametrize(
    ("trading", "execution", "state", "words"),
    [
        ({"state": "ACTIVE", "text": "since the start"}, {"state": "ACTIVE"}, "ACTIVE", "since the start"),
        (
            {"state": "ACTIVE", "text": "since the start"},
            DIRECT,
            "KILLED",
            "execution holds KILLED by risk/ann: direct",
        ),
        ({"state": "KILLED", "text": "by ann"}, {"state": "ACTIVE"}, "KILLED", "by ann"),
        ({"state": "PAUSED", "text": "by ann"}, DIRECT, "KILLED", "execution holds"),
        (
            {"state": "ACTIVE", "text": "x"},
            {"state": "ACTIVE", "stopped": [SPX_KILLED]},
            "PARTLY STOPPED",
            "SPX KILLED",
        ),
        (
            {"state": "ACTIVE", "text": "x", "stopped": [SPX_PAUSED]},
            {"state": "ACTIVE", "stopped": [SPX_KILLED]},
            "PARTLY STOPPED",
            "underlying:SPX KILLED; x",
        ),
        ({"state": "ACTIVE", "text": "x"}, {"reachable": False}, "EXECUTION UNREACHABLE", "x"),
        ({"state": "ACTIVE", "text": "x"}, {}, "ACTIVE", "x"),
    ],
)
def test_what_execution_holds_is_shown_also_where_the_manager_has_not_heard_of_it(
    trading: dict[str, object], execution: dict[str, object], state: str, words: str
) -> None:
    view = view_of({**STATUS, "trading": trading, "execution": execution})
    assert view.state == state and words in view.why


def test_agents_that_ended_because_they_were_asked_to_are_no_dead_ones() -> None:
    there = {"agent": "gamma-0", "state": "hedging", "heard_ms": 100.0, "keys": ["gamma/SPX"]}
    gone = {"agent": "gamma-1", "state": "stopped: asked to", "heard_ms": 90_000.0, "keys": []}
    missed = {**gone, "agent": "gamma-2", "keys": ["gamma/NDX"]}
    view = view_of({**STATUS, "agents": [there, gone, missed]})
    assert [a.name for a in view.agents] == ["gamma-0", "gamma-2"] and "agents 1/2" in one_line(view)

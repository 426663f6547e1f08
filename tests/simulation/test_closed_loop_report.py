"""The report of a small run: everything the page needs, the figures consistent with each other, nothing from outside."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.config import AgentsConfig
from common.control_messages import Command
from common.limits import load_limits
from common.ports import MarketSource
from common.units import NS_PER_S
from common.universe import Book
from execution.config import ExecutionConfig
from execution.limits import load_execution_limits
from lab.audit_steering import imported_lots
from lab.baselines import Settings, run_mode
from lab.closed_loop import configs_of, run
from lab.report import Live, write_report
from lab.synthetic import SyntheticMarket, short_book
from manager.config import ManagerConfig

ROOT = Path(__file__).resolve().parents[2]


def opened(session_s: int) -> tuple[MarketSource, Book]:
    market = SyntheticMarket(sessions=3, session_s=session_s, step_s=300.0)
    return market, short_book(market, 40)


def settings(tmp: Path) -> Settings:
    execution = ExecutionConfig(store=tmp, limits=load_execution_limits(ROOT / "examples/execution_limits.toml"))
    limits = load_limits(ROOT / "examples/limits.toml")
    return Settings(partial(opened, 5400), AgentsConfig(), ManagerConfig(), limits, execution)


def imports(source: MarketSource) -> tuple[tuple[int, Command], ...]:
    """Half way a client sells 30 calls, which turn out to be 25; half an hour later another trade is tried, not taken."""
    universe = source.universe
    call = universe.instrument_id[next(i for i in range(len(universe)) if universe.right[i] > 0 and universe.listed[i])]
    (_, (_, at_ns), (later_ns, _)) = source.session_bounds_ns
    rows = [
        [2, "T1", "a", call, -30, 4.0, at_ns - 900 * NS_PER_S, "", ""],
        [3, "T2", "a", call, -25, 4.0, at_ns - 900 * NS_PER_S, "T1", ""],
    ]
    dry = [[2, "T3", "a", call, -30, 4.0, later_ns, "", ""]]
    return tuple(
        (
            t_ns,
            Command(name, "book.import", "ann", "told", json.dumps({"file": "f", "dry_run": wait, "trades": trades})),
        )
        for t_ns, name, wait, trades in ((at_ns - 900 * NS_PER_S, "i1", False, rows), (later_ns, "i2", True, dry))
    )


def check(found: dict[str, Any], folder: Path) -> None:
    assert json.loads((folder / "report.json").read_text()) == json.loads(json.dumps(found))
    page = (folder / "report.html").read_text()
    assert not re.search(r"""(src|href)=["']?(https?:)?//|@import|<script""", page)
    assert page.count("<img ") == len(list(folder.glob("*.png"))) >= 3
    assert "NaN" not in (folder / "report.json").read_text()
    for run_ in found["runs"].values():
        assert run_["external_cost_usd"] == pytest.approx(run_["spread_usd"] + run_["fees_usd"], abs=0.01)
    for name, p in found["pnl"].items():
        days = found["strikes"][name]
        assert [d["open_usd"] for d in days] == pytest.approx([0.0, *np.cumsum([d["pnl_usd"] for d in days])[:-1]])
        assert len(days) == 3 and sum(d["pnl_usd"] for d in days) == pytest.approx(p["total_usd"], abs=1e-6)
        assert f">{days[-1]['pnl_usd']:,.0f}<" in page or name not in (found["hedged_run"], "unhedged")
        parts = p["book_usd"] + p["imported_usd"] + p["hedges_usd"] + p["spread_usd"] + p["fees_usd"]
        assert p["total_usd"] == pytest.approx(parts, abs=1e-6)
        assert p["changes_30min"] == 3 * 4 - 1 and p["changes_daily"] == 3
    assert {e["factor"] for e in found["exposures"]} >= {"delta:AAA", "gamma:BBB", "factor:common"}
    assert found["promise_violations"] == 0 and found["statements"] and found["risk_aversion_per_usd"] > 0


def test_report_of_the_closed_loop(tmp_path: Path) -> None:
    found = write_report(settings(tmp_path), tmp_path / "report", "small", workers=0)
    check(found, tmp_path / "report")
    assert set(found["runs"]) == {"joint", "plain", "alone", "delta_only"}
    assert set(found["netting"]["external_cost_usd"]) == {"joint", "plain", "alone"}
    assert found["pnl"]["unhedged"]["spread_usd"] == 0.0
    assert found["hedge_effect"]["unhedged_over_hedged_30min"] > 1.0


def test_report_of_a_live_run(tmp_path: Path) -> None:
    """A journal stands for the live run; workers run the baselines in processes of their own."""
    s = settings(tmp_path)
    source, book = s.open_market()
    agents, manager = configs_of("joint", s.agents, s.manager)
    ran = run(source, book, agents, manager, s.limits, s.execution, run_id="live", commands=imports(source))
    # A short call was told by a client: positions are book, fills and imports.
    imported = imported_lots(book, ran.entries, len(source.universe)).sum(axis=0)
    assert imported.sum() == -25
    live = Live(
        ran.entries,
        ran.order_states,
        ran.reports,
        book.net_lots(len(source.universe)) + ran.traded_lots + imported,
        {"feed": 100 << 20, "manager-a": 200 << 20},
        1_500_000,
        9_000_000,
        {"restarts": []},
    )
    said: list[str] = []
    modes = ("joint", "delta_only")
    found = write_report(s, tmp_path / "report", "live", live, modes=modes, workers=2, progress=said.append)
    check(found, tmp_path / "report")
    assert len(said) == 2 and found["hedged_run"] == "live"
    assert found["memory_bytes"]["total"] == 300 << 20
    assert found["tick_to_order_ms"] == {"p50": 1.5, "p99": 9.0}
    assert found["orders"] == len(ran.orders) and found["order_hash"] == ran.order_hash
    # The same cores on the same path, told of the same trade: what differs is the run's name, which is in the ids.
    assert found["client_trades"] == 1 and "client trades" in (tmp_path / "report" / "report.html").read_text()
    brought = {name: p["imported_usd"] for name, p in found["pnl"].items()}
    assert len(brought) == 4 and len(set(brought.values())) == 1 and brought["live"] != 0.0
    assert found["pnl"]["joint"]["total_usd"] == found["pnl"]["live"]["total_usd"]
    assert found["runs"]["joint"]["external_cost_usd"] == found["runs"]["live"]["external_cost_usd"]
    wrong = Live(ran.entries, positions_lots=np.zeros(len(source.universe), np.int64))
    broken = write_report(s, tmp_path / "broken", "live", wrong, modes=("joint",), workers=0)
    assert broken["promise_violations"] > 0 and "position of" in (tmp_path / "broken/report.html").read_text()


def test_a_mode_is_the_same_in_any_process(tmp_path: Path) -> None:
    one, two = (run_mode(settings(tmp_path), "joint") for _ in range(2))
    assert one.order_hash == two.order_hash and one.residual == two.residual

"""Same input, same orders: to the byte, and whether observers look or not."""

from __future__ import annotations

from pathlib import Path

from agents.config import AgentsConfig
from common.control_messages import JournalEntry
from common.limits import load_limits
from common.messages import QuoteBatch
from common.wire.codec import encode_journal_entry
from execution.config import ExecutionConfig
from execution.limits import load_execution_limits
from lab.closed_loop import RunResult, configs_of, run
from lab.synthetic import SyntheticMarket, short_book
from manager.config import ManagerConfig

ROOT = Path(__file__).resolve().parents[2]
MARKET = SyntheticMarket(session_s=1200, step_s=60.0)
BOOK = short_book(MARKET, 40)


def ran(tmp: Path, run_id: str = "r", market: SyntheticMarket = MARKET, watch: bool = False) -> RunResult:
    agents, manager = configs_of("joint", AgentsConfig(), ManagerConfig())
    limits = load_limits(ROOT / "examples/limits.toml")
    execution = ExecutionConfig(store=tmp, limits=load_execution_limits(ROOT / "examples/execution_limits.toml"))
    seen: list[QuoteBatch | JournalEntry] = []
    look = seen.append if watch else None
    result = run(market, BOOK, agents, manager, limits, execution, run_id=run_id, on_batch=look, on_entry=look)
    assert not watch or len(seen) == result.batches + len(result.entries)
    return result


def test_two_runs_are_equal_to_the_byte(tmp_path: Path) -> None:
    one, two = ran(tmp_path), ran(tmp_path, watch=True)
    assert one.order_hash == two.order_hash and len(one.orders) > 0
    assert list(map(encode_journal_entry, one.entries)) == list(map(encode_journal_entry, two.entries))
    assert one.order_states == two.order_states


def test_the_hash_tells_runs_and_markets_apart(tmp_path: Path) -> None:
    other = SyntheticMarket(session_s=1200, step_s=60.0, seed=2)
    hashes = {r.order_hash for r in (ran(tmp_path), ran(tmp_path, "other"), ran(tmp_path, market=other))}
    assert len(hashes) == 3

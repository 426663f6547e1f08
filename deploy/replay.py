"""``hedgerow replay``: a recorded run against itself, or any market through the same cores, in process.

No Ray, NATS or gRPC. Prints the order hash; for a run folder also whether every proposal, decision and order came out
identical (exit 0) or the first difference (exit 1). *Tested by* tests/e2e/test_live.py, tests/golden/test_replay_identical.py.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from common.errors import InputError, Problem
from common.limits import Limits
from common.messages import Proposal
from common.ports import MarketSource
from common.universe import Book
from common.wire import codec
from common.wire.delimited import read_messages
from deploy.compiling import announce_compiling
from deploy.config import RunConfig
from deploy.finish import lab_settings, read_journal, recording
from deploy.setup import prepare
from lab.closed_loop import run, split
from lab.replay import replay_run


def run_replay(source: Path, settings: RunConfig, batch: int | None, as_json: bool) -> int:
    """Replay; 0 if it ran (and, for a run folder, was identical), else 1."""
    announce_compiling()
    if (source / "journal.bin").is_file():
        shown, code = _run_folder(source)
    else:
        shown, code = _market(settings, batch)
    print(
        json.dumps(shown) if as_json else "\n".join(f"{key.replace('_', ' ')}: {value}" for key, value in shown.items())
    )
    return code


def _run_folder(folder: Path) -> tuple[dict[str, Any], int]:
    path = folder / "reference.json"
    config = _reference(path)
    try:
        settings = RunConfig.model_validate(config["settings"])
        limits, run_id = Limits.model_validate(config["limits"]), str(config["run_id"])
    except (KeyError, ValueError) as error:
        raise InputError(
            str(path), [Problem(0, f"is not of a run: {error}")], "give a run folder as it was left"
        ) from None
    market, book = recording(folder / "market.bin")
    result = replay_run(
        market,
        book,
        read_journal(folder / "journal.bin"),
        settings.agents,
        settings.manager,
        limits,
        run_id,
        heard=_heard(folder / "proposals.bin"),
    )
    shown = {
        "identical": result.identical,
        "orders": result.orders,
        "order_hash": result.replayed_hash,
        "recorded_order_hash": result.recorded_hash,
        "cycles": result.cycles,
        "proposals_compared": f"{result.proposals_compared} of {result.proposals}",
        "first_difference": result.difference or "none",
        "not_followed": ", ".join(result.unfollowed) or "none",
    }
    return shown, 0 if result.identical else 1


def _heard(path: Path) -> tuple[Proposal, ...]:
    """Proposals as they were published; none where the launcher did not live to keep them."""
    if not path.exists():
        return ()
    return tuple(codec.decode_proposal(data) for data in read_messages(path, cut_ok=True))


def _reference(path: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(
            str(path), [Problem(0, f"cannot be read: {error}")], "give a run folder as it was left"
        ) from None
    return config


def _market(settings: RunConfig, batch: int | None) -> tuple[dict[str, Any], int]:
    prepared = prepare(settings, "replay")
    lab = lab_settings(prepared, None)
    source: MarketSource = prepared.source
    book: Book = prepared.book
    batches = list(source.batches() if batch is None else split(source.batches(), batch))
    began = time.perf_counter()
    ran = run(
        source,
        book,
        lab.agents,
        settings.manager,
        lab.limits,
        lab.execution,
        run_id=prepared.run_id,
        batches=batches,
    )
    seconds = time.perf_counter() - began
    shown = {
        "orders": len(ran.orders),
        "order_hash": ran.order_hash,
        "fills": sum(report.last_lots > 0 for report in ran.reports),
        "positions": len(book.instrument),
        "quotes": ran.quotes,
        "batches": ran.batches,
        "seconds": round(seconds, 3),
        "quotes_per_s": round(ran.quotes / seconds),
    }
    return shown, 0

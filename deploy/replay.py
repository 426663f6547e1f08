"""``hedgerow replay``: a recorded run against itself, or any market through the same cores, in process.

No Ray, NATS or gRPC. Prints the order hash; for a run folder also whether every proposal, decision and order came out
identical (exit 0) or the first difference (exit 1); a run that goes on or was killed has no
whole record and is refused.
*Tested by* tests/e2e/test_live.py, tests/golden/test_replay_identical.py.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from common.errors import InputError, Problem
from common.messages import Proposal
from common.ports import MarketSource
from common.universe import Book
from common.wire import codec
from common.wire.delimited import read_messages
from deploy.audit import SENSELESS, fold_and_compare, leaders_word, reference_of
from deploy.compiling import announce_compiling
from deploy.config import RunConfig
from deploy.fingerprint import of_other_code
from deploy.finish import lab_settings, recording
from deploy.recorder import read_finished, refuse_unfinished, segments
from deploy.run_folder import INFO, JOURNAL, REFERENCE
from deploy.setup import prepare
from lab.closed_loop import run, split
from lab.replay import replay_run
from manager.state import ManagerSetup


def run_replay(source: Path, settings: RunConfig, batch: int | None, as_json: bool) -> int:
    """Replay; 0 if it ran (and, for a run folder, was identical), else 1."""
    announce_compiling()
    if _is_run(source):
        refuse_unfinished(source)
        shown, code = _run_folder(source)
    else:
        shown, code = _market(settings, batch)
    print(
        json.dumps(shown) if as_json else "\n".join(f"{key.replace('_', ' ')}: {value}" for key, value in shown.items())
    )
    return code


def _is_run(source: Path) -> bool:
    """Whether a launcher used the folder. One that holds a recording and nothing of a run is a market."""
    return source.is_dir() and (
        any((source / name).exists() for name in (JOURNAL, INFO, REFERENCE)) or bool(segments(source))
    )


def _run_folder(folder: Path) -> tuple[dict[str, Any], int]:
    reference = reference_of(folder)
    settings = reference.settings
    market, book = recording(folder / "market.bin")
    entries = read_finished(folder)
    heard = _heard(folder / "proposals.bin")
    try:
        result = replay_run(
            market, book, entries, settings.agents, settings.manager, reference.limits, reference.run_id, heard=heard
        )
    except SENSELESS as error:
        why = f"an entry makes no sense: {type(error).__name__}: {error}"
        raise InputError(str(folder / JOURNAL), [Problem(0, why)], "give a run folder as it was left") from None
    setup = ManagerSetup(
        market.universe,
        book,
        settings.manager,
        reference.limits,
        reference.run_id,
        sessions_ns=market.session_bounds_ns,
    )
    word = leaders_word(folder)
    _, wrong, _ = fold_and_compare(setup, entries, word)
    shown = {
        "identical": result.identical and not wrong,
        "orders": result.orders,
        "order_hash": result.replayed_hash,
        "recorded_order_hash": result.recorded_hash,
        "state_hash": result.state_hash,
        "recorded_state_hash": result.recorded_state_hash,
        "cycles": result.cycles,
        "proposals_compared": f"{result.proposals_compared} of {result.proposals}",
        "first_difference": result.difference or "; ".join(wrong) or "none",
        "not_followed": ", ".join(result.unfollowed) or "none",
    }
    if of_other_code(word):
        shown["recorded_by"] = "other code than this: what differs may be its doing"
    return shown, 0 if result.identical and not wrong else 1


def _heard(path: Path) -> tuple[Proposal, ...]:
    """Proposals as they were published; none where the launcher did not live to keep them."""
    if not path.exists():
        return ()
    return tuple(codec.decode_proposal(data) for data in read_messages(path, cut_ok=True))


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

"""A storm of about a minute on the whole system: every part killed, then every promise audited from the venue's own file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.chaos import storm
from benchmarks.harness import ROOT, hedgerow
from deploy.finish import read_journal, recording, stored
from execution.limits import ExecutionLimits
from execution.venues.venue_file import FILE_NAME
from lab.audit_venue import Evidence, audit_venue, read_venue_book

pytestmark = [pytest.mark.live, pytest.mark.system, pytest.mark.slow]


@pytest.fixture(scope="module")
def stormed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that a storm has been over, audited by the command itself."""
    folder = tmp_path_factory.mktemp("chaos") / "run"
    code, found, said = storm(folder, 1.0, seed=1)
    assert code == 0, said[-4000:]
    assert found["broken"] == []
    return folder


def test_parts_were_killed_and_came_back_by_themselves(stormed: Path) -> None:
    found = json.loads((stormed / "chaos.json").read_text())
    events = [e for e in found["events"] if e["note"] != "skipped"]
    assert len(events) >= 5 and all(e["back_s"] is not None for e in events)
    assert {"execution", "nats", "venue", "agent", "leader"} & {e["target"] for e in events}
    assert found["orders"] > 20 and found["fills"] > 20 and found["doubled_orders"] == 0
    assert "every promise held" in (stormed / "chaos.html").read_text()


def evidence(folder: Path) -> Evidence:
    market, book = recording(folder / "market.bin")
    orders, reports = stored(folder / "store")
    config = json.loads((folder / "reference.json").read_text())
    return Evidence(
        read_venue_book(folder / "venue" / FILE_NAME),
        market.universe,
        book,
        orders,
        reports,
        read_journal(folder / "journal.bin"),
        None,
        ExecutionLimits.model_validate(config["execution_limits"]),
    )


@pytest.mark.parametrize("mistake", ["an order's line doubled", "a fill missing"])
def test_the_audit_of_that_run_finds_a_planted_mistake(stormed: Path, mistake: str) -> None:
    path = stormed / "venue" / FILE_NAME
    whole = path.read_text()
    assert audit_venue(evidence(stormed)) == []
    lines = [json.loads(line) for line in whole.splitlines()]
    if mistake == "a fill missing":
        at = next(k for k, line in enumerate(lines) if line["kind"] == "FILL")
        lines = lines[:at] + lines[at + 1 :]
    else:
        at = next(k for k, line in enumerate(lines) if line["kind"] == "ORDER")
        lines = [*lines[: at + 1], *lines[at:]]
    try:
        path.write_text("".join(json.dumps({**line, "sequence": k}) + "\n" for k, line in enumerate(lines, start=1)))
        found = audit_venue(evidence(stormed))
    finally:
        path.write_text(whole)
    assert any(("none of the venue's" if "missing" in mistake else "reached the venue again") in line for line in found)


@pytest.mark.parametrize("flags", [("--minutes", "0", "--seed", "1"), ("--minutes", "1", "--seed", "-4")])
def test_nonsense_is_refused_with_a_sentence(flags: tuple[str, ...], tmp_path: Path) -> None:
    argv = [*hedgerow("chaos"), *flags, "--out", str(tmp_path / "x")]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and "give" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()

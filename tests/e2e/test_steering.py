"""People steer a running system: stops of a part, manual hedges, live parameters, limits, client trades; then audit and replay.

One run, ended by Ctrl-C, which leaves nothing behind; every command is a process of its own, as at a second terminal.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.harness import ROOT, LiveRun, hedgerow
from benchmarks.live_runs import fills_beyond
from common.books import load_book
from common.control_messages import CommandTaken, FeedSilence, ProposalTaken
from common.market.recorded import RecordedMarket
from common.security.access import RISK_MANAGER
from common.security.keys import KEYS_VARIABLE
from common.universe import FUTURE, Book, Universe
from deploy import certs, control
from deploy.finish import read_journal
from execution.sqlite_store import SqliteStore
from lab.audit import Run, audit
from tests import security_world
from tests.process_tree import alive, tree

pytestmark = [pytest.mark.live, pytest.mark.system, pytest.mark.slow]
READY_S = 180.0
#: A week; the test ends the run long before, also where every command takes its time.
ENV = {"HEDGEROW_MARKET__DEMO__END": "2018-02-02"}
SPEED = ("--speed", "500")
#: Two risk managers with certificates of their own.
ANNA, BEN = "anna", "ben"
HEADER = "trade_id,account,instrument,quantity,price,ts,corrects,cancels\n"


@pytest.fixture(scope="module")
def steered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("steered") / "run"
    people = [certs.Wanted(RISK_MANAGER, name, certified=True) for name in (ANNA, BEN)]
    certs.make(folder / "keys", people, embedded=True)
    limits = (ROOT / "examples" / "limits.toml").read_text()
    assert limits.count('widening = "none"') == 1
    limits_file = folder.parent / "limits.toml"
    limits_file.write_text(limits.replace('widening = "none"', 'widening = "second_person"'))
    with LiveRun(folder, *SPEED, "--no-report", "--limits", str(limits_file), env=ENV) as run:
        run.until("first fills", fills_beyond(0), READY_S)
        universe, book = control.ask(control.nats_url(folder, None), control.reference_book)
        _stops(run)
        _by_hand(run, universe)
        _parameters(run)
        _two_people(run)
        _client_trades(run, universe, book)
        _feed_hangs(run, universe)
        assert run.ask("scale", "gamma", "2", "--why", "as it is")["accepted"]
        security_world.note_processes(folder, run.process.pid)
        fills = run.ask("status")["orders"]["fills"]
        run.until("fills after all that", fills_beyond(fills), READY_S)
        below = tree(run.process.pid)
        run.process.send_signal(signal.SIGINT)
        assert run.wait(60) == 130, run.output()[-3000:]
        assert "0 orders still working" in run.output()
        assert below and alive(below) == []
    return folder


def _stopped(run: LiveRun) -> dict[str, str]:
    return {s["scope"]: s["state"] for s in run.ask("status")["trading"]["stopped"]}


def _stops(run: LiveRun) -> None:
    assert "underlying:SPX paused" in run.ask("pause", "--underlying", "SPX", "--why", "news")["text"]
    assert run.ask("pause", "--agent", "gamma-1", "--why", "news")["accepted"]
    view = run.ask("status")
    assert view["trading"]["state"] == "ACTIVE" and _stopped(run) == {
        "agent:gamma-1": "PAUSED",
        "underlying:SPX": "PAUSED",
    }
    assert {s["scope"]: s["state"] for s in view["execution"]["stopped"]} == {"underlying:SPX": "PAUSED"}
    assert "underlying:SPX PAUSED" in run.call("limits", "show").stdout
    assert run.call("pause", "--underlying", "DAX", "--why", "x").returncode == 1
    assert run.call("pause", "--desk", "rates", "--why", "x").returncode == 1
    for part in (("--underlying", "SPX"), ("--agent", "gamma-1")):
        assert run.ask("resume", *part, "--why", "over")["accepted"]
    assert run.ask("kill", "--direct", "--underlying", "IXIC", "--why", "drill")["accepted"]
    assert run.ask("status")["execution"]["stopped"][0]["state"] == "KILLED"
    assert run.ask("resume", "--underlying", "IXIC", "--why", "over")["accepted"]
    assert _stopped(run) == {}


def _by_hand(run: LiveRun, universe: Universe) -> None:
    at = next(i for i in range(len(universe)) if universe.kind[i] == FUTURE and universe.listed[i])
    name = universe.instrument_id[at]
    words = ("hedge", "BUY", "1", name, "--why", "view", "--command-id", "my-own-1")
    done = run.ask(*words)
    order = done["text"].split()[1].rstrip(":")
    assert run.ask(*words) == done, "the same id again: the same answer"
    told = run.ask("story", order)
    assert any(c.get("manual") and c["why"] == "view" for c in told["chapters"])
    too_big = run.call("hedge", "SELL", "100000", name, "--why", "view")
    assert (
        too_big.returncode == 1 and "size: 100000 lots, limit" in too_big.stderr and "Traceback" not in too_big.stderr
    )


def _parameters(run: LiveRun) -> None:
    assert "version 1" in run.ask("agents", "set", "gamma.interval_scale", "1.5", "--why", "wider")["text"]
    wrong = run.call("agents", "set", "trigger.time_s", "5000", "--why", "x")
    assert wrong.returncode == 1 and "contradicts proposal_life_s" in wrong.stderr
    assert "takes back version 1" in run.ask("agents", "undo", "1", "--why", "back")["text"]
    shown = run.ask("agents", "show")
    assert shown["version"] == 2 and all(v["now"] == v["settings"] for v in shown["values"])


def _person(run: LiveRun, name: str, *words: str, claims: str = "ops") -> subprocess.CompletedProcess[str]:
    """A command with a person's own keys, from a login that calls itself ``claims``."""
    argv = [*hedgerow(*words), "--nats", str(control.run_info(run.folder)["nats_url"])]
    env = {**os.environ, KEYS_VARIABLE: str(run.folder / "keys" / name), "LOGNAME": claims}
    return subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, env=env, timeout=90)


def _two_people(run: LiveRun) -> None:
    """A widening waits, for a second person and not for a second name of the first one; a tightening does not."""
    before = run.ask("limits", "show")
    asked_ns = time.time_ns()
    asked = _person(run, ANNA, "limits", "set", "flow.orders", "60_000", "--why", "busy day")
    assert asked.returncode == 0 and "50,000 -> 60000 waits as" in asked.stdout, asked.stderr
    shown = run.ask("limits", "show")
    (waits,) = shown["pending"]
    assert (waits["path"], waits["old"], waits["value"], waits["why"]) == ("flow.orders", "50,000", 60_000, "busy day")
    assert waits["who"] == "anna/ops" and waits["id"] in asked.stdout
    assert shown["version"] == before["version"] and shown["flow"]["orders"] == 50_000 and not shown["history"]
    assert waits["id"] in run.call("limits", "show").stdout
    for claims in ("ops", BEN):
        own = _person(run, ANNA, "limits", "approve", waits["id"], claims=claims)
        assert own.returncode == 1 and "a widening needs a second person" in own.stderr, own.stdout
    assert run.ask("limits", "show")["flow"]["orders"] == 50_000
    done = _person(run, BEN, "limits", "approve", waits["id"], "--why", "agreed")
    assert done.returncode == 0 and "flow.orders = 60000, approved by ben/ops" in done.stdout, done.stderr
    shown = run.ask("limits", "show")
    assert shown["version"] == before["version"] + 1 and shown["flow"]["orders"] == 60_000 and not shown["pending"]
    (change,) = run.ask("limits", "history")
    told = {key: change[key] for key in ("version", "path", "old", "new", "who", "why", "approved_by")}
    assert told == {
        "version": shown["version"], "path": "flow.orders", "old": "50,000", "new": "60,000",
        "who": "anna/ops", "why": "busy day", "approved_by": "ben/ops",
    }  # fmt: skip
    assert asked_ns <= change["wall_ns"] <= time.time_ns() and change["now_ns"] > 0
    (row,) = [r for r in shown["tree"] if r["path"] == "flow.orders"]
    assert (row["limit"], row["who"], row["approved_by"], row["why"]) == (60_000, "anna/ops", "ben/ops", "busy day")
    again = _person(run, BEN, "limits", "approve", waits["id"])
    assert again.returncode == 1 and f"no change {waits['id']} waits" in again.stderr
    assert _person(run, ANNA, "limits", "set", "flow.orders", "55_000", "--why", "calmer").returncode == 0
    assert run.ask("limits", "show")["flow"]["orders"] == 55_000, "a tightening holds at once"


def _client_trades(run: LiveRun, universe: Universe, book: Book) -> None:
    at = int(book.instrument[0])
    name, account = universe.instrument_id[at], book.account[0]
    file = run.folder / "trades.csv"
    stamp = "2018-01-29T15:00:00-05:00"

    def bring(*lines: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        file.write_text(HEADER + "".join(f"{line}\n" for line in lines))
        return run.call("book", "import", str(file), *flags)

    first = f"T1,{account},{name},-3,10.5,{stamp},,"
    dry = bring(first, flags=("--dry-run",))
    assert dry.returncode == 0 and dry.stdout.startswith("dry run"), dry.stderr
    assert bring(first).stdout.startswith("1 new")
    assert "known already and ignored: T1" in bring(first).stdout
    other = bring(first.replace("-3", "-4"))
    assert other.returncode == 1 and "line 2 (trade 'T1')" in other.stderr
    assert bring(f"T1b,{account},{name},-5,10.5,{stamp},T1,").stdout.startswith("0 new, 1 corrected")
    bad = bring(f"T2,{account},{name},1,10,{stamp},,", f"T3,{account},{name},half,10,{stamp},,")
    assert bad.returncode == 4 and ":3: " in bad.stderr and "Traceback" not in bad.stderr
    assert run.ask("status")["positions"]["imported"] == {name: -5}
    held = run.folder / "book.csv"
    held.write_text(f"account,instrument,quantity\n{account},{name},{_lots(book, at, account) - 5 + 2}\n")
    assert len(load_book(held)) == 1
    (line,) = [d for d in run.ask("book", "diff", str(held)) if (d["account"], d["instrument"]) == (account, name)]
    assert line["change"] == 2


def _feed_hangs(run: LiveRun, universe: Universe) -> None:
    """Nothing is traded on what it said last; a person learns why; with its next quotes everything goes on."""
    at = next(i for i in range(len(universe)) if universe.kind[i] == FUTURE and universe.listed[i])
    pid = run.pids()["feed"]
    os.kill(pid, signal.SIGSTOP)
    try:
        run.until("a silent feed", lambda view: view["trading"]["feed_silent_s"] or None, READY_S)
        refused = run.call("hedge", "BUY", "1", universe.instrument_id[at], "--why", "view")
        assert refused.returncode == 1 and "nothing heard of the feed" in refused.stderr, refused.stdout
        decided = run.until("a status", lambda view: view["orders"]["decided"], READY_S)[0]
        assert "FEED SILENT" in run.call("status").stdout
        assert run.until("a status", lambda view: view["orders"]["decided"], READY_S)[0] == decided
    finally:
        os.kill(pid, signal.SIGCONT)
    run.until("a feed that is heard", lambda view: view["trading"]["feed_silent_s"] == 0.0 or None, READY_S)


def _lots(book: Book, at: int, account: str) -> int:
    rows = zip(book.account, book.instrument, book.quantity_lots, strict=True)
    return sum(int(n) for a, j, n in rows if a == account and int(j) == at)


def test_the_audit_finds_nothing_and_sees_what_was_steered(steered: Path) -> None:
    recorded = RecordedMarket(steered / "market.bin")
    entries = read_journal(steered / "journal.bin")
    store = SqliteStore(steered / "store")
    try:
        orders = tuple(state for _, state in store.orders(open_only=False, after_row=0, limit=10**6))
        reports = tuple(store.reports(1, 10**6))
    finally:
        store.close()
    universe, book = recorded.universe, recorded.book
    lots = book.net_lots(len(universe))
    status = json.loads((steered / "status.json").read_text())
    status = status.get("status", status)
    for sort in ("traded", "imported"):
        for name, moved in status["positions"][sort].items():
            lots[universe.index[name]] += moved
    assert audit(Run(universe, book, entries, orders, reports, lots)) == []
    manual = [e.event for e in entries if getattr(e.event, "method", "") == "manual"]
    assert len(manual) == 1
    # In the record, not in status: there the next proposal of an agent takes the place of this one within moments.
    spoke = {
        p.agent
        for e in entries
        if isinstance(e.event, ProposalTaken) and (p := e.event.proposal).trigger == "parameters"
    }
    assert spoke == {"gamma-0", "gamma-1", "vega-0", "cross_asset-0"}, (
        "every agent decides anew with changed parameters"
    )
    assert [e.event.silent_s > 0 for e in entries if isinstance(e.event, FeedSilence)] == [True, False]
    assert {"TradesImported", "AgentParameters"} <= {type(e.event).__name__ for e in entries}


def test_it_replays_to_the_identical_orders_and_proposals(steered: Path) -> None:
    done = subprocess.run([*hedgerow("replay", str(steered), "--json")], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["identical"]


def test_every_command_has_a_signed_line_that_says_what_the_record_says(steered: Path) -> None:
    lines = {
        path.name.rpartition("-")[0]: security_world.verified(steered, path) for path in security_world.audits(steered)
    }
    recorded = [e.event for e in read_journal(steered / "journal.bin") if isinstance(e.event, CommandTaken)]
    people = [c for c in recorded if c.command.action != "assign"]
    leader = [line for name, told in lines.items() if name.startswith("manager") for line in told]
    for taken in people:
        c, outcome = taken.command, "done" if taken.acknowledgement.accepted else "refused"
        said = (c.action, c.who, c.why, c.arguments_json, f"{outcome}: {taken.acknowledgement.text}")
        same = [
            line for line in leader if (line["action"], line["who"], line["why"], line["what"], line["outcome"]) == said
        ]
        name = c.who.partition("/")[0]
        if name not in (ANNA, BEN):
            assert name == ("operator" if c.why == "stopped by Ctrl-C" else RISK_MANAGER)
        role = "operator" if name == "operator" else RISK_MANAGER
        assert same and all(line["proven"] == f"{role} {name}" for line in same), said
    assert {"pause", "resume", "kill", "hedge", "agents.set", "agents.undo", "book.import"} <= {
        c.command.action for c in people
    }
    assert [
        (c.command.who, c.command.action, c.acknowledgement.accepted)
        for c in people
        if c.command.action.startswith("limits.")
    ] == [
        ("anna/ops", "limits.set", True), ("anna/ops", "limits.approve", False), ("anna/ben", "limits.approve", False),
        ("ben/ops", "limits.approve", True), ("ben/ops", "limits.approve", False), ("anna/ops", "limits.set", True),
    ]  # fmt: skip
    assert [line["action"] for line in lines["fleet"]] == ["scale"]
    direct = [line for line in lines["execution"] if line["proven"] == "risk_manager risk_manager"]
    assert [(line["why"], line["who"].partition("/")[0]) for line in direct] == [("drill", "risk_manager")]
    others = [line for line in lines["execution"] if line not in direct]
    assert others and all(line["who"].startswith("manager/") for line in others)


def test_no_secret_of_the_run_stands_in_a_log_a_process_list_or_an_environment(steered: Path) -> None:
    secrets = security_world.secrets_of(steered / "keys")
    assert len(secrets) > 30
    looked = security_world.places_without(steered, secrets)
    assert {"execution.log", "manager-a.log", "fleet.log", "run.json", "ps.txt", "environ.txt"} <= looked
    # The search can find: the names of the folders stand in every environment.
    assert str(steered / "keys" / "manager") in (steered / "environ.txt").read_text()
    assert security_world.found_in(steered / "keys" / "manager" / "nats.seed", secrets)

"""``hedgerow audit`` on a run folder: clean as it was left, and each planted wrong is told in words with exit 1."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.control_messages import Command, Cycle, JournalEntry, ProposalTaken
from common.errors import InputError
from common.market.recorded import Recorder
from common.messages import ExecutionReport
from common.universe import Book
from common.universe import Desk as DeskOf
from common.wire import codec
from common.wire.delimited import frame, write_messages
from deploy.audit import audit_folder, run_audit
from deploy.config import RunConfig
from deploy.fingerprint import code_fingerprint
from deploy.finish import desk_lots_of, positions_of
from deploy.recorder import read_record, recorded, segments
from deploy.replay import run_replay
from deploy.story import record_of
from deploy.tca import run_tca
from manager import events as ev
from manager.fold import apply
from manager.hash import order_hash, state_hash
from manager.state import ManagerSetup, start
from manager.status import status
from tests.golden.test_replay_identical import BOOK, LIMITS, MANAGER, MARKET, new_loop, plain_run, play
from tests.steering_world import row

CUT = 40
BOTH = (DeskOf("a", "A", ("x",)), DeskOf("b", "B", ("y",)))


def entries() -> list[JournalEntry]:
    return list(plain_run())


def write_journal(folder: Path, found: list[JournalEntry], cut: int = CUT) -> None:
    """As the recorder leaves it: two segments and the tail."""
    data = [codec.encode_journal_entry(e) for e in found]
    write_messages(folder / "journal-0001.bin", data[: cut // 2])
    write_messages(folder / "journal-0002.bin", data[cut // 2 : cut])
    write_messages(folder / "journal.bin", data[cut:])


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run's folder, without a store: the closed loop has none."""
    folder = tmp_path_factory.mktemp("run")
    settings = RunConfig().model_copy(update={"manager": MANAGER})
    reference = {"run_id": "r", "settings": settings.model_dump(mode="json"), "limits": LIMITS.model_dump(mode="json")}
    (folder / "reference.json").write_text(json.dumps(reference))
    with Recorder(folder / "market.bin", MARKET, BOOK) as recording:
        for batch in MARKET.batches():
            recording.append(batch)
    write_journal(folder, entries())
    state = start(ManagerSetup(MARKET.universe, BOOK, MANAGER, LIMITS, "r", sessions_ns=MARKET.session_bounds_ns))
    for entry in entries()[:-3]:  # the leader was asked before the last entries
        apply(state, entry)
    word = {"entries": len(entries()) - 3, "state_hash": state_hash(state), "holder": "manager-a", "epoch": 1}
    (folder / "state.json").write_text(json.dumps({**word, "code": code_fingerprint()}))
    return folder


@pytest.fixture
def copy(left: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(left, tmp_path / "run"))


def test_the_record_is_read_from_segments_and_tail_in_order(left: Path) -> None:
    assert [path.name for path in segments(left)] == ["journal-0001.bin", "journal-0002.bin"]
    assert [e.sequence for e in read_record(left)] == list(range(1, len(entries()) + 1))
    (left / "journal-10000.bin").write_bytes(b"")
    assert segments(left)[-1].name == "journal-10000.bin"  # by number, not by text
    (left / "journal-10000.bin").unlink()
    assert len(list(recorded(left))) == len(entries())


def test_a_run_as_it_was_left_is_clean(left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_audit(left, True) == 0
    found = json.loads(capsys.readouterr().out)
    orders = [o for e in entries() if isinstance(e.event, Cycle) for o in e.event.orders]
    assert found["clean"] and found["violations"] == [] and found["entries"] == len(entries())
    assert found["orders"] == len(orders) > 0 and found["order_hash"] == order_hash(orders)
    assert found["leaders_state_hash_at_entry"] == len(entries()) - 3
    assert [said.partition(":")[2] for said in found["unchecked"]] == [" nothing in store/", " no status.json"]
    assert run_audit(left, False) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "clean as far as was checked" and len([x for x in said if x.startswith("not checked: ")]) == 2


def test_stated_positions_count_what_clients_traded_and_what_settled(left: Path, tmp_path: Path) -> None:
    """A status as the leader writes it, of a run in which clients traded: nothing is wrong; a lot less is told."""
    folder, name = Path(shutil.copytree(left, tmp_path / "run")), MARKET.universe.instrument_id[3]
    loop, trade = new_loop(), row(2, "T1", name, -12, account="clients")
    asked = json.dumps({"file": "t.csv", "dry_run": False, "trades": [trade]})
    told = ev.CommandArrived(0, Command("i", "book.import", "r", "t", asked))
    write_journal(folder, play(loop, lambda k: loop._do(told) if k == 6 else None))
    (folder / "state.json").unlink()
    view = status(loop.manager, 0)
    assert view["positions"]["imported"] == {name: -12}
    (folder / "status.json").write_text(json.dumps(view))
    assert audit_folder(folder).violations == ()
    assert len(audit_folder(folder).unchecked) == 2 and "status.json" not in str(audit_folder(folder).unchecked)
    view["positions"]["imported"][name] = -11
    (folder / "status.json").write_text(json.dumps(view))
    (said,) = audit_folder(folder).violations
    assert said.startswith(f"position of {name}")


def test_lots_a_status_states_are_the_book_and_everything_that_moved_it() -> None:
    book = Book("b", ("x", "y"), np.array([3, 4], np.uint32), np.array([5, -2]), desks=BOTH)
    held, traded, settled = (MARKET.universe.instrument_id[j] for j in (3, 4, 6))
    none: dict[str, dict[str, int]] = {"traded": {}, "imported": {}, "settled": {}}
    first = {**none, "traded": {traded: 7}, "imported": {held: -1}}
    view = {"positions": {**first, "settled": {settled: 3}}, "desks": [first, {**none, "settled": {settled: 3}}]}
    lots, by_desk = positions_of(view, MARKET.universe, book), desk_lots_of(view, MARKET.universe, book)
    assert by_desk is not None and desk_lots_of({**view, "desks": []}, MARKET.universe, book) is None
    assert lots[[3, 4, 6]].tolist() == [4, 5, 3] and np.count_nonzero(lots) == 3
    assert by_desk[:, [3, 4, 6]].tolist() == [[4, 7, 0], [0, -2, 3]] and np.count_nonzero(by_desk) == 4


def first(found: list[JournalEntry], wanted: Callable[[JournalEntry], bool]) -> int:
    return next(i for i, e in enumerate(found) if wanted(e))


def is_fill(entry: JournalEntry) -> bool:
    return isinstance(entry.event, ExecutionReport) and entry.event.last_lots > 0


def doubled_fill(found: list[JournalEntry]) -> None:
    report = found[i := first(found, is_fill)].event
    found[i] = replace(found[i], event=replace(report, last_lots=report.last_lots + 1))


def lost_entry(found: list[JournalEntry]) -> None:
    del found[10]


def lost_tail(found: list[JournalEntry]) -> None:
    del found[-4:]


def another_price_in_a_proposal(found: list[JournalEntry]) -> None:
    """Breaks no rule of its own: only the leader's fingerprint tells."""
    i = max(i for i, e in enumerate(found[:-3]) if isinstance(e.event, ProposalTaken) and not e.event.refusal)
    proposal = found[i].event.proposal
    found[i] = replace(found[i], event=replace(found[i].event, proposal=replace(proposal, upper=proposal.upper + 1.0)))


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (doubled_fill, "fills of"),
        (lost_entry, "fold: journal entry 12 after 10"),
        (lost_tail, "the record holds"),
        (another_price_in_a_proposal, "the leader had"),
    ],
)
def test_what_was_tampered_with_is_told(
    copy: Path, capsys: pytest.CaptureFixture[str], plant: Callable[[list[JournalEntry]], None], words: str
) -> None:
    found = entries()
    plant(found)
    write_journal(copy, found)
    assert run_audit(copy, True) == 1
    assert any(words in text for text in json.loads(capsys.readouterr().out)["violations"])


def test_a_run_whose_leader_could_not_be_asked_is_audited_all_the_same(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "state.json").unlink()
    assert audit_folder(copy).recorded is None and "state.json" in audit_folder(copy).unchecked[-1]
    assert run_audit(copy, False) == 0
    assert "no fingerprint" in capsys.readouterr().out


@pytest.mark.parametrize("tool", [lambda f: run_audit(f, True), lambda f: run_replay(f, RunConfig(), None, True)])
def test_bytes_that_were_changed_are_an_error_that_names_file_and_message(
    copy: Path, tool: Callable[[Path], int]
) -> None:
    """What cannot be decoded; a file of another kind; what is no text."""
    whole = (copy / "journal.bin").read_bytes()
    (copy / "journal.bin").write_bytes(frame(b"") + whole)
    with pytest.raises(InputError, match=r"journal\.bin.*message 1: "):
        tool(copy)
    (copy / "journal.bin").write_bytes(whole)
    (copy / "reference.json").write_bytes(b"\xdb" + (copy / "reference.json").read_bytes())
    with pytest.raises(InputError, match=r"reference\.json.*cannot be read"):
        tool(copy)


def test_a_journal_that_is_no_file_is_an_error_that_names_it(copy: Path) -> None:
    (copy / "journal.bin").unlink()
    (copy / "journal.bin").mkdir()
    with pytest.raises(InputError, match=r"journal\.bin.*cannot be read"):
        record_of(copy)


def test_numbers_that_name_nothing_are_told_and_no_crash(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Random bytes of the journal changed, one at a time: an error in words, a violation, or nothing that can be seen."""
    rng, whole = random.Random(7), (copy / "journal.bin").read_bytes()
    seen = Counter[str]()
    for _ in range(60):
        at = rng.randrange(len(whole))
        (copy / "journal.bin").write_bytes(whole[:at] + bytes([whole[at] ^ rng.randrange(1, 256)]) + whole[at + 1 :])
        try:
            seen["violations" if run_audit(copy, True) else "unseen"] += 1
        except InputError:
            seen["unreadable"] += 1
    capsys.readouterr()
    assert seen["unreadable"] and seen["violations"]


def test_an_order_of_instruments_that_are_not_there_is_told(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = [
        replace(e, event=replace(e.event, menu=e.event.menu + 10**6))
        if isinstance(e.event, Cycle)
        else replace(e, event=replace(e.event, proposal=replace(e.event.proposal, menu=e.event.proposal.menu + 10**6)))
        if isinstance(e.event, ProposalTaken)
        else e
        for e in entries()
    ]
    write_journal(copy, found)
    assert run_audit(copy, False) == 1 and "makes no sense" in capsys.readouterr().out
    with pytest.raises(InputError, match="makes no sense"):
        run_replay(copy, RunConfig(), None, True)


def test_the_state_of_a_leader_of_other_code_is_told_and_is_no_violation(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    word = json.loads((copy / "state.json").read_text())
    same = audit_folder(copy)
    for code, told in (({"code": "0123456789abcdef"}, "0123456789abcdef"), ({}, "not told")):
        other = {k: v for k, v in word.items() if k != "code"} | code
        (copy / "state.json").write_text(json.dumps(other))
        assert audit_folder(copy).unchecked == same.unchecked, "the same state is the same state, whoever folded"
        (copy / "state.json").write_text(json.dumps({**other, "state_hash": "0" * 64}))
        assert run_audit(copy, False) == 0
        said = capsys.readouterr().out
        assert f"not checked: the leader's own state: other code than this ({told}) folded to it" in said
    (copy / "state.json").write_text(json.dumps({**word, "state_hash": "0" * 64}))
    assert run_audit(copy, False) == 1 and "the fold has" in capsys.readouterr().out


def test_a_folder_that_is_no_finished_run_is_an_input_error(tmp_path: Path, copy: Path) -> None:
    with pytest.raises(InputError, match="no finished run"):
        audit_folder(tmp_path)
    (copy / "status.json").write_text('{"positions": {}}')
    with pytest.raises(InputError, match=r"status\.json.*makes no sense"):
        audit_folder(copy)
    (copy / "status.json").unlink()
    (copy / "state.json").write_text("{}")
    with pytest.raises(InputError, match="no state hash"):
        audit_folder(copy)
    (copy / "state.json").unlink()
    (copy / "reference.json").write_text("[")
    with pytest.raises(InputError, match="cannot be read"):
        audit_folder(copy)


def test_every_promise_is_said_to_be_kept_only_where_every_one_was_checked(
    left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = audit_folder(left)
    assert list(replace(found, unchecked=()).lines())[-1] == "clean: every promise kept"
    for_two = replace(found, violations=("one", "two"))
    assert list(for_two.lines())[-1] == "2 violations" and sum("not checked" in x for x in for_two.lines()) == 2


@pytest.mark.parametrize("command", ["audit", "tca", "replay", "story"])
def test_a_record_without_an_entry_proves_nothing_and_is_refused(copy: Path, command: str) -> None:
    for path in (*segments(copy), copy / "state.json"):
        path.unlink()
    (copy / "journal.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"journal\.bin: holds no entry"):
        if command == "audit":
            run_audit(copy, True)
        elif command == "tca":
            run_tca(copy, "agent", True, None, None)
        elif command == "story":
            record_of(copy)
        else:
            run_replay(copy, RunConfig(), None, True)


def test_replay_compares_the_state_too(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_replay(copy, RunConfig(), None, True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["identical"] and found["state_hash"] == found["recorded_state_hash"]
    word = json.loads((copy / "state.json").read_text())
    (copy / "state.json").write_text(json.dumps({**word, "state_hash": "0" * 64}))
    assert run_replay(copy, RunConfig(), None, True) == 1
    assert "the leader had 000" in json.loads(capsys.readouterr().out)["first_difference"]


@pytest.mark.parametrize("sign", ["run.json", "reference.json", "journal-0001.bin"])
def test_replay_refuses_a_run_that_has_not_ended_and_takes_a_recording(
    left: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], sign: str
) -> None:
    """By any of what a launcher leaves; the market alone, in a folder, is replayed as a market."""
    shutil.copy(left / "market.bin", tmp_path)
    (tmp_path / sign).write_bytes((left / sign).read_bytes() if (left / sign).exists() else b"{}")
    settings = RunConfig.model_validate({"market": {"name": str(tmp_path)}, "manager": MANAGER.model_dump()})
    with pytest.raises(InputError, match=r"no finished run: it has no journal\.bin"):
        run_replay(tmp_path, settings, None, True)
    if sign == "run.json":
        (tmp_path / sign).unlink()
        assert run_replay(tmp_path, settings, None, True) == 0
        assert json.loads(capsys.readouterr().out)["orders"] > 0

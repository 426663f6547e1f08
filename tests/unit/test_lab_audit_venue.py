"""The auditor that reads only the venue's file: a clean run is clean, and each planted mistake is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.control_messages import LeaderStarted
from common.errors import InputError
from common.messages import OrderState, OrdStatus
from common.tactics import Tactic, TacticKind
from lab.audit_venue import (
    Evidence,
    audit_venue,
    combos_keep_their_ratio_and_their_net,
    fills_keep_to_their_order,
    read_venue_book,
)
from tests.execution_world import make_limits
from tests.unit.test_lab_audit import BOOK, LIMITS, UNIVERSE, cycle, journal, order, report

Lines = list[dict[str, Any]]
FULL, PART = order("full", 3), order("part", -5)


def clean_lines() -> Lines:
    lines: Lines = []
    for o in (FULL, PART):
        lines.append(
            {"kind": "ORDER", "client_order_id": o.client_order_id, "instrument": o.instrument, "side": int(o.side),
             "lots": o.quantity_lots, "ticks": o.limit_ticks}
        )  # fmt: skip
        lines.append({"kind": "ACCEPTED", "client_order_id": o.client_order_id, "exec_id": f"A-{o.client_order_id}"})
    fill = {"kind": "FILL", "lots": 3, "fee_cents": 390}
    lines.append({**fill, "client_order_id": "full", "exec_id": "x2", "ticks": 402})
    lines.append({**fill, "client_order_id": "part", "exec_id": "x4", "ticks": 400})
    lines.append({"kind": "CANCELED", "client_order_id": "part", "exec_id": "C-part"})
    return lines


def evidence(folder: Path, lines: Lines, **changes: Any) -> Evidence:
    path = folder / "venue.jsonl"
    numbered = [{"sequence": k, "event_time_ns": k, **line} for k, line in enumerate(lines, start=1)]
    path.write_text("".join(json.dumps(line) + "\n" for line in numbered))
    reports = [
        report(1, FULL, 0, OrdStatus.NEW, 0),
        report(2, FULL, 3, OrdStatus.FILLED, 3),
        report(3, PART, 0, OrdStatus.NEW, 0),
        report(4, PART, 3, OrdStatus.PARTIALLY_FILLED, 3),
        report(5, PART, 0, OrdStatus.CANCELED, 3),
    ]
    values: dict[str, Any] = {
        "venue": read_venue_book(path),
        "universe": UNIVERSE,
        "book": BOOK,
        "store_orders": [OrderState(FULL, OrdStatus.FILLED, 3, 0), OrderState(PART, OrdStatus.CANCELED, 3, 0)],
        "store_reports": reports,
        "entries": journal(LeaderStarted("a", 0, ()), cycle(FULL), cycle(PART), *reports),
        "positions_lots": BOOK.net_lots(len(UNIVERSE)),
        "execution_limits": make_limits(),
        "limits": LIMITS,
    }
    return Evidence(**{**values, **changes})


def test_a_clean_run_is_clean(tmp_path: Path) -> None:
    assert audit_venue(evidence(tmp_path, clean_lines())) == []


def without(at: int) -> Callable[[Lines], Lines]:
    return lambda lines: lines[:at] + lines[at + 1 :]


def doubled(at: int) -> Callable[[Lines], Lines]:
    return lambda lines: [*lines[: at + 1], *lines[at:]]


def changed(at: int, **values: Any) -> Callable[[Lines], Lines]:
    return lambda lines: [*lines[:at], {**lines[at], **values}, *lines[at + 1 :]]


MISTAKES: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "an order's line doubled": (doubled(0), "reached the venue again"),
    "a second submission refused": (lambda ls: [*ls, {**ls[0], "kind": "DUPLICATE"}], "reached the venue again"),
    "a fill's line doubled": (doubled(4), "stands 2 times"),
    "a fill missing": (without(4), "in the store is none of the venue's"),
    "a fill more": (lambda ls: [*ls, {**ls[5], "exec_id": "x9", "lots": 1}], "is missing in the journal"),
    "a fill of another size": (changed(4, lots=2), "is missing in the store"),
    "a fill of another fee": (changed(4, fee_cents=1), "is missing in the store"),
    "a fill beyond the limit": (changed(4, ticks=403), "beyond the limit 402"),
    "an order nobody decided": (lambda ls: [*ls, {**ls[0], "client_order_id": "ghost"}], "not in the journal"),
    "an order changed on the way": (changed(0, ticks=401), "differs between the venue and"),
    "an order lost at the venue": (lambda ls: ls[:2] + ls[4:5], "never reached the venue"),
    "an order that never ended": (without(6), "ended 0 times"),
    "an order that ended twice": (doubled(6), "ended 2 times"),
    "an order above the size limit": (changed(0, lots=501), "limit 500"),
    "a fill of an order never taken": (without(2), "was filled and never taken"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_planted_mistake_is_found(tmp_path: Path, name: str) -> None:
    plant, said = MISTAKES[name]
    found = audit_venue(evidence(tmp_path, plant(clean_lines())))
    assert any(said in line for line in found), found


WORKED = replace(PART, tactic=Tactic(TacticKind.SLICED, participation_percent=50, budget_ms=9, interval_ms=1))


def worked_lines() -> Lines:
    """The second order worked in two slices: 2 lots filled whole, 1 lot of 3 filled."""
    lines = [line for line in clean_lines() if line["client_order_id"] != "part"]
    for name, lots, filled in (("part.1", 2, 2), ("part.2", 3, 1)):
        lines.append(
            {"kind": "ORDER", "client_order_id": name, "instrument": 0, "side": 2, "lots": lots, "ticks": 400}
        )  # fmt: skip
        exec_id = {"part.1": "x4", "part.2": "x5"}[name]
        fill = {"kind": "FILL", "lots": filled, "fee_cents": 130 * filled, "ticks": 400, "exec_id": exec_id}
        lines.append({**fill, "client_order_id": name})
    return [*lines, {"kind": "CANCELED", "client_order_id": "part.2", "exec_id": "C"}]


def worked_evidence(folder: Path, lines: Lines) -> Evidence:
    reports = [
        report(1, FULL, 0, OrdStatus.NEW, 0),
        report(2, FULL, 3, OrdStatus.FILLED, 3),
        report(3, WORKED, 0, OrdStatus.NEW, 0),
        report(4, WORKED, 2, OrdStatus.PARTIALLY_FILLED, 2, child_order_id="part.1"),
        report(5, WORKED, 1, OrdStatus.PARTIALLY_FILLED, 3, child_order_id="part.2"),
        report(6, WORKED, 0, OrdStatus.CANCELED, 3),
    ]
    return evidence(
        folder,
        lines,
        store_orders=[OrderState(FULL, OrdStatus.FILLED, 3, 0), OrderState(WORKED, OrdStatus.CANCELED, 3, 0)],
        store_reports=reports,
        entries=journal(LeaderStarted("a", 0, ()), cycle(FULL), cycle(WORKED), *reports),
    )


def test_children_are_their_parents_order(tmp_path: Path) -> None:
    assert audit_venue(worked_evidence(tmp_path, worked_lines())) == []


CHILDREN: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "a child of nobody's": (lambda ls: [*ls, {**ls[3], "client_order_id": "ghost.1"}], "ghost.1 is at the venue"),
    "a child beyond its parent's limit": (changed(3, ticks=399), "part.1 differs"),
    "a child on the other side": (changed(3, side=1), "part.1 differs"),
    "children that filled too much": (
        lambda ls: [*ls, *({**ls[5], "client_order_id": f"part.{n}"} for n in (3,)),
                    {**ls[4], "client_order_id": "part.3", "exec_id": "x9", "lots": 3}],
        "its children filled 6 lots of 5",
    ),
    "a child's fill the store lacks": (
        lambda ls: [*ls, {**ls[4], "exec_id": "x9", "lots": 1}], "its children filled 4 lots, the store says 3"
    ),
    "a child that never ended": (without(7), "part.2 ended 0 times"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHILDREN)
def test_each_planted_mistake_of_a_child_is_found(tmp_path: Path, name: str) -> None:
    plant, said = CHILDREN[name]
    found = audit_venue(worked_evidence(tmp_path, plant(worked_lines())))
    assert any(said in line for line in found), found


def test_a_position_that_does_not_add_up_is_found(tmp_path: Path) -> None:
    stated = BOOK.net_lots(len(UNIVERSE))
    stated[0] += 1
    found = audit_venue(evidence(tmp_path, clean_lines(), positions_lots=stated))
    assert any("1 lots stated" in line for line in found), found


def test_a_position_limit_broken_for_a_moment_is_found(tmp_path: Path) -> None:
    limits = make_limits()
    tight = limits.model_copy(
        update={k: getattr(limits, k).model_copy(update={"max_position_lots": 2}) for k in ("future", "option")}
    )
    found = audit_venue(evidence(tmp_path, clean_lines(), execution_limits=tight))
    assert any("limit 2" in line for line in found), found


def test_an_order_still_open_in_the_store_is_found(tmp_path: Path) -> None:
    open_ = [OrderState(FULL, OrdStatus.FILLED, 3, 0), OrderState(PART, OrdStatus.UNKNOWN, 3, 2)]
    found = audit_venue(evidence(tmp_path, clean_lines(), store_orders=open_))
    assert any("still UNKNOWN" in line for line in found), found


def test_a_torn_end_is_left_out_and_damage_is_refused(tmp_path: Path) -> None:
    whole = evidence(tmp_path, clean_lines())
    path = tmp_path / "venue.jsonl"
    path.write_text(path.read_text() + '{"sequence": 8, "kin')
    assert audit_venue(replace(whole, venue=read_venue_book(path))) == []
    path.write_text("broken\n")
    with pytest.raises(InputError, match=r"venue\.jsonl:1"):
        read_venue_book(path)


def test_the_file_says_how_each_order_ended(tmp_path: Path) -> None:
    book = evidence(tmp_path, clean_lines()).venue
    assert book.lines == 7 and book.filled() == {"full": 3, "part": 3}
    assert book.status("full") is OrdStatus.FILLED and book.status("part") is OrdStatus.CANCELED


LEAD = replace(FULL, client_order_id="lead", tactic=Tactic(TacticKind.COMBO, budget_ms=9, interval_ms=1, legs=2))
DELTA = replace(
    order("delta", -5), instrument=1, instrument_id=UNIVERSE.instrument_id[1], tactic=Tactic(TacticKind.COMBO)
)


def combo_lines(net_limit_cents: int, ticks: int = 402) -> Lines:
    """Three of the first instrument bought and five of the second sold, as one unit."""
    lines: Lines = []
    for o, name, lots in ((LEAD, "lead.1", 3), (DELTA, "delta.1", 5)):
        lines.append(
            {"kind": "ORDER", "client_order_id": name, "instrument": o.instrument, "side": int(o.side), "lots": lots,
             "ticks": o.limit_ticks, "combo_id": "lead.1", "ratio": lots, "net_limit_cents": net_limit_cents}
        )  # fmt: skip
    fill = {"kind": "FILL", "fee_cents": 0}
    lines.append({**fill, "client_order_id": "lead.1", "exec_id": "x2", "lots": 3, "ticks": ticks, "with_next": True})
    return [*lines, {**fill, "client_order_id": "delta.1", "exec_id": "x4", "lots": 5, "ticks": 402}]


def combo_findings(folder: Path, lines: Lines) -> list[str]:
    states = [OrderState(LEAD, OrdStatus.FILLED, 3, 0), OrderState(DELTA, OrdStatus.FILLED, 5, 0)]
    return list(combos_keep_their_ratio_and_their_net(evidence(folder, lines, store_orders=states)))


def test_a_combo_is_judged_by_its_ratio_and_its_net(tmp_path: Path) -> None:
    cents = [100.0 * float(UNIVERSE.tick_size[i]) * float(UNIVERSE.multiplier_usd[i]) for i in (0, 1)]
    net = round(3 * 402 * cents[0] - 5 * DELTA.limit_ticks * cents[1])
    assert combo_findings(tmp_path, combo_lines(net)) == []
    # A tick dearer on one leg is made good by the other, and no more than that.
    gained = int(5 * (402 - DELTA.limit_ticks) * cents[1] / (3 * cents[0]))
    assert gained >= 1 and combo_findings(tmp_path, combo_lines(net, 402 + gained)) == []
    beyond = evidence(tmp_path, combo_lines(net, 402 + gained))
    assert [text for text in fills_keep_to_their_order(beyond) if "beyond" in text] == []
    assert "cents for 1 units" in combo_findings(tmp_path, combo_lines(net, 403 + gained))[0]
    assert "its limits come to" in combo_findings(tmp_path, combo_lines(net + 1))[0]
    assert "out of its ratio" in combo_findings(tmp_path, changed(3, lots=4)(combo_lines(net)))[0]
    assert "has 1 legs" in combo_findings(tmp_path, without(1)(combo_lines(net)))[0]
    # A fill whose other legs a kill tore off was never told.
    assert len(evidence(tmp_path, combo_lines(net)[:3]).venue.fills) == 0

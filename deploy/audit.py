"""``hedgerow audit``: every promise of a finished run checked again, from what it left in its folder alone.

The rules of ``lab/audit.py`` on journal, execution's store, opening book and limits; then the journal is folded from its
first entry, and the state after the entry at which the leader took its own fingerprint must have that fingerprint, unless
other code folded to it, whose state need not be this code's.
Exit 0 where nothing is wrong, 1 with every violation in words; what could not be checked is named.
*Tested by* tests/unit/test_deploy_audit.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from common.control_messages import JournalEntry
from common.errors import HedgerowError, InputError, Problem
from common.limits import Limits
from common.messages import I64, ExecutionReport
from common.universe import Book, Universe
from deploy.config import RunConfig
from deploy.fingerprint import of_other_code
from deploy.finish import desk_lots_of, positions_of, recording, stored
from deploy.recorder import STATE, read_finished
from deploy.run_folder import REFERENCE
from lab.audit import Run, audit, orders_of
from manager.fold import apply
from manager.hash import order_hash, state_hash
from manager.state import ManagerSetup, ManagerState, start

#: What comes of an entry that can be read and whose numbers name nothing: bytes that were changed.
SENSELESS: Final = (LookupError, ValueError, TypeError, ArithmeticError)


@dataclass(frozen=True)
class Reference:
    """What a run was about, as ``reference.json`` has it."""

    settings: RunConfig
    limits: Limits
    run_id: str


@dataclass(frozen=True)
class Audited:
    """What the audit found. ``state_hash``: of the fold of every entry; ``recorded``: the leader's own word, if any."""

    violations: tuple[str, ...]
    entries: int
    orders: int
    fills: int
    order_hash: str
    state_hash: str
    recorded: dict[str, Any] | None
    #: Each check that what the folder holds did not allow, and why.
    unchecked: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "clean": not self.violations,
            "violations": list(self.violations),
            "unchecked": list(self.unchecked),
            "entries": self.entries,
            "orders": self.orders,
            "fills": self.fills,
            "order_hash": self.order_hash,
            "state_hash": self.state_hash,
            "leaders_state_hash": None if self.recorded is None else self.recorded["state_hash"],
            "leaders_state_hash_at_entry": None if self.recorded is None else self.recorded["entries"],
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.entries:,} entries, {self.orders:,} orders, {self.fills:,} fills"
        yield f"order hash {self.order_hash}"
        yield f"state hash {self.state_hash} (the fold of every entry)"
        if self.recorded is not None:
            yield f"the leader's own after entry {self.recorded['entries']:,}: {self.recorded['state_hash']}"
        yield from (f"not checked: {left_out}" for left_out in self.unchecked)
        yield from self.violations
        if self.violations:
            yield f"{len(self.violations)} violations"
        else:
            yield "clean as far as was checked" if self.unchecked else "clean: every promise kept"


def run_audit(folder: Path, as_json: bool) -> int:
    """Print the audit of a run folder; 0 if clean, else 1. Raises ``InputError`` where the folder holds no finished run."""
    found = audit_folder(folder)
    print(json.dumps(found.as_json()) if as_json else "\n".join(found.lines()))
    return 1 if found.violations else 0


def audit_folder(folder: Path) -> Audited:
    """Audit a finished run. Raises ``InputError`` for what cannot be read, ``Conflict`` while its store is in use."""
    entries = read_finished(folder)
    reference, recorded = reference_of(folder), leaders_word(folder)
    market, book = recording(folder / "market.bin")
    universe = market.universe
    orders, reports = stored(folder / "store") if any((folder / "store").glob("*")) else (None, None)
    positions, desks = _stated(folder, universe, book)
    hours = market.session_bounds_ns
    try:
        broken = audit(Run(universe, book, entries, orders, reports, positions, reference.limits, desks, hours))
    except SENSELESS as error:
        broken = [f"record: what it holds makes no sense to the rules: {type(error).__name__}: {error}"]
    setup = ManagerSetup(
        universe, book, reference.settings.manager, reference.limits, reference.run_id, sessions_ns=hours
    )
    state, wrong, aside = fold_and_compare(setup, entries, recorded)
    return Audited(
        violations=(*broken, *wrong),
        entries=len(entries),
        orders=len(unique := {o.client_order_id: o for _, o in orders_of(entries)}),
        fills=sum(isinstance(e.event, ExecutionReport) and e.event.last_lots > 0 for e in entries),
        order_hash=order_hash(unique.values()),
        state_hash=state_hash(state),
        recorded=recorded,
        unchecked=tuple(
            _left_out(
                store=orders is not None,
                positions=positions is not None,
                desks=desks is not None or len(book.desk_names) < 2,
                word=recorded is not None,
            )
        )
        + aside,
    )


def _left_out(*, store: bool, positions: bool, desks: bool, word: bool) -> Iterator[str]:
    """What could not be checked and why, by what the folder holds."""
    if not store:
        yield "orders and reports against execution's own: nothing in store/"
    if not positions:
        yield "the positions last stated: no status.json"
    elif not desks:
        yield "the positions of each desk: status.json states none"
    if not word:
        yield f"the leader's own state: the leader left no fingerprint of it ({STATE})"


def fold_and_compare(
    setup: ManagerSetup, entries: Sequence[JournalEntry], recorded: dict[str, Any] | None
) -> tuple[ManagerState, list[str], tuple[str, ...]]:
    """The fold of every entry, and what is wrong: an entry that does not follow, sums that do not add up, another hash.

    Third: why the leader's hash, where it is another, says nothing: other code than this folded to it.
    """
    state, wrong, aside = start(setup), list[str](), tuple[str, ...]()
    at = 0 if recorded is None else int(recorded["entries"])
    for entry in entries:
        try:
            apply(state, entry)
        except HedgerowError as error:
            return state, [f"fold: {error}"], ()
        except SENSELESS as error:
            return state, [f"fold: entry {entry.sequence} makes no sense: {type(error).__name__}: {error}"], ()
        if entry.sequence == at and recorded is not None and (mine := state_hash(state)) != recorded["state_hash"]:
            if of_other_code(recorded):
                aside = (
                    f"the leader's own state: other code than this ({recorded.get('code', 'not told')}) folded to it",
                )
            else:
                wrong.append(f"state: after entry {at} the fold has {mine}, the leader had {recorded['state_hash']}")
    if at > len(entries):
        wrong.append(f"state: the leader had folded {at} entries, the record holds {len(entries)}")
    try:
        state.check()
    except HedgerowError as error:
        wrong.append(f"state: {error}")
    return state, wrong, aside


def reference_of(folder: Path) -> Reference:
    """Settings and limits a run started with. Raises ``InputError``."""
    found = _json(folder / REFERENCE)
    try:
        settings = RunConfig.model_validate(found["settings"])
        return Reference(settings, Limits.model_validate(found["limits"]), str(found["run_id"]))
    except (KeyError, ValueError) as error:
        raise InputError(
            str(folder / REFERENCE), [Problem(0, f"is not of a run: {error}")], "give a run folder as it was left"
        ) from None


def leaders_word(folder: Path) -> dict[str, Any] | None:
    """The leader's fingerprint of its state and after how many entries; None where it could not be asked."""
    if not (folder / STATE).exists():
        return None
    found = _json(folder / STATE)
    if not isinstance(found.get("entries"), int) or not isinstance(found.get("state_hash"), str):
        raise InputError(str(folder / STATE), [Problem(0, "holds no state hash")], "give a run folder as it was left")
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:  # no JSON, or no text
        raise _unreadable(path, f"cannot be read: {error}") from None
    return found


def _unreadable(path: Path, why: str) -> InputError:
    return InputError(str(path), [Problem(0, why)], "give a run folder as it was left")


def _stated(folder: Path, universe: Universe, book: Book) -> tuple[I64 | None, I64 | None]:
    """Final positions as the leader's status said them, (n,) and by desk (desks, n); None where there is no status."""
    if not (folder / "status.json").exists():
        return None, None
    path = folder / "status.json"
    view = _json(path)
    try:
        return positions_of(view, universe, book), desk_lots_of(view, universe, book)
    except SENSELESS as error:
        raise _unreadable(path, f"makes no sense: {type(error).__name__}: {error}") from None

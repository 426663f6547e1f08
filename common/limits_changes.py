"""Who changed which limit, when and why; and widening, which may need a second person.

``Limits`` is what holds; ``LimitsLog`` is how it came to hold. Every change arrives as a recorded command, so leader,
standby, replay and audit come to the same log. A tightening holds at once. Where the file says ``[approval] widening =
"second_person"`` a widening waits, under an id, until another person approves it; the wait is wall time, taken from the
recorded commands alone. A person is the name a certificate proves, whatever its holder passes on behind the slash; holders
of a role's own shared certificate are told apart by what they pass on. A change of the risk aversion counts as widening
either way: it moves every interval.
*Tested by* tests/unit/test_limits_changes.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from common.control_arguments import read_arguments
from common.control_messages import Command
from common.errors import Refused
from common.limits import Limits, split_path
from common.security.access import ON_BEHALF, ROLES
from common.units import NS_PER_S

SET, APPROVE = "limits.set", "limits.approve"
ACTIONS = (SET, APPROVE)
#: Changes and pending requests kept; older ones stand in the journal.
HISTORY_KEPT, PENDING_KEPT = 256, 32
_ID = 8
#: What is no amount: any change of it is held to be a widening.
_NO_AMOUNT = ("risk_aversion_per_usd", "approval", "division")


@dataclass(frozen=True, slots=True)
class Change:
    """One number, from what to what, by whom, when (market and wall), why; ``approved_by`` is empty where nobody had to."""

    version: int
    path: str
    old: str
    new: str
    who: str
    why: str
    now_ns: int
    wall_ns: int
    approved_by: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """A widening that waits for a second person until ``expires_wall_ns``."""

    id: str
    path: str
    value: float | int | str
    old: str
    who: str
    why: str
    now_ns: int
    wall_ns: int
    expires_wall_ns: int


@dataclass(frozen=True, slots=True)
class LimitsLog:
    """The limits that hold, what waits, and the last changes, oldest first."""

    limits: Limits
    pending: tuple[Pending, ...] = ()
    history: tuple[Change, ...] = ()

    def take(self, command: Command, now_ns: int, wall_ns: int) -> tuple[LimitsLog, str]:
        """The log after a command and what holds now, in words. Raises ``Refused``; then nothing has changed."""
        wanted = _arguments(command)
        alive = replace(self, pending=self.waiting(wall_ns))
        if command.action == APPROVE:
            return alive._approve(str(wanted["id"]), self.pending, command, now_ns, wall_ns)
        path, value = wanted["path"], wanted["value"]
        after = self.limits.with_change(path, value, command.who, command.why)
        if self.limits.approval.widening == "second_person" and is_widening(self.limits, after, path):
            return alive._wait(path, value, command, now_ns, wall_ns)
        found = alive._changed(after, path, command.who, command.why, now_ns, wall_ns, "")
        return found, f"{path} = {value}; limits version {after.version}"

    def waiting(self, wall_ns: int) -> tuple[Pending, ...]:
        """What has not expired."""
        return tuple(p for p in self.pending if p.expires_wall_ns >= wall_ns)

    def changed_since(self, waits: Pending) -> str:
        """What its limit is now, where it is not what it was when the change was asked for; else empty."""
        now = value_at(self.limits, waits.path)
        return "" if now == waits.old else now

    def _wait(self, path: str, value: Any, command: Command, now_ns: int, wall_ns: int) -> tuple[LimitsLog, str]:
        if len(self.pending) >= PENDING_KEPT:
            raise Refused(f"{PENDING_KEPT} changes wait for approval already")
        until_ns = wall_ns + int(self.limits.approval.expires_s * NS_PER_S)
        old = value_at(self.limits, path)
        new = Pending(command.command_id[:_ID], path, value, old, command.who, command.why, now_ns, wall_ns, until_ns)
        if any(p.id == new.id for p in self.pending):
            raise Refused(f"a change with the id {new.id} waits already")
        text = f"{path}: {old} -> {value} waits as {new.id} for `hedgerow limits approve {new.id}` by another person"
        return replace(self, pending=(*self.pending, new)), text

    def _approve(
        self, name: str, known: tuple[Pending, ...], command: Command, now_ns: int, wall_ns: int
    ) -> tuple[LimitsLog, str]:
        waits = next((p for p in self.pending if p.id == name), None)
        if waits is None:
            expired = any(p.id == name for p in known)
            raise Refused(f"the change {name} has expired; set it again" if expired else f"no change {name} waits")
        if person(waits.who) == person(command.who):
            raise Refused(f"{command.who} asked for {name}; a widening needs a second person")
        if now := self.changed_since(waits):
            last = self.last_change(waits.path)
            by = f"version {last.version} by {last.who}" if last else f"limits version {self.limits.version}"
            raise Refused(
                f"{waits.path} was {waits.old} when {waits.who} asked for {name} and has been changed since to {now} ({by}): "
                f"ask anew with `hedgerow limits set {waits.path} {waits.value}`"
            )
        after = self.limits.with_change(waits.path, waits.value, waits.who, waits.why)
        rest = replace(self, pending=tuple(p for p in self.pending if p.id != name))
        found = rest._changed(after, waits.path, waits.who, waits.why, now_ns, wall_ns, command.who)
        return found, f"{waits.path} = {waits.value}, approved by {command.who}; limits version {after.version}"

    def _changed(
        self, after: Limits, path: str, who: str, why: str, now_ns: int, wall_ns: int, approved_by: str
    ) -> LimitsLog:
        old, new = value_at(self.limits, path), value_at(after, path)
        change = Change(after.version, _plain(path), old, new, who, why, now_ns, wall_ns, approved_by)
        return LimitsLog(after, self.pending, (*self.history, change)[-HISTORY_KEPT:])

    def last_change(self, path: str) -> Change | None:
        """Who last changed a path, if it was changed since the start of the run."""
        return next((c for c in reversed(self.history) if c.path == _plain(path)), None)


def person(who: str) -> str:
    """Who counts as one person: "anna" in "anna/ops"; all of "risk_manager/anna", whose certificate others hold too."""
    name = who.partition(ON_BEHALF)[0]
    return who if name in ROLES else name


def is_widening(before: Limits, after: Limits, path: str) -> bool:
    """Whether a change lets more through than before: a larger amount, a limit taken away, or what is no amount."""
    if path.startswith(_NO_AMOUNT):
        return True
    old, new = _find(before, path), _find(after, path)
    if new is None:
        return old is not None
    return old is not None and bool(new > old)


def value_at(limits: Limits, path: str) -> str:
    """A limit as text; ``none`` where nobody set one (for a factor: what the limit that covers it says)."""
    found = _find(limits, path)
    return "none" if found is None else f"{found:,}" if isinstance(found, int | float) else str(found)


def _find(limits: Limits, path: str) -> Any:
    keys = split_path(path)
    if keys[0] == "factor" and len(keys) == 3:
        factor = limits.of_factor(keys[1])
        return None if factor is None else getattr(factor, keys[2], None)
    at: Any = limits
    for key in keys:
        at = at.get(key) if isinstance(at, dict) else getattr(at, key, None)
        if at is None:
            return None
    return at


def _plain(path: str) -> str:
    return ".".join(split_path(path))


def _arguments(command: Command) -> dict[str, Any]:
    """The arguments of a command on limits, each there and of its sort. Raises ``Refused``."""
    found = read_arguments(command)
    names = {"id"} if command.action == APPROVE else {"path", "value"}
    if not isinstance(found, dict) or set(found) != names:
        raise Refused(f"{command.action} takes exactly {', '.join(sorted(names))}")
    if command.action == APPROVE:
        return found
    path, value = found["path"], found["value"]
    if not isinstance(path, str) or isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Refused("limits.set needs a path (text) and a value (number)")
    return found

"""Limits as the journal's commands make them, counted apart from the manager: what is in force, what waits for a second person.

*Tested by* tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from common.control_messages import CommandTaken
from common.limits import Limits
from common.units import NS_PER_S


@dataclass(frozen=True, slots=True)
class Asked:
    """A widening that waits: by whom, of what it was then, and until when (recorded wall time)."""

    path: str
    value: float
    was: float
    who: str
    until_wall_ns: int


@dataclass(slots=True)
class LimitsCount:
    """``in_force`` after every command so far; ``waiting`` by id."""

    in_force: Limits
    waiting: dict[str, Asked] = field(default_factory=dict)
    #: What had expired by the time of some command: forgotten, though a clock that steps back may say that it waits.
    lapsed: set[str] = field(default_factory=set)

    def take(self, taken: CommandTaken, wall_ns: int) -> str | None:
        """One recorded command; what is wrong with its outcome, in words, or None."""
        command, held = taken.command, taken.acknowledgement.accepted
        said = json.loads(command.arguments_json)
        if command.action.startswith("limits."):
            self.lapsed |= {name for name, asked in self.waiting.items() if asked.until_wall_ns < wall_ns}
        if command.action == "limits.set" and held:
            self._set(command.command_id, said["path"], said["value"], command.who, wall_ns)
        elif command.action == "limits.approve":
            return self._approved(str(said["id"]), command.who, wall_ns, held=held)
        return None

    def _set(self, name: str, path: str, value: float, who: str, wall_ns: int) -> None:
        approval = self.in_force.approval
        if approval.widening == "second_person" and value > _amount(self.in_force, path):
            self.waiting[name] = Asked(
                path, value, _amount(self.in_force, path), who, wall_ns + round(approval.expires_s * NS_PER_S)
            )
        else:
            self.in_force = self.in_force.with_change(path, value, who, "count")

    def _approved(self, name: str, who: str, wall_ns: int, *, held: bool) -> str | None:
        asked = self.waiting.get(name)
        fits = asked is not None and _person(asked.who) != _person(who) and wall_ns <= asked.until_wall_ns
        # What was changed after it was asked for has to be asked for anew.
        fits = fits and asked is not None and _amount(self.in_force, asked.path) == asked.was
        if asked is None or not held:
            if not fits or name in self.lapsed:
                return _nothing(held)
            return f"{who} was refused the approval of {name}, which waits for a second person"
        del self.waiting[name]
        if not fits:
            now = _amount(self.in_force, asked.path)
            of = f"{asked.who} asked for it when {asked.path} was {asked.was} (now {now}), until {asked.until_wall_ns}"
            return f"the approval of {name} by {who} counts; {of}"
        self.in_force = self.in_force.with_change(asked.path, asked.value, asked.who, "count")
        return None

    def differs(self, limits: Limits) -> str | None:
        """Where somebody's limits are not those in force, in words, or None."""
        mine, theirs = self.in_force.model_dump(), limits.model_dump()
        wrong = [k for k in mine if k not in ("who", "why") and mine[k] != theirs[k]]
        return f"{wrong[0]} is {theirs[wrong[0]]}, in force is {mine[wrong[0]]}" if wrong else None


def _nothing(held: bool) -> str | None:
    return "an approval counts of what nobody asked for" if held else None


def _person(who: str) -> str:
    return who.partition("/")[0]


def _amount(limits: Limits, path: str) -> float:
    """A number of the limits; without bound where nobody set one."""
    at: object = limits.model_dump()
    for key in path.split("."):
        at = at.get(key) if isinstance(at, dict) else None
    return float(at) if isinstance(at, int | float) else float("inf")

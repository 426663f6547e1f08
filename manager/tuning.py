"""Agents' parameters changed live: each change is a version, recorded, told to the agents, and can be taken back.

``agents.set {"path", "value"}`` and ``agents.undo {"version"}``. A version holds every parameter that differs from the
run's settings, so the newest alone says what holds. A change that a later one has overwritten cannot be taken back: take
back that one first. A later version that was itself taken back, and the one that took it back, are not in the way.
*Tested by* tests/unit/test_manager_tuning.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from common import parameters
from common.control_messages import Command
from common.errors import Refused
from common.messages import AgentParameters, Header
from manager.events import Instruction, Publish
from manager.ledger import SOURCE
from manager.outcome import Outcome
from manager.state import ManagerState

#: Changes a run takes; beyond, they are refused.
VERSIONS_MAX = 1_000


def current(state: ManagerState) -> dict[str, float]:
    """Every parameter as it holds now."""
    told = state.fold.parameters
    return {**state.setup.parameters, **(told[-1].values if told else {})}


def set_parameter(state: ManagerState, command: Command, wanted: Mapping[str, Any], wall_ns: int) -> Outcome:
    """One parameter to a new value. Raises ``Refused``."""
    path, value = wanted["path"], wanted["value"]
    if not isinstance(path, str) or isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("agents.set needs a path (text) and a value (number)")
    return _changed(state, command, path, float(value), 0, wall_ns)


def undo(state: ManagerState, command: Command, wanted: Mapping[str, Any], wall_ns: int) -> Outcome:
    """Take one change back. Raises ``Refused`` where there is none of that version, or it has been overwritten."""
    version, told = wanted["version"], state.fold.parameters
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= len(told):
        raise Refused(f"no version {version!r} of the parameters; there are {len(told)}")
    change, taken = told[version - 1], _taken_back(told)
    if version in taken:
        raise Refused(
            f"version {taken[version]} has changed {change.changed} since: it has taken version {version} back already"
        )
    # What took back a version up to this one is a change of its own here; what took back a later one left no trace with it.
    later = [
        u.version
        for u in told[version:]
        if u.changed == change.changed and u.version not in taken and u.undoes <= version
    ]
    if later:
        raise Refused(f"version {later[-1]} has changed {change.changed} since; take that one back first")
    return _changed(state, command, change.changed, change.before, version, wall_ns)


def _taken_back(told: Sequence[AgentParameters]) -> dict[int, int]:
    """Versions that do not stand, and which one took each back; one that was taken back itself took nothing back."""
    out: dict[int, int] = {}
    for update in reversed(told):
        if update.undoes and update.version not in out:
            out[update.undoes] = update.version
    return out


def _changed(state: ManagerState, command: Command, path: str, value: float, undoes: int, wall_ns: int) -> Outcome:
    now, base = current(state), state.setup.parameters
    parameters.check({**now, path: value})
    before, version = now[path], len(state.fold.parameters) + 1
    if value == before:
        raise Refused(f"{path} is {before:g} already")
    if version > VERSIONS_MAX:
        raise Refused(f"changes of the parameters: {version}, limit {VERSIONS_MAX} a run")
    values = {name: x for name, x in {**now, path: value}.items() if x != base[name]}
    header = Header(SOURCE, version, state.now_ns, wall_ns, command.command_id)
    update = AgentParameters(header, version, values, path, before, value, undoes, command.who, command.why)
    text = f"{path} = {value:g} (was {before:g}); parameters version {version}"

    def tell() -> list[Instruction]:
        return [Publish(update)]

    return Outcome(text + (f", which takes back version {undoes}" if undoes else ""), (update,), (), tell)

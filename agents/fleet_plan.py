"""What the fleet should do next, from what it knows: pure, so that every rule is tested without Ray or NATS.

The fleet is a controller: `plan` compares the shards that should run with what the heartbeats say, and names the
steps towards it. Each step is safe to repeat; after a restart of the fleet the same rules bring it back to where it
was.
*Tested by* tests/unit/test_fleet_plan.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agents.sharding import assign
from common.factors import KINDS, agent_name, kind_of, kind_of_key
from common.units import NS_PER_MS, NS_PER_S


@dataclass(frozen=True, slots=True)
class Rules:
    """Wall times in ns. A killed actor is back in about 2 s by Ray's own means, so a hung one is one silent for longer.

    ``fresh_ns``: heard within it, an agent lives. ``hung_ns``: silent for longer, it is replaced; ``start_ns``:
    unless it is still starting. ``cover_ns``: silent for longer (two heartbeats missed), its keys go to the other
    shards of its kind; ``takeover_ns``: instead, while it has never spoken. ``return_ns``: heard and ready for as
    long, it gets its keys back; doubled for each further break within ``flap_ns``, at most ``flaps_max`` times.
    """

    fresh_ns: int = 1_000 * NS_PER_MS
    hung_ns: int = 4 * NS_PER_S
    start_ns: int = 30 * NS_PER_S
    takeover_ns: int = 10 * NS_PER_S
    cover_ns: int = 600 * NS_PER_MS
    return_ns: int = 500 * NS_PER_MS
    flap_ns: int = 60 * NS_PER_S
    flaps_max: int = 5
    max_replacements: int = 3
    max_shards: int = 16


@dataclass(frozen=True, slots=True)
class Beat:
    """Last heartbeat of an agent. ``wall_ns`` when it came here, ``now_ns`` its market time.

    ``ready``: it has what it needs to hedge a key; ``loaded``: its kernels, if nothing else yet.
    ``busy_share``, ``lag_s``: see `agents.fleet_scale.Load`.
    ``node``: where it lives; empty where nobody says. ``since_ns``: since when it has been heard without a break,
    ``breaks``: how many there were of late; both are `Known.hear`'s.
    """

    incarnation: int
    wall_ns: int
    now_ns: int
    assignment_version: int
    pid: int
    ready: bool = True
    loaded: bool = True
    busy_share: float = 0.0
    lag_s: float = 0.0
    node: str = ""
    since_ns: int = 0
    breaks: int = 0


@dataclass(frozen=True, slots=True)
class Successor:
    """Last heartbeat of an agent's loaded successor; ``wall_ns`` when it came here, ``node`` where it lives."""

    incarnation: int
    pid: int
    node: str
    wall_ns: int


@dataclass(slots=True)
class Known:
    """Everything the fleet knows; owner: `agents.fleet.Fleet`.

    ``started``: agent to wall time of its start; ``replaced``: number and wall time of replacements since its last
    heartbeat. ``keys`` is empty until the market's time is known. ``heard_ns``: last heartbeat of anybody, managers
    included; ``resumed_ns``: when one came after a silence of all, which was the bus's and says nothing of an agent.
    ``draining``: agents whose keys others are to take, because they are about to be restarted. ``ended``: agents whose
    process is known to be gone, until they are heard again. ``successors``: of the agents that have one. ``moved``: agents
    whose next incarnation is no break, for they were moved to it. ``spent``: of each agent the newest successor that is none
    any more. ``strangers``: agents that are not wanted and that a fleet before this one may have left; one that is heard is
    adopted, so that it can be ended.
    """

    desired: dict[str, int]
    keys: tuple[str, ...] = ()
    owner: Mapping[str, str] = field(default_factory=dict)
    version: int = 0
    started: dict[str, int] = field(default_factory=dict)
    replaced: dict[str, tuple[int, int]] = field(default_factory=dict)
    beats: dict[str, Beat] = field(default_factory=dict)
    heard_ns: int = 0
    resumed_ns: int = 0
    draining: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    successors: dict[str, Successor] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    spent: dict[str, int] = field(default_factory=dict)
    strangers: set[str] = field(default_factory=set)

    def hear_anybody(self, wall_ns: int, rules: Rules) -> None:
        """Somebody beats, so the bus works."""
        if wall_ns - self.heard_ns > rules.fresh_ns:
            self.resumed_ns = wall_ns
        self.heard_ns = wall_ns

    def hear(self, name: str, beat: Beat, rules: Rules | None = None) -> None:
        """Take a heartbeat in, unless it is of an older incarnation: a replaced process that is still alive.

        A silence longer than ``cover_ns``, or a new process, is a break while keys are assigned: how long it has been
        heard counts again from here.
        """
        rules, last = rules or Rules(), self.beats.get(name)
        if last is not None and beat.incarnation < last.incarnation:
            return
        since_ns, breaks = beat.wall_ns, 0
        if last is not None:
            since_ns, breaks = last.since_ns, last.breaks
            anew = beat.incarnation != last.incarnation
            if beat.wall_ns - last.wall_ns > rules.cover_ns or anew:
                forgiven = last.wall_ns - last.since_ns > rules.flap_ns
                # Before the first assignment everybody may take its time.
                counts = int(bool(self.owner) and not (anew and name in self.moved))
                since_ns, breaks = beat.wall_ns, counts if forgiven else breaks + counts
                self.moved -= {name} if anew else set()
            elif not beat.ready and breaks:
                since_ns = beat.wall_ns
        self.beats[name] = replace(beat, since_ns=since_ns, breaks=min(breaks, rules.flaps_max))
        self.replaced.pop(name, None)
        if last is None or beat.incarnation > last.incarnation:
            self.ended.discard(name)

    def hear_successor(self, name: str, heard: Successor) -> None:
        """Take a heartbeat of an agent's successor in, unless it is of one that is spent or followed by a newer one."""
        last = self.successors.get(name)
        if heard.incarnation > self.spent.get(name, 0) and (last is None or heard.incarnation >= last.incarnation):
            self.successors[name] = heard

    def spend(self, name: str) -> None:
        """The agent's successor, if it has one, is none any more: it has begun, or is ended. Its last words count for nothing."""
        if (last := self.successors.pop(name, None)) is not None:
            self.spent[name] = last.incarnation

    def end(self, name: str, pid: int) -> None:
        """The process with this pid is gone; nothing is known of a newer one by that."""
        beat = self.beats.get(name)
        if beat is not None and beat.pid == pid:
            self.ended.add(name)

    def agents(self, kind: str) -> tuple[str, ...]:
        """Agents of a kind that should run."""
        return tuple(agent_name(kind, shard) for shard in range(self.desired.get(kind, 0)))


@dataclass(frozen=True, slots=True)
class Start:
    """Start an agent that should run."""

    name: str


@dataclass(frozen=True, slots=True)
class Replace:
    """End a hung agent and have it started again."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Succeed:
    """Have the loaded successor of an agent that is no more, or hangs, begin."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Move:
    """Have a successor of an agent that owns nothing ready on another node, then end the agent."""

    name: str
    node: str


@dataclass(frozen=True, slots=True)
class Assign:
    """Ask the manager to give the keys to these owners."""

    owner: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stop:
    """End an agent that should not run and owns nothing."""

    name: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nobody answers, and replacing did not help: Ray itself, or its resources, must be the trouble."""

    why: str


Step = Start | Replace | Succeed | Move | Assign | Stop | GiveUp


def plan(known: Known, rules: Rules, wall_ns: int) -> list[Step]:
    """Steps to take now. At most one ``Assign``; no ``Stop`` of an agent that still owns a key.

    While nobody at all is heard the bus is to blame, and nobody is replaced.
    """
    wanted = [name for kind in KINDS for name in known.agents(kind)]
    heard = known.strangers & known.beats.keys()
    left = sorted(name for name in heard if wall_ns - known.beats[name].wall_ns <= rules.fresh_ns)
    steps: list[Step] = [Start(name) for name in dict.fromkeys([*wanted, *left]) if name not in known.started]
    bus_works = wall_ns - known.heard_ns <= rules.fresh_ns
    for name in wanted if bus_works else ():
        attempts, replaced_ns = known.replaced.get(name, (0, 0))
        silent_ns = _silent_ns(known, name, wall_ns)
        waited_ns = min(silent_ns, wall_ns - replaced_ns)
        succeeded = not attempts and stands_by(known, name, rules, wall_ns)
        # Ray starts one whose process has ended again by itself; only who is there and silent is hung.
        hung = _has_spoken(known, name) and not attempts and name not in known.ended
        if succeeded and name in known.ended:
            steps.append(Succeed(name, f"{name} has ended"))
        elif waited_ns > (rules.hung_ns if hung else rules.start_ns):
            why = f"{name} has been silent for {silent_ns / NS_PER_S:.1f} s"
            nobody = not any(is_fresh(known, other, rules, wall_ns) for other in wanted)
            given_up = nobody and attempts >= rules.max_replacements
            steps.append(GiveUp(why) if given_up else Succeed(name, why) if succeeded else Replace(name, why))
    owner = wanted_owners(known, rules, wall_ns)
    if owner and owner != dict(known.owner):
        steps.append(Assign(owner))
    else:
        owners = {*owner.values(), *known.owner.values()}
        steps += [Stop(name) for name in sorted(known.started) if name not in wanted and name not in owners]
    return steps


def wanted_owners(known: Known, rules: Rules, wall_ns: int) -> dict[str, str]:
    """Owner of every key, as it should be now; empty while the keys, or the first agents, are not there yet.

    The keys of a kind are dealt anew only when all its shards are there, so that none falls to an agent that cannot
    hedge it. Those who live share at once the keys of one that is silent for ``cover_ns``, or drained; nothing else
    moves. One that comes back gets its keys again after ``return_ns``; until then it keeps what it has and is given
    nothing. Where nobody else of the kind lives, keys wait for their owner.
    """
    out: dict[str, str] = {}
    for kind in KINDS:
        keys = [k for k in known.keys if kind_of_key(k) == kind]
        agents = known.agents(kind)
        if not keys or not agents:
            continue
        lost = {a for a in agents if a in known.draining or is_lost(known, a, rules, wall_ns)}
        living = tuple(a for a in agents if a not in lost and is_settled(known, a, rules, wall_ns))
        if living == agents:
            out |= assign(keys, {kind: len(agents)})
            continue
        # One that has only just come back is better than nobody.
        living = living or tuple(a for a in agents if a not in lost and _is_there(known, a, rules, wall_ns))
        # So is one that is drained and still there.
        gone = {a for a in lost if is_lost(known, a, rules, wall_ns)}
        living = living or tuple(a for a in agents if a not in gone and _is_there(known, a, rules, wall_ns))
        given = {k: known.owner[k] for k in keys if k in known.owner}
        if not given and not lost:
            if known.owner:
                continue  # a kind that is new waits for its agents, and no other for it
            return {}
        kept = {k: a for k, a in given.items() if a not in lost or not living}
        rest = [k for k in keys if k not in kept]
        out |= kept | _deal(rest, kind, living)
    return dict(sorted(out.items()))


def _deal(keys: list[str], kind: str, living: tuple[str, ...]) -> dict[str, str]:
    """Keys shared evenly among those that live, whatever their numbers; nothing if nobody lives."""
    by_rank = assign(keys, {kind: len(living)})
    return {key: living[int(rank.rpartition("-")[2])] for key, rank in by_rank.items()}


def is_fresh(known: Known, name: str, rules: Rules, wall_ns: int) -> bool:
    """True if the agent has been heard lately."""
    beat = known.beats.get(name)
    there = name in known.started and name not in known.ended
    return there and beat is not None and wall_ns - beat.wall_ns <= rules.fresh_ns


def is_lost(known: Known, name: str, rules: Rules, wall_ns: int) -> bool:
    """True if others should take its keys. While nobody at all is heard the bus is to blame, and nobody is lost."""
    if wall_ns - known.heard_ns > rules.fresh_ns and name in known.beats:
        return _silent_ns(known, name, wall_ns) > rules.takeover_ns
    if name in known.ended:
        return True
    allowed_ns = rules.cover_ns if _has_spoken(known, name) else rules.takeover_ns
    return _silent_ns(known, name, wall_ns) > allowed_ns


def stands_by(known: Known, name: str, rules: Rules, wall_ns: int) -> bool:
    """True if the agent has a successor that has loaded and has not been silent for so long that it must hang itself."""
    successor = known.successors.get(name)
    return successor is not None and wall_ns - successor.wall_ns <= rules.hung_ns


def _is_there(known: Known, name: str, rules: Rules, wall_ns: int) -> bool:
    return is_fresh(known, name, rules, wall_ns) and known.beats[name].ready


def is_settled(known: Known, name: str, rules: Rules, wall_ns: int) -> bool:
    """True if the agent is heard and may be given keys: after a break it has been ready for long enough.

    One that owns nothing yet, where others hedge its kind, has loaded: what is taken from them is hedged at once.
    """
    if not is_fresh(known, name, rules, wall_ns):
        return False
    beat = known.beats[name]
    if not beat.loaded and name not in known.owner.values() and kind_of(name) in map(kind_of, known.owner.values()):
        return False
    wait_ns = rules.return_ns << (beat.breaks - 1) if beat.breaks else 0
    return wall_ns - beat.since_ns >= wait_ns


def unsettled(known: Known, kind: str, rules: Rules, wall_ns: int) -> str:
    """What a kind still lacks; empty if its shards run, own their keys and know it, and no other runs."""
    agents = known.agents(kind)
    for name in agents:
        if not is_fresh(known, name, rules, wall_ns):
            return f"{name} does not answer yet"
        if is_lost(known, name, rules, wall_ns) or not is_settled(known, name, rules, wall_ns):
            return f"{name} has only just come back and is given nothing yet"
    if dict(known.owner) != wanted_owners(known, rules, wall_ns):
        return "the manager has not acknowledged the new assignment yet"
    for name in agents:
        if known.beats[name].assignment_version < known.version:
            return f"{name} has not adopted assignment {known.version} yet"
    leaving = sorted(n for n in known.started if kind_of(n) == kind and n not in agents)
    return f"{leaving[0]} has not ended yet" if leaving else ""


def ready(known: Known, rules: Rules, wall_ns: int) -> bool:
    """True when every desired agent runs and has adopted the assignment that holds, so that quotes may come."""
    return bool(known.owner) and not any(unsettled(known, kind, rules, wall_ns) for kind in known.desired)


def shards_in(owner: Mapping[str, str]) -> dict[str, int]:
    """Shards per kind that an assignment names: highest shard number plus one."""
    out: dict[str, int] = {}
    for name in owner.values():
        out[kind_of(name)] = max(out.get(kind_of(name), 0), int(name.rpartition("-")[2]) + 1)
    return out


def _has_spoken(known: Known, name: str) -> bool:
    beat = known.beats.get(name)
    return beat is not None and beat.wall_ns >= known.started.get(name, 0)


def _silent_ns(known: Known, name: str, wall_ns: int) -> int:
    """Since its last heartbeat, its start, or the bus's return, whichever is latest; 0 if it was never started."""
    if name not in known.started:
        return 0
    beat = known.beats.get(name)
    return wall_ns - max(known.started[name], known.resumed_ns, beat.wall_ns if beat else 0)

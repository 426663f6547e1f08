"""The trading day as a pure state machine: pre-open, open, halt, close, early close, holiday. Events in, transitions out.

| phase | when | orders | resting orders |
|---|---|---|---|
| ``CLOSED`` | between a close and the next pre-open | refused | none: day orders ended at the close |
| ``HOLIDAY`` | a Monday to Friday without a session, on the exchange's clocks | refused | none |
| ``PRE_OPEN`` | the stated minutes before an open | refused: what the opening auction pays no quote shows | none |
| ``OPEN`` | | taken | may fill |
| ``HALT`` | a halt of the calendar, a stated one, or one called by the venue | refused | stay and do not fill |

A refusal names the phase and when it ends. Refused and not held: whoever wants the order decides it anew on quotes that stand.
Cancels are taken in every phase. Every close, early or not, ends day orders and strikes the day's profit and loss; the next
day opens from that strike, so a night belongs to the day after it. A called halt ends with its session.
*Tested by* tests/unit/test_calendars_day.py, tests/properties/test_calendars_day.py.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final

import numpy as np

from common.calendars.sessions import MarketCalendar
from common.calendars.zones import instant_ns
from common.units import NS_PER_MIN

Spans = Sequence[tuple[int, int]]
_MIDNIGHT: Final = time(0, 0)


class Phase(StrEnum):
    """What a market does at an instant; the table stands in the module's text."""

    CLOSED = "closed"
    HOLIDAY = "holiday"
    PRE_OPEN = "pre-open"
    OPEN = "open"
    HALT = "halt"


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day, ``pre_open_ns`` ≤ ``open_ns`` < ``close_ns`` (UTC ns); ``halts_ns`` inside it, half-open, ascending."""

    label: str
    pre_open_ns: int
    open_ns: int
    close_ns: int
    early: bool = False
    halts_ns: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Boundary:
    """From ``at_ns`` on the market is in ``phase``; ``session`` is the one it belongs to, or the last one that closed."""

    at_ns: int
    phase: Phase
    session: Session | None


class Schedule:
    """Sessions in order. Without any the market is always open; before the first and after the last it is closed."""

    def __init__(self, sessions: Iterable[Session] = (), holidays: Spans = ()) -> None:
        """Raises ``ValueError`` where sessions overlap or one is not in order."""
        self.sessions = tuple(sessions)
        for before, after in pairwise(self.sessions):
            if after.pre_open_ns < before.close_ns:
                raise ValueError(f"session {after.label} begins before session {before.label} has closed")
        edges = [edge for session in self.sessions for edge in _edges_of(session)]
        edges += _clipped(holidays, self.sessions)
        self.boundaries = tuple(sorted(edges, key=lambda b: b.at_ns))
        self._at_ns = [b.at_ns for b in self.boundaries]
        self._opens_ns = [s.open_ns for s in self.sessions]

    def phase_at(self, at_ns: int) -> Phase:
        """The phase at an instant; a boundary belongs to what begins there."""
        if not self.sessions:
            return Phase.OPEN
        row = bisect_right(self._at_ns, at_ns) - 1
        return self.boundaries[row].phase if row >= 0 else Phase.CLOSED

    def session_at(self, at_ns: int) -> Session | None:
        """The session that holds ``[open, close)`` an instant, halts included."""
        row = bisect_right(self._opens_ns, at_ns) - 1
        return self.sessions[row] if row >= 0 and at_ns < self.sessions[row].close_ns else None

    def next_after(self, at_ns: int) -> Boundary | None:
        """The first boundary after an instant."""
        row = bisect_right(self._at_ns, at_ns)
        return self.boundaries[row] if row < len(self.boundaries) else None

    def unbroken(self, from_ns: int, to_ns: int) -> bool:
        """Whether the market was open at both instants and at every one between them."""
        if not self.sessions:
            return True
        following = self.next_after(from_ns)
        return self.phase_at(from_ns) is Phase.OPEN and (following is None or following.at_ns > to_ns)

    def refusal(self, at_ns: int) -> str:
        """Why no order is taken at an instant; empty while the market is open."""
        phase = self.phase_at(at_ns)
        if phase is Phase.OPEN:
            return ""
        said = {Phase.CLOSED: "the market is closed", Phase.HOLIDAY: "the market is closed: a holiday"}
        said |= {Phase.PRE_OPEN: "the market is not open yet: pre-open", Phase.HALT: "the market is halted"}
        opens = next((b for b in self.boundaries[bisect_right(self._at_ns, at_ns) :] if b.phase is Phase.OPEN), None)
        return f"{said[phase]}; it opens at {_text(opens.at_ns)}" if opens else f"{said[phase]} and opens no more"

    def with_halts(self, halts_ns: Spans) -> Schedule:
        """The same with more halts, each cut to the sessions it touches. Raises ``ValueError`` for one that ends too early."""
        if any(end <= start for start, end in halts_ns):
            raise ValueError("a halt ends before it starts")
        sessions = (replace(s, halts_ns=_merged([*s.halts_ns, *_inside(halts_ns, s)])) for s in self.sessions)
        return Schedule(sessions, _holidays_of(self.boundaries))


def _inside(halts_ns: Spans, s: Session) -> list[tuple[int, int]]:
    cut = [(max(a, s.open_ns), min(b, s.close_ns)) for a, b in halts_ns]
    return [(a, b) for a, b in cut if a < b]


def _merged(halts_ns: Spans) -> tuple[tuple[int, int], ...]:
    out: list[tuple[int, int]] = []
    for start, end in sorted(halts_ns):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return tuple(out)


def _edges_of(s: Session) -> list[Boundary]:
    if not s.pre_open_ns <= s.open_ns < s.close_ns:
        raise ValueError(f"session {s.label}: pre-open, open and close are not in order")
    last_ns = s.open_ns
    out = [Boundary(s.pre_open_ns, Phase.PRE_OPEN, s)] if s.pre_open_ns < s.open_ns else []
    if not (s.halts_ns and s.halts_ns[0][0] == s.open_ns):
        out.append(Boundary(s.open_ns, Phase.OPEN, s))
    for start, end in s.halts_ns:
        if not last_ns <= start < end <= s.close_ns:
            raise ValueError(f"session {s.label}: its halts are not in order inside it")
        out.append(Boundary(start, Phase.HALT, s))
        if end < s.close_ns:
            out.append(Boundary(end, Phase.OPEN, s))
        last_ns = end
    return [*out, Boundary(s.close_ns, Phase.CLOSED, s)]


def _clipped(holidays: Spans, sessions: Sequence[Session]) -> list[Boundary]:
    """Holidays inside the nights they fall into; a session that runs into the date keeps its hours."""
    closes = [s.close_ns for s in sessions]
    out: list[Boundary] = []
    for start, end in holidays:
        row = bisect_right(closes, max(start, closes[0] if closes else start)) - 1
        if row < 0 or row + 1 >= len(sessions):
            continue
        before, after = sessions[row], sessions[row + 1]
        start, end = max(start, before.close_ns), min(end, after.pre_open_ns)
        if start < end:
            out.append(Boundary(start, Phase.HOLIDAY, before))
            if end < after.pre_open_ns:
                out.append(Boundary(end, Phase.CLOSED, before))
    return out


def _holidays_of(boundaries: Sequence[Boundary]) -> list[tuple[int, int]]:
    return [(a.at_ns, b.at_ns) for a, b in pairwise(boundaries) if a.phase is Phase.HOLIDAY]


def schedule_of_bounds(sessions_ns: Spans, pre_open_ns: int = 0) -> Schedule:
    """Sessions known only by open and close, as a market source tells them; they bear their numbers from 1."""
    closes = [0, *(close for _, close in sessions_ns)]
    return Schedule(
        Session(str(k), max(opens - pre_open_ns, closes[k - 1]), opens, close)
        for k, (opens, close) in enumerate(sessions_ns, start=1)
    )


def schedule_of(calendar: MarketCalendar, first: date, last: date, pre_open_min: int = 0) -> Schedule:
    """Sessions labelled ``first`` to ``last`` with their halts, early closes, and the holidays between them."""
    days = set(calendar.sessions(first, last).tolist())
    rows = [row for row in range(len(calendar.day)) if calendar.day[row].item() in days]
    sessions: list[Session] = []
    for row in rows:
        opens, close = int(calendar.open_ns[row]), int(calendar.close_ns[row])
        earliest = sessions[-1].close_ns if sessions else 0
        pre_open = max(opens - pre_open_min * NS_PER_MIN, earliest)
        halts = _halts(calendar, opens, close)
        label, early = str(calendar.day[row]), bool(calendar.early[row])
        sessions.append(Session(label, pre_open, opens, close, early, halts))
    off: list[date] = calendar.holidays(first, last).tolist()
    one = timedelta(days=1)
    holidays = [(instant_ns(d, _MIDNIGHT, calendar.zone), instant_ns(d + one, _MIDNIGHT, calendar.zone)) for d in off]
    return Schedule(sessions, holidays)


def _halts(calendar: MarketCalendar, opens: int, close: int) -> tuple[tuple[int, int], ...]:
    inside = (calendar.span_open_ns >= opens) & (calendar.span_close_ns <= close)
    starts, ends = calendar.span_open_ns[inside].tolist(), calendar.span_close_ns[inside].tolist()
    return tuple(zip(ends[:-1], starts[1:], strict=True))


def _text(moment_ns: int) -> str:
    return f"{np.datetime64(moment_ns, 'ns').astype('datetime64[s]')}Z"


# -- the machine -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Clock:
    """Market time has come to ``now_ns``; an older time than before changes nothing."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class CallHalt:
    """The venue halts an open market for a reason of its own, until it resumes or the session closes."""

    now_ns: int
    why: str


@dataclass(frozen=True, slots=True)
class Resume:
    """The venue lifts its own halt."""

    now_ns: int


DayEvent = Clock | CallHalt | Resume


@dataclass(frozen=True, slots=True)
class Transition:
    """From one phase to another. ``closes``: day orders end and the day is struck at ``at_ns``."""

    at_ns: int
    before: Phase
    after: Phase
    session: Session | None
    text: str = ""

    @property
    def closes(self) -> bool:
        """Whether a session ended here."""
        return self.after is Phase.CLOSED and self.before in (Phase.OPEN, Phase.HALT)


@dataclass(slots=True)
class DayState:
    """Where a market stands. ``called``: why the venue has halted it, empty while it has not. Owner: whoever steps it."""

    schedule: Schedule
    now_ns: int = 0
    phase: Phase = field(init=False)
    called: str = ""

    def __post_init__(self) -> None:
        self.phase = self.schedule.phase_at(self.now_ns)


def step(state: DayState, event: DayEvent) -> tuple[DayState, list[Transition]]:
    """Take an event; every transition it causes, in order of time. The state is changed in place."""
    out = _run_to(state, event.now_ns)
    session = state.schedule.session_at(state.now_ns)
    if isinstance(event, CallHalt) and not state.called and state.phase in (Phase.OPEN, Phase.HALT):
        state.called = event.why
        out += _to(state, state.now_ns, Phase.HALT, session, event.why)
    elif isinstance(event, Resume) and state.called:
        state.called = ""
        out += _to(state, state.now_ns, state.schedule.phase_at(state.now_ns), session, "the venue resumes")
    return state, out


def _run_to(state: DayState, now_ns: int) -> list[Transition]:
    out: list[Transition] = []
    while (edge := state.schedule.next_after(state.now_ns)) is not None and edge.at_ns <= now_ns:
        state.now_ns = edge.at_ns
        if edge.phase is Phase.CLOSED:
            state.called = ""
        held = state.called and edge.phase is Phase.OPEN
        text = "an early close" if edge.phase is Phase.CLOSED and edge.session and edge.session.early else ""
        out += _to(state, edge.at_ns, Phase.HALT if held else edge.phase, edge.session, text)
    state.now_ns = max(state.now_ns, now_ns)
    return out


def _to(state: DayState, at_ns: int, after: Phase, session: Session | None, text: str) -> list[Transition]:
    before, state.phase = state.phase, after
    return [Transition(at_ns, before, after, session, text)] if before is not after else []

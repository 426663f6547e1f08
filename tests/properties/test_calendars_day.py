"""The machine walked in any steps is where the schedule says, having told every boundary once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from common.calendars.day import Clock, DayState, Phase, Schedule, Session, step

GAPS = st.lists(st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 30)] * 4), max_size=5)


def schedule_from(gaps: list) -> tuple[Schedule, list[tuple[int, int, int, tuple]]]:
    """A schedule, and beside it the plain numbers (pre-open, open, close, halts) it was made of."""
    t, plain = 0, []
    for night, before, first, pause, second, _ in gaps:
        pre = t + night
        opens = pre + before
        halt = (opens + first, opens + first + pause)
        close = halt[1] + second
        plain.append((pre, opens, close, (halt,)))
        t = close
    return Schedule(Session(str(k), *row[:3], halts_ns=row[3]) for k, row in enumerate(plain)), plain


def plainly(plain: list, t: int) -> Phase:
    if not plain:
        return Phase.OPEN
    for pre, opens, close, ((start, end),) in plain:
        if pre <= t < opens:
            return Phase.PRE_OPEN
        if opens <= t < close:
            return Phase.HALT if start <= t < end else Phase.OPEN
    return Phase.CLOSED


@given(GAPS, st.lists(st.integers(0, 40), max_size=20))
def test_the_machine_agrees_with_the_plain_definition_however_it_is_stepped(gaps: list, waits: list[int]) -> None:
    schedule, plain = schedule_from(gaps)
    state, moves, now = DayState(schedule, 0), [], 0
    first = state.phase
    for wait in waits:
        now += wait
        moves += step(state, Clock(now))[1]
        assert state.phase is schedule.phase_at(now) is plainly(plain, now)
    assert [m.at_ns for m in moves] == sorted(m.at_ns for m in moves)
    assert [m.before for m in moves] == [first, *(m.after for m in moves)][: len(moves)]
    assert sum(m.closes for m in moves) == sum(0 < close <= now for _, _, close, _ in plain)
    whole = step(DayState(schedule, 0), Clock(now))[1]
    assert moves == whole


@given(GAPS, st.integers(0, 400), st.integers(0, 400))
def test_unbroken_means_open_at_every_instant_between(gaps: list, a: int, b: int) -> None:
    schedule, plain = schedule_from(gaps)
    a, b = min(a, b), max(a, b)
    assert schedule.unbroken(a, b) == all(plainly(plain, t) is Phase.OPEN for t in range(a, b + 1))

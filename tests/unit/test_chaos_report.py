"""What a storm's report says of its times: the longest counts, overlaps count for nothing, a part that stays away misses."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from common.errors import Unavailable
from deploy.chaos import ChaosLauncher
from deploy.chaos_report import bars, judge, lines, outages, page, times
from deploy.chaos_storm import Event
from deploy.live import Launcher

KILLED = Event(1, "kill agent", "kill", "agent", "gamma-0", 7, 1.0, back_s=2.0, well_s=2.5, covered_s=0.5)


def test_the_longest_time_is_what_counts() -> None:
    slow = replace(KILLED, number=2, back_s=4.1)
    assert bars([KILLED])["agent_killed"].holds
    measured = bars([KILLED, slow])["agent_killed"]
    assert not measured.holds and measured.longest_s == 4.1 and measured.count == 2


def test_overlapping_and_skipped_strikes_count_for_no_bar() -> None:
    slow = replace(KILLED, back_s=40.0)
    measured = bars([KILLED, replace(slow, overlaps=True), replace(slow, note="skipped")])
    assert measured["agent_killed"].holds and measured["agent_killed"].count == 1


def test_what_never_came_back_and_what_was_never_struck_miss_the_bar() -> None:
    assert not bars([KILLED, replace(KILLED, back_s=None)])["agent_killed"].holds
    assert (
        not bars([])["leader"].holds and not bars([replace(KILLED, covered_s=None)])["covered"].holds
    )  # 2 s until it was back


def test_a_short_freeze_is_no_question_of_replacement() -> None:
    frozen = Event(1, "freeze agent", "freeze", "agent", "vega-0", 7, 1.0, frozen_s=2.0, back_s=2.1)
    assert bars([frozen])["agent_frozen"].count == 0
    assert bars([replace(frozen, frozen_s=6.0, back_s=8.0)])["agent_frozen"].holds


def test_outages_stand_apart_for_kills_and_freezes() -> None:
    nats = Event(1, "kill nats", "kill", "nats", "nats", 7, 1.0, back_s=0.4, well_s=1.4)
    point = Event(2, "execution after-commit", "point", "execution", "execution", 8, 9.0, back_s=1.0, well_s=1.1)
    found = outages([nats, point, replace(nats, act="freeze", kind="freeze nats", back_s=5.0)])
    assert found["nats killed"].longest_s == 0.4 and found["nats killed, run"].longest_s == 1.4
    assert found["nats frozen"].longest_s == 5.0 and found["execution killed"].longest_s == 1.0


def test_times_of_nothing_say_so() -> None:
    nothing = times("x", [])
    assert nothing.count == 0 and nothing.longest_s is None and nothing.holds


def test_the_page_shows_what_broke_and_escapes_what_it_quotes() -> None:
    from dataclasses import asdict

    found = {
        "seed": 3, "minutes": 2.0, "strikes": 1, "orders": 5, "fills": 4, "doubled_orders": 0,
        "broken": ["order <b> was lost"], "kinds_not_struck": ["freeze nats"],
        "bars": {n: {**asdict(t), "holds": t.holds} for n, t in bars([KILLED]).items()},
        "outages": {n: asdict(t) for n, t in outages([KILLED]).items()},
        "events": [KILLED.as_json()],
    }  # fmt: skip
    shown = page(found)
    assert "order &lt;b&gt; was lost" in shown and "<b> was" not in shown and "gamma-0" in shown
    assert "http" not in shown
    told = lines(found)
    assert any("BROKEN" in line for line in told) and any("not struck in this time" in line for line in told)


def test_a_part_that_was_given_up_is_a_broken_promise_and_the_storm_is_told_all_the_same(tmp_path: Path) -> None:
    """A run by hand ends with an error there; a storm goes on to its report, which had been lost with it."""
    for launcher, told in ((Launcher, False), (ChaosLauncher, True)):
        one = object.__new__(launcher)
        one.given_up, one.folder = "feed", cast(Any, tmp_path)
        with nullcontext() if told else pytest.raises(Unavailable, match="feed could not be kept running"):
            one._tell_given_up()
    outcome = {"never_back": [], "restarts": [{"name": "feed", "code": 1, "fate": "given up"}], "status": {}}
    _, broken = judge(cast(Any, None), cast(Any, tmp_path), outcome)
    assert broken[0] == "given up: feed" and broken[1].startswith("no evidence")

"""It can fail: every planted mistake is caught within the stated number of seeds, and is gone afterwards."""

from __future__ import annotations

import pytest

from deploy.simulate import seeds_to_catch
from lab.simulator.mistakes import PLANTED, WITHIN, planted
from lab.simulator.run import simulate

#: Where to begin for those that take longest from 0 on (`hedgerow bench simulator.mistakes` says how long); it only saves time.
NEAR = {
    "approved over a change": 57,
    "approval without end": 29,
    "silence unnoticed": 25,
    "fill dropped": 22,
    "left alone": 22,
    "never alone": 22,
    "hedge asked twice": 21,
    "combo sent again": 20,
    "entities forgotten": 16,
    "fills not compared": 15,
    "dedupe off": 12,
    "import counted twice": 12,
    "positions not compared": 10,
    "never asks": 9,
    "legs one by one": 9,
    "leg left out": 9,
    "leg stored late": 9,
    "uneven goes on": 9,
    "another desk's limit": 8,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_planted_mistake_is_caught(name: str) -> None:
    taken = seeds_to_catch(name, WITHIN, NEAR.get(name, 0))
    assert taken is not None, f"{name}: not caught by {WITHIN} seeds"


def test_a_caught_mistake_tells_its_seed_and_its_story_and_is_gone_afterwards() -> None:
    with planted("send before commit"):
        found = simulate(0)
    assert found.failure.startswith("promise 2") and "before it is stored" in found.failure
    text = found.text()
    assert text.startswith("seed 0: promise 2")
    assert "VIOLATION" in text.splitlines()[-1] and " execution " in text and " journal " in text
    assert not simulate(0).failure


def test_the_mistakes_stand_outside_the_code_under_test() -> None:
    assert len(PLANTED) >= 10
    assert {m.promise for m in PLANTED.values()} == {1, 2, 3, 4, 5, 6, 7, 8}
    with pytest.raises(KeyError), planted("no such mistake"):
        pass

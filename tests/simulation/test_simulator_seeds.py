"""Seeds in which every promise must hold, and the situations of the seeds that found something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from unittest import mock

import pytest

from common import subjects
from common.units import NS_PER_MS, NS_PER_S
from deploy.simulate import outcomes
from execution.events import NewOrder, Record
from lab.simulator import world
from lab.simulator.market import MAX_LOTS, limits_of
from lab.simulator.nats import Noise, void
from lab.simulator.people import Wish
from lab.simulator.plan import Fault, Plan, plan_of
from lab.simulator.run import Simulation, simulate
from lab.simulator.settle import imported
from lab.simulator.world import START_NS
from manager.orders import command_of

SEEDS = 300


@pytest.mark.slow
def test_every_promise_holds_in_every_seed() -> None:
    orders = takeovers = many = 0
    for found in outcomes(range(SEEDS), jobs=2):
        assert not found.failure, found.text()
        orders, takeovers, many = orders + found.orders, takeovers + found.takeovers, many + (found.faults >= 5)
    assert orders > 10 * SEEDS and takeovers > SEEDS and many >= SEEDS // 10


def quiet(*faults: Fault, wishes: tuple[Wish, ...] = ()) -> Plan:
    """A plan with these faults and nothing else."""
    return replace(plan_of(0), faults=faults, wishes=wishes, noise=Noise())


def test_a_manager_that_missed_a_batch_asks_for_what_stands() -> None:
    """Found as seed 1: after one lost batch a manager traded no more on that underlying until it was started anew."""
    gap = Fault(4 * NS_PER_S, "quotes lost", "feed.AAA", NS_PER_S, "manager-a")
    other = replace(gap, word="manager-b")
    runs: list[Simulation] = []
    found = simulate(1, quiet(gap, other), runs.append)
    assert not found.failure, found.text()
    sources = [s for m in runs[0].managers.services.values() for s in m.state.market.sources.values()]
    assert any(s.gaps for s in sources) and not any(s.gapped for s in sources)


def test_a_deposed_leader_gives_no_word_and_leaves_no_higher_number() -> None:
    """Found as seed 113: a leader that another had deposed acknowledged limits it could not record, and published
    budgets of an epoch its successor never reached, so that every proposal after it was refused."""

    def meddle(run: Simulation) -> None:
        def depose() -> None:
            run.nats.store(subjects.JOURNAL_EPOCH, b"somebody", {})
            for orders in range(90_000, 90_008):
                run.people.want(Wish(0, "limits.set", {"path": "flow.orders", "value": orders}))

        run.world.at(START_NS + 5 * NS_PER_S, depose)

    found = simulate(1, quiet(), meddle)
    assert not found.failure, found.text()
    assert found.takeovers >= 3


def test_what_a_deposed_leader_stored_late_is_not_what_a_new_agent_believes() -> None:
    """Found as seed 377: positions that an old leader had sent into a stalled connection were stored after its
    successor's; agents that lived kept the newer ones, one that was started anew read the older."""

    def meddle(run: Simulation) -> None:
        first: list[bytes] = []

        def remember(_stream: str, subject: str, data: bytes, _sequence: int) -> None:
            if subject == subjects.POSITIONS and not first:
                first.append(data)

        run.nats.on_stored.append(remember)
        late = START_NS + 10 * NS_PER_S
        run.world.at(late, lambda: void(run.nats.store(subjects.POSITIONS, first[0], {})))
        run.world.at(late, lambda: run.world.processes["gamma-0"].kill("is killed"))

    found = simulate(1, quiet(), meddle)
    assert not found.failure, found.text()


def test_a_leader_that_lost_its_lease_ends_whatever_it_was_waiting_for() -> None:
    """Found as seed 79: a leader woke up deposed and was to end; one of its jobs got an answer in the moment of its
    cancel, which Python 3.11 then forgets, and went on for ever: the process never stood by again. A loop that is slow
    to turn makes that moment long."""
    freeze = Fault(4 * NS_PER_S, "freeze", "leader", 2 * NS_PER_S)
    with mock.patch.object(world, "_TURN_NS", 3 * NS_PER_MS // 2):
        found = simulate(1, quiet(freeze))
    assert not found.failure, found.text()
    assert found.takeovers == 2


def test_a_hedge_asked_for_again_after_a_crash_is_one_order() -> None:
    """Found by hedges among people's wishes: the order had left, its leader died before the record of it, and the person
    who had no answer asked the next leader under the same id: a second order."""
    wanted = {"side": "BUY", "lots": 3, "instrument": "AAA-FUT", "limit": None, "desk": ""}
    runs: list[Simulation] = []

    def meddle(run: Simulation) -> None:
        runs.append(run)

        def lose_the_record() -> None:
            leader = run.world.processes[run.managers.leaders()[0].holder]
            leader.arm("store entry", 0, after=False, instead=lambda: None)

        def committed(records: Sequence[Record]) -> None:
            if any(isinstance(r, NewOrder) and command_of(r.record.order) for r in records):
                run.world.processes[run.managers.leaders()[0].holder].kill("is killed")

        run.world.at(START_NS + 5 * NS_PER_S - 1, lose_the_record)
        run.execution.store.on_commit.append(committed)

    found = simulate(1, quiet(wishes=(Wish(5 * NS_PER_S, "hedge", wanted),)), meddle)
    assert not found.failure, found.text()
    assert found.takeovers == 2
    assert sum(bool(command_of(order)) for order in runs[0].watch.sent.values()) == 1


def test_what_people_steer_with_holds_and_comes_to_rest() -> None:
    """Stops of a part, a trade told twice and corrected, a parameter: in one run, with a takeover in the middle."""

    def at(seconds: float, action: str, **arguments: object) -> Wish:
        return Wish(round(seconds * NS_PER_S), action, arguments)

    def row(name: str, lots: int, corrects: str = "") -> list[object]:
        return [1, name, "clients", "AAA-FUT", lots, 25.0, START_NS, corrects, ""]

    def trades(row: list[object]) -> dict[str, object]:
        return {"file": "f", "dry_run": False, "trades": [row]}

    wishes = (
        at(2.5, "kill", scope="underlying:AAA"),
        at(3.0, "resume", scope="underlying:AAA"),
        at(3.5, "pause", scope="agent:vega-0"),
        at(4.0, "book.import", **trades(row("t1", 7))),
        at(6.5, "book.import", **trades(row("t1", 7))),
        at(7.0, "book.import", **trades(row("t2", -4, "t1"))),
        at(7.5, "agents.set", path="trigger.price_move_bp", value=4.0),
    )
    runs: list[Simulation] = []
    found = simulate(1, quiet(Fault(5 * NS_PER_S, "crash", "leader", NS_PER_S), wishes=wishes), runs.append)
    assert not found.failure, found.text()
    assert int(imported(runs[0]).sum()) == -4 and found.takeovers == 2
    assert not runs[0].people.stopped - {"agent:vega-0"}


def test_a_run_without_an_order_is_a_failure() -> None:
    plan = quiet()
    plan = replace(plan, setting=replace(plan.setting, limits=limits_of(0, 1e12, MAX_LOTS)))
    assert "no order was sent" in simulate(1, plan).failure

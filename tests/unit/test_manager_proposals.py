"""Every reason for refusing a proposal, and that a refused one changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common import factors
from common.messages import Header
from common.units import NS_PER_S
from manager import events as ev
from manager.config import ManagerConfig
from manager.proposals import ProposalRefusal as R
from tests.manager_world import NOW_NS, Desk, delta_desk

DELTA, GAMMA = factors.delta("SPX"), factors.gamma("SPX")
NAN = np.array([np.nan])


def refused(desk: Desk, **changes: object) -> str:
    before = desk.state.fold.table.exposure.copy()
    honest = desk.proposal("gamma-0", {DELTA: 3e6}, 3e5, menu=[0])
    out = desk.send(ev.ProposalArrived(0, replace(honest, **changes)))
    assert isinstance(out[0], ev.Record)
    refusal: str = out[0].entry.event.refusal
    if refusal:
        np.testing.assert_array_equal(desk.state.fold.table.exposure, before)
        assert desk.state.fold.refused_proposals == {refusal: 1}
    return refusal


def test_an_honest_proposal_is_taken() -> None:
    assert refused(delta_desk()) == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exposure": NAN}, R.MALFORMED),
        ({"sensitivity": np.array([[np.inf]])}, R.MALFORMED),
        ({"alone_lots": NAN}, R.MALFORMED),
        ({"lower": np.array([2.0]), "upper": np.array([1.0])}, R.MALFORMED),
        ({"lower": NAN}, R.MALFORMED),
        ({"lower": np.array([np.inf]), "upper": np.array([np.inf])}, R.MALFORMED),
        ({"exposure": np.zeros(2)}, R.MALFORMED),
        ({"sensitivity": np.zeros((1, 2))}, R.MALFORMED),
        (
            {"menu": np.array([0, 0], np.uint32), "sensitivity": np.zeros((1, 2)), "alone_lots": np.zeros(2)},
            R.MALFORMED,
        ),
        ({"factor": ()}, R.MALFORMED),
        ({"reported": ("vanna",)}, R.MALFORMED),
        ({"factor": ("delta:ABC",)}, R.UNKNOWN_FACTOR),
        ({"menu": np.array([999], np.uint32)}, R.UNKNOWN_INSTRUMENT),
        ({"book_id": "other"}, R.WRONG_BOOK),
        ({"kind": "vega"}, R.NOT_OWNER),
        ({"factor": (factors.delta("NDX"),)}, R.NOT_OWNER),
        ({"factor": (factors.COMMON,)}, R.NOT_OWNER),
        ({"assignment_version": 0}, R.OLD_ASSIGNMENT),
        ({"expires_ns": NOW_NS}, R.EXPIRED),
        ({"header": Header("gamma-0", 9, NOW_NS - 1_000 * NS_PER_S)}, R.EXPIRED),
        ({"budget_epoch": 99}, R.BUDGET_EPOCH),
        ({"position_version": 7}, R.NOT_REBASABLE),
    ],
)
def test_refusal(changes: dict[str, object], reason: R) -> None:
    desk = delta_desk()
    assert refused(desk, **changes) == reason.value
    assert desk.decide() == []


def test_budget_epoch_may_be_one_behind() -> None:
    desk = delta_desk()
    desk.take_over(2)
    desk.take_over(3)
    epoch = desk.state.fold.budgets.budget_epoch
    assert refused(desk, budget_epoch=epoch - 1) == ""
    assert refused(desk, budget_epoch=epoch - 2) == R.BUDGET_EPOCH.value


def test_older_incarnation_or_sequence_is_refused_newer_incarnation_restarts_the_sequence() -> None:
    desk = delta_desk()
    assert refused(desk, incarnation=2) == ""
    late = desk.propose("gamma-0", {DELTA: 9e6}, 3e5, menu=[0], incarnation=1)
    again = desk.propose("gamma-0", {DELTA: 9e6}, 3e5, menu=[0], incarnation=2, header=Header("gamma-0", 1, NOW_NS))
    anew = desk.propose("gamma-0", {DELTA: 9e6}, 3e5, menu=[0], incarnation=3, header=Header("gamma-0", 1, NOW_NS))
    reasons = [out[0].entry.event.refusal for out in (late, again, anew)]
    assert reasons == [R.OLD_INCARNATION.value, R.OLD_SEQUENCE.value, ""]


def traded(desk: Desk, instrument: int = 0) -> None:
    """One order on an instrument, filled."""
    desk.propose("gamma-0", {DELTA: 3e6}, 3e5, menu=[instrument])
    (order,) = desk.decide()
    desk.fill(order)


def test_re_base_too_old_or_too_uncertain_is_refused() -> None:
    desk = delta_desk(config=ManagerConfig(rebase_age_s=10.0))
    traded(desk)
    old = Header("gamma-0", 50, desk.now_ns)
    desk.feed(11.0)
    assert refused(desk, position_version=0, header=old) == R.REBASE_TOO_OLD.value
    desk = delta_desk(config=ManagerConfig(sensitivity_error=2.0))
    traded(desk)
    assert refused(desk, position_version=0) == R.REBASE_ERROR.value


def test_instrument_outside_the_menu_keeps_its_last_known_sensitivity_or_cannot_be_re_based() -> None:
    desk = delta_desk()
    option = 2
    traded(desk)
    menu = np.array([option], np.uint32)
    assert refused(desk, position_version=0, menu=menu, sensitivity=np.ones((1, 1))) == ""
    desk = delta_desk()
    traded(desk)
    gamma_too = desk.proposal("gamma-0", {DELTA: 0.0, GAMMA: 0.0}, 3e5, menu=[option], position_version=0)
    assert desk.send(ev.ProposalArrived(0, gamma_too))[0].entry.event.refusal == ""
    unknown = Desk()
    unknown.propose("gamma-0", {DELTA: 3e6}, 3e5, menu=[0])
    (order,) = unknown.decide()
    unknown.fill(order)
    common = unknown.proposal("cross_asset-0", {factors.COMMON: 0.0}, 1e5, menu=[1], position_version=0)
    out = unknown.send(ev.ProposalArrived(0, common))
    assert out[0].entry.event.refusal == R.NOT_REBASABLE.value

"""Who may change a limit: tightening at once, widening by two people; every change has who, when and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.control_messages import Command
from common.errors import Refused
from common.limits import Limits, load_limits
from common.limits_changes import LimitsLog, is_widening
from common.units import NS_PER_S

EXAMPLE = Path(__file__).parents[2] / "examples" / "limits.toml"


def limits(**approval: object) -> Limits:
    data = load_limits(EXAMPLE).model_dump()
    data["approval"] = {"widening": "second_person", "expires_s": 60.0, **approval}
    return Limits.model_validate(data)


def command(action: str, who: str, command_id: str = "c0ffee1234", **arguments: object) -> Command:
    return Command(command_id, action, who, "a reason", json.dumps(arguments))


def set_(path: str, value: object, who: str = "anna", command_id: str = "c0ffee1234") -> Command:
    return command("limits.set", who, command_id, path=path, value=value)


def test_a_tightening_holds_at_once_with_who_when_and_why() -> None:
    log, text = LimitsLog(limits()).take(set_("flow.cost_usd", 500_000), 7, 9)
    assert log.limits.flow.cost_usd == 500_000 and log.limits.version == 2 and not log.pending
    (change,) = log.history
    assert (change.who, change.why, change.now_ns, change.wall_ns) == ("anna", "a reason", 7, 9)
    assert (change.path, change.old, change.new) == ("flow.cost_usd", "1,000,000.0", "500,000.0")
    assert "version 2" in text and log.last_change("flow.cost_usd") is change


def test_a_widening_waits_for_another_login() -> None:
    before = LimitsLog(limits())
    waits, text = before.take(set_("flow.cost_usd", 2_000_000), 7, 9)
    assert waits.limits == before.limits and not waits.history
    (pending,) = waits.pending
    assert pending.id in text and pending.expires_wall_ns == 9 + 60 * NS_PER_S
    with pytest.raises(Refused, match="second person"):
        waits.take(command("limits.approve", "anna", id=pending.id), 8, 10)
    done, text = waits.take(command("limits.approve", "ben", id=pending.id), 8, 10)
    assert done.limits.flow.cost_usd == 2_000_000 and not done.pending
    assert done.history[-1].approved_by == "ben" and done.history[-1].who == "anna" and "ben" in text


@pytest.mark.parametrize(
    ("asked", "approves", "same"),
    [
        ("anna/ops", "anna/ops", True),
        ("anna/ops", "anna/ben", True),  # the certificate is anna's, whatever she calls herself
        ("anna", "anna/ben", True),
        ("anna/ops", "ben/ops", False),  # two certificates on one login
        ("risk_manager/anna", "risk_manager/anna", True),
        ("risk_manager/anna", "risk_manager/ben", False),  # a role's own certificate is shared
        ("anna/ops", "annabel/ops", False),
    ],
)
def test_a_person_is_who_the_certificate_names(asked: str, approves: str, same: bool) -> None:
    waits, _ = LimitsLog(limits()).take(set_("flow.cost_usd", 2_000_000, asked), 1, 1)
    approval = command("limits.approve", approves, id=waits.pending[0].id)
    if same:
        with pytest.raises(Refused, match="second person"):
            waits.take(approval, 2, 2)
    else:
        assert waits.take(approval, 2, 2)[0].history[-1].approved_by == approves


def test_an_expired_or_unknown_change_cannot_be_approved() -> None:
    waits, _ = LimitsLog(limits()).take(set_("flow.cost_usd", 2_000_000), 7, 0)
    name = waits.pending[0].id
    with pytest.raises(Refused, match="expired"):
        waits.take(command("limits.approve", "ben", id=name), 8, 60 * NS_PER_S + 1)
    with pytest.raises(Refused, match="no change"):
        waits.take(command("limits.approve", "ben", id="nothing"), 8, 1)


def test_an_approved_change_is_checked_again_against_what_holds_then() -> None:
    waits, _ = LimitsLog(limits()).take(set_("flow_by_kind.cross_asset.cost_usd", 900_000), 1, 1)
    tighter, _ = waits.take(set_("flow.cost_usd", 500_000, command_id="deadbeef00"), 2, 2)
    with pytest.raises(Refused, match="contradicts the firm"):
        tighter.take(command("limits.approve", "ben", id=waits.pending[0].id), 3, 3)


def test_a_widening_is_not_approved_over_a_later_tightening() -> None:
    """Asked 900,000 -> 1,000,000, then tightened to 850,000: the second person looked at another limit."""
    start, _ = LimitsLog(limits()).take(set_("flow.cost_usd", 900_000), 1, 1)
    waits, _ = start.take(set_("flow.cost_usd", 1_000_000, command_id="wider000"), 2, 2)
    tighter, _ = waits.take(set_("flow.cost_usd", 850_000, "carl", "tighter0"), 3, 3)
    with pytest.raises(
        Refused, match=r"has been changed since to 850,000\.0 \(version 3 by carl\): ask anew"
    ) as refused:
        tighter.take(command("limits.approve", "ben", id="wider000"), 4, 4)
    assert "flow.cost_usd was 900,000.0 when anna asked" in str(refused.value)
    other, _ = waits.take(set_("flow.orders", 10, "carl", "other000"), 3, 3)
    assert other.take(command("limits.approve", "ben", id="wider000"), 4, 4)[0].limits.flow.cost_usd == 1_000_000


def test_where_nobody_asks_for_it_one_person_widens() -> None:
    log, _ = LimitsLog(limits(widening="none")).take(set_("flow.cost_usd", 2_000_000), 1, 1)
    assert log.limits.flow.cost_usd == 2_000_000


@pytest.mark.parametrize(
    ("path", "value", "wider"),
    [
        ("flow.cost_usd", 1_000_001, True),
        ("flow.cost_usd", 999_999, False),
        ("factor.delta:SPX.hard_usd", 150_000_000, False),
        ("factor.delta:SPX.hard_usd", 149_000_000, False),
        ("factor.delta:*.hard_usd", 151_000_000, True),
        ("flow_by_kind.gamma.cost_usd", 100_000, False),
        ("flow_by_kind.cross_asset.cost_usd", "none", True),
        ("approval.widening", "none", True),
        ("approval.expires_s", 10, True),
        ("risk_aversion_per_usd", 1e-5, True),
        ("division.rule", "equal", True),
        ("margin.worst_loss_usd", 1e6, False),
        ("drawdown.stop_usd", 4_000_000, False),
        ("order_by_underlying.SPX.max_lots_future", 10, False),
    ],
)
def test_what_counts_as_widening(path: str, value: object, wider: bool) -> None:
    before = limits()
    after = before.with_change(path, value, "anna", "why")
    assert is_widening(before, after, path) is wider


@pytest.mark.parametrize("arguments", ['{"path": 1, "value": 2}', '{"path": "flow.cost_usd"}', "[]", "no", '{"id": 3}'])
def test_arguments_that_make_no_sense_are_refused(arguments: str) -> None:
    with pytest.raises(Refused, match=r"limits\.set"):
        LimitsLog(limits()).take(Command("c", "limits.set", "anna", "why", arguments), 1, 1)


def test_history_and_waiting_changes_are_bounded() -> None:
    log = LimitsLog(limits(widening="none"))
    for k in range(300):
        log, _ = log.take(set_("flow.orders", 50_000 - k), k, k)
    assert len(log.history) == 256 and log.history[-1].version == 301
    waits = LimitsLog(limits())
    for k in range(32):
        waits, _ = waits.take(set_("flow.cost_usd", 2_000_000 + k, command_id=f"{k:08d}"), 1, 1)
    with pytest.raises(Refused, match="wait for approval already"):
        waits.take(set_("flow.cost_usd", 3_000_000, command_id="00000099"), 1, 1)

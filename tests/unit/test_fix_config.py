from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from common.errors import InputError
from deploy.config import load
from execution.venues.fix.config import FixConfig, credentials

GIVEN = {"port": 9876, "sender_comp_id": "DESK", "target_comp_id": "VENUE"}


@pytest.mark.parametrize(
    "changes",
    [
        {"port": 0},
        {"heartbeat_s": 4},
        {"heartbeat_s": 31},
        {"sender_comp_id": ""},
        {"sender_comp_id": "A\x0135=D"},
        {"target_comp_id": "A=B"},
        {"account": "x\x01"},
        {"session_start": "8:00"},
        {"password": "x"},
    ],
)
def test_what_would_break_a_session_is_refused(changes: dict) -> None:
    assert FixConfig.model_validate(GIVEN).heartbeat_s == 10
    with pytest.raises(ValidationError):
        FixConfig.model_validate(GIVEN | changes)


def test_secrets_come_from_the_environment() -> None:
    env = {"HEDGEROW_FIX_USERNAME": "desk", "HEDGEROW_FIX_PASSWORD": "word"}
    assert credentials(env) == ("desk", "word") and credentials({}) == ("", "")


def test_a_fix_venue_needs_its_session(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[execution]\nvenue = "fix"\n')
    with pytest.raises(InputError, match=r"needs \[execution\.fix\]"):
        load(path, {}, {})
    path.write_text(
        '[execution]\nvenue = "fix"\n[execution.fix]\nport = 9876\nsender_comp_id = "DESK"\ntarget_comp_id = "VENUE"\n'
    )
    found = load(path, {}, {}).execution.fix
    assert found == FixConfig.model_validate(GIVEN)

"""Settings that contradict each other are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from common.errors import UsageError
from common.limits import FactorLimit
from manager.config import ManagerConfig
from manager.step import start
from tests.manager_world import Desk, limits


@pytest.mark.parametrize(
    "settings",
    [
        {"netting": "best"},
        {"menu_max": 0},
        {"rebase_age_s": 9_999.0},
        {"unknown": 1},
        {"quote_share": 0.0},
        {"kink_multiple": 1.0},
    ],
)
def test_nonsense_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ManagerConfig.model_validate(settings)


def test_limits_for_an_underlying_that_does_not_exist_are_refused() -> None:
    from dataclasses import replace

    setup = Desk().setup
    wrong = limits(factor={"delta:ABC": FactorLimit(soft_usd=1.0, hard_usd=2.0)})
    with pytest.raises(UsageError, match="ABC"):
        start(replace(setup, limits=wrong))

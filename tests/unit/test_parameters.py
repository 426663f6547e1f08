"""The live parameters are those of the agents' settings, with bounds that the settings allow."""

from __future__ import annotations

import pytest

from agents.config import AgentsConfig, with_values
from common.errors import Refused
from common.parameters import DEFAULTS, PATHS, check, values_of


def test_every_parameter_is_a_setting_and_its_default_the_settings() -> None:
    assert values_of(AgentsConfig().model_dump()) == DEFAULTS and tuple(DEFAULTS) == PATHS


@pytest.mark.parametrize("path", PATHS)
def test_a_change_reaches_the_settings_and_nothing_else(path: str) -> None:
    changed = with_values(AgentsConfig(), {path: 1.75})
    assert values_of(changed.model_dump()) == {**DEFAULTS, path: 1.75}
    assert with_values(changed, {path: DEFAULTS[path]}) == AgentsConfig()


def test_other_settings_and_nonsense_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be changed"):
        with_values(AgentsConfig(), {"max_source_age_s": 1.0})
    for wrong in ({"shards": 2.0}, {"holding_days": float("nan")}, {"holding_days": float("inf")}):
        with pytest.raises(Refused):
            check({**DEFAULTS, **wrong})
    check(DEFAULTS)

"""Settings refuse what makes no sense, and say where."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agents.config import AgentsConfig


def test_defaults_survive_a_round_trip():
    config = AgentsConfig()
    assert AgentsConfig.model_validate_json(config.model_dump_json()) == config
    assert config.shards == {"gamma": 2, "vega": 1, "cross_asset": 1}
    assert not config.gamma.delta_only


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        ({"shards": {"theta": 1}}, "unknown agent kind 'theta'"),
        ({"shards": {"gamma": -1}}, "not between 0 and 64"),
        ({"holding_days": 0}, "holding_days"),
        ({"trigger": {"time_s": -5}}, "time_s"),
        ({"vega": {"vol_of_vol": 1}}, "vol_of_vol"),
        ({"menu": {"widest_spread_share_of_mid": 0}}, "widest_spread_share_of_mid"),
        ({"gamma": {"rehedge_days": "soon"}}, "rehedge_days"),
    ],
)
def test_nonsense_is_refused(bad, where):
    with pytest.raises(ValidationError, match=where):
        AgentsConfig.model_validate(bad)


def test_it_cannot_be_changed_afterwards():
    with pytest.raises(ValidationError):
        AgentsConfig().holding_days = 3.0

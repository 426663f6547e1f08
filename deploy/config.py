"""The settings of a run, as one tree: what people write (TOML), flags and environment on top, defaults below.

Precedence: flags > environment ``HEDGEROW_SECTION__KEY`` > file > defaults. Unknown keys are refused with file and line.
The resolved tree travels to every process as JSON under ``subjects.CONFIG``; there is no other copy.
*Tested by* tests/unit/test_deploy_config.py.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.config import AgentsConfig
from common.errors import InputError, Problem
from common.market.config import MarketConfig
from execution.config import PaperConfig
from manager.config import ManagerConfig

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
ENV_PREFIX = "HEDGEROW_"
#: Environment names that are settings of a process, not of the run.
PROCESS_ENV = ("HEDGEROW_NATS_URL", "HEDGEROW_EXECUTION_ADDRESS", "HEDGEROW_RAY_ADDRESS", "HEDGEROW_DATA")


class LiveConfig(BaseModel):
    """How a live run is paced and where its parts are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    speed: float | None = Field(
        default=None, gt=0, description="Market seconds per wall second; none takes the market's own."
    )
    wall_seconds: float = Field(
        default=90.0, gt=0, description="With no speed given: how long the whole market should take."
    )
    duration_s: float | None = Field(
        default=None, gt=0, description="Wall seconds after which the run ends; none: at its end."
    )
    managers: int = Field(default=2, ge=1, le=5, description="Manager processes; the first to get the lease leads.")
    nats_url: str | None = Field(default=None, description="An external NATS; none embeds one.")
    ray_address: str | None = Field(default=None, description="An external Ray; none embeds one.")


class RunConfig(BaseModel):
    """Everything that decides what a run does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    market: MarketConfig = MarketConfig()
    book: Path | None = Field(default=None, description="Opening book; none takes the market's example.")
    limits: Path = Field(default=EXAMPLES / "limits.toml", description="Risk managers' limits.")
    agents: AgentsConfig = AgentsConfig()
    manager: ManagerConfig = ManagerConfig()
    execution_limits: Path = Field(default=EXAMPLES / "execution_limits.toml", description="Limits of the last checks.")
    paper: PaperConfig = PaperConfig()
    live: LiveConfig = LiveConfig()


def load(path: Path | None, flags: Mapping[str, Any], env: Mapping[str, str] = os.environ) -> RunConfig:
    """Resolve the settings. ``flags``: dotted key to value, None meaning not given.

    Raises ``InputError`` naming the file (or "command line and environment") and the key.
    """
    tree: dict[str, Any] = _read(path) if path else {}
    for name, text in env.items():
        if name.startswith(ENV_PREFIX) and "__" in name and name not in PROCESS_ENV:
            _put(tree, name.removeprefix(ENV_PREFIX).lower().replace("__", "."), _value(text))
    for key, value in flags.items():
        if value is not None:
            _put(tree, key, value)
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        problems = [Problem(0, f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}") for e in error.errors()]
        raise InputError(str(path or "settings"), problems, "see `hedgerow config schema` for every key") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise InputError(str(path), [Problem(0, error.strerror or "unreadable")], "give a readable file") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(str(path), [Problem(0, str(error))], "mend the TOML") from error


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for key in parents:
        tree = tree.setdefault(key, {})
    tree[last] = value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text

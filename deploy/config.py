"""The settings of a run, as one tree: what people write (TOML), flags and environment on top, defaults below.

Precedence: flags > environment ``HEDGEROW_SECTION__KEY`` > file > defaults. What makes no sense is refused and named where
it was given: the flag, the variable, or the file with its line. Variables without a double underscore are no settings.
The resolved tree travels to every process as JSON under ``subjects.CONFIG``; there is no other copy.
*Tested by* tests/unit/test_deploy_config.py, tests/unit/test_cli.py, tests/contract/test_compose.py.
"""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agents.config import AgentsConfig
from common.bus.delivery import without_password
from common.cost_model import load_cost_model
from common.errors import InputError, Problem, UsageError
from common.market.config import MarketConfig
from common.toml_lines import Loc, line_of, line_of_error, lines_of
from execution.config import PaperConfig
from execution.venues.fix.config import FixConfig
from manager.config import SNAPSHOT_EVERY, ManagerConfig

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
ENV_PREFIX = "HEDGEROW_"
REMEDY = "`hedgerow config schema` lists every setting"
#: Faster than any market can be computed; beyond it times would no longer be numbers.
SPEED_MAX = 1e6
#: The flag of each setting that has one.
FLAGS = {
    "market.name": "--market",
    "market.data": "--data",
    "market.demo.seed": "--seed",
    "book": "--book",
    "desks": "--desks",
    "limits": "--limits",
    "live.speed": "--speed",
    "live.duration_s": "--duration-s",
    "live.nats_url": "--nats",
    "live.ray_address": "--ray",
    "manager.netting": "--no-hedge",
    "execution.venue": "--venue",
}


class LiveConfig(BaseModel):
    """How a live run is paced and where its parts are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    speed: float | None = Field(
        default=None, gt=0, le=SPEED_MAX, description="Market seconds per wall second; none takes the market's own."
    )
    wall_seconds: float = Field(
        default=90.0, gt=0, description="With no speed given: how long the whole market should take."
    )
    duration_s: float | None = Field(
        default=None, gt=0, description="Wall seconds after which the run ends; none: at its end."
    )
    managers: int = Field(default=2, ge=1, le=5, description="Manager processes; the first to get the lease leads.")
    nats_url: str | None = Field(default=None, description="An external NATS; none embeds one.")
    keys: bool = Field(
        default=True,
        description="Make keys for this run: NATS nkeys, and mutual TLS with execution. false: open on loopback.",
    )
    ray_address: str | None = Field(default=None, description="An external Ray; none embeds one.")
    ray_nodes: int = Field(
        default=0, ge=0, le=8, description="Ray nodes started here, one of which may die; 0 embeds Ray in the fleet."
    )

    @field_validator("nats_url")
    @classmethod
    def _no_password(cls, url: str | None) -> str | None:
        if url is not None and without_password(url) != url:
            raise ValueError(
                "holds a user or password, and settings are shown and stored: name a folder in HEDGEROW_KEYS"
            )
        return url

    @model_validator(mode="after")
    def _one_ray(self) -> Self:
        if self.ray_nodes and self.ray_address is not None:
            raise ValueError("ray_nodes starts a Ray of its own: leave out ray_address")
        return self


class ExecutionSettings(BaseModel):
    """Which venue execution sends to. The first two are paper: the same rules, settings in ``paper``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    venue: Literal["paper", "paper-process", "fix"] = Field(
        default="paper",
        description="paper lives inside execution; paper-process is a process with a file of its own; fix is a FIX 4.4 venue.",
    )
    fix: FixConfig | None = Field(default=None, description="The session with the FIX venue.")
    cancel_alone_s: float = Field(
        default=10.0,
        ge=0.0,
        description="Wall seconds without a leading manager after which execution cancels what works; 0: never.",
    )

    @model_validator(mode="after")
    def _fix_is_told(self) -> Self:
        if self.venue == "fix" and self.fix is None:
            raise ValueError("venue = 'fix' needs [execution.fix]: port, sender_comp_id, target_comp_id")
        return self


class RecordConfig(BaseModel):
    """How long the journal stays on the server, and where a new leader begins to read it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    snapshot_every: int = Field(
        default=SNAPSHOT_EVERY,
        ge=1,
        description="Journal entries between two snapshots; a new leader reads at most about these.",
    )
    keep_entries: int = Field(
        default=100_000, ge=0, description="Entries before the newest snapshot that stay on the server in any case."
    )
    segment_entries: int = Field(
        default=50_000, ge=1, description="Entries in one file journal-NNNN.bin; written, then taken off the server."
    )


class RunConfig(BaseModel):
    """Everything that decides what a run does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    market: MarketConfig = MarketConfig()
    book: Path | None = Field(default=None, description="Opening book; none takes the market's example.")
    desks: Path | None = Field(
        default=None, description="Which accounts make which desk; none: one desk, the whole book."
    )
    limits: Path = Field(default=EXAMPLES / "limits.toml", description="Risk managers' limits.")
    agents: AgentsConfig = AgentsConfig()
    manager: ManagerConfig = ManagerConfig()
    execution_limits: Path = Field(default=EXAMPLES / "execution_limits.toml", description="Limits of the last checks.")
    execution: ExecutionSettings = ExecutionSettings()
    paper: PaperConfig = PaperConfig()
    live: LiveConfig = LiveConfig()
    record: RecordConfig = RecordConfig()


def load(path: Path | None, flags: Mapping[str, Any], env: Mapping[str, str] = os.environ) -> RunConfig:
    """Resolve the settings. ``flags``: dotted key to value, None meaning not given.

    Raises ``UsageError`` for what a flag or an environment variable says, else ``InputError`` with the file's lines.
    """
    text = _read(path) if path else ""
    tree = _parse(path, text) if path else {}
    given: dict[Loc, str] = {}
    for name, value in sorted(env.items()):
        if name.startswith(ENV_PREFIX) and "__" in name:
            key: Loc = tuple(name.removeprefix(ENV_PREFIX).lower().split("__"))
            if _put(tree, key, _value(value)):
                given[key] = f"{name}={_shown(value)}"
    for dotted, value in flags.items():
        if value is not None:
            key = tuple(dotted.split("."))
            if _put(tree, key, value):
                given[key] = f"{FLAGS.get(dotted, dotted)} {_shown(str(value))}"
    _with_cost_model(tree)
    problems = [(loc, "is not a finite number") for loc in _not_finite(tree)]
    config: RunConfig | None = None
    try:
        config = RunConfig.model_validate(tree)
    except ValidationError as error:
        known = {loc for loc, _ in problems}
        found = [(tuple(map(str, e["loc"])), _reason(e["type"], e["msg"])) for e in error.errors()]
        problems += [(loc, reason) for loc, reason in found if loc not in known]
    if config is None or problems:
        raise _refusal(path, text, given, problems)
    return config


def _with_cost_model(tree: dict[str, Any]) -> None:
    """Put what the file of ``manager.cost_model`` holds in place of its name, so that the tree is all there is."""
    manager = tree.get("manager")
    if isinstance(manager, dict) and isinstance(name := manager.get("cost_model"), str):
        manager["cost_model"] = load_cost_model(Path(name)).model_dump(mode="json")


def _refusal(
    path: Path | None, text: str, given: dict[Loc, str], problems: list[tuple[Loc, str]]
) -> UsageError | InputError:
    said = [(_origin(given, loc), loc, reason) for loc, reason in problems]
    outside = [f"{origin}: {'.'.join(loc)} {reason}" for origin, loc, reason in said if origin]
    if outside or path is None:
        return UsageError("; ".join(outside) + f"\nnothing was loaded; {REMEDY}")
    lines = lines_of(text)
    found = [Problem(line_of(lines, loc), f"{'.'.join(loc)} {reason}") for loc, reason in problems]
    return InputError(str(path), sorted(found, key=lambda p: p.line), REMEDY)


def _origin(given: dict[Loc, str], loc: Loc) -> str:
    """What outside the file said it; a check of a whole section goes to the last word given inside that section."""
    for key in reversed(given):
        shorter = min(len(key), len(loc))
        if key[:shorter] == loc[:shorter]:
            return given[key]
    return ""


def _reason(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "is no setting"
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return text.replace("valid dictionary or instance of ", "table with the keys of ")


def _not_finite(at: object, loc: Loc = ()) -> Iterator[Loc]:
    if isinstance(at, dict):
        for key, value in at.items():
            yield from _not_finite(value, (*loc, key))
    elif isinstance(at, float) and not math.isfinite(at):
        yield loc


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), [Problem(0, "not UTF-8 text")], "give a TOML file") from error
    except OSError as error:
        raise InputError(str(path), [Problem(0, error.strerror or "unreadable")], "give a readable file") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = Problem(line_of_error(error), f"not TOML: {error}")
        raise InputError(str(path), [problem], f"mend the line; {REMEDY}") from error


def _put(tree: dict[str, Any], key: Loc, value: Any) -> bool:
    """Set a key; False where a plain value stands in place of a section: it stays, for the check to refuse."""
    for part in key[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            return False
    tree[key[-1]] = value
    return True


def _shown(value: str) -> str:
    """A value as an error may show it: without a password, where it is an address."""
    return without_password(value) if "://" in value else value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text

"""What people write to reach a FIX venue (``execution.fix``). Secrets come from the environment and are never in a file or a log.

*Tested by* tests/unit/test_fix_config.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

#: Environment variables of the logon's Username (553) and Password (554).
USERNAME_ENV: Final = "HEDGEROW_FIX_USERNAME"
PASSWORD_ENV: Final = "HEDGEROW_FIX_PASSWORD"


class FixConfig(BaseModel):
    """The session with a FIX 4.4 venue. Times are wall time; times of day are UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", min_length=1, description="Where the venue listens.")
    port: int = Field(ge=1, le=65535, description="The venue's port.")
    sender_comp_id: str = Field(
        min_length=1, pattern=r"^[!-<>-~]+$", description="Our CompID, as agreed with the venue."
    )
    target_comp_id: str = Field(min_length=1, pattern=r"^[!-<>-~]+$", description="The venue's CompID.")
    account: str = Field(default="", pattern=r"^[ -~]*$", description="Account (1) on orders; empty sends none.")
    heartbeat_s: int = Field(default=10, ge=5, le=30, description="HeartBtInt (108).")
    reconnect_s: int = Field(default=1, ge=1, le=60, description="Pause before the next attempt to connect.")
    restart_s: float = Field(
        default=15.0, gt=0, description="Without a logon for so long, the engine is begun anew on the same files."
    )
    answer_timeout_s: float = Field(
        default=3.0, gt=0, description="An order not answered by then is uncertain and the venue is asked."
    )
    session_start: str = Field(
        default="00:00:00", pattern=r"^\d\d:\d\d:\d\d$", description="Start of the session day, UTC."
    )
    session_end: str = Field(
        default="00:00:00", pattern=r"^\d\d:\d\d:\d\d$", description="Its end; equal to the start: it never ends."
    )
    combos: bool = Field(
        default=False, description="Whether the venue takes several orders as one (NewOrderMultileg, AB)."
    )
    mass_status: bool = Field(
        default=True, description="Ask for all orders (AF) after a logon, so that one we do not know is found."
    )
    status_per_s: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Orders asked about in a second at most when the books are reconciled.",
    )
    average_decimals: int = Field(
        default=4, ge=0, le=12, description="Decimals to which the venue's AvgPx (6) is exact."
    )
    cancels_on_disconnect: bool = Field(
        default=False, description="Whether the venue cancels our orders when the line breaks; stated, not relied on."
    )


def credentials(env: Mapping[str, str]) -> tuple[str, str]:
    """Username and password of the logon; empty where the venue wants none."""
    return env.get(USERNAME_ENV, ""), env.get(PASSWORD_ENV, "")

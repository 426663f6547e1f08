"""What people write to run execution.

*Tested by* tests/unit/test_execution_limits.py, tests/integration/test_execution_service.py.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from execution.limits import ExecutionLimits


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PaperConfig(_Frozen):
    """The paper venue; times are market time. Rules: execution/venues/paper.py and the files beside it.

    Latency: base plus a share of the jitter fixed by seed and order id. ``queue_trade_percent``: of what disappears at the best
    price, how much was traded and not cancelled. ``refill_half_life_ms`` 0: taken lots are back when the side is quoted
    anew. ``combos``: whether it takes several orders as one. ``calendar`` names a market of common/calendars whose hours,
    halts and holidays hold; empty: the sessions of the data. ``halts_ns``: (start, end) of halts on top of those.
    """

    latency_ms: float = Field(default=50.0, ge=0.0)
    jitter_ms: float = Field(default=10.0, ge=0.0)
    seed: int = 0
    reject_share: float = Field(default=0.0, ge=0.0, le=1.0)
    queue_trade_percent: int = Field(default=25, ge=0, le=100)
    refill_half_life_ms: float = Field(default=0.0, ge=0.0)
    impact_ticks_per_100_lots: float = Field(default=0.0, ge=0.0)
    combos: bool = True
    calendar: str = ""
    pre_open_min: int = Field(default=0, ge=0, le=1440)
    halts_ns: tuple[tuple[int, int], ...] = ()


class ExecutionConfig(_Frozen):
    """The service. Times in seconds are wall time unless they say market time.

    ``address`` host:port, port 0 takes a free one; ``store`` a folder, made if missing; ``speed`` market seconds a wall
    second (timers of the venue); ``sessions_ns`` (open, close) in market time, empty means always open. ``keys`` the folder of
    execution's keys (`common.security.keys`), None leaves the port open on loopback; ``health_address`` a second port that
    answers for health alone, empty opens none; ``audit`` the folder of the audit file, None puts it into the store's.
    ``reconcile_tolerance_s``: what differs from the venue in two looks this far apart is a break. Longer than an order takes to
    the venue and its answer back. ``cancel_alone_s``: after so long without a manager what works is cancelled, 0 never.
    """

    address: str = "127.0.0.1:0"
    keys: Path | None = None
    health_address: str = ""
    audit: Path | None = None
    store: Path
    limits: ExecutionLimits
    paper: PaperConfig = PaperConfig()
    speed: float = Field(default=1.0, gt=0.0)
    sessions_ns: tuple[tuple[int, int], ...] = ()
    group_bound: int = Field(default=512, ge=1)
    queue_bound: int = Field(default=4096, ge=1)
    quotes_bound: int = Field(default=4096, ge=1)
    reports_bound: int = Field(default=8192, ge=1)
    cancel_alone_s: float = Field(default=10.0, ge=0.0)
    resolve_every_s: float = Field(default=1.0, gt=0.0)
    reconcile_every_s: float = Field(default=60.0, gt=0.0)
    reconcile_tolerance_s: float = Field(default=5.0, gt=0.0)
    snapshot_timeout_s: float = Field(default=1.0, gt=0.0)
    grace_s: float = Field(default=1.0, ge=0.0)

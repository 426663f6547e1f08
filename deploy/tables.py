"""Small tables for the terminal, from status (``manager/status.py``). *Tested by* tests/unit/test_deploy_tables.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NONE = "-"


def rows(header: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    """Left-aligned columns, as wide as their widest cell."""
    table = [header, *lines]
    widths = [max(len(line[i]) for line in table) for i in range(len(header))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in table)


def limits_table(view: Mapping[str, Any]) -> str:
    """Who set the limits and why; each factor's exposure, soft and hard limit; each flow budget's use, reserve and limit."""
    limits = view["limits"]
    head = f"limits version {limits['version']} by {limits['who']}: {limits['why']}"
    aversion = f"risk aversion {limits['risk_aversion_per_usd']:g} per USD"
    factors = [
        (f["factor"], number(f["exposure"]), number(f["soft"]), number(f["hard"]), f["unit"]) for f in view["factors"]
    ]
    flows = [
        (b["scope"], b["budget"], number(b["used"]), number(b["reserved"]), number(b["limit"])) for b in view["flows"]
    ]
    return "\n\n".join(
        [
            f"{head}\n{aversion}",
            rows(("factor", "exposure", "soft", "hard", "unit"), factors),
            rows(("scope", "budget of the day", "used", "reserved", "limit"), flows),
        ]
    )


def number(value: float | None) -> str:
    """Whole units with thousands separators; a dash where there is none."""
    return NONE if value is None else f"{value:,.0f}"

"""Small tables for the terminal, from status. *Tested by* tests/unit/test_deploy_tables.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def rows(header: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    """Left-aligned columns, as wide as their widest cell."""
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in [header, *lines]
    )


def limits_table(view: Mapping[str, Any]) -> str:
    """Limits and budgets: limit, used, reserved; first who set them, when and why."""
    limits = view["limits"]
    head = f"limits version {limits['version']} by {limits['who']}: {limits['why']}"
    factors = [
        (name, f"{f.get('exposure') or 0.0:,.0f}", f"{f['soft_usd']:,.0f}", f"{f['hard_usd']:,.0f}", str(f["unit"]))
        for name, f in sorted(limits["factors"].items())
    ]
    budgets = [
        (str(b["name"]), f"{b['used']:,}", f"{b['reserved']:,}", f"{b['limit']:,}", str(b["unit"]))
        for b in view.get("budgets", ())
    ]
    return "\n\n".join(
        [
            head,
            rows(("factor", "exposure", "soft", "hard", "unit"), factors),
            rows(("budget", "used", "reserved", "limit", "unit"), budgets),
        ]
    )

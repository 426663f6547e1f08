"""Figures of real storms: ``hedgerow chaos`` of two and of ten minutes, promises and times from its ``chaos.json``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import ROOT, hedgerow
from benchmarks.registry import Context, Row, bench

SEED: Final = 20
#: Beyond the storm: kernels to compile, Ray's nodes to start, the audit.
SPARE_S: Final = 900.0
STRIKES_WANTED: Final = 60
_TIMES: Final = {
    "covered": "1 or less",
    "agent_killed": "4 or less",
    "agent_frozen": "9 or less",
    "ray_node": "6 or less",
    "leader": "3 or less",
}


def storm(folder: Path, minutes: float, seed: int = SEED) -> tuple[int, dict[str, Any], str]:
    """Run one; its exit code, ``chaos.json`` (empty if there is none) and what it printed."""
    argv = [*hedgerow("chaos"), "--minutes", f"{minutes:g}", "--seed", str(seed), "--out", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=minutes * 60.0 + SPARE_S)
    path = folder / "chaos.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    return done.returncode, found, done.stdout + done.stderr


def rows(name: str, minutes: float, code: int, found: dict[str, Any], said: str, wanted: int) -> Iterable[Row]:
    """Promises first, then each time with its bar, then the outages as statements."""
    strikes, orders = found.get("strikes", 0), found.get("orders", 0)
    what = f"{minutes:g} minutes, {strikes} kills and freezes, {orders} orders: "
    broken = found.get("broken", [said[-300:]])
    kept = code == 0 and not broken
    first = f"; first: {broken[0]}" if broken else ""
    yield Row(f"chaos.{name}", f"{what}promises broken{first}", len(broken), "promises", "0", kept, samples=strikes)
    yield Row(f"chaos.{name}.strikes", f"{what}strikes", strikes, "", f"{wanted} or more", strikes >= wanted)
    doubled = found.get("doubled_orders", "no report")
    yield Row(f"chaos.{name}.doubled", f"{what}orders at the venue twice", doubled, "orders", "0", doubled == 0)
    for key, bar in _TIMES.items():
        t = found.get("bars", {}).get(key, {"what": key, "longest_s": None, "count": 0, "holds": False})
        longest = "not struck" if not t["count"] else t["longest_s"] if t["longest_s"] is not None else "not every time"
        yield Row(f"chaos.{name}.{key}", t["what"], longest, "s", bar, bool(t["holds"]), samples=max(t["count"], 1))
    for key in ("nats killed", "nats frozen", "execution killed", "execution frozen", "venue killed", "venue frozen"):
        t = found.get("outages", {}).get(f"{key}, run", {"longest_s": None, "median_s": None, "count": 0})
        middle = f"; median {t['median_s']}" if t["count"] else ""
        value = t["longest_s"] if t["longest_s"] is not None else "not struck" if not t["count"] else "not every time"
        ident = f"chaos.{name}.{key.replace(' ', '_')}"
        what = f"{key}: longest until the whole run is well again (a freeze lasts 1 to 8 s){middle}"
        yield Row(ident, what, value, "s", "", True, samples=max(t["count"], 1))


def _ids(name: str) -> tuple[str, ...]:
    outages = (f"{part}_{how}" for part in ("nats", "execution", "venue") for how in ("killed", "frozen"))
    return (f"chaos.{name}", *(f"chaos.{name}.{key}" for key in ("strikes", "doubled", *_TIMES, *outages)))


@bench(*_ids("short"), what="`hedgerow chaos` of two minutes, audited from the venue's own file", minutes=5)
def short(context: Context) -> Iterable[Row]:
    """Two minutes: every kind of kill, most of the freezes."""
    return list(rows("short", 2.0, *storm(context.scratch / "chaos-short", 2.0), wanted=10))


@bench(*_ids("ten_minutes"), what="`hedgerow chaos` of ten minutes, audited from the venue's own file", minutes=14)
def ten_minutes(context: Context) -> Iterable[Row]:
    """Ten minutes and at least sixty strikes."""
    return list(rows("ten_minutes", 10.0, *storm(context.scratch / "chaos-long", 10.0), wanted=STRIKES_WANTED))

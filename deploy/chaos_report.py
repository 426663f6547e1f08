"""After a storm: the audit, the bars, ``chaos.json`` and a page to read.

In: the run folder as it was left and what the storm noted. The promises are judged from the venue's own file against store,
journal and stated positions (``lab/audit_venue.py``), and from the journal itself (``lab/audit.py``).
*Tested by* tests/unit/test_chaos_report.py, tests/e2e/test_chaos.py.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from rich.console import Console

from common.errors import HedgerowError
from deploy.chaos_plan import HUNG_S, kinds
from deploy.chaos_storm import Event
from deploy.finish import positions_of, read_journal, stored
from deploy.run_folder import RunFolder
from deploy.setup import Prepared
from execution.venues.venue_file import FILE_NAME
from lab.audit import Run, audit
from lab.audit_venue import Evidence, VenueBook, audit_venue, read_venue_book

COVERED_S: Final = 1.0
BARS_S: Final = {"agent_killed": 4.0, "agent_frozen": 9.0, "ray_node": 6.0, "leader": 3.0}


@dataclass(frozen=True)
class Times:
    """Seconds of the strikes of one sort that stood alone: how many, the median, the longest; ``bar_s`` None without one."""

    what: str
    count: int
    median_s: float | None
    longest_s: float | None
    bar_s: float | None

    @property
    def holds(self) -> bool:
        """Within the bar every time, and at least once."""
        return self.bar_s is None or (self.longest_s is not None and self.longest_s <= self.bar_s)


def times(what: str, seconds: Sequence[float | None], bar_s: float | None = None) -> Times:
    """Of what was measured; a strike that never came back counts as missing the bar."""
    known = sorted(s for s in seconds if s is not None)
    missed = len(known) < len(seconds)
    longest = None if missed or not known else round(known[-1], 2)
    return Times(what, len(seconds), round(median(known), 2) if known else None, longest, bar_s)


def uncovered_s(event: Event) -> float | None:
    """Seconds for which nobody hedged a struck agent's keys: until others own them, or it is back itself."""
    return event.back_s if event.covered_s is None else event.covered_s


def bars(events: Sequence[Event]) -> dict[str, Times]:
    """The bars on how fast each part is back, from strikes that did not overlap others."""
    alone = [e for e in events if not e.overlaps and e.note != "skipped"]

    def of(kind: str, when: Callable[[Event], bool] = lambda _: True) -> list[Event]:
        return [e for e in alone if e.kind == kind and when(e)]

    killed = of("kill agent")
    frozen = of("freeze agent", lambda e: e.frozen_s > HUNG_S)
    leaders = of("kill leader")
    nodes = of("kill ray-node")
    return {
        "covered": times("killed agent's risk covered", [uncovered_s(e) for e in killed], COVERED_S),
        "agent_killed": times(
            "killed agent hedges or awaits its keys", [e.back_s for e in killed], BARS_S["agent_killed"]
        ),
        "agent_frozen": times(
            "frozen agent hedges or awaits its keys", [e.back_s for e in frozen], BARS_S["agent_frozen"]
        ),
        "ray_node": times(
            "killed Ray node's agents hedge or await keys", [e.back_s for e in nodes], BARS_S["ray_node"]
        ),
        "leader": times("killed leader, another leads", [e.back_s for e in leaders], BARS_S["leader"]),
    }


def outages(events: Sequence[Event]) -> dict[str, Times]:
    """How long NATS, execution and the venue were away, and the whole run with them, apart for kills and freezes."""
    alone = [e for e in events if not e.overlaps and e.note != "skipped"]
    out: dict[str, Times] = {}
    for target in ("nats", "execution", "venue"):
        for act, struck in (("killed", ("kill", "point")), ("frozen", ("freeze",))):
            chosen = [e for e in alone if e.target == target and e.act in struck]
            out[f"{target} {act}"] = times(f"{target} {act}: it answers again", [e.back_s for e in chosen])
            out[f"{target} {act}, run"] = times(f"{target} {act}: all is well again", [e.well_s for e in chosen])
    return out


def report(prepared: Prepared, folder: RunFolder, outcome: dict[str, Any], console: Console) -> int:
    """Audit, write and print; 0 if every promise held, 130 if the storm was interrupted, else 1."""
    venue, broken = judge(prepared, folder, outcome)
    events: list[Event] = outcome.pop("events")
    measured, away = bars(events), outages(events)
    struck = {e.kind for e in events if e.note != "skipped"}
    known = {(point and f"{target} {point}") or f"{act} {target}" for act, target, point in kinds()}
    found = {
        **outcome,
        "strikes": sum(e.note != "skipped" for e in events),
        "orders": len(venue.order),
        "fills": len(venue.fills),
        "doubled_orders": len(venue.repeated),
        "broken": broken,
        "bars": {name: {**asdict(t), "holds": t.holds} for name, t in measured.items()},
        "outages": {name: asdict(t) for name, t in away.items()},
        "kinds_not_struck": sorted(known - struck),
        "events": [e.as_json() for e in events],
    }
    (folder / "chaos.json").write_text(json.dumps(found, indent=2) + "\n")
    (folder / "chaos.html").write_text(page(found), encoding="utf-8")
    for line in lines(found):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"report: {folder / 'chaos.html'}", highlight=False, soft_wrap=True)
    return 1 if broken else 130 if outcome["interrupted"] else 0


def judge(prepared: Prepared, folder: RunFolder, outcome: dict[str, Any]) -> tuple[VenueBook, list[str]]:
    """The venue's book and every broken promise in words."""
    broken = [f"not back by itself: {text}" for text in outcome["never_back"]]
    broken += [f"given up: {r['name']}" for r in outcome["restarts"] if r["fate"] == "given up"]
    book = VenueBook()
    try:
        book = read_venue_book(folder / "venue" / FILE_NAME)
        entries, (orders, reports) = read_journal(folder / "journal.bin"), stored(folder / "store")
    except (HedgerowError, OSError) as error:
        return book, [*broken, f"no evidence: {error}"]
    status = outcome["status"]
    positions = positions_of(status, prepared.source.universe, prepared.book) if status else None
    if positions is None:
        broken.append("no status at the end: the positions stated are not known")
    universe, opening, limits = prepared.source.universe, prepared.book, prepared.limits
    seen = Evidence(book, universe, opening, orders, reports, entries, positions, prepared.execution_limits, limits)
    broken += [f"venue: {text}" for text in audit_venue(seen)]
    hours = prepared.source.session_bounds_ns
    run = Run(universe, opening, entries, orders, reports, positions, limits, sessions_ns=hours)
    broken += [f"record: {text}" for text in audit(run)]
    if not book.fills:
        broken.append("nothing was filled: a storm without trades proves nothing")
    return book, broken


def lines(found: dict[str, Any]) -> list[str]:
    """The result in a few lines for people."""
    out = [
        f"{found['strikes']} strikes, {found['orders']} orders at the venue, {found['fills']} fills, "
        f"{found['doubled_orders']} doubled, {len(found['broken'])} promises broken"
    ]
    out += [f"  BROKEN {text}" for text in found["broken"]]
    for t in found["bars"].values():
        verdict = "not measured" if not t["count"] else "holds" if t["holds"] else "MISSED"
        out.append(f"  {t['what']:<40} {_said(t)}, bar {t['bar_s']:g} s: {verdict}")
    out += [f"  {t['what']:<40} {_said(t)}" for t in found["outages"].values() if t["count"]]
    if found["kinds_not_struck"]:
        out.append(f"  not struck in this time: {', '.join(found['kinds_not_struck'])}")
    return out


def _said(t: dict[str, Any]) -> str:
    if not t["count"]:
        return "not struck"
    longest = "not every time" if t["longest_s"] is None else f"longest {t['longest_s']:.2f} s"
    middle = "never" if t["median_s"] is None else f"median {t['median_s']:.2f} s"
    return f"{t['count']} times, {middle}, {longest}"


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c2733}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .7rem;border-bottom:1px solid #d8dee4;"
    "text-align:left}td.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#b42318;font-weight:600}"
    ".good{color:#1a7f37;font-weight:600}"
)


def page(found: dict[str, Any]) -> str:
    """The same for a browser, in one file."""
    verdict = "every promise held" if not found["broken"] else f"{len(found['broken'])} promises broken"
    style = "bad" if found["broken"] else "good"
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Chaos</title><style>{_STYLE}</style>",
        f"<h1>Chaos, seed {found['seed']}, {found['minutes']:g} minutes</h1><p class='{style}'>{verdict}</p>",
        f"<p>{found['strikes']} strikes; {found['orders']} orders reached the venue, {found['doubled_orders']} twice; "
        f"{found['fills']} fills.</p>",
        "".join(f"<p class='bad'>{html.escape(text)}</p>" for text in found["broken"]),
        "<h2>How fast each part is back</h2>",
        _table(("what", "times", "median s", "longest s", "bar s", ""), [_bar_row(t) for t in found["bars"].values()]),
        "<h2>Outages</h2>",
        _table(("what", "times", "median s", "longest s", "", ""), [_bar_row(t) for t in found["outages"].values()]),
        "<h2>Every strike</h2>",
        _table(
            ("at s", "kind", "who", "pid", "frozen s", "back s", "all well s", "covered s", "note"),
            [_event_row(e) for e in found["events"]],
        ),
        "</html>",
    ]
    return "\n".join(parts)


def _bar_row(t: dict[str, Any]) -> list[object]:
    verdict = "" if t["bar_s"] is None else "holds" if t["holds"] else "missed"
    return [t["what"], t["count"], t["median_s"], t["longest_s"], t["bar_s"], verdict]


def _event_row(e: dict[str, Any]) -> list[object]:
    note = ", ".join(
        w for w, on in (("overlaps", e["overlaps"]), ("replaced", e["replaced"]), (e["note"], e["note"])) if on
    )
    return [e["at_s"], e["kind"], e["name"], e["pid"], e["frozen_s"], e["back_s"], e["well_s"], e["covered_s"], note]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def cell(value: object) -> str:
        if isinstance(value, float | int):
            return f"<td class='n'>{value:.2f}</td>" if isinstance(value, float) else f"<td class='n'>{value}</td>"
        return f"<td>{html.escape('' if value is None else str(value))}</td>"

    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{html.escape(h)}</th>' for h in head)}</tr>{body}</table>"

"""Small tables for the terminal, from status (``manager/status.py``). *Tested by* tests/unit/test_deploy_tables.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from common.units import NS_PER_S

NONE = "-"


def rows(header: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    """Left-aligned columns, as wide as their widest cell."""
    table = [header, *lines]
    widths = [max(len(line[i]) for line in table) for i in range(len(header))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in table)


def limits_table(view: Mapping[str, Any]) -> str:
    """Every limit by scope: used, reserved, soft, limit, and who set it when and why; then what waits for a second person."""
    limits, log = view["limits"], view["limits_log"]
    head = f"limits version {limits['version']} by {limits['who']}: {limits['why']}"
    aversion = f"risk aversion {limits['risk_aversion_per_usd']:g} per USD"
    lines, last = [], ""
    for row in log["tree"]:
        amounts = (number(row[key]) for key in ("used", "reserved", "soft", "limit"))
        scope = "" if row["scope"] == last else row["scope"]
        lines.append((scope, row["what"], *amounts, row["unit"], *_whose(row)))
        last = row["scope"]
    tree = rows(("scope", "what", "used", "reserved", "soft", "limit", "unit", "who", "when", "why"), lines)
    return "\n\n".join(["\n".join([head, aversion, *stopped_lines(view)]), tree, *_pending(log)])


def _whose(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Who set a limit, when and why; of one that the division of the budgets made narrower, what people had set."""
    by = row["who"] + (f" + {row['approved_by']}" if row["approved_by"] else "")
    if not row["divided"]:
        return by, moment(row["now_ns"]), row["why"]
    of = "what stands above" if row["divided_of"] is None else f"{number(row['divided_of'])} by {by}"
    return "division", moment(row["now_ns"]), f"of {of}: {row['why']}"


def pnl_table(view: Mapping[str, Any]) -> str:
    """Today's P&L of each desk against the last strike, and the day that was struck; USD."""
    pnl = view["pnl"]
    if pnl["since"] is None:
        return "P&L: no day has been opened yet"
    last, whole = pnl["since"], {"desk": "all", "today_usd": pnl["today_usd"], "struck_usd": pnl["struck_usd"]}
    since = f"the close of {_date(last['day'])}" if last["day"] else "the first quotes"
    late = f"; of {', '.join(last['late'])} at later quotes" if last["late"] else ""
    lines = pnl["desks"] if len(pnl["desks"]) > 1 else []
    cells = [(row["desk"], number(row["today_usd"]), number(row["struck_usd"])) for row in (*lines, whole)]
    head = f"P&L of {_date(pnl['trading_day'])} since {since}{late}"
    return "\n".join([head, rows(("desk", "today USD", "day before USD"), cells)])


def believed_lines(view: Mapping[str, Any]) -> list[str]:
    """What the manager has learnt from execution's refusals: its limits are the tighter ones there."""
    lines = []
    for row in view["believed"]:
        most = "what shrinks a position" if row["lots"] is None else f"{row['lots']} lots an order"
        lines.append(f"execution refused {row['scope']}, {row['what']}: at most {most} until {moment(row['until_ns'])}")
    return lines


def _date(day: int) -> str:
    return f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}"


def _pending(log: Mapping[str, Any]) -> list[str]:
    if not log["pending"]:
        return []
    head = ("waits", "limit", "from", "to", "who", "until (wall)", "why")
    lines = [(p["id"], p["path"], p["old"], _plain(p["value"]), p["who"], _until(p), p["why"]) for p in log["pending"]]
    return [rows(head, lines)]


def _until(waits: Mapping[str, Any]) -> str:
    now = waits["changed_since"]
    return f"never: it is {now} now, ask anew" if now else moment(waits["expires_wall_ns"])


def _plain(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def history_table(view: Mapping[str, Any]) -> str:
    """Changes of limits, oldest first."""
    found = view["limits_log"]["history"]
    if not found:
        return "no limit was changed since the start"
    keys = ("version", "path", "old", "new", "who")
    head = ("version", "limit", "from", "to", "who", "approved by", "when (market)", "when (wall)", "why")
    lines = [
        (*(str(c[k]) for k in keys), c["approved_by"] or NONE, moment(c["now_ns"]), moment(c["wall_ns"]), c["why"])
        for c in found
    ]
    return rows(head, lines)


def budgets_table(view: Mapping[str, Any]) -> str:
    """The last round and its reasons, how each watched scope stands, the cost budgets; one line where nothing is divided."""
    found = view["budgets"]
    last = found["last"]
    if last is None:
        return "budgets: nothing is divided"
    heard = "agents told" if last["published"] else "agents keep theirs"
    head = f"budgets: round {last['number']} at {moment(last['now_ns'])} ({', '.join(last['reasons'])}); {heard}"
    scopes = [
        (s["scope"], *(number(s[k]) for k in ("risk_usd", "drawdown_usd", "worst_loss_usd")), s["reduce_only"] or NONE)
        for s in found["scopes"]
    ]
    cost = [(c["scope"], number(c["spent_usd"]), number(c["budget_usd"])) for c in found["cost"]]
    parts = [head, rows(("scope", "risk USD/√day", "drawdown", "worst loss", "reduce only"), scopes)]
    return "\n".join([*parts, rows(("cost of the day", "spent at the round", "budget USD"), cost)] if cost else parts)


def moment(ns: int | None) -> str:
    """A time in UTC to the second; ``start`` where there is none."""
    return "start" if not ns else f"{datetime.fromtimestamp(ns / NS_PER_S, UTC):%Y-%m-%d %H:%M:%S}"


def parameters_table(found: Mapping[str, Any]) -> str:
    """The agents' live parameters: what holds beside what the run started with, and the last changes."""
    lines = [(p["path"], f"{p['now']:g}", f"{p['settings']:g}") for p in found["values"]]
    parts = [f"parameters version {found['version']}", rows(("parameter", "now", "settings"), lines)]
    if found["history"]:
        head = ("version", "parameter", "from", "to", "takes back", "who", "why")
        told = [
            (
                str(u["version"]),
                u["path"],
                f"{u['before']:g}",
                f"{u['after']:g}",
                str(u["undoes"] or NONE),
                u["who"],
                u["why"],
            )
            for u in found["history"]
        ]
        parts.append(rows(head, told))
    return "\n\n".join(parts)


def stopped_lines(view: Mapping[str, Any]) -> list[str]:
    """One line for each part that is stopped apart from the firm."""
    held = view.get("trading", {}).get("stopped", ())
    return [f"{h['scope']} {h['state']} by {h['who']}: {h['why']}" for h in held]


def number(value: float | None) -> str:
    """Whole units with thousands separators; a dash where there is none."""
    return NONE if value is None else f"{value:,.0f}"

"""The live terminal view: one screen that says whether the book is hedged, by whom, for how much.

``render`` is a pure function of a ``View`` and a size; ``show`` draws it twice a second on a terminal and prints one
line every few seconds elsewhere. Rows that do not fit are counted, never silently cut. Colour is never the only signal.
*Tested by* tests/unit/test_console_view.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from console.projections import AgentRow, BudgetRow, FactorRow, NettingRow, OrderRow, View, market_clock, one_line

REFRESH_S = 0.5
LINE_EVERY_S = 3.0
WIDE = 132
BAR_CELLS = 17
_TOP_LINES = 4
_COUNTED = ("factors", "agents")
HEARTBEAT_LATE_S = 3.0
_GIB, _MIB = 1 << 30, 1 << 20


def render(view: View, width: int, height: int) -> RenderableType:
    """The screen for a terminal of ``width`` × ``height`` cells, at least 80 × 24; at most ``height`` lines."""
    top = [_header(view, width), _money(view), *([_desks(view)] if view.desks else [])]
    room = height - _TOP_LINES - 1 - bool(view.desks)
    counts = {
        "factors": len(view.factors),
        "agents": len(view.agents),
        "netting": len(view.netting),
        "latest": len(view.latest),
    }
    if width >= WIDE:
        return Group(*top, _wide(view, width, room, counts))
    rows = _share(counts, room, ("agents", "factors", "agents", "factors", "netting", "latest"))
    parts = [*top, _factors(view.factors, rows["factors"], width), _agents(view.agents, rows["agents"])]
    parts += [_budgets(view.budgets), _netting(view.netting, rows["netting"]), _latest(view.latest, rows["latest"])]
    return Group(*(p for p in parts if p is not None))


def _wide(view: View, width: int, room: int, counts: dict[str, int]) -> RenderableType:
    half = width // 2 - 1
    left_rows = _share({"factors": counts["factors"]}, room, ("factors",))
    right_counts = {name: n for name, n in counts.items() if name != "factors"}
    rows = _share(right_counts, room + 1, ("agents", "netting", "latest"))
    left = [_factors(view.factors, left_rows["factors"], half), _budgets(view.budgets)]
    right = [_agents(view.agents, rows["agents"]), _netting(view.netting, rows["netting"])]
    right.append(_latest(view.latest, rows["latest"]))
    table = Table.grid(padding=(0, 1))
    table.add_column(width=half)
    table.add_column(width=half)
    table.add_row(Group(*(p for p in left if p)), Group(*(p for p in right if p)))
    return table


def _share(counts: dict[str, int], room: int, turns: tuple[str, ...]) -> dict[str, int]:
    """Rows for each block so that all fit into ``room`` lines: one row at a time, in the order of ``turns``.

    A block costs a line for its heading and, where hidden rows are counted, one for that.
    """
    shown = dict.fromkeys(counts, 0)

    def lines(name: str) -> int:
        return 0 if not shown[name] else 1 + shown[name] + (name in _COUNTED and shown[name] < counts[name])

    growing = True
    while growing:
        growing = False
        for name in turns:
            if shown[name] == counts[name]:
                continue
            shown[name] += 1
            if sum(map(lines, shown)) <= room:
                growing = True
            else:
                shown[name] -= 1
    return shown


_STATE_STYLE = {"ACTIVE": "bold green", "PAUSED": "bold yellow", "PARTLY STOPPED": "bold yellow", "KILLED": "bold red"}


def _header(view: View, width: int) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append("hedgerow ", "bold")
    line.append(f" {view.state} ", _STATE_STYLE.get(view.state, "bold red") + " reverse")
    speed = f" ×{view.speed:g}" if view.speed is not None else ""
    line.append(f"  {market_clock(view.market_time_ns)}{speed}  memory {_bytes(view.memory_total_bytes)}")
    said = view.why if view.state != "ACTIVE" else (view.notes[0] if view.notes and width >= WIDE else "")
    line.append(f"  {said}" if said else "", "dim")
    line.append(f"\nleader {view.leader or 'none'} epoch {view.epoch}", "" if view.leader else "bold red")
    line.append(f", standby {', '.join(view.standby) or 'none'}", "" if view.standby else "yellow")
    ages = [f"{name} {age:.0f} s" for name, age in sorted(view.source_age_s.items())]
    line.append(f"   data age {', '.join(ages) or 'none yet'}")
    return line


def _money(view: View) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"orders {view.orders} ({view.working} working, {view.refused} refused)  fills {view.filled}")
    if view.cost_usd is not None:
        line.append(f"  cost {view.cost_usd:,.0f}")
        if view.wished_cost_usd:
            line.append(f" (wishes {view.wished_cost_usd:,.0f})", "dim")
        line.append(" USD")
    line.append("\n")
    if view.pnl_usd is not None:
        line.append(f"P&L {view.pnl_usd:+,.0f} USD", "bold green" if view.pnl_usd >= 0 else "bold red")
        if view.unhedged_pnl_usd is not None:
            line.append(f" (unhedged {view.unhedged_pnl_usd:+,.0f})", "dim")
        line.append("  ")
    if view.latency.p50_ms is not None and view.latency.p99_ms is not None:
        line.append(f"tick to order p50 {view.latency.p50_ms:.2f} ms, p99 {view.latency.p99_ms:.2f} ms")
    else:
        line.append("tick to order: no order yet", "dim")
    return line


def _desks(view: View) -> Text:
    """Every desk on one line: what its orders cost, what it crossed, what its hedges brought."""
    line = Text("desks", "bold", no_wrap=True, overflow="ellipsis")
    for desk in view.desks:
        line.append(f"  {desk.name} cost {_short(desk.cost_usd)}, crossed {desk.crossed_lots}")
        line.append(f", hedges {_short(desk.hedge_pnl_usd)}" if desk.hedge_pnl_usd is not None else "")
    line.append(f"  (crossing saved {_short(view.crossing_saved_usd)} USD)", "dim")
    return line


def bar(row: FactorRow, cells: int = BAR_CELLS) -> Text:
    """The exposure on a scale of twice its interval: ``··[──●──]··``; an arrow at the end when it is off the scale."""
    if row.exposure is None or row.lower is None or row.upper is None or not row.upper > row.lower:
        return Text("·" * cells, "dim")
    centre, half = 0.5 * (row.lower + row.upper), 0.5 * (row.upper - row.lower)
    left, right = cells // 4, cells - 1 - cells // 4
    drawn = ["·"] * cells
    drawn[left : right + 1] = ["[", *["─"] * (right - left - 1), "]"]
    mark = (row.exposure - centre) / half
    at = round((cells - 1) / 2 + mark * (right - left) / 2)
    inside = row.place == "inside"
    if inside:
        at = min(max(at, left + 1), right - 1)
    sign = "●"
    if at < 0 or at >= cells:
        sign, at = ("◀", 0) if at < 0 else ("▶", cells - 1)
    drawn[at] = sign
    text = Text("".join(drawn), "dim")
    text.stylize("green" if inside else "bold red", at, at + 1)
    return text


def _factors(rows: tuple[FactorRow, ...], shown: int, width: int) -> Table | None:
    table = _table("exposure", ("right", "now"), ("right", "wanted in"), "", "")
    worst = sorted(rows, key=lambda r: r.place in ("inside", "unknown"))[:shown]
    hidden_inside = all(r.place in ("inside", "unknown") for r in rows if r not in worst)
    for row in [r for r in rows if r in worst]:
        place = Text(row.place if row.place != "inside" else "in", "green" if row.place == "inside" else "bold red")
        span = f"{_short(row.lower)} … {_short(row.upper)}"
        table.add_row(row.name, _short(row.exposure), span, bar(row, BAR_CELLS if width < 100 else 25), place)
    _more(table, len(rows) - len(worst), "exposures inside" if hidden_inside else "exposures")
    return table if shown else None


def _agents(rows: tuple[AgentRow, ...], shown: int) -> Table | None:
    table = _table("agent", "state", ("right", "said"), "last trigger", ("right", "decides µs"), ("right", "memory"))
    ranked = sorted(rows, key=lambda a: a.heartbeat_age_s is not None and a.heartbeat_age_s <= HEARTBEAT_LATE_S)
    for a in [a for a in rows if a in ranked[:shown]]:
        late = a.heartbeat_age_s is None or a.heartbeat_age_s > HEARTBEAT_LATE_S
        age = "never heard" if a.heartbeat_age_s is None else f"{a.heartbeat_age_s:.1f} s"
        state = Text(f"late {age}" if late else f"{a.state} {age}", "red" if late else "")
        if not late:
            state.stylize("green" if a.state == "hedging" else "yellow", 0, len(a.state))
        table.add_row(
            a.name if a.incarnation <= 1 else f"{a.name} #{a.incarnation}",
            state,
            str(a.proposals),
            a.trigger or "none",
            f"{a.decide_p50_us:.0f}/{a.decide_p99_us:.0f}",
            _bytes(a.rss_bytes),
        )
    _more(table, len(rows) - shown, "agents")
    return table if shown else None


def _budgets(rows: tuple[BudgetRow, ...]) -> Text:
    """The budgets nearest to their limit, on one line."""
    line = Text("budget", "bold", no_wrap=True, overflow="ellipsis")
    limited = [(b, (b.used + b.reserved) / b.limit) for b in rows if b.limit]
    for b, share in sorted(limited, key=lambda x: -x[1])[:3]:
        style = "red" if share > 0.95 else ("yellow" if share > 0.8 else "")
        name, _, unit = b.budget.partition("_")
        amount = f"{_short(b.used + b.reserved)} of {_short(b.limit)} {unit.upper()}".rstrip()
        line.append(f"  {b.scope} {name} {amount} ({share:.0%})", style)
    if not limited:
        line.append("  none yet", "dim")
    return line


def _netting(rows: tuple[NettingRow, ...], shown: int) -> Table | None:
    title = f"last cycle, {len(rows)} instruments"
    table = _table(title, ("right", "wished"), ("right", "netted"), ("right", "ordered"))
    ranked = sorted(rows, key=lambda r: (-abs(r.ordered), -abs(r.wished)))
    for r in ranked[:shown]:
        table.add_row(r.instrument, f"{r.wished:+.1f}", f"{r.solved:+.1f}", f"{r.ordered:+d}")
    return table if shown else None


def _latest(rows: tuple[OrderRow, ...], shown: int) -> Table | None:
    table = _table("last orders", ("right", "lots"), ("right", "filled"), "", "id")
    for o in rows[len(rows) - shown :][::-1]:
        style = "red" if o.status == "REJECTED" else ""
        table.add_row(
            o.instrument,
            f"{o.signed_lots:+d}",
            str(o.filled_lots),
            Text(o.status.lower(), style),
            o.client_order_id[:12],
        )
    return table if shown else None


def _table(*columns: str | tuple[Literal["left", "right"], str]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        name = column if isinstance(column, str) else column[1]
        justify: Literal["left", "right"] = "left" if isinstance(column, str) else column[0]
        table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis")
    return table


def _more(table: Table, hidden: int, what: str) -> None:
    if hidden > 0:
        table.add_row(Text(f"and {hidden} more {what}", "dim"))


def _short(value: float | None) -> str:
    """A number in at most seven characters: ``-12.3M``, ``4.56k``, ``0``."""
    if value is None:
        return "?"
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{suffix}" if abs(value) < 999.5 * size else f"{value / size:.0f}{suffix}"
    return f"{value:.3g}"


def _bytes(count: int) -> str:
    return f"{count / _GIB:.2f} GiB" if count >= _GIB else f"{count / _MIB:.0f} MiB"


async def show(
    fetch: Callable[[], Awaitable[View | None]],
    stop: asyncio.Event,
    console: Console | None = None,
    *,
    line_every_s: float = LINE_EVERY_S,
) -> None:
    """Draw until ``stop``: a live screen on a terminal, else one line every ``line_every_s`` seconds.

    ``fetch`` gives the newest view, or None while nothing answers; then the last screen stays.
    """
    console = console or Console()
    if not console.is_terminal:
        while not stop.is_set():
            view = await fetch()
            if view is not None:
                console.print(one_line(view), soft_wrap=True, highlight=False, markup=False)
            await _pause(stop, line_every_s)
        return
    last: View | None = None
    with Live(Text("waiting for the first status"), console=console, screen=True, auto_refresh=False) as live:
        while not stop.is_set():
            view = await fetch()
            if view is not None:
                last = view
                live.update(render(view, console.width, console.height), refresh=True)
            await _pause(stop, REFRESH_S)
    if last is not None:
        console.print(render(last, console.width, max(console.height, 24)))


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return

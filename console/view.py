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

from common.units import CENTS_PER_USD
from console.projections import AgentRow, BudgetRow, FactorRow, FillRow, NettingRow, View, market_clock, one_line

REFRESH_S = 0.5
LINE_EVERY_S = 3.0
WIDE = 132
BAR_CELLS = 17
HEARTBEAT_LATE_S = 3.0
_GIB, _MIB = 1 << 30, 1 << 20


def render(view: View, width: int, height: int) -> RenderableType:
    """The screen for a terminal of ``width`` × ``height`` cells, at least 80 × 24; at most ``height`` lines."""
    top = [_header(view, width), _money(view)]
    room = height - 4
    if width >= WIDE:
        return Group(*top, Text(), _wide(view, width, room - 1))
    factors = min(len(view.factors), max(4, room - 12))
    agents = min(len(view.agents), max(3, room - factors - 6))
    left = room - factors - agents - 4
    netting = min(len(view.netting), max(0, left // 2))
    fills = min(len(view.fills), max(0, left - netting - 1))
    parts: list[RenderableType] = [*top, _factors(view.factors, factors, width), _agents(view.agents, agents)]
    parts.append(_budgets(view.budgets))
    if netting:
        parts.append(_netting(view.netting, netting))
    if fills:
        parts.append(_fills(view.fills, fills))
    return Group(*parts)


def _wide(view: View, width: int, room: int) -> RenderableType:
    half = width // 2 - 1
    left = Group(_factors(view.factors, room - 4, half), Text(), _budgets(view.budgets))
    agents = min(len(view.agents), max(4, room // 3))
    rest = room - agents - 6
    right = Group(
        _agents(view.agents, agents),
        Text(),
        _netting(view.netting, max(1, rest // 2)),
        Text(),
        _fills(view.fills, max(1, rest - rest // 2)),
    )
    table = Table.grid(padding=(0, 1))
    table.add_column(width=half)
    table.add_column(width=half)
    table.add_row(left, right)
    return table


_STATE_STYLE = {"ACTIVE": "bold green", "PAUSED": "bold yellow", "KILLED": "bold red"}


def _header(view: View, width: int) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append("hedgerow ", "bold")
    line.append(f" {view.state} ", _STATE_STYLE.get(view.state, "bold red") + " reverse")
    speed = f" ×{view.speed:g}" if view.speed is not None else ""
    line.append(f"  {market_clock(view.market_time_ns)}{speed}")
    standby = ", ".join(view.standby) or "none"
    line.append(
        f"  leader {view.leader or 'none'} epoch {view.epoch}, standby {standby}", "dim" if view.leader else "red"
    )
    second = Text("\ndata age ", no_wrap=True, overflow="ellipsis")
    ages = [f"{name.removeprefix('feed.')} {age:.0f} s" for name, age in sorted(view.source_age_s.items())]
    second.append(", ".join(ages) or "no data yet")
    second.append(f"   memory {_bytes(view.memory_total_bytes)}")
    if view.notes and width >= WIDE:
        second.append(f"   {view.notes[0]}", "dim")
    return Text.assemble(line, second, no_wrap=True, overflow="ellipsis")


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


def _factors(rows: tuple[FactorRow, ...], shown: int, width: int) -> Table:
    table = _table("exposure", ("right", "now"), ("right", "wanted in"), "", "")
    worst = sorted(rows, key=lambda r: r.place in ("inside", "unknown"))[:shown]
    for row in [r for r in rows if r in worst]:
        place = Text(row.place if row.place != "inside" else "in", "green" if row.place == "inside" else "bold red")
        span = f"{_short(row.lower)} … {_short(row.upper)}"
        table.add_row(row.name, _short(row.exposure), span, bar(row, BAR_CELLS if width < 100 else 25), place)
    _more(table, len(rows) - len(worst), "exposures inside")
    return table


def _agents(rows: tuple[AgentRow, ...], shown: int) -> Table:
    table = _table(
        "agent",
        "state",
        ("right", "beat"),
        ("right", "said"),
        "last trigger",
        ("right", "decides µs"),
        ("right", "mem"),
    )
    for a in rows[:shown]:
        late = a.heartbeat_age_s is None or a.heartbeat_age_s > HEARTBEAT_LATE_S
        beat = "never" if a.heartbeat_age_s is None else f"{a.heartbeat_age_s:.1f} s" + (" late" if late else "")
        name = a.name if a.incarnation <= 1 else f"{a.name} #{a.incarnation}"
        table.add_row(
            name,
            Text(a.state, "green" if a.state == "hedging" else "yellow"),
            Text(beat, "red" if late else ""),
            str(a.proposals),
            a.trigger or "none",
            f"{a.decide_p50_us:.0f}/{a.decide_p99_us:.0f}",
            _bytes(a.rss_bytes),
        )
    _more(table, len(rows) - shown, "agents")
    return table


def _budgets(rows: tuple[BudgetRow, ...]) -> Text:
    line = Text("budget ", "bold", no_wrap=True, overflow="ellipsis")
    for b in sorted(rows, key=lambda b: (b.scope != "firm", b.scope))[:4]:
        share = (b.used + b.reserved) / b.limit if b.limit else 0.0
        style = "red" if share > 0.95 else ("yellow" if share > 0.8 else "")
        used = f"{_short(b.used + b.reserved)} of {_short(b.limit)}" if b.limit is not None else _short(b.used)
        line.append(f" {b.scope} {b.unit} {used} ({share:.0%}) ", style)
    if not rows:
        line.append(" none yet", "dim")
    return line


def _netting(rows: tuple[NettingRow, ...], shown: int) -> Table:
    table = _table("last cycle", ("right", "wished"), ("right", "netted"), ("right", "ordered"))
    ranked = sorted(rows, key=lambda r: (-abs(r.ordered), -abs(r.wished)))
    for r in ranked[:shown]:
        table.add_row(r.instrument, f"{r.wished:+.1f}", f"{r.solved:+.1f}", f"{r.ordered:+d}")
    _more(table, len(rows) - shown, "instruments")
    return table


def _fills(rows: tuple[FillRow, ...], shown: int) -> Table:
    table = _table("last fills", "instrument", ("right", "lots"), ("right", "price"), ("right", "fee USD"))
    for f in rows[-shown:][::-1]:
        time = market_clock(f.time_ns).rpartition(" ")[2]
        table.add_row(
            time, f.instrument, f"{f.signed_lots:+d}", f"{f.price:,.2f}", f"{f.fee_cents / CENTS_PER_USD:.2f}"
        )
    return table


def _table(*columns: str | tuple[Literal["left", "right"], str]) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold", show_edge=False)
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

"""The risk of a book on a terminal: ladder, limits, grid, VaR and reverse stress as tables by rich.

Pure functions of what ``hedgerow risk --json`` prints (docs/risk.md), so that table and JSON cannot tell different stories.
Figures without a price are a dash. Colour is never the only signal.
*Tested by* tests/unit/test_risk_ladder_tables.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

NONE: Final = "–"
#: Figures of the ladder in the order in which they are kept when the terminal is narrow: key, heading.
FIGURES: Final = (
    ("value_usd", "value\nUSD"),
    ("delta_usd", "delta\nUSD"),
    ("gamma_usd_per_pct", "gamma\nUSD/1 %"),
    ("vega_usd_per_point", "vega\nUSD/pt"),
    ("theta_usd_per_day", "theta\nUSD/day"),
    ("rho_usd_per_bp", "rho\nUSD/bp"),
    ("vanna_usd_per_point_per_pct", "vanna\nUSD/pt/1 %"),
    ("volga_usd_per_point2", "volga\nUSD/pt²"),
    ("charm_usd_per_day", "charm\nUSD/day"),
)
_ALWAYS = 5
_WIDE = 150
_INDENT = "  "


def number(value: float | None, digits: int = 0) -> str:
    """Thousands separators; a dash for None."""
    return NONE if value is None else f"{value:,.{digits}f}"


def render(report: Mapping[str, Any], width: int) -> RenderableType:
    """Every table the report holds, for a terminal of ``width`` cells."""
    parts: list[RenderableType] = [_head(report), ladder_table(report, width)]
    parts += [Text(f"no price: {line}") for line in report["unpriced"]]
    if report["orders"]:
        parts.append(orders_table(report["orders"]))
    if report["limits"]:
        parts.append(limits_table(report["limits"]))
    if report.get("grid"):
        parts.append(grid_table(report["grid"]))
    if report.get("var"):
        parts.append(var_table(report["var"]))
    if report.get("stress"):
        parts.append(stress_table(report["stress"]))
    return Group(*parts)


def _head(report: Mapping[str, Any]) -> Text:
    book, market = report["book"], report["market"]
    first = (
        f"{book['name']}: {book['contracts']:,} contracts, {book['lots']:,} lots; {market['name']} at {report['at']}"
    )
    return Text("\n".join([first, *(f"  {s}" for s in market["statements"])]))


def ladder_table(report: Mapping[str, Any], width: int) -> Table:
    """The ladder, one line a rung; where working orders change a rung, a second line gives it after all fills."""
    shown = FIGURES if width >= _WIDE else FIGURES[:_ALWAYS]
    table = _table("ladder")
    table.add_column("", no_wrap=True)
    table.add_column("lots", justify="right", no_wrap=True)
    for _, heading in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    for rung in report["ladder"]:
        level = rung["depth"]
        style = "bold" if level < 2 else ""
        name = _INDENT * level + rung["name"] + (f" ({rung['unpriced']} without a price)" if rung["unpriced"] else "")
        table.add_row(name, *_cells(rung["before"], rung["lots_before"], shown), style=style, end_section=False)
        if rung["after"] != rung["before"] or rung["lots_after"] != rung["lots_before"]:
            cells = _cells(rung["after"], rung["lots_after"], shown)
            table.add_row(_INDENT * (level + 1) + "after working orders", *cells, style="italic")
    return table


def _cells(figures: Mapping[str, float | None], lots: int | None, shown: Sequence[tuple[str, str]]) -> list[str]:
    return ["" if lots is None else f"{lots:,}", *(number(figures[key]) for key, _ in shown)]


def orders_table(orders: Sequence[Mapping[str, Any]]) -> Table:
    """Working orders with what each would add, filled whole."""
    table = _table("working orders: what each adds, filled whole")
    for heading in ("order", "instrument"):
        table.add_column(heading, no_wrap=True)
    for heading in ("lots", "price", "delta\nUSD", "gamma\nUSD/1 %", "vega\nUSD/pt"):
        table.add_column(heading, justify="right", no_wrap=True)
    for o in orders:
        adds = o["adds"]
        figures = [number(adds[key]) for key in ("delta_usd", "gamma_usd_per_pct", "vega_usd_per_point")]
        table.add_row(o["order"], o["instrument"], f"{o['lots']:+,}", number(o["price"], 2), *figures)
    return table


def limits_table(limits: Sequence[Mapping[str, Any]]) -> Table:
    """Limits before, after all fills, and over the worst subset of the working orders."""
    table = _table("limits: before, after all fills, worst subset of the working orders")
    table.add_column("factor", no_wrap=True)
    for heading in ("before", "after all", "least", "most", "hard limit", "used"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    for line in limits:
        used = NONE if line["used"] is None else f"{100 * line['used']:.0f} %"
        mark = " BROKEN" if line["broken"] else ""
        cells = [number(line[key]) for key in ("before", "after", "low", "high", "hard")]
        table.add_row(line["factor"], *cells, used + mark, line["unit"], style="bold red" if mark else "")
    return table


def grid_table(grid: Mapping[str, Any]) -> RenderableType:
    """P&L in thousands of USD: spot moves down, volatility moves across."""
    title = f"P&L, thousand USD: spot down, volatility ({grid['vol_rule']}) across; {grid['smile']}"
    heading, table = Text(title, style="bold"), _table()
    table.add_column("spot", justify="right", no_wrap=True)
    for move in grid["vol_moves"]:
        table.add_column(vol_label(move, grid["vol_rule"]), justify="right", no_wrap=True)
    for move, row in zip(grid["spot_moves"], grid["pnl_usd"], strict=True):
        table.add_row(f"{100 * move:+.1f} %", *(number(x / 1e3) for x in row))
    worst = grid["worst"]
    note = (
        f"worst: {number(worst['pnl_usd'])} USD at spot {100 * worst['spot_move']:+.1f} %, "
        f"volatility {vol_label(worst['vol_move'], grid['vol_rule'])}; worst loss {number(grid['worst_loss_usd'])} USD, "
        f"each underlying at its own worst {number(grid['worst_loss_separately_usd'])} USD"
    )
    return Group(heading, table, Text(note))


def vol_label(move: float, rule: str) -> str:
    """A volatility shock as people say it: a share, or points."""
    return f"{100 * move:+.0f} %" if rule == "relative" else f"{100 * move:+.1f} pt"


def var_table(var: Mapping[str, Any]) -> RenderableType:
    """VaR and ES of each method with the interval of the estimate, then what each underlying adds."""
    table = _table(f"value at risk and expected shortfall, one {var['period']}, {100 * var['level']:g} %, USD")
    table.add_column("method", no_wrap=True)
    for heading in ("VaR", "95 % interval", "ES", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    for m in var["methods"]:
        table.add_row(
            m["method"],
            number(m["var_usd"]),
            _interval(m.get("var_interval_usd")),
            number(m["es_usd"]),
            _interval(m.get("es_interval_usd")),
        )
    table.add_section()
    for symbol, parts in var["components"].items():
        table.add_row(
            f"of it {symbol}", number(parts["delta_normal_var_usd"]), "", number(parts["historical_es_usd"]), ""
        )
    why = "".join(f"{m['method']}: {m['why']}. " for m in var["methods"] if m.get("why"))
    note = why + "Of it: delta-normal VaR and historical ES by underlying; each adds up. "
    return Group(table, Text(note + " ".join(var["statements"])))


def _interval(pair: Sequence[float | None] | None) -> str:
    return "" if pair is None else f"{number(pair[0])} … {number(pair[1])}"


def stress_table(stress: Mapping[str, Any]) -> Table:
    """The smallest move that breaks each limit."""
    table = _table(f"reverse stress: the smallest move that breaks a limit, within {stress['farthest_sigma']:g} σ")
    table.add_column("limit", no_wrap=True)
    for heading in ("hard", "now", "at the move", "σ"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("move")
    for line in stress["lines"]:
        if line["sigma"] is None:
            said, sigma = f"none within {stress['farthest_sigma']:g} σ", NONE
        else:
            sigma = f"{line['sigma']:.2f}"
            said = "broken already" if line["sigma"] == 0.0 else _moves(line["moves"], stress["vol_rule"])
        table.add_row(line["limit"], *(number(line[k]) for k in ("hard", "now", "then")), sigma, said)
    return table


def _moves(moves: Mapping[str, Mapping[str, float]], rule: str) -> str:
    return "; ".join(f"{u} {100 * m['spot']:+.2f} %, vol {vol_label(m['vol'], rule)}" for u, m in moves.items())


def _table(title: str | None = None) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)

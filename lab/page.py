"""The readable report: one HTML file that needs nothing from anywhere, pictures inside, for a risk manager.

*Tested by* tests/simulation/test_closed_loop_report.py.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from lab.pictures import names

_CSS = """
:root { --ink: #1c2330; --soft: #5d6675; --line: #e3e6eb; --paper: #ffffff; --card: #f6f7f9; --good: #0a7d4b;
  --bad: #c0392b; --mark: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 1060px; margin: 0 auto; padding: 40px 24px 80px; }
h1 { font-size: 28px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 44px 0 8px; border-top: 1px solid var(--line); padding-top: 24px; }
p { max-width: 74ch; } .soft { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 12px; margin: 24px 0 8px; }
.card { background: var(--card); border-radius: 10px; padding: 14px 16px; }
.card b { display: block; font-size: 25px; line-height: 1.25; letter-spacing: -0.01em; }
.card span { color: var(--soft); font-size: 13.5px; display: block; line-height: 1.4; }
.good b { color: var(--good); } .bad b { color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; margin: 12px 0; }
th, td { text-align: right; padding: 6px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; } th:first-child, td:first-child { text-align: left; }
tr.main td { font-weight: 600; }
img { width: 100%; height: auto; margin: 12px 0; border-radius: 6px; }
.bar { display: inline-block; width: 90px; height: 8px; border-radius: 4px; background: var(--line); margin-left: 8px;
  vertical-align: middle; overflow: hidden; } .bar i { display: block; height: 100%; background: var(--mark); }
dl { display: grid; grid-template-columns: minmax(170px, auto) 1fr; gap: 4px 18px; font-size: 14.5px; }
dt { font-family: ui-monospace, monospace; font-size: 13px; } dd { margin: 0; color: var(--soft); }
li { margin: 4px 0; max-width: 88ch; } code { font-size: 13px; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa4b2; --line: #2b313b; --paper: #14171c;
  --card: #1d2128; --good: #4cc38a; --bad: #ff7b72; --mark: #4aa3df; } img { background: #fff; } }
@media print { main { max-width: none; padding: 0; } h2 { break-after: avoid; } img, table { break-inside: avoid; } }
"""


def page(report: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """The page of a ``report.json`` dictionary and its pictures (PNG bytes by name)."""
    body = [
        _head(report),
        _cards(report),
        _section(
            "Did it hedge?",
            _pnl(report),
            _image(pictures, "pnl", "P&L of the position, hedged and not"),
            _days(report),
        ),
        _section("What did it cost?", _cost(report), _image(pictures, "cost", "External cost by kind of netting")),
        _section(
            "What did the orders cost, and why?", tca_section(report), _image(pictures, "tca", "Shortfall by agent")
        ),
        _section(
            "Exposures and their intervals", _exposures(report), _image(pictures, "exposures", "Exposures over time")
        ),
        _section("Desks", _desks(report)) if report["desks"] else "",
        _section("Speed and size", _speed(report), _image(pictures, "latency", "Tick to decision")),
        _section("Promises", _promises(report)),
        _section("What is real and what is modelled", _list(report["statements"])),
        _section("What the figures mean", _definitions(report["definitions"])),
    ]
    title = escape(f"Hedgerow report {report['run_id']}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_CSS}</style></head>'
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>" if any(parts) else ""


def _head(r: Mapping[str, Any]) -> str:
    what = "a live run" if r["hedged_run"] == "live" else "a closed-loop run"
    text = (
        f"Report on {what}: {r['positions']:,} positions in {r['contracts_held']:,} contracts on "
        f"{', '.join(r['underlyings'])}, {r['sessions']} sessions. Amounts in US dollars."
    )
    return f'<h1>Hedging report</h1><p class="soft">{escape(text)}<br><code>{escape(r["run_id"])}</code></p>'


def _cards(r: Mapping[str, Any]) -> str:
    effect, hedged = r["hedge_effect"], r["pnl"][r["hedged_run"]]
    over_unhedged = effect.get("unhedged_over_hedged_30min")
    over_delta = effect.get("delta_only_over_hedged_30min")
    saved = r["netting"].get("cost_over_joint", {})
    latency = r["tick_to_order_ms"]
    cards = [
        _card(
            _times(over_unhedged),
            "lower 30-minute P&L deviation than unhedged",
            "good" if (over_unhedged or 0) > 1 else "",
        ),
        _card(_times(over_delta), "lower than delta hedging alone", "good" if (over_delta or 0) > 1 else ""),
        _card(_usd(hedged["total_usd"]), f"P&L, of it {_usd(-hedged['spread_usd'] - hedged['fees_usd'])} cost"),
        _card(_times(saved.get("plain")), "cost of plain netting over joint") if saved else "",
        _card(f"{r['orders']:,}", f"orders, {r['fills']:,} fills, {r['refused']:,} refused"),
        _card(_ms(latency["p50"]), f"tick to order, median; 99 %: {_ms(latency['p99'])}") if latency["p50"] else "",
        _card(str(r["promise_violations"]), "promises broken", "bad" if r["promise_violations"] else "good"),
    ]
    return f'<div class="cards">{"".join(cards)}</div>'


def _card(value: str, text: str, style: str = "") -> str:
    return f'<div class="card {style}"><b>{escape(value)}</b><span>{escape(text)}</span></div>'


def _pnl(r: Mapping[str, Any]) -> str:
    order = [n for n in (r["hedged_run"], "joint", "plain", "alone", "delta_only", "unhedged") if n in r["pnl"]]
    order = list(dict.fromkeys(order))
    told = ("imported_usd",) if r["client_trades"] else ()
    rows: list[tuple[str, ...]] = []
    for name, shown in zip(order, names(order), strict=True):
        p = r["pnl"][name]
        cells = [p["std_30min_usd"], p["std_daily_usd"], p["total_usd"], p["book_usd"]]
        cells += [p[name] for name in (*told, "hedges_usd", "spread_usd", "fees_usd")]
        rows.append((shown, *map(_usd, cells)))
    note = (
        f"{r['pnl'][order[0]]['changes_30min']:.0f} changes on the 30-minute grid, nights included, and "
        f"{r['pnl'][order[0]]['changes_daily']:.0f} from close to close, on the same path for every row."
    )
    if told:
        note += f" {r['client_trades']:,} client trades were told while the run lasted: each counts from its time, at its price."
    head = ("run", "deviation, 30 min", "deviation, daily", "P&L", "book", *("client trades" for _ in told))
    head += ("hedges at mid", "spread", "fees")
    return _table(head, rows) + f'<p class="soft">{escape(note)}</p>'


def _days(r: Mapping[str, Any]) -> str:
    """Each day's P&L from strike to strike, folded away; empty where no day has closed."""
    hedged, unhedged = r["strikes"][r["hedged_run"]], r["strikes"]["unhedged"]
    rows = [
        (
            np.datetime_as_string(np.datetime64(h["at_ns"], "ns"), "m").replace("T", " ")
            + (" early" if h["early"] else ""),
            *map(_usd, (h["open_usd"], h["pnl_usd"], h["open_usd"] + h["pnl_usd"], u["pnl_usd"])),
        )
        for h, u in zip(hedged, unhedged, strict=True)
    ]
    head = ("close, UTC", "opens from", "P&L of the day", "struck at", "P&L unhedged")
    text = "Day by day, struck at the close"
    return f"<details><summary>{text}</summary>{_table(head, rows)}</details>" if rows else ""


def _cost(r: Mapping[str, Any]) -> str:
    order = [n for n in ("live", "joint", "plain", "alone", "delta_only") if n in r["runs"]]
    rows = []
    for name, shown in zip(order, names(order), strict=True):
        x = r["runs"][name]
        rows.append(
            (
                shown,
                f"{x['orders']:,}",
                f"{x['lots']:,}",
                _usd(x["external_cost_usd"]),
                _usd(x["spread_usd"]),
                _usd(x["fees_usd"]),
                _usd(x["residual_risk_usd_per_sqrt_day"]),
                _usd(x["outside_risk_usd_per_sqrt_day"]),
                _usd(x["std_30min_usd"]),
            )
        )
    head = (
        "run",
        "orders",
        "lots",
        "external cost",
        "spread",
        "fees",
        "residual risk",
        "outside risk",
        "deviation, 30 min",
    )
    text = (
        "Joint: one quadratic programme over everybody's intervals. Plain netting: the sum of the agents' wishes. Alone: "
        "each wish its own order. Risk in dollars per root day."
    )
    return f"<p>{escape(text)}</p>" + _table(head, rows)


def _exposures(r: Mapping[str, Any]) -> str:
    rows = []
    for e in r["exposures"]:
        share = e["share_inside"]
        width = 0.0 if share is None else 100.0 * share
        bar = f'{_percent(share)}<span class="bar"><i style="width:{width:.0f}%"></i></span>'
        rows.append((escape(e["factor"]), bar, _usd(e["median_width_usd"]), _usd(e["mean_abs_exposure"]), e["unit"]))
    text = f"Every interval follows from one risk aversion, {r['risk_aversion_per_usd']:.3g} per US dollar."
    head = ("factor", "time inside", "median width", "mean |exposure|", "unit")
    return f"<p>{escape(text)}</p>" + _table(head, rows, raw=True)


def _desks(r: Mapping[str, Any]) -> str:
    rows = [
        (
            d["desk"],
            d["legal_entity"],
            f"{d['market_lots']:,}",
            _usd(d["external_cost_usd"]),
            f"{d['crossed_lots']:,}",
            _usd(d["crossing_saved_usd"]),
        )
        for d in r["desks"]
    ]
    text = (
        "What one desk needs and another has too much of is crossed at mid inside a legal entity; the net is ordered."
    )
    head = ("desk", "legal entity", "lots in the market", "external cost", "lots crossed", "saved by crossing")
    return f"<p>{escape(text)}</p>" + _table(head, rows)


def _speed(r: Mapping[str, Any]) -> str:
    rows: list[tuple[str, ...]] = []
    latency, memory = r["tick_to_order_ms"], r["memory_bytes"]
    if latency["p50"] is not None:
        rows += [("tick to order, median", _ms(latency["p50"])), ("tick to order, 99 %", _ms(latency["p99"]))]
    if memory:
        rows += [("memory of the whole system", f"{memory['total'] / 2**20:,.0f} MiB")]
        rows += [(f"of it {name}", f"{b / 2**20:,.0f} MiB") for name, b in sorted(memory.items()) if name != "total"]
    for name, x in r["runs"].items():
        if x["seconds"] and x["quotes"]:
            rows.append((f"closed loop, {names([name])[0]}", f"{x['quotes'] / x['seconds']:,.0f} quotes a second"))
    return _table(("what", "measured"), rows)


def _promises(r: Mapping[str, Any]) -> str:
    if not r["violations"]:
        return (
            "<p>None was broken: no order twice, every order terminal, every fill booked once, positions and allocations add "
            "up, budgets and pauses held, one leader at a time. Checked on every run above.</p>"
        )
    return _list(r["violations"])


def tca_section(r: Mapping[str, Any]) -> str:
    """Shortfall of the orders by agent in its parts, and the cost model fitted from them; empty where it was not measured."""
    found = r.get("tca")
    if not found:
        return ""
    parts = ("shortfall_usd", "spread_usd", "timing_usd", "fees_usd", "opportunity_usd")
    rows = [
        (row["name"], f"{row['filled_lots']:,}", _percent(row["fill_rate"]), *(f"{row[p]:,.2f}" for p in parts))
        for row in (*found["by_agent"], found["total"])
    ]
    head = ("agent", "lots", "filled", "shortfall, USD", "spread", "timing", "fees", "unfilled lots")
    model = [
        (
            f"{row['underlying']} {row['kind']}",
            f"{row['orders']:,}",
            *(f"{row[s]:.3f} ± {row[s + '_se']:.3f}" for s in ("spread_share", "impact_share", "root_impact_share")),
            "fitted" if row["source"] == "fitted" else f"the prior: {row['why']}",
        )
        for row in found["cost_model"]["rows"]
    ]
    columns = ("half spreads", "orders", "paid", "linear impact", "square root", "")
    return _table(head, rows) + _table(columns, model) + _definitions(found["definitions"])


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _definitions(items: Mapping[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(k)}</dt><dd>{escape(v)}</dd>' for k, v in items.items())}</dl>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, raw: bool = False) -> str:
    def cell(text: str) -> str:
        return text if raw else escape(text)

    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    lines = "".join(f"<tr>{''.join(f'<td>{cell(c)}</td>' for c in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def _image(pictures: Mapping[str, bytes], name: str, text: str) -> str:
    if name not in pictures:
        return ""
    data = base64.b64encode(pictures[name]).decode()
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{data}">'


def _usd(value: float | None) -> str:
    return "n/a" if value is None else f"{value:,.0f}"


def _times(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f} ×"


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100.0 * value:.1f} %"


def _ms(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f} ms"

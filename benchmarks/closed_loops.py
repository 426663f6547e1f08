"""What hedging and netting are worth, on the same path: joint, plain netting, agents alone, delta only, nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.registry import Context, Row, bench
from deploy.config import load
from deploy.finish import lab_settings
from deploy.setup import prepare
from lab.report import write_report


def report_on(context: Context, market: str) -> dict[str, Any]:
    """Closed loops of every mode on a market with its example book; what ``report.json`` holds."""
    settings = load(None, {"market.name": market, "market.data": str(context.data_dir)})
    prepared = prepare(settings, f"bench-{market}")
    return write_report(lab_settings(prepared, None), context.scratch / f"report-{market}", prepared.run_id)


def risk_rows(found: dict[str, Any], prefix: str, least: float | None) -> Iterable[Row]:
    """Standard deviations of P&L, hedged against unhedged and against delta only."""
    effect, pnl = found["hedge_effect"], found["pnl"]
    n = int(pnl["joint"]["changes_30min"])
    ratio, over_delta = effect["unhedged_over_hedged_30min"], effect["delta_only_over_hedged_30min"]
    bar, holds = ("", True) if least is None else (f"{least:g} or more", ratio >= least)
    what = "standard deviation of 30-minute P&L changes, nights included, unhedged over hedged"
    yield Row(f"{prefix}.unhedged_over_hedged_30min", what, round(ratio, 2), "×", bar, holds, "no hedge", n)
    what = "the same, delta hedging only over hedged"
    holds = least is None or over_delta > 1
    bar = "" if least is None else "above 1"
    yield Row(f"{prefix}.delta_only_over_hedged_30min", what, round(over_delta, 2), "×", bar, holds, "delta only", n)
    daily = effect["unhedged_over_hedged_daily"]
    if daily is not None:
        days = int(pnl["joint"]["changes_daily"])
        what = "standard deviation of daily P&L changes, unhedged over hedged"
        yield Row(f"{prefix}.unhedged_over_hedged_daily", what, round(daily, 2), "×", "", True, "no hedge", days)


def netting_rows(found: dict[str, Any], prefix: str, *, barred: bool) -> Iterable[Row]:
    """External cost of joint, plain and alone, with the P&L standard deviation beside it."""
    cost, std = found["netting"]["external_cost_usd"], found["netting"]["std_30min_usd"]
    for mode, dearer in (("joint", "plain"), ("plain", "alone")):
        yield Row(
            f"{prefix}.{mode}_over_{dearer}",
            f"external cost {cost[mode]:,.0f} against {cost[dearer]:,.0f} USD; 30-minute P&L standard deviation "
            f"{std[mode]:,.0f} against {std[dearer]:,.0f} USD",
            round(cost[mode] / cost[dearer], 3) if cost[dearer] else "no cost",
            "×",
            "below 1" if barred else "",
            not barred or cost[mode] < cost[dearer],
            dearer,
            found["runs"][mode]["orders"],
        )


@bench(
    "hedge.unhedged_over_hedged_30min",
    "hedge.delta_only_over_hedged_30min",
    "hedge.unhedged_over_hedged_daily",
    "netting.joint_over_plain",
    "netting.plain_over_alone",
    what="risk and cost on the default input: joint, plain, alone, delta only, unhedged",
    minutes=2,
)
def default_input(context: Context) -> Iterable[Row]:
    """The shock of February 2018."""
    found = report_on(context, "demo")
    yield from risk_rows(found, "hedge", 5.0)
    yield from netting_rows(found, "netting", barred=True)


@bench(
    "es_day.unhedged_over_hedged_30min",
    "es_day.delta_only_over_hedged_30min",
    "es_day.joint_over_plain",
    "es_day.plain_over_alone",
    what="the same on the real E-mini day 2020-01-06",
    minutes=2,
)
def es_day(context: Context) -> Iterable[Row]:
    """Real quotes, one day; stated, without a bar."""
    found = report_on(context, "es-options")
    yield from (row for row in risk_rows(found, "es_day", None) if not row.id.endswith("_daily"))
    yield from netting_rows(found, "es_day", barred=False)

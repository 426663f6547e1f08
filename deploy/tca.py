"""``hedgerow tca``: what the orders of a finished run cost and why, from its journal and its recording alone.

``--write FILE`` keeps the fitted cost model for ``[manager] cost_model``; ``--out DIR`` the picture. *Tested by*
tests/unit/test_tca_report.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.cost_model import CostModel, to_text
from common.errors import InputError, Problem, UsageError
from common.market.recorded import RecordedMarket
from deploy.audit import reference_of
from deploy.recorder import read_finished
from deploy.tables import rows
from lab.audit import orders_of
from lab.cost_fit import Prior
from lab.fills import reports_of
from lab.tca_groups import KEYS, Key, grouped, total
from lab.tca_pictures import tca_picture
from lab.tca_report import table, tca_of

PICTURE = "tca.png"


def run_tca(folder: Path, by: str, as_json: bool, write: Path | None, out: Path | None) -> int:
    """Print the costs of a finished run. Raises ``InputError`` where the folder holds none, ``UsageError`` for ``by``."""
    if by not in KEYS:
        raise UsageError(f"--by {by}: choose one of {', '.join(KEYS)}")
    key: Key = by
    entries, reference, market = read_finished(folder), reference_of(folder), RecordedMarket(folder / "market.bin")
    manager = reference.settings.manager
    prior = Prior(1.0, manager.impact_share, manager.root_impact_share)
    orders = [order for _, order in orders_of(entries)]
    told, worked, costs, model = tca_of(
        orders, reports_of(entries), market.batches(), market.universe, reference.run_id, prior
    )
    if key == "order":
        told["by_order"] = table(worked, costs, market.universe, key)
    if write is not None:
        _write(write, to_text(model).encode())
    if out is not None:
        groups = grouped(worked, costs, market.universe, key)
        _write(out / PICTURE, tca_picture(groups, total(worked, costs)))
    print(json.dumps(told) if as_json else "\n".join(lines(told, key, model)))
    return 0


def lines(told: Mapping[str, Any], key: str, model: CostModel) -> Iterator[str]:
    """For people: the table, the whole, what stayed and came back, and the model."""
    yield rows(
        (key, "orders", "lots", "filled", "shortfall", "spread", "timing", "fees", "unfilled", "fill ms"),
        [_cells(row) for row in (*told[f"by_{key}"], told["total"])],
    )
    whole = told["total"]
    for h, seconds in enumerate(told["horizons_s"]):
        yield (
            f"{seconds:g} s after the fill: {whole['impact_usd'][h]:,.2f} USD of the spread stayed (impact), "
            f"{whole['reversion_usd'][h]:,.2f} came back, of {whole['seen_lots'][h]:,} lots"
        )
    if (missing := told["not_placed"])["orders"]:
        yield (
            f"{missing['orders']:,} orders of {missing['lots']:,} lots never reached execution: they are among the "
            "ordered lots, and no move of the mid is held against them"
        )
    yield "cost model, shares of the quoted half spread (± standard error):"
    yield rows(
        ("underlying", "kind", "orders", "spread paid", "linear impact", "square root", ""),
        [
            (
                row.underlying,
                row.kind,
                f"{row.orders:,}",
                _share(row.spread_share, row.spread_share_se),
                _share(row.impact_share, row.impact_share_se),
                _share(row.root_impact_share, row.root_impact_share_se),
                "" if row.source == "fitted" else f"the prior: {row.why}",
            )
            for row in model.rows
        ],
    )


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    parts: Sequence[str] = ("shortfall_usd", "spread_usd", "timing_usd", "fees_usd", "opportunity_usd")
    rate = "-" if row["fill_rate"] is None else f"{100 * row['fill_rate']:.1f} %"
    wait = "-" if row["latency_ms"] is None else f"{row['latency_ms']:.1f}"
    lots = f"{row['ordered_lots']:,}"
    return (row["name"], f"{row['orders']:,}", lots, rate, *(f"{row[part]:,.2f}" for part in parts), wait)


def _share(value: float, error: float) -> str:
    return f"{value:.3f} ± {error:.3f}" if error else f"{value:.3f}"


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise InputError(
            str(path), [Problem(0, error.strerror or "unwritable")], "give a file that can be written"
        ) from None

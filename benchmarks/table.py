"""Measured rows as a table (results.md), a picture (results.png) and raw rows (results.jsonl) in a folder.

The picture shows how far each figure is from its bar, as a factor, 1 being the bar itself: to the right is better,
whichever way the bar points. Rows whose bar names no number stand in the table only.
*Tested by* tests/unit/test_european_table.py.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

Row = Mapping[str, object]
_NUMBER = r"(\d[\d,]*\.?\d*(?:e[-+]?\d+)?)"
_AT_MOST = re.compile(rf"(?:at most|<=|≤) ?{_NUMBER}")
_AT_LEAST = re.compile(rf"(?:at least|>=|≥) ?{_NUMBER}|{_NUMBER} or more")
#: Beyond this factor a figure is drawn at the edge.
_WIDEST = 1e4


def margin(row: Row) -> float | None:
    """Factor by which a figure is better than its bar, below 1 if it misses it; None without a numeric value and bar."""
    value, bar = row["value"], str(row["bar"])
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0.0:
        return None
    least, most = _AT_LEAST.search(bar), _AT_MOST.search(bar)
    if least and (not most or least.start() < most.start()):
        return float(value) / _number(least[1] or least[2])
    return _number(most[1]) / float(value) if most else None


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def write(rows: Sequence[Row], folder: Path) -> tuple[Path, Path]:
    """Write the three files into ``folder``, made if needed; paths of the table and the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(dict(row)) + "\n" for row in rows)
    (folder / "results.jsonl").write_text(lines, encoding="utf-8")
    table, picture = folder / "results.md", folder / "results.png"
    table.write_text(_markdown(rows), encoding="utf-8")
    _draw(rows, picture)
    return table, picture


def _markdown(rows: Sequence[Row]) -> str:
    missed = [str(row["id"]) for row in rows if not row["holds"]]
    head = [
        "# Measured",
        "",
        f"{len(rows)} rows, {len(rows) - len(missed)} hold{', missed: ' + ', '.join(missed) if missed else ''}. "
        f"Python {platform.python_version()}, {platform.machine()}. Noise: slowest over fastest of a fixed loop, 1.0 on a quiet "
        "machine, and the load while measuring.",
        "",
        "![margin to each bar](results.png)",
        "",
        "| id | value | bar | holds | against | samples | noise | what |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(_table_line(row) for row in rows), ""])


def _table_line(row: Row) -> str:
    value = row["value"]
    shown = f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    verdict = "" if not row["bar"] else "yes" if row["holds"] else "**missed**"
    cells = (
        row["id"],
        f"{shown} {row['unit']}",
        row["bar"],
        verdict,
        row["peer"],
        row["samples"],
        row["noise"],
        row["what"],
    )
    return "| " + " | ".join(str(c).replace("|", "\\|").replace("\n", " ") for c in cells) + " |"


def _draw(rows: Sequence[Row], picture: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn = [(row, m) for row in rows if (m := margin(row)) is not None][::-1]
    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.32 * max(len(drawn), 1)), layout="constrained")
    for at, (row, m) in enumerate(drawn):
        length = min(max(m, 1 / _WIDEST), _WIDEST)
        axes.barh(at, length - 1.0, left=1.0, color="tab:green" if row["holds"] else "tab:red", height=0.62)
        value = row["value"]
        note = f"{value:.3g} {row['unit']} (bar {row['bar']})"
        axes.annotate(note, (max(length, 1.0), at), xytext=(4, 0), textcoords="offset points", va="center", fontsize=7)
    axes.set_xscale("log")
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_yticks(range(len(drawn)), [str(row["id"]) for row, _ in drawn], fontsize=7)
    low = min([0.5, *(m for _, m in drawn)])
    axes.set_xlim(max(low * 0.8, 0.8 / _WIDEST), 30.0 * min(max([2.0, *(m for _, m in drawn)]), _WIDEST))
    axes.set_xlabel("times better than the bar")
    noise = sorted({str(row["noise"]) for row in rows})
    axes.set_title(f"noise: {noise[-1] if noise else 'not measured'}", fontsize=7, loc="left")
    figure.savefig(picture, dpi=130)
    pyplot.close(figure)

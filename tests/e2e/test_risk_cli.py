"""``hedgerow risk`` as it is typed: the example books on the demo, the real E-mini day and the real S&P 500 chain."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.market.config import default_data_dir
from tests.market_data import needs_es_files

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
CHAIN = default_data_dir() / "spx_option_chain_2026-01-30.csv.gz"
SPX_BOOK = "examples/books/spx_2026_book.csv"
needs_chain = pytest.mark.skipif(not CHAIN.is_file(), reason="the SPX chain is not in HEDGEROW_DATA or ../shared/data")


def hedgerow(*words: object) -> subprocess.CompletedProcess[str]:
    """The command line, from the root of the repository."""
    argv = [sys.executable, "-m", "deploy.cli", "risk", *map(str, words)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160"}
    return subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, env=env, timeout=300)


def report(*words: object) -> dict:
    done = hedgerow(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def adds_up(found: dict) -> None:
    """Every rung of the JSON is the sum of the rungs right below it."""
    lines = found["ladder"]
    for i, line in enumerate(lines):
        below = []
        for other in lines[i + 1 :]:
            if other["depth"] <= line["depth"]:
                break
            if other["depth"] == line["depth"] + 1:
                below.append(other)
        for key, told in line["before"].items() if below else ():
            parts = [b["before"][key] for b in below if b["before"][key] is not None]
            assert told == pytest.approx(sum(parts), abs=1e-6 * (1.0 + sum(map(abs, parts))))


def test_the_demo_book_with_everything(tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    orders.write_text("instrument,side,quantity,price\nSPX 2018-06-15 F @XCME,buy,40,2855\n")
    words = ("examples/demo_book.csv", "--market", "demo", "--orders", orders, "--grid", "--var")
    found = report(*words, "--stress", "examples/limits.toml", "--loss-usd", "5000000", "--out", tmp_path / "out")
    assert found["schema"] == "hedgerow.risk.1" and found["at"] == "2018-01-29T21:00:00Z"
    assert found["unpriced"] == [] and {line["name"] for line in found["ladder"] if line["depth"] == 1} == {
        "SPX",
        "IXIC",
    }
    adds_up(found)
    assert found["grid"]["pnl_usd"][3][3] == 0.0
    historical = found["var"]["methods"][0]
    assert historical["states"] == 1000 and historical["es_usd"] >= historical["var_usd"] > 0.0
    assert {line["limit"] for line in found["stress"]["lines"]} >= {"delta:SPX", "gamma:IXIC", "factor:common", "loss"}
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["grid.png", "ladder.png", "risk.json", "var.png"]
    assert json.loads((tmp_path / "out" / "risk.json").read_text()) == found


def test_the_table_on_the_terminal() -> None:
    done = hedgerow(
        "examples/demo_book.csv", "--market", "demo", "--depth", "bucket", "--grid", "--smile", "sticky-moneyness"
    )
    assert done.returncode == 0, done.stderr
    assert "8-30d" in done.stdout and "sticky-moneyness" in done.stdout and "worst loss" in done.stdout


@needs_es_files
def test_the_real_e_mini_book() -> None:
    found = report("examples/es_book.csv", "--market", "es-options", "--grid", "--depth", "contract")
    assert found["unpriced"] == []
    adds_up(found)
    # The book opens with these by its maker's own Black-76 at the first quotes (examples/make_books.py, TARGETS);
    # a day later they are still of that size and sign.
    at = {line["name"]: line["before"] for line in found["ladder"] if line["depth"] == 1}
    assert at["ESH0"]["gamma_usd_per_pct"] == pytest.approx(-1.6e6, rel=0.2)
    assert at["ESM0"]["vega_usd_per_point"] == pytest.approx(-5.0e4, rel=0.2)


@needs_chain
def test_the_real_chain() -> None:
    found = report(SPX_BOOK, "--market", CHAIN, "--profile", "yahoo", "--smile", "sticky-moneyness", "--grid")
    assert found["unpriced"] == [] and len(found["ladder"]) == 24
    adds_up(found)
    # The book's average prices are mids of the file, rounded: the surface gives them back within their spreads.
    assert any("0 arbitrage violations" in s for s in found["market"]["statements"])
    assert found["grid"]["pnl_usd"][3][3] == 0.0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("examples/demo_book.csv",), 2, "give the market"),
        (("examples/demo_book.csv", "--market", "nowhere.bin"), 3, "neither demo nor es-options"),
        (("absent.csv", "--market", "demo"), 4, "absent.csv"),
        (("examples/demo_book.csv", "--market", "demo", "--stress", "absent.toml"), 4, "absent.toml"),
        (("examples/demo_book.csv", "--market", "demo", "--level", "2"), 2, "--level 2"),
        (("examples/demo_book.csv", "--market", "demo", "--at", "2018-01-01T00:00:00Z"), 2, "before the first quote"),
        (("--run-dir", "absent"), 3, "no run found"),
        ((SPX_BOOK, "--market", "absent.gz", "--profile", "yahoo"), 4, "absent.gz"),
        ((SPX_BOOK, "--market", "absent.gz", "--profile", "yahooo"), 2, "yahooo"),
    ],
)
def test_mistakes_end_with_their_documented_code(words: tuple[str, ...], code: int, said: str) -> None:
    done = hedgerow(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and "Traceback" not in done.stderr

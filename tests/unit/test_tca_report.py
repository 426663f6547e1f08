"""``hedgerow tca`` on a run folder: its sums are the fills', its model is read by the manager, wrong asks are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.cost_model import load_cost_model
from common.errors import InputError, UsageError
from common.market.recorded import Recorder
from common.wire import codec
from common.wire.delimited import write_messages
from deploy.config import RunConfig
from deploy.tca import run_tca
from lab.fills import fills_of, reports_of, spread_half_cents
from lab.page import tca_section
from lab.pnl import HALF_CENTS_PER_USD
from lab.tca_groups import KEYS
from tests.golden.test_replay_identical import BOOK, LIMITS, MANAGER, MARKET, plain_run


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run's folder."""
    folder = tmp_path_factory.mktemp("run")
    settings = RunConfig().model_copy(update={"manager": MANAGER})
    reference = {"run_id": "r", "settings": settings.model_dump(mode="json"), "limits": LIMITS.model_dump(mode="json")}
    (folder / "reference.json").write_text(json.dumps(reference))
    with Recorder(folder / "market.bin", MARKET, BOOK) as recording:
        for batch in MARKET.batches():
            recording.append(batch)
    write_messages(folder / "journal.bin", [codec.encode_journal_entry(e) for e in plain_run()])
    return folder


def test_its_sums_are_those_of_the_fills_and_the_model_is_read_again(
    left: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_tca(left, "order", True, tmp_path / "cost.json", tmp_path / "out") == 0
    told = json.loads(capsys.readouterr().out)
    fills = fills_of(reports_of(plain_run()))
    assert told["total"]["filled_lots"] == int(abs(fills.signed_lots).sum()) > 0
    assert told["total"]["spread_usd"] == int(spread_half_cents(fills, MARKET.universe).sum()) / HALF_CENTS_PER_USD
    assert told["total"]["fees_usd"] == int(fills.fee_cents.sum()) / 100
    for key in KEYS:
        assert sum(row["filled_lots"] for row in told[f"by_{key}"]) == told["total"]["filled_lots"]
        assert sum(row["shortfall_usd"] for row in told[f"by_{key}"]) == pytest.approx(told["total"]["shortfall_usd"])
    model = load_cost_model(tmp_path / "cost.json")
    assert model.model_dump(mode="json") == told["cost_model"] and model.made_from == ("r",)
    assert {row.underlying for row in model.rows} <= set(MARKET.universe.symbols) and model.rows
    assert (tmp_path / "out" / "tca.png").read_bytes().startswith(b"\x89PNG")
    section = tca_section({"tca": told})
    assert "implementation shortfall" not in section and f"{told['total']['shortfall_usd']:,.2f}" in section
    assert tca_section({"tca": None}) == ""


def test_people_get_a_table_with_the_whole_below_it(left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tca(left, "agent", False, None, None) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["agent", "orders", "lots"]
    whole = next(line for line in lines if line.startswith("total")).split()
    assert any(line.startswith("gamma-0") for line in lines) and len(whole) > 8
    assert sum("s after the fill" in line for line in lines) == 3


def test_what_makes_no_sense_is_refused(left: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--by colour: choose one of order, agent"):
        run_tca(left, "colour", False, None, None)
    with pytest.raises(InputError, match=r"no journal\.bin"):
        run_tca(tmp_path, "agent", False, None, None)
    with pytest.raises(InputError, match="give a file that can be written"):
        run_tca(left, "agent", False, left / "market.bin" / "x", None)

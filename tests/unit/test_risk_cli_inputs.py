from dataclasses import replace
from pathlib import Path

import pytest

from common.books import load_book
from common.errors import InputError, Unavailable, UsageError
from common.market.config import CsvConfig
from common.market.csv_quotes import CsvQuotesMarket, QuoteFile
from common.market.recorded import FILE_NAME, Recorder
from common.messages import OrdStatus
from common.wire import codec
from common.wire.delimited import write_messages
from deploy.risk import Wanted, parse_at, parse_betas, parse_moves, parse_rate, parse_smile, run_risk, settings_of
from deploy.risk_inputs import Request, gather
from tests.unit.test_risk_cli_market import NOW_NS, quote_file
from tests.unit.test_risk_cli_orders import entries, order, recovered, report

BOOK = Path("examples/demo_book.csv")
SETTINGS = {
    "grid_spot": "-10,0,10",
    "grid_vol": "0",
    "vol_rule": "relative",
    "smile": "sticky-strike",
    "betas": None,
    "days": 0.0,
    "level": 0.99,
    "history": "daily",
    "periods": 500,
    "farthest": 6.0,
    "loss_usd": None,
}


@pytest.mark.parametrize(
    ("request_", "error", "said"),
    [
        (Request(BOOK), UsageError, "give the market"),
        (Request(None, "demo"), UsageError, "give the book"),
        (Request(None, "chain.csv", profile="yahoo"), UsageError, "give the book"),
        (Request(BOOK, "demo", orders=Path("x"), run_dir=Path("y")), UsageError, "--orders and --run-dir"),
        (Request(BOOK, "demo", run_dir=Path("y")), UsageError, "leave --market out"),
        (
            Request(run_dir=Path("y"), quarantine=Path("q"), rate_per_year=0.0),
            UsageError,
            "leave --quarantine, --rate out",
        ),
        (Request(BOOK, "demo", rate_per_year=0.04), UsageError, "--rate is for chain files"),
        (Request(BOOK, "demo", quarantine=Path("q")), UsageError, "give its --profile"),
        (Request(BOOK, "nowhere.csv"), Unavailable, "neither demo nor es-options"),
        (Request(BOOK, "nowhere.csv", profile="yahoo"), InputError, "nowhere.csv"),
        (Request(run_dir=Path("no-such-run")), Unavailable, "no run found"),
        (Request(BOOK, "demo", contracts=Path("no-terms.toml")), InputError, "no-terms.toml"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(request_, error, said):
    with pytest.raises(error, match=said):
        gather(request_, lambda step, share: None)


def test_moves_are_shares():
    assert parse_moves("-10, 0,2.5", "--grid-spot").tolist() == [-0.1, 0.0, 0.025]
    assert parse_moves("-100", "--grid-vol").tolist() == [-1.0]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: parse_moves("a,b", "--grid-vol"), "is not a list of numbers"),
        (lambda: parse_moves("", "--grid-vol"), "is not a list of numbers"),
        (lambda: parse_moves("-100,0", "--grid-spot"), "cannot lose 100 %"),
        (lambda: parse_moves("inf", "--grid-vol"), "move by over 10,000"),
        (lambda: parse_moves("nan", "--grid-spot"), "move by over 10,000"),
        (lambda: parse_moves("1e300", "--grid-spot"), "move by over 10,000"),
        (lambda: parse_smile("slippery"), "neither sticky-strike, sticky-moneyness nor"),
        (lambda: parse_smile("nan"), "nor a skew-stickiness ratio"),
        (lambda: parse_betas("SPX"), "is not a list like"),
        (lambda: parse_betas("SPX=x"), "is not a list like"),
        (lambda: parse_at("yesterday"), "not an ISO time"),
        (lambda: parse_at("2020-01-06T12:00:00"), "has no time zone"),
        (lambda: parse_at("9999-01-01T00:00:00Z"), "between 1980 and 2200"),
        (lambda: parse_at("1700-01-01T00:00:00Z"), "between 1980 and 2200"),
        (lambda: parse_at("0001-01-01T00:00:00+14:00"), "between 1980 and 2200"),
        (lambda: parse_rate(4.0), "--rate 4 is not a rate per year"),
        (lambda: parse_rate(float("nan")), "--rate nan is not"),
        (lambda: settings_of(**SETTINGS | {"days": float("nan")}), "--days nan is not between"),
        (lambda: settings_of(**SETTINGS | {"days": 1e12}), "--days 1e.12 is not between"),
        (lambda: settings_of(**SETTINGS | {"level": 1.0}), "--level 1 is not a share"),
        (lambda: settings_of(**SETTINGS | {"vol_rule": "wild"}), "--vol-rule 'wild'"),
        (lambda: settings_of(**SETTINGS | {"loss_usd": -1.0}), "--loss-usd -1"),
    ],
)
def test_flags_that_make_no_sense_are_named(call, said):
    with pytest.raises(UsageError, match=said):
        call()


def test_a_bad_book_is_not_told_to_use_the_quarantine_of_the_chain(tmp_path):
    book = tmp_path / "book.csv"
    book.write_text("account,instrument,quantity\nA,SPX   260320C07000000,2.5\n")
    with pytest.raises(InputError, match=r"book\.csv:2: quantity '2\.5'") as caught:
        gather(Request(book, "chain.csv", profile="yahoo", quarantine=tmp_path / "q.csv"), lambda step, share: None)
    assert "mend the book" in str(caught.value) and "quarantine" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "wanted", "said"),
    [
        ({"loss_usd": 5.0}, {}, "--loss-usd .* give --stress"),
        ({}, {"out": "file"}, "file is a file; name a folder"),
        ({}, {"out": "file/below"}, "file is a file; name a folder"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_anything_is_computed(tmp_path, changes, wanted, said):
    (tmp_path / "file").write_text("here before")
    asked = Wanted(**{name: tmp_path / value for name, value in wanted.items()})
    with pytest.raises(UsageError, match=said):
        run_risk(Request(BOOK, "demo"), settings_of(**SETTINGS | changes), asked)
    assert (tmp_path / "file").read_text() == "here before" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("betas", "said"), [("SPY=2", "--betas names SPY, the book holds"), ("SPX=-20", "at beta -20")]
)
def test_betas_that_the_book_cannot_follow_are_named(tmp_path, betas, said):
    path, contracts, _ = quote_file(tmp_path)
    book = tmp_path / "book.csv"
    book.write_text(f"account,instrument,quantity\nA,{contracts[20].id},-5\n")
    with pytest.raises(UsageError, match=said):
        run_risk(Request(book, str(path)), settings_of(**SETTINGS | {"betas": betas}), Wanted(grid=True))


def test_settings_keep_what_was_asked():
    found = settings_of(**SETTINGS | {"smile": "1.5", "betas": "SPX=1,IXIC=1.25"})
    assert found.rules.stickiness == 1.5 and found.smile == "skew-stickiness ratio 1.5"
    assert found.betas(("IXIC", "SPX", "NDX")).tolist() == [1.25, 1.0, 1.0]
    assert found.of_history.vol == "relative" and found.of_history.stickiness == 1.5
    assert parse_at("2020-01-06T12:00:00.5-05:00") == 1_578_330_000_500_000_000 and parse_at(None) is None


def test_a_finished_run_brings_book_fills_and_working_orders(tmp_path):
    path, contracts, _ = quote_file(tmp_path)
    book = tmp_path / "book.csv"
    book.write_text(f"account,instrument,quantity\nA,{contracts[20].id},-5\nA,{contracts[21].id},8\n")
    rows = load_book(book)
    source = CsvQuotesMarket(QuoteFile(path), rows, CsvConfig())
    index, run = source.universe.index, tmp_path / "run"
    run.mkdir()
    with Recorder(run / FILE_NAME, source, rows.to_book(index)) as recorder:
        for batch in source.batches():
            recorder.append(batch)
    sent = order("working", index[contracts[20].id], 10)
    told = entries(recovered((sent, OrdStatus.NEW, 0)), report(sent, OrdStatus.PARTIALLY_FILLED, 4, 4, "x1"))
    last = [replace(e, now_ns=NOW_NS) for e in told]
    write_messages(run / "journal.bin", [codec.encode_journal_entry(e) for e in last])
    found = gather(Request(run_dir=run), lambda step, share: None)
    held = dict(zip((c.id for c in found.contracts), found.lots.tolist(), strict=True))
    assert held == {contracts[20].id: -1, contracts[21].id: 8}
    assert [(o.order, o.instrument.id, o.lots) for o in found.orders] == [("working", contracts[20].id, 6)]
    assert found.view.now_ns == NOW_NS and "SPX" in found.view.surfaces
    # Another opening book in its place; the fills stay.
    other = tmp_path / "other.csv"
    other.write_text(f"account,instrument,quantity\nA,{contracts[20].id},100\n")
    assert gather(Request(other, run_dir=run), lambda step, share: None).lots.tolist() == [104]

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError, Unavailable, UsageError
from common.market import daily
from common.market.config import DemoConfig, MarketConfig
from common.market.csv_quotes import CsvQuotesMarket
from common.market.open import open_market
from common.market.recorded import FILE_NAME, RecordedMarket, Recorder
from tests.market_data import needs_es_files
from tests.unit.test_market_csv import HEADER, ROWS

BOOK = "account,instrument,quantity\nA,SPX   180316P02700000,-5\nA,SPXW  180307C02802500,2\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "quotes.csv").write_text(HEADER + ROWS)
    (tmp_path / "book.csv").write_text(BOOK)
    return tmp_path


def test_a_quote_file_and_its_recording(files: Path) -> None:
    source, book = open_market(files / "quotes.csv", files / "book.csv")
    assert isinstance(source, CsvQuotesMarket)
    assert book.quantity_lots.tolist() == [-5, 2]
    assert source.universe.listed.tolist()[-1] == 0
    Recorder(files / FILE_NAME, source, book).close()
    for path in (files, files / FILE_NAME):
        again, recorded_book = open_market(str(path))
        assert isinstance(again, RecordedMarket)
        assert recorded_book.quantity_lots.tolist() == [-5, 2]
    with pytest.raises(UsageError, match="holds its book"):
        open_market(files, files / "book.csv")


def test_what_cannot_be_opened(files: Path) -> None:
    with pytest.raises(Unavailable, match="neither demo nor es-options"):
        open_market("dmeo")
    with pytest.raises(UsageError, match="--book"):
        open_market(files / "quotes.csv")
    with pytest.raises(UsageError, match="without a recording"):
        open_market(files)
    with pytest.raises(Unavailable, match="no such file"):
        open_market("es-options", data_dir=files)
    (files / "broken.bin").write_bytes(b"x")
    with pytest.raises(InputError, match="not a Hedgerow recording"):
        open_market(files / "broken.bin")


def test_a_book_of_another_market_is_refused(files: Path) -> None:
    (files / "es.csv").write_text("account,instrument,quantity\nA,ESH0  200320P03200000,1\n")
    with pytest.raises(InputError, match="unknown underlying 'ESH0'; this market has SPX, IXIC"):
        open_market(files / "quotes.csv", files / "es.csv")
    with pytest.raises(InputError, match="unknown underlying 'ESH0'"):
        open_market("demo", files / "es.csv")
    (files / "old.csv").write_text("account,instrument,quantity\nA,SPX   180119P02700000,1\n")
    with pytest.raises(InputError, match="has expired when the market opens"):
        open_market("demo", files / "old.csv")


def test_the_demo_opens_with_its_example_book() -> None:
    source, book = open_market(MarketConfig())
    assert source.universe.symbols == ("SPX", "IXIC")
    assert len(book.account) >= 500


@needs_es_files
def test_the_e_mini_day_opens_with_its_example_book() -> None:
    source, book = open_market("es-options")
    assert source.universe.symbols == ("ESH0", "ESM0")
    assert len(book.account) >= 60
    assert source.universe.listed.all()


def test_the_demo_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daily, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="install the demo extra"):
        open_market("demo")


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2019-06-03", "2019-06-07", "no sessions of the demo"),
        ("2018-01-27", "2018-01-28", "no sessions of the demo"),
        ("2010-06-01", "2010-06-07", "no sessions of the demo"),
    ],
)
def test_a_window_outside_the_files_is_refused(start: str, end: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "book.csv").write_text("account,instrument,quantity\nA,SPX 2030-03-15 F,1\n")
    settings = MarketConfig(demo=DemoConfig.model_validate({"start": start, "end": end}))
    with pytest.raises(UsageError, match=words):
        open_market(settings, tmp_path / "book.csv")

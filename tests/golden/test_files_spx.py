"""The SPX chain of 2026-01-30 (local data): what its README counts is what the reader counts."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from common.files.read import read_chain
from common.files.tables import ChainTable
from common.kernels import layout
from common.market.config import default_data_dir

FILE = default_data_dir() / "spx_option_chain_2026-01-30.csv.gz"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is not there")


@pytest.fixture(scope="module")
def chain() -> ChainTable:
    return read_chain(FILE)


def test_counts_of_the_readme(chain: ChainTable) -> None:
    assert (len(chain), len(chain.listing)) == (17_107, 17_107)
    assert int((chain.bid == 0.0).sum()) == 910
    assert int((chain.ask == 0.0).sum()) == 252
    assert int((chain.bid > chain.ask).sum()) == 13
    assert chain.quote_counts.two_sided == 16_184
    assert chain.source.profile == "yahoo" and chain.source.ignored == ()


def test_contracts(chain: ChainTable) -> None:
    assert chain.listing.underlyings == ("SPX",)
    assert set(chain.listing.model.tolist()) == {layout.EUROPEAN}
    assert set(chain.listing.multiplier.tolist()) == {100.0}
    assert {i.root for i in chain.listing.instruments} == {"SPX", "SPXW"}


def test_the_first_row(chain: ChainTable) -> None:
    first = chain.listing.instruments[chain.instrument[0]]
    assert first.id == "SPXW 2026-02-02 2800 C @XCBO"
    assert (chain.bid[0], chain.ask[0], chain.last[0]) == (4122.2, 4148.5, 4139.54)
    assert chain.vendor_iv[0] == 4.601566748046874
    assert chain.last_trade_ns[0] == int(datetime(2026, 1, 30, 16, 45, 44, tzinfo=UTC).timestamp()) * 10**9
    oldest = np.datetime64(int(chain.last_trade_ns.min()), "ns")
    assert oldest.astype("datetime64[Y]") == np.datetime64("2022")

"""Why a quarter of what disappears at the best price may count as traded: on the E-mini's minutes much more was.

Where the best price stood over a minute and its size fell by d, half of the minute's volume (the other half is taken to be
the other side's) against d and against d / 4. Quotes a minute apart hide what came and went between them.
"""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from common.market.config import default_data_dir
from execution.config import PaperConfig


@pytest.mark.parametrize(("month", "share_of_minutes"), [("2013-12", 0.78), ("2020-03", 0.97)])
def test_half_the_volume_covers_a_quarter_of_what_disappeared(month: str, share_of_minutes: float) -> None:
    assert PaperConfig().queue_trade_percent == 25
    names = ["bid_close", "bid_size", "ask_close", "ask_size", "trade_volume"]
    path = default_data_dir() / "es_futures_1min.parquet"
    table = pq.read_table(path, columns=names, filters=[("contract_month", "=", month)])
    column = {name: table[name].to_numpy() for name in names}
    covered, gone_lots, half_volume = [], 0.0, 0.0
    for side in ("bid", "ask"):
        price, lots = column[f"{side}_close"], column[f"{side}_size"]
        gone = lots[:-1] - lots[1:]
        kept = (price[1:] == price[:-1]) & (gone > 0)
        half = np.nan_to_num(column["trade_volume"][1:][kept]) / 2.0
        covered.append(half >= gone[kept] / 4.0)
        gone_lots, half_volume = gone_lots + gone[kept].sum(), half_volume + half.sum()
    assert np.concatenate(covered).mean() == pytest.approx(share_of_minutes, abs=0.01)
    assert half_volume > 1.5 * gone_lots

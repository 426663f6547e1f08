"""Calls every pricing kernel once and says when they were ready: run in a fresh process by the bench ``kernels.cold_start``.

*Tested by* tests/unit/test_european_peers.py.
"""

from __future__ import annotations

import json
import sys
import time

STARTED = time.perf_counter()

import numpy as np  # noqa: E402

from common.kernels import layout  # noqa: E402
from common.kernels.european import BLOCK, FIELDS, european_blocks  # noqa: E402
from common.kernels.implied_vol import implied_vol, implied_vol_of, implied_vol_spot  # noqa: E402
from common.kernels.inverse import in_usd  # noqa: E402
from common.risk.columns import Columns  # noqa: E402
from common.risk.evaluate import evaluate  # noqa: E402

IMPORTED = time.perf_counter()


def main() -> None:
    """One option of every model (or of those named by number) through every door; prints {"import_s", "calls_s"}."""
    models = np.array([int(m) for m in sys.argv[1:]] or range(layout.MODELS), np.uint8)
    n = len(models)
    one = np.ones(n)
    greeks = evaluate(Columns(models, 100.0 * one, 105.0 * one, 0.5 * one, 0.2 * one, 0.02 * one, 0.01 * one, one))
    in_usd(100.0 * one, greeks, np.empty_like(greeks))
    european_blocks(np.ones((1, FIELDS, BLOCK)), np.empty((1, layout.CHARM, BLOCK)))
    vol = np.empty(n)
    implied_vol(5.0 * one, 100.0 * one, 105.0 * one, 0.5 * one, 0.02 * one, one, vol)
    implied_vol_spot(5.0 * one, 100.0 * one, 105.0 * one, 0.5 * one, 0.02 * one, 0.01 * one, one, vol)
    implied_vol_of(5.0, 100.0, 105.0, 0.5, 0.02, 1.0, float("nan"))
    done = time.perf_counter()
    print(json.dumps({"import_s": IMPORTED - STARTED, "calls_s": done - IMPORTED}))


if __name__ == "__main__":
    main()

"""After the warm-up neither a first budget round nor a first decision loads a kernel, of a successor neither."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from common.wire import codec
from common.wire.delimited import write_messages
from tests.budgets_world import busy, desk, rounds, watching

ROOT = Path(__file__).resolve().parents[2]
#: In a process of its own: here other tests have loaded kernels already.
SCRIPT = """
import json, sys
import numpy as np
from common.limits_scopes import MarginGrid
from common.snapshot import MarketSnapshot
from manager.budgets_marks import margin_cells, marks
from manager.warm import warm
from tests.manager_world import NOW_NS, Desk, all_agents, quotes, universe

def loaded():
    kernels = {k for m in list(sys.modules.values()) if m.__name__.startswith("common.kernels")
               for k in vars(m).values() if hasattr(k, "signatures")}
    return sum(len(k.signatures) for k in kernels)

world = universe()
before = loaded()
warm(world)
after = loaded()
market = MarketSnapshot(world)
for symbol in world.symbols:
    market.apply(quotes(world, symbol, 1, NOW_NS))
rows = np.arange(len(world), dtype=np.intp)
marks(market, rows, NOW_NS)
_, missing = margin_cells(market, rows, MarginGrid(), NOW_NS)
desk = Desk()
desk.feed(1.0)
all_agents(desk, 40.0)
ordered = len(desk.decide())
print(json.dumps([before, after, loaded(), len(rows) - len(missing), ordered]))
"""


def test_a_round_and_a_decision_after_it_load_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    before, after, later, valued, ordered = json.loads(done.stdout)
    assert before < after == later and valued > 10 and ordered > 0


#: Counts the kernels of several desks only: what makes up a market of three desks loads others.
OF_DESKS = """
import json
from common import factors
from common.kernels import books_lots as kernels
from common.kernels.solver import quadratic
from manager.warm import warm
from tests.desks_world import two
from tests.manager_world import FORWARD, FUTURE_MULTIPLIER, universe

LOT = FORWARD[0] * FUTURE_MULTIPLIER[0]

def loaded():
    of_lots = sum(len(k.signatures) for k in vars(kernels).values() if hasattr(k, "signatures"))
    return of_lots + len(quadratic.signatures)

before = loaded()
warm(universe())
after = loaded()
desks = two()
desks.says("a", {factors.delta("SPX"): 30 * LOT}, LOT / 4)
desks.says("b", {factors.delta("SPX"): -10 * LOT}, LOT / 4)
ordered = len(desks.decide())
print(json.dumps([before, after, loaded(), ordered]))
"""


def test_a_decision_for_two_desks_loads_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", OF_DESKS], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    before, after, later, ordered = json.loads(done.stdout)
    assert before < after == later and ordered > 0


#: A successor knows its rounds, proposals and fills from the record, where what was read is read-only.
SUCCESSOR = """
import json, sys
from pathlib import Path
from common.wire import codec
from common.wire.delimited import read_messages
from manager.fold import apply
from manager.step import start
from manager.warm import warm
from tests.budgets_world import busy, desk, rounds, watching
from tests.manager_world import OWNER

def loaded():
    kernels = {k for m in list(sys.modules.values()) if m.__name__.startswith("common.kernels")
               for k in vars(m).values() if hasattr(k, "signatures")}
    return {k.py_func.__name__: len(k.signatures) for k in kernels}

later = desk(**watching())
later.state, later.journal, later.orders = start(later.setup), [], []
warm(later.world)
before = loaded()
for data in read_messages(Path(sys.argv[1])):
    entry = codec.decode_journal_entry(data)
    apply(later.state, entry)
    later.now_ns = max(later.now_ns, entry.now_ns)
later.reports = later.state.report_sequence
later.sequence = dict.fromkeys(OWNER.values(), 1000)
later.feed(1.0)
later.take_over(2)
busy(later, (15.0, 25.0))
after = loaded()
print(json.dumps([{k: n for k, n in after.items() if n != before.get(k)}, len(rounds(later)), len(later.orders)]))
"""


def test_a_successor_that_read_the_record_loads_nothing(tmp_path: Path) -> None:
    first = busy(desk(**watching()), (10.0, 20.0))
    write_messages(tmp_path / "journal.bin", (codec.encode_journal_entry(entry) for entry in first.journal))
    done = subprocess.run(
        [sys.executable, "-c", SUCCESSOR, str(tmp_path / "journal.bin")],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    more, found, ordered = json.loads(done.stdout)
    assert rounds(first) and more == {} and found > 0 and ordered > 0

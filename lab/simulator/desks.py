"""Several desks in a third of the seeds, all of one underlying: a book each, own limits, what people ask of one desk alone.

The first desk is short options and the second long, so that part of what they need cancels and is crossed; a third may belong
to another legal entity, with which nothing may cross. Drawn by generators of their own, so that the rest of a plan does not
depend on them. *Tested by* tests/simulation/test_simulator_plan.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from common.limits import Limits
from common.units import NS_PER_S
from common.universe import OPTION, Book, Desk, Universe
from lab.simulator.market import Setting
from lab.simulator.people import Wish

NAMES = ("index", "flow", "exotic")
_SHARE = 0.4
#: Instruments of one decision: fewer than there are, which keeps the rounding of several desks quick.
_MENU_MAX = 6
_LARGEST_LOTS = (3, 12)


def has_desks(seed: int) -> bool:
    """Whether a seed has several desks, if it has one underlying."""
    return random.Random(f"several {seed}").random() < _SHARE


def with_desks(seed: int, setting: Setting) -> Setting:
    """The setting with several desks."""
    rng = random.Random(f"desks {seed}")
    names = NAMES if rng.random() < 0.35 else NAMES[:2]
    other = len(names) == 3 and rng.random() < 0.5
    desks = tuple(Desk(n, "Ltd" if other and n == NAMES[2] else "LLC", (_account(n),)) for n in names)
    return replace(
        setting,
        book=_book(setting.universe, setting.book, desks, rng),
        limits=_limits(setting.limits, names, rng),
        manager=setting.manager.model_copy(update={"menu_max": _MENU_MAX}),
    )


def _account(desk: str) -> str:
    return f"clients of {desk}"


def _book(universe: Universe, first: Book, desks: tuple[Desk, ...], rng: random.Random) -> Book:
    """The first desk holds the book there is; each other one options of each underlying and a future against it."""
    account = [desks[0].accounts[0]] * len(first.instrument)
    instrument, lots = first.instrument.tolist(), first.quantity_lots.tolist()
    for d, desk in enumerate(desks[1:]):
        for k, symbol in enumerate(universe.symbols):
            rows = [int(i) for i in universe.rows_of(symbol) if universe.kind[i] == OPTION]
            for at in sorted(rng.sample(rows, 3)):
                instrument.append(at)
                lots.append((1 if d == 0 else -1) * rng.randint(8, 40))
            future = universe.underlyings[k].future_instrument
            instrument.append(future)
            lots.append(-int(np.sign(first.quantity_lots[first.instrument == future][0])) * rng.randint(4, 20))
        account += [desk.accounts[0]] * (len(lots) - len(account))
    return Book(first.book_id, tuple(account), np.array(instrument, np.uint32), np.array(lots, np.int64), desks=desks)


def _limits(limits: Limits, names: tuple[str, ...], rng: random.Random) -> Limits:
    """One desk may have a narrow day, one a small largest order: mostly not the same one."""
    said = limits.model_dump()
    if rng.random() < 0.5:
        said["flow_by_desk"] = {rng.choice(names): {"orders": rng.randint(3, 8)}}
    elif rng.random() < 0.5:
        said["flow_by_desk"] = {rng.choice(names): {"notional_usd": rng.uniform(1e6, 8e6)}}
    if rng.random() < 0.5:
        most = rng.randint(*_LARGEST_LOTS)
        said["order_by_desk"] = {rng.choice(names): {"max_lots_future": most, "max_lots_option": most}}
    return Limits.model_validate(said)


def of_desks(seed: int, book: Book, wishes: tuple[Wish, ...]) -> tuple[Wish, ...]:
    """What people ask for, each of some desk where there are several."""
    if len(book.desk_names) == 1:
        return wishes
    rng = random.Random(f"whose {seed}")
    return tuple(replace(wish, arguments=_whose(wish, book, rng)) for wish in wishes)


def _whose(wish: Wish, book: Book, rng: random.Random) -> dict[str, object]:
    if wish.action == "hedge":
        return {**wish.arguments, "desk": rng.choice(book.desk_names)}
    if wish.action == "book.import":
        # The same trade is told of the same desk again.
        rows = [[*row[:2], _account(_desk(str(row[1]), book)), *row[3:]] for row in wish.arguments["trades"]]
        return {**wish.arguments, "trades": rows}
    return wish.arguments


def _desk(trade: str, book: Book) -> str:
    return random.Random(f"desk of {trade}").choice(book.desk_names)


def stops(seed: int, book: Book, first_ns: int, last_ns: int) -> Iterator[Wish]:
    """A pause or kill of one desk, mostly with a resume of it; and a hedge by hand for a desk while another is stopped."""
    if len(book.desk_names) == 1:
        return
    rng = random.Random(f"stops {seed}")
    if rng.random() < 0.6:
        at_ns, stopped = rng.randint(first_ns, last_ns), rng.choice(book.desk_names)
        scope = {"scope": f"desk:{stopped}"}
        yield Wish(at_ns, rng.choice(("pause", "kill")), scope)
        future = {
            "side": rng.choice(("BUY", "SELL")),
            "lots": rng.randint(1, 15),
            "instrument": "AAA-FUT",
            "limit": None,
        }
        yield Wish(at_ns + NS_PER_S // 2, "hedge", {**future, "desk": rng.choice(book.desk_names)})
        if rng.random() < 0.6:
            yield Wish(at_ns + rng.randint(NS_PER_S, 4 * NS_PER_S), "resume", scope)

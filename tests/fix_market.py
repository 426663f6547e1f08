"""The small market of ``execution_world`` under names a FIX venue knows, and a venue's own book of orders for tests.

``Book`` is the counterparty's truth: every act is one JSON line, handed to the operating system before anybody is told.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from common.messages import Order, Side
from common.universe import Universe
from tests.execution_world import make_order, make_universe

IDS = tuple(
    f"{root} 2020-03-20 {what} @XCME" for root in ("ESH0", "NQH0") for what in ("F", "3000 C", "3000 P", "3100 C")
)
TICK = 0.25


def fix_universe() -> Universe:
    return replace(make_universe(), instrument_id=IDS)


def fix_order(name: str, instrument: int = 0, side: Side = Side.BUY, lots: int = 1, **changes: object) -> Order:
    return make_order(name, instrument, side, lots, **{"instrument_id": IDS[instrument], **changes})


@dataclass
class Held:
    """One order at the venue; money in ticks."""

    symbol: str
    side: str
    lots: int
    ticks: int
    cum: int = 0
    notional: int = 0
    status: str = "0"

    @property
    def working(self) -> bool:
        return self.status in ("0", "1")

    @property
    def average(self) -> float:
        return self.notional / self.cum * TICK if self.cum else 0.0


class Book:
    """Orders and fills of a venue, and the file that outlives it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.orders: dict[str, Held] = {}
        #: Units, and (leg, root, side, lots in one unit) of each leg; the legs are orders, too.
        self.combos: dict[str, tuple[int, list[tuple[str, str, str, int]]]] = {}
        self.fills = 0
        self.arrivals: Counter[str] = Counter()
        if path.exists():
            for line in path.read_text().splitlines():
                self._apply(json.loads(line))
        self._path = path

    def _apply(self, act: dict) -> None:
        name = act["name"]
        match act["act"]:
            case "order":
                self.arrivals[name] += 1
                held = Held(act["symbol"], act["side"], act["lots"], act["ticks"])
                self.orders.setdefault(name, held)
            case "combo":
                self.arrivals[name] += 1
                self.combos.setdefault(name, (act["units"], [tuple(leg) for leg in act["legs"]]))
                for leg, symbol, side, ratio in self.combos[name][1]:
                    self.orders.setdefault(leg, Held(symbol, side, act["units"] * ratio, 0))
            case "fills":
                for fill in act["fills"]:
                    self._apply({"act": "fill", **fill})
            case "fill":
                held = self.orders[name]
                held.cum += act["lots"]
                held.notional += act["lots"] * act["ticks"]
                if held.status in ("0", "1"):
                    held.status = "2" if held.cum >= held.lots else "1"
                self.fills += 1
            case "end":
                for leg in self.legs(name):
                    if self.orders[leg].working:
                        self.orders[leg].status = act["status"]

    def write(self, **act: object) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(act) + "\n")
        self._apply(act)

    def fill(self, name: str, lots: int, ticks: int) -> str:
        self.write(act="fill", name=name, lots=lots, ticks=ticks)
        return f"E{self.fills}"

    def legs(self, name: str) -> list[str]:
        return [leg for leg, *_ in self.combos[name][1]] if name in self.combos else [name]

    def working(self, name: str) -> bool:
        return any(self.orders[leg].working for leg in self.legs(name) if leg in self.orders)

    def units_filled(self, name: str) -> int:
        leg, _, _, ratio = self.combos[name][1][0]
        return self.orders[leg].cum // ratio

    def tags(self, leg: str) -> list[tuple[int, str]]:
        return [(55, self.orders[leg].symbol), (54, self.orders[leg].side)]

    def fill_combo(self, name: str, units: int, net_ticks: int) -> list[tuple[str, str, int, int]]:
        """One line for all legs: (leg, exec id, lots, price); the first leg's price makes good what the others cost."""
        (first, _, side, ratio), *others = self.combos[name][1]
        owed = net_ticks - sum((1 if s == "1" else -1) * n * 1000 for _, _, s, n in others)
        fills = [{"name": first, "lots": units * ratio, "ticks": owed // ratio if side == "1" else -(owed // ratio)}]
        fills += [{"name": leg, "lots": units * n, "ticks": 1000} for leg, _, _, n in others]
        before = self.fills
        self.write(act="fills", name=name, fills=fills)
        return [(f["name"], f"E{before + k}", f["lots"], f["ticks"]) for k, f in enumerate(fills, start=1)]

    def totals(self) -> dict[str, tuple[int, int]]:
        """Lots and lots × ticks of each order that filled."""
        return {name: (held.cum, held.notional) for name, held in self.orders.items() if held.cum}


def report(book: Book, name: str, exec_type: str, exec_id: str, **more: object) -> list[tuple[int, str]]:
    """Fields of an ExecutionReport of an order as the book has it, CumQty and AvgPx included."""
    held = book.orders[name]
    leaves = held.lots - held.cum if held.working else 0
    fields: list[tuple[int, object]] = [
        (37, f"V-{name}"),
        (11, name),
        (17, exec_id),
        (150, exec_type),
        (39, held.status),
        (55, held.symbol),
        (54, held.side),
        (38, held.lots),
        (14, held.cum),
        (151, max(leaves, 0)),
        (6, f"{held.average:.10g}"),
    ]
    fields += [(int(tag.removeprefix("t")), value) for tag, value in more.items()]
    return [(tag, str(value)) for tag, value in fields]


def whole(book: Book, name: str, exec_type: str, exec_id: str, **more: object) -> list[tuple[int, str]]:
    """Fields of an ExecutionReport of a whole combo: quantities in units, whatever the legs say."""
    units, legs = book.combos[name]
    cum, first = book.units_filled(name), book.orders[legs[0][0]]
    status = first.status if not book.working(name) else "1" if cum else "0"
    fields: list[tuple[int, object]] = [
        (37, f"V-{name}"), (11, name), (17, exec_id), (150, exec_type), (39, status), (442, "3"), (55, first.symbol),
        (54, "1"), (38, units), (14, cum), (151, units - cum if book.working(name) else 0), (6, "0"),
    ]  # fmt: skip
    fields += [(int(tag.removeprefix("t")), value) for tag, value in more.items()]
    return [(tag, str(value)) for tag, value in fields]


def unknown(name: str, side: str, symbol: str) -> list[tuple[int, str]]:
    """Answer to a question about an order the venue has never had."""
    return [
        (37, "NONE"), (11, name), (17, "0"), (150, "I"), (39, "8"), (103, "5"), (55, symbol), (54, side),
        (14, "0"), (151, "0"), (6, "0"), (58, "unknown order"),
    ]  # fmt: skip


def price_ticks(text: str) -> int:
    return round(float(text) / TICK)

"""Several desks for tests: a book of three on the synthetic market, and a manager whose desks a test moves by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from common import factors
from common.universe import Book
from common.universe import Desk as BookDesk
from lab.synthetic import SyntheticMarket, short_book
from manager import events as ev
from manager.config import ManagerConfig
from tests.manager_world import Desk

NAMES = ("index", "flow", "exotic")


def three_desks(market: SyntheticMarket, positions: int = 40, entities: Sequence[str] = ("LLC",) * 3) -> Book:
    """Three desks short, long and short of options picked at random, so that much of what they need cancels."""
    parts = [short_book(market, positions, seed=seed) for seed in (1, 2, 3)]
    signs = (1, -1, 1)
    return Book(
        "firm",
        tuple(f"account-{k}" for k, part in enumerate(parts) for _ in part.instrument),
        np.concatenate([part.instrument for part in parts]),
        np.concatenate([sign * part.quantity_lots for sign, part in zip(signs, parts, strict=True)]),
        desks=tuple(
            BookDesk(name, entity, (f"account-{k}",))
            for k, (name, entity) in enumerate(zip(NAMES, entities, strict=True))
        ),
    )


def one_desk(book: Book, name: str) -> Book:
    """The part of a book that one desk holds, as the whole book of a firm that has no other."""
    own = np.flatnonzero(book.desk_of_row == book.desk_names.index(name))
    accounts = tuple(book.account[int(i)] for i in own)
    return Book(book.book_id, accounts, book.instrument[own], book.quantity_lots[own])


class Desks(Desk):
    """A leading manager of desks a and b (and c of another entity), each with a delta agent on SPX unless told else."""

    def __init__(self, *, entities: Mapping[str, str], keys: Sequence[str] = ("gamma/SPX",), **more: Any) -> None:
        owner = {
            factors.at_desk(key, desk): f"{key.partition('/')[0]}-{k}"
            for k, desk in enumerate(entities)
            for key in keys
        }
        desks = tuple(BookDesk(name, entity, (f"account-{name}",)) for name, entity in entities.items())
        book = Book("book", (), np.empty(0, np.uint32), np.empty(0, np.int64), desks=desks)
        super().__init__(book=book, owner=owner, **more)

    def says(
        self,
        desk: str,
        exposure: Mapping[str, float],
        width: dict[str, float] | float,
        menu: Sequence[int] = (0,),
        wish: Mapping[int, float] | None = None,
        agent: str = "",
    ) -> None:
        """The desk's gamma agent states factors (names without a desk) and what it would do alone."""
        agent = agent or self.owner[factors.at_desk("gamma/SPX", desk)]
        lots = np.array([[(wish or {}).get(j, 0.0) for j in sorted(menu)]])
        self.propose(
            agent,
            {factors.at_desk(name, desk): x for name, x in exposure.items()},
            width,
            menu=menu,
            alone=dict(wish or {}),
            desk=(desk,),
            desk_alone_lots=lots,
        )

    def cycle(self) -> Any:
        """The cycle decided last."""
        return self.state.fold.last_cycle

    def settle(self) -> None:
        """Fill everything that is open, and check that a fold of the journal agrees."""
        for life in list(self.state.fold.orders.open.values()):
            self.fill(life.order)


def two(mode: str = "joint", **more: Any) -> Desks:
    """Desks a and b of one legal entity."""
    return Desks(entities={"a": "LLC", "b": "LLC"}, config=ManagerConfig(netting=mode), **more)


def market_moves(desks: Desks, seconds: float) -> None:
    """Time passes; everybody hears of it."""
    desks.feed(seconds)
    desks.send(ev.Decide(desks.now_ns, 0))

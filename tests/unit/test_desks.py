"""Desks as people write them, the names they give factors and keys, and what an agent says for each of them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.config import AgentsConfig
from agents.sharding import all_keys
from agents.step import AgentSetup, AgentState, Decide, start, step
from common import factors
from common.books import load_book
from common.desks import load_desks
from common.errors import InputError
from common.messages import AssignmentUpdate, BudgetUpdate, Header, PositionUpdate, Proposal
from common.universe import Book, Desk
from common.wire.codec import decode_book, encode_book
from lab.synthetic import SyntheticMarket
from tests.desks_world import NAMES, one_desk, three_desks

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MARKET = SyntheticMarket(session_s=180, step_s=60.0)
BOOK = three_desks(MARKET)
GOOD = '[desk.a]\nlegal_entity = "LLC"\naccounts = ["x", "y"]\n[desk.b]\nlegal_entity = "LLC"\naccounts = ["z"]\n'


@pytest.mark.parametrize(
    ("factor", "key", "underlying", "bucket"),
    [
        ("delta:SPX@rates", "gamma/SPX@rates", "SPX", ""),
        ("gamma:SPX@rates", "gamma/SPX@rates", "SPX", ""),
        ("vega:SPX/8-30d@us-rates", "vega/SPX/8-30d@us-rates", "SPX", "8-30d"),
        ("factor:common@rates", "cross_asset/common@rates", "", ""),
        ("proxy:MID@rates", "cross_asset/proxy/MID@rates", "MID", ""),
    ],
)
def test_names_of_a_desk_are_those_of_the_whole_book_with_the_desk_behind(factor, key, underlying, bucket):
    assert factors.key_of(factor) == key
    assert factors.key_of(factors.without_desk(factor)) == factors.without_desk(key)
    assert factors.underlying_of(factor) == underlying and factors.bucket_of(factor) == bucket
    assert factors.unit_of(factor) == factors.unit_of(factors.without_desk(factor))
    assert factors.at_desk(factors.without_desk(factor), factors.desk_of(factor)) == factor
    assert factors.kind_of("cross_asset-2@us-rates") == "cross_asset"


def test_a_desks_file_is_read_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "desks.toml").write_text(GOOD)
    assert load_desks(tmp_path / "desks.toml") == (Desk("a", "LLC", ("x", "y")), Desk("b", "LLC", ("z",)))
    assert len(load_desks(EXAMPLES / "desks/desks.toml")) == 3


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (GOOD.replace('["z"]', '["x"]'), 6, "belongs to desk 'a' already"),
        (GOOD.replace("[desk.b]", "[desk.B]"), 4, "small letters"),
        (GOOD.replace('["z"]', "[]"), 6, "at least 1 item"),
        (GOOD.replace('["z"]', '[" "]'), 6, "an account is empty"),
        (GOOD + "book = 1\n", 7, "unknown key"),
        (GOOD.replace('legal_entity = "LLC"\naccounts = ["z"]', 'accounts = ["z"]'), 4, "required"),
        (GOOD + "=", 7, "not TOML"),
        ("", 0, "empty"),
    ],
)
def test_a_desks_file_is_refused_whole_with_the_line(tmp_path: Path, text: str, line: int, reason: str) -> None:
    (tmp_path / "desks.toml").write_text(text)
    with pytest.raises(InputError, match=reason) as caught:
        load_desks(tmp_path / "desks.toml")
    assert [p.line for p in caught.value.problems] == [line]


def test_an_account_in_no_desk_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = (
        "account,instrument,quantity\nx,SPX 261218C05000000,5\nnobody,SPX 261218C05000000,-5\nz,SPX 261218C05000000,1\n"
    )
    (tmp_path / "book.csv").write_text(rows)
    assert len(load_book(tmp_path / "book.csv")) == 3
    with pytest.raises(InputError, match="'nobody' belongs to no desk; the desks have x, z") as caught:
        load_book(tmp_path / "book.csv", accounts=("x", "z"))
    assert [p.line for p in caught.value.problems] == [3]


def test_the_book_of_each_desk_is_its_accounts() -> None:
    n = len(MARKET.universe)
    assert BOOK.desk_names == NAMES
    np.testing.assert_array_equal(BOOK.desk_lots(n).sum(axis=0), BOOK.net_lots(n))
    for d, name in enumerate(NAMES):
        np.testing.assert_array_equal(BOOK.desk_lots(n)[d], one_desk(BOOK, name).net_lots(n))
    whole = replace(BOOK, desks=BOOK.desks[:1])
    assert whole.desk_names == ("",), "one desk is the whole book, without a name"
    with pytest.raises(KeyError):
        _ = replace(BOOK, desks=BOOK.desks[:2]).desk_of_row
    assert decode_book(encode_book(BOOK)).desks == BOOK.desks


def agent_of(
    book: Book, kind: str, traded: PositionUpdate | None = None, tight: float = 1.0
) -> tuple[AgentState, Proposal]:
    """The only shard of a kind, owner of every key, after the first quotes; and what it then says.

    ``tight``: the soft limits of desk flow as a part of the others'.
    """
    state = start(AgentSetup(MARKET.universe, book, kind, 0, AgentsConfig(), 1))
    keys = [k for k in all_keys(MARKET.universe, book, MARKET.session_bounds_ns[0][0]) if k.startswith(f"{kind}/")]
    limits = {"delta:AAA": 4e5, "gamma:AAA": 3e5, "vega:AAA/8-30d": 500.0}
    names = [factors.at_desk(name, desk) for desk in book.desk_names for name in limits]
    soft = np.array(
        [limits[factors.without_desk(name)] * (tight if factors.desk_of(name) == "flow" else 1) for name in names]
    )
    step(state, AssignmentUpdate(Header("manager", 1, 0), 1, dict.fromkeys(keys, f"{kind}-0")))
    empty = PositionUpdate(Header("manager", 1, 0), 1, np.empty(0, np.uint32), np.empty(0, np.int64))
    if len(book.desk_names) > 1:
        empty = replace(empty, desk=book.desk_names, desk_lots=np.empty((len(book.desk_names), 0), np.int64))
    step(state, traded or empty)
    step(state, BudgetUpdate(Header("manager", 1, 0), 1, tuple(names), soft, np.zeros(len(names)), 1e-4))
    for batch in MARKET.batches():
        step(state, batch)
    (said,) = step(state, Decide())[1]
    return state, said


@pytest.mark.parametrize("kind", factors.KINDS)
def test_an_agent_says_for_each_desk_what_an_agent_of_that_desk_alone_would_say(kind: str) -> None:
    _, together = agent_of(BOOK, kind)
    assert together.desk == tuple(sorted(NAMES))
    for name in NAMES:
        _, alone = agent_of(one_desk(BOOK, name), kind)
        at = [k for k, f in enumerate(together.factor) if factors.desk_of(f) == name]
        assert [factors.without_desk(together.factor[k]) for k in at] == list(alone.factor)
        np.testing.assert_array_equal(together.exposure[at], alone.exposure)
        np.testing.assert_array_equal(together.upper[at], alone.upper)
        np.testing.assert_array_equal(together.sensitivity[at], alone.sensitivity)
        np.testing.assert_array_equal(together.desk_alone_lots[together.desk.index(name)], alone.alone_lots)
        np.testing.assert_array_equal(together.menu, alone.menu)
    np.testing.assert_allclose(together.alone_lots, together.desk_alone_lots.sum(axis=0))


def test_a_desks_soft_limit_bounds_the_intervals_of_that_desk_only() -> None:
    _, before = agent_of(BOOK, "gamma")
    _, after = agent_of(BOOK, "gamma", tight=1e-3)
    narrower = after.upper < before.upper
    assert narrower.any()
    assert {factors.desk_of(n) for n, x in zip(after.factor, narrower, strict=True) if x} == {"flow"}
    assert after.upper[after.factor.index("delta:AAA@flow")] == 4e5 * 1e-3


def test_what_a_desk_traded_moves_that_desk_only() -> None:
    _, before = agent_of(BOOK, "gamma")
    lots = np.array([[0], [7], [-7]], np.int64)
    header = Header("manager", 2, 0)
    update = PositionUpdate(header, 2, np.array([0], np.uint32), lots.sum(axis=0), BOOK.desk_names, lots)
    _, after = agent_of(BOOK, "gamma", update)
    moved = dict(zip(after.factor, after.exposure - before.exposure, strict=True))
    future = dict(zip(before.factor, before.sensitivity[:, list(before.menu).index(0)], strict=True))
    assert moved["delta:AAA@index"] == 0.0 and moved["delta:BBB@flow"] == 0.0
    assert moved["delta:AAA@flow"] == pytest.approx(7 * future["delta:AAA@flow"])
    assert moved["delta:AAA@exotic"] == pytest.approx(-7 * future["delta:AAA@flow"])


def test_keys_are_those_of_one_desk_for_each() -> None:
    opens = MARKET.session_bounds_ns[0][0]
    whole = all_keys(MARKET.universe, replace(BOOK, desks=()), opens)
    keys = all_keys(MARKET.universe, BOOK, opens)
    assert set(keys) == {f"{key}@{name}" for key in whole for name in NAMES}


def test_the_example_is_rows_of_the_demo_book_dealt_to_three_accounts() -> None:
    def rows(name: str) -> list[dict[str, str]]:
        with (EXAMPLES / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    accounts, theirs = ("INDEX", "FLOW", "STRUCTURED"), rows("demo_book.csv")
    mine = rows("desks/book.csv")
    assert len(mine) == 180
    for k, (row, source) in enumerate(zip(mine, theirs, strict=False)):
        sign = -1 if accounts[k % 3] == "FLOW" else 1
        dealt = {**source, "account": accounts[k % 3], "quantity": str(sign * int(source["quantity"]))}
        assert row == dealt
    known = {account for desk in load_desks(EXAMPLES / "desks/desks.toml") for account in desk.accounts}
    assert known == set(accounts)

"""The story of an order holds every link of the chain, from the quote to the position."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from agents.config import AgentsConfig
from common.control_messages import Cycle, ImportedTrade, JournalEntry, ProposalTaken, TradesImported
from common.errors import Refused
from common.limits import load_limits
from common.messages import QuoteBatch
from console.story import Story, story
from execution.config import ExecutionConfig
from execution.limits import load_execution_limits
from lab.closed_loop import RunResult, configs_of, run
from lab.synthetic import SyntheticMarket, short_book
from manager.config import ManagerConfig

ROOT = Path(__file__).resolve().parents[2]
MARKET = SyntheticMarket(session_s=600, step_s=60.0)
BOOK = short_book(MARKET, 40)


@cache
def ran() -> RunResult:
    agents, manager = configs_of("joint", AgentsConfig(), ManagerConfig())
    limits = load_limits(ROOT / "examples/limits.toml")
    execution = ExecutionConfig(store=Path(), limits=load_execution_limits(ROOT / "examples/execution_limits.toml"))
    return run(MARKET, BOOK, agents, manager, limits, execution, run_id="r")


def told(order: str, **more: object) -> Story:
    return story(order, ran().entries, MARKET.universe, book=BOOK, **more)


def test_every_filled_order_has_its_whole_chain() -> None:
    result = ran()
    filled = {r.client_order_id for r in result.reports if r.last_lots}
    assert filled
    for name in sorted(filled):
        text = told(name).text()
        for words in (
            "1. The market",
            "2. The proposal",
            "(the cause)",
            "3. The decision",
            "4. The order",
            "5. Execution",
        ):
            assert words in text, text
        assert (
            "6. The position" in text and "FILLED" in text and "trigger:" in text and "Computed from positions" in text
        )
        assert "feed." in text and "Paid by: " in text and "nobody named" not in text


def test_the_position_is_the_book_and_the_fills_up_to_then() -> None:
    result = ran()
    last = [r for r in result.reports if r.last_lots][-1]
    found = told(last.client_order_id).as_json()["chapters"][-1]
    row = last.instrument
    assert found["opening_lots"] == BOOK.net_lots(len(MARKET.universe))[row]
    assert found["traded_lots"] == sum(
        r.side.sign * r.last_lots for r in result.reports if r.instrument == row and r.sequence <= last.sequence
    )


def test_what_clients_told_meanwhile_is_part_of_the_position() -> None:
    """A trade, its correction and another's cancellation; one on another contract, and one told after the order's last fill."""
    entries = list(ran().entries)
    last = [r for r in ran().reports if r.last_lots][-1]
    row, other = last.instrument, last.instrument + 1
    trades = (
        ImportedTrade("t1", "a", row, 5, 1.0, 0),
        ImportedTrade("t2", "a", row, 7, 1.0, 0),
        ImportedTrade("t3", "a", other, 11, 1.0, 0),
        ImportedTrade("t4", "a", row, -3, 1.0, 0, corrects="t1"),
        ImportedTrade("t5", "a", row, 7, 1.0, 0, cancels="t2"),
    )
    first = replace(entries[0], event=TradesImported("i1", trades))
    late = replace(entries[0], event=TradesImported("i2", (ImportedTrade("t6", "a", row, 13, 1.0, 0),)))
    told_of = story(last.client_order_id, [first, *entries, late], MARKET.universe, book=BOOK)
    found = told_of.as_json()["chapters"][-1]
    assert found["client_lots"] == -3
    held = found["opening_lots"] + found["traded_lots"] - 3
    assert f"stands at {held:+d} lots" in told_of.text() and "-3 told by clients since" in told_of.text()


def test_of_an_agent_that_was_started_anew_the_words_that_were_in_force_are_told() -> None:
    """Its numbers begin anew, so an id may have named other words before, after, and words that were refused."""
    entries = list(ran().entries)
    order = ran().orders[-1]
    at, taken = next(
        (k, e)
        for k, e in enumerate(entries)
        if isinstance(e.event, ProposalTaken) and e.event.proposal.header.id == order.cause_id
    )
    decided = next(k for k, e in enumerate(entries) if isinstance(e.event, Cycle) and order in e.event.orders)

    def other(source: str, incarnation: int, refusal: str = "") -> JournalEntry:
        proposal = taken.event.proposal
        said = replace(proposal, header=replace(proposal.header, cause_id=f"{source}:1"), incarnation=incarnation)
        return replace(taken, event=ProposalTaken(said, refusal))

    more = [
        other("before", 0),
        *entries[: at + 1],
        other("refused", 0, "OLD_INCARNATION"),
        *entries[at + 1 : decided + 1],
        other("after", 9),
        *entries[decided + 1 :],
    ]
    assert story(order.client_order_id, more, MARKET.universe, book=BOOK).text() == told(order.client_order_id).text()


def test_the_quote_is_told_when_the_recording_is_at_hand() -> None:
    batches = {(b.header.source, b.header.sequence): b for b in MARKET.batches()}

    def quotes(source: str, sequence: int) -> QuoteBatch | None:
        return batches.get((source, sequence))

    assert "changed 97 quotes" in told("last", quotes=quotes).text()
    assert "woke the agent" in told("last").text()


def test_where_nobody_had_spoken_anew_the_news_that_the_manager_looked_again_at_is_told() -> None:
    """As after a rest, or a quote of better size: an order is answered by the market alone."""
    order = ran().orders[-1]
    alone = replace(order, cause_id="feed.SPX:77")
    entries = [
        replace(e, event=replace(e.event, orders=tuple(alone if o == order else o for o in e.event.orders)))
        if isinstance(e.event, Cycle)
        else e
        for e in ran().entries
    ]
    text = story(order.client_order_id, entries, MARKET.universe, book=BOOK).text()
    assert "Nobody had spoken anew: the manager looked again at feed.SPX:77." in text and "(the cause)" not in text
    assert "Nobody had spoken" not in told(order.client_order_id).text()


def test_last_prefix_unknown_and_json() -> None:
    orders = ran().orders
    newest = told("last")
    assert newest.client_order_id == orders[-1].client_order_id
    assert told(orders[0].client_order_id[:16]).client_order_id == orders[0].client_order_id
    assert json.loads(json.dumps(newest.as_json()))["client_order_id"] == orders[-1].client_order_id
    with pytest.raises(Refused, match="no order 'nothing'"):
        told("nothing")
    with pytest.raises(Refused, match="fits"):
        told("")
    with pytest.raises(Refused, match="no order"):
        story("last", [], MARKET.universe)

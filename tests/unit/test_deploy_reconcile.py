"""What `hedgerow reconcile` asks, and how it tells what it heard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.errors import Unavailable, UsageError
from deploy.reconcile import address_of, lines

BREAK = {
    "kind": "POSITION",
    "subject": "ES",
    "text": "position that no fill explains: ES; here +1 lots, at the venue +2 lots",
    "since_wall_ns": 1_700_000_000 * 10**9,
}


def view(**changes: object) -> dict[str, object]:
    return {
        "venue": "paper", "fills": 1234, "orders": 2, "positions": 3, "breaks": [], "in_doubt": [], "state": "ACTIVE",
        "not_compared": "",
        **changes,
    }  # fmt: skip


def test_an_address_is_taken_as_it_is_and_a_run_folder_is_read(tmp_path: Path) -> None:
    assert address_of("10.0.0.7:5001") == "10.0.0.7:5001"
    (tmp_path / "run.json").write_text(json.dumps({"nats_url": "nats://x", "execution_address": "127.0.0.1:7"}))
    assert address_of(str(tmp_path)) == "127.0.0.1:7"
    (tmp_path / "journal.bin").write_bytes(b"")
    with pytest.raises(Unavailable, match="has ended"):
        address_of(str(tmp_path))


@pytest.mark.parametrize("target", ["nowhere", "a/b:1", "host:", ":1"])
def test_what_is_neither_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match="neither a run folder nor HOST:PORT"):
        address_of(target)


def test_breaks_come_with_their_time_and_the_trading_state() -> None:
    assert list(lines(view()))[-1] == "both sides agree"
    said = list(lines(view(breaks=[BREAK], in_doubt=[BREAK], state="PAUSED")))
    assert said[0] == "venue paper: 1,234 fills compared, 2 orders open there, 3 positions"
    assert said[1] == f"{BREAK['text']}; since 2023-11-14 22:13:20 UTC"
    assert said[2].startswith("in doubt, it may be under way: position")
    assert said[3] == "1 breaks; trading is PAUSED"


def test_a_venue_asked_order_by_order_says_what_that_cannot_show() -> None:
    said = list(lines(view(fills=0, orders=12, not_compared="single fills")))
    assert said == [
        "venue paper: asked about 12 orders, which make 3 positions",
        "not compared: single fills",
        "both sides agree",
    ]

from __future__ import annotations

from pathlib import Path

import pytest

from common.clock import ManualClock
from execution.venues.fix.message import FixMessage, Tag
from execution.venues.fix.message_log import MessageLog
from execution.venues.fix.redaction import Redaction

LOGON = "8=FIX.4.4\x0135=A\x01553=desk\x01554=open sesame\x01925=next=word\x0110=001\x01"


def test_the_fields_of_passwords_are_struck_out_whatever_is_known_of_them() -> None:
    for known in ((), ("open sesame",), ("",)):
        assert Redaction(*known).line(LOGON) == "8=FIX.4.4\x0135=A\x01553=desk\x01554=***\x01925=***\x0110=001\x01"
    assert Redaction().line("554=first\x01155=1554\x01") == "554=***\x01155=1554\x01"


@pytest.mark.parametrize(
    ("secret", "text", "left"),
    [
        ("open sesame", "58=password 'open sesame' is wrong", "58=password '***' is wrong"),
        # What might be a price or a part of an order's id stays what it is.
        ("100", "44=100\x0111=o100", "44=100\x0111=o100"),
        ("secret", "58=secret, secret", "58=***, ***"),
    ],
)
def test_a_secret_is_struck_out_where_a_venue_repeats_it(secret: str, text: str, left: str) -> None:
    assert Redaction(secret).line(text) == left


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert Redaction("secret", "secret word").line("a secret word") == "a ***"


def test_only_the_text_of_a_message_is_changed() -> None:
    message = FixMessage("3", ((Tag.ClOrdID, "open sesame"), (Tag.Text, "no: open sesame")))
    told = Redaction("open sesame").message(message)
    assert told.fields == ((Tag.ClOrdID, "open sesame"), (Tag.Text, "no: ***"))
    assert Redaction("abc").message(message) is message


def test_the_log_is_its_owners_alone_and_one_line_a_message(tmp_path: Path) -> None:
    log = MessageLog(tmp_path / "log", Redaction(), ManualClock(1_600_000_000_123_000_000))
    log.outgoing(LOGON)
    log.incoming("58=one\nline \udcff")
    log.event("Connecting")
    log.close()
    log.event("again")
    log.close()
    folder = tmp_path / "log"
    assert (folder / "messages.log").read_bytes().splitlines() == [
        b"20200913-12:26:40.123 > 8=FIX.4.4\x0135=A\x01553=desk\x01554=***\x01925=***\x0110=001\x01",
        b"20200913-12:26:40.123 < 58=one\\nline \xff",
    ]
    assert [line.split()[1] for line in (folder / "events.log").read_text().splitlines()] == ["Connecting", "again"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_log_that_cannot_be_written_is_told_once_and_stops_nothing(tmp_path: Path, caplog) -> None:
    (tmp_path / "log").write_text("in the way")
    log = MessageLog(tmp_path / "log", Redaction(), ManualClock(0))
    log.event("a")
    log.event("b")
    assert [r.message.split(":")[0] for r in caplog.records] == [
        f"the FIX log {tmp_path / 'log/events.log'} cannot be written"
    ]

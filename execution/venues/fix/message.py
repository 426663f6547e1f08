"""FIX 4.4 messages as tag and value, and the tags this gateway knows. Bytes and sequence numbers are the engine's affair.

Names as in FIX 4.4, volume 6; ``FIX44.xml`` in this folder holds the same as a dictionary for engines.
*Tested by* tests/unit/test_fix_translate.py, tests/unit/test_fix_dictionary.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from functools import cached_property
from typing import Final

SOH: Final = "\x01"
BEGIN_STRING: Final = "FIX.4.4"
#: What is believed of a venue's numbers and texts; beyond, a report cannot be read and is disputed.
NUMBER_LENGTH, NUMBER_MAX, LOTS_MAX, TEXT_MAX = 40, 10**12, 10**9, 1000
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
#: A repeated group is flattened into the fields, count first, so a tag may stand more than once.
Fields = tuple[tuple[int, str], ...]


class Tag(IntEnum):
    """Tag numbers by name."""

    Account = 1
    AvgPx = 6
    BeginSeqNo = 7
    ClOrdID = 11
    Commission = 12
    CommType = 13
    CumQty = 14
    ExecID = 17
    ExecRefID = 19
    HandlInst = 21
    LastPx = 31
    LastQty = 32
    MsgSeqNum = 34
    MsgType = 35
    OrderID = 37
    OrderQty = 38
    OrdStatus = 39
    OrdType = 40
    OrigClOrdID = 41
    PossDupFlag = 43
    Price = 44
    RefSeqNum = 45
    Side = 54
    Symbol = 55
    Text = 58
    TimeInForce = 59
    TransactTime = 60
    OrdRejReason = 103
    CxlRejReason = 102
    TestReqID = 112
    ExecType = 150
    LeavesQty = 151
    SecurityType = 167
    MaturityMonthYear = 200
    PutOrCall = 201
    StrikePrice = 202
    SecurityExchange = 207
    RefTagID = 371
    RefMsgType = 372
    ExecRestatementReason = 378
    BusinessRejectRefID = 379
    BusinessRejectReason = 380
    CxlRejResponseTo = 434
    #: What a report is of: 1 a single contract, 2 a leg of a combo, 3 the combo.
    MultiLegReportingType = 442
    MassCancelRequestType = 530
    MassCancelResponse = 531
    MaturityDate = 541
    NoLegs = 555
    MultiLegRptTypeReq = 563
    MassStatusReqID = 584
    MassStatusReqType = 585
    LastRptRequested = 912
    LegSymbol = 600
    LegSecurityType = 609
    LegMaturityMonthYear = 610
    LegMaturityDate = 611
    LegStrikePrice = 612
    LegSecurityExchange = 616
    LegRatioQty = 623
    LegSide = 624
    LegRefID = 654
    #: FIX 4.4 has no LegPutOrCall; the right of a leg is the second letter of its CFI code.
    LegCFICode = 608


class MsgType:
    """Codes of the messages this gateway sends and takes."""

    HEARTBEAT: Final = "0"
    TEST_REQUEST: Final = "1"
    RESEND_REQUEST: Final = "2"
    REJECT: Final = "3"
    LOGON: Final = "A"
    EXECUTION_REPORT: Final = "8"
    CANCEL_REJECT: Final = "9"
    BUSINESS_REJECT: Final = "j"
    MASS_CANCEL_REPORT: Final = "r"
    NEW_ORDER: Final = "D"
    CANCEL: Final = "F"
    REPLACE: Final = "G"
    STATUS: Final = "H"
    MASS_STATUS: Final = "AF"
    MASS_CANCEL: Final = "q"
    MULTILEG: Final = "AB"


#: Messages that bring an order to the venue.
SENDS_ORDERS: Final = (MsgType.NEW_ORDER, MsgType.REPLACE, MsgType.MULTILEG)


@dataclass(frozen=True)
class FixMessage:
    """A message without the engine's own framing. ``fields`` in order, header fields included on what came in."""

    msg_type: str
    fields: Fields

    @cached_property
    def first(self) -> Mapping[int, str]:
        """The first value of each tag: what stands before any repeated group."""
        out: dict[int, str] = {}
        for tag, value in self.fields:
            out.setdefault(tag, value)
        return out

    def text(self, tag: Tag) -> str:
        """Value of a tag, "" if absent, of Text (58) the first ``TEXT_MAX`` characters: it is kept with the order."""
        found = self.first.get(tag, "")
        return found[:TEXT_MAX] if tag == Tag.Text else found

    def decimal(self, tag: Tag) -> Decimal | None:
        """A number, None if absent. Raises ``ValueError`` naming tag and value if it is none as FIX writes one, or absurd.

        Digits, a sign, a point: an exponent would let a few characters stand for a number that fills the memory.
        """
        found = self.first.get(tag)
        if found is None:
            return None
        if len(found) > NUMBER_LENGTH or _NUMBER.fullmatch(found) is None:
            raise ValueError(f"{tag.name} ({int(tag)}) is {found[:NUMBER_LENGTH]!r}, which is not a number")
        number = Decimal(found)
        if abs(number) >= NUMBER_MAX:
            raise ValueError(f"{tag.name} ({int(tag)}) is {found}, limit {NUMBER_MAX}")
        return number

    def lots(self, tag: Tag) -> int | None:
        """A quantity in whole lots, None if absent. Raises ``ValueError`` on a fraction or below zero."""
        number = self.decimal(tag)
        if number is None:
            return None
        if number != number.to_integral_value() or number < 0 or number > LOTS_MAX:
            raise ValueError(f"{tag.name} ({int(tag)}) is {number}, limit whole lots from 0 to {LOTS_MAX}")
        return int(number)

    def number(self, tag: Tag) -> int:
        """A whole number of the session layer, 0 if absent or none."""
        found = self.first.get(tag, "")
        return int(found) if found.isascii() and found.isdigit() and len(found) < 19 else 0


def parse(raw: str) -> FixMessage:
    """Tag and value of a framed message. Fields that are no ``tag=value`` are left out: the engine has checked the framing.

    Bytes that are no UTF-8 (a text in Latin-1) stand as ``\\xe9``.
    """
    try:
        raw.encode()
    except (
        UnicodeEncodeError
    ):  # bytes that are no UTF-8, as the engine marks them: nothing that has them can be stored or told
        raw = raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    fields = []
    for part in raw.split(SOH):
        tag, equals, value = part.partition("=")
        if equals and tag.isascii() and tag.isdigit() and len(tag) < 10:
            fields.append((int(tag), value))
    kind = next((value for tag, value in fields if tag == Tag.MsgType), "")
    return FixMessage(kind, tuple(fields))


def unframed(message: FixMessage) -> str:
    """The message as text with a placeholder for length and checksum, for an engine to take up."""
    body = SOH.join(f"{int(tag)}={value}" for tag, value in message.fields)
    return f"8={BEGIN_STRING}{SOH}9=0{SOH}35={message.msg_type}{SOH}{body}{SOH}10=000{SOH}"

"""An instrument from FIX tags, by name or number: Symbol (55), SecurityType (167), MaturityDate (541) and the rest.

| tag | used for |
|---|---|
| Symbol 55 | root of the contract (``SPX``, ``ES``, ``ESH0``) |
| SecurityType 167 | OPT, OOF, OOP: option; FUT: future |
| CFICode 461 (ISO 10962) | O or F first; C or P second; A or E third, of an option |
| MaturityDate 541 | expiry date, ``YYYYMMDD`` |
| MaturityMonthYear 200 | the same, or ``YYYYMM`` where the listing rule of the root gives the day |
| StrikePrice 202, PutOrCall 201 | strike; 0 put, 1 call |
| ContractMultiplier 231, SecurityExchange 207, Currency 15 | checked against the terms of the root |

Two tags that contradict each other, or the terms of the root, refuse the row. FIX 4.4, volume 6 (data dictionary).
*Tested by* tests/unit/test_symbols_fix.py, tests/properties/test_symbols_round_trip.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from common.instruments import CALL, NEVER_NS, PUT, Instrument, TermsOf, future, option
from common.instruments_cme import MonthCode, expiry_of, is_series
from common.universe import AMERICAN, FUTURE

#: Tag numbers of the columns that name a contract.
TAGS = {
    "Symbol": 55,
    "SecurityType": 167,
    "CFICode": 461,
    "MaturityDate": 541,
    "MaturityMonthYear": 200,
    "StrikePrice": 202,
    "PutOrCall": 201,
    "ContractMultiplier": 231,
    "SecurityExchange": 207,
    "Currency": 15,
}
_OPTION_TYPES = ("OPT", "OOF", "OOP")

#: Root as listed for an expiry date: ``ES`` and 2020-03-20 are ``ESH0``.
RootOf = Callable[[str, date], str]


def parse_fix(tags: Mapping[str, str], terms_of: TermsOf, root_of: RootOf) -> Instrument:
    """The instrument of a row of tags (by name; empty text: absent). Raises ``ValueError`` that names what is wrong."""
    symbol = tags.get("Symbol", "")
    if not symbol:
        raise ValueError("Symbol is empty")
    right = _right(tags)
    day = _day(tags, symbol)
    root = root_of(symbol, day)
    if right == 0:
        if tags.get("StrikePrice", "") not in ("", "0"):
            raise ValueError(f"a future has no strike, but StrikePrice is {tags['StrikePrice']!r}")
        return _consistent(future(root, day, terms_of), tags)
    return _consistent(option(root, day, _number(tags, "StrikePrice"), right, terms_of), tags)


def _right(tags: Mapping[str, str]) -> int:
    """+1, -1, or 0 for a future, as every tag that speaks of it agrees."""
    cfi, kind, side = tags.get("CFICode", ""), tags.get("SecurityType", ""), tags.get("PutOrCall", "")
    said: dict[str, int] = {}
    if cfi:
        if cfi[0] == "F":
            said["CFICode"] = 0
        elif cfi[0] == "O" and cfi[1:2] in ("C", "P"):
            said["CFICode"] = CALL if cfi[1] == "C" else PUT
        else:
            raise ValueError(f"CFICode {cfi!r} is neither an option (OC…, OP…) nor a future (F…)")
    if side:
        if side not in ("0", "1"):
            raise ValueError(f"PutOrCall {side!r} is neither 0 (put) nor 1 (call)")
        said["PutOrCall"] = CALL if side == "1" else PUT
    if kind:
        if kind not in (*_OPTION_TYPES, "FUT"):
            raise ValueError(f"SecurityType {kind!r} is neither {', '.join(_OPTION_TYPES)} nor FUT")
        if kind == "FUT":
            said["SecurityType"] = 0
        elif not said:
            raise ValueError(f"SecurityType {kind} needs PutOrCall or CFICode")
        elif 0 in said.values():
            said["SecurityType"] = CALL
    if not said:
        raise ValueError("neither SecurityType, CFICode nor PutOrCall says what is traded")
    if len(set(said.values())) > 1:
        raise ValueError(f"{', '.join(said)} contradict each other")
    return next(iter(said.values()))


def _day(tags: Mapping[str, str], symbol: str) -> date:
    full, month = tags.get("MaturityDate", ""), tags.get("MaturityMonthYear", "")
    text = full or month
    if not text:
        raise ValueError("neither MaturityDate nor MaturityMonthYear is given")
    if len(text) == 6 and text.isdigit() and not full:
        if not 1 <= int(text[4:]) <= 12:
            raise ValueError(f"MaturityMonthYear {text!r} is not a month")
        return expiry_of(MonthCode(symbol, int(text[:4]), int(text[4:])))
    try:
        if len(text) != 8 or not text.isdigit():
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{'MaturityDate' if full else 'MaturityMonthYear'} {text!r} is not YYYYMMDD") from None
    if full and month and not full.startswith(month[:6]):
        raise ValueError(f"MaturityMonthYear {month} contradicts MaturityDate {full}")
    return day


def _number(tags: Mapping[str, str], name: str) -> float:
    try:
        return float(tags.get(name, ""))
    except ValueError:
        raise ValueError(f"{name} {tags.get(name, '')!r} is not a number") from None


def _consistent(found: Instrument, tags: Mapping[str, str]) -> Instrument:
    if tags.get("ContractMultiplier") and _number(tags, "ContractMultiplier") != found.multiplier:
        raise ValueError(
            f"ContractMultiplier {tags['ContractMultiplier']} contradicts the {found.multiplier:g} known of {found.root}"
        )
    for name, known in (("SecurityExchange", found.mic), ("Currency", found.currency)):
        if tags.get(name) and tags[name] != known:
            raise ValueError(f"{name} {tags[name]} contradicts the {known} known of {found.root}")
    cfi = tags.get("CFICode", "")
    if cfi[:1] == "O" and cfi[2:3] in ("A", "E") and (cfi[2] == "A") != (found.style == AMERICAN):
        raise ValueError(f"CFICode {cfi} contradicts the exercise style known of {found.root}")
    return found


def format_fix(instrument: Instrument) -> dict[str, str]:
    """The tags of an instrument, by name. Raises ``ValueError`` for a perpetual, which has no maturity."""
    if instrument.expiry_ns == NEVER_NS:
        raise ValueError(f"{instrument.id} has no MaturityDate")
    kind = "FUT" if instrument.kind == FUTURE else "OOF" if instrument.on_future else "OPT"
    tags = {
        "Symbol": instrument.root,
        "SecurityType": kind,
        "MaturityDate": f"{instrument.expiry:%Y%m%d}",
        "ContractMultiplier": repr(instrument.multiplier),
        "SecurityExchange": instrument.mic,
        "Currency": instrument.currency,
    }
    if instrument.kind != FUTURE:
        side, style = "C" if instrument.right == CALL else "P", "A" if instrument.style == AMERICAN else "E"
        tags |= {
            "CFICode": f"O{side}{style}".ljust(6, "X"),
            "StrikePrice": repr(instrument.strike),
            "PutOrCall": "1" if instrument.right == CALL else "0",
        }
    elif is_series(instrument.root):
        raise ValueError(f"{instrument.root} is a series of options")
    return tags

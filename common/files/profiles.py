"""The built-in layouts, and which of them a header belongs to. One line a column: docs/FILES.md shows each as a file.

*Tested by* tests/unit/test_files_profiles.py, tests/golden/test_files_spx.py, tests/golden/test_files_es.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from common.errors import InputError, Problem
from common.files.layouts import Column, Layout
from common.files.raw import REMEDY
from common.files.values import Stamp
from common.instruments_fix import TAGS
from common.units import NS_PER_MIN

PROFILES = ("hedgerow", "lean", "yahoo", "deribit", "tardis", "fix", "custom")
_RIGHTS = {"call": "C", "put": "P", "c": "C", "p": "P", "f": "F", "future": "F"}
_PERCENT = 0.01


def _need(*names: str, stamp: str = "iso") -> Column:
    return Column(names, stamp=Stamp(stamp))


def _may(*names: str, scale: float = 1.0, stamp: str = "iso") -> Column:
    return Column(names, needed=False, scale=scale, stamp=Stamp(stamp))


_EXPLICIT = {
    "root": _need("underlying"),
    "expiry": _need("expiry"),
    "strike": _need("strike"),
    "right": Column(("right",), values=_RIGHTS),
}
_SYMBOL = {"symbol": _need("instrument")}
_SIDES = {name: _need(name) for name in ("bid", "ask")}
_SIZES = {name: _may(name) for name in ("bid_size", "ask_size")}
_OWN: dict[str, tuple[dict[str, Column], tuple[str, ...]]] = {
    "chain": (
        _SIDES
        | _SIZES
        | {name: _may(name) for name in ("last", "volume", "open_interest", "mark", "vendor_iv", "underlying_price")}
        | {"as_of": _may("as_of"), "last_trade": _may("last_trade")},
        ("instrument", "as_of"),
    ),
    "quotes": (_SIDES | _SIZES | {"event_time": _need("ts"), "receive_time": _may("receive_ts")}, ("row",)),
    "book": (
        {"account": _need("account"), "quantity": _need("quantity")}
        | {name: _may(name) for name in ("average_price", "as_of")},
        (),
    ),
    "trades": (
        {name: _need(name) for name in ("trade_id", "quantity", "price")}
        | {"trade_time": _need("ts")}
        | {name: _may(name) for name in ("account", "side", "corrects", "cancels")},
        ("trade_id",),
    ),
}


def _own(table: str) -> tuple[Layout, Layout]:
    columns, unique = _OWN[table]
    return (
        Layout("hedgerow", table, "any", _SYMBOL | columns, unique, others=False),
        Layout("hedgerow", table, "explicit", _EXPLICIT | columns, unique, others=False),
    )


def _fix(table: str, columns: dict[str, Column], unique: tuple[str, ...]) -> Layout:
    tags = {name: Column((name, str(tag)), needed=name == "Symbol") for name, tag in TAGS.items()}
    return Layout("fix", table, "fix", tags | columns, unique)


_SURFACE = Layout(
    "hedgerow",
    "surface",
    "any",
    {name: _need(name) for name in ("underlying", "expiry", "strike", "vol")}
    | {name: _may(name) for name in ("forward", "discount", "as_of")},
    ("underlying", "expiry", "strike", "as_of"),
    others=False,
)
_YAHOO = Layout(
    "yahoo",
    "chain",
    "osi",
    {
        "symbol": _need("contractSymbol"),
        "last_trade": _need("lastTradeDate"),
        "strike": _need("strike"),
        "last": _need("lastPrice"),
        "bid": _need("bid"),
        "ask": _need("ask"),
        "volume": _may("volume"),
        "open_interest": _may("openInterest"),
        "vendor_iv": _need("impliedVolatility"),
        "contract_size": _may("contractSize"),
        "currency": _may("currency"),
    },
    ("instrument",),
)
_YAHOO_NORMALISED = Layout(
    "yahoo",
    "chain",
    "osi",
    {
        "symbol": _need("symbol"),
        "root": _need("root"),
        "expiry": _need("expiration"),
        "right": Column(("right",), values=_RIGHTS),
        "strike": _need("strike"),
        "bid": _need("bid"),
        "ask": _need("ask"),
        "last": _need("last"),
        "last_trade": _need("last_trade_ts"),
        "volume": _may("volume"),
        "open_interest": _may("open_interest"),
        "vendor_iv": _need("vendor_iv"),
    },
    ("instrument",),
)
_DERIBIT = Layout(
    "deribit",
    "chain",
    "deribit",
    {
        "symbol": _need("instrument_name"),
        "bid": _need("bid_price"),
        "ask": _need("ask_price"),
        "mark": _need("mark_price"),
        "last": _may("last", "last_price"),
        "volume": _may("volume"),
        "open_interest": _may("open_interest"),
        "vendor_iv": _may("mark_iv", scale=_PERCENT),
        "underlying_price": _may("underlying_price"),
        "as_of": _may("creation_timestamp", stamp="ms"),
    },
    ("instrument",),
)
_TARDIS_HEAD = {"exchange": _need("exchange"), "symbol": _need("symbol")}
_TARDIS_CHAIN = Layout(
    "tardis",
    "chain",
    "deribit",
    _TARDIS_HEAD
    | {
        "as_of": _need("timestamp", stamp="us"),
        "receive_time": _need("local_timestamp", stamp="us"),
        "right": Column(("type",), values=_RIGHTS),
        "strike": _need("strike_price"),
        "expiry": _need("expiration", stamp="us"),
        "bid": _need("bid_price"),
        "bid_size": _need("bid_amount"),
        "ask": _need("ask_price"),
        "ask_size": _need("ask_amount"),
        "last": _may("last_price"),
        "open_interest": _may("open_interest"),
        "mark": _may("mark_price"),
        "vendor_iv": _may("mark_iv", scale=_PERCENT),
        "underlying_price": _may("underlying_price"),
    },
    ("row",),
)
_TARDIS_QUOTES = Layout(
    "tardis",
    "quotes",
    "deribit",
    _TARDIS_HEAD
    | {
        "event_time": _need("timestamp", stamp="us"),
        "receive_time": _need("local_timestamp", stamp="us"),
        "ask_size": _need("ask_amount"),
        "ask": _need("ask_price"),
        "bid": _need("bid_price"),
        "bid_size": _need("bid_amount"),
    },
    ("row",),
)
_LEAN_NORMALISED = Layout(
    "lean",
    "quotes",
    "explicit",
    _EXPLICIT
    | {
        "event_time": _need("ts"),
        "bid": _need("bid_close"),
        "ask": _need("ask_close"),
        "bid_size": _need("bid_size"),
        "ask_size": _need("ask_size"),
    },
    ("row",),
    delay_ns=NS_PER_MIN,
)
LAYOUTS: tuple[Layout, ...] = (
    *_own("chain"),
    *_own("quotes"),
    *_own("book"),
    *_own("trades"),
    _SURFACE,
    _YAHOO,
    _YAHOO_NORMALISED,
    _DERIBIT,
    _TARDIS_CHAIN,
    _TARDIS_QUOTES,
    _LEAN_NORMALISED,
    _fix(
        "chain",
        {
            "bid": _need("BidPx", "132"),
            "ask": _need("OfferPx", "133"),
            "bid_size": _may("BidSize", "134"),
            "ask_size": _may("OfferSize", "135"),
            "last": _may("LastPx", "31"),
            "as_of": _may("TransactTime", "60", stamp="fix"),
        },
        ("instrument", "as_of"),
    ),
    _fix(
        "quotes",
        {
            "event_time": _need("TransactTime", "60", stamp="fix"),
            "bid": _need("BidPx", "132"),
            "ask": _need("OfferPx", "133"),
            "bid_size": _may("BidSize", "134"),
            "ask_size": _may("OfferSize", "135"),
        },
        ("row",),
    ),
    _fix(
        "book",
        {
            "account": _need("Account", "1"),
            "long_quantity": _need("LongQty", "704"),
            "short_quantity": _need("ShortQty", "705"),
            "average_price": _may("AvgPx", "6"),
        },
        (),
    ),
    _fix(
        "trades",
        {
            "trade_id": _need("ExecID", "17"),
            "account": _may("Account", "1"),
            "side": Column(("Side", "54"), values={"1": "buy", "2": "sell"}),
            "quantity": _need("LastQty", "32"),
            "price": _need("LastPx", "31"),
            "trade_time": _need("TransactTime", "60", stamp="fix"),
        },
        ("trade_id",),
    ),
)


def choose(path: str, table: str, profile: str, header: Sequence[str], line: int = 1) -> Layout:
    """The layout of a header: of the named profile, or of the only one that fits. Raises ``InputError`` otherwise."""
    of_table = [layout for layout in LAYOUTS if layout.table == table and profile in ("auto", layout.profile)]
    fitting = [layout for layout in of_table if not layout.missing(header)]
    if profile == "auto":
        names = list(dict.fromkeys(layout.profile for layout in fitting))
        if len(names) != 1:
            raise InputError(path, [Problem(line, _undecided(table, names, of_table, header))], REMEDY)
    elif not of_table:
        raise InputError(
            path, [Problem(0, f"profile {profile!r} has no {table}")], "name another profile: docs/FILES.md"
        )
    layout = fitting[0] if fitting else min(of_table, key=lambda one: len(one.missing(header)))
    problems = layout.header_problems(header, line)
    if problems:
        raise InputError(path, problems, REMEDY)
    return layout


def _undecided(table: str, names: list[str], of_table: list[Layout], header: Sequence[str]) -> str:
    if names:
        return f"the header fits the profiles {', '.join(names)}; say which with --profile"
    nearest = min(of_table, key=lambda one: len(one.missing(header)))
    known = ", ".join(dict.fromkeys(layout.profile for layout in of_table))
    lacks = ", ".join(repr(name) for name in nearest.missing(header))
    return f"the header fits no profile for {table} ({known}); nearest is {nearest.profile}, which lacks {lacks}"

"""The one way in: a file, a profile, and either the whole of it as a typed table or an error that names every bad line.

Every function takes ``path`` (CSV, CSV in gzip, parquet; Deribit's JSON; LEAN's archives), ``profile`` (`PROFILES`, or
``auto``: the only one whose columns the header has), ``mapping`` (a mapping file: profile ``custom``), ``contracts`` (terms of
roots that are not built in), ``quarantine`` (write bad records there and load the others) and ``as_of_ns`` (the moment of
a file that does not say it; also the date from which one-digit years are read).
Raises ``InputError`` (exit code 4) with every bad line; ``UsageError`` (2) where the arguments make no sense.
*Tested by* tests/unit/test_files_read.py, tests/golden/test_files_spx.py, tests/golden/test_files_es.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from common.errors import InputError, UsageError
from common.files.contracts import load_contracts
from common.files.layouts import Layout
from common.files.lean import is_lean, lean_file
from common.files.load import Loaded, load
from common.files.mapping import load_mapping
from common.files.profiles import PROFILES, choose
from common.files.raw import REMEDY, RawFile, csv_file, read_bytes, refuse
from common.files.raw_other import json_file, parquet_file
from common.files.tables import NO_TIME, BookTable, ChainTable, QuoteTable, SurfaceTable, TradeTable
from common.instruments_contracts import BUILT_IN, Contracts
from common.messages import I64

Name = str | Path


def read_chain(
    path: Name,
    profile: str = "auto",
    mapping: Name | None = None,
    contracts: Name | Contracts | None = None,
    quarantine: Name | None = None,
    as_of_ns: int | None = None,
) -> ChainTable:
    """An option chain. Rows without a moment of their own get ``as_of_ns`` (mapping's, then the argument's)."""
    found, moment = _load("chain", path, profile, mapping, contracts, quarantine, as_of_ns)
    return ChainTable(
        found.source,
        found.listing,
        found.instrument,
        found.line,
        found.time("as_of", moment),
        bid=found.number("bid"),
        ask=found.number("ask"),
        bid_size=found.number("bid_size"),
        ask_size=found.number("ask_size"),
        last=found.number("last"),
        last_trade_ns=found.time("last_trade"),
        volume=found.number("volume"),
        open_interest=found.number("open_interest"),
        mark=found.number("mark"),
        vendor_iv=found.number("vendor_iv"),
        underlying_price=found.number("underlying_price"),
    )


def read_quotes(
    path: Name,
    profile: str = "auto",
    mapping: Name | None = None,
    contracts: Name | Contracts | None = None,
    quarantine: Name | None = None,
    as_of_ns: int | None = None,
) -> QuoteTable:
    """Top-of-book quotes, in file order."""
    found, _ = _load("quotes", path, profile, mapping, contracts, quarantine, as_of_ns)
    return QuoteTable(
        found.source,
        found.listing,
        found.instrument,
        found.line,
        found.time("event_time"),
        found.time("receive_time"),
        *(found.number(name) for name in ("bid", "ask", "bid_size", "ask_size")),
    )


def read_book(
    path: Name,
    profile: str = "auto",
    mapping: Name | None = None,
    contracts: Name | Contracts | None = None,
    quarantine: Name | None = None,
    as_of_ns: int | None = None,
    book_id: str | None = None,
) -> BookTable:
    """A book of positions; ``book_id`` defaults to the file's stem."""
    found, moment = _load("book", path, profile, mapping, contracts, quarantine, as_of_ns)
    if "quantity" in found.numbers:
        lots = found.numbers["quantity"]
    else:
        lots = np.nan_to_num(found.number("long_quantity")) - np.nan_to_num(found.number("short_quantity"))
    name = Path(path).name
    return BookTable(
        found.source,
        book_id or name.removesuffix(".gz").rpartition(".")[0] or name,
        found.listing,
        found.instrument,
        found.line,
        found.text("account"),
        _lots(lots),
        found.number("average_price"),
        found.time("as_of", moment),
    )


def read_trades(
    path: Name,
    profile: str = "auto",
    mapping: Name | None = None,
    contracts: Name | Contracts | None = None,
    quarantine: Name | None = None,
    as_of_ns: int | None = None,
) -> TradeTable:
    """Trades to import. A column ``side`` signs quantities that are not signed themselves."""
    found, _ = _load("trades", path, profile, mapping, contracts, quarantine, as_of_ns)
    sides = np.array([-1.0 if side == "sell" else 1.0 for side in found.text("side")])
    return TradeTable(
        found.source,
        found.listing,
        found.instrument,
        found.line,
        found.text("trade_id"),
        found.text("account"),
        _lots(found.number("quantity") * sides),
        found.number("price"),
        found.time("trade_time"),
        found.text("corrects"),
        found.text("cancels"),
    )


def read_surface(
    path: Name,
    profile: str = "auto",
    mapping: Name | None = None,
    contracts: Name | Contracts | None = None,
    quarantine: Name | None = None,
    as_of_ns: int | None = None,
) -> SurfaceTable:
    """Points of volatility surfaces."""
    found, moment = _load("surface", path, profile, mapping, contracts, quarantine, as_of_ns)
    names = found.text("underlying")
    underlyings = tuple(dict.fromkeys(names))
    at = {name: row for row, name in enumerate(underlyings)}
    return SurfaceTable(
        found.source,
        underlyings,
        np.array([at[name] for name in names], np.intp),
        found.line,
        found.time("as_of", moment),
        found.time("expiry"),
        *(found.number(name) for name in ("strike", "vol", "forward", "discount")),
    )


def _lots(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> I64:
    return np.asarray(np.rint(values), np.int64)


def _load(
    table: str,
    path: Name,
    profile: str,
    mapping: Name | None,
    contracts: Name | Contracts | None,
    quarantine: Name | None,
    as_of_ns: int | None,
) -> tuple[Loaded, int]:
    """The checked columns of a file and the moment of rows that have none (``NO_TIME``: nobody knows)."""
    if profile not in ("auto", *PROFILES):
        raise UsageError(f"no profile {profile!r}; known: auto, {', '.join(PROFILES)}")
    if (profile == "custom") != (mapping is not None) and profile != "auto":
        raise UsageError("profile custom and --mapping FILE go together")
    own = load_mapping(mapping) if mapping is not None else None
    if own is not None and own.table != table:
        raise UsageError(f"{mapping} maps {own.table}, but {table} is to be read")
    raw, layout = _open(table, path, profile, own)
    terms = contracts if isinstance(contracts, Contracts) else load_contracts(contracts) if contracts else BUILT_IN
    found = load(raw, layout, terms, quarantine, as_of_ns)
    moment = layout.as_of_ns if layout.as_of_ns is not None else as_of_ns
    return found, NO_TIME if moment is None else moment


def _open(table: str, path: Name, profile: str, own: Layout | None) -> tuple[RawFile, Layout]:
    text, bytes_ = str(path), read_bytes(path)
    if own is None and profile in ("auto", "lean") and is_lean(path, bytes_):
        if table != "quotes":
            raise refuse(text, 0, f"a LEAN archive holds quotes, not {table}", "read it as quotes")
        return lean_file(path, bytes_)
    if bytes_[:4] == b"PAR1":
        raw, line = parquet_file(text, bytes_), 0
    elif bytes_.lstrip()[:1] in (b"{", b"[") and profile in ("auto", "deribit", "custom"):
        raw, line = json_file(text, bytes_), 0
    else:
        raw, line = csv_file(text, bytes_, own.delimiter if own else ","), 1
    if own is None:
        return raw, choose(text, table, profile, raw.header, line)
    problems = own.header_problems(raw.header, line)
    if problems:
        raise InputError(text, problems, REMEDY)
    return raw, own

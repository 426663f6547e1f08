"""Whose terms are known: the built-in roots, and those that a person defines in a contracts file (``--contracts``).

A `Contracts` is what every reader asks for terms. Built in: the roots of ``contract_of`` (common/instruments.py), CME's
weekly and end-of-month series (common/instruments_cme.py), Deribit's BTC and ETH (common/instruments_deribit.py). A root
that is in neither is refused with what to do about it. *Tested by* tests/unit/test_symbols_contracts.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from common.instruments import Contract, Instrument, contract_of, parse_instrument
from common.instruments_cme import MONTH_CODES, MonthCode, expiry_of, is_series, parse_cme, series_terms
from common.instruments_deribit import DERIBIT, parse_deribit

_ADJUSTED = re.compile(r"^(?P<base>[A-Z]+)(?P<digit>\d)\Z", re.ASCII)
_MONTH_CODED = re.compile(rf"^(?P<root>[A-Z0-9]{{1,5}}?)[{MONTH_CODES}]\d\Z", re.ASCII)
_DERIBIT_LIKE = re.compile(r"^[A-Z0-9_]+-", re.ASCII)
_SPACED = re.compile(r"^[A-Z0-9_]+ (\d{4}-|PERP)", re.ASCII)
_OSI_LIKE = re.compile(r"^[A-Z0-9]{1,6} *\d{6}[CP]\d{8}\Z", re.ASCII)


@dataclass(frozen=True)
class Contracts:
    """Terms by root. ``defined`` comes before what is built in; ``advice``: what to do about a root that is in neither."""

    defined: Mapping[str, Contract] = field(default_factory=dict)
    advice: str = "define its terms in a contracts file (--contracts)"

    def terms(self, root: str, expiry: date | None) -> Contract:
        """Terms of a root at an expiry date. Raises ``ValueError`` that says how to define an unknown one."""
        known = self.defined.get(root) or DERIBIT.get(root)
        if known is not None:
            if known.month_coded:
                raise ValueError(f"root {root!r} needs month and year ({root}H0)")
            return known
        family = _MONTH_CODED.match(root)
        if family and (terms := self.defined.get(family["root"])) is not None and terms.month_coded:
            return replace(terms, underlying=root, month_coded=False)
        if is_series(root):
            return series_terms(root, expiry)
        try:
            return contract_of(root)
        except ValueError:
            raise ValueError(self._unknown(root)) from None

    def listed_root(self, root: str, expiry: date) -> str:
        """The root under which a family lists an expiry: ``ES`` and 2020-03-20 give ``ESH0``; any other root is itself.

        Raises ``ValueError`` for a day on which the family lists nothing by its own name.
        """
        family = self.defined.get(root)
        if family is not None and family.month_coded:
            return MonthCode(root, expiry.year, expiry.month).symbol
        if root in ("ES", "NQ"):
            code = MonthCode(root, expiry.year, expiry.month)
            if expiry_of(code) != expiry:
                raise ValueError(
                    f"{root} lists nothing on {expiry}; weekly options have roots of their own (EW1, E1A, …)"
                )
            return code.symbol
        return root

    def _unknown(self, root: str) -> str:
        adjusted = _ADJUSTED.match(root)
        if adjusted:
            return (
                f"unknown root {root!r}: it looks like an adjusted series of {adjusted['base']}, whose deliverable stands "
                "in the clearing house's memo; " + self.advice
            )
        return f"unknown root {root!r}; {self.advice}"

    def parse(self, text: str, reference: date | None = None) -> Instrument:
        """The instrument of any spelling: OSI, canonical id, Deribit name, CME symbol (read from ``reference``).

        Raises ``ValueError`` that names what is wrong.
        """
        if _OSI_LIKE.match(text) or _SPACED.match(text):
            return parse_instrument(text, self.terms)
        if _DERIBIT_LIKE.match(text):
            return parse_deribit(text, self.terms)
        if re.match(r"^[A-Z0-9]{3,8}( ?[CP][\d.]+)?\Z", text, re.ASCII):
            return parse_cme(text, reference, self.terms)
        raise ValueError(
            f"{text!r} is no symbol known here: OSI (SPX   180316P02700000), id (SPX 2018-03-16 2700 P @XCBO), "
            "Deribit (BTC-27MAR26-100000-C), CME (ESH0 C3250)"
        )

    def parser(self, scheme: str, reference: date | None) -> Callable[[str], Instrument]:
        """The parser of one scheme: ``any``, ``osi`` (and ids), ``deribit``, ``cme``. Raises ``KeyError`` on another."""
        schemes: dict[str, Callable[[str], Instrument]] = {
            "any": lambda text: self.parse(text, reference),
            "osi": lambda text: parse_instrument(text, self.terms),
            "deribit": lambda text: parse_deribit(text, self.terms),
            "cme": lambda text: parse_cme(text, reference, self.terms),
        }
        return schemes[scheme]


#: What is built in, and nothing else.
BUILT_IN = Contracts()

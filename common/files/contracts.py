"""The contracts file (``--contracts FILE``): terms of roots that are not built in, written down by a person.

    [roots.AAPL]                      # as in OSI symbols, ids, FIX Symbol; Deribit's linear pairs: [roots.SOL_USDC]
    underlying = "AAPL"               # whose risk it is
    exchange = "XCBO"                 # four letters, as in canonical ids
    multiplier = 100.0                # currency per point and contract; coin per contract if inverse
    tick = 0.01
    style = "american"                # or "european"
    settlement = 16:00:00             # hour of the expiry date at which it settles
    zone = "America/New_York"
    currency = "USD"                  # of strikes, and of prices unless inverse
    future = { multiplier = 50.0, tick = 0.25 }   # if futures are listed under the root

Optional: ``settlement_currency`` (``currency``), ``inverse``, ``on_future``, ``perpetual``, ``month_coded``,
``fee_cents`` (0), ``options = false`` for a root without options, ``replaces_built_in = true`` to put other terms in the
place of built-in ones. *Tested by* tests/unit/test_files_contracts.py.
"""

from __future__ import annotations

import re
from datetime import date, time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from common.calendars.zones import zone_of
from common.files.toml import load_toml
from common.instruments import ROOT, Contract
from common.instruments_contracts import BUILT_IN, Contracts
from common.universe import AMERICAN, EUROPEAN

_REMEDY = "mend the contracts file (docs/FILES.md)"
_Positive = Annotated[float, Field(gt=0.0, le=1e9)]
_Mic = Annotated[str, Field(pattern=r"^[A-Z0-9]{4}$")]
_Currency = Annotated[str, Field(pattern=r"^[A-Z]{3,5}$")]
_ANY_DAY = date(2000, 3, 17)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FutureTerms(_Model):
    """Futures of a root: multiplier in currency per point (inverse: face value in currency), tick in points."""

    multiplier: _Positive
    tick: _Positive
    fee_cents: Annotated[int, Field(ge=0)] = 0


class RootTerms(_Model):
    """Terms of one root, as written."""

    underlying: Annotated[str, Field(pattern=rf"^{ROOT}$")]
    exchange: _Mic
    multiplier: _Positive
    tick: _Positive
    style: Literal["american", "european"]
    settlement: time
    zone: str
    currency: _Currency
    settlement_currency: _Currency | None = None
    inverse: bool = False
    on_future: bool = False
    perpetual: bool = False
    month_coded: bool = False
    options: bool = True
    fee_cents: Annotated[int, Field(ge=0)] = 0
    future: FutureTerms | None = None
    replaces_built_in: bool = False

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        zone_of(value)
        return value

    @model_validator(mode="after")
    def _hangs_together(self) -> RootTerms:
        if self.settlement.tzinfo is not None:
            raise ValueError("settlement is a local time; name its zone in zone")
        if self.inverse and self.settlement_currency in (None, self.currency):
            raise ValueError("inverse needs settlement_currency: the coin that is paid")
        if self.inverse and self.style == "american":
            raise ValueError("inverse options are European")
        if self.perpetual and self.future is None:
            raise ValueError("perpetual needs future: its multiplier and tick")
        if not self.options and self.future is None:
            raise ValueError("neither options nor future: nothing is listed")
        return self

    def contract(self) -> Contract:
        """The same terms as the readers use them."""
        future = self.future
        return Contract(
            self.underlying,
            self.settlement,
            AMERICAN if self.style == "american" else EUROPEAN,
            self.exchange,
            self.multiplier if self.options else 0.0,
            self.tick,
            self.fee_cents,
            self.exchange,
            future.multiplier if future else 0.0,
            future.tick if future else self.tick,
            future.fee_cents if future else 0,
            self.zone,
            self.currency,
            self.settlement_currency or self.currency,
            self.inverse,
            self.on_future or self.month_coded,
            self.perpetual,
            self.month_coded,
        )


class ContractsFile(_Model):
    """The whole file."""

    roots: dict[str, RootTerms] = Field(min_length=1)

    @field_validator("roots")
    @classmethod
    def _roots_are_free(cls, value: dict[str, RootTerms]) -> dict[str, RootTerms]:
        for root, terms in value.items():
            if not re.fullmatch(ROOT, root, re.ASCII):
                raise ValueError(f"root {root!r}: capital letters and digits, a letter first, at most twelve")
            if not terms.replaces_built_in and _is_built_in(root):
                raise ValueError(f"root {root} is built in; say replaces_built_in = true to use other terms")
        return value


def _is_built_in(root: str) -> bool:
    try:
        BUILT_IN.terms(root, _ANY_DAY)
    except ValueError:
        return False
    return True


def load_contracts(path: str | Path) -> Contracts:
    """The terms of a contracts file, before what is built in. Raises ``InputError`` with every faulty line."""
    file = load_toml(path, ContractsFile, _REMEDY)
    return Contracts({root: terms.contract() for root, terms in file.roots.items()})

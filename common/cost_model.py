"""What trading costs beyond the quote, as measured: shares of the quoted half spread, by underlying and kind of instrument.

Trading z of the n lots displayed at half spread h (USD a lot) costs ``spread_share`` h |z| + ½ ``impact_share`` h z² / n +
``root_impact_share`` h |z|^1.5 / √n before fees. Written by ``hedgerow tca RUN --write FILE`` as JSON, read by the manager
(``[manager] cost_model = "FILE"``) and so by every run of the lab with its settings.
*Tested by* tests/unit/test_cost_model.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from common.errors import InputError, Problem
from common.messages import F64
from common.universe import FUTURE, OPTION, Universe

REMEDY = "write it anew with `hedgerow tca RUN --write FILE`"
Kind = Literal["future", "option"]
KINDS: dict[Kind, int] = {"future": FUTURE, "option": OPTION}


class CostRow(BaseModel):
    """One underlying and kind: shares and their standard errors; ``source`` "prior" where none could be fitted, and ``why``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    underlying: str
    kind: Kind
    source: Literal["fitted", "prior"]
    orders: int = Field(ge=0)
    why: str = ""
    spread_share: float = Field(ge=0.0)
    spread_share_se: float = Field(default=0.0, ge=0.0)
    impact_share: float = Field(ge=0.0)
    impact_share_se: float = Field(default=0.0, ge=0.0)
    root_impact_share: float = Field(ge=0.0)
    root_impact_share_se: float = Field(default=0.0, ge=0.0)


class CostModel(BaseModel):
    """Rows, each underlying and kind at most once; what has no row is charged as the manager's own settings say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    made_from: tuple[str, ...] = ()
    rows: tuple[CostRow, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        named = [(row.underlying, row.kind) for row in self.rows]
        twice = sorted({f"{u} {k}" for u, k in named if named.count((u, k)) > 1})
        if twice:
            raise ValueError(f"more than one row for {', '.join(twice)}")
        return self

    def columns(self, universe: Universe, impact_share: float, root_impact_share: float) -> F64:
        """(3, n): the three shares of each instrument; 1 and the given two where no row speaks of it."""
        out = np.empty((3, len(universe)))
        out[:] = np.array([[1.0], [impact_share], [root_impact_share]])
        for row in self.rows:
            if row.underlying in universe.symbols:
                at = universe.rows_of(row.underlying)
                at = at[universe.kind[at] == KINDS[row.kind]]
                out[:, at] = np.array([[row.spread_share], [row.impact_share], [row.root_impact_share]])
        return out


def load_cost_model(path: Path) -> CostModel:
    """Read a file. Raises ``InputError`` naming what is wrong, with the line where the text itself is no JSON."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return CostModel.model_validate(found)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), [Problem(0, f"cannot be read: {error}")], "give a readable file") from None
    except json.JSONDecodeError as error:
        raise InputError(str(path), [Problem(error.lineno, f"is no JSON: {error.msg}")], REMEDY) from None
    except ValidationError as error:
        problems = [Problem(0, f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}") for e in error.errors()]
        raise InputError(str(path), problems, REMEDY) from None


def to_text(model: CostModel) -> str:
    """As the file holds it."""
    return model.model_dump_json(indent=2) + "\n"

"""Desks as people write them: which accounts of the book are hedged together, and for which legal entity. TOML.

::

    [desk.index]
    legal_entity = "Example Trading LLC"
    accounts = ["CLIENT-01", "CLIENT-02"]

Desks of one legal entity may cross at mid between themselves, others never. The order of the file is the order of the
desks. One desk, or no file, is the whole book, without a name. *Tested by* tests/unit/test_desks.py.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.books import read_text
from common.errors import InputError, Problem
from common.toml_lines import Loc, line_of, line_of_error, lines_of
from common.universe import Desk

_REMEDY = "correct the file and start again; examples/desks/desks.toml shows every key"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z", re.ASCII)


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    legal_entity: str = Field(min_length=1)
    accounts: list[str] = Field(min_length=1)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    desk: dict[str, _Written] = Field(min_length=1)


def load_desks(path: str | Path) -> tuple[Desk, ...]:
    """Read a desks file, whole or not at all. Raises ``InputError`` with a line number for each thing wrong."""
    text = read_text(path, _REMEDY)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(str(path), [Problem(line_of_error(error), f"not TOML: {error}")], _REMEDY) from error
    desks, problems = _validate(data)
    if problems:
        lines = lines_of(text)
        found = [Problem(line_of(lines, loc), f"{'.'.join(loc)}: {reason}") for loc, reason in problems]
        raise InputError(str(path), sorted(found, key=lambda p: p.line), _REMEDY)
    return desks


def _validate(data: dict[str, Any]) -> tuple[tuple[Desk, ...], list[tuple[Loc, str]]]:
    try:
        written = _File.model_validate(data)
    except ValidationError as error:
        return (), [(tuple(map(str, e["loc"])), _reason(e["type"], e["msg"])) for e in error.errors()]
    problems: list[tuple[Loc, str]] = []
    owner: dict[str, str] = {}
    for name, desk in written.desk.items():
        loc = ("desk", name)
        if not _NAME.match(name):
            problems.append((loc, "a name is small letters, digits, - and _, at most 32, and begins with no sign"))
        for account in desk.accounts:
            if not account.strip():
                problems.append(((*loc, "accounts"), "an account is empty"))
            elif account in owner:
                problems.append(((*loc, "accounts"), f"account {account!r} belongs to desk {owner[account]!r} already"))
            owner.setdefault(account, name)
    return tuple(Desk(n, d.legal_entity, tuple(d.accounts)) for n, d in written.desk.items()), problems


def _reason(kind: str, message: str) -> str:
    return "unknown key" if kind == "extra_forbidden" else message.removeprefix("Value error, ")

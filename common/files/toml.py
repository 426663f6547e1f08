"""A TOML file as a checked pydantic model; every fault with its line.

*Tested by* tests/unit/test_files_mapping.py, tests/unit/test_files_contracts.py.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from common.errors import InputError, Problem
from common.files.raw import checked_text, read_bytes
from common.toml_lines import line_of, line_of_error, lines_of

M = TypeVar("M", bound=BaseModel)


def load_toml(path: str | Path, model: type[M], remedy: str) -> M:
    """Read a TOML file into ``model``. Raises ``InputError`` with a line for each thing wrong."""
    name = str(path)
    text = checked_text(name, read_bytes(path)).decode()
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(name, [Problem(line_of_error(error), f"not TOML: {error}")], remedy) from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = lines_of(text)
        problems = [
            Problem(line_of(lines, loc), f"{'.'.join(loc)}: {fault['msg']}" if loc else fault["msg"])
            for fault in error.errors()
            for loc in [tuple(str(part) for part in fault["loc"])]
        ]
        raise InputError(name, sorted(problems, key=lambda p: p.line), remedy) from error

"""Print what the image needs besides this project: its dependencies, the demo market's data, and Ray's probe server.

Standard library only: it runs before anything is installed. Used by deploy/Dockerfile.
*Tested by* tests/contract/test_compose.py.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

EXTRAS = ("demo", "cluster")


def requirements(pyproject: str) -> list[str]:
    """Requirement lines of the project and of the image's extras, in the order of ``pyproject`` (the file's text)."""
    project = tomllib.loads(pyproject)["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *(line for extra in EXTRAS for line in extras[extra])]


if __name__ == "__main__":
    print("\n".join(requirements(Path("pyproject.toml").read_text())))

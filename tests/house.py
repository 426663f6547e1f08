"""What the house-rule tests read: the files of the repository, their imports, calls and strings."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("agents", "manager", "execution", "console", "lab", "common", "deploy", "benchmarks")


@cache
def tracked() -> tuple[str, ...]:
    """Every file of the repository, new ones included, relative to its root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        names = answer.stdout.splitlines()
    except (FileNotFoundError, subprocess.CalledProcessError):  # no git, or not a checkout
        hidden = re.compile(r"(^|/)(\.(?!ci)[^/]*|__pycache__|runs|build|[^/]*\.egg-info)(/|$)")
        names = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file()]
        names = [n for n in names if not hidden.search(n)]
    return tuple(sorted(n for n in names if (ROOT / n).is_file()))


def python(*rooms: str) -> list[str]:
    """Hand-written Python files of the rooms."""
    heads = tuple(f"{room}/" for room in rooms)
    return [n for n in tracked() if n.endswith(".py") and n.startswith(heads) and "common/gen/" not in n]


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), name)


def matches(name: str, patterns: Iterable[str]) -> bool:
    return any(Path(name).match(pattern) for pattern in patterns)


def imports(name: str) -> Iterator[tuple[int, str]]:
    """(line, module) of every import in a file, those inside functions included."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def calls(name: str) -> Iterator[tuple[int, str, ast.Call]]:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Call):
            yield node.lineno, dotted(node.func), node


def texts(name: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every string that is neither a docstring nor the name of a logger."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    docs |= {id(arg) for _, called, call in calls(name) if called == "logging.getLogger" for arg in call.args}
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


def claimed_tests(name: str) -> Iterator[tuple[int, str]]:
    """(line, path) of every test that a docstring or comment names after "tested by"; a path may be a folder or a pattern."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for claim in re.finditer(r"\btested by\b(.*?)(?:\"\"\"|\n\s*#?\s*\n|\Z)", text, re.DOTALL | re.IGNORECASE):
        for path in re.finditer(r"\btests(?:/[\w.*-]+)+", claim[1]):
            yield text.count("\n", 0, claim.start(1) + path.start()) + 1, path[0].rstrip(".")


def none_of(found: Iterable[str]) -> None:
    lines = sorted(found)
    assert not lines, "\n" + "\n".join(lines)


def bare_marks(name: str) -> Iterator[ast.Attribute]:
    """``pytest.mark.skip`` and its like, used without a call and so without a reason."""
    called = {id(node.func) for node in ast.walk(tree(name)) if isinstance(node, ast.Call)}
    for node in ast.walk(tree(name)):
        if not isinstance(node, ast.Attribute) or id(node) in called:
            continue
        if dotted(node) in ("pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"):
            yield node

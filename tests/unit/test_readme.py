"""The documents say what is so: commands, subjects, exit codes, links, versions, decisions, dependencies, examples."""

from __future__ import annotations

import ast
import csv
import json
import re
import tomllib
from pathlib import Path

import pytest
import typer

from common import errors, subjects
from common.factors import KINDS
from deploy.cli import app
from tests.house import ROOMS, ROOT, tracked

README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [name for name in tracked() if name.endswith(".md")]
ADRS = sorted(p for p in (ROOT / "docs" / "adr").glob("[0-9]*.md"))


def commands(command: typer.core.TyperGroup | object, prefix: str = "") -> set[str]:
    """Every command line of the program, "limits set" and the like."""
    found: set[str] = set()
    for name, sub in getattr(command, "commands", {}).items():
        found |= {f"{prefix}{name}"} | commands(sub, f"{prefix}{name} ")
    return found


def test_every_make_task_named_in_a_document_exists() -> None:
    tasks = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"help", "setup", "run", "test", "check", "bench", "proto", "proto-baseline", "clean"} == tasks
    for page in PAGES:
        named = set(re.findall(r"(?:^ {4}|`)make ([a-z]+)\b", (ROOT / page).read_text(), re.MULTILINE))
        assert named <= tasks, page


def test_the_two_commands_come_first_and_ci_runs_the_second() -> None:
    shown = re.findall(r"^ {4}(make \w+)", README, re.MULTILINE)
    assert shown[:2] == ["make run", "make test"]
    assert shown[1] in (ROOT / ".ci" / "run").read_text()


def test_every_command_named_in_a_document_exists() -> None:
    known = commands(typer.main.get_command(app))
    for page in PAGES:
        text = (ROOT / page).read_text()
        for words in re.findall(
            r"(?:^ {4}|`|exec [\w/]+ -- |exec manager )hedgerow ([a-z]+(?: [a-z]+)?)", text, re.MULTILINE
        ):
            assert words in known or words.split()[0] in known, f"{page}: hedgerow {words}"


def table_after(heading: str, text: str = README) -> list[list[str]]:
    """Rows of the first table after a heading, as stripped cells, without its head."""
    lines = text.split(heading, 1)[1].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def spelled_out(cell: str) -> list[str]:
    """The subjects of a cell: "`a.b.c`, `.d`" is a.b.c and a.b.d."""
    first, *more = re.findall(r"`([^`]+)`", cell)
    return [first, *(first.rpartition(".")[0] + other for other in more)]


def test_the_subject_table_is_that_of_the_code() -> None:
    rows = {name: row for row in table_after("## What is said to whom") for name in spelled_out(row[0])}
    theirs = {}
    for row in table_after("in one table.", subjects.__doc__ or ""):
        names = [part.strip() for part in row[0].split(",")]
        for name in (names[0], *(names[0].rpartition(".")[0] + other for other in names[1:])):
            theirs[name] = row
    assert set(rows) == set(theirs)
    for name, row in rows.items():
        assert row[4], f"{name}: no bound is stated"
    code = {v for k, v in vars(subjects).items() if k.isupper() and isinstance(v, str) and v.startswith("hedgerow.")}
    code |= {subjects.snapshot("*"), subjects.stored("hedgerow.*"), subjects.held("*"), subjects.echo("*")}
    code |= {*subjects.JOURNAL_SNAPSHOTS}
    shape = {re.sub(r"\b[A-Z]+$", "*", name) for name in rows}
    assert code == shape


def test_the_exit_codes_are_those_of_the_errors() -> None:
    stated = {int(row[0]) for row in table_after("## Steering it")}
    raised = {e.exit_code for e in vars(errors).values() if isinstance(e, type) and hasattr(e, "exit_code")}
    assert stated == raised | {0, 130}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith("http"):
            assert (ROOT / page).parent.joinpath(target).exists(), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_files_named_in_a_document_exist(page: str) -> None:
    rooms = "|".join((*ROOMS, "tests", "proto", "examples", "docs", "k8s"))
    path = re.compile(rf"`((?:{rooms})/[\w./*-]+\.(?:py|toml|csv|md|yaml|conf|proto))`")
    for found in path.findall((ROOT / page).read_text()):
        assert any(ROOT.glob(found)), f"{page}: {found}"


def test_the_changelog_knows_this_version() -> None:
    versions = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[:2] == ["Unreleased", PROJECT["version"]]


def test_every_decision_is_listed_and_has_its_form() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    for number, path in enumerate(ADRS, 1):
        text = path.read_text()
        assert path.name.startswith(f"{number:04d}-")
        assert f"]({path.name})" in index
        assert re.search(r"^- Status: (proposed|accepted|replaced by \d{4})$", text, re.MULTILINE), path.name
        assert re.search(r"^- Date: \d{4}-\d\d-\d\d$", text, re.MULTILINE), path.name
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], path.name


def test_every_dependency_has_its_reason() -> None:
    reasons = (ROOT / "docs" / "adr" / "0002-dependencies.md").read_text()
    optional = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    for line in (*PROJECT["dependencies"], *optional):
        name = re.split(r"[<>=\[;]", line)[0]
        assert f"`{name}" in reasons or (name.startswith("types-") and "`types-*`" in reasons), name


def test_the_glossary_has_every_kind_of_factor_and_every_control_word() -> None:
    glossary = (ROOT / "docs" / "GLOSSARY.md").read_text()
    for word in ("snapshot", "exposure", "proposal", "reservation", "order", "fill", "position", "limit", "budget"):
        assert f"| {word} |" in glossary, word
    for word in ("pause", "resume", "kill"):
        assert f"| {word} |" in glossary, word
    for kind in KINDS:
        assert f"agents/{kind}" in README, kind


@pytest.mark.parametrize("name", [n for n in tracked() if n.startswith("examples/")])
def test_examples_parse(name: str) -> None:
    path = Path(ROOT / name)
    if path.suffix == ".toml":
        assert tomllib.loads(path.read_text())
    elif path.suffix == ".json":
        assert json.loads(path.read_text())
    elif path.suffix == ".csv":
        with path.open(newline="") as stream:
            rows = [row for row in csv.reader(line for line in stream if not line.startswith("#")) if row]
        assert len(rows) > 1
        assert {len(row) for row in rows} == {len(rows[0])}
    elif path.suffix == ".py":
        assert ast.get_docstring(ast.parse(path.read_text())), f"{name}: says nothing of what it is for"
    else:
        assert path.suffix == ".md", f"{name}: no test reads a {path.suffix} file"

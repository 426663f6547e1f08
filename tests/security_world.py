"""Keys for tests, and what a run may and may not leave behind: signed audit files, and no secret."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import psutil

from common.security.access import AGENT
from common.security.audit import verify
from common.security.audit_file import FOLDER
from common.security.certificates import load_public
from common.security.keys import Keys, Tls
from deploy import certs

#: A person, and an agent that was given a certificate, as a mesh would.
PERSON, AGENT_WITH_CERTIFICATE = "alice", "gamma-0"


def make_keys(folder: Path) -> Path:
    """Every role of one machine, a person and a certified agent; returns the folder."""
    people = [
        certs.Wanted("risk_manager", PERSON, certified=True),
        certs.Wanted(AGENT, AGENT_WITH_CERTIFICATE, certified=True),
    ]
    certs.make(folder, [*certs.defaults(embedded=True), *people], embedded=True)
    return folder


def tls_of(folder: Path, name: str) -> Tls:
    found = Keys(folder / name).tls()
    assert found is not None, name
    return found


def audits(run: Path) -> list[Path]:
    """The audit files of a run."""
    return sorted((run / FOLDER).glob("*.jsonl"))


def verified(run: Path, file: Path) -> list[dict[str, Any]]:
    """The lines of an audit file, whole and signed by the key of its role."""
    process = file.name.rpartition("-")[0]
    role = "manager" if process.startswith("manager") else {"launcher": "operator"}.get(process, process)
    lines = file.read_bytes().splitlines(keepends=True)
    assert verify(lines, load_public(run / "keys" / role / "audit.pub")).problems == (), file
    return [json.loads(line) for line in lines]


def note_processes(folder: Path, pid: int) -> None:
    """What anybody sees of a run's processes, and what their user sees of their environments."""
    listed = subprocess.run(["ps", "-eo", "pid,args", "-ww"], capture_output=True, text=True, check=True).stdout
    (folder / "ps.txt").write_text(listed)
    below = psutil.Process(pid).children(recursive=True)
    environments = [Path(f"/proc/{p.pid}/environ") for p in below]
    texts = [path.read_bytes() for path in environments if path.exists()]
    (folder / "environ.txt").write_bytes(b"\n".join(texts).replace(b"\0", b"\n"))


def secrets_of(keys: Path) -> list[bytes]:
    """Every private half of a folder, line by line: a text that holds one line of it holds too much."""
    private = [path for path in keys.rglob("*") if path.suffix in (".key", ".seed")]
    lines = {line for path in private for line in path.read_bytes().splitlines() if b"-----" not in line}
    return sorted(line for line in lines if len(line) > 20)


def found_in(path: Path, secrets: list[bytes]) -> bool:
    data = path.read_bytes()
    return any(secret in data for secret in secrets)


def places_without(run: Path, secrets: list[bytes]) -> set[str]:
    """Names of all files of a run but its keys; fails naming one that holds a secret."""
    files = [p for p in run.rglob("*") if p.is_file() and p.relative_to(run).parts[0] != "keys"]
    assert [str(p.relative_to(run)) for p in files if found_in(p, secrets)] == []
    return {p.name for p in files}

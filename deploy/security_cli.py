"""``hedgerow certs`` and ``hedgerow audit-log``: keys to try things with, and whether an audit file is whole.

*Tested by* tests/unit/test_deploy_certs.py, tests/unit/test_security_cli.py.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from common.errors import InputError, Problem, UsageError
from deploy.commands import AsJson

audit_app = typer.Typer(help="Signed records of what people did.", no_args_is_help=True)


def certs(
    folder: Annotated[Path, typer.Argument(help="Where they are made; what is there already stays.")],
    role: Annotated[str | None, typer.Option(help="This role only; default: every role of a cluster.")] = None,
    name: Annotated[
        str | None, typer.Option(help="With --role: who holds it, e.g. a person; default: the role.")
    ] = None,
    days: Annotated[int, typer.Option(help="How long certificates hold.")] = 90,
    host: Annotated[list[str] | None, typer.Option(help="One more host name or address of execution.")] = None,
) -> None:
    """Keys for development: a small CA, certificates, NATS nkeys with the accounts file, audit keys. Private files are 0600."""
    from common.security.access import CERTIFIED
    from deploy import certs as makes

    if role is None and name is not None:
        raise UsageError(f"--name {name}: say with --role what {name} is")
    # Who is named is given a certificate, whatever the role: an agent's then proves that it is one, and has no right.
    wanted = makes.defaults(days)
    if role is not None:
        wanted = [makes.Wanted(role, name or role, name is not None or role in CERTIFIED, days)]
    made = makes.make(folder, wanted, host or [])
    print(f"{folder}: made {', '.join(made)}" if made else f"{folder}: everything was there")


@audit_app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="An audit file: RUN/audit/PROCESS-KEY.jsonl.")],
    key: Annotated[
        Path | None, typer.Option(help="audit.pub of the process; default: the file's own key, which proves less.")
    ] = None,
    head: Annotated[str, typer.Option(help="Hash of a line that must be there, as kept elsewhere (a log).")] = "",
    as_json: AsJson = False,
) -> None:
    """Find edited, missing and reordered lines; exit 0 if there are none, 1 with each."""
    from common.security import audit
    from common.security.certificates import load_public

    public = load_public(key) if key is not None else None
    try:
        with file.open("rb") as lines:
            found = audit.verify(lines, public, head)
    except OSError as error:
        raise InputError(str(file), [Problem(0, error.strerror or "unreadable")], "give an audit file") from None
    if not found.head.sequence and not found.problems:
        found = replace(found, problems=(Problem(0, "holds no line: there is nothing that could be verified"),))
    if as_json:
        problems = [{"line": p.line, "reason": p.reason} for p in found.problems]
        print(
            json.dumps(
                {"lines": found.head.sequence, "head": found.head.digest, "key": found.key, "problems": problems}
            )
        )
    else:
        for problem in found.problems:
            print(f"{file}:{problem.line}: {problem.reason}" if problem.line else f"{file}: {problem.reason}")
        whose = "as given" if public is not None else "the file's own: give --key to know whose it is"
        print(f"{found.head.sequence} lines, {len(found.problems)} problems; head {found.head.digest}")
        print(f"key {found.key} ({whose})")
    raise typer.Exit(1 if found.problems else 0)

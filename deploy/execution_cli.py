"""``hedgerow execution``: look at a store and copy it, with the service running or not.

*Tested by* tests/unit/test_execution_verify.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from deploy.commands import AsJson

#: Exit code where a store breaks a promise.
BROKEN = 1

execution_app = typer.Typer(help="The execution service's store.", no_args_is_help=True)
StorePath = Annotated[Path, typer.Argument(help="Folder of the store, or its file.")]


@execution_app.command("verify")
def verify_store(store: StorePath, as_json: AsJson = False) -> None:
    """Recount every invariant of a store; exit 0 if all hold, 1 with a sentence for each that does not."""
    from execution.sqlite_verify import verify

    found = verify(store)
    counted = {
        "orders": found.orders,
        "open_orders": found.open_orders,
        "reports": found.reports,
        "fills": found.fills,
    }
    if as_json:
        print(json.dumps({**counted, "findings": found.findings}))
    else:
        print(
            f"{found.orders:,} orders ({found.open_orders:,} open), {found.reports:,} reports, {found.fills:,} fills: "
            + ("every invariant holds" if not found.findings else f"{len(found.findings)} findings")
        )
        for finding in found.findings:
            print(f"  {finding}")
    if found.findings:
        raise typer.Exit(BROKEN)


@execution_app.command("backup")
def backup_store(store: StorePath, file: Annotated[Path, typer.Argument(help="New file for the copy.")]) -> None:
    """Copy a store into one file while the service may be writing it."""
    from execution.sqlite_backup import backup

    size = backup(store, file)
    print(f"{file}: {size:,} bytes; to restore, put it into an empty folder as execution.sqlite and start on that")

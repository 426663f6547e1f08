"""Generate the Protobuf and gRPC stubs under ``common/gen`` from ``proto``; ``--check`` only compares.

Exit 0 when done or current, 1 when ``--check`` finds a difference (the files that differ are named).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
GEN = ROOT / "common" / "gen"


def generate(target: Path) -> None:
    """Write every stub below ``target``, with the packages' ``__init__.py``."""
    sources = sorted(str(p.relative_to(PROTO)) for p in PROTO.rglob("*.proto"))
    outs = [f"--{kind}={target}" for kind in ("python_out", "pyi_out", "grpc_python_out")]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *outs, *sources], check=True, cwd=PROTO)
    for stub in target.rglob("*_pb2_grpc.py"):
        if "add_" not in stub.read_text():  # no service in it: nothing a reader would import
            stub.unlink()
    for folder in {p.parent for p in target.rglob("*_pb2.py")}:
        while folder != target:
            (folder / "__init__.py").touch()
            folder = folder.parent


def differing(fresh: Path) -> list[str]:
    """Relative names of stubs that are missing, extra or different in ``common/gen``."""
    names = {p.relative_to(fresh) for p in fresh.rglob("*.py*")} | {
        p.relative_to(GEN) for p in GEN.rglob("*.py*") if "__pycache__" not in p.parts
    }
    return sorted(
        str(n)
        for n in names
        if not ((fresh / n).exists() and (GEN / n).exists() and (fresh / n).read_bytes() == (GEN / n).read_bytes())
    )


def main() -> int:
    """Entry point."""
    if "--check" not in sys.argv:
        generate(GEN)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        stale = differing(Path(scratch))
    for name in stale:
        print(f"common/gen/{name} is not what `make proto` writes")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())

"""The house rules of docs/ARCHITECTURE.md and CONTRIBUTING.md, as tests. A failure names file, line and rule."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests import house
from tests.house import (
    ROOMS,
    ROOT,
    bare_marks,
    calls,
    claimed_tests,
    dotted,
    imports,
    matches,
    none_of,
    python,
    texts,
    tracked,
    tree,
)

#: What each room may import of the others. `deploy` is the wiring: it may import all.
MAY_IMPORT: dict[str, set[str]] = {
    "common": set(),
    "agents": {"common"},
    "manager": {"common"},
    "execution": {"common"},
    "console": {"common"},
    "lab": {"common", "agents", "manager", "execution", "console"},
    "benchmarks": {*ROOMS},
    "deploy": {*ROOMS},
}

#: Each of these is imported in these places and nowhere else (tests, benchmarks' peers and generated code apart).
ONLY_IN: dict[str, tuple[str, ...]] = {
    "ray": ("agents/actor.py", "agents/ray_host.py"),
    "nats": ("common/bus/nats_bus.py",),
    "grpc": ("execution/service.py", "execution/servicer.py", "execution/guard.py", "common/execution_client.py"),
    "grpc_health": ("execution/service.py", "execution/guard.py", "common/execution_client.py"),
    "grpc_reflection": ("execution/service.py",),
    "cryptography": ("common/security/*.py", "deploy/certs.py"),
    "nkeys": ("common/bus/nats_bus.py", "deploy/certs.py"),
    "sqlite3": ("execution/sqlite_store.py", "execution/sqlite_verify.py", "execution/sqlite_backup.py"),
    "pandas": ("common/market/daily.py",),
    "arch": (),
    "exchange_calendars": ("common/calendars/exchanges.py",),
    "scipy": (),
    "QuantLib": (),
    "cvxpy": (),
    "piqp": (),
    "quickfix": ("execution/venues/fix/initiator.py",),
    "fixcore": (),
    "simplefix": (),
}

#: Shells: they may ask the clock, wait, and talk to the world. Everything else in these rooms is core.
SHELLS = (
    "agents/actor.py",
    "agents/fleet.py",
    "agents/fleet_keeping.py",
    "agents/fleet_wanted.py",
    "agents/fleet_restart.py",
    "agents/ray_host.py",
    "agents/reference.py",
    "agents/reaper.py",
    "agents/shell.py",
    "agents/successor.py",
    "agents/recorder.py",
    "manager/feed_watch.py",
    "manager/healing.py",
    "manager/service.py",
    "manager/snapshots.py",
    "manager/telling.py",
    "manager/waiting.py",
    "execution/service.py",
    "execution/servicer.py",
    "execution/engine.py",
    "execution/guard.py",
    "execution/reconcile_counts.py",
    "execution/reconciler.py",
    "execution/reference.py",
    "execution/sqlite_*.py",
    "execution/venues/remote.py",
    "execution/venues/server.py",
    "execution/venues/venue_file.py",
    # Threads of the engine, its files, and the wall clock that FIX messages carry.
    "execution/venues/fix/initiator.py",
    "execution/venues/fix/message_log.py",
    "execution/venues/fix/venue.py",
    "common/bus/*.py",
    "common/clock.py",
    "common/security/audit_file.py",
    "common/execution_client.py",
    # The one place that says how kernels are compiled and where the result is cached.
    "common/kernels/jit.py",
    # How long a baseline took is told to people and read by nobody else.
    "lab/baselines.py",
    "lab/report*.py",
)
#: Boundaries that read or write files people gave, and nothing else: no clock, no randomness.
FILES = (
    "common/books.py",
    "common/cost_model.py",
    "common/desks.py",
    "common/files/*.py",
    "common/limits.py",
    "common/market/*.py",
    "common/security/keys.py",
    "common/wire/delimited.py",
    "execution/limits.py",
    "lab/*.py",
)
CORE_ROOMS = ("agents", "manager", "execution", "common", "lab")

CLOCKS = {
    "time.time",
    "time.time_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.process_time",
    "time.process_time_ns",
    "time.sleep",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.date.today",
    "asyncio.sleep",
}
CHANCE = {"uuid.uuid1", "uuid.uuid4", "uuid4", "os.urandom", "secrets.token_hex", "secrets.token_bytes", "os.getpid"}
OUTSIDE = {
    "open",
    "input",
    "print",
    "os.system",
    "os.getenv",
    "os.environ.get",
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "unlink",
    "mkdir",
}
WORLD_MODULES = {"socket", "subprocess", "secrets", "threading", "multiprocessing", "sqlite3", "urllib", "http"}

WRITTEN = re.compile(r"(\.(py|md|toml|yaml|yml|conf|env|example|proto)|run|Makefile|Dockerfile)$")

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60


def core_files() -> list[str]:
    return [n for n in python(*CORE_ROOMS) if not matches(n, SHELLS)]


def test_rooms_import_only_what_the_house_allows() -> None:
    none_of(
        f"{name}:{line}: {room} may not import {module}"
        for room in ROOMS
        for name in python(room)
        for line, module in imports(name)
        if (other := module.partition(".")[0]) in ROOMS and other != room and other not in MAY_IMPORT[room]
    )


def test_each_outside_library_has_its_one_place() -> None:
    none_of(
        f"{name}:{line}: {module} is imported only in {', '.join(ONLY_IN[top]) or 'tests'}"
        for room in ROOMS
        for name in python(room)
        if room != "benchmarks"
        for line, module in imports(name)
        if (top := module.partition(".")[0]) in ONLY_IN and not matches(name, ONLY_IN[top])
    )


def test_cores_ask_no_clock_and_no_chance() -> None:
    none_of(
        f"{name}:{line}: {called}() in a core; time and ids come as arguments"
        for name in core_files()
        for line, called, _ in calls(name)
        if called in CLOCKS | CHANCE
    )


def test_random_numbers_have_a_seed() -> None:
    def unseeded(called: str, call: ast.Call) -> bool:
        head, _, function = called.rpartition(".")
        if not head.endswith("random") or head == "jax.random":
            return False
        if function in ("default_rng", "Random"):
            return not (call.args or call.keywords)
        return function[0].islower() or function == "SystemRandom"

    none_of(
        f"{name}:{line}: {called}() without a seed of its own; use numpy.random.default_rng(seed)"
        for name in python(*ROOMS, "tests")
        for line, called, call in calls(name)
        if unseeded(called, call)
    )


def test_cores_touch_nothing_outside() -> None:
    pure = [n for n in core_files() if not matches(n, FILES)]
    none_of(
        f"{name}:{line}: {called}() in a core; a shell or a file boundary does that"
        for name in pure
        for line, called, _ in calls(name)
        if called in OUTSIDE or called.rpartition(".")[2] in OUTSIDE - {"open", "input", "print"}
    )
    none_of(
        f"{name}:{line}: a core imports {module}"
        for name in pure
        for line, module in imports(name)
        if module.partition(".")[0] in WORLD_MODULES
    )


def test_the_lists_of_shells_and_places_name_files_that_exist() -> None:
    listed = [*SHELLS, *FILES, *(place for places in ONLY_IN.values() for place in places)]
    have = python(*ROOMS)
    none_of(
        f"tests/unit/test_house_rules.py: {p} matches no file" for p in listed if not any(matches(n, [p]) for n in have)
    )


def test_kernels_know_only_arrays() -> None:
    allowed = {"__future__", "collections", "math", "numba", "numpy", "typing", "common.kernels", "common.units"}
    kernels = [n for n in python("agents", "common") if n.startswith("common/kernels/") or n.endswith("/kernel.py")]
    for door in ("jit", "solver"):  # to numba, to the library that solves
        kernels.remove(f"common/kernels/{door}.py")
    none_of(
        f"{name}:{line}: a kernel may import numpy, numba and other kernels, not {module}"
        for name in kernels
        for line, module in imports(name)
        if module.partition(".")[0] not in allowed and not module.startswith(("common.kernels", "common.units"))
    )


def test_subjects_stand_in_one_table() -> None:
    subject = re.compile(
        r"^hedgerow\.(market|reference|proposal|heartbeat|positions|budgets|assignment|control|status|journal|stored)\b"
    )
    schema = re.compile(r"^hedgerow\.\w+\.v1\b")
    none_of(
        f"{name}:{line}: {text!r} is written by hand; take it from common/subjects.py"
        for name in python(*ROOMS)
        if name != "common/subjects.py"
        for line, text in texts(name)
        if subject.match(text) and not schema.match(text)
    )


def test_proto_holds_schemas_only() -> None:
    none_of(
        f"{name}: a Python file here makes `proto` a package, which shadows proto-plus"
        for name in tracked()
        if name.startswith("proto/") and name.endswith((".py", ".pyi"))
    )


def test_a_test_folder_is_named_by_its_rung_and_is_no_package() -> None:
    rungs = {"unit", "properties", "golden", "contract", "simulation", "integration", "e2e"}
    tests = [n for n in tracked() if n.startswith("tests/")]
    none_of(f"{n}: a package here would shadow another" for n in tests if n.endswith("/__init__.py"))
    none_of(
        f"{n}: tests stand on a rung: {', '.join(sorted(rungs))}"
        for n in tests
        if Path(n).name.startswith("test_") and n.split("/")[1] not in rungs
    )


def test_what_is_skipped_says_why() -> None:
    def silent(called: str, call: ast.Call) -> bool:
        if called in ("pytest.skip", "pytest.xfail"):
            return not call.args and not any(k.arg in ("reason", "msg") for k in call.keywords)
        mark = called.removeprefix("pytest.mark.")
        if called == mark or mark not in ("skip", "skipif", "xfail"):
            return False
        return not any(k.arg == "reason" for k in call.keywords) and not (mark == "skip" and call.args)

    none_of(
        f"{name}:{line}: {called} without a reason"
        for name in python("tests")
        for line, called, call in calls(name)
        if silent(called, call)
    )
    none_of(
        f"{name}:{node.lineno}: {dotted(node)} without a reason"
        for name in python("tests")
        for node in bare_marks(name)
    )


def test_files_fit_a_reader() -> None:
    none_of(
        f"{name}: {lines} lines; at most {FILE_LINES_MAX}"
        for name in python(*ROOMS, "tests")
        if (lines := len((ROOT / name).read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
    )


def test_functions_fit_a_screen() -> None:
    def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        """Lines without the docstring, which states what a caller must know however long that takes."""
        first = function.body[0]
        has_doc = ast.get_docstring(function) is not None and first.end_lineno is not None
        doc = first.end_lineno - first.lineno + 1 if has_doc and first.end_lineno else 0
        return (function.end_lineno or function.lineno) - function.lineno + 1 - doc

    none_of(
        f"{name}:{node.lineno}: {node.name} has {lines_of(node)} lines; at most {FUNCTION_LINES_MAX}"
        for name in python(*ROOMS, "tests")
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of(node) > FUNCTION_LINES_MAX
    )


def test_nothing_names_a_machine() -> None:
    home = re.compile(r"(?<![\w./-])/(?:home|root|Users|work)/\w")
    registry = re.compile(r"(?:pypi|npmjs|pythonhosted|debian)\.(?:org|com)", re.IGNORECASE)
    none_of(
        f"{name}:{number}: {found[0]!r} names a machine or a registry"
        for name in tracked()
        if WRITTEN.search(name) and name != "tests/unit/test_house_rules.py"
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
        for pattern in (home, registry)
        if (found := pattern.search(line))
    )


def test_nothing_is_left_for_later() -> None:
    # The brackets keep this line from being one of them.
    words = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b|N[o]tImplementedError")
    none_of(
        f"{name}:{number}: {found[0]}"
        for name in python(*ROOMS, "tests")
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
        if (found := words.search(line))
    )


def test_what_is_said_to_be_tested_has_that_test() -> None:
    none_of(
        f"{name}:{line}: tested by {path}, which is not there"
        for name in house.tracked()
        if name.endswith((".py", ".conf", ".md")) and not name.startswith(("common/gen/", "tests/"))
        for line, path in claimed_tests(name)
        if not any(house.ROOT.glob(path))
    )


def test_no_error_is_swallowed_unseen() -> None:
    def silent(handler: ast.ExceptHandler) -> bool:
        wide = handler.type is None or dotted(handler.type) in ("Exception", "BaseException")
        return wide and all(isinstance(s, ast.Pass) for s in handler.body)

    none_of(
        f"{name}:{node.lineno}: every error is swallowed here"
        for name in python(*ROOMS, "tests")
        for node in ast.walk(tree(name))
        if isinstance(node, ast.ExceptHandler) and silent(node)
    )


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (test_cores_ask_no_clock_and_no_chance, "import time\nnow = time.time_ns()\n"),
        (test_cores_touch_nothing_outside, "def f(p):\n    return open(p)\n"),
        (test_random_numbers_have_a_seed, "import numpy as np\nrng = np.random.default_rng()\n"),
        (test_rooms_import_only_what_the_house_allows, "from agents.step import step\n"),
        (test_each_outside_library_has_its_one_place, "def f():\n    import ray.util\n"),
        (test_subjects_stand_in_one_table, 'S = "hedgerow.positions"\n'),
        (test_what_is_said_to_be_tested_has_that_test, '"""Fine. *Tested by* tests/unit/test_nothing.py."""\n'),
        (test_no_error_is_swallowed_unseen, "try:\n    f()\nexcept Exception:\n    pass\n"),
    ],
)
def test_each_rule_can_fail(rule: object, source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bad = tmp_path / "manager" / "bad.py"
    bad.parent.mkdir()
    bad.write_text(source)
    monkeypatch.setattr(house, "ROOT", tmp_path)
    monkeypatch.setattr(house, "tracked", lambda: ("manager/bad.py",))
    tree.cache_clear()
    assert callable(rule)
    with pytest.raises(AssertionError, match=r"manager/bad\.py:\d+: "):
        rule()
    tree.cache_clear()

"""Fixtures that every rung may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from deploy import nats_server as nats
from deploy.nats_server import NatsServer

# Read when gRPC is imported: tests start servers while channels are open, and gRPC's fork handlers can end the child.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# A slow machine is no wrong answer, and a run that stands for a change tries the same examples each time;
# HEDGEROW_EXPLORE=1 tries new ones.
settings.register_profile(
    "hedgerow",
    deadline=None,
    derandomize=not os.environ.get("HEDGEROW_EXPLORE"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("hedgerow")

#: Tests whose kernels the simulator has no use for.
KERNELS = ("test_american", "test_european", "test_surfaces", "test_risk", "test_book_risk", "test_implied")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that two workers end together (`make test` keeps this order).

    Beside the simulator stands what needs other kernels than it, so that on a fresh machine each is compiled once and not by two.
    """
    first = ("test_simulator_seeds", *KERNELS, "tests/simulation")
    items.sort(key=lambda item: next((k for k, part in enumerate(first) if part in item.nodeid), len(first)))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m system` imports only the files that hold such tests: all others take longer to import than some of them to run."""
    if config.getoption("markexpr") != "system" or not collection_path.name.startswith("test_"):
        return None
    return True if "mark.system" not in collection_path.read_text() else None


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A real nats-server on a free port, ended by its pid."""
    server = nats.start(tmp_path_factory.mktemp("nats"))
    yield server
    server.stop()


@pytest.fixture
def own_nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A nats-server that the test may kill."""
    server = nats.start(tmp_path_factory.mktemp("own-nats"))
    yield server
    server.stop()

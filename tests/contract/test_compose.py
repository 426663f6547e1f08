"""The compose file and the image: every part there, hardened, with settings and keys that somebody reads."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import certs
from deploy.image_requirements import requirements
from tests.deployments import NATS_CONFIG, ROOT, nats_variables, read_env, unknown_settings

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def filled(value: str) -> str:
    """A value after compose has filled in defaults; nothing may be required from outside."""
    assert ":?" not in value
    return re.sub(r"\$\{(\w+):-(\w*)\}", lambda m: m[2], value)


def keys_of(service: dict[str, Any]) -> dict[str, str]:
    """By where it is mounted, which folder of the keys a service sees; all of it only where it has no subpath."""
    mounts = [m for m in service.get("volumes", []) if isinstance(m, dict) and m["source"] == "keys"]
    assert all(m["type"] == "volume" and m["read_only"] for m in mounts)
    return {m["target"]: m["volume"]["subpath"] for m in mounts}


def test_every_part_is_there_with_a_standby_manager(services: dict[str, Any]) -> None:
    assert set(services) == {"keys", "nats", "setup", "execution", "manager", "fleet", "feed"}
    assert services["manager"]["deploy"]["replicas"] == 2
    assert {name for name, s in services.items() if "healthcheck" in s} == {"nats", "execution", "fleet"}


def test_every_part_runs_the_one_image_without_rights(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["image"] == "hedgerow:dev", name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["networks"] == ["inside"], name
        assert "ports" not in service, name


def test_nats_gets_what_its_configuration_asks_for_and_nothing_else(services: dict[str, Any], tmp_path: Path) -> None:
    certs.make(tmp_path, certs.defaults())
    nats = services["nats"]
    (start,) = nats["command"]
    assert start.startswith("set -a; . /run/keys/nats.env; exec nats-server ") and keys_of(nats) == {
        "/run/keys": "public"
    }
    public = read_env(tmp_path / "public" / "nats.env")
    assert set(nats["environment"]) | set(public) == nats_variables()
    assert "./nats:/etc/nats:ro" in nats["volumes"]
    assert (NATS_CONFIG / Path(start.split()[-1]).name).exists()


def test_each_part_sees_its_own_keys_and_no_password_is_anywhere(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name not in ("nats", "keys"):
            assert service["environment"]["HEDGEROW_NATS_URL"] == "nats://nats:4222"
            assert service["environment"]["HEDGEROW_KEYS"] == "/run/keys"
            more = {"/run/agent-keys": "agent"} if name == "fleet" else {}
            assert keys_of(service) == {"/run/keys": name, **more}
    assert services["keys"]["volumes"] == ["keys:/var/lib/hedgerow"]  # alone sees all: it makes them
    assert services["keys"]["command"] == ["certs", "/var/lib/hedgerow"]
    assert "HEDGEROW_KEYS=/run/agent-keys ray start" in services["fleet"]["command"][0]
    assert "PASSWORD" not in (DEPLOY / "compose.yaml").read_text()


def test_every_setting_is_one_that_somebody_reads(services: dict[str, Any]) -> None:
    unknown = [
        f"{name}: {problem}"
        for name, service in services.items()
        if name not in ("nats", "keys")
        for problem in unknown_settings({k: filled(v) for k, v in service["environment"].items()})
    ]
    assert not unknown, "\n".join(unknown)


def test_nobody_starts_before_what_it_needs(services: dict[str, Any]) -> None:
    for name in ("execution", "manager", "fleet", "feed"):
        assert services[name]["depends_on"]["setup"] == {"condition": "service_completed_successfully"}, name
    assert services["setup"]["depends_on"]["nats"] == {"condition": "service_healthy"}
    assert services["nats"]["depends_on"]["keys"] == {"condition": "service_completed_successfully"}


def test_the_image_takes_its_base_by_argument_and_runs_without_root() -> None:
    lines = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
    assert lines[0].startswith("ARG BASE_IMAGE=")
    assert {line.split()[1] for line in lines if line.startswith("FROM ")} == {"${BASE_IMAGE}"}
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001:10001"]
    assert 'ENTRYPOINT ["hedgerow"]' in lines
    assert "NUMBA_CACHE_DIR=/tmp/" in DOCKERFILE
    for tool in ("wget", "bash"):  # what KubeRay's probes call
        assert re.search(rf"apt-get install .*\b{tool}\b", DOCKERFILE)


def test_the_image_installs_what_the_project_depends_on() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    lines = requirements(text)
    assert lines[: len(project["dependencies"])] == project["dependencies"]
    assert any(line.startswith("ray[default]") for line in lines)
    assert any(line.startswith("arch") for line in lines)


def test_the_image_leaves_out_what_it_does_not_run() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "tests", "runs"} <= set(ignored)
    copied = re.findall(r"^COPY (?!--from)(.*) \./?$", DOCKERFILE, re.MULTILINE)
    assert copied, "nothing is copied from the checkout"
    assert not set(" ".join(copied).split()) & set(ignored)

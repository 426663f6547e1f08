"""The Kubernetes manifests: valid by the schemas of Kubernetes and KubeRay, restricted, true to what they run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from common.factors import KINDS
from deploy import certs
from tests.deployments import (
    NATS_CONFIG,
    ROOT,
    Manifest,
    containers,
    find,
    nats_variables,
    pods,
    read_env,
    render,
    unknown_settings,
)

KUBERNETES = "1.36"
BASE = Path("k8s") / "base"
DEV = Path("k8s") / "overlays" / "dev"
CRDS = Path(os.environ.get("HEDGEROW_CRDS", ROOT.parent / "shared" / "crds"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifests as a person has them who has made keys for ``dev``."""
    root = tmp_path_factory.mktemp("k8s")
    for part in ("k8s", "deploy/nats"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("keys"))
    certs.make(root / DEV / "keys", certs.defaults())
    return root


@pytest.fixture(params=[BASE, DEV], ids=["base", "dev"])
def objects(request: pytest.FixtureRequest, made: Path) -> list[Manifest]:
    return render(made / request.param)


@pytest.fixture
def cluster(objects: list[Manifest]) -> Manifest:
    return find(objects, "RayCluster", "agents")


def env_of(container: Manifest, objects: list[Manifest]) -> dict[str, str]:
    """Environment of a container; a value that comes from elsewhere reads as where it comes from."""
    out: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            out |= find(objects, "ConfigMap", source["configMapRef"]["name"])["data"]
    for entry in container.get("env", []):
        out[entry["name"]] = entry.get("value", str(entry.get("valueFrom")))
    return out


def test_every_object_is_valid_for_kubernetes(objects: list[Manifest]) -> None:
    for o in objects:
        if o["kind"] != "RayCluster":
            kubernetes_validate.validate(o, KUBERNETES, strict=True)


def closed(schema: Any) -> Any:
    """The schema with every object that lists its properties closed to others."""
    if isinstance(schema, list):
        return [closed(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: closed(value) for key, value in schema.items()}
    if isinstance(out.get("properties"), dict) and not out.get("x-kubernetes-preserve-unknown-fields"):
        out.setdefault("additionalProperties", False)
    return out


def test_the_ray_cluster_is_valid_for_kuberay(cluster: Manifest) -> None:
    file = CRDS / "ray.io_rayclusters.yaml"
    if not file.exists():
        pytest.skip(
            f"the RayCluster definition is not at hand: HEDGEROW_CRDS or {file.parent.name}/ beside the repository"
        )
    crd = yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    versions = {v["name"]: v["schema"]["openAPIV3Schema"] for v in crd["spec"]["versions"]}
    schema = closed(versions["v1"])
    jsonschema.Draft202012Validator(schema).validate(cluster)
    wrong = {**cluster, "spec": {**cluster["spec"], "workerGroups": []}}
    with pytest.raises(jsonschema.ValidationError, match="workerGroups"):
        jsonschema.Draft202012Validator(schema).validate(wrong)


def test_each_kind_of_agent_has_its_worker_group_and_its_resource(cluster: Manifest) -> None:
    groups = {g["groupName"]: g for g in cluster["spec"]["workerGroupSpecs"]}
    assert sorted(groups) == sorted(kind.replace("_", "-") for kind in KINDS)
    for kind in KINDS:
        group = groups[kind.replace("_", "-")]
        own = {name for name in group["resources"] if name.startswith("agent_")}
        assert own == {f"agent_{kind}"}
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_the_fleet_runs_where_ray_admits_a_driver(cluster: Manifest) -> None:
    head = cluster["spec"]["headGroupSpec"]["template"]["spec"]
    assert [c["name"] for c in head["containers"]] == ["ray-head", "fleet"]  # KubeRay takes the first for Ray's
    assert head["shareProcessNamespace"] is True
    shared = [{(m["name"], m["mountPath"]) for m in c["volumeMounts"]} for c in head["containers"]]
    assert {("scratch", "/tmp"), ("shared-memory", "/dev/shm")} <= shared[0] & shared[1]
    env = {e["name"]: e.get("value") for e in head["containers"][1]["env"]}
    assert env["HEDGEROW_RAY_ADDRESS"] == "$(POD_IP):6379"


def test_every_pod_passes_the_restricted_standard_with_a_read_only_root(objects: list[Manifest]) -> None:
    for name, template in pods(objects):
        context = template["spec"]["securityContext"]
        assert context["runAsNonRoot"] and context["runAsUser"] > 0, name
        assert context["seccompProfile"]["type"] == "RuntimeDefault", name
        assert template["spec"]["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(template["spec"]), name
        for volume in template["spec"].get("volumes", []):
            assert set(volume) - {"name"} <= {"configMap", "emptyDir", "secret"}, (name, volume)
    for container in containers(objects):
        context = container["securityContext"]
        assert context == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, container["name"]
    labels = find(objects, "Namespace", "hedgerow")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_container_runs_the_one_image_and_says_what_it_needs(objects: list[Manifest]) -> None:
    assert len({c["image"] for c in containers(objects)}) == 1
    for c in containers(objects):
        assert c["image"].startswith("hedgerow:"), c["name"]
        assert c["resources"]["requests"].keys() >= {"cpu", "memory"}, c["name"]
        assert "memory" in c["resources"]["limits"], c["name"]


def test_every_variable_is_one_that_somebody_reads(objects: list[Manifest]) -> None:
    unknown = []
    for c in containers(objects):
        if c["name"] == "nats":
            unknown += [f"{n}: not in deploy/nats" for n in env_of(c, objects) if n not in nats_variables()]
        else:
            unknown += [f"{c['name']}: {problem}" for problem in unknown_settings(env_of(c, objects))]
    assert not unknown, "\n".join(unknown)


def test_every_variable_spelled_in_a_value_is_defined_before_it(objects: list[Manifest]) -> None:
    for c in containers(objects):
        defined: set[str] = set()
        for entry in c.get("env", []):
            used = {part.partition(")")[0] for part in entry.get("value", "").split("$(")[1:]}
            assert used <= defined, (c["name"], entry["name"])
            defined.add(entry["name"])


def mounted_keys(template: Manifest, container: Manifest) -> str:
    """The Secret that a container sees under /run/keys; empty if none."""
    volumes = {v["name"]: v for v in template["spec"].get("volumes", [])}
    names = [m["name"] for m in container["volumeMounts"] if m["mountPath"] == "/run/keys"]
    found = [volumes[name]["secret"] for name in names]
    assert all(secret["defaultMode"] == 0o440 for secret in found)
    return found[0]["secretName"] if found else ""


def test_each_part_sees_the_keys_of_its_own_role(objects: list[Manifest]) -> None:
    for _, template in pods(objects):
        spec = template["spec"]
        for c in (*spec.get("initContainers", []), *spec["containers"]):
            role = "" if c["name"] in ("ray-head", "nats") else c["name"]
            assert mounted_keys(template, c) == (f"keys-{role}" if role else "")
            env = env_of(c, objects)
            assert env.get("HEDGEROW_KEYS") == ("/run/keys" if role else None)
            assert env.get("HEDGEROW_NATS_URL") == ("nats://nats:4222" if role else None)


def test_dev_makes_a_secret_of_each_folder_and_tells_nats_the_public_halves(made: Path) -> None:
    rendered = render(made / DEV)
    mounted = {mounted_keys(t, c) for _, t in pods(rendered) for c in t["spec"]["containers"]} - {""} | {"keys-setup"}
    given = {o["metadata"]["name"]: o["stringData"] for o in rendered if o["kind"] == "Secret"}
    assert set(given) == mounted
    for name, data in given.items():
        folder = made / DEV / "keys" / name.removeprefix("keys-")
        assert data == {path.name: path.read_text() for path in folder.iterdir()}
    accounts = find(rendered, "ConfigMap", "nats-config")["data"]["accounts.conf"]
    public = read_env(made / DEV / "keys" / "public" / "nats.env")
    assert all(key in accounts for key in public.values()) and "$HEDGEROW" not in accounts


def test_a_kubelet_asks_for_health_where_no_certificate_is_needed(objects: list[Manifest]) -> None:
    (c,) = find(objects, "StatefulSet", "execution")["spec"]["template"]["spec"]["containers"]
    port = int(env_of(c, objects)["HEDGEROW_HEALTH_ADDRESS"].rpartition(":")[2])
    assert {c[f"{probe}Probe"]["grpc"]["port"] for probe in ("startup", "readiness", "liveness")} == {port}
    assert port != int(env_of(c, objects)["HEDGEROW_EXECUTION_ADDRESS"].rpartition(":")[2])


def test_the_routes_of_the_nats_cluster_are_its_pods() -> None:
    base = render(ROOT / BASE)
    nats = find(base, "StatefulSet", "nats")["spec"]
    routes = {f"nats://nats-{i}.{nats['serviceName']}:6222" for i in range(nats["replicas"])}
    text = (NATS_CONFIG / "cluster.conf").read_text()
    assert {line.strip().strip('"') for line in text.splitlines() if '"nats://' in line} == routes
    headless = find(base, "Service", nats["serviceName"])["spec"]
    assert headless["clusterIP"] == "None" and headless["publishNotReadyAddresses"]


@pytest.mark.parametrize(("folder", "servers"), [(BASE, 3), (DEV, 1)])
def test_streams_have_as_many_replicas_as_there_are_servers(folder: Path, servers: int, made: Path) -> None:
    rendered = render(made / folder)
    assert find(rendered, "StatefulSet", "nats")["spec"]["replicas"] == servers
    settings = find(rendered, "ConfigMap", "hedgerow-settings")["data"]
    assert settings["HEDGEROW_NATS_REPLICAS"] == str(servers)


def test_there_is_one_hand_and_a_standby(objects: list[Manifest]) -> None:
    execution = find(objects, "StatefulSet", "execution")["spec"]
    assert execution["replicas"] == 1
    assert execution["volumeClaimTemplates"][0]["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert find(objects, "Deployment", "manager")["spec"]["replicas"] == 2
    budgets = [o["metadata"]["name"] for o in objects if o["kind"] == "PodDisruptionBudget"]
    assert "manager" in budgets and "execution" not in budgets


def test_only_the_manager_reaches_execution_and_only_clients_reach_nats(objects: list[Manifest]) -> None:
    deny = find(objects, "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    execution = find(objects, "NetworkPolicy", "execution")["spec"]["ingress"]
    assert [i["from"] for i in execution] == [[{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "manager"}}}]]
    for name, template in pods(objects):
        is_client = template["metadata"]["labels"].get("hedgerow/nats-client") == "yes"
        uses_nats = any("HEDGEROW_NATS_URL" in env_of(c, objects) for c in template["spec"]["containers"])
        assert is_client == uses_nats, name


def test_selectors_and_references_hit_something(objects: list[Manifest]) -> None:
    labels = [template["metadata"]["labels"] for _, template in pods(objects)]
    accounts = {o["metadata"]["name"] for o in objects if o["kind"] == "ServiceAccount"}
    for o in objects:
        selector = o.get("spec", {}).get("selector")
        if o["kind"] in ("Service", "PodDisruptionBudget"):
            wanted = selector.get("matchLabels", selector)
            assert any(wanted.items() <= have.items() for have in labels), o["metadata"]["name"]
    for name, template in pods(objects):
        assert template["spec"]["serviceAccountName"] in accounts, name
        mounts = {m["name"] for c in template["spec"]["containers"] for m in c["volumeMounts"]}
        claims = {"data", "store"}
        assert mounts <= {v["name"] for v in template["spec"].get("volumes", [])} | claims, name


def kubectl() -> str | None:
    """kubectl, if it carries a kustomize that knows what we use (5, since Kubernetes 1.27)."""
    found = shutil.which("kubectl")
    if found is None:
        return None
    answer = subprocess.run([found, "version", "--client", "--output=json"], capture_output=True, text=True)
    return found if '"kustomizeVersion": "v5' in answer.stdout else None


def test_kubectl_renders_what_these_tests_read(
    objects: list[Manifest], request: pytest.FixtureRequest, made: Path
) -> None:
    binary = kubectl()
    if binary is None:
        pytest.skip("no kubectl with kustomize 5 on this machine")
    folder = made / {"base": BASE, "dev": DEV}[request.node.callspec.id]
    text = subprocess.run([binary, "kustomize", str(folder)], capture_output=True, text=True, check=True).stdout
    theirs = {(o["kind"], o["metadata"]["name"].removesuffix(hash_of(o))): o for o in yaml.safe_load_all(text)}
    assert sorted(theirs) == sorted((o["kind"], o["metadata"]["name"]) for o in objects)
    for o in objects:
        if o["kind"] not in ("Secret", "StatefulSet"):  # base64 there; the name of the hashed ConfigMap here
            other = theirs[o["kind"], o["metadata"]["name"]]
            assert {k: v for k, v in o.items() if k != "metadata"} == {
                k: v for k, v in other.items() if k != "metadata"
            }
    nats = theirs["StatefulSet", "nats"]["spec"]["template"]["spec"]
    configmaps = {o["metadata"]["name"] for o in theirs.values() if o["kind"] == "ConfigMap"}
    assert nats["volumes"][0]["configMap"]["name"] in configmaps


def hash_of(o: Manifest) -> str:
    """The suffix that kustomize gives to the generated nats-config."""
    name: str = o["metadata"]["name"]
    return name.removeprefix("nats-config") if name.startswith("nats-config-") else ""

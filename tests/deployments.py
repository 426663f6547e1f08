"""What the deployment tests share: manifests read without a cluster, and the names of the settings."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
NATS_CONFIG = ROOT / "deploy" / "nats"
Manifest = dict[str, Any]


def nats_variables() -> set[str]:
    """Environment names that the NATS configuration reads."""
    texts = [path.read_text() for path in NATS_CONFIG.glob("*.conf")]
    return {name for text in texts for name in re.findall(r"\$(HEDGEROW_\w+)", text)}


def process_settings() -> set[str]:
    """Environment names that the code of ``deploy`` and the keys spell out: settings of a process."""
    nodes = (
        n
        for path in (*(ROOT / "deploy").glob("*.py"), ROOT / "common" / "security" / "keys.py")
        for n in ast.walk(ast.parse(path.read_text()))
    )
    texts = (n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return {text for text in texts if re.fullmatch(r"HEDGEROW_[A-Z_]*[A-Z]", text)}


def unknown_settings(env: dict[str, str]) -> list[str]:
    """Names of ``env`` that no process of ours would read, with the reason."""
    from deploy.config import ENV_PREFIX, load  # imports every room, which the other checks do not need

    known = process_settings()
    out = []
    for name, value in env.items():
        if not name.startswith(ENV_PREFIX) or name in known:
            continue
        if "__" not in name:
            out.append(f"{name}: no process reads it")
            continue
        try:
            load(None, {}, {name: value})
        except Exception as error:
            out.append(f"{name}: {error}")
    return out


def render(folder: Path) -> list[Manifest]:
    """The objects of a kustomization: the part of kustomize that this repository uses, and an error for any other."""
    spec = yaml.safe_load((folder / "kustomization.yaml").read_text())
    known = {
        "apiVersion",
        "kind",
        "namespace",
        "resources",
        "labels",
        "images",
        "configMapGenerator",
        "secretGenerator",
    }
    assert set(spec) <= known | {"patches"}, f"{folder}: {sorted(set(spec) - known)} are not rendered here"
    objects: list[Manifest] = []
    for name in spec.get("resources", []):
        path = folder / name
        objects += render(path) if path.is_dir() else [o for o in yaml.safe_load_all(path.read_text()) if o]
    for kind, generator in (("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator")):
        for entry in spec.get(generator, []):
            _generate(objects, kind, entry, folder)
    for patch in spec.get("patches", []):
        _patch(objects, patch)
    tags = {entry["name"]: f"{entry['newName']}:{entry['newTag']}" for entry in spec.get("images", [])}
    for container in containers(objects):
        container["image"] = tags.get(container["image"].partition(":")[0], container["image"])
    return objects


def _generate(objects: list[Manifest], kind: str, entry: Manifest, folder: Path) -> None:
    data = {Path(name).name: (folder / name).read_text() for name in entry.get("files", [])}
    for name in entry.get("envs", []):
        data |= read_env(folder / name)
    if entry.get("behavior") == "merge":
        find(objects, kind, entry["name"])["data"].update(data)
    else:
        body = {"data" if kind == "ConfigMap" else "stringData": data}
        objects.append({"apiVersion": "v1", "kind": kind, "metadata": {"name": entry["name"]}, **body})


def _patch(objects: list[Manifest], patch: Manifest) -> None:
    target = find(objects, patch["target"]["kind"], patch["target"]["name"])
    body = yaml.safe_load(patch["patch"])
    if isinstance(body, dict):
        assert body.get("$patch") == "delete", "only deletions are written as strategic merges here"
        objects.remove(target)
        return
    for step in body:
        assert step["op"] == "replace", step
        *parents, last = [int(p) if p.isdigit() else p for p in step["path"].strip("/").split("/")]
        at: Any = target
        for key in parents:
            at = at[key]
        at[last]  # kustomize refuses to replace what is not there
        at[last] = step["value"]


def read_env(path: Path) -> dict[str, str]:
    """An env file: NAME=value lines, # comments."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def find(objects: list[Manifest], kind: str, name: str) -> Manifest:
    """The object of that kind and name."""
    return next(o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name)


def pods(objects: list[Manifest]) -> list[tuple[str, Manifest]]:
    """Every pod template as (name, template), those of a RayCluster included."""
    out = []
    for o in objects:
        name, spec = o["metadata"]["name"], o.get("spec", {})
        if o["kind"] in ("Deployment", "StatefulSet"):
            out.append((name, spec["template"]))
        if o["kind"] == "RayCluster":
            out.append((f"{name}-head", spec["headGroupSpec"]["template"]))
            out += [(f"{name}-{group['groupName']}", group["template"]) for group in spec["workerGroupSpecs"]]
    return out


def containers(objects: list[Manifest]) -> list[Manifest]:
    """Every container of every pod, init containers included."""
    specs = [template["spec"] for _, template in pods(objects)]
    return [c for spec in specs for c in (*spec.get("initContainers", []), *spec["containers"])]

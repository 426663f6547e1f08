"""A Ray of several nodes on one machine: addresses of its own on loopback, resources only on the nodes, a token of its own."""

from __future__ import annotations

import ipaddress
import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from agents.places import HERE_ENV, resource_of
from common.factors import KINDS
from deploy import ray_nodes
from deploy.config import LiveConfig


def test_every_address_is_loopback_and_runs_beside_each_other_do_not_meet() -> None:
    nets = {ray_nodes.network(pid) for pid in range(1, 20_001)}
    assert len(nets) == 20_000
    for net in nets:
        assert ipaddress.ip_address(f"{net}.2").is_loopback


def test_the_head_carries_no_agents_and_each_node_all_kinds() -> None:
    nodes = ray_nodes.prepare(2, {"HEDGEROW_NATS_URL": "nats://x"})
    try:
        assert not any("--resources" in flag for flag in nodes.head.argv)
        assert len(nodes.nodes) == 2
        hosts = set()
        for node in nodes.nodes:
            (resources,) = [flag for flag in node.argv if flag.startswith("--resources=")]
            assert all(resource_of(kind) in resources for kind in KINDS)
            (host,) = [flag.partition("=")[2] for flag in node.argv if flag.startswith("--node-ip-address=")]
            hosts.add(host)
            assert f"--address={nodes.address}" in node.argv and node.env["HEDGEROW_NATS_URL"] == "nats://x"
        assert len(hosts) == 2
    finally:
        nodes.close()
    assert not nodes.folder.exists()


def test_a_dead_node_leaves_the_cores_to_its_agents_where_another_node_takes_them() -> None:
    for count in (1, 3):
        nodes = ray_nodes.prepare(count, {})
        try:
            assert nodes.head.rest_s == 0.0
            assert all(node.rest_s > 0.0 and len(node.stand_ins) == count - 1 for node in nodes.nodes)
            assert all(node.name not in node.stand_ins for node in nodes.nodes)
        finally:
            nodes.close()


def test_everybody_who_connects_needs_the_runs_own_token() -> None:
    nodes = ray_nodes.prepare(1, {})
    try:
        token = Path(nodes.env["RAY_AUTH_TOKEN_PATH"])
        assert nodes.env["RAY_AUTH_MODE"] == nodes.head.env["RAY_AUTH_MODE"] == "token"
        assert stat.S_IMODE(token.stat().st_mode) == 0o600 and len(token.read_text()) == 64
        assert nodes.env[HERE_ENV] and nodes.env["HEDGEROW_RAY_ADDRESS"] == nodes.address
    finally:
        nodes.close()


def test_own_nodes_and_an_external_ray_contradict_each_other() -> None:
    with pytest.raises(ValidationError, match="leave out ray_address"):
        LiveConfig(ray_nodes=2, ray_address="host:6379")

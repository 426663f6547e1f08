"""Execution with mutual TLS on a real server: who gets in, who said what, and health without a certificate."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import grpc
import pytest
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hedgerow.execution.v1 import execution_pb2 as pb
from hedgerow.execution.v1 import execution_pb2_grpc

from common.errors import Refused, Unavailable, UsageError
from common.execution_client import ExecutionClient
from common.messages import TradingState
from common.security.audit import verify
from common.security.certificates import load_public
from common.security.keys import KEYS_VARIABLE, Keys
from deploy import certs
from deploy.reconcile import run_reconcile
from execution.config import ExecutionConfig
from tests.execution_world import free_address, make_config, running
from tests.security_world import AGENT_WITH_CERTIFICATE, PERSON, make_keys, tls_of

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys") / "keys")


def secured(folder: Path, keys: Path, **changes: object) -> ExecutionConfig:
    return make_config(folder, keys=keys / "execution", **changes)


def audit_lines(folder: Path) -> list[bytes]:
    (path,) = (folder / "audit").glob("execution-*.jsonl")
    return path.read_bytes().splitlines(keepends=True)


def test_without_a_certificate_of_our_ca_there_is_no_connection(tmp_path: Path, keys: Path) -> None:
    strangers = tmp_path / "strangers"
    certs.make(strangers, [certs.Wanted("manager", "manager", certified=True)])
    ours, theirs = tls_of(keys, "manager"), tls_of(strangers, "manager")

    async def refused(channel: grpc.aio.Channel) -> None:
        async with channel:
            stub = execution_pb2_grpc.ExecutionServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.GetStatus(pb.GetStatusRequest(), timeout=2.0)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE

    async def main() -> None:
        async with running(secured(tmp_path, keys), tls=ours) as desk:
            await refused(grpc.aio.insecure_channel(desk.address))
            await refused(grpc.aio.secure_channel(desk.address, grpc.ssl_channel_credentials(ours.ca)))
            stolen = grpc.ssl_channel_credentials(ours.ca, theirs.key, theirs.certificate)
            await refused(grpc.aio.secure_channel(desk.address, stolen))
            assert (await desk.client.status())["state"] == "ACTIVE"

    uvloop.run(main())


def test_a_managers_key_cannot_pose_as_execution(tmp_path: Path, keys: Path) -> None:
    async def main() -> None:
        posing = make_config(tmp_path, keys=keys / "manager")
        with pytest.raises((Unavailable, TimeoutError)):
            async with running(posing, tls=tls_of(keys, "manager"), connect_s=1.0):
                pass

    uvloop.run(main())


def test_who_is_proven_and_each_control_call_leaves_a_signed_line(tmp_path: Path, keys: Path) -> None:
    async def main() -> None:
        async with running(secured(tmp_path, keys), tls=tls_of(keys, "manager")) as desk:
            async with ExecutionClient(desk.address, tls=tls_of(keys, PERSON)) as alice:
                await alice.set_trading_state(TradingState.PAUSED, "al", "smoke")
                assert (await alice.status())["who"] == "alice/al"
                request = pb.SetTradingStateRequest(state=1, who="bob", why="smoke")
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await alice._stub.SetTradingState(request)
                assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
                assert "'bob' is not the certificate's 'alice'" in caught.value.details()
                assert (await alice.status())["state"] == "PAUSED"
                with pytest.raises(Refused, match="no scope"):
                    await alice.set_trading_state(TradingState.ACTIVE, "alice", "typo", "underlying:NONE")
            await desk.client.set_trading_state(TradingState.ACTIVE, "carol", "found nothing")

    uvloop.run(main())
    lines = audit_lines(tmp_path)
    said = [json.loads(line) for line in lines]
    assert [(line["who"], line["proven"], line["why"], line["outcome"].partition(":")[0]) for line in said] == [
        ("alice/al", "risk_manager alice", "smoke", "done"),
        ("bob", "risk_manager alice", "smoke", "refused"),
        ("alice", "risk_manager alice", "typo", "refused"),
        ("manager/carol", "manager manager", "found nothing", "done"),
    ]
    assert verify(lines, load_public(keys / "execution" / "audit.pub")).problems == ()


def test_hedgerow_reconcile_proves_who_asks(
    tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        async with running(secured(tmp_path, keys), tls=tls_of(keys, "manager")) as desk:
            monkeypatch.setenv(KEYS_VARIABLE, str(keys / PERSON))
            assert await asyncio.to_thread(run_reconcile, desk.address, True) == 0
            monkeypatch.setenv(KEYS_VARIABLE, str(keys / "viewer"))
            with pytest.raises(Refused, match=r"role viewer .* may not call .*/Reconcile"):
                await asyncio.to_thread(run_reconcile, desk.address, True)

    uvloop.run(main())
    assert json.loads(capsys.readouterr().out)["state"] == "ACTIVE"


def test_a_certificate_alone_gives_no_right(tmp_path: Path, keys: Path) -> None:
    async def main() -> None:
        async with (
            running(secured(tmp_path, keys), tls=tls_of(keys, "manager")) as desk,
            ExecutionClient(desk.address, tls=tls_of(keys, AGENT_WITH_CERTIFICATE)) as agent,
        ):
            with pytest.raises(Refused, match=r"role agent \(gamma-0\) may not call .*/Fence"):
                await agent.fence(9, "gamma-0")
            with pytest.raises(Refused, match=r"may not call .*/StreamReports"):
                await agent.reports_between(1, 1)
            with pytest.raises(Refused, match="/SetTradingState"):
                await agent.set_trading_state(TradingState.KILLED, "gamma-0", "why not")
            assert (await desk.client.status())["state"] == "ACTIVE"

    uvloop.run(main())


def test_health_is_told_without_a_certificate_on_a_port_that_tells_nothing_else(tmp_path: Path, keys: Path) -> None:
    health_at = free_address()

    async def main() -> None:
        config = secured(tmp_path, keys, health_address=health_at)
        async with (
            running(config, tls=tls_of(keys, "manager")),
            grpc.aio.insecure_channel(health_at) as channel,
        ):
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="readiness"))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await execution_pb2_grpc.ExecutionServiceStub(channel).GetStatus(pb.GetStatusRequest())
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

    uvloop.run(main())


def test_beyond_this_machine_it_listens_only_with_keys(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match=r"0\.0\.0\.0:0 without keys: give HEDGEROW_KEYS"):
            async with running(make_config(tmp_path, address="0.0.0.0:0")):
                pass

    uvloop.run(main())


def test_on_loopback_without_keys_control_is_written_down_as_unproven(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk:
            await desk.client.set_trading_state(TradingState.KILLED, "carol", "smoke")

    uvloop.run(main())
    (line,) = audit_lines(tmp_path)
    assert (json.loads(line)["who"], json.loads(line)["proven"]) == ("carol", "unproven")
    assert Keys.of("") is None and verify([line]).problems == ()

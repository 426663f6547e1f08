"""Commands signed by a person: proven as sent, refused however they are changed or borrowed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hedgerow.control.v1 import control_pb2 as pb

from common.clock import WallClock
from common.control_messages import Command
from common.errors import Refused
from common.security.access import Identity
from common.security.keys import Keys
from common.security.proof import prove_command, sign_command
from common.units import NS_PER_DAY
from common.wire import codec
from tests.security_world import AGENT_WITH_CERTIFICATE, PERSON, make_keys, tls_of

ASKED = Command("c1", "limits.set", f"{PERSON}/al", "news", '{"path":"x","value":1}')


def now_ns() -> int:
    """Read when a test runs: a run collects its tests long before it makes the keys, which then would not hold yet."""
    return WallClock().wall_ns()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys") / "keys")


def ca(keys: Path) -> bytes:
    found = Keys(keys / "manager").ca
    assert found is not None
    return found


def signed(keys: Path, command: Command = ASKED, name: str = PERSON) -> bytes:
    return sign_command(codec.encode_command(command), tls_of(keys, name))


def test_a_signed_command_says_who_and_reads_as_it_was(keys: Path) -> None:
    data = signed(keys)
    assert prove_command(data, ca(keys), now_ns()) == Identity("risk_manager", PERSON)
    assert codec.decode_command(data) == ASKED
    assert prove_command(codec.encode_command(ASKED), ca(keys), now_ns()) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"command_id": "c2"},
        {"action": "kill"},
        {"who": "alice/bob"},
        {"why": "other"},
        {"arguments_json": '{"path":"x","value":2}'},
    ],
)
def test_no_field_can_be_changed_on_the_way(keys: Path, changed: dict[str, str]) -> None:
    message = pb.Command.FromString(signed(keys))
    for name, value in changed.items():
        setattr(message, name, value)
    with pytest.raises(Refused, match="do not fit"):
        prove_command(message.SerializeToString(), ca(keys), now_ns())


def test_a_proof_cannot_be_borrowed_halved_or_made_by_another_ca(keys: Path, tmp_path: Path) -> None:
    mine, other = pb.Command.FromString(signed(keys)), pb.Command.FromString(signed(keys, name="risk_manager"))
    strangers = make_keys(tmp_path / "strangers")
    for certificate, signature in (
        (other.certificate, mine.signature),
        (b"", mine.signature),
        (mine.certificate, b""),
        (mine.certificate[:-1], mine.signature),
        (pb.Command.FromString(signed(strangers)).certificate, pb.Command.FromString(signed(strangers)).signature),
    ):
        borrowed = pb.Command()
        borrowed.CopyFrom(mine)
        borrowed.certificate, borrowed.signature = certificate, signature
        with pytest.raises(Refused, match="do not fit"):
            prove_command(borrowed.SerializeToString(), ca(keys), now_ns())


def test_a_true_proof_of_the_wrong_sort_is_refused(keys: Path) -> None:
    for name in ("viewer", "manager", AGENT_WITH_CERTIFICATE):
        with pytest.raises(Refused, match="may not steer"):
            prove_command(signed(keys, name=name), ca(keys), now_ns())
    for who in ("bob", "alicette", "alice/", ""):
        with pytest.raises(Refused, match="is not the certificate's 'alice'"):
            prove_command(signed(keys, replace(ASKED, who=who)), ca(keys), now_ns())
    for days in (-1, 91):
        with pytest.raises(Refused, match="does not hold now"):
            prove_command(signed(keys), ca(keys), now_ns() + days * NS_PER_DAY)

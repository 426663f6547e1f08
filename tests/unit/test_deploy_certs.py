"""Keys as made for development: what certificates say, who may read what, and that a second call keeps what is there."""

from __future__ import annotations

import json
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from common.errors import Conflict, InputError, UsageError
from common.security.access import AGENT, CERTIFIED, CLUSTER_ROLES, EXECUTION, MANAGER, Identity
from common.security.certificates import identity_of, load_public, load_signer
from common.security.keys import Keys
from deploy import certs
from deploy.cli import app


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs") / "keys"
    assert len(certs.make(folder, certs.defaults(days=7), hosts=["execution.hedgerow.svc", "10.0.0.9"])) == 9
    return folder


def secrets_of(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.suffix in (".key", ".seed")]


def test_private_halves_are_their_owners_alone_and_public_files_hold_none(made: Path) -> None:
    private = secrets_of(made)
    assert len(private) == 1 + 2 * 9 + 4  # the CA's; seed and audit key of each role; four certificates
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in private)
    assert all(stat.S_IMODE((made / role).stat().st_mode) == 0o700 for role in CLUSTER_ROLES)
    words = [path.read_text().strip() for path in private]
    for path in set(made.rglob("*")) - set(private):
        if path.is_file():
            text = path.read_text()
            assert not any(word in text for word in words), path
            assert "PRIVATE KEY" not in text and not any(line.startswith("SU") for line in text.split()), path


def test_openssl_finds_each_certificate_signed_for_its_one_purpose(made: Path) -> None:
    for role in CERTIFIED[:4]:
        for purpose in ("sslserver", "sslclient"):
            command = [
                "openssl",
                "verify",
                "-x509_strict",
                "-purpose",
                purpose,
                "-CAfile",
                "public/ca.crt",
                f"{role}/tls.crt",
            ]
            answer = subprocess.run(command, cwd=made, capture_output=True, text=True)
            assert (answer.returncode == 0) == ((purpose == "sslserver") == (role == EXECUTION)), answer.stderr


def test_a_certificate_says_role_name_hosts_and_how_long(made: Path) -> None:
    for role in CLUSTER_ROLES:
        assert (Keys(made / role).tls() is not None) == (role in CERTIFIED), role
    pem = (made / EXECUTION / "tls.crt").read_bytes()
    assert identity_of(pem, "") == Identity(EXECUTION, EXECUTION)
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", EXECUTION, "execution.hedgerow.svc"} == set(names.get_values_for_type(x509.DNSName))
    assert "10.0.0.9" in map(str, names.get_values_for_type(x509.IPAddress))
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)


def test_each_role_folder_holds_what_its_role_needs_and_nothing_of_another(made: Path) -> None:
    always = {"ca.crt", "nats.seed", "audit.key", "audit.pub"}
    for role in CLUSTER_ROLES:
        extra = {"tls.crt", "tls.key"} if role in CERTIFIED else set()
        assert {p.name for p in (made / role).iterdir()} == always | extra
    signer = load_signer(made / MANAGER / "audit.key")
    assert load_public(made / MANAGER / "audit.pub").public_bytes_raw() == signer.public_key().public_bytes_raw()
    seeds = {(made / role / "nats.seed").read_text() for role in CLUSTER_ROLES}
    assert len(seeds) == len(CLUSTER_ROLES)


def test_a_second_call_keeps_what_is_there_and_adds_a_person_to_the_accounts(made: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in secrets_of(made)}
    said = CliRunner().invoke(app, ["certs", str(made), "--role", "risk_manager", "--name", "alice", "--days", "3"])
    assert said.exit_code == 0, said.output
    assert {path: path.read_bytes() for path in before} == before
    assert identity_of((made / "alice" / "tls.crt").read_bytes(), "") == Identity("risk_manager", "alice")
    index = json.loads((made / "public" / "index.json").read_text())
    text = (made / "public" / "accounts.conf").read_text()
    assert all(text.count(holder["nkey"]) == 1 for holder in index.values())
    assert "$HEDGEROW" not in text and text.count("nkey:") == len(index)
    alone = (made / "public" / "nats.env").read_text()
    assert index["risk_manager"]["nkey"] in alone and index["alice"]["nkey"] not in alone
    with pytest.raises(Conflict, match="alice is that of a risk_manager"):
        certs.make(made, [certs.Wanted("viewer", "alice", certified=True)])


def test_an_agent_gets_a_certificate_only_when_asked_by_name(tmp_path: Path) -> None:
    certs.make(tmp_path, [certs.Wanted(AGENT, "gamma-0", certified=True)])
    assert identity_of((tmp_path / "gamma-0" / "tls.crt").read_bytes(), "") == Identity(AGENT, "gamma-0")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--role", "king"], "no role 'king'"),
        (["--role", "viewer", "--name", "../up"], "name '../up'"),
        (["--role", "viewer", "--name", "a/b"], "name 'a/b'"),
        (["--role", "viewer", "--days", "0"], "--days 0"),
        (["--name", "alice"], "--role"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(words: list[str], why: str, tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["certs", str(tmp_path / "keys"), *words])
    assert isinstance(said.exception, UsageError) and why in str(said.exception)
    assert not (tmp_path / "keys").exists()


def test_a_folder_without_its_ca_key_or_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "ca.crt").write_text("nothing")
    with pytest.raises(InputError, match=r"ca\.key: is not the private key"):
        certs.make(tmp_path, certs.defaults())
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="give a folder that can be written"):
        certs.make(tmp_path / "file" / "keys", certs.defaults())

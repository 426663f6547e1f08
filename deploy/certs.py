"""Keys for development and for one machine: a small CA, a certificate and an nkey a role, audit keys, NATS accounts.

    FOLDER/
      ca.key          the CA's (0600); stays here
      public/         nothing secret:
        ca.crt          to everybody
        index.json      who holds what: role, public nkey, public audit key
        nats.env        public nkeys by name, for the environment of a nats-server
        accounts.conf   deploy/nats/accounts.conf with the public nkeys filled in
      ROLE/           one folder a role (0700), all it needs and nothing else: `common.security.keys`

Idempotent: what is there stays, so that a second call adds what is missing. A desk with an issuer of its own (cert-manager,
SPIRE) puts the same files into the same places; nothing reads this folder as a whole.
*Tested by* tests/unit/test_deploy_certs.py, tests/integration/test_security_matrix.py.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import nkeys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from common.errors import Conflict, InputError, Problem, UsageError
from common.security import certificates
from common.security import keys as layout
from common.security.access import CERTIFIED, CLUSTER_ROLES, EXECUTION, ON_BEHALF, ROLES, role_uri
from common.security.audit import key_hex
from common.security.audit_file import write_private

ACCOUNTS: Final = Path(__file__).with_name("nats") / "accounts.conf"
#: Users that only a server on one machine knows; they follow this line of accounts.conf.
EMBEDDED: Final = Path(__file__).with_name("embedded_users.conf")
SYS: Final = "sys"
PUBLIC: Final = "public"
DAYS: Final = 90
CA_DAYS: Final = 3650
HOSTS: Final = ("localhost", "127.0.0.1", "::1", EXECUTION)
#: Clocks of two machines differ a little.
_SKEW: Final = timedelta(minutes=5)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a folder of keys: public halves only. ``audit`` is hexadecimal."""

    role: str
    nkey: str
    audit: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A folder to make: its holder's role and name, and for how long. ``certified``: with a certificate."""

    role: str
    name: str
    certified: bool
    days: int = DAYS


def defaults(days: int = DAYS, *, embedded: bool = False) -> list[Wanted]:
    """Every role under its own name; ``embedded`` adds the roles of one machine. Agents and their like get no certificate."""
    roles = ROLES if embedded else CLUSTER_ROLES
    return [Wanted(role, role, role in CERTIFIED, days) for role in (*roles, SYS)]


def make(folder: Path, wanted: Sequence[Wanted], hosts: Sequence[str] = (), *, embedded: bool = False) -> list[str]:
    """Make what is missing; returns the names whose folders are new.

    Raises ``UsageError`` for a name or role that makes no sense, ``Conflict`` where a name is held by another role,
    ``InputError`` if the folder cannot be written or its CA cannot be read.
    """
    for one in wanted:
        _check(one)
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / PUBLIC).mkdir(exist_ok=True)
        ca = _authority(folder)
        index = read_index(folder)
        for one in wanted:
            held = index.get(one.name)
            if held is not None and held.role != one.role:
                raise Conflict(f"{folder / one.name} is that of a {held.role}; choose another name for a {one.role}")
        fresh = [one for one in wanted if one.name not in index]
        for one in fresh:
            index[one.name] = _make_one(folder, one, ca, (*HOSTS, *hosts))
        _write_public(folder, index, embedded=embedded)
    return [one.name for one in fresh]


def read_index(folder: Path) -> dict[str, Holder]:
    """Who holds what; empty where nothing was made yet."""
    path = folder / PUBLIC / "index.json"
    if not path.exists():
        return {}
    return {name: Holder(**fields) for name, fields in json.loads(path.read_text()).items()}


def accounts(index: Mapping[str, Holder], *, embedded: bool) -> str:
    """The NATS accounts with the public nkeys filled in: a user's block stands once for each holder of its role."""
    text = ACCOUNTS.read_text()
    if embedded:
        mark = "# Users of one machine stand here.\n"
        text = text.replace(mark, EMBEDDED.read_text())
    for role in (*ROLES, SYS):
        held = [holder.nkey for holder in index.values() if holder.role == role]
        block = re.search(
            rf"^( *)\{{[^{{}}]*\$HEDGEROW_NATS_{role.upper()}_NKEY.*?^\1\}}\n", text, re.MULTILINE | re.DOTALL
        )
        if block is None:
            continue
        variable = f"$HEDGEROW_NATS_{role.upper()}_NKEY"
        text = text.replace(block[0], "".join(block[0].replace(variable, key) for key in held))
    return text


def _check(one: Wanted) -> None:
    if one.role not in (*ROLES, SYS):
        raise UsageError(f"no role {one.role!r}; known: {', '.join((*ROLES, SYS))}")
    if not _NAME.fullmatch(one.name) or ON_BEHALF in one.name or one.name == PUBLIC:
        raise UsageError(
            f"name {one.name!r}: letters, digits, '-', '_' and '.', at most 63, a letter or digit first; not public"
        )
    if not 1 <= one.days <= CA_DAYS:
        raise UsageError(f"--days {one.days}: give 1 to {CA_DAYS}")


def _make_one(
    folder: Path, one: Wanted, ca: tuple[x509.Certificate, ec.EllipticCurvePrivateKey], hosts: Sequence[str]
) -> Holder:
    # Made beside and moved into place whole: a folder that is there is complete.
    place, fresh = folder / one.name, folder / f".{one.name}-{os.getpid()}"
    fresh.mkdir(mode=0o700)
    (fresh / layout.CA).write_bytes(ca[0].public_bytes(serialization.Encoding.PEM))
    seed = bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER))
    write_private(fresh / layout.SEED, seed + b"\n")
    signer = Ed25519PrivateKey.generate()
    write_private(fresh / layout.AUDIT, certificates.private_pem(signer))
    (fresh / layout.AUDIT_PUBLIC).write_bytes(certificates.public_pem(signer.public_key()))
    if one.certified:
        certificate, key = _certificate(one, ca, hosts)
        (fresh / layout.CERTIFICATE).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_private(fresh / layout.PRIVATE, _pem(key))
    fresh.rename(place)
    return Holder(one.role, bytes(nkeys.from_seed(bytearray(seed)).public_key).decode(), key_hex(signer.public_key()))


def _certificate(
    one: Wanted, ca: tuple[x509.Certificate, ec.EllipticCurvePrivateKey], hosts: Sequence[str]
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Execution's serves, everybody else's asks: a stolen manager's key cannot pose as execution."""
    key = ec.generate_private_key(ec.SECP256R1())
    serves = one.role == EXECUTION
    usage = ExtendedKeyUsageOID.SERVER_AUTH if serves else ExtendedKeyUsageOID.CLIENT_AUTH
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(role_uri(one.role))]
    names += [_host(host) for host in dict.fromkeys(hosts)] if serves else []
    builder = (
        _builder(one.name, ca[0].subject, key, one.days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca[1].public_key()), critical=False)
    )
    return builder.sign(ca[1], hashes.SHA256()), key


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate_file, key_file = folder / PUBLIC / layout.CA, folder / "ca.key"
    if certificate_file.exists():
        try:
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            return x509.load_pem_x509_certificate(certificate_file.read_bytes()), key
        except (OSError, ValueError, TypeError, AssertionError):
            problem = Problem(0, "is not the private key of the CA beside it")
            raise InputError(str(key_file), [problem], "put it back, or give a new folder") from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hedgerow development CA")])
    certificate = (
        _builder("Hedgerow development CA", name, key, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(key_file, _pem(key))
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _builder(name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_public(folder: Path, index: Mapping[str, Holder], *, embedded: bool) -> None:
    one_each = {holder.role: holder.nkey for holder in reversed(list(index.values()))}
    files = {
        "index.json": json.dumps({name: asdict(holder) for name, holder in index.items()}, indent=2) + "\n",
        "nats.env": "".join(f"HEDGEROW_NATS_{role.upper()}_NKEY={key}\n" for role, key in sorted(one_each.items())),
        "accounts.conf": accounts(index, embedded=embedded),
    }
    for name, text in files.items():
        fresh = folder / PUBLIC / f".{name}-{os.getpid()}"
        fresh.write_text(text)
        fresh.replace(folder / PUBLIC / name)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = Problem(0, f"{error.strerror}: {error.filename}")
        raise InputError(str(folder), [reason], "give a folder that can be written") from None

"""Where a process finds its keys: one folder a role, named by ``HEDGEROW_KEYS``, with fixed names inside.

    ca.crt      who signs certificates
    tls.crt     certificate of this role; tls.key its private key
    nats.seed   seed of its NATS nkey
    audit.key   private ed25519 key for audit lines; audit.pub the public half

A folder holds what its role needs and nothing of another's, so it can be mounted as it is (a Kubernetes Secret, a volume of
compose). A file that is missing means that this process does not use it. Keys come from files only: never as an argument,
which a process list shows, and never as a value in the environment, which children inherit and dumps show.
*Tested by* tests/unit/test_security_keys.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

from common.errors import InputError, Problem
from common.security.access import Identity, identity

KEYS_VARIABLE: Final = "HEDGEROW_KEYS"
CA, CERTIFICATE, PRIVATE, SEED, AUDIT, AUDIT_PUBLIC = (
    "ca.crt",
    "tls.crt",
    "tls.key",
    "nats.seed",
    "audit.key",
    "audit.pub",
)
REMEDY: Final = "make keys with `hedgerow certs FOLDER`, or correct HEDGEROW_KEYS"


@dataclass(frozen=True, slots=True)
class Tls:
    """A process's half of a mutual TLS connection, as PEM; the private key is left out of ``repr``."""

    ca: bytes
    certificate: bytes
    identity: Identity
    key: bytes

    def __repr__(self) -> str:
        return f"Tls({self.identity.role}, {self.identity.name})"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one role, by the folder they lie in; nothing is read before it is asked for."""

    folder: Path

    @classmethod
    def of(cls, text: str | None) -> Keys | None:
        """The folder that an environment variable names; None where there is none. Raises ``InputError`` if it is no folder."""
        if not text:
            return None
        folder = Path(text)
        if not folder.is_dir():
            raise InputError(text, [Problem(0, "is no folder")], REMEDY)
        return cls(folder)

    @property
    def seed(self) -> Path | None:
        """File of the NATS seed, if there is one."""
        return self._there(SEED)

    @property
    def audit(self) -> Path | None:
        """File of the private key for audit lines, if there is one."""
        return self._there(AUDIT)

    @property
    def ca(self) -> bytes | None:
        """Certificate of the CA in PEM, if there is one."""
        path = self._there(CA)
        return _read(path) if path is not None else None

    def tls(self) -> Tls | None:
        """Certificate and key, or None where the folder has neither. Raises ``InputError`` naming file and reason."""
        wanted = [self.folder / name for name in (CA, CERTIFICATE, PRIVATE)]
        missing = [path for path in wanted if not path.exists()]
        if missing and not any((self.folder / name).exists() for name in (CERTIFICATE, PRIVATE)):
            return None
        ca, certificate, key = (_read(path) for path in wanted)
        return Tls(ca, certificate, identity_of(certificate, str(wanted[1])), key)

    def _there(self, name: str) -> Path | None:
        path = self.folder / name
        return path if path.exists() else None


def identity_of(pem: bytes, path: str) -> Identity:
    """Role and name of a certificate. Raises ``InputError`` naming the file if it is none, ``Refused`` if it has no role."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise InputError(path, [Problem(0, "is no certificate in PEM")], REMEDY) from None
    return identity_in(certificate)


def identity_in(certificate: x509.Certificate) -> Identity:
    """Role and name of a certificate. Raises ``Refused`` if it has no role of ours."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = found.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, x509.ExtensionNotFound):
        uris = []
    return identity(uris, str(names[0].value) if names else "")


def load_signer(path: Path) -> Ed25519PrivateKey:
    """A private key for audit lines. Raises ``InputError``; the text never holds anything of the file."""
    try:
        key = serialization.load_pem_private_key(_read(path), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(str(path), [Problem(0, "is no ed25519 private key in PEM")], REMEDY)
    return key


def load_public(path: Path) -> Ed25519PublicKey:
    """A public key for audit lines. Raises ``InputError``."""
    try:
        key = serialization.load_pem_public_key(_read(path))
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(str(path), [Problem(0, "is no ed25519 public key in PEM")], REMEDY)
    return key


def private_pem(key: Ed25519PrivateKey) -> bytes:
    """As ``load_signer`` reads it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key: Ed25519PublicKey) -> bytes:
    """As ``load_public`` reads it."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(path), [Problem(0, error.strerror or "unreadable")], REMEDY) from None

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

from common.errors import InputError, Problem
from common.security.access import Identity

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
        return read(path) if path is not None else None

    def tls(self) -> Tls | None:
        """Certificate and key, or None where the folder has neither. Raises ``InputError`` naming file and reason."""
        wanted = [self.folder / name for name in (CA, CERTIFICATE, PRIVATE)]
        missing = [path for path in wanted if not path.exists()]
        if missing and not any((self.folder / name).exists() for name in (CERTIFICATE, PRIVATE)):
            return None
        from common.security.certificates import identity_of  # here: most who know their folder read no certificate

        ca, certificate, key = (read(path) for path in wanted)
        return Tls(ca, certificate, identity_of(certificate, str(wanted[1])), key)

    def _there(self, name: str) -> Path | None:
        path = self.folder / name
        return path if path.exists() else None


def read(path: Path) -> bytes:
    """A file of keys. Raises ``InputError`` naming it and why it cannot be read; the text never holds anything of it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(path), [Problem(0, error.strerror or "unreadable")], REMEDY) from None

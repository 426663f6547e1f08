"""Certificates and keys as the files of ``common/security/keys.py`` hold them.

Apart from the folder they lie in, since an agent reads none and a fifteenth of a second of its start would go into loading
what reads them. *Tested by* tests/unit/test_security_keys.py, tests/unit/test_deploy_certs.py.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

from common.errors import InputError, Problem
from common.security.access import Identity, identity
from common.security.keys import REMEDY, read


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
        key = serialization.load_pem_private_key(read(path), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(str(path), [Problem(0, "is no ed25519 private key in PEM")], REMEDY)
    return key


def load_public(path: Path) -> Ed25519PublicKey:
    """A public key for audit lines. Raises ``InputError``."""
    try:
        key = serialization.load_pem_public_key(read(path))
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

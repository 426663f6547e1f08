"""Who sent a command, proven: the sender signs it with the key of its certificate, the receiver checks both. Pure.

NATS tells a responder nothing of who published, so the proof travels in the command. What is signed is the whole command without
the proof, so neither who, what nor why can be changed on the way; the command's id, carried out once, keeps an old one from
being sent again. *Tested by* tests/unit/test_security_proof.py.
"""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.message import DecodeError
from hedgerow.control.v1 import control_pb2 as pb

from common.errors import Refused
from common.security.access import OPERATOR, RISK_MANAGER, Identity, speaks_for
from common.security.certificates import identity_in
from common.security.keys import Tls
from common.units import NS_PER_S

#: Keeps a signature made here from meaning anything elsewhere.
_DOMAIN: Final = b"hedgerow.control.v1.Command\n"
#: Roles of people and of the launcher that ends a run; the fleet has no certificate and signs nothing.
_MAY_STEER: Final = (RISK_MANAGER, OPERATOR)
_ECDSA: Final = ec.ECDSA(hashes.SHA256())


def sign_command(data: bytes, tls: Tls) -> bytes:
    """An encoded command with its proof."""
    command = pb.Command.FromString(data)
    key = serialization.load_pem_private_key(tls.key, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Refused(f"the key of {tls.identity.name} cannot sign commands: an EC key is needed")
    command.signature = key.sign(_signed(command), _ECDSA)
    certificate = x509.load_pem_x509_certificate(tls.certificate)
    command.certificate = certificate.public_bytes(serialization.Encoding.DER)
    return command.SerializeToString()


def prove_command(data: bytes, ca: bytes, wall_ns: int) -> Identity | None:
    """Who sent a command, or None where it carries no proof.

    Raises ``Refused`` where the proof does not hold: another CA, a certificate that has run out or not begun, a signature that
    does not fit, a role that may not steer, or a ``who`` that is not the certificate's name nor begins with it.
    """
    try:
        command = pb.Command.FromString(data)
    except DecodeError:
        raise Refused("Command: malformed") from None
    if not command.certificate and not command.signature:
        return None
    try:
        with warnings.catch_warnings(action="error"):  # a certificate that the library only warns of is none
            certificate = x509.load_der_x509_certificate(command.certificate)
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca))
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("no EC key")
        key.verify(command.signature, _signed(command), _ECDSA)
        now = datetime.fromtimestamp(wall_ns / NS_PER_S, UTC)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion, Warning):
        raise Refused("the command's proof does not hold: certificate or signature do not fit") from None
    who = identity_in(certificate)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise Refused(f"the certificate of {who.name} does not hold now")
    if who.role not in _MAY_STEER:
        raise Refused(f"role {who.role} ({who.name}) may not steer")
    if not speaks_for(who.name, command.who):
        raise Refused(f"who {command.who!r} is not the certificate's {who.name!r} nor begins with {who.name + '/'!r}")
    return who


def _signed(command: pb.Command) -> bytes:
    bare = pb.Command()
    bare.CopyFrom(command)
    bare.ClearField("certificate")
    bare.ClearField("signature")
    return _DOMAIN + bare.SerializeToString(deterministic=True)

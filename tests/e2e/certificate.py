"""A self-signed certificate for servers on this machine."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificate(path: Path) -> None:
    """Write a key and a self-signed certificate for localhost into one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    _write(path, key, [_certificate("localhost", key, "localhost", key)])


def make_chain(path: Path) -> None:
    """Write a key, its certificate and the certificate that signed it into one PEM file."""
    key, upper = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    chain = [
        _certificate("localhost", key, "intermediate", upper),
        _certificate("intermediate", upper, "root", upper),
    ]
    _write(path, key, chain)


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """Return a certificate for a host name, valid from yesterday to tomorrow."""
    now = datetime.datetime.now(datetime.timezone.utc)
    subject, signer = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)]) for common in (name, issuer)
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _write(path: Path, key: ec.EllipticCurvePrivateKey, chain: list[x509.Certificate]) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(
        private + b"".join(found.public_bytes(serialization.Encoding.PEM) for found in chain)
    )


def trusting_all() -> ssl.SSLContext:
    """Return the TLS context of a client that accepts any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context

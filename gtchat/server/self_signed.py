"""`gtchat certificate self-signed`: a key with a certificate that no authority has signed.

For trials and for servers within a network whose clients are given the certificate: browsers warn
of it.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gtchat.server.checks import check_host, check_network
from gtchat.server.command_line import CommandError, make_parser

#: Days for which a certificate is valid: browsers accept no longer ones (CA/Browser Forum).
DAYS = 398
#: Most days that can be chosen.
MOST_DAYS = 3650
#: Largest length of a common name (RFC 5280, appendix A.1, ub-common-name).
COMMON_NAME_CHARS = 64


def make(hosts: Sequence[str], days: int, now: datetime) -> bytes:
    """Return a private key (ECDSA, P-256) and its certificate, in PEM.

    Args:
        hosts: host names and IP addresses for which it is valid, at least one.
        days: how long it is valid.
        now: the present time; it is valid from an hour before.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:COMMON_NAME_CHARS])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([*map(_general_name, hosts)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.encode("idna").decode())


def _days(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= MOST_DAYS:
        raise ArgumentTypeError(f"{text!r} is no number of days, 1 to {MOST_DAYS}")
    return int(text)


def run(words: Sequence[str], help: str) -> int:
    """Run the subcommand. help: see `Subcommand`."""
    parser = make_parser("certificate", help)
    parser.add_argument("kind", choices=("self-signed",), help="the kind of certificate")
    parser.add_argument("file", metavar="FILE", type=Path, help="the PEM file; it must not exist")
    parser.add_argument(
        "--host", action="append", metavar="NAME", help="host name or IP address; several times"
    )
    parser.add_argument("--days", type=_days, default=DAYS, help=f"days it is valid ({DAYS})")
    options = parser.parse_args(words)
    hosts = options.host or ["localhost", "127.0.0.1", "::1"]
    for host in hosts:
        if check_network(host) and (wrong := check_host(host)):
            raise CommandError(wrong)
    try:
        made = make(hosts, options.days, datetime.now(timezone.utc))
    except (ValueError, UnicodeError) as error:
        raise CommandError(f"no certificate for {', '.join(hosts)}: {error}") from error
    file = options.file.absolute()
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as pem:
            pem.write(made)
    except OSError as error:
        raise CommandError(f"cannot write {file}: {error.strerror}") from error
    word = str(file).replace("\\", "\\\\").replace(":", "\\:")
    sys.stdout.write(
        f"wrote {file}, for {', '.join(hosts)}, valid for {options.days} days\n"
        f"use it as: --web ssl:8443:privateKey={word}\n"
    )
    return 0

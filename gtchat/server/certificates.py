"""TLS for `ssl:` endpoints: key and certificates from files, which can be read again while serving.

Twisted's own `ssl:` endpoint sends the first certificate of a file only and reads its files once.
The words of the endpoint are the same: `ssl:PORT:privateKey=FILE:certKey=FILE`, and `interface`,
`backlog`, `extraCertChain`, `dhParameters`.
"""

from __future__ import annotations

import re
import ssl
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates
from twisted.logger import Logger

#: Kind of an endpoint with TLS.
TLS_KIND = "ssl"
#: Words of an `ssl:` endpoint that are understood here; others are left to Twisted.
TLS_WORDS = frozenset(
    {"privateKey", "certKey", "interface", "backlog", "extraCertChain", "dhParameters"}
)
#: A colon that separates two parts of an endpoint string: no backslash precedes it.
_COLON = re.compile(r"(?<!\\):")

_log = Logger()


class CertificateError(ValueError):
    """A key or a certificate cannot be used; the text is one line for the operator."""


@attrs.define(eq=False)
class Credentials:
    """Private key and certificates of an endpoint.

    Args:
        key: file of the private key, in PEM.
        certificate: file of the certificate, in PEM; what follows the first certificate is its
            chain, as in the `fullchain.pem` of a certificate authority.
        chain: file of further certificates of the chain; None for none.
        dh_parameters: file of Diffie-Hellman parameters; None for none.

    Attributes:
        context: TLS 1.2 and 1.3 with these, for connections from now on.
        expires_at: when the first certificate of the chain expires, in seconds since 1970.

    Raises:
        CertificateError: they cannot be used.
    """

    key: Path
    certificate: Path
    chain: Path | None = None
    dh_parameters: Path | None = None
    context: ssl.SSLContext = attrs.field(init=False)
    expires_at: float = attrs.field(init=False)
    _protocols: list[str] = attrs.field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self.context, self.expires_at = self._load()

    def offer(self, protocols: list[str]) -> None:
        """Let clients choose an application protocol (ALPN, RFC 7301), from now on.

        Args:
            protocols: their names, the preferred one first.
        """
        self._protocols = protocols
        self.context.set_alpn_protocols(protocols)

    def read(self) -> Callable[[], None]:
        """Read the files again. Return what puts them to use, for connections from then on.

        Raises:
            CertificateError: they cannot be used.
        """
        loaded = self._load()

        def use() -> None:
            self.context, self.expires_at = loaded
            _log.info("certificate loaded from {file}", file=str(self.certificate))

        return use

    def _load(self) -> tuple[ssl.SSLContext, float]:
        """Return TLS with what is in the files, and when that expires."""
        found = _certificates(self.certificate)
        rest = _certificates(self.chain) if self.chain is not None else []
        if _public_key(self.key) != found[0].public_key():
            raise CertificateError(
                f"the key in {self.key} does not belong to the certificate in {self.certificate}"
            )
        context = _empty_context()
        if self._protocols:
            context.set_alpn_protocols(self._protocols)
        try:
            if rest:
                # The standard library reads certificates from one file only.
                with tempfile.NamedTemporaryFile() as file:
                    file.write(_pem([*found, *rest]))
                    file.flush()
                    context.load_cert_chain(file.name, self.key, _no_password)
            else:
                context.load_cert_chain(self.certificate, self.key, _no_password)
        except OSError as error:
            raise self._unusable(error) from error
        if self.dh_parameters is not None:
            _load_parameters(context, self.dh_parameters)
        return context, min(one.not_valid_after_utc.timestamp() for one in (*found, *rest))

    def _unusable(self, error: OSError) -> CertificateError:
        """Return why OpenSSL does not accept key and certificates."""
        reason = str(getattr(error, "reason", None) or error.strerror)
        return CertificateError(
            f"the key in {self.key} or the certificate in {self.certificate} cannot be used: "
            + reason.lower().replace("_", " ")
        )


def _empty_context() -> ssl.SSLContext:
    """Return TLS of a server, without a key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # No renegotiation, which costs the server more than the client. No tickets, since nothing would
    # ever change the key of a process that encrypts them: it would decrypt all earlier sessions.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


def _no_password() -> str:
    """Return the password of a private key. Without it, OpenSSL would ask at the terminal."""
    return ""


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CertificateError(f"cannot read {file}: {error.strerror}") from error


def _certificates(file: Path) -> list[Certificate]:
    """Return the certificates of a file, at least one, in order."""
    try:
        return load_pem_x509_certificates(_read(file))
    except CertificateError:
        raise
    except ValueError as error:
        raise CertificateError(f"{file} has no certificate in PEM") from error


def _pem(certificates: Sequence[Certificate]) -> bytes:
    return b"".join(found.public_bytes(Encoding.PEM) for found in certificates)


def _public_key(file: Path) -> PublicKeyTypes:
    """Return the public part of a private key."""
    content = _read(file)
    try:
        return load_pem_private_key(content, password=None).public_key()
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise CertificateError(f"{file} has no private key in PEM without a password") from error


def _load_parameters(context: ssl.SSLContext, file: Path) -> None:
    """Use the Diffie-Hellman parameters of a file."""
    _read(file)  # says why a file cannot be read
    try:
        context.load_dh_params(str(file))
    except ssl.SSLError as error:
        raise CertificateError(
            f"{file} has no Diffie-Hellman parameters in PEM, or they are too weak"
        ) from error


def words_of(description: str) -> tuple[list[str], dict[str, str]]:
    """Return the parts of an endpoint string: those without a name, and those with one.

    Args:
        description: a Twisted endpoint string; a backslash escapes the character behind it.
    """
    positional: list[str] = []
    named: dict[str, str] = {}
    for part in _COLON.split(description):
        name, separator, value = part.partition("=")
        if separator:
            named[name] = _unescaped(value)
        else:
            positional.append(_unescaped(part))
    return positional, named


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)

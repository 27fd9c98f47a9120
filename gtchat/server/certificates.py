"""TLS for `ssl:` endpoints: key and certificates from files, which can be read again while serving.

Twisted's own `ssl:` endpoint sends the first certificate of a file only and reads its files once.
The words of the endpoint are the same: `ssl:PORT:privateKey=FILE:certKey=FILE`, and `interface`,
`backlog`, `extraCertChain`, `dhParameters`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions, DiffieHellmanParameters
from twisted.logger import Logger
from twisted.python.filepath import FilePath
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.protocols.tls import TLSMemoryBIOProtocol

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


@implementer(IOpenSSLServerConnectionCreator)
@attrs.define(eq=False)
class Credentials:
    """Private key and certificates of an endpoint.

    Args:
        key: file of the private key, in PEM.
        certificate: file of the certificate, in PEM; what follows the first certificate is its
            chain, as in the `fullchain.pem` of a certificate authority.
        chain: file of further certificates of the chain; None for none.
        dh_parameters: file of Diffie-Hellman parameters; None for none.

    Raises:
        CertificateError: they cannot be used.
    """

    key: Path
    certificate: Path
    chain: Path | None = None
    dh_parameters: Path | None = None
    _options: CertificateOptions = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._options = self._load()

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return a connection with the present key (IOpenSSLServerConnectionCreator)."""
        return self._options.serverConnectionForTLS(protocol)

    def reload(self) -> None:
        """Read the files again, for connections from now on; keep what there is if that fails."""
        try:
            self._options = self._load()
        except CertificateError as error:
            _log.error("the old certificate stays in use: {error}", error=error)
        else:
            _log.info("certificate loaded from {file}", file=str(self.certificate))

    def _load(self) -> CertificateOptions:
        found = _certificates(self.certificate)
        rest = _certificates(self.chain) if self.chain is not None else []
        parameters = _parameters(self.dh_parameters) if self.dh_parameters is not None else None
        options = CertificateOptions(
            privateKey=_private_key(self.key),
            certificate=found[0],
            extraCertChain=[*found[1:], *rest],
            dhParameters=parameters,
        )
        try:
            options.getContext()
        except SSL.Error as error:
            raise CertificateError(
                f"the key in {self.key} does not belong to the certificate in {self.certificate}"
            ) from error
        return options


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CertificateError(f"cannot read {file}: {error.strerror}") from error


def _certificates(file: Path) -> list[X509]:
    """Return the certificates of a file, at least one, in order."""
    try:
        return [X509.from_cryptography(found) for found in load_pem_x509_certificates(_read(file))]
    except CertificateError:
        raise
    except ValueError as error:
        raise CertificateError(f"{file} has no certificate in PEM") from error


def _private_key(file: Path) -> PKey:
    content = _read(file)
    try:
        key: Any = load_pem_private_key(content, password=None)
        return PKey.from_cryptography_key(key)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise CertificateError(f"{file} has no private key in PEM without a password") from error


def _parameters(file: Path) -> DiffieHellmanParameters:
    """Return the Diffie-Hellman parameters of a file, which OpenSSL reads."""
    _read(file)  # says why a file cannot be read
    try:
        SSL.Context(SSL.TLS_METHOD).load_tmp_dh(str(file))
    except SSL.Error as error:
        raise CertificateError(
            f"{file} has no Diffie-Hellman parameters in PEM, or they are too weak"
        ) from error
    parameters: DiffieHellmanParameters = DiffieHellmanParameters.fromFile(FilePath(str(file)))
    return parameters


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

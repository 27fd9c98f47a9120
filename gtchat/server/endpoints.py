"""Listening: Twisted endpoint strings, URLs of ports. The PROXY protocol is in `proxy_protocol`."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError, VerifyError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.failure import Failure

from gtchat.protocols.base.http_access import Proxies
from gtchat.protocols.base.tls_port import TLSEndpoint
from gtchat.protocols.base.transport import EagerReactor
from gtchat.server.certificates import TLS_KIND, TLS_WORDS, Credentials, words_of
from gtchat.server.process import EXIT_CONFIG, StartError
from gtchat.server.proxy_protocol import ProxyEndpoint

#: Prefix of an endpoint string whose connections begin with a header of the PROXY protocol.
PROXY_PREFIX = "haproxy:"
#: Kinds of endpoints that name a TCP port first.
_TCP_KINDS = frozenset({"tcp", "tcp6", TLS_KIND})
#: Kinds of endpoints whose connections may write directly to the kernel. Other kinds may change
#: what is written on its way, as Twisted's own `tls:` does; `ssl:` has connections that encrypt.
_PLAIN_KINDS = frozenset({"tcp", "tcp6"})
#: What Twisted raises for an endpoint string that it cannot use, depending on its kind.
_INVALID = (ValueError, TypeError, LookupError, AttributeError, OSError, SSL.Error, VerifyError)


class Listeners:
    """All ports that the server listens on.

    Args:
        reactor: listens.
        proxies: the trusted proxies.
    """

    def __init__(self, reactor: Any, proxies: Proxies) -> None:
        self._reactor = reactor
        self._proxies = proxies
        self._ports: list[IListeningPort] = []
        #: Port numbers with their keys and certificates.
        self._credentials: list[tuple[int, Credentials]] = []

    def listen(self, description: str, factory: IProtocolFactory) -> IListeningPort:
        """Listen on an endpoint.

        Args:
            description: a Twisted endpoint string, which may begin with `haproxy:`.
            factory: makes the protocols of its connections.

        Raises:
            StartError: the description is invalid, or the port is not available.
        """
        results: list[Any] = []
        endpoint = self.check(description)
        try:
            endpoint.listen(factory).addBoth(results.append)
        except _INVALID as error:
            raise _invalid(description, error) from error
        if not results or isinstance(results[0], Failure):
            raise StartError(f"cannot listen on {description}: {_reason(results)}")
        port: IListeningPort = results[0]
        self._ports.append(port)
        return port

    def check(self, description: str) -> Any:
        """Return the endpoint that a description stands for, without listening.

        Args:
            description: as in `listen`.

        Raises:
            StartError: the description is invalid, or a file that it names.
        """
        try:
            return self._endpoint(description)
        except _INVALID as error:
            raise _invalid(description, error) from error

    def read_certificates(self) -> Callable[[], None]:
        """Read the keys and certificates of all `ssl:` endpoints again.

        Returns:
            What puts them to use.

        Raises:
            CertificateError: one cannot be used.
        """
        read = [credentials.read() for _, credentials in self._credentials]

        def use() -> None:
            for each in read:
                each()

        return use

    def expiries(self) -> dict[int, float]:
        """Return port number -> when its certificate expires, in seconds since 1970."""
        return {port: one.expires_at for port, one in self._credentials}

    def listen_unix(self, path: str, factory: IProtocolFactory, mode: int) -> None:
        """Listen on a Unix socket.

        Args:
            path: the socket file.
            factory: makes the protocols of its connections.
            mode: permissions of the file.

        Raises:
            CannotListenError, OSError: the socket cannot be made.
        """
        self._ports.append(self._reactor.listenUNIX(path, factory, mode=mode))

    def numbers(self) -> frozenset[int]:
        """Return the TCP port numbers, which no client may have the server connect to."""
        return frozenset(number for port in self._ports if (number := port_number(port)))

    async def close(self) -> None:
        """Stop listening on all ports."""
        for port in self._ports:
            stopped = port.stopListening()
            if isinstance(stopped, Deferred):
                await stopped

    def _endpoint(self, description: str) -> Any:
        if not description.startswith(PROXY_PREFIX):
            return self._plain_endpoint(description)
        inner = self._plain_endpoint(description.removeprefix(PROXY_PREFIX))
        return ProxyEndpoint(inner, self._proxies, self._reactor)

    def _plain_endpoint(self, description: str) -> Any:
        """Return an endpoint without the PROXY protocol; `ssl:` reads its files here."""
        (kind, *rest), words = words_of(description)
        if kind in _TCP_KINDS:
            _check_port(rest)
        if kind == TLS_KIND and words.keys() <= TLS_WORDS:
            return self._tls_endpoint(int(rest[0]), words)
        reactor = EagerReactor(self._reactor) if kind in _PLAIN_KINDS else self._reactor
        return serverFromString(reactor, description)

    def _tls_endpoint(self, port: int, words: dict[str, str]) -> TLSEndpoint:
        """Return an `ssl:` endpoint whose certificate can be reloaded.

        Args:
            port: TCP port number.
            words: the named parts of its description.
        """
        key = Path(words.get("privateKey", "server.pem"))
        credentials = Credentials(
            key,
            Path(words.get("certKey", key)),
            Path(words["extraCertChain"]) if "extraCertChain" in words else None,
            Path(words["dhParameters"]) if "dhParameters" in words else None,
        )
        self._credentials.append((port, credentials))
        backlog = max(int(words.get("backlog", 0)), socket.SOMAXCONN)
        return TLSEndpoint(self._reactor, port, credentials, backlog, words.get("interface", ""))


def port_number(port: IListeningPort) -> int | None:
    """Return the TCP port number of a port, None for other transports."""
    number: int | None = getattr(port.getHost(), "port", None)
    return number


def port_url(scheme: str, port: IListeningPort) -> str:
    """Return the URL at which a client on this machine reaches a port.

    Args:
        scheme: the URL's scheme without TLS, such as `http`.
        port: the port; for one that is not TCP its address is returned as Twisted shows it.
    """
    number, host = port_number(port), str(getattr(port.getHost(), "host", ""))
    if number is None:
        return str(port.getHost())
    if getattr(port, "_type", "TCP") == "TLS":
        scheme += "s"
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{number}/"


def _check_port(rest: list[str]) -> None:
    """Check that an endpoint of TCP names one port. Raises ValueError."""
    if len(rest) != 1:
        raise ValueError("it needs one port, as in tcp:9000")
    if not rest[0].isdecimal() or int(rest[0]) > 65535:
        raise ValueError(f"{rest[0]!r} is no TCP port, 0 to 65535")


def _invalid(description: str, error: Exception) -> StartError:
    """Return why an endpoint string cannot be used."""
    reason = str(error) or type(error).__name__
    return StartError(f"cannot listen on {description}: {reason}", EXIT_CONFIG)


def _reason(results: list[Any]) -> str:
    """Return why listening failed, and what the operator can do."""
    error = results[0].value if results else "the endpoint does not listen at once"
    if isinstance(error, CannotListenError):
        reason = getattr(error.socketError, "strerror", None) or str(error.socketError)
        return f"{reason}; is another server running? Choose another port with --ws and --web"
    return str(error)

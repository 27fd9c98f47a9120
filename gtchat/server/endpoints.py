"""Listening: Twisted endpoint strings, the PROXY protocol from trusted proxies, URLs of ports."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.haproxy import proxyEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from gtchat.protocols.base.http_access import Proxies, peer_address
from gtchat.protocols.base.transport import EagerReactor
from gtchat.server.process import EXIT_CONFIG, StartError

#: Prefix of an endpoint string whose connections begin with a header of the PROXY protocol.
PROXY_PREFIX = "haproxy:"


@attrs.define(eq=False)
class TrustedProxyFactory(Factory):
    """Accept connections of trusted proxies only: other peers could claim any address."""

    wrapped: Any
    proxies: Proxies
    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Return the wrapped factory's protocol, or None to refuse the connection."""
        if peer_address(addr) not in self.proxies:
            return None
        built: Protocol | None = self.wrapped.buildProtocol(addr)
        return built

    def doStart(self) -> None:
        """Start the wrapped factory."""
        self.wrapped.doStart()

    def doStop(self) -> None:
        """Stop the wrapped factory."""
        self.wrapped.doStop()


@implementer(IStreamServerEndpoint)
@attrs.frozen
class TrustedProxyEndpoint:
    """An endpoint that accepts connections of trusted proxies only."""

    wrapped: IStreamServerEndpoint
    proxies: Proxies

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen (IStreamServerEndpoint.listen)."""
        listening: Deferred[IListeningPort] = self.wrapped.listen(
            TrustedProxyFactory(factory, self.proxies)
        )
        return listening


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

    def listen(self, description: str, factory: IProtocolFactory) -> IListeningPort:
        """Listen on an endpoint.

        Args:
            description: a Twisted endpoint string, which may begin with `haproxy:`.
            factory: makes the protocols of its connections.

        Raises:
            StartError: the description is invalid, or the port is not available.
        """
        results: list[Any] = []
        try:
            self._endpoint(description).listen(factory).addBoth(results.append)
        except (ValueError, TypeError, OSError) as error:
            raise StartError(f"cannot listen on {description}: {error}", EXIT_CONFIG) from error
        if not results or isinstance(results[0], Failure):
            raise StartError(f"cannot listen on {description}: {_reason(results)}")
        port: IListeningPort = results[0]
        self._ports.append(port)
        return port

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
        reactor = EagerReactor(self._reactor)
        if not description.startswith(PROXY_PREFIX):
            return serverFromString(reactor, description)
        inner = serverFromString(reactor, description.removeprefix(PROXY_PREFIX))
        return proxyEndpoint(TrustedProxyEndpoint(inner, self._proxies))


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


def _reason(results: list[Any]) -> str:
    """Return why listening failed, and what the operator can do."""
    error = results[0].value if results else "the endpoint does not listen at once"
    if isinstance(error, CannotListenError):
        reason = getattr(error.socketError, "strerror", None) or str(error.socketError)
        return f"{reason}; is another server running? Choose another port with --ws and --web"
    return str(error)

"""TCP connections that are written to at once: one trip through the reactor less for each write.

Twisted buffers what is written and sends it when the reactor says that it can. A chat's writes are
small and the kernel nearly always takes them: so `send` is tried first. All else is Twisted's way.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.protocol import Factory
from zope.interface import implementer


class DirectServer(tcp.Server):
    """A server's connection with `write_direct`, and without Nagle's delay."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.repstr = self.logstr
        self.setTcpNoDelay(True)

    def write_direct(self, data: bytes) -> None:
        """Send as much as the kernel takes now; the rest goes the ordinary way."""
        if self._tempDataBuffer or self.dataBuffer or self.disconnecting:
            self.write(data)
            return
        try:
            sent = self.socket.send(data)
        except (OSError, AttributeError):
            # Full for now, broken, or closed, when there is no socket any more: the ordinary way
            # knows what to do.
            sent = 0
        if sent != len(data):
            self.write(data[sent:])


class DirectPort(tcp.Port):
    """A listening port whose connections are `DirectServer`s."""

    transport = DirectServer


@implementer(IReactorTCP)
class DirectReactor:
    """A reactor whose `listenTCP` makes a `DirectPort`; all else is the reactor's own.

    Endpoints are made on it. TLS keeps the ordinary way, since its reactor listens by itself.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: Factory, backlog: int = 4096, interface: str = ""
    ) -> DirectPort:
        """Listen (IReactorTCP.listenTCP)."""
        # An endpoint asks for 50 waiting connections, too few when everybody comes back at once.
        listening = DirectPort(
            port, factory, max(backlog, socket.SOMAXCONN), interface, self._reactor
        )
        listening.startListening()
        return listening

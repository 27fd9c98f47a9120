"""TCP connections that are written to at once: one trip through the reactor less for each write.

Twisted buffers what is written and sends it when the reactor says that it can. A chat's writes are
small and the kernel nearly always takes them: so `send` is tried first. All else is Twisted's way.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from twisted.internet import tcp
from twisted.internet.interfaces import IProducer, IPushProducer, IReactorTCP
from twisted.internet.protocol import Factory
from zope.interface import implementer


class EagerServer(tcp.Server):
    """A server's connection that can be written to at once, and without Nagle's delay.

    Whoever sends through `send_now` has registered a producer, and is to be the only one who
    writes: it is paused as long as anything waits in the buffer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.repstr = self.logstr
        self.setTcpNoDelay(True)

    @property
    def send_now(self) -> Callable[[bytes], int]:
        """The socket's own `send`: a Python call around it costs as much as it does.

        It returns how many bytes the kernel took, and raises OSError if it takes none now, or
        never; `write_later` knows what to do with the rest.
        """
        send: Callable[[bytes], int] = self.socket.send
        return send

    def write_later(self, data: bytes) -> None:
        """Write what `send_now` did not take, and pause the producer until that is gone."""
        self.write(data)
        self._pause_while_waiting()

    def write_direct(self, data: bytes) -> None:
        """Send as much as the kernel takes now; the rest goes the ordinary way."""
        sent = 0
        if not (self._waiting or self.disconnecting):
            # Full for now, broken, or closed, when there is no socket any more: the ordinary way
            # knows what to do.
            with suppress(OSError, AttributeError):
                sent = self.socket.send(data)
        if sent != len(data):
            self.write(data[sent:])

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a producer (IConsumer.registerProducer), which waits if anything does."""
        super().registerProducer(producer, streaming)
        self._pause_while_waiting()

    @property
    def _waiting(self) -> bool:
        return bool(self._tempDataBuffer or self.dataBuffer)

    def _pause_while_waiting(self) -> None:
        # Twisted lets 64 KiB gather before it pauses anybody.
        if self._waiting and self.streamingProducer and self.producer is not None:
            self.producerPaused = True
            cast("IPushProducer", self.producer).pauseProducing()


class EagerPort(tcp.Port):
    """A listening port whose connections are `EagerServer`s."""

    transport = EagerServer


@implementer(IReactorTCP)
class EagerReactor:
    """A reactor whose `listenTCP` makes a `EagerPort`; all else is the reactor's own.

    Endpoints are made on it. TLS keeps the ordinary way, since its reactor listens by itself.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: Factory, backlog: int = 4096, interface: str = ""
    ) -> EagerPort:
        """Listen (IReactorTCP.listenTCP)."""
        # An endpoint asks for 50 waiting connections, too few when everybody comes back at once.
        listening = EagerPort(
            port, factory, max(backlog, socket.SOMAXCONN), interface, self._reactor
        )
        listening.startListening()
        return listening

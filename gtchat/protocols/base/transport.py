"""TCP connections that write directly to the kernel, instead of when the reactor says so.

Twisted buffers what is written, waits until the reactor finds the socket writable, and sends it
then. The writes of a chat are small, and the kernel takes nearly all of them at once: so `send` is
tried first, which saves a reactor iteration for each write. What the kernel does not take goes
Twisted's way.

Twisted has no interface for this, so these names that it does not document are relied on.
`setup.py` bounds its version; tests/protocols/base/test_transport.py has a test of each.

    Port.transport          class of the accepted connections: `EagerServer`
    Server.socket           the socket, which Twisted deletes when the connection is lost
    Server.logstr, repstr   two texts about each connection, of which one is kept
    FileDescriptor._tempDataBuffer, dataBuffer    what is written and not sent: only while both are
                            empty may `send` be called, or bytes would be sent out of order
    FileDescriptor.disconnecting    loseConnection was called: nothing may be sent before the rest
    _ConsumerMixin.producer, streamingProducer, producerPaused    paused as Twisted does it, but as
                            soon as anything is buffered, where Twisted waits for 64 KiB
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, cast

from twisted.internet import tcp
from twisted.internet.interfaces import IProducer, IPushProducer, IReactorTCP
from twisted.internet.protocol import Factory
from zope.interface import implementer


class Transport(Protocol):
    """What an outbox needs of a connection: parts of Twisted's ITransport and IConsumer.

    If it also has `send_now` and `write_later`, frames go directly to the kernel, as
    `EagerServer` does it.
    """

    def write(self, data: bytes) -> None: ...

    def abortConnection(self) -> None: ...

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None: ...

    def unregisterProducer(self) -> None: ...


class EagerServer(tcp.Server):
    """An accepted connection that writes directly to the kernel, and without Nagle's delay.

    A caller of `send_now` must have registered a producer, and must not call it while that is
    paused: it is paused as long as anything is buffered.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.repstr = self.logstr  # one text object for both
        self.setTcpNoDelay(True)

    @property
    def send_now(self) -> Callable[[bytes], int | None]:
        """The socket's own `send`: a Python function around it would double its cost.

        It returns the number of bytes that the kernel took, and raises OSError if it took none or
        the connection is lost. The rest is for `write_later`.
        """
        send: Callable[[bytes], int | None] = self.socket.send
        return send

    def write_later(self, data: bytes) -> None:
        """Buffer what `send_now` did not take, and pause the producer until it is sent."""
        self.write(data)
        self._pause_while_buffered()

    def write_direct(self, data: bytes) -> int:
        """Send as much as the kernel takes now, and buffer the rest. Return its size in bytes."""
        sent = 0
        if not (self._buffered or self.disconnecting):
            # OSError: full or broken. AttributeError: lost, the socket is deleted. `write` below
            # handles all three.
            with suppress(OSError, AttributeError):
                sent = self.socket.send(data)
        if sent != len(data):
            self.write(data[sent:])
        return len(data) - sent

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Register a producer (IConsumer), and pause it if anything is buffered.

        Args:
            producer: is paused and resumed.
            streaming: whether it is an IPushProducer, as `send_now` needs.
        """
        super().registerProducer(producer, streaming)
        self._pause_while_buffered()

    @property
    def _buffered(self) -> bool:
        return bool(self._tempDataBuffer or self.dataBuffer)

    def _pause_while_buffered(self) -> None:
        if self._buffered and self.streamingProducer and self.producer is not None:
            self.producerPaused = True
            cast("IPushProducer", self.producer).pauseProducing()


class EagerPort(tcp.Port):
    """A listening port whose connections are instances of `EagerServer`."""

    transport = EagerServer


@implementer(IReactorTCP)
class EagerReactor:
    """A reactor whose `listenTCP` makes an `EagerPort`. All else is the reactor's own.

    It is meant for endpoints without TLS: where TLS is a layer above such a connection, what is
    written directly to the kernel would not be encrypted. `tls_transport` has connections that
    encrypt.

    Args:
        reactor: the reactor.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: Factory, backlog: int = 4096, interface: str = ""
    ) -> EagerPort:
        """Listen for TCP connections (IReactorTCP.listenTCP).

        Args:
            port: number, 0 for a free one.
            factory: makes the protocols.
            backlog: number of connections that may wait to be accepted. It is at least SOMAXCONN:
                endpoints ask for 50, too few when all clients reconnect at once.
            interface: IP address to listen on, "" for all.
        """
        listening = EagerPort(
            port, factory, max(backlog, socket.SOMAXCONN), interface, self._reactor
        )
        listening.startListening()
        return listening

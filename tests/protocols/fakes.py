"""Clients of the protocols on TCP without sockets: their connections, and calls to them."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IReactorTime
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from tests.fakes import FailingStore, FakeClient, TestServer

ADDRESS = "192.0.2.7"


class FakeTransport(StringTransport):
    """The server's end of a connection. It closes in the next turn of the reactor, as TCP does.

    Attributes:
        writes: what was written, write by write.
        aborted: whether the connection was aborted.
        reads: whether the client reads: without that a connection does not close in order.
        options: the options of the socket that were set.
    """

    connected = True

    def __init__(self, clock: IReactorTime, address: str = ADDRESS, reads: bool = True) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", address, 40_000))
        self.clock = clock
        self.writes: list[bytes] = []
        self.aborted = False
        self.reads = reads
        self.options: list[tuple[int, int, int]] = []

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Do nothing (ITCPTransport)."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Do nothing (ITCPTransport)."""

    def getHandle(self) -> FakeTransport:
        """Return a socket, of which only the options matter."""
        return self

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Record a socket option."""
        self.options.append((level, option, value))

    def write(self, data: bytes) -> None:
        if self.connected:
            super().write(data)
            self.writes.append(bytes(data))

    def loseConnection(self) -> None:
        super().loseConnection()
        if self.reads:
            self.clock.callLater(0, self.lose)

    def loseWriteConnection(self) -> None:
        """Send the end; a client that reads everything closes then."""
        self.disconnecting = True
        self.clock.callLater(0, self._end_sent)

    def _end_sent(self) -> None:
        if self.connected:
            self.protocol.writeConnectionLost()
            if self.reads:
                self.read_all()

    def read_all(self) -> None:
        """Let the client read everything, and close."""
        self.reads = True
        self.protocol.readConnectionLost()

    def abortConnection(self) -> None:
        self.aborted = self.disconnecting = True
        self.clock.callLater(0, self.lose)

    def resumeProducing(self) -> None:
        if self.connected and not self.disconnecting:
            super().resumeProducing()

    def lose(self, reason: Exception | None = None) -> None:
        """Tell the protocol that the connection is lost."""
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(reason or ConnectionDone()))


class FakeConnection:
    """A connection of a client to the server.

    Args:
        server: runs what is pending after each step.
        factory: of the protocol.
        address: IP address of the client.
    """

    def __init__(self, server: TestServer, factory: Any, address: str = ADDRESS) -> None:
        self.server = server
        self.transport = FakeTransport(server.clock, address)
        self.protocol = factory.buildProtocol(self.transport.getPeer())
        self.transport.protocol = self.protocol
        self.protocol.makeConnection(self.transport)
        server.run_pending()

    @property
    def closed(self) -> bool:
        return not self.transport.connected

    def write(self, data: bytes) -> None:
        """Send bytes, which the server reads at once."""
        if not self.transport.disconnecting:
            self.protocol.dataReceived(data)

    def send(self, data: bytes) -> None:
        """Send bytes, and let the server answer as far as it needs no time."""
        self.write(data)
        self.server.run_pending()

    def drop(self) -> None:
        """Close the connection on the side of the client."""
        self.transport.lose()
        self.server.run_pending()

    def received(self) -> list[bytes]:
        """Return what the server has written since the last time, write by write."""
        writes, self.transport.writes = self.transport.writes, []
        return writes


class TCPTestCase(SynchronousTestCase):
    """A test with a chat whose reactor connects nowhere.

    Attributes:
        limits: of the chat, where a class needs others.
    """

    limits = Limits(commands_per_second=0, ping_interval=0)

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.make_server()
        self.chat = self.server.chat

    def make_server(self) -> None:
        """Make the server."""
        self.server = TestServer(self.limits, clock=self.reactor, store=FailingStore)

    def register(self, *names: str) -> None:
        """Create accounts; the password of each is "password"."""
        for index, name in enumerate(names):
            client = self.server.connect(f"203.0.113.{index + 1}")
            assert client.call("register", usr=name, pwd="password")["status"] == "ok"

    def log_in_web(self, name: str) -> FakeClient:
        """Log in over the JSON API, with a registered name."""
        client = self.server.connect("203.0.113.99")
        assert client.login(name, pwd="password")["status"] == "ok"
        client.received()
        return client

    def accept(self, index: int = 0, reads: bool = True) -> FakeTransport:
        """Accept a call to a client; return the connection.

        Args:
            index: which of the calls.
            reads: whether the client reads what it is sent: a client that is stopped does not.
        """
        _, _, factory, _, _ = self.reactor.tcpClients.pop(index)
        transport = FakeTransport(self.reactor, reads=reads)
        transport.protocol = factory.buildProtocol(None)
        transport.protocol.makeConnection(transport)
        return transport

    def refuse(self) -> None:
        """Refuse the next call to a client."""
        _, _, factory, _, _ = self.reactor.tcpClients.pop(0)
        factory.clientConnectionFailed(None, Failure(Refused()))
        self.server.run_pending()

    def answer_calls(self, seconds: float = 0.0) -> list[tuple[int, bytes]]:
        """Accept the calls to clients until no more are made; return ports and what was sent.

        Args:
            seconds: how long each call is left open before what was sent is looked at.
        """
        answered = []
        while self.reactor.tcpClients:
            port = self.reactor.tcpClients[0][1]
            transport = self.accept()
            self.reactor.advance(seconds)
            answered.append((port, transport.value()))
            self.server.run_pending()
        return answered

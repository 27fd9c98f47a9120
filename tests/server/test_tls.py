"""Endpoints with TLS on real sockets: all that the server sends is encrypted."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import ClientContextFactory
from twisted.trial.unittest import TestCase

from gtchat.chat.limits import Limits
from gtchat.protocols.base.http_access import Proxies
from gtchat.protocols.base.outbox import Outbox, WriteBatcher
from gtchat.server.endpoints import Listeners, port_number
from tests.e2e.certificate import make_certificate

TEXT = b"what a frame contains"


class Answering(Protocol):
    """Answers through an outbox, as the WebSocket does."""

    def connectionMade(self) -> None:
        self.batcher = WriteBatcher(reactor, Limits(outbox_bytes=0, unsent_bytes_total=0))  # type: ignore[arg-type]
        self.outbox = Outbox(self.batcher, self.transport, lambda: None)  # type: ignore[arg-type]

    def dataReceived(self, data: bytes) -> None:
        self.outbox.write(TEXT)
        self.batcher.flush()
        self.outbox.write(TEXT)
        self.outbox.close()


class Asking(Protocol):
    """Asks, and collects what it reads.

    Attributes:
        complete: fires with what was read when it is as much as is expected, or the connection is
            lost.
        lost: fires when the connection is lost.
    """

    def __init__(self) -> None:
        self.read = b""
        self.complete: Deferred[bytes] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"ask")

    def dataReceived(self, data: bytes) -> None:
        self.read += data
        if len(self.read) >= 2 * len(TEXT):
            self._fire()

    def connectionLost(self, reason: object = None) -> None:
        self._fire()
        self.lost.callback(None)

    def _fire(self) -> None:
        if not self.complete.called:
            self.complete.callback(self.read)


class Encryption(TestCase):
    async def test_frames_to_every_endpoint_with_tls_are_encrypted(self) -> None:
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        pem = folder / "localhost.pem"
        make_certificate(pem)
        for endpoint in (
            f"ssl:0:privateKey={pem}:interface=127.0.0.1",
            f"tls:{folder}:0:interface=127.0.0.1",
        ):
            listeners = Listeners(reactor, Proxies())
            self.addCleanup(lambda one=listeners: Deferred.fromCoroutine(one.close()))
            port = listeners.listen(endpoint, Factory.forProtocol(Answering))
            client = SSL4ClientEndpoint(
                reactor, "127.0.0.1", port_number(port), ClientContextFactory()
            )
            asking = await client.connect(Factory.forProtocol(Asking))
            self.assertEqual(await asking.complete, TEXT * 2, endpoint)
            asking.transport.abortConnection()
            await asking.lost

"""The site over transports in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from gtchat.web.channel import REFUSAL_LINGER_SECONDS
from gtchat.web.site import build_site

HOST = b"Host: chat.example\r\n"
LARGE = b"x" * 1_000_000
#: What a transport buffers before it pauses its producer, in bytes.
BUFFER_BYTES = 65_536


class Transport(StringTransport):
    """A TCP transport in memory, whose `disconnecting` tells that the server has closed it.

    Attributes:
        slow: whether the client reads nothing, so that the producer is paused.
        reading: whether the server reads.
    """

    slow = False
    reading = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Do nothing (ITCPTransport.setTcpNoDelay)."""

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.slow and len(self.value()) > BUFFER_BYTES and self.producer is not None:
            self.producer.pauseProducing()  # type: ignore[attr-defined]

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def drain(self) -> bytes:
        """Let the client read what is buffered, and return it."""
        data = self.value()
        self.clear()
        if self.producer is not None:
            self.producer.resumeProducing()
        return data

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True


class SiteCase(SynchronousTestCase):
    """A site with a few files, and requests to it."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve() / "static"
        self.make_files()
        self.clock = Clock()
        self.healthy = True
        self.site = build_site(
            self.folder, None, lambda: "ok" if self.healthy else "not_stored", self.clock
        )

    def make_files(self) -> None:
        """Write the files of the site."""
        (self.folder / "js").mkdir(parents=True)
        (self.folder / "client.html").write_text("<p>the page")
        (self.folder / "js" / "app.js").write_text("code()")
        (self.folder / "js" / "large.js").write_bytes(LARGE)
        (self.folder / ".hidden").write_text("secret")
        (self.folder.parent / "outside").write_text("secret")
        (self.folder / "link").symlink_to(self.folder.parent / "outside")

    def connect(self) -> tuple[Any, Transport]:
        """Return the protocol and the transport of a new connection."""
        protocol: Any = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        transport = Transport()
        protocol.makeConnection(transport)
        return protocol, transport

    def ask(self, request: bytes) -> tuple[list[int], bytes, bool]:
        """Send bytes; return status codes, all bytes received, whether the server closed."""
        protocol, transport = self.connect()
        protocol.dataReceived(request)
        self.clock.advance(REFUSAL_LINGER_SECONDS)
        answer = transport.value()
        codes = [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]
        return codes, answer, transport.disconnecting

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status code and bytes of the response to a GET."""
        codes, answer, _ = self.ask(f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
        self.assertEqual(len(codes), 1)
        return codes[0], answer

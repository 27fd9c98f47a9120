"""The site, over transports in memory."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.http_access import Proxies
from gtchat.web.site import ANSWER_SECONDS, REQUEST_SECONDS, build_site

TURNS = 5
HOST = b"Host: chat.example\r\n"


class Transport(StringTransport):
    """A TCP transport in memory, whose `disconnecting` tells that the server has closed it."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Do nothing (ITCPTransport.setTcpNoDelay)."""


class Producer:
    """Counts pauses that were not followed by a resume."""

    paused = 0

    def pauseProducing(self) -> None:
        self.paused += 1

    def resumeProducing(self) -> None:
        self.paused -= 1

    def stopProducing(self) -> None:
        """Do nothing (IProducer.stopProducing)."""


def refused() -> dict[str, bytes]:
    """Return requests that two implementations could parse differently, by their fault."""
    post, get = b"POST / HTTP/1.1\r\n" + HOST, b"GET / HTTP/1.1\r\n"
    chunked = b"Transfer-Encoding: chunked\r\n"
    return {
        "length and chunks": post + b"Content-Length: 6\r\n" + chunked + b"\r\n0\r\n\r\nGET /evil",
        "unknown encoding": post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "length with a sign": post + b"Content-Length: +5\r\n\r\nabcde",
        "two lengths": post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        "bad chunk": post + chunked + b"\r\n0x5\r\nabcde\r\n0\r\n\r\n",
        "LF only": b"GET / HTTP/1.1\nHost: x\n\nGET /evil HTTP/1.1\nHost: x\n\n",
        "space before colon": get + b"Host : x\r\n\r\n",
        "folded header": get + HOST + b"A: b\r\n c\r\n\r\n",
        "no host": get + b"\r\n",
        "two hosts": get + HOST + HOST + b"\r\n",
        "NUL": get + HOST + b"A: b\0c\r\n\r\n",
        "bare CR": get + HOST + b"A: b\rEvil: 1\r\n\r\n",
        "long header": get + HOST + b"A: " + b"b" * 17_000 + b"\r\n\r\n",
        "many headers": get + HOST + b"A: b\r\n" * 501 + b"\r\n",
        "no method": b"G\x01T / HTTP/1.1\r\n" + HOST + b"\r\n",
    }


class SiteTest(TestCase):
    """Responses of the site to valid and invalid requests."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()) / "static"
        (self.folder / "js").mkdir(parents=True)
        (self.folder / "client.html").write_text("<p>the page")
        (self.folder / "js" / "app.js").write_text("code()")
        (self.folder / ".hidden").write_text("secret")
        (self.folder.parent / "outside").write_text("secret")
        (self.folder / "link").symlink_to(self.folder.parent / "outside")
        self.clock = Clock()
        self.healthy = True
        self.site = build_site(self.folder, None, lambda: self.healthy, self.clock)

    def connect(self) -> tuple[Any, Transport]:
        """Return the protocol and the transport of a new connection."""
        protocol: Any = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        transport = Transport()
        protocol.makeConnection(transport)
        return protocol, transport

    async def ask(self, request: bytes) -> tuple[list[int], bytes, bool]:
        """Send bytes; return status codes, all bytes received, whether the server closed."""
        protocol, transport = self.connect()
        protocol.dataReceived(request)
        for _ in range(TURNS):  # twisted.web sends a file in one piece per turn
            await deferLater(reactor, 0)
        answer = transport.value()
        codes = [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]
        return codes, answer, transport.disconnecting

    async def get(self, path: str) -> tuple[int, bytes]:
        """Return status code and bytes of the response to a GET."""
        codes, answer, _ = await self.ask(f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
        self.assertEqual(len(codes), 1)
        return codes[0], answer

    async def test_page_and_its_files_are_served(self) -> None:
        for path, body in (
            ("/", b"<p>the page"),
            ("/client.html", b"<p>the page"),
            ("/js/app.js", b"code()"),
            ("/js/app.js?v=1", b"code()"),
        ):
            code, answer = await self.get(path)
            self.assertEqual(code, 200, path)
            self.assertTrue(answer.endswith(body), path)

    async def test_other_paths_are_not_found(self) -> None:  # A18, A19
        for path in (
            "/js",
            "/js/",
            "/nothing",
            "/.hidden",
            "/link",
            "/../outside",
            "/js/../../outside",
            "/%2e%2e/outside",
            "/%2e%2e%2foutside",
            "/..%5coutside",
            "/client.html%00.png",
            "/%00",
            "/%ff",
            "//etc/passwd",
            "/client.html/x",
            "/" + "x" * 300,
        ):
            code, answer = await self.get(path)
            self.assertEqual(code, 404, path)
            self.assertNotIn(b"secret", answer)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_connections_of_an_address_are_limited(self) -> None:  # F17
        self.site.limiter = ConnectionLimiter(2)
        first, second, third = self.connect(), self.connect(), self.connect()
        self.assertEqual(
            [one[1].disconnecting for one in (first, second, third)], [False, False, True]
        )
        for protocol, _ in (third, first):
            protocol.connectionLost(Failure(ConnectionAborted()))
        self.assertFalse(self.connect()[1].disconnecting)
        self.assertTrue(self.connect()[1].disconnecting)

    def test_connections_of_a_trusted_proxy_are_not_limited(self) -> None:
        self.site.limiter = ConnectionLimiter(1, Proxies.named(["192.168.0.0/16"]))
        self.assertEqual([self.connect()[1].disconnecting for _ in range(3)], [False] * 3)

    def test_websocket_is_not_counted_as_a_connection_to_the_site(self) -> None:
        refusing = SimpleNamespace(buildProtocol=lambda address: None)
        self.site = build_site(
            self.folder, refusing, lambda: True, self.clock, limiter=ConnectionLimiter(1)
        )
        protocol, _ = self.connect()
        protocol.dataReceived(b"GET /ws HTTP/1.1\r\n" + HOST + b"\r\n")
        self.assertFalse(self.connect()[1].disconnecting)

    async def test_security_headers_and_no_banner(self) -> None:  # A25
        for path in ("/", "/nothing", "/healthz"):
            _, answer = await self.get(path)
            head = answer.split(b"\r\n\r\n")[0].lower()
            self.assertIn(b"content-security-policy: default-src 'none'; script-src 'self'", head)
            self.assertIn(b"x-content-type-options: nosniff", head)
            self.assertIn(b"frame-ancestors 'none'", head)
            self.assertIn(b"trusted-types 'none'", head)
            self.assertNotIn(b"unsafe-inline", head)
            self.assertNotIn(b"server:", head)
            self.assertNotIn(b"twisted", head)

    async def test_ambiguous_requests_get_400_once_and_a_close(self) -> None:
        """A13, A14, A15, A16, A17."""
        for name, request in refused().items():
            codes, _, closed = await self.ask(request)
            self.assertEqual((name, codes, closed), (name, [400], True))

    async def test_header_in_pieces_is_accepted_or_refused_alike(self) -> None:
        for request, expected in (
            (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", 200),
            (refused()["folded header"], 400),
            (refused()["long header"], 400),
        ):
            protocol, transport = self.connect()
            for start in range(0, len(request), 7):
                protocol.dataReceived(request[start : start + 7])
            for _ in range(TURNS):
                await deferLater(reactor, 0)
            self.assertTrue(transport.value().startswith(b"HTTP/1.1 %d" % expected))

    async def test_only_get_and_head_are_allowed(self) -> None:
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"):
            codes, answer, closed = await self.ask(method + b" / HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertEqual((codes, closed), ([405], True), method)
            self.assertIn(b"Allow: GET, HEAD", answer)
        codes, answer, _ = await self.ask(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n")
        self.assertEqual(codes, [200])
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    async def test_nothing_after_a_refused_request_is_answered(self) -> None:
        body = b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        for behind in (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", b"nonsense\r\n\r\n"):
            codes, _, closed = await self.ask(b"POST / HTTP/1.1\r\n" + HOST + body + behind)
            self.assertEqual((codes, closed), ([405], True))

    async def test_slow_reader_is_disconnected(self) -> None:  # A22
        (self.folder / "js" / "large.js").write_bytes(b"x" * 10**6)
        protocol, transport = self.connect()
        protocol.dataReceived(b"GET /js/large.js HTTP/1.1\r\n" + HOST + b"\r\n")
        self.clock.advance(ANSWER_SECONDS - 1)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)
        assert transport.producer is not None
        transport.producer.stopProducing()
        protocol.connectionLost(Failure(ConnectionAborted()))
        await self.get("/js/app.js")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)  # the idle timeout of the last one

    async def test_health_check_returns_the_state_of_the_store(self) -> None:
        code, answer = await self.get("/healthz")
        self.assertEqual((code, b'"status":"ok"' in answer), (200, True))
        self.healthy = False
        code, answer = await self.get("/healthz")
        self.assertEqual((code, b'"status":"not_stored"' in answer), (503, True))

    async def test_producer_is_resumed_as_often_as_it_was_paused(self) -> None:  # A20
        protocol, _ = self.connect()
        channel, producer = getattr(protocol, "_channel", protocol), Producer()
        channel.registerProducer(producer, True)
        for calls in (
            ["pauseProducing", "pauseProducing", "resumeProducing"],
            ["pauseProducing", "resumeProducing"],
        ):
            for call in calls:
                getattr(channel, call)()
            self.assertEqual(producer.paused, 0)
        channel.unregisterProducer()
        channel.pauseProducing()
        channel.registerProducer(producer, True)
        channel.resumeProducing()
        self.assertEqual(producer.paused, 0)

    async def test_incomplete_request_times_out(self) -> None:  # A22
        protocol, transport = self.connect()
        for _ in range(REQUEST_SECONDS - 1):
            self.clock.advance(1)
            protocol.dataReceived(b"G")
            self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)

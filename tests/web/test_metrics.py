"""Who may read `/metrics`."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from gtchat.protocols.base.http_access import Proxies
from gtchat.protocols.base.request_log import RequestLog
from gtchat.web.metrics import MetricsPage
from gtchat.web.site import build_metrics_site, build_site
from tests.web.fakes import HOST, SiteCase, Transport

HERE = IPv4Address("TCP", "127.0.0.1", 1)


class MetricsTest(SiteCase):
    def setUp(self) -> None:
        super().setUp()
        self.answer: Deferred[None] | None = None
        allowed = Proxies.named(("127.0.0.0/8", "192.0.2.0/24"))
        self.site = build_site(
            self.folder, None, str, self.clock, metrics=MetricsPage(self.render, allowed)
        )

    async def render(self) -> bytes:
        if self.answer is not None:
            await self.answer
        return b"metric 1\n"

    def begin(self, peer: Any = HERE, path: str = "/metrics", *headers: str) -> Transport:
        """Ask for the metrics; return the connection."""
        protocol: Any = self.site.buildProtocol(peer)
        transport = Transport()
        transport.peerAddr = peer
        protocol.makeConnection(transport)
        lines = [f"GET {path} HTTP/1.1", HOST.decode().strip(), *headers, "", ""]
        protocol.dataReceived("\r\n".join(lines).encode())
        self.protocol = protocol
        return transport

    def code(self, *args: Any) -> int:
        [found] = re.findall(rb"HTTP/1\.1 (\d{3})", self.begin(*args).value())
        return int(found)

    def test_programs_on_this_machine_read_them(self) -> None:
        answer = self.begin().value()
        self.assertIn(b": text/plain; version=0.0.4; charset=utf-8\r\n", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\nmetric 1\n"))

    def test_other_machines_are_answered_as_if_there_were_none(self) -> None:
        self.assertEqual(self.code(IPv4Address("TCP", "198.51.100.1", 1)), 404)
        self.assertEqual(self.code(UNIXAddress(None)), 404)
        self.assertEqual(self.code(IPv4Address("TCP", "192.0.2.7", 1)), 200)

    def test_what_a_proxy_passes_on_is_answered_as_if_there_were_none(self) -> None:
        for name in ("X-Forwarded-For", "x-real-ip", "Forwarded", "Via", "X-Forwarded-Proto"):
            self.assertEqual(self.code(HERE, "/metrics", f"{name}: 127.0.0.1"), 404, name)

    def test_there_is_nothing_below(self) -> None:
        self.assertEqual(self.code(HERE, "/metrics/x"), 404)

    def test_a_client_that_leaves_gets_nothing(self) -> None:
        self.answer = Deferred()
        transport = self.begin()
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.answer.callback(None)
        self.assertEqual(transport.value(), b"")

    def test_a_failure_is_logged_and_answered(self) -> None:
        self.answer = fail(ValueError())
        self.assertEqual(self.code(), 500)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_an_endpoint_of_their_own_serves_them_to_all_and_nothing_else(self) -> None:
        log = RequestLog(self.clock, Proxies())
        self.site = build_metrics_site(MetricsPage(self.render, None), self.clock, log)
        peer = IPv4Address("TCP", "198.51.100.1", 1)
        self.assertEqual(self.code(peer, "/metrics", "Via: 1.1 proxy"), 200)
        self.assertEqual(self.code(peer, "/"), 404)
        self.assertEqual(self.code(peer, "/metrics/x"), 404)

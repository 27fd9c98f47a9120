"""Exports are sent once, to GET, and deleted."""

from __future__ import annotations

import os
from pathlib import Path

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from gtchat.web.channel import ANSWER_SECONDS
from gtchat.web.exports import EXPORT, TOKEN_BYTES, Exports
from gtchat.web.site import build_site
from tests.web.fakes import HOST, LARGE, SiteCase


@attrs.frozen
class Kept:
    path: str


class ExportsTest(SiteCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = str(Path(self.mktemp()).resolve())
        self.tokens = {"secret": Kept(self.path)}
        self.write(b"a zip")
        self.held: Deferred[None] | None = None
        exports = Exports(self.take, os.unlink)
        self.site = build_site(
            self.folder, None, lambda: "ok", self.clock, others={EXPORT: exports}
        )

    async def take(self, token: str) -> Kept | None:
        kept = self.tokens.pop(token, None)
        if self.held is not None:
            await self.held
        return kept

    def write(self, data: bytes) -> None:
        Path(self.path).write_bytes(data)

    def test_it_is_sent_once_and_deleted(self) -> None:
        code, answer = self.get("/export/secret")
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertEqual((code, body), (200, b"a zip"))
        for header in (
            b"Content-Type: application/zip",
            b"Cache-Control: no-store",
            b'Content-Disposition: attachment; filename="gtchat-export.zip"',
            b"Content-Length: 5",
            b"X-Content-Type-Options: nosniff",
            b"Referrer-Policy: no-referrer",
        ):
            self.assertEqual(head.count(header), 1, header)
        self.assertFalse(os.path.exists(self.path))
        self.assertEqual(self.get("/export/secret")[0], 404)

    def test_a_client_that_is_gone_before_the_link_is_looked_up_leaves_no_file(self) -> None:
        for token in ("secret", "other"):
            held = self.held = Deferred()
            protocol, transport = self.connect()
            protocol.dataReceived(f"GET /export/{token} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
            protocol.connectionLost(Failure(ConnectionLost()))
            held.callback(None)
            self.assertEqual(transport.value(), b"")
        self.assertFalse(os.path.exists(self.path))

    def test_other_requests_do_not_take_it(self) -> None:
        for path in ("/export", "/export/", "/export/other", "/export/secret/x", "/exports/secret"):
            self.assertEqual(self.get(path)[0], 404, path)
        self.tokens["x" * (TOKEN_BYTES + 1)] = Kept(self.path)
        self.assertEqual(self.get("/export/" + "x" * (TOKEN_BYTES + 1))[0], 404)
        codes, _, _ = self.ask(b"HEAD /export/secret HTTP/1.1\r\n" + HOST + b"\r\n")
        self.assertEqual(codes, [404])
        self.assertEqual(self.get("/export/secret")[0], 200)

    def test_a_slow_client_gets_it_in_pieces_and_has_the_time_that_it_needs(self) -> None:
        self.write(LARGE)
        protocol, transport = self.connect()
        transport.slow = True
        protocol.dataReceived(b"GET /export/secret HTTP/1.1\r\n" + HOST + b"\r\n")
        answer = b""
        for _ in range(40):
            self.clock.advance(ANSWER_SECONDS - 1)
            self.assertLess(len(transport.value()), len(LARGE) // 2)
            answer += transport.drain()
        self.assertTrue(answer.endswith(LARGE))

    def test_a_client_that_does_not_read_or_is_gone_gets_nothing_more(self) -> None:
        for gone in (False, True):
            self.write(LARGE)
            self.tokens["secret"] = Kept(self.path)
            protocol, transport = self.connect()
            transport.slow = True
            protocol.dataReceived(b"GET /export/secret HTTP/1.1\r\n" + HOST + b"\r\n")
            if gone:
                protocol.connectionLost(Failure(ConnectionLost()))
            else:
                self.clock.advance(ANSWER_SECONDS)
                self.assertTrue(transport.disconnecting or transport.aborting)
            self.assertFalse(os.path.exists(self.path))

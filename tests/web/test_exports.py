"""Exports are sent once, to GET, as fast as the client reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from gtchat.chat.errors import NotStored, RateLimited
from gtchat.web.channel import ANSWER_SECONDS
from gtchat.web.exports import EXPORT, TOKEN_BYTES, ClientGone, Exports
from gtchat.web.site import build_site
from tests.web.fakes import BUFFER_BYTES, HOST, LARGE, SiteCase

REQUEST = b"GET /export/secret HTTP/1.1\r\n" + HOST + b"\r\n"


class ExportsTest(SiteCase):
    def setUp(self) -> None:
        super().setUp()
        self.pieces = {"secret": [b"a ", b"", b"zip"]}
        self.held: Deferred[None] | None = None
        self.error: Exception | None = None
        self.outcome = ""
        exports = Exports(self.send)
        self.site = build_site(
            self.folder, None, lambda: "ok", self.clock, others={EXPORT: exports}
        )

    async def send(self, token: str, take: Callable[[bytes], Awaitable[None]]) -> bool:
        if self.held is not None:
            await self.held
        if token not in self.pieces:
            return False
        try:
            for piece in self.pieces.pop(token):
                await take(piece)
            if self.error is not None:
                raise self.error
        except ClientGone:
            self.outcome = "gone"
            raise
        self.outcome = "sent"
        return True

    def test_it_is_sent_once(self) -> None:
        code, answer = self.get("/export/secret")
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertEqual((code, body), (200, b"2\r\na \r\n3\r\nzip\r\n0\r\n\r\n"))
        for header in (
            b"Content-Type: application/zip",
            b"Cache-Control: no-store",
            b'Content-Disposition: attachment; filename="gtchat-export.zip"',
            b"Transfer-Encoding: chunked",
            b"X-Content-Type-Options: nosniff",
            b"Referrer-Policy: no-referrer",
        ):
            self.assertEqual(head.count(header), 1, header)
        self.assertEqual(self.get("/export/secret")[0], 404)

    def test_other_requests_do_not_take_it(self) -> None:
        for path in ("/export", "/export/", "/export/other", "/export/secret/x", "/exports/secret"):
            self.assertEqual(self.get(path)[0], 404, path)
        self.pieces["x" * (TOKEN_BYTES + 1)] = []
        self.assertEqual(self.get("/export/" + "x" * (TOKEN_BYTES + 1))[0], 404)
        codes, _, _ = self.ask(b"HEAD /export/secret HTTP/1.1\r\n" + HOST + b"\r\n")
        self.assertEqual(codes, [404])
        self.assertEqual(self.get("/export/secret")[0], 200)

    def test_one_that_cannot_be_sent_now_is_refused_until_later(self) -> None:
        self.pieces["secret"] = []
        self.error = RateLimited("Too many.", retry_after=7.5)
        code, answer = self.get("/export/secret")
        self.assertEqual((code, b"Retry-After: 8\r\n" in answer), (503, True))
        self.pieces["secret"], self.error = [], NotStored()
        self.assertEqual(self.get("/export/secret")[0], 503)

    def test_one_that_fails_in_the_middle_is_cut_off(self) -> None:
        self.error = NotStored()
        protocol, transport = self.connect()
        protocol.dataReceived(REQUEST)
        self.assertTrue(transport.disconnecting or transport.aborting)
        self.assertNotIn(b"\r\n0\r\n", transport.value())

    def test_one_that_fails_when_the_client_has_gone_is_only_logged(self) -> None:
        held: Deferred[None] = Deferred()

        async def send(token: str, take: Callable[[bytes], Awaitable[None]]) -> bool:
            await take(b"zip")
            await held
            raise NotStored()

        self.site = build_site(
            self.folder, None, lambda: "ok", self.clock, others={EXPORT: Exports(send)}
        )
        protocol, _ = self.connect()
        protocol.dataReceived(REQUEST)
        protocol.connectionLost(Failure(ConnectionLost()))
        held.callback(None)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_an_error_is_logged_and_told(self) -> None:
        self.pieces["secret"], self.error = [], ValueError()
        self.assertEqual(self.get("/export/secret")[0], 503)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_a_slow_client_gets_it_in_pieces_and_has_the_time_that_it_needs(self) -> None:
        self.pieces["secret"] = [LARGE, b"", b"end"]
        protocol, transport = self.connect()
        transport.slow = True
        protocol.dataReceived(REQUEST)
        answer = b""
        for _ in range(40):
            self.clock.advance(ANSWER_SECONDS - 1)
            self.assertLess(len(transport.value()), 2 * BUFFER_BYTES)
            answer += transport.drain()
        self.assertTrue(answer.endswith(b"end\r\n0\r\n\r\n"))
        self.assertEqual(self.outcome, "sent")

    def test_one_that_is_made_for_long_is_waited_for(self) -> None:
        held: list[Deferred[None]] = []

        async def send(token: str, take: Callable[[bytes], Awaitable[None]]) -> bool:
            for _ in range(3):
                held.append(Deferred())
                await held[-1]
                await take(b"")
            await take(b"zip")
            return True

        self.site = build_site(
            self.folder, None, lambda: "ok", self.clock, others={EXPORT: Exports(send)}
        )
        protocol, transport = self.connect()
        protocol.dataReceived(REQUEST)
        for _ in range(3):
            self.clock.advance(ANSWER_SECONDS - 1)
            held[-1].callback(None)
        self.assertTrue(transport.value().endswith(b"3\r\nzip\r\n0\r\n\r\n"))

    def test_a_client_that_does_not_read_or_is_gone_gets_nothing_more(self) -> None:
        for gone in (False, True):
            self.pieces["secret"], self.outcome = [LARGE, LARGE], ""
            protocol, transport = self.connect()
            transport.slow = True
            protocol.dataReceived(REQUEST)
            if gone:
                protocol.connectionLost(Failure(ConnectionLost()))
            else:
                self.clock.advance(ANSWER_SECONDS)
                self.assertTrue(transport.disconnecting or transport.aborting)
                protocol.connectionLost(Failure(ConnectionLost()))
            self.assertEqual(self.outcome, "gone")

    def test_a_client_that_is_gone_before_the_link_is_looked_up_is_sent_nothing(self) -> None:
        for token in ("secret", "other"):
            held = self.held = Deferred()
            protocol, transport = self.connect()
            protocol.dataReceived(f"GET /export/{token} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
            protocol.connectionLost(Failure(ConnectionLost()))
            held.callback(None)
            self.assertEqual(transport.value(), b"")

"""The site, over transports in memory."""

from __future__ import annotations

import tempfile
from types import SimpleNamespace

from twisted.internet.error import ConnectionAborted
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from gtchat.chat.errors import Banned
from gtchat.chat.limits import Limits
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.http_access import Proxies
from gtchat.protocols.base.request_log import RequestLog
from gtchat.web.channel import (
    ANSWER_SECONDS,
    PIPELINE_BYTES,
    REFUSAL_LINGER_SECONDS,
    REQUEST_SECONDS,
    SiteChannel,
    security_headers,
)
from gtchat.web.files import PIECE_BYTES
from gtchat.web.site import build_site
from tests.web.fakes import BUFFER_BYTES, HOST, SiteCase


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
        "endless length": post + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n",
        "two encodings": get + HOST + chunked + chunked + b"\r\n0\r\n\r\n",
        "identity": get + HOST + b"Transfer-Encoding: identity\r\n\r\n",
        "chunks of HTTP/1.0": b"GET / HTTP/1.0\r\n" + HOST + chunked + b"\r\n0\r\n\r\n",
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


class SiteTest(SiteCase):
    """Responses of the site to valid and invalid requests."""

    def test_page_and_its_files_are_served(self) -> None:
        for path, body in (
            ("/", b"<p>the page"),
            ("/client.html", b"<p>the page"),
            ("/js/app.js", b"code()"),
            ("/js/app.js?v=1", b"code()"),
        ):
            code, answer = self.get(path)
            self.assertEqual(code, 200, path)
            self.assertTrue(answer.endswith(body), path)

    def test_other_paths_are_not_found(self) -> None:  # A18, A19
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
            code, answer = self.get(path)
            self.assertEqual(code, 404, path)
            self.assertNotIn(b"secret", answer)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_connections_of_an_address_are_limited(self) -> None:  # F17
        self.site.limiter = ConnectionLimiter(Limits(connections_per_address=2))
        first, second, third = self.connect(), self.connect(), self.connect()
        self.assertEqual(
            [one[1].disconnecting for one in (first, second, third)], [False, False, True]
        )
        for protocol, _ in (third, first):
            protocol.connectionLost(Failure(ConnectionAborted()))
        self.assertFalse(self.connect()[1].disconnecting)
        self.assertTrue(self.connect()[1].disconnecting)

    def test_connections_of_a_trusted_proxy_are_not_limited(self) -> None:
        self.site.limiter = ConnectionLimiter(
            Limits(connections_per_address=1), Proxies.named(["192.168.0.0/16"])
        )
        self.assertEqual([self.connect()[1].disconnecting for _ in range(3)], [False] * 3)

    def test_websocket_is_not_counted_as_a_connection_to_the_site(self) -> None:
        refusing = SimpleNamespace(buildProtocol=lambda address: None)
        self.site = build_site(
            self.folder,
            refusing,
            lambda: True,
            self.clock,
            limiter=ConnectionLimiter(Limits(connections_per_address=1)),
        )
        protocol, _ = self.connect()
        protocol.dataReceived(b"GET /ws HTTP/1.1\r\n" + HOST + b"\r\n")
        self.assertFalse(self.connect()[1].disconnecting)

    def test_a_banned_address_is_told_why(self) -> None:
        bans = {"192.168.1.1": Banned("You are banned: spam", retry_after=59.2)}
        self.site.refusal = bans.get
        code, answer = self.get("/")
        self.assertEqual(code, 403)
        self.assertTrue(answer.endswith(b"\r\n\r\nYou are banned: spam\n"), answer)
        self.assertIn(b"\r\nRetry-After: 60\r\n", answer)
        refusing = SimpleNamespace(buildProtocol=lambda address: None)
        self.site = build_site(self.folder, refusing, lambda: "ok", self.clock)
        self.site.refusal = bans.get
        self.site.request_log = RequestLog(self.clock, Proxies.named(["192.168.0.0/16"]))
        for path, forwarded, wanted in (
            ("/", b"203.0.113.5", 200),
            ("/", b"192.168.1.1", 403),
            ("/ws", b"192.168.1.1", 500),  # the factory refuses: it is told by WebSocket
        ):
            header = b"X-Forwarded-For: " + forwarded + b"\r\n"
            request = f"GET {path} HTTP/1.1\r\n".encode() + HOST + header + b"\r\n"
            self.assertEqual(self.ask(request)[0][:1], [wanted], (path, forwarded))

    def test_paths_that_only_resemble_that_of_the_websocket_are_not_found(self) -> None:
        self.site = build_site(self.folder, self.fail, lambda: "ok", self.clock)
        for path in ("/ws/", "/ws/x", "/%77s", "/%77s?x", "/w%73/"):
            protocol, transport = self.connect()
            protocol.dataReceived(f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
            self.assertEqual(transport.value().split()[1], b"404", path)
            self.clock.pump([ANSWER_SECONDS, SiteChannel.abortTimeout])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_security_headers_and_no_banner(self) -> None:  # A25
        for path in ("/", "/nothing", "/healthz"):
            _, answer = self.get(path)
            head = answer.split(b"\r\n\r\n")[0].lower()
            self.assertIn(b"content-security-policy: default-src 'none'; script-src 'self'", head)
            self.assertIn(b"x-content-type-options: nosniff", head)
            self.assertIn(b"frame-ancestors 'none'", head)
            self.assertIn(b"require-trusted-types-for 'script'; trusted-types gtchat-worker", head)
            self.assertNotIn(b"unsafe-inline", head)
            self.assertNotIn(b"server:", head)
            self.assertNotIn(b"twisted", head)

    def test_ambiguous_requests_get_400_once_and_a_close(self) -> None:
        """A13, A14, A15, A16, A17."""
        for name, request in refused().items():
            codes, _, closed = self.ask(request)
            self.assertEqual((name, codes, closed), (name, [400], True))

    def test_header_in_pieces_is_accepted_or_refused_alike(self) -> None:
        for request, expected in (
            (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", 200),
            (refused()["folded header"], 400),
            (refused()["long header"], 400),
        ):
            protocol, transport = self.connect()
            for start in range(0, len(request), 7):
                protocol.dataReceived(request[start : start + 7])
            self.assertTrue(transport.value().startswith(b"HTTP/1.1 %d" % expected))

    def test_only_get_and_head_are_allowed(self) -> None:
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"):
            codes, answer, closed = self.ask(method + b" / HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertEqual((codes, closed), ([405], True), method)
            self.assertIn(b"Allow: GET, HEAD", answer)

    def test_head_gets_the_headers_of_get(self) -> None:
        for path in (b"/", b"/js/app.js", b"/nothing", b"/healthz"):
            with capturedLogs() as logs:
                _, answer, _ = self.ask(b"HEAD " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            head, _, body = self.get(path.decode())[1].partition(b"\r\n\r\n")
            self.assertEqual((answer, bool(body)), (head + b"\r\n\r\n", True), path)
            self.assertEqual(logs, [])

    def test_content_is_refused_where_the_headers_end(self) -> None:  # A28
        self.patch(tempfile, "TemporaryFile", None)
        length, chunked = b"Content-Length: 1000000000\r\n", b"Transfer-Encoding: chunked\r\n"
        for method, header, expected in (
            (b"POST", length, 405),
            (b"POST", chunked, 405),
            (b"PUT", length, 405),
            (b"OPTIONS", length, 405),
            (b"GET", length, 413),
            (b"HEAD", length, 413),
            (b"GET", chunked, 411),
            (b"POST", length + length, 400),
        ):
            for path in (b"/", b"/ws", b"/healthz", b"/nothing"):
                protocol, transport = self.connect()
                request = method + b" " + path + b" HTTP/1.1\r\n" + HOST + header
                protocol.dataReceived(request + b"Expect: 100-continue\r\n\r\n")
                answer = transport.value()
                self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % expected), (request, answer))
                self.assertIn(b"\r\nConnection: close\r\n", answer)
                self.assertFalse(transport.reading)
                for _ in range(100):  # what was on its way
                    protocol.dataReceived(b"x" * 65_536)
                self.assertEqual((protocol._dataBuffer, protocol._buffer), ([], b""))
                self.assertEqual(transport.value(), answer)
                self.clock.advance(REFUSAL_LINGER_SECONDS)
                self.assertTrue(transport.disconnecting)

    def test_an_expectation_without_content_is_ignored(self) -> None:
        for method, expected in ((b"GET", 200), (b"POST", 405)):
            line = method + b" / HTTP/1.1\r\n"
            codes, _, _ = self.ask(line + HOST + b"Expect: 100-continue\r\n\r\n")
            self.assertEqual(codes, [expected])

    def test_every_answer_has_the_security_headers(self) -> None:  # A25
        lines = (b"GET /nothing", b"POST /", b"OPTIONS /")
        others = [line + b" HTTP/1.1\r\n" + HOST + b"\r\n" for line in lines]
        for request in [*others, *refused().values()]:
            _, answer, _ = self.ask(request)
            served = request.startswith(b"GET /nothing HTTP/1.1")
            for name, value in security_headers(b"chat.example" if served else b"").items():
                self.assertIn(b"\r\n" + name + b": " + value + b"\r\n", answer, request[:80])
            self.assertIn(b"\r\nDate: ", answer)

    def test_the_policy_names_the_sockets_of_the_own_host_only(self) -> None:
        for host, sockets in (
            (b"chat.example:8443", b" ws://chat.example:8443 wss://chat.example:8443"),
            (b"192.0.2.1", b" ws://192.0.2.1 wss://192.0.2.1"),
            (b"[2001:db8::1]:8080", b""),
            (b"a.example; script-src *", b""),
            (b"a.example *", b""),
            (b"", b""),
        ):
            policy = security_headers(host)[b"Content-Security-Policy"].split(b"; ")
            self.assertIn(b"connect-src 'self'" + sockets, policy)
            self.assertEqual(sum(b"a.example" in part for part in policy), 0)
            codes, answer, _ = self.ask(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            self.assertEqual(codes, [200])
            self.assertIn(b"; connect-src 'self'" + sockets + b"; manifest-src", answer)

    def test_refusals_say_why_in_the_log(self) -> None:  # A32
        self.site.known_host = lambda host: host == "chat.example"
        for head, text in (
            (b"POST /?pwd=secret HTTP/1.1\r\nHost: chat.example", "405, only GET and HEAD"),
            (b"GET / HTTP/1.1\r\nHost: evil.example", "421, the host is not in allowed_hosts"),
            (b"GET / HTTP/1.1\r\nHost: \xe9\x1b", r"host \xe9\x1b, origin none"),
            (b"PUT / HTTP/1.1\r\nHost: chat.example\r\nOrigin: http://a", "origin http://a"),
            (b"GET / HTTP/1.1", "400, not one Host header; host none"),
            (b"GET / HTTP/9.9", "400, a malformed request"),
        ):
            with capturedLogs() as logs:
                self.ask(head + b"\r\n\r\n")
            lines = [str(formatEvent(event)) for event in logs]
            self.assertEqual([text in line for line in lines], [True], lines)
            self.assertNotIn("secret", lines[0])

    def test_slow_reader_of_many_requests_takes_little_memory(self) -> None:  # A20
        """Responses are made as fast as they are read, and requests are read no faster."""
        for line, count in (
            (b"GET /js/large.js", 20),
            (b"HEAD /js/large.js", 1_000),
            (b"GET /nothing", 1_000),
        ):
            protocol, transport = self.connect()
            transport.slow = True
            request = line + b" HTTP/1.1\r\n" + HOST + b"\r\n"
            protocol.dataReceived(request * count)
            received = b""
            while data := transport.drain():
                self.assertLess(len(data), BUFFER_BYTES + PIECE_BYTES + 2_000)
                received += data
            self.assertEqual(received.count(b"HTTP/1.1 "), count)
            self.assertTrue(transport.reading)

    def test_requests_behind_one_that_is_served_are_bounded(self) -> None:  # A30
        protocol, transport = self.connect()
        transport.slow = True
        request = b"GET /js/large.js HTTP/1.1\r\n" + HOST + b"\r\n"
        protocol.dataReceived(request)
        sent = 0
        while transport.reading and sent < 1_000_000:
            protocol.dataReceived(request)
            sent += len(request)
        self.assertLess(sent, PIPELINE_BYTES + 1_000)
        while transport.drain():
            pass
        self.assertTrue(transport.reading)

    def test_client_that_does_not_read_the_last_response_is_disconnected(self) -> None:
        protocol, transport = self.connect()
        transport.slow = True
        protocol.dataReceived((b"GET /nothing HTTP/1.1\r\n" + HOST + b"\r\n") * 1_000)
        self.clock.advance(ANSWER_SECONDS)
        self.assertTrue(transport.disconnecting)

    def test_client_that_does_not_read_a_response_before_the_close_is_disconnected(self) -> None:
        for request in (
            b"GET /js/app.js HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n",
            b"GET /js/app.js HTTP/1.0\r\n" + HOST + b"\r\n",
        ):
            protocol, transport = self.connect()
            protocol.dataReceived(request)
            self.assertEqual((transport.disconnecting, transport.disconnected), (True, False))
            self.clock.advance(ANSWER_SECONDS)
            self.assertTrue(transport.disconnected, request)
            protocol.connectionLost(Failure(ConnectionAborted()))
            protocol, transport = self.connect()
            protocol.dataReceived(request)
            protocol.connectionLost(Failure(ConnectionAborted()))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_after_a_refused_request_is_answered(self) -> None:
        body = b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        for behind in (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", b"nonsense\r\n\r\n"):
            codes, _, closed = self.ask(b"POST / HTTP/1.1\r\n" + HOST + body + behind)
            self.assertEqual((codes, closed), ([405], True))

    def test_slow_reader_is_disconnected(self) -> None:  # A22
        protocol, transport = self.connect()
        transport.slow = True
        protocol.dataReceived(b"GET /js/large.js HTTP/1.1\r\n" + HOST + b"\r\n")
        self.clock.advance(ANSWER_SECONDS - 1)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)
        assert transport.producer is not None
        transport.producer.stopProducing()
        protocol.connectionLost(Failure(ConnectionAborted()))
        self.get("/js/app.js")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)  # the idle timeout of the last one

    def test_health_check_returns_the_state_of_the_store(self) -> None:
        code, answer = self.get("/healthz")
        self.assertEqual((code, b'"status":"ok"' in answer), (200, True))
        self.healthy = False
        code, answer = self.get("/healthz")
        self.assertEqual((code, b'"status":"not_stored"' in answer), (503, True))

    def test_the_login_page_is_told_what_is_so_now(self) -> None:
        told = {"registration": "open"}
        self.site = build_site(self.folder, None, lambda: "ok", self.clock, info=lambda: told)
        for mode in ("open", "closed"):
            told["registration"] = mode
            code, answer = self.get("/site.json")
            self.assertEqual(code, 200)
            self.assertIn(b'{"registration":"%s"}' % mode.encode(), answer)
            self.assertIn(b"Cache-Control: no-store", answer)

    def test_producer_is_resumed_as_often_as_it_was_paused(self) -> None:  # A20
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

    def test_incomplete_request_times_out(self) -> None:  # A22
        protocol, transport = self.connect()
        for _ in range(REQUEST_SECONDS - 1):
            self.clock.advance(1)
            protocol.dataReceived(b"G")
            self.assertFalse(transport.disconnecting)
        with capturedLogs() as logs:
            self.clock.advance(1)
        self.assertEqual((transport.disconnecting, logs), (True, []))

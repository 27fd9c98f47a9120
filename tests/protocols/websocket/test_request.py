"""Opening handshakes of common forms: read without Autobahn, with the same result."""

from __future__ import annotations

import re
from typing import Any
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.base.http_access import Hosts, Origins, Proxies, is_ambiguous_header
from gtchat.protocols.websocket import opening
from gtchat.protocols.websocket.context import ConnectionState
from gtchat.protocols.websocket.request import parse_request
from tests import example_count
from tests.protocols.websocket.fakes import KEY, FakeSocket, TestFactory, frame, handshake

#: Requests of browsers and libraries: headers that they add to those that all have.
CLIENTS: list[dict[str, str]] = [
    {},
    {"Origin": "http://chat.example:8080", "Sec_WebSocket_Protocol": "gtchat.v1"},
    {  # Chromium
        "Pragma": "no-cache",
        "Cache_Control": "no-cache",
        "User_Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
        "Origin": "https://named.example",
        "Accept_Encoding": "gzip, deflate, br, zstd",
        "Accept_Language": "en-US,en;q=0.9",
        "Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits",
    },
    {  # Firefox
        "Accept": "*/*",
        "Origin": "null",
        "Connection": "keep-alive, Upgrade",
        "Sec_WebSocket_Extensions": "permessage-deflate",
        "Sec_Fetch_Mode": "websocket",
    },
    {"path": "/ws", "Host": "[::1]:8080", "X_Forwarded_For": "192.0.2.7"},
]

_NAMES = (
    *("Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Origin"),
    *("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "X-Forwarded-For", "Forwarded"),
    *("Cookie", "Content-Length", "X", " Host", "Host ", "upGRADE", "", "\u00e9"),
)
_VALUES = (
    *("", " ", "websocket", "WebSocket", "h2c, websocket", "Upgrade", "upgrade,keep-alive"),
    *("keep-alive, Upgrade", "close", "13", " 13 ", "12", "+13", "1_3", KEY.decode()),
    *(KEY.decode()[:-3] + "_==", "short", "chat.example", "chat.example:9000", "chat.example:"),
    *("chat.example:99999", "evil.example", "[::1]:80", "a b", "http://chat.example:9000"),
    *("http://chat.example:8080", "https://chat.example", "HTTP://chat.example", "null", "file://"),
    *("http://", "http://chat.example:99999", "http://[::1]", "http://u@chat.example", "gtchat.v1"),
    *("other, gtchat.v1", "gtchat.v1, gtchat.v1", ", ,", 'permessage-deflate; x="y", z'),
    *("192.0.2.7", "192.0.2.7, 198.51.100.1", "for=192.0.2.7", "5", "\u00e9", "\x85Host: x", "a:b"),
)
#: Lines to put into a request, or in place of the ones with the same name.
_LINES = st.lists(
    st.tuples(st.sampled_from(_NAMES), st.sampled_from(_VALUES), st.booleans()), max_size=4
)
_FIRST = st.sampled_from(
    [
        *["GET / HTTP/1.1", "GET /ws HTTP/1.1"] * 3,
        *("GET /other HTTP/1.1", "GET /?a=b HTTP/1.1", "GET / HTTP/1.0", "POST / HTTP/1.1"),
        *("GET  / HTTP/1.1", "get / HTTP/1.1", "GET /#x HTTP/1.1", "GET http://x/ws HTTP/1.1", ""),
    ]
)


def changed(request: bytes, first: str, lines: list[tuple[str, str, bool]]) -> bytes:
    """Return a request with another first line, and lines added or replaced."""
    _, *old = request.decode("latin-1")[:-4].split("\r\n")
    for name, value, replaces in lines:
        if replaces:
            old = [line for line in old if not line.lower().startswith(f"{name.lower()}:")]
        old.append(f"{name}: {value}")
    return "\r\n".join([first, *old, "", ""]).encode("latin-1")


def outcome(request: bytes, quick: bool) -> tuple[Any, ...]:
    """Return what a request, with a frame behind it, leads to.

    Args:
        request: the request.
        quick: whether common forms are read without Autobahn.
    """
    factory = TestFactory(
        origins=Origins(("https://named.example",), frozenset({8080}), file_page=True),
        proxies=Proxies.named(["192.0.2.1"]),
    )
    factory.factory.hosts = Hosts(frozenset({"chat.example"}))
    parse = parse_request if quick else lambda request: None
    with mock.patch.object(opening, "parse_request", parse):
        socket = FakeSocket(factory, "192.0.2.1")
        socket.receive(request + frame(b"first"))
        socket.receive(frame(b"second"))
    protocol = socket.protocol
    return (
        socket.transport.written,
        protocol.state,
        protocol.address,
        protocol.counted,
        [api.received for api in factory.apis],
        sorted(set(vars(protocol)) - {"tick"}) if protocol.state == ConnectionState.OPEN else [],
    )


class CommonForms(SynchronousTestCase):
    def test_requests_of_browsers_and_libraries_are_of_one(self) -> None:
        for headers in CLIENTS:
            request = handshake(**headers)
            self.assertIsNotNone(parse_request(request), request)
            self.assertEqual(outcome(request, True)[0][:12], b"HTTP/1.1 101")

    def test_no_extension_is_accepted(self) -> None:
        for name in ("deflate", "brotli"):
            request = handshake(Sec_WebSocket_Extensions=f"permessage-{name}")
            self.assertIsNotNone(parse_request(request))
            self.assertNotIn(b"Extensions", outcome(request, True)[0])

    @settings(max_examples=example_count(200), deadline=None)
    @given(st.sampled_from(CLIENTS), _FIRST, _LINES)
    @example({}, "GET / HTTP/1.1", [("Origin", "http://chat.example:99999", True)])
    @example({}, "GET / HTTP/1.1", [("X", "\x85Host: evil.example", False)])
    @example({}, "GET / HTTP/1.1", [("Host ", "evil.example", False)])
    @example({}, "GET / HTTP/1.1", [("Host", "evil.example", True)])
    @example({}, "GET / HTTP/1.1", [("Sec-WebSocket-Version", "12", True)])
    @example({}, "GET / HTTP/1.1", [("Sec-WebSocket-Protocol", "gtchat.v1, gtchat.v1", True)])
    def test_the_result_is_that_of_autobahn(
        self, headers: dict[str, str], first: str, lines: list[tuple[str, str, bool]]
    ) -> None:
        request = changed(handshake(**headers), first, lines)
        self.assertEqual(outcome(request, True), outcome(request, False), request)

    def test_a_bug_in_the_checks_is_answered(self) -> None:
        socket = TestFactory().connect()
        self.patch(opening, "check_request", lambda *args: 1 / 0)
        socket.receive(handshake())
        self.assertEqual(socket.status(), 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class AmbiguousHeaders(SynchronousTestCase):
    @settings(max_examples=example_count(200), deadline=None)
    @given(st.binary(max_size=8) | st.text("a:\t\r\n\0\x7f\x1f", max_size=8).map(str.encode))
    def test_only_pairs_of_cr_and_lf_and_htab_are_no_controls(self, header: bytes) -> None:
        bad = rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n"
        self.assertEqual(is_ambiguous_header(header), bool(re.search(bad, header)))


class KeptOrigins(SynchronousTestCase):
    def test_long_and_short_headers_are_compared_alike(self) -> None:
        name = "a" * 300 + ".example"
        for _ in range(2):
            for host in ("chat.example", name):
                allow = Origins(web_ports=frozenset({8080})).allow
                self.assertTrue(allow(f"http://{host}:8080", f"{host}:9000"))
                self.assertTrue(allow(f"http://{host}:9000", f"{host}:9000"))
                self.assertFalse(allow(f"http://{host}:1", f"{host}:9000"))
                self.assertFalse(allow(f"http://evil.{host}:8080", f"{host}:9000"))
                self.assertFalse(Origins().allow(f"http://{host}:8080", f"{host}:9000"))

"""A of docs/robustness.md over real sockets: handshakes, origins, HTTP, TLS."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.bystanders import Bystanders
from tests.e2e.certificate import make_certificate, trusting_all
from tests.e2e.raw import codes, exchange, handshake
from tests.e2e.server import SECONDS, Client, Server

SECRET = "hunter2-in-the-url"
HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = b"Transfer-Encoding: chunked\r\n"

#: Further lines of a handshake, or headers to change -> status code.
HANDSHAKES: list[tuple[dict[str, str], tuple[str, ...], int]] = [
    ({"Origin": "http://evil.example"}, (), 403),  # A01
    ({"Origin": "null"}, (), 403),  # A02
    ({"Origin": "http://127.0.0.1.evil.example"}, (), 403),  # A03
    ({"Origin": "http://evil-127.0.0.1"}, (), 403),
    ({"Origin": ""}, (), 101),  # A04
    ({"Cookie": "session_id=guessed"}, (), 101),
    ({"Origin": "http://127.0.0.1:9000"}, ("Origin: http://evil.example",), 400),  # A05
    ({"Host": "attacker.example", "Origin": "http://attacker.example"}, (), 421),  # A06
    ({"Sec_WebSocket_Key": ""}, (), 400),  # A08
    ({"Sec_WebSocket_Key": "short"}, (), 400),
    ({"Sec_WebSocket_Version": "12"}, (), 426),
    ({"Sec_WebSocket_Protocol": "other, unknown"}, (), 101),  # A09
    ({"X": "y" * 17_000}, (), 431),  # A12
    ({}, ("A: b",) * 4_000, 431),
    ({}, ("A: b\0c",), 400),
    ({"path": "/other"}, (), 404),
]

#: Requests to the site that get one response, after which the server closes.
REQUESTS: list[tuple[bytes, int]] = [
    (GET + b"A: b\r\n" * 501 + b"\r\n", 400),  # A13
    (GET + b"A: " + b"b" * 17_000 + b"\r\n\r\n", 400),
    (POST + b"Content-Length: 6\r\n" + CHUNKED + b"\r\n0\r\n\r\nGET /evil", 400),  # A14
    (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400),
    (POST + b"Content-Length: -1\r\n\r\n", 400),
    (POST + b"Content-Length: 1_0\r\n\r\n0123456789", 400),
    (POST + b"Content-Length: 5, 5\r\n\r\nabcde", 400),
    (POST + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n", 400),
    (POST + CHUNKED + b"\r\n+5\r\nabcde\r\n0\r\n\r\n", 405),  # A28
    (POST + b"Content-Length: 1000000000\r\n\r\n" + b"x" * 100_000, 405),
    (GET + b"Content-Length: 5\r\n\r\nGET /", 413),
    (GET + CHUNKED + b"\r\n5\r\nGET /\r\n0\r\n\r\n", 411),
    (b"GET / HTTP/1.1\nHost: x\n\nGET /evil HTTP/1.1\nHost: x\n\n", 400),  # A15
    (GET + b"A: b\r\n c\r\n\r\n", 400),
    (GET + b"A : b\r\n\r\n", 400),
    (GET + b"A: b\0c\r\n\r\n", 400),  # A16
    (GET + b"A: b\rEvil: 1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),  # A17
    (GET + HOST + b"\r\n", 400),
    (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405),  # A23
    (b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    (b"BREW /pot HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    (b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: attacker.example\r\n\r\n", 421),  # A06
]

#: Paths that do not exist.
PATHS: list[bytes] = [
    b"/x%00.png",  # A18
    b"/../setup.py",  # A19
    b"/%2e%2e/setup.py",
    b"/..%5csetup.py",
    b"//etc/passwd",
    b"//evil.example/%2e%2e",  # A24
    b"/%0d%0aSet-Cookie:%20x=1",
    b"/\\evil.example",
]


class HTTP(SynchronousTestCase):
    def setUp(self) -> None:
        names = ("--allowed-hosts", "chat.example")
        self.server = Server("--store", "memory", *names).start()
        self.addCleanup(self.server.kill)

    def get(self, path: bytes, host: bytes = HOST) -> bytes:
        """Return the response of the site to a GET request.

        Args:
            path: percent-encoded.
            host: the line of the Host header.
        """
        request = b"GET " + path + b" HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n"
        return exchange(self.server.web_port, request)

    def test_handshakes(self) -> None:
        port = self.server.ws_port
        with Bystanders(self.server, SECRET):
            for headers, more, status in HANDSHAKES:
                with socket.create_connection(("127.0.0.1", port), SECONDS) as line:
                    line.sendall(handshake(port, *more, **headers))
                    answer = line.recv(65536)
                self.assertEqual(codes(answer), [status], (headers, more[:1]))
            self.assertIn(
                b"Version: 13", exchange(port, handshake(port, Sec_WebSocket_Version="12"))
            )
            client = Client(port, f"/?usr=ann&pwd={SECRET}&session_id={SECRET}")  # A07
            self.assertEqual(client.call("get_user_list")["code"], "not_logged_in")
            client.close()

    def test_other_requests_to_the_websocket_port(self) -> None:  # A27
        port = self.server.ws_port
        with Bystanders(self.server):
            for request, status in (
                (GET + b"\r\n", 426),
                (GET + b"\r\nGET /evil HTTP/1.1\r\n" + HOST + b"\r\n", 426),
                (POST + b"Content-Length: 5\r\n\r\nabcde", 405),
                (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405),
            ):
                self.assertEqual(codes(exchange(port, request)), [status], request)

    def test_requests_to_the_site(self) -> None:
        with Bystanders(self.server):
            for request, status in REQUESTS:
                answer = exchange(self.server.web_port, request)
                self.assertEqual(codes(answer), [status], request[:80])
                self.assertNotIn(b"Traceback", answer)

    def test_paths_of_the_site(self) -> None:
        with Bystanders(self.server):
            for path in PATHS:
                answer = self.get(path)
                self.assertEqual(codes(answer), [404], path)
                head = answer.split(b"\r\n\r\n")[0].lower()
                for word in (b"location:", b"set-cookie", b"server:"):
                    self.assertNotIn(word, head)

    def test_error_page_repeats_nothing_of_the_request(self) -> None:  # A21
        with Bystanders(self.server):
            answer = self.get(b"/<script>alert(1)</script>", b"Host: chat.example\r\nX: <b>\r\n")
            self.assertEqual(codes(answer), [404])
            self.assertNotIn(b"<", answer)
            self.assertIn(b"text/plain; charset=utf-8", answer.lower())
            self.assertIn(b"nosniff", answer)
            answer = self.get(b"/nothing", b"Host: <script>\r\n")
            self.assertEqual((codes(answer), b"<" in answer), ([421], False))

    def test_pipelined_requests_are_answered_in_order(self) -> None:  # A20
        paths = [b"/client.html", b"/nothing", b"/healthz"] * 17
        requests = b"".join(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n" for path in paths)
        last = GET + b"Connection: close\r\n\r\n"
        with Bystanders(self.server):
            answer = exchange(self.server.web_port, requests + last)
            self.assertEqual(codes(answer), [200, 404, 200] * 17 + [200])

    def test_slow_requests_do_not_block_the_page(self) -> None:  # A22
        with Bystanders(self.server):
            slow = []
            for number in range(200):
                line = socket.create_connection(("127.0.0.1", self.server.web_port), SECONDS)
                self.addCleanup(line.close)
                line.sendall(b"GET / HTTP/1.1\r\nX: " if number % 2 else GET + b"\r\n" + GET)
                slow.append(line)
            self.assertEqual(codes(self.get(b"/")), [200])
            for line in slow:
                line.close()


class UnixSocket(SynchronousTestCase):
    def test_a_proxy_on_a_unix_socket_is_trusted_if_it_is_named(self) -> None:  # N13
        for options, refused in ((("--trusted-proxies", "unix"), False), ((), True)):
            server = Server("--store", "memory", "--connections-per-address", "1", *options)
            self.addCleanup(server.kill)
            path = str(server.folder / "web.sock")
            server.options += ("--web", f"unix:{path}")
            server.start()
            for number in range(2):
                line = socket.socket(socket.AF_UNIX)
                self.addCleanup(line.close)
                line.settimeout(SECONDS)
                line.connect(path)
                client = f"203.0.113.{number}:4711"
                line.sendall(handshake(80, path="/ws", X_Forwarded_For=client, Origin=""))
                self.assertEqual(codes(line.recv(65536)), [503 if refused and number else 101])
            server.stop()
            hint = "add unix to trusted_proxies" in "".join(server.lines)
            self.assertIs(hint, refused)


class TLS(SynchronousTestCase):
    def setUp(self) -> None:
        pem = Path(self.mktemp()).resolve()
        make_certificate(pem)
        tls = f"ssl:0:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
        names = ("--allowed-hosts", "chat.example")
        self.server = Server("--store", "memory", "--web", tls, *names).start()
        self.addCleanup(self.server.kill)

    def accepts(self, version: ssl.TLSVersion) -> bool:
        """Return whether the server accepts a version of TLS."""
        context = trusting_all()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", self.server.web_port), SECONDS) as line:
            try:
                context.wrap_socket(line).close()
            except (ssl.SSLError, ConnectionResetError):
                return False
        return True

    def test_requests_are_refused_as_without_it_while_handshakes_are_slow(self) -> None:  # A13 A22
        port, context = self.server.web_port, trusting_all()
        with Bystanders(self.server):
            for number in range(100):
                line = socket.create_connection(("127.0.0.1", port), SECONDS)
                self.addCleanup(line.close)
                line.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[: number % 10])
            for request, status in REQUESTS:
                answer = exchange(port, request, context=context)
                self.assertEqual(codes(answer), [status], request[:80])
            pages = [b"GET /client.html HTTP/1.1\r\n" + HOST + b"\r\n"] * 50
            last = GET + b"Connection: close\r\n\r\n"
            answer = exchange(port, b"".join(pages) + last, context=context)
            self.assertEqual(codes(answer), [200] * 51)

    def test_old_versions_and_renegotiation_are_refused(self) -> None:  # A26
        with Bystanders(self.server):
            for version, accepted in (
                (ssl.TLSVersion.TLSv1, False),
                (ssl.TLSVersion.TLSv1_1, False),
                (ssl.TLSVersion.TLSv1_2, True),
                (ssl.TLSVersion.TLSv1_3, True),
            ):
                self.assertIs(self.accepts(version), accepted, version)
            exchange(self.server.web_port, GET + b"\r\n")
            self.assertRaises(SSL.Error, self.renegotiate)
            self.assertTrue(self.accepts(ssl.TLSVersion.TLSv1_3))

    def renegotiate(self) -> None:
        """Renegotiate the keys, which costs the server much CPU time.

        Raises:
            SSL.Error: the server refused it.
        """
        context = SSL.Context(SSL.TLSv1_2_METHOD)
        with socket.create_connection(("127.0.0.1", self.server.web_port), SECONDS) as line:
            line.settimeout(None)
            connection = SSL.Connection(context, line)
            connection.set_connect_state()
            connection.do_handshake()
            connection.renegotiate()
            connection.do_handshake()
            connection.send(GET + b"\r\n")
            connection.recv(100)

"""E and F of docs/robustness.md: between protocols, and the older ones over TCP."""

from __future__ import annotations

import json
import re
import resource
import select
import socket
import struct
import unicodedata

from tests.e2e.bystanders import Bystanders, check_log, files, process, until
from tests.e2e.dialback import MessageCenterClient, PA1Client
from tests.e2e.old_protocols import ACCOUNTS, OldProtocolsCase
from tests.e2e.original_program import framed, read_frame
from tests.e2e.raw import exchange
from tests.e2e.server import SECONDS, Client

SECRET = b"only-in-a-request"
EVIL = "x\n2026-01-01 [audit] login of root\r\n\x1b[2J\x9b\u202e" + "y" * 200

#: Texts of users; each arrives in the form that the protocol of the receiver allows.
TEXTS = [
    "hello",
    "  spaces  inside  ",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308",
    "\u05e9\u05dc\u05d5\u05dd abc \u0645\u0631\u062d\u0628\u0627",
    "e\u0301 and \u00e9",
    "a" + "\u0316" * 30,
    "\U00010348\U0010fffd",
    "tab\there",
    "'single' \"double\" `back`",
    "back\\slash \\n \\x1b",
    "<b>markup</b> &amp; <script>alert(1)</script>",
    "w" * 900,
    "two\nlines",
    "[*] bob exited.",
    "[bob]: forged",
    "a|b|c",
    "/quit",
    "=1+1",
    "%s {0} ${x}",
    "\u4f60\u597d, \u4e16\u754c",
    "c1 \x9b2J and \x85 and \x7f",
    "order \u202e drow \u2066 and \u2028 line",
]

#: The first bytes of other protocols.
WRONG = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,  # F16
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"NICK ann\r\nUSER ann 0 * :ann\r\n\r\n",
    b"PROXY TCP4 203.0.113.7 127.0.0.1 1000 2000\r\n\r\n",
    b"\r\n\r\n\0\x0d\x0a\x51\x55\x49\x54\x0a" + b"\0" * 16,
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    b"\x9b2J\xc2\x9b2J\r\n\r\n",
    b"GET /?pwd=" + SECRET + b" nonsense\r\n\r\n",
    b"\xff\xfb\x01\xff\xfd\x03\r\n\r\n",  # F10
    b"\0" * 1_000 + b"\r\n\r\n",
]


class AcrossProtocols(OldProtocolsCase):
    def test_texts_arrive_in_the_form_each_protocol_allows(self) -> None:  # E17
        with Bystanders(self.server, *ACCOUNTS.values(), watch=False):
            ann = self.web("ann")
            seas, google = self.message_center("seas"), self.pa1("google")
            seas.next_push()
            lea = self.live(b"lea")
            lea.log_in()
            pia = self.phone("Pia", "111")
            for text in TEXTS:
                stored = unicodedata.normalize("NFC", text)
                plain = re.sub(r"[\x7f-\x9f]", lambda c: f"\\x{ord(c[0]):02x}", stored)
                unsafe = r"[\u2028-\u202e\u2066-\u2069]"
                plain = re.sub(unsafe, lambda c: f"\\u{ord(c[0]):04x}", plain)
                plain = plain.replace("\n", "\n    ")
                self.assertEqual(ann.call("speak", room_name="lobby", msg=text)["status"], "ok")
                self.assertEqual(self.next_push_of(seas, "[ann]: "), f"[ann]: {plain}")
                self.assertEqual(self.next_push_of(google, "ann said: "), f"ann said: {plain}\n")
                received = lea.read()
                while b"] ann > " not in received:
                    received = lea.read()
                expected = "ann > " + plain.replace("[*]", "[ * ]")
                self.assertEqual(received.split(b"] ", 1)[1].decode(), expected)
                self.assertEqual(pia.read()["message"], stored)
            entries = ann.call("history", room_name="lobby", kinds=["c_speak"])["entries"]
            kept = [entry["msg"] for entry in entries]
            self.assertEqual(kept, [unicodedata.normalize("NFC", text) for text in TEXTS])
            pia.ws.close()

    def next_push_of(self, client: MessageCenterClient | PA1Client, start: str) -> str:
        """Return the next push that starts with a text.

        Args:
            client: who receives.
            start: the text.
        """
        push = client.next_push()
        while not push.startswith(start):
            push = client.next_push()
        return push

    def test_names_have_no_line_breaks(self) -> None:  # E03
        with Bystanders(self.server, watch=False):
            web = self.connect()
            for name in ("a\r\nb", "a\nb", "a\rb", "a\x85b", "a\u2028b", "a\0b"):
                self.assertEqual(web.call("login", type="tmp", usr=name)["code"], "bad_name")
            web.call("login", type="tmp", usr="ann")
            for name in ("a\r\nb", "a\u2028b", "a\u2029b", "a\x85b"):
                self.assertEqual(web.call("create_room", room_name=name)["code"], "bad_name")
                reply = web.call("create_room", room_name="x", topic=name)
                self.assertEqual(reply["code"], "bad_request", ascii(name))


class LogInjection(OldProtocolsCase):
    options = ("--log-json",)

    def test_input_cannot_forge_log_lines(self) -> None:  # E15
        with Bystanders(self.server, *ACCOUNTS.values(), watch=False):
            web = self.connect()
            web.call("register", usr=EVIL, pwd="password")
            for name in (EVIL, EVIL[:20], "unknown"):
                web.call("login", type="reg", usr=name, pwd="wrong password")
            web.call("login", type="tmp", usr="ann")
            web.call("create_room", room_name=EVIL[:60])
            web.call("broadcast", msg=EVIL, broadcast_key=EVIL)
            web.call(EVIL)
            self.pa1().request(f"{EVIL} message {EVIL}")
            self.pa1().request(f"logIn {EVIL} {EVIL} 4444")
            self.message_center().log_in(EVIL.encode(), EVIL.encode())
            self.message_center().request(b"MSG", EVIL.encode(), EVIL.encode())
            exchange(self.port("livechat"), EVIL.encode(), close=True)
            headers = f"X-Forwarded-For: {EVIL[:1]}\x9b\r\nUser-Agent: \x9b{EVIL[-50:]}\r\n"
            Client(self.server.ws_port, headers=headers).close()
        for line in "".join(self.server.lines).splitlines():
            self.assertNotIn("[audit] login of root", json.loads(line)["message"])
            self.assertLess(len(line), 2_000)


class TCPProtocols(OldProtocolsCase):
    def test_frames_in_one_segment_and_half_a_frame(self) -> None:  # F03
        with Bystanders(self.server, *ACCOUNTS.values()):
            port = self.port("message_center")
            login = [b"LIN", b"seas", ACCOUNTS["seas"].encode()]
            with socket.create_connection(("127.0.0.1", port), SECONDS) as line:
                line.sendall(b"".join(map(framed, login)))
                self.assertEqual(read_frame(line), b"LOGIN_OKAY")
            self.assertEqual(exchange(port, framed(b"MSG|seas")[:7], close=True), b"")
            self.assertEqual(exchange(port, struct.pack("!I", 2**31), close=True), b"")

    def test_dialback_address_is_that_of_the_connection(self) -> None:  # F08
        with Bystanders(self.server, *ACCOUNTS.values(), watch=False):
            seas = self.message_center("seas")
            for port in (b"80 80", b"8080|x", b"\x1b[2J", b"65536", b"25"):
                with socket.create_connection(("127.0.0.1", seas.server), SECONDS) as line:
                    line.sendall(framed(b"LIN") + framed(b"google") + framed(b"hasglasses"))
                    line.sendall(framed(b"evil|\x1b[2J\x07") + framed(port))
                    while line.recv(100):
                        pass
                self.assertEqual(seas.next_push(), "google has logged on.")
                self.assertEqual(seas.next_push(), "google is offline.")
            web = self.web("ann")
            for number in (25, 1023, 65_536, -1, 0):
                self.assertEqual(web.call("set_address", port=number)["code"], "bad_request")

    def test_one_connection_per_request_many_times(self) -> None:  # F05
        with Bystanders(self.server):
            for _ in range(200):
                exchange(self.port("message_center"), framed(b"ONL|seas|0123456789|"))
                exchange(self.port("pa1"), b"seas online", close=True)

    def test_wrong_protocol_on_every_port(self) -> None:
        ports = [self.port(name) for name in ("message_center", "pa1", "livechat")]
        with Bystanders(self.server, SECRET.decode()):
            for port in (*ports, self.server.ws_port, self.server.web_port):
                for data in WRONG:
                    exchange(port, data, close=True)

    def test_silent_connections_are_limited(self) -> None:  # F17
        ports = [self.port(name) for name in ("message_center", "pa1", "livechat")]
        with Bystanders(self.server):
            for port in (*ports, self.server.ws_port):
                lines = [self.connection(port) for _ in range(256)]
                for _ in range(10):
                    self.assertIn(self.answer_to_another(port), (b"", b"HTTP/1.1 503"))
                self.assertEqual(select.select(lines[:100], [], [], 0)[0], [])
                for line in lines:
                    line.close()

    def connection(self, port: int) -> socket.socket:
        """Open a connection that sends nothing."""
        line = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.addCleanup(line.close)
        return line

    def answer_to_another(self, port: int) -> bytes:
        """Open a connection that the server closes; return the first bytes that it sends."""
        try:
            with socket.create_connection(("127.0.0.1", port), SECONDS) as line:
                return line.recv(12)
        except ConnectionResetError:
            return b""


class Descriptors(OldProtocolsCase):
    def test_server_recovers_after_descriptors_ran_out(self) -> None:  # F18
        with Bystanders(self.server):
            pid = int(process(self.server).name)
            most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            tight = files(self.server) + 8
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (tight, most[1]))
            lines = [
                socket.create_connection(("127.0.0.1", self.server.ws_port), SECONDS)
                for _ in range(40)
            ]
            until(lambda: files(self.server) >= tight - 1, "there are descriptors left")
            for line in lines:
                line.close()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, most)
            client = self.connect()
            self.assertEqual(client.call("login", type="tmp", usr="late")["status"], "ok")
            client.close()
        self.assertLess(len(self.server.lines), 200)
        check_log("".join(self.server.lines))

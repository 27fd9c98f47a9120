"""`gtchat doctor` and a server that is none of ours: nothing that it sends causes a traceback."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from itertools import count
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from gtchat.server.doctor import address, http
from gtchat.server.doctor.finding import Finding, Level
from gtchat.server.doctor.http import NoResponse, Target, WebSocket

PONG, CLOSE = b"\x8a\x00", b"\x88\x00"


def text(value: object) -> bytes:
    """Return a frame with a JSON text."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    assert len(data) < 126
    return bytes((0x81, len(data))) + data


class Foreign(threading.Thread):
    """Accepts one WebSocket, and sends what it is given.

    Args:
        sent: frames that follow the handshake.
    """

    def __init__(self, sent: bytes) -> None:
        super().__init__()
        self._sent = sent
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.target = Target(False, "127.0.0.1", self._socket.getsockname()[1])
        self.start()

    def run(self) -> None:
        with self._socket, self._socket.accept()[0] as client, client.makefile("rb") as lines:
            key = b""
            while line := lines.readline().strip():
                name, _, value = line.partition(b":")
                key = value.strip() if name.lower() == b"sec-websocket-key" else key
            accept = base64.b64encode(hashlib.sha1(key + http._GUID).digest())
            head = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + accept
            client.sendall(head + b"\r\n\r\n" + self._sent)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65_536):
                pass


class ForeignServers(SynchronousTestCase):
    def open(self, *frames: bytes) -> WebSocket:
        server = Foreign(b"".join(frames))
        opened = WebSocket(server.target, None)
        self.addCleanup(server.join)
        self.addCleanup(opened.__exit__)
        return opened

    def pings(self, hello: object) -> Finding:
        return address._check_pings(self.open(text(hello), PONG))

    def test_a_time_between_pings_that_is_none_is_a_warning(self) -> None:
        for wrong in ("soon", [1], {}, "NaN", -1, 10**30):
            found = self.pings({"cmd": "c_response", "ping_interval": wrong})
            self.assertEqual((found.level, found.name), (Level.WARNING, "pings"), wrong)

    def test_other_frames_do_not_prolong_the_wait_for_a_ping(self) -> None:
        opened = self.open()
        pongs = iter([PONG] * 100)
        trickle = mock.Mock(recv=lambda size: next(pongs, b""))
        seconds = count(step=0.5)
        with (
            mock.patch.object(opened, "_socket", trickle),
            mock.patch.object(http.time, "monotonic", lambda: next(seconds)),
        ):
            refused = self.assertRaises(NoResponse, opened.wait_for_ping, 5)
        self.assertEqual(str(refused), "timed out")
        self.assertGreater(len(list(pongs)), 50)

    def test_what_is_no_json_or_no_object_is_no_answer(self) -> None:
        with self.assertRaises(NoResponse):
            self.pings(b"hello")
        found = address._check_pings(self.open(text([1]), text({"cmd": "c_response"}), CLOSE))
        self.assertIn("sends no pings", found.text)

    def test_sessions_without_an_address(self) -> None:
        for sessions in ("x", [], [1], {"address": 1}, None):
            login, reply = {"cmd": "c_response", "status": "ok"}, {"cmd": "c_response"}
            frames = (login, {**reply, "sessions": sessions}, reply)
            found = address._check_client_address(self.open(*map(text, frames)))
            self.assertEqual(found.name, "proxy-address", sessions)

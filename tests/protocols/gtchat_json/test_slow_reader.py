"""A client that asks for much and reads nothing, over a WebSocket in memory."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import REPLY_BYTES, Limits
from gtchat.protocols.base.closing import CloseReason
from tests import test_cost
from tests.protocols.websocket import fakes
from tests.protocols.websocket.fakes import CLOSE, FakeSocket, FakeTransport, frame, handshake


class SlowTransport(FakeTransport):
    """A transport whose kernel takes `room` bytes, or that buffers all, and that counts the rest.

    Attributes:
        room: bytes that the kernel takes.
        buffered: bytes that the transport holds.
    """

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.room = 2**40
        self.buffered = 0

    def _buffer(self, data: bytes) -> None:
        super().write(data)
        self.buffered += len(data)
        if self.producer is not None:
            self.producer.pauseProducing()


class DirectTransport(SlowTransport):
    """As plain TCP: with the socket's `send`."""

    def send_now(self, data: bytes) -> int:
        if not self.room:
            raise BlockingIOError
        taken = data[: self.room]
        self.room -= len(taken)
        self.written += taken
        return len(taken)

    def write_later(self, data: bytes) -> None:
        self._buffer(data)

    def write_direct(self, data: bytes) -> int:
        sent = self.send_now(data) if self.room and not self.buffered else 0
        if data[sent:]:
            self._buffer(data[sent:])
        return len(data) - sent


class BufferingTransport(SlowTransport):
    """As TLS: `write` takes everything."""

    def write(self, data: bytes) -> None:
        if self.room:
            self.room = max(0, self.room - len(data))
            super().write(data)
        else:
            self._buffer(data)


class SlowReader(SynchronousTestCase):
    """There are 120 rooms whose list entries have 2.3 kB each."""

    def open(self, transport: type[SlowTransport]) -> tuple[test_cost.MemberFixture, Any]:
        fixture = test_cost.MemberFixture(2)
        for number in range(120):
            fixture.request(
                fixture.sockets[number % 2],
                cmd="create_room",
                room_name=f"{chr(0x1F600) * 58}{number}",
                topic=chr(0x1F600) * 500,
            )
        self.patch(test_cost, "CountingTransport", transport)
        reader = fixture._connect_member(2)
        reader.transport.written = b""
        return fixture, reader

    def ask(self, reader: Any, times: int) -> None:
        request = {"cmd": "get_room_list", "limit": 1000}
        reader.receive(frame(json.dumps(request).encode()) * times)

    def test_a_client_that_does_not_read_is_closed_with_little_unsent(self) -> None:  # G01
        for transport in (DirectTransport, BufferingTransport):
            fixture, reader = self.open(transport)
            reader.transport.room = 0
            self.ask(reader, 18)
            self.assertLessEqual(reader.transport.buffered, REPLY_BYTES + 1000)
            held = fixture.batcher.limits.total
            self.assertLessEqual(held, Limits().outbox_bytes + REPLY_BYTES)
            self.assertEqual(reader.close_code(), CloseReason.SLOW_READER.code)
            reader.lose()
            self.assertEqual(fixture.batcher.limits.total, 0)

    def test_a_client_that_reads_gets_every_reply(self) -> None:
        for transport in (DirectTransport, BufferingTransport):
            _, reader = self.open(transport)
            self.ask(reader, 18)
            replies = [json.loads(data) for opcode, data in reader.frames() if opcode != CLOSE]
            self.assertEqual([len(one["rooms"]) > 50 for one in replies], [True] * 18)

    def test_a_client_that_reads_slowly_gets_a_reply_of_any_size(self) -> None:  # G02
        for transport in (DirectTransport, BufferingTransport):
            _, reader = self.open(transport)
            reader.transport.room = 1_000
            self.ask(reader, 1)
            [(_, data)] = reader.frames()
            self.assertGreater(len(data), REPLY_BYTES - 3000)


class LeavingReader(SynchronousTestCase):
    """ann leaves the page, in order, although her browser has not read what was sent to it."""

    def connect(self, fixture: test_cost.MemberFixture) -> FakeSocket:
        socket = fixture.connect()
        socket.receive(handshake())
        socket.transport.written = b""
        return socket

    def log_in(self, fixture: test_cost.MemberFixture, socket: Any) -> list[dict[str, Any]]:
        """Log ann in; return what the server sends."""
        fixture.request(socket, cmd="login", type="reg", usr="ann", pwd="password")
        return [json.loads(data) for opcode, data in socket.frames() if opcode != CLOSE]

    def test_what_had_not_left_is_sent_again_and_is_unread(self) -> None:
        for transport in (DirectTransport, BufferingTransport):
            for code in (1000, 1001):
                fixture = test_cost.MemberFixture(1)
                first = self.connect(fixture)
                fixture.request(first, cmd="register", usr="ann", pwd="password")
                self.patch(fakes, "FakeTransport", transport)
                page: Any = self.connect(fixture)
                self.log_in(fixture, page)
                self.patch(fakes, "FakeTransport", FakeTransport)
                page.transport.room = 0
                speaker = fixture.sockets[0]
                for number in range(3):
                    fixture.request(
                        speaker, cmd="whisper", target_user="ann", msg=f"to you {number}"
                    )
                    fixture.request(speaker, cmd="speak", room_name="lobby", msg=f"to all {number}")
                page.receive(frame(code.to_bytes(2, "big"), CLOSE))
                page.lose()
                fixture.run_pending()
                sent = self.log_in(fixture, self.connect(fixture))
                again = [one["msg"] for one in sent if one["cmd"] == "c_whisper"]
                self.assertEqual(again, [f"to you {number}" for number in range(3)], code)
                reply = next(one for one in sent if one["cmd"] == "c_response")
                [lobby] = (one for one in reply["rooms"] if one["room_name"] == "lobby")
                self.assertEqual(lobby["unread"], 3)

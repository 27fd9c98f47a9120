"""The cost of a message, counted instead of timed: encodings, writes, calls of functions, files."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet import task
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import gtchat
from gtchat.chat.chat import Chat
from gtchat.chat.limits import Limits
from gtchat.protocols.base.outbox import WriteBatcher
from gtchat.protocols.gtchat_json import api, pushes
from gtchat.protocols.gtchat_json.api import API_Chatroom
from gtchat.protocols.gtchat_json.pushes import JSONEncoder
from gtchat.protocols.websocket import build_factory, text_frame
from gtchat.store.memory.store import MemoryStore
from tests.fakes import PlainPasswords, Tokens
from tests.protocols.websocket.fakes import (
    FakeSocket,
    FakeTransport,
    TestFactory,
    frame,
    handshake,
)


class CountingTransport(FakeTransport):
    """A transport with a socket's own `send`, which counts its calls."""

    writes = 0

    def send_now(self, data: bytes) -> int:
        self.writes += 1
        self.written += data
        return len(data)


class MemberFixture(TestFactory):
    """One room with many members, without sockets and disk."""

    def __init__(self, members: int) -> None:
        self.clock = Clock()
        limits = Limits(commands_per_second=0, connections_per_address=0)
        store = MemoryStore(self.clock)
        self.chat = Chat(store, self.clock, limits, PlainPasswords(), Tokens())
        self.chat.start()
        self.batcher = WriteBatcher(self.clock, limits)
        encoder = JSONEncoder(self.batcher, text_frame)
        self.factory = build_factory(
            self.clock,
            self.batcher,
            limits,
            lambda socket: API_Chatroom(self.chat, encoder, socket),
        )
        self.sockets = [self._connect_member(number) for number in range(members)]
        for socket in self.sockets:
            socket.transport.writes = 0  # type: ignore[attr-defined]

    def _connect_member(self, number: int) -> FakeSocket:
        with patch("tests.protocols.websocket.fakes.FakeTransport", CountingTransport):
            socket = self.connect()
        socket.receive(handshake())
        self.request(socket, cmd="login", type="tmp", usr=f"u{number}")
        first = {"cmd": "create_room" if number == 0 else "join_room", "room_name": "room"}
        self.request(socket, **first)
        return socket

    def request(self, socket: FakeSocket, **fields: Any) -> None:
        """Send a request."""
        socket.receive(frame(json.dumps(fields).encode()))

    def speak(self, messages: int) -> None:
        """Receive so many messages of the first member in one read."""
        said = {"cmd": "speak", "room_name": "room", "msg": "x" * 120}
        self.sockets[0].receive(frame(json.dumps(said).encode()) * messages)

    @property
    def writes(self) -> list[int]:
        """The number of writes to each connection."""
        return [socket.transport.writes for socket in self.sockets]  # type: ignore[attr-defined]


def called(work: Any) -> list[str]:
    """Return the file of each Python function that is called, in order."""
    files: list[str] = []

    def note(frame: Any, event: str, arg: object) -> None:
        if event == "call":
            files.append(frame.f_code.co_filename)

    gc.disable()  # callbacks of the garbage collector are not part of the work
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return files


def calls(work: Any) -> int:
    """Return the number of Python functions that are called."""
    return len(called(work))


class Cost(SynchronousTestCase):
    def test_a_message_is_encoded_once_for_all_members(self) -> None:
        fixture = MemberFixture(50)
        encoded: list[object] = []

        def counted(encode: Any) -> Any:
            return lambda thing: encoded.append(thing) or encode(thing)

        with (
            patch.object(pushes, "_encode", counted(pushes._encode)),
            patch.object(api, "_encode", counted(api._encode)),
        ):
            fixture.speak(1)
        self.assertEqual(len(encoded), 2)  # the push and the reply

    def test_a_turn_makes_one_write_to_each_member(self) -> None:
        for messages in (1, 16):
            fixture = MemberFixture(50)
            fixture.speak(messages)
            self.assertEqual(fixture.writes, [1] * 50)

    def test_one_more_member_costs_one_write(self) -> None:
        few, many = MemberFixture(50), MemberFixture(150)
        for fixture in (few, many):
            fixture.speak(1)  # fill the caches
        more = calls(lambda: many.speak(1)) - calls(lambda: few.speak(1))
        # CountingTransport.send_now, where a real one is the socket's own send.
        self.assertLessEqual(more, 100)

    def test_a_message_costs_few_calls(self) -> None:
        fixture = MemberFixture(10)
        fixture.speak(4)
        one, four = calls(lambda: fixture.speak(1)), calls(lambda: fixture.speak(4))
        self.assertLessEqual((four - one) / 3, 24)

    def test_the_path_of_a_message_is_short(self) -> None:
        """From the bytes of a frame to the writes: at most 13 files, at most 50 calls."""
        fixture = MemberFixture(10)
        fixture.speak(4)
        message = frame(
            json.dumps({"cmd": "speak", "room_name": "room", "msg": "x" * 120}).encode()
        )
        socket = fixture.sockets[0]
        tests, clock = str(Path(__file__).parent), str(Path(task.__file__).parent)
        path = [
            file
            for file in called(lambda: socket.receive(message))
            if not file.startswith((tests, clock))
        ]
        product = str(Path(gtchat.__file__).parent)
        self.assertLessEqual(len(path), 50)
        self.assertLessEqual(len({file for file in path if file.startswith(product)}), 13)

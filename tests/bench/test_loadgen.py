"""The load generator notices what a server does wrong."""

from __future__ import annotations

import json
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from bench.tools import BenchError, compiled, faults, generate
from bench.workloads import WORKLOADS

MEMBERS = 4


class Faulty(WebSocketServerProtocol):
    """A room whose tenth messages are not told as they should be."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        message = json.loads(payload)
        room: list[Any] = self.factory.room
        if message["op"] == "login":
            self.sendMessage(b'{"op":"ok"}')
        elif message["op"] == "join":
            room.append(self)
            self.sendMessage(b'{"op":"joined"}')
        else:
            self.factory.said += 1
            for member in room:
                self.factory.tell(self.factory, member, payload)


class FaultyFactory(WebSocketServerFactory):
    protocol = Faulty

    def __init__(self, tell: Any) -> None:
        super().__init__()
        # Autobahn's timers would outlive a test.
        self.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
        self.room: list[Any] = []
        self.said = 0
        self.kept: dict[Any, bytes] = {}
        self.tell = tell


def honest(house: FaultyFactory, member: Any, payload: bytes) -> None:
    if member.state == member.STATE_OPEN:
        member.sendMessage(payload)


def losing(house: FaultyFactory, member: Any, payload: bytes) -> None:
    if house.said != 10 or member is not house.room[1]:
        member.sendMessage(payload)


def repeating(house: FaultyFactory, member: Any, payload: bytes) -> None:
    member.sendMessage(payload)
    if house.said == 10 and member is house.room[1]:
        member.sendMessage(payload)


def reordering(house: FaultyFactory, member: Any, payload: bytes) -> None:
    if house.said == 10 and member is house.room[1]:
        house.kept[member] = payload
        return
    member.sendMessage(payload)
    if member in house.kept:
        member.sendMessage(house.kept.pop(member))


def closing(house: FaultyFactory, member: Any, payload: bytes) -> None:
    if house.said == 10 and member is house.room[1]:
        member.sendClose(1000)
    else:
        honest(house, member, payload)


class LoadGenerator(TestCase):
    def setUp(self) -> None:
        try:
            compiled("loadgen")
        except BenchError as error:
            self.skipTest(str(error))

    async def run_against(self, tell: Any) -> Any:
        """What is measured of a server."""
        port = reactor.listenTCP(0, FaultyFactory(tell), interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        words = ["--port", str(port.getHost().port), "--quiet", "-n", str(MEMBERS)]
        words += [
            "-r",
            str(MEMBERS),
            "-s",
            "1",
            "-w",
            "8",
            "--warm",
            "0.1",
            "--dur",
            "0.3",
            "--drain",
            "0.5",
        ]
        return await deferToThread(generate, words)

    async def test_an_honest_server(self) -> None:
        result = await self.run_against(honest)
        self.assertEqual(faults(result), 0)
        self.assertGreater(result["deliv_s"], 0)
        self.assertGreater(result["p99_us"], 0)

    async def test_faults_are_noticed_and_told_apart(self) -> None:
        for tell, key in (
            (losing, "lost"),
            (repeating, "reord"),
            (reordering, "lost"),
            (closing, "dead"),
        ):
            result = await self.run_against(tell)
            self.assertGreater(result[key], 0, tell.__name__)
            self.assertGreater(faults(result), 0)

    async def test_no_server(self) -> None:
        port = reactor.listenTCP(0, FaultyFactory(honest), interface="127.0.0.1")  # type: ignore[attr-defined]
        number = port.getHost().port
        await port.stopListening()
        words = ["--port", str(number), "--quiet", "-n", "1", "-r", "1", "-s", "1", "--dur", "0.1"]
        try:
            result = await deferToThread(generate, words)
        except BenchError:
            return
        self.assertGreater(result["dead"], 0)


class Workloads(TestCase):
    def test_their_numbers_fit(self) -> None:
        for workload in WORKLOADS:
            self.assertEqual(workload.connections % workload.room, 0)
            self.assertEqual(workload.senders % workload.rooms if workload.senders > 1 else 0, 0)
            self.assertIn(str(workload.connections), workload.words(1.0))

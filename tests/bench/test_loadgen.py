"""The load generator detects lost, repeated and reordered messages and closed connections."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from bench.tools import BenchError, LoadResult, compile_program, count_faults, generate_load
from bench.workloads import WORKLOADS

MEMBERS = 4
#: Options of the load generator for few messages.
RATE = ("--rate", "300")


class FaultyServer(WebSocketServerProtocol):
    """A member of the only room; the tenth message may be delivered wrongly."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        message = json.loads(payload)
        if message["op"] == "login":
            self.sendMessage(b'{"op":"ok"}')
        elif message["op"] == "join":
            if self.factory.refuses(self):
                self.sendMessage(b'{"op":"error"}')
                return
            self.factory.room.append(self)
            self.sendMessage(b'{"op":"joined"}')
        else:
            self.factory.message_count += 1
            for member in self.factory.room:
                self.factory.deliver(self.factory, member, payload)


class FaultyFactory(WebSocketServerFactory):
    """The room.

    Args:
        deliver: Delivers a message to a member: factory, member, payload.
    """

    protocol = FaultyServer

    def __init__(self, deliver: Deliver) -> None:
        super().__init__()
        # Autobahn's timers would outlive a test.
        self.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
        self.room: list[FaultyServer] = []
        self.message_count = 0
        self.kept: dict[FaultyServer, bytes] = {}
        self.refused: set[FaultyServer] | None = None
        self.deliver = deliver

    def is_faulty_for(self, member: FaultyServer) -> bool:
        """Return whether this is the message and the member that a fault concerns."""
        return self.message_count == 10 and member is self.room[1]

    def refuses(self, member: FaultyServer) -> bool:
        """Return whether a join is refused: the first of each member, if `refused` is a set."""
        if self.refused is None or member in self.refused:
            return False
        self.refused.add(member)
        return True


Deliver = Callable[[FaultyFactory, FaultyServer, bytes], None]


def correct(factory: FaultyFactory, member: FaultyServer, payload: bytes) -> None:
    if member.state == member.STATE_OPEN:
        member.sendMessage(payload)


def losing(factory: FaultyFactory, member: FaultyServer, payload: bytes) -> None:
    if not factory.is_faulty_for(member):
        member.sendMessage(payload)


def repeating(factory: FaultyFactory, member: FaultyServer, payload: bytes) -> None:
    member.sendMessage(payload)
    if factory.is_faulty_for(member):
        member.sendMessage(payload)


def reordering(factory: FaultyFactory, member: FaultyServer, payload: bytes) -> None:
    if factory.is_faulty_for(member):
        factory.kept[member] = payload
        return
    member.sendMessage(payload)
    if member in factory.kept:
        member.sendMessage(factory.kept.pop(member))


def closing(factory: FaultyFactory, member: FaultyServer, payload: bytes) -> None:
    if factory.is_faulty_for(member):
        member.sendClose(1000)
    else:
        correct(factory, member, payload)


def numbering(factory: FaultyFactory, member: FaultyServer, payload: bytes) -> None:
    member.sendMessage(payload[:-1] + b',"seq":%d}' % factory.message_count)


def misnumbering(factory: FaultyFactory, member: FaultyServer, payload: bytes) -> None:
    number = factory.message_count - factory.is_faulty_for(member)
    member.sendMessage(payload[:-1] + b',"seq":%d}' % number)


class LoadGenerator(TestCase):
    def setUp(self) -> None:
        try:
            compile_program("loadgen")
        except BenchError as error:
            self.skipTest(str(error))

    async def run_against(
        self, deliver: Deliver, *options: str, ports: int = 1, refusing: bool = False
    ) -> LoadResult:
        """Return what the load generator measures of a server that delivers like this.

        Args:
            deliver: Delivers a message.
            options: More options of the load generator.
            ports: On how many ports the server listens.
            refusing: Whether it refuses the first join of each member.
        """
        factory = FaultyFactory(deliver)
        factory.refused = set() if refusing else None
        arguments = [*options, "--quiet", "--nospin", "-n", str(MEMBERS)]
        for _ in range(ports):
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[attr-defined]
            self.addCleanup(port.stopListening)
            arguments += ["--port", str(port.getHost().port)]
        arguments += ["-r", str(MEMBERS), "-s", "1", "-w", "8"]
        arguments += ["--settle", "0.1", "--warm", "0.1", "--dur", "0.3", "--drain", "0.5"]
        return await deferToThread(generate_load, arguments)

    async def test_a_correct_server(self) -> None:
        result = await self.run_against(correct)
        self.assertEqual(count_faults(result), 0)
        self.assertGreater(result["deliv_s"], 0)
        self.assertGreater(result["p99_us"], 0)

    async def test_faults_are_detected_and_told_apart(self) -> None:
        for deliver, key in (
            (losing, "lost"),
            (repeating, "reord"),
            (reordering, "lost"),
            (closing, "dead"),
        ):
            result = await self.run_against(deliver)
            self.assertGreater(result[key], 0, deliver.__name__)
            self.assertGreater(count_faults(result), 0)

    async def test_numbers_of_the_server_have_to_rise(self) -> None:
        order = (*RATE, "--order", '"seq":')
        result = await self.run_against(numbering, *order)
        self.assertGreater(result["deliv_s"], 0)
        self.assertEqual(count_faults(result), 0)
        self.assertEqual((await self.run_against(misnumbering, *order))["reord"], 1)
        self.assertGreater((await self.run_against(correct, *order))["reord"], 0)

    async def test_members_take_turns_in_using_the_ports(self) -> None:
        result = await self.run_against(correct, *RATE)
        self.assertEqual(result["cross_p99_us"], 0)
        result = await self.run_against(correct, *RATE, ports=2)
        self.assertEqual(count_faults(result), 0)
        self.assertGreater(result["cross_p99_us"], 0)

    async def test_a_step_that_is_refused_is_done_again(self) -> None:
        result = await self.run_against(correct, *RATE, refusing=True)
        self.assertEqual((result["refusals"], count_faults(result)), (MEMBERS, 0))

    async def test_cpu_time_of_other_processes_is_apart(self) -> None:
        result = await self.run_against(correct, *RATE, "--beside", str(os.getpid()))
        self.assertGreater(result["beside1_us"], 0)
        self.assertEqual(result["cpu_us"], 0)

    async def test_no_server(self) -> None:
        port = reactor.listenTCP(0, FaultyFactory(correct), interface="127.0.0.1")  # type: ignore[attr-defined]
        number = port.getHost().port
        await port.stopListening()
        arguments = ["--port", str(number), "--quiet"]
        arguments += ["-n", "1", "-r", "1", "-s", "1", "--dur", "0.1"]
        try:
            result = await deferToThread(generate_load, arguments)
        except BenchError:
            return
        self.assertGreater(result["dead"], 0)


class Workloads(TestCase):
    def test_connections_and_senders_fill_the_rooms(self) -> None:
        for workload in WORKLOADS:
            self.assertEqual(workload.connections % workload.room, 0)
            self.assertEqual(workload.senders % workload.rooms if workload.senders > 1 else 0, 0)
            self.assertIn(str(workload.connections), workload.arguments(1.0))

"""The times at which Live chat writes: a client of it takes each read for one message."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.livechat import LiveChatFactory
from tests.fakes import TestServer

#: Seconds between two looks at what was written.
STEP = 0.01


class Pacing(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.server = TestServer(clock=self.clock)
        self.protocol = LiveChatFactory(self.server.chat, self.clock).buildProtocol(
            IPv4Address("TCP", "192.0.2.7", 40_000)
        )
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def writes(self, seconds: float) -> list[tuple[float, bytes]]:
        """Let time pass; return the time and the bytes of each write."""
        began, writes = self.clock.seconds(), []
        while self.clock.seconds() < began + seconds:
            self.clock.advance(STEP)
            if data := self.transport.value():
                writes.append((self.clock.seconds(), data))
                self.transport.clear()
        return writes

    def test_ok_is_written_alone_a_while_before_the_user_list(self) -> None:
        self.protocol.dataReceived(b"alice")
        (first, ok), (second, users) = self.writes(1)
        self.assertEqual((ok, users), (b"OK", b"&Host&alice"))
        self.assertGreater(second - first, 0.05)

    def test_messages_are_joined_and_events_written_alone_a_while_apart(self) -> None:
        self.protocol.dataReceived(b"alice")
        self.writes(1)
        sender = self.server.guest("ann")
        for number in range(20):
            sender.call("speak", room_name="lobby", msg=str(number))
        sender.call("logout")
        times, writes = zip(*self.writes(2), strict=True)
        self.assertEqual([b"[*]" in write for write in writes], [True, False, True])
        texts = [line.partition(b" > ")[2] for line in writes[1].splitlines()]
        self.assertEqual(texts, [str(number).encode() for number in range(20)])
        gaps = [after - before for before, after in zip(times, times[1:], strict=False)]
        self.assertGreater(min(gaps), 2 * STEP)

"""The bus on NATS: what two nodes hear of each other, and what ends and breaks between them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.protocol import Factory
from twisted.logger import globalLogPublisher
from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gtchat.chat.events import ReadMarked
from gtchat.chat.relay import DirectTyping, IRelay, ReadMoved, Relayed, RoomTyping
from gtchat.server.storage import _client_context
from gtchat.store.notifying import CarriedRows, INotifier
from tests import nats_server, postgres
from tests.e2e.certificate import make_certificate
from tests.nats_server import NatsServer
from tests.store.sql.test_bus import BusCase, broadcast
from tests.store.sql.test_carried_rows import carried, said

MISSING = nats_server.MISSING or postgres.MISSING
if MISSING is None:
    from gtchat.store.sql import carried_rows, nats_bus, nats_link
    from gtchat.store.sql.bus_payloads import MAX_ROW_BYTES, PAYLOAD_BYTES, Outgoing, decoded
    from gtchat.store.sql.nats_bus import NatsBus
    from gtchat.store.sql.nats_link import NatsAddress

CHAT = "c0ffee"


class AddressTests(SynchronousTestCase):
    skip = MISSING

    def test_what_is_secret_is_not_in_the_address(self) -> None:
        found = NatsAddress.parse("tls://ann%40home:p%2Cw%2F@nats.example:4222")
        self.assertEqual((found.url, found.is_tls), ("tls://nats.example:4222", True))
        self.assertEqual(found.login, {"user": "ann@home", "password": "p,w/"})
        self.assertNotIn("p,w", repr(found))
        token = NatsAddress.parse("nats://s3cret@[::1]")
        self.assertEqual(token, NatsAddress("nats://[::1]", {"token": "s3cret"}, False))
        self.assertEqual(NatsAddress.parse("nats://n").login, {})


class OutgoingTests(SynchronousTestCase):
    """What waits to be sent with rows in it."""

    skip = MISSING

    def setUp(self) -> None:
        self.outgoing = Outgoing("b")

    def put(self, seq: int, size: int = 0) -> bytes:
        rows = b'{"node_id":1,"logs":{},"system":[["%b","{}"]]}' % (b"x" * size)
        self.outgoing.put_rows({7: seq}, rows)
        return rows

    def test_rows_are_sent_in_order(self) -> None:
        first, second = self.put(1), self.put(2, 10)
        self.outgoing.put_heads({8: 1})
        self.assertTrue(self.outgoing)
        sent = [f"b w{first.decode()}", f"b w{second.decode()}"]
        self.assertEqual(self.outgoing.take(), ['b r{"8":1}', *sent])
        self.assertFalse(self.outgoing)

    def test_rows_that_are_too_long_are_heads(self) -> None:
        self.put(1, PAYLOAD_BYTES)
        self.put(3, PAYLOAD_BYTES)
        self.put(2, PAYLOAD_BYTES)
        self.assertEqual(self.outgoing.take(PAYLOAD_BYTES), ['b r{"7":3}'])
        self.put(4, PAYLOAD_BYTES)
        [payload] = self.outgoing.take(2 * PAYLOAD_BYTES)
        self.assertIsInstance(decoded(payload.partition(" ")[2]), CarriedRows)

    def test_rows_that_wait_have_a_bound(self) -> None:
        for seq in range(1, 100):
            self.put(seq, MAX_ROW_BYTES // 40)
        payloads = self.outgoing.take(MAX_ROW_BYTES)
        self.assertEqual(payloads[0], 'b r{"7":99}')
        self.assertLess(sum(map(len, payloads)), MAX_ROW_BYTES + 100)
        self.assertGreater(len(payloads), 30)

    def test_what_may_be_lost_is_looked_at(self) -> None:
        self.put(1)
        self.outgoing.put_events(["e1"])
        self.outgoing.lose()
        self.put(2)
        self.outgoing.put_heads({1: 1})
        self.assertEqual(self.outgoing.take(), ["b *", "b e1"])


class NatsCase(BusCase):
    """Buses on one server of NATS, and what each has heard."""

    skip = MISSING
    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        super().setUp()
        self.patch(nats_link, "RETRY_S", 0.05)
        # On a busy machine a server may be slow: it is given up only in tests that have it stopped.
        for name in ("ANSWER_S", "CONNECT_S", "STOP_S"):
            self.patch(nats_link, name, 30.0)
        self.server = NatsServer(*self.options)
        self.addCleanup(self.server.close)
        self.server.start()
        self.rows: list[CarriedRows | None] = []
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self._note_line)
        self.addCleanup(globalLogPublisher.removeObserver, self._note_line)

    def heads(self) -> set[tuple[str, tuple[tuple[int, int], ...]]]:
        """Return which heads were heard; a connection that begins again has all rooms looked at."""
        return {(name, tuple(heads.items())) for name, heads in self.heard if heads is not None}

    def _note_line(self, event: Any) -> None:
        if "NatsBus" in event.get("log_namespace", ""):
            self.note(self.lines, (event["log_format"] or "").format(**event))

    def open(self, name: str, address: str = "", chat: str = CHAT, tls: Any = None) -> NatsBus:
        """Return a bus that begins to listen."""
        addresses = (address or self.server.url).split(",")
        made = NatsBus(reactor, map(NatsAddress.parse, addresses), tls)

        def received(heads: Mapping[int, int] | None, rows: CarriedRows | None = None) -> None:
            self.rows.append(rows)
            self.note(self.heard, (name, heads))

        made.received = received
        made.relay.received = lambda event: self.note(self.relayed, (name, event))
        made.join(chat)
        made.start()
        self.addCleanup(made.stop)
        return made

    async def begin(self, name: str, options: str = "") -> Any:
        made = self.open(name)
        await self.until(lambda: (name, None) in self.heard)
        return made

    async def both(self, options: tuple[str, str] = ("", "")) -> tuple[Any, Any]:
        made = await super().both()
        self.rows.clear()
        return made

    def publish(self, *messages: bytes, chat: str = CHAT) -> None:
        """Send messages as another program."""
        with closing(socket.create_connection(("127.0.0.1", self.server.port))) as client:
            client.sendall(b'CONNECT {"verbose":false}\r\n')
            for message in messages:
                client.sendall(
                    b"PUB gtchat.%b %d\r\n%b\r\n" % (chat.encode(), len(message), message)
                )
            client.sendall(b"PING\r\n")
            received = b""
            while b"PONG" not in received:
                received += client.recv(65_536)


class Noted(LineReceiver):
    """A server of NATS that notes the first word of each line, and b"" at the end."""

    def __init__(self, note: Callable[[bytes], None]) -> None:
        self._note = note

    def connectionMade(self) -> None:
        self.sendLine(b'INFO {"max_payload":1048576}')

    def lineReceived(self, line: bytes) -> None:
        word = line.partition(b" ")[0]
        self._note(word)
        if word == b"PING":
            self.sendLine(b"PONG")

    def connectionLost(self, reason: Any = None) -> None:
        self._note(b"")


class NatsOrderTests(NatsCase):
    """The order in which a bus sends."""

    async def test_an_answer_says_that_all_has_arrived(self) -> None:
        self.patch(nats_link, "ASK_S", 1000)
        words: list[bytes] = []
        factory = Factory.forProtocol(lambda: Noted(lambda word: self.note(words, word)))
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        a = self.open("a", f"nats://127.0.0.1:{port.getHost().port}")
        # All rooms are looked at when the server knows what the bus listens to, not earlier.
        await self.until(lambda: ("a", None) in self.heard)
        self.assertEqual(words, [b"CONNECT", b"PING", b"SUB", b"PING"])
        words.clear()
        a.notify({1: 1})
        await a.stop()
        await self.until(lambda: words[-1:] == [b""])
        self.assertEqual(words, [b"PUB", b"gtchat1", b"PING", b""])


class NatsBusTests(NatsCase):
    async def test_it_is_a_notifier_and_has_a_relay(self) -> None:
        a, b = await self.both()
        verifyObject(INotifier, a)
        verifyObject(IRelay, a.relay)

    async def test_others_hear_what_was_written_and_a_node_not_itself(self) -> None:
        a, b = await self.both()
        a.notify({7: 3, 8: 4})
        await self.until(lambda: ("b", {7: 3, 8: 4}) in self.heard)
        b.notify({9: 1})
        await self.until(lambda: ("a", {9: 1}) in self.heard)
        self.assertEqual((len(self.heard), self.rows), (2, [None, None]))

    async def test_rows_and_events_arrive_as_they_were_sent(self) -> None:
        a, b = await self.both()
        sent = [carried({1: [said(seq, "long " * 1000)]}) for seq in (1, 2)]
        events: list[Relayed] = [
            RoomTyping(1, 2, "Ann"),
            broadcast("long " * 5000),
            DirectTyping(1, 2, "Zoë"),
            ReadMoved(1, 2, 3, ReadMarked(at=1, room_name="tea", read_seq=3)),
        ]
        for rows in sent:
            a.notify(rows.heads, carried_rows._encode(rows))
        for event in events:
            a.relay.send(event)
        await self.until(lambda: len(self.relayed) == len(events))
        self.assertEqual(self.relayed, [("b", event) for event in events])
        self.assertEqual(self.heard, [("b", {1: 1}), ("b", {1: 2})])
        self.assertEqual(self.rows, sent)

    async def test_chats_on_one_server_do_not_hear_each_other(self) -> None:
        a, b = await self.both()
        c, d = self.open("c", chat="other"), self.open("d", chat="other")
        await self.until(lambda: {("c", None), ("d", None)} <= set(self.heard))
        self.heard.clear()
        a.notify({1: 1})
        c.notify({2: 2})
        await self.until(lambda: len(self.heard) >= 2)
        b.notify({3: 3})
        d.notify({4: 4})
        await self.until(lambda: len(self.heard) >= 4)
        self.assertCountEqual(
            self.heard, [("b", {1: 1}), ("d", {2: 2}), ("a", {3: 3}), ("c", {4: 4})]
        )

    async def test_a_node_that_has_loaded_another_chat_hears_that(self) -> None:
        a, b = await self.both()
        a.join("next")
        self.open("new", chat="next")
        self.open("old")
        await self.until(lambda: {("a", None), ("new", None), ("old", None)} <= set(self.heard))
        a.relay.send(RoomTyping(1, 2, "Ann"))  # behind it: all rooms have to be looked at
        await self.until(lambda: ("new", RoomTyping(1, 2, "Ann")) in self.relayed)
        self.heard.clear()
        a.notify({1: 1})
        b.notify({2: 2})
        await self.until(lambda: {("new", ((1, 1),)), ("old", ((2, 2),))} <= self.heads())
        b.join("next")
        await self.until(lambda: ("b", None) in self.heard)
        a.notify({3: 3})
        await self.until(lambda: ("b", {3: 3}) in self.heard)
        self.assertNotIn(("b", {1: 1}), self.heard)
        self.assertNotIn(("a", {2: 2}), self.heard)

    async def test_what_is_not_understood_is_dropped_and_said_once(self) -> None:
        await self.both()
        strange = ["", "x", "x y", "x r", 'x r{"a":1}', "x e", 'x e["new",{}]', "x pa b c d"]
        strange += ["x p1 2", 'x e["broadcast",{}]', "x q", "x e[[],{}]", "x p1 1 9999999 e"]
        strange += ["x w", 'x w{"logs":1}', 'x w{"node_id":1,"logs":{"1":[]}}', "x e" + "[" * 9_000]
        messages = [b"gtchat1 " + one.encode() for one in strange]
        messages += [b"", b"\xff", b"gtchat1 \xff", b"gtchat2 x *", b"gtchat1x *"]
        messages.append(b"gtchat1 x r" + b" " * nats_link.MAX_MESSAGE + b'{"1":2}')
        self.publish(*messages, b'gtchat1 x r{"5":6}')
        await self.until(lambda: len(self.heads()) == 2)
        self.assertEqual(self.heads(), {("a", ((5, 6),)), ("b", ((5, 6),))})
        self.assertEqual(self.relayed, [])
        said_by_both = ["Messages between nodes were dropped: 1; the last one was malformed."] * 2
        self.assertEqual(self.lines, said_by_both)

    async def test_messages_that_are_dropped_are_counted(self) -> None:
        self.patch(nats_link, "REPORT_S", 0.0)
        await self.begin("a")
        self.publish(b"gtchat2 x *", b"gtchat1 x r" + b" " * nats_link.MAX_MESSAGE)
        await self.until(lambda: len(self.lines) == 2)
        self.assertIn("of another version", self.lines[0])
        self.assertIn("too large", self.lines[1])

    async def test_what_waits_for_the_reactor_has_a_bound(self) -> None:
        for count, size in ((nats_bus.MAX_HEARD + 1, 1), (3, nats_bus.MAX_HEARD_BYTES // 3 + 1)):
            a = NatsBus(reactor, [NatsAddress.parse(self.server.url)])
            heard: list[Any] = []
            a.received = lambda heads, rows=None, heard=heard: heard.append(heads)
            for number in range(count):
                a._take({number: 1}, size)
            a._take({1: 2}, 1)
            a._deliver()
            self.assertEqual(heard, [None, {1: 2}])

    async def test_what_waits_at_the_end_is_sent(self) -> None:
        a, b = await self.both()
        for number in range(100):
            a.notify({number: 3}, carried_rows._encode(carried({number: [said(3)]})))
        await a.stop()
        await self.until(lambda: len(self.heard) == 100)

    async def test_it_stops_at_once(self) -> None:
        self.patch(nats_link, "ASK_S", 1000)
        a, b = await self.both()
        await gatherResults([a.stop(), b.stop()])
        b.notify({1: 1})
        b.relay.send(RoomTyping(1, 1, "Ann"))
        await NatsBus(reactor, [NatsAddress.parse(self.server.url)]).stop()
        self.assertEqual((self.heard, self.lines), ([], []))


class NatsFaultTests(NatsCase):
    """What happens when the server of NATS is killed, stopped or not there yet."""

    async def hears_again(self, a: Any) -> None:
        """Wait until both have connected again and b hears a."""
        await self.until(lambda: self.lines.count("Nodes wake each other again.") == 2)
        await self.until(lambda: ("a", None) in self.heard and ("b", None) in self.heard)
        # What is sent first may be that all rooms have to be looked at.
        a.relay.send(RoomTyping(1, 2, "Ann"))
        await self.until(lambda: bool(self.relayed))
        a.notify({7: 4})
        await self.until(lambda: ("b", {7: 4}) in self.heard)

    async def test_it_connects_again_when_the_server_was_killed(self) -> None:  # H24
        a, b = await self.both()
        self.server.kill()
        await self.until(lambda: len(self.lines) == 2)
        a.notify({7: 3})
        self.server.start()
        await self.hears_again(a)
        self.assertNotIn(("b", {7: 3}), self.heard)  # all rooms are looked at
        self.assertEqual(len(self.lines), 4)

    async def test_a_late_error_of_a_connection_does_not_end_the_next(self) -> None:
        clients: list[Any] = []
        made = nats_link._Connection

        def noted(*args: Any) -> Any:
            clients.append(made(*args))
            return clients[-1]

        self.patch(nats_link, "_Connection", noted)
        a, b = await self.both()
        for bus in (a, b):
            bus.join("next")
        await self.until(lambda: {("a", None), ("b", None)} <= set(self.heard))
        late = clients[0].fail(OSError("late"))
        asyncio.run_coroutine_threadsafe(late, a._link._loop).result()
        a.relay.send(RoomTyping(1, 2, "Ann"))
        await self.until(lambda: bool(self.relayed))
        self.assertEqual(self.lines, [])

    async def test_it_goes_on_at_the_next_server(self) -> None:
        second = NatsServer()
        self.addCleanup(second.close)
        second.start()
        self.open("a", f"{self.server.url},{second.url}")
        await self.until(lambda: ("a", None) in self.heard)
        self.server.kill()
        await self.until(lambda: len(self.lines) == 2)
        self.assertEqual(self.lines[1], "Nodes wake each other again.")
        b = self.open("b", second.url)
        await self.until(lambda: ("b", None) in self.heard)
        b.notify({7: 3})
        await self.until(lambda: ("a", {7: 3}) in self.heard)

    async def test_it_notices_that_the_server_does_not_answer(self) -> None:  # H25
        self.patch(nats_link, "ASK_S", 0.2)
        self.patch(nats_link, "ANSWER_S", 5.0)  # one may be waited for already when it stops
        a, b = await self.both()
        self.server.send_signal(signal.SIGSTOP)
        impatient = [self.patch(nats_link, name, 0.5) for name in ("ANSWER_S", "CONNECT_S")]
        rows = carried({1: [said(1, "x" * 10_000)]})
        for _ in range(2_000):  # more than the kernel takes
            a.notify(rows.heads, carried_rows._encode(rows))
        await self.until(lambda: len(self.lines) == 2)
        for each in impatient:
            each.restore()
        self.server.send_signal(signal.SIGCONT)
        await self.hears_again(a)

    async def test_it_starts_without_the_server(self) -> None:  # H24
        self.server.kill()
        a = self.open("a")
        self.open("b")
        await self.until(lambda: len(self.lines) == 2)
        for line in self.lines:
            self.assertRegex(line, "Nodes don't wake each other: .*(refused|failed)")
        self.server.start()
        await self.hears_again(a)

    async def test_it_stops_without_the_server(self) -> None:
        self.patch(nats_link, "RETRY_S", 1000)
        self.patch(nats_link, "STOP_S", 0.01)
        a, b = await self.both()
        self.server.kill()
        await self.until(lambda: len(self.lines) == 2)
        await gatherResults([a.stop(), b.stop()])

    async def test_it_stops_while_the_server_does_not_answer(self) -> None:
        for name in ("ANSWER_S", "CONNECT_S"):
            self.patch(nats_link, name, 1000)
        self.patch(nats_link, "STOP_S", 0.01)
        a, b = await self.both()
        self.server.send_signal(signal.SIGSTOP)
        c = self.open("c")
        await gatherResults([a.stop(), b.stop(), c.stop()])


class NatsLoginTests(NatsCase):
    """A server that wants a password."""

    options = ("--user", "ann", "--pass", "s3/cret")

    def place(self, login: str, scheme: str = "nats") -> str:
        return f"{scheme}://{login}@127.0.0.1:{self.server.port}"

    async def test_a_password_is_sent(self) -> None:
        self.open("a", self.place("ann:s3%2Fcret"))
        await self.until(lambda: self.heard == [("a", None)])
        self.assertEqual(self.lines, [])

    async def test_a_wrong_one_is_not_in_the_log(self) -> None:
        for tries in range(1, 6):  # the connection is reset at some of them
            bus = self.open("a", self.place("ann:wr0ng"))
            await self.until(lambda tries=tries: len(self.lines) == tries)
            await bus.stop()
            self.assertRegex(self.lines[-1], "Authorization Violation")
        self.assertNotIn("wr0ng", str(self.lines))
        self.assertEqual(self.heard, [])

    async def test_no_password_is_sent_without_tls_if_that_is_asked_for(self) -> None:
        self.open("a", self.place("ann:s3%2Fcret", "tls"))
        await self.until(lambda: bool(self.lines))
        self.assertRegex(self.lines[0], "does not ask for TLS")
        self.assertEqual(self.heard, [])


class NatsTokenTests(NatsCase):
    options = ("--auth", "t0ken")

    async def test_a_token_is_sent(self) -> None:
        self.open("a", f"nats://t0ken@127.0.0.1:{self.server.port}")
        await self.until(lambda: self.heard == [("a", None)])


class NatsTlsTests(NatsCase):
    """A server with a certificate that the environment may trust."""

    def setUp(self) -> None:
        self.certificate = self.mktemp()
        make_certificate(Path(self.certificate))
        path = str(Path(self.certificate).absolute())
        self.options = ("--tls", "--tlscert", path, "--tlskey", path)
        super().setUp()

    async def test_a_certificate_is_checked(self) -> None:
        address = f"localhost:{self.server.port}"
        self.open("a", f"nats://{address}")
        await self.until(lambda: bool(self.lines))
        self.assertRegex(self.lines[0], "certificate verify failed")
        os.putenv("SSL_CERT_FILE", self.certificate)
        self.addCleanup(os.unsetenv, "SSL_CERT_FILE")
        self.open("b", f"tls://{address}")
        await self.until(lambda: {("a", None), ("b", None)} <= set(self.heard))


class NatsClientCertificateTests(NatsCase):
    """A server that wants a certificate of its clients."""

    def setUp(self) -> None:
        self.certificate = self.mktemp()
        make_certificate(Path(self.certificate))
        path = str(Path(self.certificate).absolute())
        self.options = ("--tlsverify", "--tlscert", path, "--tlskey", path, "--tlscacert", path)
        super().setUp()

    async def test_a_certificate_is_shown(self) -> None:
        address = f"tls://localhost:{self.server.port}"
        os.putenv("SSL_CERT_FILE", self.certificate)
        self.addCleanup(os.unsetenv, "SSL_CERT_FILE")
        self.open("without", address)
        await self.until(lambda: bool(self.lines))
        self.open("with", address, tls=_client_context(self.certificate))
        await self.until(lambda: ("with", None) in self.heard)
        self.assertNotIn(("without", None), self.heard)

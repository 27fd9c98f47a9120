"""One connection: its handshake, bad frames, time, floods, and how it ends."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.protocols.base.http_access import Origins, Proxies
from gtchat.protocols.websocket.context import MESSAGE_TIMEOUT_S, OPENING_TIMEOUT_S
from gtchat.protocols.websocket.frames import text_frame
from gtchat.protocols.websocket.opening import HANDSHAKE_BYTES
from tests.protocols.websocket.fakes import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    FakeSocket,
    TestFactory,
    frame,
    handshake,
)


class Handshake(SynchronousTestCase):
    """Who gets in."""

    def test_origins(self) -> None:
        house = TestFactory(origins=Origins(("https://named.example",), frozenset({8080})))
        page = TestFactory(origins=Origins(file_page=True))
        for where, origin, status in (
            (house, "http://evil.example", 403),  # A01
            (house, "null", 403),  # A02
            (house, "file://", 403),
            (page, "null", 101),
            (house, "http://chat.example.evil:8080", 403),  # A03
            (house, "http://evilchat.example:8080", 403),
            (house, "http://chat.example:8081", 403),
            (house, "https://chat.example@evil.example", 403),
            (house, "", 101),  # A04
            (house, "http://chat.example:8080", 101),
            (house, "http://chat.example:9000", 101),
            (house, "https://named.example", 101),
        ):
            wire = where.connect()
            wire.receive(handshake(Origin=origin))
            self.assertEqual((origin, wire.status()), (origin, status))

    def test_two_origins(self) -> None:  # A05
        wire = TestFactory().connect()
        request = handshake(Origin="http://chat.example:9000")
        wire.receive(request.replace(b"\r\n\r\n", b"\r\nOrigin: http://evil.example\r\n\r\n"))
        self.assertEqual(wire.status(), 400)

    def test_what_is_no_handshake(self) -> None:  # A27
        for request, status in (
            (handshake(Sec_WebSocket_Key=""), 400),  # A08
            (handshake(Sec_WebSocket_Key="short"), 400),
            (handshake(Sec_WebSocket_Version="12"), 426),
            (handshake(path="/other"), 404),
            (handshake().replace(b"GET", b"POST"), 405),
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
            (handshake(X="a\0b"), 400),
        ):
            wire = TestFactory().connect()
            wire.receive(request)
            self.assertEqual(wire.status(), status, request)
            wire.house.clock.advance(1)
            self.assertTrue(wire.transport.disconnecting)

    def test_the_version_that_we_speak_is_named(self) -> None:  # A08
        wire = TestFactory().connect()
        wire.receive(handshake(Sec_WebSocket_Version="12"))
        self.assertIn(b"Sec-WebSocket-Version: 13\r\n", wire.transport.written)

    def test_subprotocols(self) -> None:  # A09
        for offered, chosen in (("gtchat.v1", True), ("other, gtchat.v1", True), ("other", False)):
            wire = TestFactory().connect()
            wire.receive(handshake(Sec_WebSocket_Protocol=offered))
            self.assertEqual(wire.status(), 101)
            answer = b"Sec-WebSocket-Protocol: gtchat.v1\r\n" in wire.transport.written
            self.assertEqual(answer, chosen)

    def test_no_extension_is_accepted(self) -> None:  # B13, B14
        for name in ("deflate", "brotli", "bzip2", "snappy"):
            wire = TestFactory().connect()
            wire.receive(handshake(Sec_WebSocket_Extensions=f"permessage-{name}"))
            self.assertEqual(wire.status(), 101)
            self.assertNotIn(b"Extensions", wire.transport.written)

    def test_one_that_drips(self) -> None:  # A10
        wire = TestFactory().connect()
        for number in range(int(OPENING_TIMEOUT_S / 0.4)):
            wire.receive(handshake()[number : number + 1])
            wire.house.clock.advance(0.4)
        wire.house.clock.advance(0.5)
        self.assertTrue(wire.transport.aborted)

    def test_one_that_says_nothing(self) -> None:  # A11
        wire = TestFactory().connect()
        wire.house.clock.pump([1.0] * int(OPENING_TIMEOUT_S + 1))
        self.assertTrue(wire.transport.aborted)

    def test_one_that_never_ends(self) -> None:  # A12
        wire = TestFactory().connect()
        taken = 0
        while not wire.transport.written:
            wire.receive(b"X: " + b"y" * 1000 + b"\r\n")
            taken += 1005
        self.assertEqual(wire.status(), 431)
        self.assertLess(taken, HANDSHAKE_BYTES + 2_000)
        wire.receive(b"y" * 100_000)
        self.assertEqual(wire.protocol.data, b"")

    def test_frames_behind_the_handshake_are_taken(self) -> None:
        wire = TestFactory().connect()
        wire.receive(handshake() + frame(b"early"))
        self.assertEqual(wire.api.heard, [b"early"])

    def test_too_many_of_one_address(self) -> None:
        house = TestFactory(Limits(connections_per_address=2))
        first, _ = house.open(), house.open()
        self.assertEqual(house.connect().status(), 503)
        house.open("192.0.2.2")
        first.lose()
        house.open()

    def test_addresses_behind_a_proxy(self) -> None:  # N11
        proxies = Proxies.named(["192.0.2.0/24"])
        for peer, forwarded, address in (
            ("192.0.2.1", "203.0.113.5", "203.0.113.5"),
            ("192.0.2.1", "6.6.6.6, 203.0.113.5, 192.0.2.7", "203.0.113.5"),
            ("192.0.2.1", "nonsense", "192.0.2.1"),
            ("198.51.100.1", "203.0.113.5", "198.51.100.1"),
        ):
            wire = TestFactory(proxies=proxies).connect(peer)
            wire.receive(handshake(X_Forwarded_For=forwarded))
            self.assertEqual(wire.protocol.address, address)


class BadFrames(SynchronousTestCase):
    """What closes a connection, and with which code."""

    def test_codes(self) -> None:
        for name, data, code in (
            ("B02 reserved bit", frame(b"x", rsv=1), 1002),
            ("B02 reserved opcode", frame(b"x", 3), 1002),
            ("B02 unmasked", frame(b"x", masked=False), 1002),
            ("B03 fragmented ping", frame(b"x", PING, final=False), 1002),
            ("B03 large ping", frame(b"x" * 126, PING), 1002),
            ("B04 continuation of nothing", frame(b"x", 0), 1002),
            ("B04 text inside a text", frame(b"x", final=False) + frame(b"y"), 1002),
            ("B05 not UTF-8", frame(b"\xff"), 1007),
            ("B05 split in a character", frame(b"\xc3", final=False) + frame(b"(", 0), 1007),
            ("B05 overlong", frame(b"\xc0\xaf"), 1007),
            ("B05 surrogate", frame(b"\xed\xa0\x80"), 1007),
            ("B06 binary", frame(b"x", BINARY), 1003),
            ("B07 one too many", frame(b"x" * 65_537), 1009),
            ("B08 huge length", frame(b"", length=2**63 - 1), 1009),
            ("B12 compressed", frame(b"x", rsv=4), 1002),
            ("B18 code 1005", frame(b"\x03\xed", CLOSE), 1002),
            ("B18 code 999", frame(b"\x03\xe7", CLOSE), 1002),
            ("B18 code 5000", frame(b"\x13\x88", CLOSE), 1002),
            ("B18 one byte", frame(b"\x03", CLOSE), 1002),
            ("B18 reason", frame(b"\x03\xe8\xff", CLOSE), 1007),
        ):
            wire = TestFactory().open()
            wire.receive(data)
            self.assertEqual((name, wire.close_code()), (name, code))
            self.assertEqual(wire.api.heard, [])

    def test_the_largest_message_is_taken(self) -> None:  # B07
        wire = TestFactory().open()
        wire.receive(frame(b"x" * 65_536))
        self.assertEqual(len(wire.api.heard[0]), 65_536)

    def test_invalid_utf_8_is_noticed_before_the_message_ends(self) -> None:  # B05
        wire = TestFactory().open()
        wire.receive(frame(b"good, then \xff", final=False))
        self.assertEqual(wire.close_code(), 1007)

    def test_nothing_is_set_aside_for_what_a_header_declares(self) -> None:  # B08
        wire = TestFactory().open()
        wire.receive(frame(b"", length=60_000)[:8])
        self.assertLess(sum(len(v) for v in vars(wire.protocol).values() if type(v) is bytes), 100)

    def test_a_hundred_thousand_fragments(self) -> None:  # B09
        wire = TestFactory().open()
        wire.receive(frame(b"x", final=False))
        sent = 0
        while wire.close_code() is None and sent < 100_000:
            wire.receive(frame(b"", 0, final=False) * 500)
            sent += 500
        self.assertEqual(wire.close_code(), 1009)
        self.assertLess(sent, 10_000)

    def test_a_message_that_never_ends(self) -> None:  # B10
        wire = TestFactory(Limits(ping_interval=0, login_timeout=100)).open()
        wire.receive(frame(b"x", final=False))
        wire.house.clock.advance(MESSAGE_TIMEOUT_S)
        wire.house.clock.pump([10.0] * 10)
        self.assertIn(wire.close_code(), (1008, 4003))

    def test_a_flood_of_pings(self) -> None:  # B15
        wire = TestFactory().open()
        for _ in range(10):
            wire.receive(frame(b"x", PING) * 100)
        self.assertEqual(wire.close_code(), 4009)
        pongs = [payload for opcode, payload in wire.frames() if opcode == PONG]
        self.assertLess(len(pongs), 300)

    def test_pongs_that_nobody_asked_for(self) -> None:  # B17
        wire = TestFactory().open()
        wire.receive(frame(b"surprise", PONG) + frame(b"text"))
        self.assertEqual(wire.api.heard, [b"text"])
        self.assertEqual(wire.frames(), [])

    def test_what_comes_behind_a_close_is_not_heard(self) -> None:  # B19
        wire = TestFactory().open()
        wire.receive(frame(b"\x03\xe8", CLOSE) + frame(b"late"))
        wire.receive(frame(b"later"))
        self.assertEqual(wire.api.heard, [])
        wire.house.clock.pump([1.0] * 6)
        self.assertTrue(wire.transport.disconnecting)

    def test_a_connection_that_breaks_in_a_frame(self) -> None:  # B20
        wire = TestFactory().open()
        wire.receive(frame(b"half a message")[:9])
        wire.lose()
        self.assertEqual((wire.api.heard, wire.api.lost), ([], False))
        self.assertEqual(self.flushLoggedErrors(), [])


class Time(SynchronousTestCase):
    """Who is not there is found out."""

    def test_no_login(self) -> None:  # D15
        wire = TestFactory(Limits(login_timeout=60, ping_interval=0)).open()
        wire.house.clock.pump([1.0] * 61)
        self.assertEqual(wire.close_code(), 4003)

    def test_a_login_in_time(self) -> None:
        wire = TestFactory(Limits(login_timeout=60, ping_interval=0)).open()
        wire.api.logged_in = True
        wire.house.clock.pump([1.0] * 100)
        self.assertIsNone(wire.close_code())

    def test_a_peer_that_does_not_answer_pings(self) -> None:  # B16
        wire = TestFactory(Limits(login_timeout=0)).open()
        wire.house.clock.pump([1.0] * 21)
        self.assertEqual([opcode for opcode, _ in wire.frames()], [PING])
        wire.house.clock.pump([1.0] * 20)
        self.assertTrue(wire.transport.aborted)

    def test_a_peer_that_answers(self) -> None:
        wire = TestFactory(Limits(login_timeout=0)).open()
        for _ in range(10):
            wire.house.clock.pump([1.0] * 21)
            wire.receive(frame(b"", PONG))
        self.assertFalse(wire.transport.disconnecting)

    def test_nothing_is_left_when_all_are_gone(self) -> None:  # G15
        house = TestFactory()
        for wire in [house.open() for _ in range(5)]:
            wire.lose()
        self.assertEqual(house.clock.getDelayedCalls(), [])
        self.assertEqual(house.factory.context.connections, set())


class Ends(SynchronousTestCase):
    """Whose intention an end was, and what a bug does."""

    def end(self, *data: bytes) -> FakeSocket:
        wire = TestFactory().open()
        for piece in data:
            wire.receive(piece)
        wire.lose()
        return wire

    def test_clean_is_what_the_client_wanted(self) -> None:
        for body, clean in ((b"\x03\xe8", True), (b"", True), (b"\x03\xe9", False)):
            self.assertIs(self.end(frame(body, CLOSE)).api.lost, clean)
        self.assertIs(self.end().api.lost, False)

    def test_a_session_ends_with_the_close_and_not_with_the_tcp_connection(self) -> None:
        theirs, ours = TestFactory().open(), TestFactory().open()
        theirs.receive(frame(b"\x03\xe8", CLOSE))
        ours.protocol.close(4008, "too slow")
        self.assertEqual((theirs.api.lost, ours.api.lost), (True, False))

    def test_a_close_that_was_ours_is_not(self) -> None:
        wire = TestFactory().open()
        wire.protocol.close(4001, "elsewhere")
        self.assertEqual(wire.close_code(), 4001)
        wire.receive(frame(b"\x0f\xa1", CLOSE))
        wire.lose()
        self.assertIs(wire.api.lost, False)

    def test_a_bug_closes_its_connection_only(self) -> None:
        house = TestFactory()
        wire, other = house.open(), house.open()
        wire.receive(frame(b"fail"))
        other.receive(frame(b"fine"))
        self.assertEqual(wire.close_code(), 1011)
        self.assertEqual((other.close_code(), other.api.heard), (None, [b"fine"]))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_slow_reader_is_closed_and_the_others_go_on(self) -> None:
        house = TestFactory(Limits(outbox_bytes=10_000))
        slow, other = house.open(), house.open()
        slow.transport.producer.pauseProducing()
        for _ in range(20):
            house.turn.write_all(
                [slow.protocol.outbox, other.protocol.outbox], text_frame(b"x" * 1000)
            )
            house.run_pending()
        self.assertEqual(slow.close_code(), 4008)
        self.assertEqual(len(other.frames()), 20)

    def test_all_are_gone_when_the_last_session_has_ended(self) -> None:
        house = TestFactory()
        wire = house.open()
        ended: list[bool | None] = []
        gone = house.factory.close_all(1012, "server restarting", 2.0)
        gone.addCallback(lambda _: ended.append(wire.api.lost))
        wire.lose()
        self.assertEqual(ended, [False])

    def test_all_are_closed_at_the_end(self) -> None:
        house = TestFactory()
        wires = [house.open() for _ in range(3)]
        gone = house.factory.close_all(1012, "server restarting", 2.0)
        self.assertEqual([wire.close_code() for wire in wires], [1012] * 3)
        self.assertEqual(house.connect().status(), 503)
        wires[0].lose()
        house.clock.advance(2.0)
        self.assertEqual([wire.transport.aborted for wire in wires], [False, True, True])
        for connection in list(house.factory.context.connections):
            connection.connectionLost()
        self.successResultOf(gone)


class Turns(SynchronousTestCase):
    def test_many_frames_of_one_read_are_taken_over_several_turns(self) -> None:
        wire = TestFactory().open()
        wire.protocol.dataReceived(frame(b"x") * 1000)
        self.assertLess(len(wire.api.heard), 100)
        self.assertFalse(wire.transport.reading)
        wire.house.run_pending()
        self.assertEqual(len(wire.api.heard), 1000)
        self.assertTrue(wire.transport.reading)

    def test_a_pause_holds_what_was_read(self) -> None:
        wire = TestFactory().open()
        wire.protocol.pause()
        wire.receive(frame(b"a"))
        self.assertEqual(wire.api.heard, [])
        wire.protocol.resume()
        wire.house.run_pending()
        self.assertEqual(wire.api.heard, [b"a"])

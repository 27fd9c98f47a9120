"""One connection: opening handshake, invalid frames, timeouts, floods, closing."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import Banned
from gtchat.chat.limits import Limits
from gtchat.protocols.base.http_access import Hosts, Origins, Proxies
from gtchat.protocols.websocket import context
from gtchat.protocols.websocket.context import END_TIMEOUT_S, OPENING_TIMEOUT_S
from gtchat.protocols.websocket.frames import text_frame
from gtchat.protocols.websocket.opening import HANDSHAKE_BYTES
from tests.protocols.websocket.fakes import (
    BINARY,
    CLOSE,
    KEY,
    PING,
    PONG,
    TEXT,
    FakeSocket,
    TestFactory,
    frame,
    handshake,
)


class Handshake(SynchronousTestCase):
    """Which opening handshakes are accepted (RFC 6455 section 4.2)."""

    def test_only_allowed_origins_may_connect(self) -> None:
        factory = TestFactory(origins=Origins(("https://named.example",), frozenset({8080})))
        page = TestFactory(origins=Origins(file_page=True))
        for where, origin, status in (
            (factory, "http://evil.example", 403),  # A01
            (factory, "null", 403),  # A02
            (factory, "file://", 403),
            (page, "null", 101),
            (factory, "http://chat.example.evil:8080", 403),  # A03
            (factory, "http://evilchat.example:8080", 403),
            (factory, "http://chat.example:8081", 403),
            (factory, "https://chat.example@evil.example", 403),
            (factory, "", 101),  # A04
            (factory, "http://chat.example:8080", 101),
            (factory, "http://chat.example:9000", 101),
            (factory, "https://named.example", 101),
        ):
            socket = where.connect()
            socket.receive(handshake(Origin=origin))
            self.assertEqual((origin, socket.status()), (origin, status))

    def test_a_banned_address_is_told_when_the_connection_is_open(self) -> None:
        factory = TestFactory(proxies=Proxies.named(["192.0.2.0/24"]))
        bans = {"198.51.100.7": Banned("You are banned.")}
        factory.factory.context.refusal = bans.get
        for address, code in (("198.51.100.7", 4002), ("198.51.100.8", None)):
            socket = factory.connect()
            socket.receive(handshake(X_Forwarded_For=address))
            self.assertEqual((socket.status(), len(factory.apis)), (101, int(code is None)))
            socket.transport.written = socket.transport.written.partition(b"\r\n\r\n")[2]
            self.assertEqual(socket.close_code(), code)
            if code:
                self.assertEqual(socket.close_reason(), "banned: You are banned.")

    def test_two_origin_headers_are_refused(self) -> None:  # A05
        socket = TestFactory().connect()
        request = handshake(Origin="http://chat.example:9000")
        socket.receive(request.replace(b"\r\n\r\n", b"\r\nOrigin: http://evil.example\r\n\r\n"))
        self.assertEqual(socket.status(), 400)

    def test_invalid_requests_get_an_http_error_and_a_close(self) -> None:  # A27
        odd_lines = (
            b"\r\nX: a\r\n Y: b",
            b"\r\n\tY: b",
            b"\r\nX : a",
            b"\r\nX\xa0: a",
            b"\r\nX",
            b"\r\n:",
        )
        for request, status in (
            (handshake(Sec_WebSocket_Key=""), 400),  # A08
            (handshake(Sec_WebSocket_Key="short"), 400),
            (handshake(Sec_WebSocket_Version="12"), 426),
            (handshake(path="/other"), 404),
            (handshake().replace(b"GET", b"POST"), 405),
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
            (handshake(X="a\0b"), 400),
            *((handshake().replace(b"\r\nHost", line + b"\r\nHost"), 400) for line in odd_lines),
        ):
            socket = TestFactory().connect()
            socket.receive(request)
            self.assertEqual(socket.status(), status, request)
            socket.factory.clock.advance(1)
            self.assertTrue(socket.transport.disconnecting)

    def test_unusual_forms_that_are_allowed_are_accepted(self) -> None:
        request, key = handshake(), b"Sec-WebSocket-Key: " + KEY
        extensions = (b"permessage-deflate", b'x-other; name="a, b"')
        for change, other in (
            (b"", b""),
            (b"Connection: Upgrade", b"CONNECTION: UPGRADE"),
            (b"Connection: Upgrade", b"connection:\t keep-alive , Upgrade,TE \t"),
            (b"Connection: Upgrade", b"Connection: keep-alive\r\nConnection: Upgrade"),
            (b"Upgrade: websocket", b"Upgrade: h2c, WebSocket"),
            (b"Upgrade: websocket", b"Upgrade: h2c\r\nupgrade: websocket"),
            (key, key.replace(b": ", b":")),
            (
                key,
                b"\r\n".join((key, *(b"Sec-WebSocket-Extensions: " + one for one in extensions))),
            ),
            (key, key + b"\r\nSec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: gtchat.v1"),
            (b"GET / ", b"GET ws://chat.example:9000/ws?a=b "),
        ):
            self.assertIn(change, request)
            socket = TestFactory().connect()
            socket.receive(request.replace(change, other, 1) + frame(b"{}"))
            self.assertEqual(socket.status(), 101, other)
            self.assertNotIn(b"Extensions", socket.transport.written)
            self.assertEqual(b"gtchat.v1" in socket.transport.written, b"gtchat.v1" in other)
            self.assertEqual(socket.factory.apis[0].received, [b"{}"], other)

    def test_a_client_of_another_version_is_told_the_supported_one(self) -> None:  # A08
        socket = TestFactory().connect()
        socket.receive(handshake(Sec_WebSocket_Version="12"))
        self.assertIn(b"Sec-WebSocket-Version: 13\r\n", socket.transport.written)

    def test_the_subprotocol_is_chosen_if_it_is_offered(self) -> None:  # A09
        for offered, chosen in (("gtchat.v1", True), ("other, gtchat.v1", True), ("other", False)):
            socket = TestFactory().connect()
            socket.receive(handshake(Sec_WebSocket_Protocol=offered))
            self.assertEqual(socket.status(), 101)
            answer = b"Sec-WebSocket-Protocol: gtchat.v1\r\n" in socket.transport.written
            self.assertEqual(answer, chosen)

    def test_no_extension_is_accepted(self) -> None:  # B13, B14
        for name in ("deflate", "brotli", "bzip2", "snappy"):
            socket = TestFactory().connect()
            socket.receive(handshake(Sec_WebSocket_Extensions=f"permessage-{name}"))
            self.assertEqual(socket.status(), 101)
            self.assertNotIn(b"Extensions", socket.transport.written)

    def test_a_handshake_that_arrives_byte_by_byte_is_aborted_in_time(self) -> None:  # A10
        socket = TestFactory().connect()
        for number in range(int(OPENING_TIMEOUT_S / 0.4)):
            socket.receive(handshake()[number : number + 1])
            socket.factory.clock.advance(0.4)
        socket.factory.clock.advance(0.5)
        self.assertTrue(socket.transport.aborted)

    def test_a_connection_that_sends_nothing_is_aborted_in_time(self) -> None:  # A11
        socket = TestFactory().connect()
        socket.factory.clock.pump([1.0] * int(OPENING_TIMEOUT_S + 1))
        self.assertTrue(socket.transport.aborted)

    def test_an_endless_handshake_is_refused_at_the_maximum_size(self) -> None:  # A12
        socket = TestFactory().connect()
        taken = 0
        while not socket.transport.written:
            socket.receive(b"X: " + b"y" * 1000 + b"\r\n")
            taken += 1005
        self.assertEqual(socket.status(), 431)
        self.assertLess(taken, HANDSHAKE_BYTES + 2_000)
        socket.receive(b"y" * 100_000)
        self.assertEqual(socket.protocol.data, b"")

    def test_frames_behind_the_handshake_are_received(self) -> None:
        socket = TestFactory().connect()
        socket.receive(handshake() + frame(b"early"))
        self.assertEqual(socket.api.received, [b"early"])

    def test_connections_beyond_the_limit_of_an_address_are_refused(self) -> None:
        factory = TestFactory(Limits(connections_per_address=2))
        first, _ = factory.open(), factory.open()
        self.assertEqual(factory.connect().status(), 503)
        factory.open("192.0.2.2")
        first.lose()
        factory.open()

    def test_a_trusted_proxy_names_the_address_of_the_client(self) -> None:  # N11
        proxies = Proxies.named(["192.0.2.0/24"])
        for peer, forwarded, address in (
            ("192.0.2.1", "203.0.113.5", "203.0.113.5"),
            ("192.0.2.1", "6.6.6.6, 203.0.113.5, 192.0.2.7", "203.0.113.5"),
            ("192.0.2.1", "nonsense", "192.0.2.1"),
            ("198.51.100.1", "203.0.113.5", "198.51.100.1"),
        ):
            socket = TestFactory(proxies=proxies).connect(peer)
            socket.receive(handshake(X_Forwarded_For=forwarded))
            self.assertEqual(socket.protocol.address, address)
        socket = TestFactory(proxies=proxies).connect("192.0.2.1")
        socket.receive(handshake(Forwarded='for="[2001:db8::9]:4711"'))
        self.assertEqual(socket.protocol.address, "2001:db8::9")

    def test_no_byte_within_a_header_begins_another_one(self) -> None:
        proxies = Proxies.named(["192.0.2.1"])
        for end in map(chr, (*range(0x80, 0x100), 0x2028, 0x2029)):
            injected = f"x{end}X-Forwarded-For: 198.51.100.9"
            request = handshake(X_Forwarded_For="203.0.113.5", User_Agent=injected)
            for sent in (request, request.replace(end.encode(), end.encode("latin-1", "replace"))):
                socket = TestFactory(proxies=proxies).connect("192.0.2.1")
                socket.receive(sent[:40])
                socket.receive(sent[40:])
                self.assertEqual((socket.status(), socket.protocol.address), (101, "203.0.113.5"))

    def test_a_proxy_that_is_not_trusted_is_named_in_the_log(self) -> None:  # N13
        factory = TestFactory()
        for expected in (1, 0):
            with capturedLogs() as logs:
                factory.connect("198.51.100.1").receive(handshake(X_Forwarded_For="203.0.113.5"))
            lines = [str(formatEvent(event)) for event in logs]
            found = [line for line in lines if "add 198.51.100.1 to trusted_proxies" in line]
            self.assertEqual(len(found), expected, lines)

    def test_refusals_say_why_in_the_log(self) -> None:
        secret = "/?pwd=secret"
        for request, text in (
            (
                handshake(Origin="http://evil.example"),
                "403, the origin is neither that of the host nor in allowed_origins; "
                "host chat.example:9000, origin http://evil.example",
            ),
            (handshake(Host="bad\xff"), "421, the host is not in allowed_hosts; host bad"),
            (handshake(path="/other"), "404, no such path"),
            (handshake(Upgrade=""), "426, HTTP Upgrade header missing; host chat.example:9000"),
            (handshake(Sec_WebSocket_Version="12"), "426, WebSocket version 12 not supported"),
            (handshake(X="y" * HANDSHAKE_BYTES), "431, the request is too long; host none"),
            (b"GET /?pwd=secret\r\n\r\n", "400, Bad HTTP request status line"),
            (handshake(path=f"{secret}#{secret}"), "400, HTTP requested resource contains"),
            (handshake(path=secret, Sec_WebSocket_Key=""), "400, HTTP Sec-WebSocket-Key"),
        ):
            factory = TestFactory()
            factory.factory.hosts = Hosts(frozenset({"chat.example"}))
            with capturedLogs() as logs:
                factory.connect().receive(request)
            lines = [str(formatEvent(event)) for event in logs]
            self.assertEqual([text in line for line in lines], [True], (text, lines))
            self.assertNotIn("secret", lines[0])


class InvalidFrames(SynchronousTestCase):
    """Which frames close a connection, and with which code (RFC 6455 sections 5 and 7.4)."""

    def test_invalid_frames_are_closed_with_their_code(self) -> None:
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
            socket = TestFactory().open()
            socket.receive(data)
            self.assertEqual((name, socket.close_code()), (name, code))
            word = {1002: "protocol_error", 1003: "binary", 1007: "invalid_utf8", 1009: "too_big"}
            self.assertEqual((name, socket.close_word()), (name, word[code]))
            self.assertEqual(socket.api.received, [])

    def test_a_message_of_the_maximum_size_is_received(self) -> None:  # B07
        socket = TestFactory().open()
        socket.receive(frame(b"x" * 65_536))
        self.assertEqual(len(socket.api.received[0]), 65_536)

    def test_invalid_utf_8_is_closed_before_the_message_ends(self) -> None:  # B05
        socket = TestFactory().open()
        socket.receive(frame(b"good, then \xff", final=False))
        self.assertEqual(socket.close_code(), 1007)

    def test_a_declared_length_allocates_no_memory(self) -> None:  # B08
        socket = TestFactory().open()
        socket.receive(frame(b"", length=60_000)[:8])
        self.assertLess(
            sum(len(v) for v in vars(socket.protocol).values() if type(v) is bytes), 100
        )

    def test_endless_fragments_are_closed_with_1009(self) -> None:  # B09
        socket = TestFactory().open()
        socket.receive(frame(b"x", final=False))
        sent = 0
        while socket.close_code() is None and sent < 100_000:
            socket.receive(frame(b"", 0, final=False) * 500)
            sent += 500
        self.assertEqual((socket.close_code(), socket.close_word()), (1009, "too_big"))
        self.assertLess(sent, 10_000)

    def test_a_message_that_never_ends_is_closed(self) -> None:  # B10
        socket = TestFactory(Limits(ping_interval=10, ping_timeout=0, login_timeout=0)).open()
        socket.receive(frame(b"x", final=False))
        socket.factory.clock.pump([10.0] * 4)
        self.assertEqual((socket.close_code(), socket.close_word()), (4008, "slow_sender"))

    def test_a_flood_of_pings_is_closed_with_4009(self) -> None:  # B15
        socket = TestFactory().open()
        for _ in range(10):
            socket.receive(frame(b"x", PING) * 100)
        self.assertEqual((socket.close_code(), socket.close_reason()), (4009, "flood: wait 2 s"))
        pongs = [payload for opcode, payload in socket.frames() if opcode == PONG]
        self.assertLess(len(pongs), 300)

    def test_unsolicited_pongs_are_ignored(self) -> None:  # B17
        socket = TestFactory().open()
        socket.receive(frame(b"surprise", PONG) + frame(b"text"))
        self.assertEqual(socket.api.received, [b"text"])
        self.assertEqual(socket.frames(), [])

    def test_frames_behind_a_close_frame_are_ignored(self) -> None:  # B19
        socket = TestFactory().open()
        socket.receive(frame(b"\x03\xe8", CLOSE) + frame(b"late"))
        socket.receive(frame(b"later"))
        self.assertEqual(socket.api.received, [])
        socket.factory.clock.pump([1.0] * 6)
        self.assertTrue(socket.transport.disconnecting)

    def test_a_connection_lost_within_a_frame_is_no_error(self) -> None:  # B20
        socket = TestFactory().open()
        socket.receive(frame(b"half a message")[:9])
        socket.lose()
        self.assertEqual((socket.api.received, socket.api.clean), ([], False))
        self.assertEqual(self.flushLoggedErrors(), [])


class Timeouts(SynchronousTestCase):
    """Peers that do not log in or do not answer are disconnected (RFC 6455 section 5.5.2)."""

    def test_a_connection_without_login_is_closed_with_4003(self) -> None:  # D15
        socket = TestFactory(Limits(login_timeout=60, ping_interval=0)).open()
        socket.factory.clock.pump([1.0] * 61)
        self.assertEqual((socket.close_code(), socket.close_word()), (4003, "login_timeout"))

    def test_a_connection_with_login_stays_open(self) -> None:
        socket = TestFactory(Limits(login_timeout=60, ping_interval=0)).open()
        socket.api.logged_in = True
        socket.factory.clock.pump([1.0] * 100)
        self.assertIsNone(socket.close_code())

    def test_a_peer_that_answers_no_ping_is_aborted(self) -> None:  # B16
        socket = TestFactory(Limits(login_timeout=0)).open()
        socket.factory.clock.pump([1.0] * 21)
        self.assertEqual([opcode for opcode, _ in socket.frames()], [PING])
        socket.factory.clock.pump([1.0] * 20)
        self.assertTrue(socket.transport.aborted)

    def test_a_peer_that_answers_pings_stays_connected(self) -> None:
        socket = TestFactory(Limits(login_timeout=0)).open()
        for _ in range(10):
            socket.factory.clock.pump([1.0] * 21)
            socket.receive(frame(b"", PONG))
        self.assertFalse(socket.transport.disconnecting)

    def test_the_answer_to_a_ping_proves_what_was_sent_before_it(self) -> None:
        socket = TestFactory(Limits(login_timeout=0)).open()
        for _ in range(3):
            socket.transport.written = b""
            socket.factory.clock.pump([1.0] * 21)
            [(opcode, payload)] = socket.frames()
            self.assertEqual(opcode, PING)
            socket.receive(frame(payload, PONG) * 2)
        self.assertEqual(socket.api.proofs, ["ping", "pong"] * 3)

    def test_other_pongs_prove_nothing(self) -> None:
        socket = TestFactory(Limits(login_timeout=0)).open()
        socket.receive(frame(b"", PONG))
        socket.factory.clock.pump([1.0] * 21)
        [(_, payload)] = socket.frames()
        socket.receive(frame(b"keep me alive", PONG))
        socket.receive(frame(payload, PONG))
        self.assertEqual(socket.api.proofs, ["ping"])

    def test_a_second_ping_is_no_proof_while_the_first_is_unanswered(self) -> None:
        socket = TestFactory(Limits(login_timeout=0, ping_timeout=100)).open()
        socket.factory.clock.pump([1.0] * 41)
        first, second = [payload for _, payload in socket.frames()]
        self.assertNotEqual(first, second)
        socket.receive(frame(first, PONG) + frame(second, PONG))
        self.assertEqual(socket.api.proofs, ["ping", "pong"])

    def test_closed_connections_leave_nothing_behind(self) -> None:  # G15
        factory = TestFactory()
        for socket in [factory.open() for _ in range(5)]:
            socket.lose()
        self.assertEqual(factory.clock.getDelayedCalls(), [])
        self.assertEqual(factory.factory.context.connections, set())


class Closing(SynchronousTestCase):
    """How connections end (RFC 6455 section 7), and which of these ends are clean."""

    def end(self, *data: bytes) -> FakeSocket:
        socket = TestFactory().open()
        for piece in data:
            socket.receive(piece)
        socket.lose()
        return socket

    def test_a_close_by_the_client_with_1000_or_no_code_is_clean(self) -> None:
        """With 1001 too, which a page sends that is left, what was sent has arrived."""
        for body, clean, arrived in (
            (b"\x03\xe8", True, True),
            (b"", True, True),
            (b"\x03\xe9", False, True),
            (b"\x03\xea", False, False),
            (b"\x0f\xa0", False, False),
        ):
            api = self.end(frame(body, CLOSE)).api
            self.assertEqual((api.clean, api.arrived), (clean, arrived), body)
        api = self.end().api
        self.assertEqual((api.clean, api.arrived), (False, False))

    def test_a_session_ends_with_the_close_frame_not_with_tcp(self) -> None:
        theirs, ours = TestFactory().open(), TestFactory().open()
        theirs.receive(frame(b"\x03\xe8", CLOSE))
        ours.protocol.close(4008, "too slow")
        self.assertEqual((theirs.api.clean, ours.api.clean), (True, False))

    def test_a_close_frame_is_answered_when_the_end_is_stored(self) -> None:
        for ends in ("stored", "late", "closed here", "lost"):
            socket = TestFactory().open()
            socket.api.ended = Deferred()
            socket.protocol.outbox.write(text_frame(b"last"))
            socket.receive(frame(b"\x03\xe8", CLOSE) + frame(b"ignored"))
            self.assertEqual((socket.api.clean, socket.api.received), (True, []))
            self.assertEqual(socket.frames(), [(TEXT, b"last")])
            if ends == "late":
                socket.factory.clock.advance(END_TIMEOUT_S)
            elif ends == "closed here":
                socket.protocol.close(1012, "restart")
            elif ends == "lost":
                socket.lose()
            socket.api.ended.callback(None)
            code = {"closed here": 1012, "lost": None}.get(ends, 1000)
            self.assertEqual((ends, socket.close_code()), (ends, code))
            self.assertEqual((ends, socket.transport.disconnecting), (ends, ends != "lost"))
            self.assertFalse(socket.transport.aborted)

    def test_a_close_by_the_server_is_not_clean(self) -> None:
        socket = TestFactory().open()
        socket.protocol.close(4001, "elsewhere")
        self.assertEqual(socket.close_code(), 4001)
        socket.receive(frame(b"\x0f\xa1", CLOSE))
        socket.lose()
        self.assertEqual((socket.api.clean, socket.api.arrived), (False, False))

    def test_an_exception_in_the_api_closes_only_its_connection(self) -> None:
        factory = TestFactory()
        socket, other = factory.open(), factory.open()
        socket.receive(frame(b"fail"))
        other.receive(frame(b"fine"))
        self.assertEqual(socket.close_code(), 1011)
        self.assertEqual((other.close_code(), other.api.received), (None, [b"fine"]))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_slow_reader_is_closed_and_the_others_are_not_delayed(self) -> None:
        factory = TestFactory(Limits(outbox_bytes=10_000))
        slow, other = factory.open(), factory.open()
        slow.transport.producer.pauseProducing()
        for _ in range(20):
            factory.batcher.write_all(
                [slow.protocol.outbox, other.protocol.outbox], text_frame(b"x" * 1000)
            )
            factory.run_pending()
        self.assertEqual(slow.close_code(), 4008)
        self.assertEqual(len(other.frames()), 20)

    def test_close_all_fires_after_the_last_session_has_ended(self) -> None:
        factory = TestFactory()
        socket = factory.open()
        ended: list[bool | None] = []
        gone = factory.factory.close_all(1012, "server restarting", 2.0)
        gone.addCallback(lambda _: ended.append(socket.api.clean))
        socket.lose()
        self.assertEqual(ended, [False])

    def test_many_connections_are_closed_little_by_little(self) -> None:
        self.patch(context, "SLICE", 2)
        for count, closed in (
            (0, [0]),
            (2, [2]),
            (5, [2, 4, 5]),
            (70, [*range(4, 70, 4), 70]),  # within 2 s
        ):
            factory = TestFactory()
            sockets = [factory.open() for _ in range(count)]
            closing = factory.factory.close_gradually(1012, "server restarting", 2.0)
            done, found = Deferred.fromCoroutine(closing), []
            while len(found) < len(closed):
                found.append(sum(socket.close_code() == 1012 for socket in sockets))
                self.assertEqual(done.called, len(found) == len(closed))
                factory.clock.advance(context.SLICE_S)
            self.assertEqual(found, closed)

    def test_a_connection_that_is_gone_before_its_turn_is_left_alone(self) -> None:
        self.patch(context, "SLICE", 1)
        factory = TestFactory()
        sockets = [factory.open() for _ in range(3)]
        done = Deferred.fromCoroutine(factory.factory.close_gradually(1012, "restarting", 2.0))
        gone = next(socket for socket in sockets if socket.close_code() is None)
        gone.lose()
        factory.clock.advance(context.SLICE_S)
        factory.clock.advance(context.SLICE_S)
        self.successResultOf(done)
        self.assertEqual([socket.close_code() for socket in sockets].count(1012), 2)

    def test_close_all_closes_each_connection_and_aborts_those_left(self) -> None:
        factory = TestFactory()
        sockets = [factory.open() for _ in range(3)]
        gone = factory.factory.close_all(1012, "server restarting", 2.0)
        self.assertEqual([socket.close_code() for socket in sockets], [1012] * 3)
        self.assertEqual(factory.connect().status(), 503)
        sockets[0].lose()
        factory.clock.advance(2.0)
        self.assertEqual([socket.transport.aborted for socket in sockets], [False, True, True])
        for connection in list(factory.factory.context.connections):
            connection.connectionLost()
        self.successResultOf(gone)


class Reading(SynchronousTestCase):
    """Reading is spread over reactor iterations, and can be paused."""

    def test_frames_of_one_read_are_spread_over_several_iterations(self) -> None:
        socket = TestFactory().open()
        socket.protocol.dataReceived(frame(b"x") * 1000)
        self.assertLess(len(socket.api.received), 100)
        self.assertFalse(socket.transport.reading)
        socket.factory.run_pending()
        self.assertEqual(len(socket.api.received), 1000)
        self.assertTrue(socket.transport.reading)

    def test_a_paused_connection_keeps_what_was_read(self) -> None:
        socket = TestFactory().open()
        socket.protocol.pause()
        socket.receive(frame(b"a"))
        self.assertEqual(socket.api.received, [])
        socket.protocol.resume()
        socket.factory.run_pending()
        self.assertEqual(socket.api.received, [b"a"])

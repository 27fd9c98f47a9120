"""Message Center without sockets: frames, login, each request, what is pushed, rate, the end."""

from __future__ import annotations

import struct
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from gtchat.chat.errors import NotStored, RateLimited
from gtchat.chat.events import (
    AddressGranted,
    AddressRequested,
    BroadcastSent,
    LoggedIn,
    LoggedOut,
    MessageSent,
    PresenceChanged,
    UserTyping,
    WhisperSent,
)
from gtchat.chat.limits import Limits
from gtchat.protocols.base.command_queue import FLOOD_FACTOR, QUEUE_LIMIT
from gtchat.protocols.base.dialback_client import HEARTBEAT_CHECK, REFUSAL_PAUSE
from gtchat.protocols.message_center import (
    BLOCKED,
    MAX_FRAME,
    MAX_LOGIN_FRAME,
    OFFLINE,
    PORT_TIMEOUT,
    REPLACED,
    REQUEST_TIMEOUT,
    SOME_BLOCKED,
    UNKNOWN,
    MessageCenter,
    MessageCenterFactory,
    framed,
    render,
)
from tests.protocols.fakes import FakeConnection, TCPTestCase


def unframe(data: bytes) -> list[str]:
    """Return the bodies of frames."""
    bodies = []
    while data:
        size = struct.unpack_from("!I", data)[0]
        bodies.append(data[4 : 4 + size].decode())
        data = data[4 + size :]
    return bodies


class CenterTestCase(TCPTestCase):
    #: Ports that the server listens on.
    own_ports = (9000,)

    def setUp(self) -> None:
        super().setUp()
        self.center = MessageCenter(self.chat, self.reactor, lambda: self.own_ports)
        self.factory = MessageCenterFactory(self.center)
        self.register("ann", "bob", "eve")
        self.tokens: dict[str, str] = {}

    def connect(self, address: str = "192.0.2.7") -> FakeConnection:
        return FakeConnection(self.server, self.factory, address)

    def exchange(self, client: FakeConnection, *bodies: str) -> list[str]:
        """Send frames, one at a time; return the frames that come back."""
        for body in bodies:
            client.send(framed(body))
        return unframe(b"".join(client.received()))

    def log_in(self, name: str, port: int = 6067, address: str = "192.0.2.7") -> str:
        """Log in, and name a port; return the token."""
        client = self.connect(address)
        okay, token = self.exchange(client, "LIN", name, "password")
        self.assertEqual(okay, "LOGIN_OKAY")
        self.assertEqual(self.exchange(client, "elsewhere.example", str(port)), [])
        self.assertTrue(client.closed)
        self.tokens[name] = token
        return token

    def log_in_all(self, *names: str) -> None:
        """Log users in, each with a port of its own; what they are told of it is taken."""
        for index, name in enumerate(names):
            self.log_in(name, 6001 + index)
        self.pushed()

    def request(self, name: str, kind: str, rest: str = "") -> FakeConnection:
        """Send a request; return its connection."""
        client = self.connect()
        client.send(framed(f"{kind}|{name}|{self.tokens[name]}|{rest}"))
        return client

    def pushed(self) -> list[tuple[int, str]]:
        """Let clients take what is pushed to them; return ports and texts."""
        return [(port, text) for port, data in self.answer_calls() for text in unframe(data)]

    def online(self) -> list[str]:
        return list(self.chat.users.online.page(None, 99))


class Login(CenterTestCase):
    def test_a_login(self) -> None:
        client = self.connect()
        self.assertEqual(self.exchange(client, "LIN", "ann"), [])
        okay, token = self.exchange(client, "password")
        self.assertEqual(okay, "LOGIN_OKAY")
        self.assertRegex(token, "^[0-9a-f]{32}$")
        self.assertEqual(self.exchange(client, "localhost"), [])
        self.assertFalse(client.closed)
        self.assertEqual(self.exchange(client, "6067"), [])
        self.assertTrue(client.closed)
        self.assertEqual(self.reactor.tcpClients[0][:2], ("192.0.2.7", 6067))
        self.assertEqual(self.pushed(), [(6067, "ann has logged on.")])

    def test_everyone_online_learns_of_a_login(self) -> None:
        self.log_in_all("ann")
        self.log_in("bob", 6002)
        self.assertEqual(
            sorted(self.pushed()), [(6001, "bob has logged on."), (6002, "bob has logged on.")]
        )

    def test_wrong_passwords(self) -> None:
        client = self.connect()
        self.assertEqual(self.exchange(client, "LIN", "ann", "wrong"), ["LOGIN_FAILED|2"])
        self.assertEqual(self.exchange(client, "ann", "wrong"), ["LOGIN_FAILED|1"])
        self.assertEqual(self.exchange(client, "ann", "wrong"), ["JUST_PENNED|60.0"])
        self.reactor.advance(15)
        self.assertEqual(self.exchange(client, "ann", "password"), ["PENNED|45.0"])
        self.assertEqual(self.exchange(client, "ghost", "password"), ["LOGIN_FAILED|2"])
        okay, _ = self.exchange(client, "bob", "password")
        self.assertEqual(okay, "LOGIN_OKAY")

    def test_a_lock_out_ends(self) -> None:
        client = self.connect()
        self.exchange(client, "LIN", *["ann", "wrong"] * 3)
        client.drop()
        self.reactor.advance(61)
        self.log_in("ann")

    def test_a_login_that_can_not_be_stored_is_refused(self) -> None:
        client = self.connect()
        with patch.object(self.chat.sessions, "login", side_effect=NotStored()):
            self.assertEqual(self.exchange(client, "LIN", "ann", "password"), ["PENNED|60.0"])
        self.assertEqual(self.online(), [])

    def test_frames_of_a_login_may_come_together(self) -> None:
        client = self.connect()
        bodies = ("LIN", "ann", "wrong", "ann", "password", "host", "6067")
        client.send(b"".join(map(framed, bodies)))
        answers = unframe(b"".join(client.received()))
        self.assertEqual(answers[:2], ["LOGIN_FAILED|2", "LOGIN_OKAY"])
        self.assertTrue(client.closed)
        self.assertEqual(self.pushed(), [(6067, "ann has logged on.")])

    @given(st.lists(st.integers(1, 60), max_size=8))
    def test_frames_may_be_split_anywhere(self, cuts: list[int]) -> None:
        self.setUp()
        client = self.connect()
        data = b"".join(map(framed, ("LIN", "ann", "password", "host", "6067")))
        edges = [0, *sorted({cut for cut in cuts if cut < len(data)}), len(data)]
        for start, end in zip(edges, edges[1:], strict=False):
            client.send(data[start:end])
        self.assertEqual(unframe(b"".join(client.received()))[0], "LOGIN_OKAY")
        self.assertEqual(self.pushed(), [(6067, "ann has logged on.")])

    def test_a_connection_lost_during_the_login_leaves_no_session(self) -> None:
        client = self.connect()
        self.exchange(client, "LIN", "ann")
        client.write(framed("password"))
        client.transport.lose()
        self.server.run_pending()
        self.assertEqual((self.online(), client.received()), ([], []))

    def test_a_session_that_begins_for_a_lost_connection_is_given_up(self) -> None:
        log_in, held = self.chat.sessions.login, Deferred[None]()

        async def hold(*args: Any) -> Any:
            session = await log_in(*args)
            await held
            return session

        client = self.connect()
        with patch.object(self.chat.sessions, "login", hold):
            self.exchange(client, "LIN", "ann", "password")
            client.drop()
            held.callback(None)
            self.server.run_pending()
        self.assertEqual((self.online(), client.received()), ([], []))

    def test_a_connection_lost_before_the_port_is_named_ends_the_session(self) -> None:
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password", "host")
        self.assertEqual(self.online(), ["ann"])
        client.drop()
        self.assertEqual((self.online(), self.center.by_key), ([], {}))

    def test_a_login_without_a_port_is_given_up(self) -> None:
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password")
        self.reactor.advance(PORT_TIMEOUT)
        self.server.run_pending()
        self.assertTrue(client.transport.aborted)
        self.assertEqual(self.online(), [])

    def test_a_client_that_does_not_read_its_answers_is_closed(self) -> None:
        client = self.connect()
        client.transport.reads = False
        self.exchange(client, "LIN", "ann", "password", "host", "6067")
        self.assertFalse(client.closed)
        self.reactor.advance(PORT_TIMEOUT)
        self.server.run_pending()
        self.assertTrue(client.closed)

    def test_a_login_takes_no_longer_than_the_limit(self) -> None:
        client = self.connect()
        self.exchange(client, "LIN")
        self.reactor.advance(self.chat.limits.login_timeout - 1)
        self.assertFalse(client.closed)
        self.reactor.advance(1)
        self.server.run_pending()
        self.assertTrue(client.closed)

    def test_a_connection_that_sends_nothing_is_aborted(self) -> None:
        client = self.connect()
        self.reactor.advance(REQUEST_TIMEOUT)
        self.server.run_pending()
        self.assertTrue(client.closed)

    def test_ports_that_are_not_called(self) -> None:
        for port in ("22", "65536", "nonsense", "-6067", "9" * 4000, "9000", "\u0661\u0660"):
            client = self.connect()
            self.exchange(client, "LIN", "ann", "password", "host", port)
            self.assertEqual((port, client.closed, self.online()), (port, True, []))
        self.assertEqual(self.reactor.tcpClients, [])

    def test_a_second_login_replaces_the_first(self) -> None:
        old = self.log_in("ann", 6001)
        self.pushed()
        self.log_in("ann", 6002)
        self.assertEqual(self.pushed(), [(6001, REPLACED), (6002, "ann has logged on.")])
        for kind, answer in (("GET", [framed("FAIL")]), ("ONL", [])):
            client = self.connect()
            client.send(framed(f"{kind}|ann|{old}|bob"))
            self.assertEqual((client.received(), client.closed), (answer, True))
        self.assertEqual(self.pushed(), [])

    def test_a_session_replaced_before_its_port_is_named_is_not_called(self) -> None:
        first = self.connect()
        self.exchange(first, "LIN", "ann", "password", "host")
        self.log_in("ann", 6002)
        self.exchange(first, "6001")
        self.assertTrue(first.closed)
        self.assertEqual(self.pushed(), [(6002, "ann has logged on.")])

    def test_a_session_replaced_while_its_messages_are_read_is_not_called(self) -> None:
        held: Deferred[None] = Deferred()

        async def hold(session: object) -> None:
            await held

        with patch.object(self.chat.whispers, "deliver_pending", hold):
            self.log_in("ann", 6001)
        self.log_in_web("ann")
        held.callback(None)
        self.server.run_pending()
        self.assertEqual(self.pushed(), [])
        self.assertEqual(self.center.clients, set())

    def test_messages_that_can_not_be_read_end_the_login(self) -> None:
        with patch.object(self.chat.whispers, "deliver_pending", side_effect=NotStored()):
            self.log_in("ann")
        self.assertEqual((self.online(), self.center.by_key), ([], {}))
        self.log_in("ann")

    def test_a_login_that_fails_ends_its_session(self) -> None:
        with patch.object(self.chat.whispers, "deliver_pending", side_effect=ZeroDivisionError()):
            self.log_in("ann")
        self.assertEqual((self.online(), self.center.by_key), ([], {}))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_attempts_to_log_in_have_a_rate(self) -> None:
        self.limits = Limits(lockout_tries=0, failed_logins_per_minute=0, login_timeout=0)
        self.setUp()
        client, burst = self.connect(), self.limits.commands_burst
        answers = self.exchange(client, "LIN", *["ann", "wrong"] * (burst + 1))
        self.assertRegex(answers[burst], r"^PENNED\|0\.\d+$")
        for _ in range((burst + 1) * FLOOD_FACTOR):
            self.exchange(client, "ann", "wrong")
        self.assertTrue(client.closed)


class Frames(CenterTestCase):
    def test_a_bad_length_closes_the_connection_and_does_nothing_else(self) -> None:
        self.log_in_all("ann")
        for size in (0, MAX_FRAME + 1, 0xFFFFFFFF):
            client = self.connect()
            client.send(struct.pack("!I", size) + b"x" * 10)
            self.assertTrue(client.transport.aborted and client.closed)
        self.assertEqual(self.pushed(), [])

    def test_the_frames_of_a_login_are_short(self) -> None:
        client = self.connect()
        self.assertEqual(
            self.exchange(client, "LIN", "n" * MAX_LOGIN_FRAME, "password"), ["LOGIN_FAILED|2"]
        )
        client.send(struct.pack("!I", MAX_LOGIN_FRAME + 1))
        self.assertTrue(client.closed)

    def test_the_largest_frame(self) -> None:
        self.log_in_all("ann", "bob")
        head = f"BRD|ann|{self.tokens['ann']}|"
        client = self.connect()
        client.send(framed(head + "x" * (MAX_FRAME - len(head))))
        texts = [text for port, text in self.pushed() if port == 6002]
        self.assertEqual(sum(len(text) - len("[ann]: ") for text in texts), MAX_FRAME - len(head))

    def test_a_connection_is_for_one_request(self) -> None:
        self.log_in_all("ann", "bob")
        client = self.connect()
        head = f"BRD|ann|{self.tokens['ann']}|"
        client.send(b"".join(framed(f"{head}{number}") for number in range(1200)))
        client.send(framed(f"{head}late"))
        self.assertEqual(self.pushed(), [(6002, "[ann]: 0")])
        self.assertTrue(client.closed)

    def test_frames_after_the_port_are_dropped(self) -> None:
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password", "host")
        client.write(framed("6067") + framed("LIN") + b"\xff" * 100)
        client.write(b"\xff" * 100)
        self.assertEqual(client.protocol._data, b"")
        self.server.run_pending()
        self.assertFalse(client.transport.aborted)
        self.assertEqual(self.online(), ["ann"])

    def test_reading_stops_while_many_frames_wait_for_a_login(self) -> None:
        client = self.connect()
        self.server.passwords.held = []
        self.exchange(client, "LIN", "ann", "wrong")
        for _ in range(QUEUE_LIMIT // 2):
            self.exchange(client, "ann", "wrong")
        self.assertEqual(client.transport.producerState, "paused")

    @given(st.binary(max_size=200))
    def test_any_bytes_do_no_harm(self, data: bytes) -> None:
        client = self.connect()
        client.send(data)
        client.send(framed("\ufffd|a|b|c"))
        client.drop()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(self.center.clients, set())

    def test_junk_in_a_request_is_replaced(self) -> None:
        self.log_in_all("ann", "bob")
        client = self.connect()
        body = f"BRD|ann|{self.tokens['ann']}|".encode() + b"a\xffb\x1b[2J"
        client.send(struct.pack("!I", len(body)) + body)
        self.assertEqual(self.pushed(), [(6002, "[ann]: a\ufffdb[2J")])


class Requests(CenterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log_in_all("ann", "bob")

    def test_a_direct_message(self) -> None:
        client = self.request("ann", "MSG", "bob|a|b|c")
        self.assertEqual((client.received(), client.closed), ([], True))
        self.assertEqual(self.pushed(), [(6002, "[ann]: a|b|c")])

    def test_a_direct_message_to_a_user_who_is_offline(self) -> None:
        self.request("ann", "MSG", "eve|offline one")
        self.request("ann", "MSG", "eve|offline\ntwo \x9b")
        self.assertEqual(self.pushed(), [(6001, OFFLINE)] * 2)
        self.log_in("eve", 6003)
        self.assertEqual(
            [text for port, text in self.pushed() if port == 6003],
            [
                "While you were away...\n[ann]: offline one\n[ann]: offline\n    two\n",
                "eve has logged on.",
            ],
        )

    def test_a_direct_message_that_is_refused(self) -> None:
        self.request("bob", "BLC", "1|ann")
        self.pushed()
        for target, text in (("ghost", UNKNOWN), ("bob", BLOCKED), ("", UNKNOWN)):
            self.request("ann", "MSG", f"{target}|hi")
            self.assertEqual(self.pushed(), [(6001, text)])
        self.request("ann", "MSG", "ann|hi")
        [(port, text)] = self.pushed()
        self.assertEqual(port, 6001)
        self.request("ann", "MSG", "bob")
        self.assertEqual(self.pushed(), [])

    def test_a_broadcast_goes_to_all_but_the_sender(self) -> None:
        eve = self.log_in_web("eve")
        self.pushed()
        self.request("ann", "BRD", "hello|all")
        self.assertEqual(self.pushed(), [(6002, "[ann]: hello|all")])
        [push] = eve.pushes("c_speak")
        self.assertEqual((push["usr"], push["msg"]), ("ann", "hello|all"))

    def test_a_broadcast_of_a_user_who_is_blocked(self) -> None:
        self.request("bob", "BLC", "1|ann")
        self.pushed()
        self.request("ann", "BRD", "hello")
        self.assertEqual(self.pushed(), [(6001, SOME_BLOCKED)])

    def test_a_broadcast_that_is_not_stored(self) -> None:
        self.server.store.failing = 1
        self.request("ann", "BRD", "lost")
        [(port, text)] = self.pushed()
        self.assertEqual(port, 6001)
        self.assertNotIn("lost", text)

    def test_the_list_of_users(self) -> None:
        self.request("ann", "ONL")
        self.assertEqual(self.pushed(), [(6001, "[CURRENTLY ONLINE]: ann bob ")])

    def test_blocks(self) -> None:
        for rest, text in (
            ("1|bob", "You have blocked bob"),
            ("0|bob", "You have unblocked bob"),
            ("0|bob", "You have unblocked bob"),
            ("1|ghost", UNKNOWN),
        ):
            self.request("ann", "BLC", rest)
            self.assertEqual(self.pushed(), [(6001, text)])
        for rest in ("x|bob", "bob", ""):
            self.request("ann", "BLC", rest)
            self.assertEqual(self.pushed(), [])

    def test_a_request_that_the_store_refuses(self) -> None:
        with patch.object(self.chat.blocks, "set_block", side_effect=NotStored()):
            client = self.request("ann", "BLC", "1|bob")
        self.assertTrue(client.closed)
        self.assertEqual(self.pushed(), [(6001, NotStored().text)])

    def test_a_request_that_fails_closes_its_connection(self) -> None:
        with patch.object(self.chat.blocks, "set_block", side_effect=ZeroDivisionError()):
            client = self.request("ann", "BLC", "1|bob")
        self.assertTrue(client.closed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.request("ann", "ONL")
        self.assertEqual(len(self.pushed()), 1)

    def test_an_address_is_told_to_a_user_who_asked_for_it(self) -> None:
        self.assertEqual(self.request("ann", "GET", "bob").received(), [framed("OKAY")])
        self.assertEqual(
            self.pushed(), [(6002, "Request: ann wants your address. [allow ann] to accept.")]
        )
        self.request("bob", "ALL", "ann")
        self.assertEqual(self.pushed(), [(6001, "ADR|bob|192.0.2.7|6002")])
        self.request("bob", "ALL", "ann")
        self.assertEqual(self.pushed(), [])

    def test_an_address_that_can_not_be_asked_for(self) -> None:
        self.request("bob", "BLC", "1|ann")
        self.pushed()
        for name in ("bob", "eve", "ghost", "ann", ""):
            client = self.request("ann", "GET", name)
            self.assertEqual((client.received(), client.closed), ([framed("FAIL")], True))
        self.assertEqual(self.pushed(), [])

    def test_an_address_for_a_user_who_has_left(self) -> None:
        gone = "eve has gone offline. Please allow access when they are online again."
        self.request("bob", "ALL", "eve")
        self.assertEqual(self.pushed(), [(6002, gone)])
        self.request("bob", "ALL", "ann")
        self.assertEqual(self.pushed(), [])

    def test_logging_out(self) -> None:
        client = self.request("ann", "OUT")
        self.assertTrue(client.closed)
        self.assertEqual(self.pushed(), [(6002, "ann is offline.")])
        self.assertEqual(self.online(), ["bob"])
        self.assertEqual(self.request("ann", "GET", "bob").received(), [framed("FAIL")])

    def test_heartbeats_and_unknown_requests_are_not_answered(self) -> None:
        for kind in ("HEY", "XXX", "LIN", ""):
            client = self.request("ann", kind)
            self.assertEqual((client.received(), client.closed), ([], True))
        self.assertEqual(self.pushed(), [])

    def test_requests_before_a_login(self) -> None:
        for body, answer in (
            ("ONL|ann|0123|", []),
            ("GET|ann|0123|bob", [framed("FAIL")]),
            ("GET", [framed("FAIL")]),
            (f"GET|bob|{self.tokens['ann']}|eve", [framed("FAIL")]),
            (f"OUT|bob|{self.tokens['ann']}|", []),
        ):
            client = self.connect()
            client.send(framed(body))
            self.assertEqual((client.received(), client.closed), (answer, True))
        self.assertEqual(self.online(), ["ann", "bob"])

    def test_names_are_compared_without_case(self) -> None:
        self.tokens["ANN"] = self.tokens["ann"]
        self.request("ANN", "MSG", "BOB|hi")
        self.assertEqual(self.pushed(), [(6002, "[ann]: hi")])

    def test_every_event_has_the_text_of_the_original(self) -> None:
        for event, text in (
            (MessageSent(room_name="lobby", usr="ann", msg="hi", id="1", at=0), "[ann]: hi"),
            (MessageSent(room_name="den", usr="ann", msg="hi", id="1", at=0), None),
            (WhisperSent(usr="ann", msg="hi", id="1", at=0), "[ann]: hi"),
            (BroadcastSent(usr="ann", msg="hi", at=0), "[ann]: hi"),
            (LoggedIn(usr="ann", at=0), "ann has logged on."),
            (LoggedOut(usr="ann", at=0), "ann is offline."),
            (
                AddressRequested(usr="ann", at=0),
                "Request: ann wants your address. [allow ann] to accept.",
            ),
            (
                AddressGranted(usr="ann", host="192.0.2.1", port=6067, at=0),
                "ADR|ann|192.0.2.1|6067",
            ),
            (PresenceChanged(logins=("ann",), logouts=(), at=0), ""),
            (UserTyping(usr="ann", room_name="lobby", at=0), None),
        ):
            self.assertEqual(render(event), text)


class Order(CenterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log_in_all("ann", "bob")

    def hold(self) -> Deferred[None]:
        """Let blocks wait until the Deferred is fired."""
        held: Deferred[None] = Deferred()

        async def set_block(*args: object) -> None:
            await held

        patcher = patch.object(self.chat.blocks, "set_block", set_block)
        patcher.start()
        self.addCleanup(patcher.stop)
        return held

    def test_requests_run_in_order_over_many_connections(self) -> None:
        held = self.hold()
        first = self.request("ann", "BLC", "1|bob")
        others = [self.request("ann", "BRD", str(number)) for number in range(5)]
        last = self.request("ann", "GET", "bob")
        self.assertEqual(self.pushed(), [])
        self.assertFalse(any(one.closed for one in (first, last, *others)))
        held.callback(None)
        self.server.run_pending()
        self.assertEqual(last.received(), [framed("OKAY")])
        self.assertEqual(
            [text for port, text in self.pushed() if port == 6002 and "Request" not in text],
            [f"[ann]: {number}" for number in range(5)],
        )
        self.assertTrue(all(one.closed for one in (first, last, *others)))

    def test_requests_of_other_users_do_not_wait(self) -> None:
        self.hold()
        self.request("ann", "BLC", "1|bob")
        self.request("bob", "BRD", "hi")
        self.assertEqual(self.pushed(), [(6001, "[bob]: hi")])

    def test_the_end_of_a_session_answers_the_requests_that_wait(self) -> None:
        ends = (
            lambda: self.center.stop(),
            lambda: Deferred.fromCoroutine(self.chat.sessions.disconnect_user("ann")),
            lambda: self.log_in("ann", 6009),
            lambda: self.reactor.pump([HEARTBEAT_CHECK] * 12),
        )
        for end in ends:
            self.setUp()
            held = self.hold()
            running = self.request("ann", "BLC", "1|bob")
            waiting, asked = self.request("ann", "ONL"), self.request("ann", "GET", "bob")
            end()
            self.server.run_pending()
            self.assertTrue(waiting.closed and asked.closed)
            held.callback(None)
            self.server.run_pending()
            self.assertTrue(running.closed)
            self.assertNotIn("CURRENTLY", str(self.pushed()))

    def test_a_get_that_is_never_run_is_answered(self) -> None:
        self.hold()
        self.request("ann", "BLC", "1|bob")
        asked = self.request("ann", "GET", "bob")
        self.center.stop()
        self.server.run_pending()
        self.assertEqual(asked.received(), [framed("FAIL")])

    def test_a_log_out_is_the_last_request(self) -> None:
        held = self.hold()
        self.request("ann", "BLC", "1|bob")
        self.request("ann", "OUT")
        late = self.request("ann", "BRD", "late")
        held.callback(None)
        self.server.run_pending()
        self.assertTrue(late.closed)
        self.assertEqual(self.pushed(), [(6001, "You have blocked bob"), (6002, "ann is offline.")])

    def test_a_session_that_ends_during_a_request(self) -> None:
        self.limits = Limits(commands_per_second=0, ping_interval=0, text_chars=10)
        self.setUp()
        client = self.connect()
        client.write(framed(f"MSG|ann|{self.tokens['ann']}|eve|{'x' * 25}"))
        self.center.stop()
        self.server.run_pending()
        self.assertTrue(client.closed)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_requests_that_wait_are_bounded(self) -> None:
        self.hold()
        self.request("ann", "BLC", "1|bob")
        waiting = [self.request("ann", "BRD", str(number)) for number in range(QUEUE_LIMIT)]
        refused = self.request("ann", "BRD", "one too many")
        self.assertTrue(refused.closed)
        self.assertFalse(any(one.closed for one in waiting))
        self.assertEqual(self.pushed(), [(6001, RateLimited().text)])


class Pushes(CenterTestCase):
    def test_messages_that_come_while_the_login_is_completed_follow_it(self) -> None:
        bob = self.log_in_web("bob")
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password", "host")
        bob.call("speak", room_name="lobby", msg="early")
        bob.call("whisper", target_user="ann", msg="psst")
        self.assertEqual(self.pushed(), [])
        self.exchange(client, "6001")
        self.assertEqual(
            self.pushed(),
            [
                (6001, "While you were away...\n[bob]: psst\n"),
                (6001, "ann has logged on."),
                (6001, "[bob]: early"),
            ],
        )

    def test_many_messages_that_waited_do_not_wait_for_the_client(self) -> None:
        bob = self.log_in_web("bob")
        for number in range(150):
            bob.call("whisper", target_user="ann", msg=str(number))
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password", "host")
        bob.call("speak", room_name="lobby", msg="early")
        self.exchange(client, "6001")
        [(_, away), *others] = self.pushed()
        self.assertEqual(away.count("\n"), 151)
        self.assertEqual(others[1:], [(6001, "[bob]: early")])

    def test_no_frame_is_larger_than_a_client_may_send(self) -> None:
        bob = self.log_in_web("bob")
        for number in range(30):
            bob.call("whisper", target_user="ann", msg=f"{number:04}" + "\u20ac" * 3000)
        self.log_in("ann", 6001)
        frames = [text for _, text in self.pushed() if text.startswith("While you were away...\n")]
        self.assertGreater(len(frames), 1)
        self.assertTrue(all(len(frame.encode()) <= MAX_FRAME for frame in frames))
        order = [line[7:11] for frame in frames for line in frame.splitlines()[1:]]
        self.assertEqual(order, [f"{number:04}" for number in range(30)])
        self.log_in("ann", 6002)
        self.assertEqual(self.pushed()[-1:], [(6002, "ann has logged on.")])

    def test_events_that_wait_for_a_login_are_bounded(self) -> None:
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password", "host")
        protocol = client.protocol._client
        for number in range(1001):
            protocol.on_event(LoggedIn(usr=f"g{number}", at=0), f"g{number} has logged on.")
        self.assertEqual((protocol.buffered_bytes, self.online()), (1000, ["ann"]))
        self.server.run_pending()
        self.assertEqual(self.online(), [])

    def test_a_client_with_too_many_calls_does_not_stop_the_others(self) -> None:
        self.log_in_all("ann", "bob")
        eve = self.log_in_web("eve")
        guest = self.server.guest("guest")
        with patch("gtchat.protocols.base.dialback.QUEUE_LIMIT", 2):
            for number in range(6):
                guest.call("speak", room_name="lobby", msg=str(number))
        heard = [push["msg"] for push in eve.pushes("c_speak")]
        self.assertEqual(heard, [str(number) for number in range(6)])
        self.assertEqual(self.online(), ["eve", "guest"])

    def test_presence_of_users_who_block_is_hidden_also_when_it_is_told_together(self) -> None:
        eve = self.log_in_web("eve")
        eve.call("block", user="ann")
        eve.call("logout")
        self.log_in_all("ann", "bob")
        self.reactor.advance(2)
        guests = [self.server.guest(f"g{number}") for number in range(25)]
        eve = self.log_in_web("eve")
        self.reactor.advance(1)
        eve.call("logout")
        self.reactor.advance(1)
        pushed = self.pushed()
        self.assertIn((6001, "g24 has logged on."), pushed)
        self.assertIn((6002, "eve has logged on."), pushed)
        self.assertNotIn("eve", str([text for port, text in pushed if port == 6001]))
        for guest in guests:
            guest.call("logout")

    def test_a_client_that_can_not_be_called_is_logged_out(self) -> None:
        self.log_in("ann", 6001)
        self.refuse()
        self.server.run_pending()
        self.assertEqual((self.online(), self.center.clients), ([], set()))


class Ends(CenterTestCase):
    def test_a_kicked_client(self) -> None:
        self.log_in_all("ann", "bob")
        Deferred.fromCoroutine(self.chat.sessions.disconnect_user("ann"))
        self.server.run_pending()
        self.assertEqual(self.pushed(), [(6002, "ann is offline.")])
        self.assertEqual(self.request("ann", "GET", "bob").received(), [framed("FAIL")])

    def test_a_client_kicked_before_it_can_be_called(self) -> None:
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password", "host")
        Deferred.fromCoroutine(self.chat.sessions.disconnect_user("ann"))
        self.server.run_pending()
        self.exchange(client, "6001")
        self.assertEqual((self.pushed(), client.closed), ([], True))

    def test_the_server_stops(self) -> None:
        self.log_in_all("ann", "bob")
        self.factory.stop()
        self.server.run_pending()
        self.assertEqual((self.center.clients, self.center._check), (set(), None))
        self.assertEqual(self.online(), [])

    def test_a_silent_client_is_logged_out(self) -> None:
        self.log_in_all("ann", "bob")
        for _ in range(10):
            self.reactor.advance(HEARTBEAT_CHECK)
            self.request("bob", "HEY")
        self.assertEqual(self.pushed(), [(6002, "ann is offline.")])
        self.assertEqual(self.online(), ["bob"])


class Rate(CenterTestCase):
    limits = Limits(ping_interval=0)

    def broadcast(self, times: int) -> int:
        """Broadcast on as many connections within 0.1 s; return how many were delivered."""
        for number in range(times):
            self.request("ann", "BRD", f"flood {number}")
            self.reactor.advance(0.1 / times)
        return len([text for port, text in self.pushed() if port == 6002 and "flood" in text])

    def setUp(self) -> None:
        super().setUp()
        self.log_in_all("ann", "bob")
        self.reactor.advance(10)

    def test_many_connections_have_the_rate_of_one_account(self) -> None:
        self.assertIn(self.broadcast(400), (20, 21))  # the burst, and what 0.1 s refills

    def test_a_new_login_does_not_refill_the_rate(self) -> None:
        self.broadcast(400)
        self.log_in("ann", 6001)
        self.pushed()
        self.assertLessEqual(self.broadcast(400), 2)

    def test_each_part_of_a_long_text_counts(self) -> None:
        for _ in range(4):
            self.request("ann", "BRD", "flood" * 12_000)
        texts = [text for port, text in self.pushed() if port == 6002]
        self.assertLessEqual(len(texts), self.limits.commands_burst + 2)

    def test_a_client_that_is_too_fast_is_told_so_once_a_second(self) -> None:
        for _ in range(2):
            for _ in range(50):
                self.request("ann", "ONL")
            self.reactor.advance(REFUSAL_PAUSE)
        texts = [text for _, text in self.pushed()]
        self.assertEqual(texts.count(RateLimited().text), 2)

    def test_a_request_that_is_refused_is_answered_and_closed(self) -> None:
        for _ in range(50):
            client = self.request("ann", "GET", "bob")
            self.assertTrue(client.closed)
        self.assertEqual(client.received(), [framed("FAIL")])

    def test_a_client_over_its_rate_is_alive(self) -> None:
        for _ in range(100):
            for _ in range(20):
                self.request("ann", "HEY")
            self.reactor.advance(1)
            self.request("bob", "HEY")
            self.pushed()
        self.assertEqual(self.online(), ["ann", "bob"])

    def test_a_flood_of_requests_does_no_more_than_a_few(self) -> None:
        for _ in range(1000):
            client = self.request("ann", "ONL")
        self.assertTrue(client.closed)
        self.assertEqual(self.online(), ["ann", "bob"])

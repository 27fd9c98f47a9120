"""Message Center without sockets: login and frames."""

from __future__ import annotations

import struct
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from gtchat.chat.errors import NotStored
from gtchat.chat.limits import Limits
from gtchat.protocols.base.command_queue import FLOOD_FACTOR, QUEUE_LIMIT
from gtchat.protocols.base.dialback_server import LOGIN_PATIENCE
from gtchat.protocols.base.request_log import LINES_BURST
from gtchat.protocols.message_center import (
    MAX_FRAME,
    MAX_LOGIN_FRAME,
    PORT_TIMEOUT,
    REPLACED,
    REQUEST_TIMEOUT,
    SUSPENSION_PATIENCE,
    framed,
)
from tests.protocols.cases import CenterTestCase, unframe


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
        with patch.object(self.chat.logins, "login", side_effect=NotStored()):
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
        log_in, held = self.chat.logins.login, Deferred[None]()

        async def hold(*args: Any) -> Any:
            session = await log_in(*args)
            await held
            return session

        client = self.connect()
        with patch.object(self.chat.logins, "login", hold):
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

    def test_each_try_to_log_in_has_its_time(self) -> None:  # F22
        client = self.connect()
        self.exchange(client, "LIN")
        for answer in ("LOGIN_FAILED|2", "LOGIN_FAILED|1"):
            self.reactor.advance(LOGIN_PATIENCE - 1)
            self.assertEqual(self.exchange(client, "ann", "wrong"), [answer])
        self.reactor.advance(LOGIN_PATIENCE - 1)
        self.assertFalse(client.closed)
        self.reactor.advance(1)
        self.server.run_pending()
        self.assertTrue(client.closed)

    def test_a_suspended_user_logs_in_on_the_same_connection(self) -> None:  # F22
        client = self.connect()
        self.exchange(client, "LIN", *["ann", "wrong"] * 3)
        self.reactor.advance(40)
        self.assertEqual(self.exchange(client, "ann", "password"), ["PENNED|20.0"])
        self.reactor.advance(21)
        okay, _ = self.exchange(client, "ann", "password")
        self.assertEqual(okay, "LOGIN_OKAY")

    def test_a_long_suspension_can_be_waited_for(self) -> None:
        self.limits = Limits(commands_per_second=0, ping_interval=0, lockout_seconds=1000)
        self.setUp()
        client = self.connect()
        self.exchange(client, "LIN", *["ann", "wrong"] * 3)
        self.reactor.advance(1000 + SUSPENSION_PATIENCE - 1)
        self.assertFalse(client.closed)
        self.reactor.advance(1)
        self.server.run_pending()
        self.assertTrue(client.closed)

    def test_a_login_without_a_limit_is_waited_for(self) -> None:
        self.limits = Limits(commands_per_second=0, ping_interval=0, login_timeout=0)
        self.setUp()
        client = self.connect()
        self.exchange(client, "LIN", "ann", "wrong")
        self.reactor.advance(1000 * LOGIN_PATIENCE)
        self.assertFalse(client.closed)

    def test_addresses_that_are_not_called_can_not_log_in(self) -> None:
        client = self.connect("192.0.2.1")
        self.assertEqual(self.exchange(client, "LIN", "ann", "password"), [])
        self.assertTrue(client.closed)
        self.assertEqual(self.online(), [])

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

    def test_a_session_ended_while_its_messages_are_read_is_not_called(self) -> None:
        held: Deferred[None] = Deferred()

        async def hold(session: object) -> None:
            await held

        with patch.object(self.chat.whispers, "deliver_pending", hold):
            self.log_in("ann", 6001)
        page = self.log_in_web("ann")
        self.assertEqual(page.call("end_other_sessions")["status"], "ok")
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

    def test_a_second_request_resets_the_connection(self) -> None:  # F03
        self.log_in_all("ann", "bob")
        client = self.connect()
        head = f"BRD|ann|{self.tokens['ann']}|"
        client.send(b"".join(framed(f"{head}{number}") for number in range(1200)))
        self.assertTrue(client.transport.aborted)
        self.assertEqual(self.pushed(), [(6002, "[ann]: 0")])
        client = self.connect()
        client.write(framed(f"{head}first"))
        client.write(b"\0")
        self.server.run_pending()
        self.assertEqual(self.pushed(), [(6002, "[ann]: first")])

    def test_a_second_request_behind_one_that_waits_resets_the_connection(self) -> None:
        self.log_in_all("ann")
        held: Deferred[None] = Deferred()

        async def hold(*args: object) -> None:
            await held

        client = self.connect()
        with patch.object(self.chat.blocks, "set_block", hold):
            client.send(framed(f"BLC|ann|{self.tokens['ann']}|1|bob"))
            self.assertFalse(client.transport.aborted)
            client.send(framed("more"))
            self.assertTrue(client.transport.aborted)
            held.callback(None)
            self.server.run_pending()
        self.assertEqual(self.pushed(), [(6001, "You have blocked bob")])

    def test_frames_after_the_port_reset_the_connection(self) -> None:
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password", "host")
        client.write(framed("6067") + framed("LIN") + b"\xff" * 100)
        self.assertEqual(client.protocol._data, b"")
        self.assertTrue(client.transport.aborted)
        self.server.run_pending()
        self.assertEqual(self.pushed(), [(6067, "ann has logged on.")])

    def test_frames_that_wait_behind_the_port_reset_the_connection(self) -> None:
        client = self.connect()
        self.server.passwords.held = held = []
        bodies = ("LIN", "ann", "password", "host", "6067", "more")
        client.send(b"".join(map(framed, bodies)))
        self.assertFalse(client.transport.aborted)
        held[0].callback(None)
        self.server.run_pending()
        self.assertTrue(client.transport.aborted)
        self.assertEqual(self.pushed(), [(6067, "ann has logged on.")])

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


class Log(CenterTestCase):
    """Lines that any client can cause are bounded, and those left out are counted."""

    def refuse_address(self) -> None:
        self.exchange(self.connect("192.0.2.1"), "LIN")

    def send_twice(self) -> None:
        self.connect().send(framed("HEY") * 2)

    def name_own_port(self) -> None:
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password", "x", "9000")

    def test_lines_are_bounded(self) -> None:
        for cause, text in (
            (self.refuse_address, "192.0.2.1 is not called"),
            (self.send_twice, "192.0.2.7 sends more than one request"),
            (self.name_own_port, "ann names a port that is not called"),
        ):
            with capturedLogs() as logs:
                for _ in range(30):
                    cause()
                self.reactor.advance(1)
                cause()
                self.reactor.advance(100)
            texts = [str(formatEvent(event)) for event in logs]
            lines = [line for line in texts if line.startswith(text)]
            self.assertEqual(len(lines), LINES_BURST + 1, text)
            self.assertTrue(lines[-1].endswith("; 10 more were not logged"), lines[-1])

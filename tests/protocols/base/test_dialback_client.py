"""Clients that are called back: heartbeats, answers that never come, what is kept."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import capturedLogs, formatEvent

from gtchat.chat.errors import NotStored
from gtchat.chat.events import MessageSent
from gtchat.chat.users import User
from gtchat.protocols.base import dialback_server
from gtchat.protocols.base.dialback import END
from gtchat.protocols.base.dialback_client import DialbackClient
from gtchat.protocols.base.dialback_questions import ANSWER_TIMEOUT
from gtchat.protocols.base.dialback_server import (
    HEARTBEAT_CHECK,
    STOP_TIMEOUT,
    DialbackFactory,
    DialbackServer,
)
from gtchat.protocols.message_center import MessageCenter, framed
from gtchat.protocols.pa1 import COMMAND_PAUSE, PA1
from tests.chat.test_edge_cases import DelayedMethod
from tests.protocols.cases import RULES
from tests.protocols.fakes import ADDRESS, FakeConnection, FakeTransport, TCPTestCase


async def hang() -> None:
    """Never end."""
    await Deferred()


class DialbackTestCase(TCPTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.register("ann", "bob", "eve")
        self.web = self.log_in_web("eve")


class MessageCenterClients(DialbackTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.center = MessageCenter(self.chat, self.reactor, RULES)
        self.factory = DialbackFactory(self.center)

    def log_in(self, name: str, port: int) -> str:
        """Log in; return the token."""
        client = FakeConnection(self.server, self.factory)
        for body in ("LIN", name, "password"):
            client.send(framed(body))
        token = client.transport.value()[4 + len("LOGIN_OKAY") + 4 :].decode()
        for body in ("elsewhere.example", str(port)):
            client.send(framed(body))
        client.drop()
        return token

    def request(self, *words: str) -> FakeTransport:
        """Send a request; return its connection."""
        client = FakeConnection(self.server, self.factory)
        client.send(framed("|".join(words)))
        return client.transport

    def test_only_the_address_of_the_login_is_called(self) -> None:
        self.log_in("ann", 6067)
        self.assertEqual(
            [(host, port) for host, port, *_ in self.reactor.tcpClients], [(ADDRESS, 6067)]
        )

    def test_a_client_without_heartbeats_is_logged_out_once(self) -> None:  # F13
        token = self.log_in("ann", 6067)
        self.answer_calls()
        for _ in range(10):
            self.reactor.advance(HEARTBEAT_CHECK)
            self.request("HEY", "ann", token, "")
        self.assertEqual(self.web.call("get_user_list")["users"], ["ann", "eve"])
        self.web.received()
        self.reactor.pump([HEARTBEAT_CHECK] * 20)
        told = [push["usr"] for push in self.web.received() if push.get("type") == "logout"]
        self.assertEqual(told, ["ann"])
        self.assertEqual(self.request("GET", "ann", token, "eve").value(), framed("FAIL"))
        self.web.call("logout")
        self.assertEqual(self.center.clients, set())

    def test_what_is_not_delivered_is_kept_also_from_the_lobby(self) -> None:
        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.call("whisper", target_user="ann", msg="first")
        self.answer_calls()
        for text in ("second", "third"):
            self.web.call("whisper", target_user="ann", msg=text)
        self.web.call("speak", room_name="lobby", msg="to all")
        while self.reactor.tcpClients:
            self.refuse()
        self.assertEqual(self.web.call("get_user_list")["users"], ["eve"])
        self.log_in("ann", 6068)
        [(port, kept), *_] = self.answer_calls()
        self.assertEqual(port, 6068)
        self.assertEqual(
            kept[4:].decode(),
            "While you were away...\n[eve]: second\n[eve]: third\n[eve]: to all\n",
        )
        self.log_in("ann", 6069)
        self.assertNotIn(b"While", b"".join(said for _, said in self.answer_calls()))

    def kept(self, port: int = 6068) -> str:
        """Log ann in again; return the text that waited."""
        self.log_in("ann", port)
        texts = [data[4:].decode() for _, data in self.answer_calls()]
        return "".join(text for text in texts if text.startswith("While you were away"))

    def test_a_client_that_is_stopped_loses_nothing(self) -> None:  # F19
        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.call("whisper", target_user="ann", msg="first")
        stopped = self.accept(reads=False)
        self.web.call("whisper", target_user="ann", msg="second")
        self.web.call("speak", room_name="lobby", msg="to all")
        self.assertEqual(self.reactor.tcpClients, [])  # each waits for the one before it
        stopped.lose(ConnectionLost())  # the client is killed
        self.server.run_pending()
        while self.reactor.tcpClients:
            self.refuse()
        self.assertEqual(
            self.kept(),
            "While you were away...\n[eve]: first\n[eve]: second\n[eve]: to all\n",
        )
        self.assertEqual(self.kept(6069), "")

    def test_a_stopped_client_is_logged_out_and_goes_on_where_it_was(self) -> None:
        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.call("whisper", target_user="ann", msg="first")
        stopped = self.accept(reads=False)
        self.web.call("speak", room_name="lobby", msg="to all")
        self.reactor.pump([HEARTBEAT_CHECK] * 10)
        self.server.run_pending()
        self.assertTrue(stopped.aborted)
        self.assertEqual(self.web.call("get_user_list")["users"], ["eve"])
        self.assertIn("[eve]: first\n[eve]: to all\n", self.kept())

    def log_out_during(self, cmd: str, **target: str) -> FakeTransport:
        """Log ann out while her client reads a message; return the connection with it."""
        token = self.log_in("ann", 6067)
        self.answer_calls()
        self.web.call(cmd, msg="read", **target)
        call = self.accept(reads=False)
        out = self.request("OUT", "ann", token, "")
        self.web.call(cmd, msg="too late", **target)
        self.assertFalse(out.disconnecting)
        return call

    def test_what_a_client_reads_that_logs_out_does_not_come_again(self) -> None:
        for cmd, target in (("whisper", {"target_user": "ann"}), ("speak", {"room_name": "lobby"})):
            call = self.log_out_during(cmd, **target)
            call.read_all()
            self.server.run_pending()
            self.assertEqual(self.web.call("get_user_list")["users"], ["eve"])
            self.assertEqual(self.kept(), "While you were away...\n[eve]: too late\n")

    def test_a_client_that_does_not_read_is_logged_out_after_a_moment(self) -> None:
        call = self.log_out_during("speak", room_name="lobby")
        self.reactor.advance(END)
        self.server.run_pending()
        self.assertTrue(call.aborted)
        self.assertEqual(self.web.call("get_user_list")["users"], ["eve"])
        self.assertEqual(self.kept(), "While you were away...\n[eve]: read\n[eve]: too late\n")

    def test_a_client_that_reads_a_part_keeps_its_session(self) -> None:
        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.call("speak", room_name="lobby", msg="too long for it")
        call = self.accept(reads=False)
        self.server.run_pending()
        call.lose(ConnectionLost())
        self.server.run_pending()
        self.assertEqual(self.web.call("get_user_list")["users"], ["ann", "eve"])
        self.web.call("speak", room_name="lobby", msg="short")
        self.assertEqual(self.answer_calls(), [(6067, framed("[eve]: short"))])
        self.assertIn("[eve]: too long for it\n", self.kept())

    def test_a_direct_message_that_is_not_read_brings_no_later_one_again(self) -> None:  # F26
        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.call("whisper", target_user="ann", msg="too long for it")
        call = self.accept(reads=False)
        self.server.run_pending()
        call.lose(ConnectionLost())
        self.server.run_pending()
        self.web.call("whisper", target_user="ann", msg="short")
        self.assertEqual(self.answer_calls(), [(6067, framed("[eve]: short"))])
        kept = self.kept()
        self.assertIn("[eve]: too long for it", kept)
        self.assertNotIn("short", kept)

    def test_the_line_that_shows_an_edit_is_not_kept(self) -> None:
        self.log_in("ann", 6067)
        self.answer_calls()
        seq = self.web.call("speak", room_name="lobby", msg="a")["seq"]
        self.answer_calls()
        with patch.object(self.chat.whispers, "keep") as keep:
            self.web.call("edit", room_name="lobby", seq=seq, msg="b")
            self.accept(reads=False).lose(ConnectionLost())
            self.server.run_pending()
        keep.assert_not_called()

    def test_what_waits_for_a_port_that_is_never_named_is_kept_once_it_is_read(self) -> None:
        held: Deferred[None] = Deferred()

        async def hold(session: object) -> None:
            await held

        with patch.object(self.chat.whispers, "deliver_pending", hold):
            self.log_in("ann", 6067)
        self.web.call("speak", room_name="lobby", msg="early")
        self.factory.stop()
        for client in list(self.center.by_key.values()):
            client.disconnect()
        self.server.run_pending()
        held.callback(None)
        self.assertIn("[eve]: early\n", self.kept())

    def test_a_session_that_is_replaced_leaves_what_has_not_arrived(self) -> None:
        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.call("whisper", target_user="ann", msg="first")
        self.accept(reads=False)
        self.web.call("whisper", target_user="ann", msg="second")
        self.assertIn("[eve]: first\n[eve]: second\n", self.kept())

    def test_the_end_of_the_server_waits_for_what_is_kept(self) -> None:
        held: Deferred[None] = Deferred()
        keep = self.chat.whispers.keep

        async def hold(*args: Any) -> None:
            await held
            await keep(*args)

        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.call("speak", room_name="lobby", msg="to all")
        self.accept(reads=False)
        with patch.object(self.chat.whispers, "keep", hold):
            stopped = self.factory.stop()
            self.assertNoResult(stopped)
            held.callback(None)
            self.server.run_pending()
            self.successResultOf(stopped)
        self.assertIn("[eve]: to all\n", self.kept())
        self.successResultOf(self.factory.stop())

    def lose_messages(self, count: int) -> None:
        """Let this many messages of the lobby not reach ann."""
        self.log_in("ann", 6067)
        self.answer_calls()
        for number in range(count):
            self.web.call("speak", room_name="lobby", msg=f"to all {number}")
        self.refuse()

    def test_many_messages_that_did_not_arrive_are_kept_some_at_a_time(self) -> None:
        waiting: list[Deferred[None]] = []
        kept: list[str] = []

        async def keep(user: User, event: MessageSent) -> None:
            kept.append(event.msg)
            waiting.append(Deferred())
            await waiting[-1]

        self.patch(dialback_server, "KEEP_TOGETHER", 3)
        with patch.object(self.chat.whispers, "keep", keep):
            self.lose_messages(8)
            most = 0
            while waiting:
                most = max(most, len(waiting))
                waiting.pop(0).callback(None)
            self.server.run_pending()
        self.assertEqual(kept, [f"to all {number}" for number in range(8)])
        self.assertEqual(most, 3)

    def test_messages_that_can_not_be_kept_have_two_lines_in_the_log(self) -> None:
        async def refuse(*args: object) -> None:
            raise NotStored()

        self.patch(dialback_server, "KEEP_LIMIT", 6)
        with (
            patch.object(self.chat.whispers, "keep", refuse),
            capturedLogs() as logs,
        ):
            self.lose_messages(8)
            self.server.run_pending()
        lines = [formatEvent(one) for one in logs if "undelivered" in str(formatEvent(one))]
        self.assertEqual(len(lines), 2, lines)
        self.assertEqual(lines[0], "8 undelivered messages were not kept")

    def test_the_end_of_the_server_does_not_wait_for_ever(self) -> None:
        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.call("speak", room_name="lobby", msg="to all")
        with patch.object(self.chat.whispers, "keep", lambda *args: hang()):
            stopped = self.factory.stop()
            self.reactor.advance(STOP_TIMEOUT - 1)
            self.assertNoResult(stopped)
            self.reactor.advance(1)
            self.successResultOf(stopped)
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)

    def test_a_login_without_a_port_is_given_up(self) -> None:
        client = FakeConnection(self.server, self.factory)
        for body in ("LIN", "ann", "password"):
            client.send(framed(body))
        self.assertEqual(self.web.call("get_user_list")["users"], ["ann", "eve"])
        self.reactor.advance(20)
        self.assertTrue(client.transport.aborted)
        client.drop()
        self.assertEqual(self.web.call("get_user_list")["users"], ["eve"])

    def test_a_user_does_not_see_the_presence_of_users_who_block_them(self) -> None:
        self.web.call("block", user="ann")
        self.web.call("logout")
        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.login("eve", pwd="password")
        self.web.call("logout")
        self.assertEqual(self.answer_calls(), [])


class PA1Clients(DialbackTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.factory = DialbackFactory(PA1(self.chat, self.reactor, RULES))

    def send(self, line: str, address: str = ADDRESS) -> FakeConnection:
        """Send a command, and pause."""
        client = FakeConnection(self.server, self.factory, address)
        client.write(line.encode())
        self.reactor.advance(COMMAND_PAUSE)
        self.server.run_pending()
        return client

    def called(self) -> list[tuple[int, bytes]]:
        return self.answer_calls(0.3)

    def test_a_command_in_pieces_is_one_command(self) -> None:  # F02
        client = FakeConnection(self.server, self.factory)
        for piece in (b"logIn a", b"nn pass", b"word 6067"):
            client.write(piece)
            self.reactor.advance(COMMAND_PAUSE / 2)
        self.reactor.advance(COMMAND_PAUSE)
        self.server.run_pending()
        self.assertEqual(self.called()[0], (6067, b"Ok "))

    def test_what_a_client_reads_that_logs_out_does_not_come_again(self) -> None:
        self.send("logIn ann password 6067")
        self.called()
        self.web.call("whisper", target_user="ann", msg="read")
        call = self.accept(reads=False)
        self.send("ann logout")
        call.read_all()
        self.server.run_pending()
        self.assertEqual(self.web.call("get_user_list")["users"], ["eve"])
        self.send("logIn ann password 6067")
        self.assertEqual(self.called()[0], (6067, b"Ok "))

    def test_a_log_out_is_answered_when_it_is_stored(self) -> None:
        self.send("logIn ann password 6067")
        self.called()
        ended = DelayedMethod(self, self.server, "end_session")
        client = self.send("ann logout")
        self.assertFalse(client.transport.disconnecting)
        ended.release()
        self.assertTrue(client.closed)

    def test_a_request_that_is_not_answered_is_rejected(self) -> None:
        self.send("logIn ann password 6067")
        self.called()
        self.send("ann getaddress eve")
        self.assertEqual(self.called(), [])
        for _ in range(2):
            self.send("ann heartbeat 2026-11-2022:56:21")
            self.reactor.advance(ANSWER_TIMEOUT / 2)
        self.assertEqual(self.called(), [(6067, b"\nYour request is rejected\n")])

    def test_commands_from_another_address_do_nothing(self) -> None:
        self.send("logIn ann password 6067")
        self.called()
        self.send("ann logout", "198.51.100.1")
        self.assertEqual(self.web.call("get_user_list")["users"], ["ann", "eve"])

    def test_no_timer_is_left(self) -> None:
        self.send("logIn ann password 6067")
        self.called()
        self.factory.stop()
        self.server.run_pending()
        self.web.call("logout")
        self.assertEqual((self.factory.server.clients, self.factory.server._check), (set(), None))


class Clients(DialbackTestCase):
    """A client without a protocol."""

    def setUp(self) -> None:
        super().setUp()
        self.all = DialbackServer(self.chat, self.reactor, RULES)
        self.client = DialbackClient(self.all, ADDRESS)

    def test_a_client_that_is_not_called_yet_may_be_closed(self) -> None:
        self.assertEqual(self.client.name, "")
        self.client.close(None, "replaced")
        self.client.disconnect()
        self.client.push("text")
        self.server.run_pending()
        self.assertEqual(self.reactor.tcpClients, [])

    def test_a_closed_client_runs_nothing(self) -> None:
        ran: list[str] = []

        async def run() -> None:
            ran.append("run")

        self.client.close(None, "replaced")
        self.client.commands.submit(run, lambda: ran.append("done"))
        self.server.run_pending()
        self.assertEqual(ran, ["done"])

    def test_a_protocol_says_how_it_writes(self) -> None:
        self.assertRaises(NotImplementedError, self.all.encode, "text")
        self.assertRaises(NotImplementedError, self.all.presence_text, "ann", True)
        self.assertRaises(NotImplementedError, self.all.build_connection)
        self.assertEqual(self.all.closing_text(None), "")

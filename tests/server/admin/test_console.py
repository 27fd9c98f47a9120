"""The admin console on a chat in memory: commands, messages, several consoles, who may open it."""

from __future__ import annotations

import json
import os
import re
import struct
from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import background
from gtchat.chat.background import Progress
from gtchat.chat.errors import NameTaken, NotStored
from gtchat.chat.limits import Limits
from gtchat.chat.measures import SpaceGivenBack
from gtchat.server import console_output
from gtchat.server.admin import console as admin_console
from gtchat.server.admin import lines
from gtchat.server.admin.console import (
    COMMANDS,
    LINE_BYTES,
    LINES_LIMIT,
    OPENING_S,
    SCREEN_LINE,
    Console,
    ConsoleServer,
)
from gtchat.server.admin.lines import SILENCE_S
from gtchat.server.admin.socket import ADMIN_LINE, READY
from tests.fakes import TestServer, nodes
from tests.server.fakes import RecordingLog


class Socket(StringTransport):
    """A Unix socket whose peer is a process of a user.

    Args:
        user_id: the user.
    """

    def __init__(self, user_id: int) -> None:
        super().__init__()
        credentials = struct.pack("3i", 1, user_id, 1)
        self.socket = SimpleNamespace(getsockopt=lambda level, option, size: credentials[:size])


class AdminConsole(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0, text_chars=20))
        self.stopped = 0
        self.consoles = ConsoleServer(self.server.chat, self.stop)

    def stop(self) -> None:
        self.stopped += 1

    def open(self) -> tuple[Console, StringTransport]:
        """Open a console on standard input; what it shows first is cleared."""
        transport = StringTransport()

        def stdio(console: Console) -> None:
            console.makeConnection(transport)

        self.consoles.attach_terminal(stdio)
        self.server.run_pending()
        self.shown(transport)
        return self.consoles.consoles[-1], transport

    def shown(self, transport: StringTransport) -> list[str]:
        """Return the lines that a console has shown since the last call."""
        lines = transport.value().decode().splitlines()
        transport.clear()
        return lines

    def type(self, line: str) -> list[str]:
        """Open a console, type a line, and return what the console shows then."""
        console, transport = self.open()
        console.dataReceived(line.encode() + b"\n")
        self.server.run_pending()
        return self.shown(transport)


class Commands(AdminConsole):
    def test_console_says_where_help_is(self) -> None:
        transport = StringTransport()
        self.consoles.attach_terminal(lambda console: console.makeConnection(transport))
        self.assertIn("HELP", self.shown(transport)[0])

    def test_help_lists_every_command(self) -> None:
        lines = self.type("HELP")
        self.assertEqual(
            [line.split()[0] for line in lines[1:]],
            ["HELP", "KICK", "LIST_USERS", "ADMIN", "EXIT", "anything"],
        )
        self.assertEqual(lines[0], "Commands: HELP, KICK, LIST_USERS, ADMIN, EXIT")
        for line, command in zip(lines[1:], COMMANDS.values(), strict=False):
            self.assertIn(command.help, line)

    def test_list_users_shows_who_is_online(self) -> None:
        self.server.guest("bob")
        self.server.guest("ann")
        self.assertEqual(self.type("LIST_USERS"), ["Host ann bob"])

    def test_kick_disconnects_a_user_who_may_return(self) -> None:
        ann = self.server.guest("Ann")
        self.assertIn("kicked Ann", self.type("KICK ann"))
        self.assertEqual(ann.closed and ann.closed[0], 4002)
        self.server.guest("ann")

    def test_kick_of_an_unknown_name_is_an_error(self) -> None:
        self.assertEqual(self.type("KICK ann"), ["there is no user ann"])

    def test_exit_stops_the_server(self) -> None:
        self.type("EXIT")
        self.assertEqual(self.stopped, 1)

    def test_line_that_looks_like_a_command_is_not_sent(self) -> None:
        ann = self.server.guest("ann")
        for line, hint in (
            ("KICK", "the command is: KICK NAME"),
            ("kick", "the command is: KICK NAME"),
            ("KICK ann jones", "the command is: KICK NAME"),
            ("HELP ME PLEASE", "the command is: HELP"),
            ("/exit the chat", "the command is: EXIT"),
            ("KCIK ann", "did you mean KICK?"),
            ("LIST_USER", "did you mean LIST_USERS?"),
            ("/list", "there is no command /list"),
            ("BAN ann", "there is no command BAN"),
            ("/me waves to all", "there is no command /me"),
        ):
            [shown] = self.type(line)
            self.assertIn(hint, shown)
            self.assertIn("begin it with a space", shown)
        self.assertEqual((ann.pushes("c_speak"), self.stopped), ([], 0))
        self.type(" KICK ann jones")
        self.assertEqual(ann.pushes("c_speak")[0]["msg"], "KICK ann jones")


class AdminLines(AdminConsole):
    """`ADMIN` and what looks like it; the commands themselves are in `test_admin`."""

    def test_a_result_is_shown_on_the_screen(self) -> None:
        self.server.member("ann")
        lines = self.type("ADMIN accounts list")
        self.assertEqual([line.split()[0] for line in lines], ["NAME", "ann"])

    def test_help_and_errors_are_shown(self) -> None:
        self.assertIn("accounts list [--search SEARCH]", "".join(self.type("ADMIN help")))
        self.assertIn("'accounts', but: accounts list, ", "".join(self.type("ADMIN accounts")))
        self.assertIn("ID: its number", "".join(self.type("ADMIN help bans remove")))
        [shown] = self.type("ADMIN accounts set-password ann")
        self.assertIn("use gtchat admin accounts set-password", shown)
        self.assertEqual(self.type("ADMIN announce it's on")[-1], "sent to 1 user")

    def test_a_request_of_gtchat_admin_is_answered_once(self) -> None:
        console, transport = self.consoles.buildProtocol(None), Socket(0)
        console.makeConnection(transport)
        console.dataReceived(ADMIN_LINE + b"\nnonsense\n")
        self.server.clock.advance(OPENING_S)
        self.server.run_pending()
        ready, answer = transport.value().splitlines()
        self.assertEqual(ready, READY)
        self.assertIn(b'"bad_request"', answer)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(self.consoles.consoles, [])
        console.connectionLost()

    def test_a_result_that_gtchat_admin_would_not_read_is_refused(self) -> None:
        self.patch(lines, "MAX_REPLY", 200)
        console, transport = self.consoles.buildProtocol(None), Socket(0)
        console.makeConnection(transport)
        console.dataReceived(ADMIN_LINE + b'\n{"name": "help"}\n')
        self.server.run_pending()
        answer = json.loads(transport.value().splitlines()[-1])
        self.assertEqual((answer["status"], answer["code"]), ("error", "too_long"))

    def test_gtchat_admin_does_not_wait_for_a_command_that_has_an_unexpected_error(self) -> None:
        console, transport = self.consoles.buildProtocol(None), Socket(0)
        console.makeConnection(transport)
        self.patch(self.consoles.admin, "answer", mock.Mock(side_effect=KeyError))
        console.dataReceived(ADMIN_LINE + b"\n{}\n")
        self.server.run_pending()
        self.assertTrue(transport.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_a_long_command_tells_how_far_it_is_if_that_is_asked(self) -> None:
        reports: list[tuple[float, int, int]] = [
            *((0, 0, 1000), (0, 9, 1000), (0, 10, 1000), (0, 19, 1000)),
            *((SILENCE_S, 19, 1000), (1, 19, 1000), (0, 1000, 1000)),
        ]

        def give_back(progress: Progress) -> Deferred[SpaceGivenBack]:
            for seconds, *so_far in reports:
                self.server.clock.advance(seconds)
                progress(*so_far)
            return succeed(SpaceGivenBack({}, {}))

        self.patch(self.server.store, "give_back", give_back)
        for asked, told in ((True, [0, 10, 19, 1000]), (False, [])):
            console, transport = self.consoles.buildProtocol(None), Socket(0)
            console.makeConnection(transport)
            request = json.dumps({"name": "vacuum", "progress": asked}).encode()
            console.dataReceived(ADMIN_LINE + b"\n" + request + b"\n")
            self.server.run_pending()
            _, *lines, answer = transport.value().splitlines()
            self.assertEqual(
                [json.loads(one)["progress"] for one in lines], [[one, 1000] for one in told]
            )
            self.assertEqual(json.loads(answer)["status"], "ok")

    def test_a_console_that_sends_nothing_opens_soon(self) -> None:
        console, transport = self.consoles.buildProtocol(None), Socket(0)
        console.makeConnection(transport)
        self.assertEqual(transport.value(), b"")
        self.server.clock.advance(OPENING_S)
        self.server.run_pending()
        self.assertIn(b"HELP lists", transport.value())
        console.dataReceived(ADMIN_LINE + b"\n")
        self.server.run_pending()
        self.assertIn(b"administration", transport.value().replace(b"ADMIN", b"administration"))

    def test_a_console_that_goes_at_once_is_forgotten(self) -> None:
        console = self.consoles.buildProtocol(None)
        console.makeConnection(Socket(0))
        console.connectionLost()
        self.server.clock.advance(OPENING_S)
        self.assertEqual(self.consoles.consoles, [])


class Order(AdminConsole):
    def test_line_takes_effect_after_those_before_it(self) -> None:
        """Also the first lines, which come before Host is logged in."""
        ann = self.server.guest("ann")
        transport = StringTransport()
        self.consoles.attach_terminal(lambda console: console.makeConnection(transport))
        self.consoles.consoles[0].dataReceived(b"goodbye ann\nKICK ann\nLIST_USERS\n")
        self.server.run_pending()
        self.assertEqual(ann.pushes("c_speak")[0]["msg"], "goodbye ann")
        self.assertEqual(ann.closed and ann.closed[0], 4002)
        self.assertEqual(self.shown(transport)[-2:], ["kicked ann", "Host"])

    def test_console_is_read_no_further_while_many_lines_wait(self) -> None:
        ann = self.server.guest("ann")
        console, transport = self.open()
        lines = [f"line {number}" for number in range(3 * LINES_LIMIT)]
        console.dataReceived("".join(f"{line}\n" for line in lines).encode())
        self.assertEqual(len(console._lines), LINES_LIMIT)
        self.assertEqual(transport.producerState, "paused")
        self.server.run_pending()
        self.assertEqual(transport.producerState, "producing")
        self.assertEqual([push["msg"] for push in ann.pushes("c_speak")], lines)

    def test_end_of_the_input_closes_after_the_last_answer(self) -> None:
        self.server.guest("ann")
        console, transport = self.open()
        console.dataReceived(b"hello\nKICK ann")
        console.readConnectionLost()
        self.assertFalse(transport.disconnecting)
        self.server.run_pending()
        self.assertIn("kicked ann", self.shown(transport)[-1])
        self.assertTrue(transport.disconnecting)

    def test_end_of_an_idle_input_closes_at_once(self) -> None:
        for end in ("readConnectionLost", "writeConnectionLost"):
            console, transport = self.open()
            getattr(console, end)()
            self.assertTrue(transport.disconnecting)

    def test_console_that_does_not_read_misses_events_and_no_answers(self) -> None:
        console, transport = self.open()
        ann = self.server.guest("ann")
        self.shown(transport)
        console.output.pauseProducing()
        for _ in range(3):
            ann.call("speak", room_name="lobby", msg="hi")
        console.dataReceived(b"LIST_USERS\n")
        self.assertEqual(self.shown(transport), ["Host ann"])
        console.output.resumeProducing()
        console.output.stopProducing()
        self.assertEqual(self.shown(transport), ["3 events were not shown"])


class Screen(AdminConsole):
    """A console on a terminal."""

    def setUp(self) -> None:
        super().setUp()
        self.consoles.where = "ws://localhost:9000/"

    def open(self) -> tuple[Console, StringTransport]:
        transport = StringTransport()
        self.consoles.attach_terminal(lambda console: console.makeConnection(transport), True)
        self.server.run_pending()
        return self.consoles.consoles[-1], transport

    def screen(self, transport: StringTransport) -> str:
        """Return what is shown since the last call, with each time as [T]."""
        text = re.sub(r"\[\d\d:\d\d:\d\d\]", "[T]", transport.value().decode())
        transport.clear()
        return text

    def test_screen_is_that_of_the_original(self) -> None:
        console, transport = self.open()
        bar = "#" * 66
        self.assertEqual(
            self.screen(transport),
            f"{bar}\nChat running ws://localhost:9000/\n{bar}\n\n[T] Host > ",
        )
        ann = self.server.guest("ann")
        entered = "\n\n[*] ann entered.\n\nUSERS: [Host,ann]\n[T] Host > "
        self.assertEqual(self.screen(transport), entered)
        ann.call("speak", room_name="lobby", msg="hi")
        self.assertEqual(self.screen(transport), "\n[T] ann > hi\n[T] Host > ")
        console.dataReceived(b"LIST_USERS\nhello\n")
        self.server.run_pending()
        self.assertEqual(self.screen(transport), "USERS: [Host,ann]\n[T] Host > [T] Host > ")
        console.dataReceived(b"KICK ann\n")
        self.server.run_pending()
        kicked = "\n\n[*] ann has been kicked out.\n\nUSERS: [Host]\n[T] Host > "
        self.assertEqual(self.screen(transport), kicked)
        self.server.guest("ann").call("logout")
        left = "\n\n[*] ann exited.\n\nUSERS: [Host]\n[T] Host > "
        self.assertTrue(self.screen(transport).endswith(left))

    def test_the_screen_says_that_a_user_at_another_node_is_kicked(self) -> None:
        other, self.server = nodes(2)
        self.consoles = ConsoleServer(self.server.chat, self.stop)
        console, transport = self.open()
        ann = other.guest("ann")
        self.assertIn("USERS: [Host,ann]", self.screen(transport))
        console.dataReceived(b"KICK ann\n")
        self.server.run_pending()
        self.assertIsNotNone(ann.closed)
        shown = self.screen(transport)
        self.assertIn("kicked ann\n", shown)
        self.assertIn("USERS: [Host]", shown)

    def test_what_cannot_be_undone_is_asked_for(self) -> None:
        self.server.member("ann").call("create_room", room_name="Garden")
        console, transport = self.open()
        for line, shown in (
            ("rooms delete", "name: this argument is missing."),
            ("rooms delete Garden", "Delete the room Garden with all of its messages, for good?"),
            ("rooms delete Garden --yes", "deleted the room Garden"),
        ):
            transport.clear()
            console.dataReceived(f"ADMIN {line}\n".encode())
            self.server.run_pending()
            self.assertIn(shown, self.screen(transport))

    def test_lists_fit_a_terminal(self) -> None:
        self.server.member("ann")
        console, transport = self.open()
        transport.clear()
        console.dataReceived(b"ADMIN sessions list ann\nADMIN audit\n")
        self.server.run_pending()
        lines = self.screen(transport).splitlines()
        self.assertLessEqual(max(map(len, lines)), 80 + len("[T] Host > "), lines)

    def test_list_of_users_is_bounded(self) -> None:
        _, transport = self.open()
        self.patch(console_output, "LIST_LIMIT", 2)
        for name in ("ann", "bob", "eve"):
            self.server.guest(name)
        self.assertIn("USERS: [Host,ann,2 more]\n", self.screen(transport))

    def test_client_of_the_socket_on_a_terminal_gets_a_screen(self) -> None:
        console = self.consoles.buildProtocol(None)
        transport = Socket(os.getuid())
        console.makeConnection(transport)
        console.dataReceived(SCREEN_LINE + b"\n")
        self.assertIn("Chat running ws://localhost:9000/", self.screen(transport))
        self.assertTrue(console.output.screen)


class Messages(AdminConsole):
    def test_other_lines_are_sent_to_the_lobby_as_host(self) -> None:
        ann = self.server.guest("ann")
        self.type("hello all")
        [push] = ann.pushes("c_speak")
        self.assertEqual((push["usr"], push["msg"]), ("Host", "hello all"))

    def test_long_line_is_sent_in_several_messages(self) -> None:
        ann = self.server.guest("ann")
        self.type("0123456789" * 5)
        texts = [push["msg"] for push in ann.pushes("c_speak")]
        self.assertEqual(texts, ["01234567890123456789"] * 2 + ["0123456789"])

    def test_empty_line_sends_nothing(self) -> None:
        ann = self.server.guest("ann")
        self.assertEqual(self.type("  "), [])
        self.assertEqual(ann.pushes("c_speak"), [])

    def test_control_characters_are_removed(self) -> None:
        ann = self.server.guest("ann")
        self.type("a\x1b[2Jb\r")
        self.assertEqual([push["msg"] for push in ann.pushes("c_speak")], ["a[2Jb"])

    def test_line_that_is_too_long_is_rejected(self) -> None:
        console, transport = self.open()
        console.dataReceived(b"x" * (LINE_BYTES + 1) + b"\nLIST_USERS\n")
        self.server.run_pending()
        self.assertEqual(self.shown(transport)[0], f"a line has at most {LINE_BYTES} bytes")

    def test_message_that_is_not_stored_is_reported(self) -> None:
        def speak(host: object, room: str, text: str, txn: None, done: Any) -> None:
            done(NotStored())

        self.patch(self.server.chat, "speak", speak)
        self.assertEqual(self.type("hello"), [NotStored().text])

    def test_events_of_the_lobby_are_shown(self) -> None:
        _, transport = self.open()
        ann = self.server.guest("ann")
        ann.call("speak", room_name="lobby", msg="hi")
        ann.call("logout")
        shown = [line[11:] for line in self.shown(transport)]
        self.assertEqual(shown[0], "[*] ann entered.")
        self.assertEqual(shown[1:], ["ann > hi", "[*] ann exited."])

    def test_many_logins_at_once_are_shown_one_per_line(self) -> None:
        _, transport = self.open()
        lines = [self.server.connect() for _ in range(30)]
        for number, line in enumerate(lines):
            line.send("login", type="tmp", usr=f"u{number}")
        self.server.run_pending()
        self.server.clock.advance(2)
        self.server.run_pending()
        shown = self.shown(transport)
        self.assertEqual(len(shown), 30)
        self.assertTrue(all(line.endswith(" entered.") for line in shown), shown)


class Consoles(AdminConsole):
    def test_all_consoles_share_one_session(self) -> None:
        first, second = self.open(), self.open()
        first[0].dataReceived(b"hello\n")
        self.server.run_pending()
        self.assertEqual(self.shown(first[1]), self.shown(second[1]))
        first[0].dataReceived(b"LIST_USERS\n")
        self.server.run_pending()
        self.assertEqual((self.shown(first[1]), self.shown(second[1])), (["Host"], []))

    def test_closed_console_shows_nothing_more_and_host_stays(self) -> None:
        (first, gone), (second, transport) = self.open(), self.open()
        first.connectionLost()
        first.connectionLost()
        second.dataReceived(b"LIST_USERS\n")
        self.server.guest("ann")
        self.assertEqual(self.shown(gone), [])
        self.assertEqual(self.shown(transport)[0], "Host")

    def test_consoles_that_open_together_log_in_once(self) -> None:
        first, second = self.consoles.host(), self.consoles.host()
        self.server.run_pending()
        session = self.successResultOf(first)
        self.assertIs(self.successResultOf(second), session)
        self.assertIs(self.successResultOf(self.consoles.host()), session)

    def test_failed_login_is_tried_again(self) -> None:
        log = RecordingLog()
        self.patch(background, "_log", log.logger)

        async def login_host(*details: object) -> None:
            raise NameTaken

        failing = self.patch(self.server.chat.logins, "login_host", login_host)
        console, transport = self.open()
        self.assertEqual(log.warnings, ["opening the admin console failed: name_taken"])
        console.dataReceived(b"hello\n")
        self.assertEqual(self.shown(transport), [NameTaken().text])
        failing.restore()
        console.dataReceived(b"hello\n")
        self.server.run_pending()
        self.assertEqual(self.server.chat.users.get("host"), self.consoles._host.user)

    def test_session_of_host_is_not_closed(self) -> None:
        console, transport = self.open()
        host = self.successResultOf(self.consoles.host())
        host.connection.close(None, "replaced")
        self.assertFalse(transport.disconnecting)
        self.assertEqual(self.consoles.consoles, [console])


class Permission(AdminConsole):
    def connect(self, user_id: int) -> Socket:
        transport = Socket(user_id)
        self.consoles.buildProtocol(None).makeConnection(transport)
        self.server.clock.advance(OPENING_S)
        return transport

    def test_user_of_the_server_and_root_may_open_the_socket(self) -> None:
        for user_id in (os.getuid(), 0):
            transport = self.connect(user_id)
            self.assertIn(b"HELP", transport.value())

    def test_other_users_are_disconnected(self) -> None:
        log = RecordingLog()
        self.patch(admin_console, "_log", log.logger)
        transport = self.connect(os.getuid() + 1)
        self.assertEqual((transport.value(), transport.disconnecting), (b"", True))
        self.assertEqual(self.consoles.consoles, [])
        self.assertEqual(log.warnings, ["another user tried to open the admin console"])

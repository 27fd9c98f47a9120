"""The console's lines: what is typed becomes requests, what fails is said, how it ends."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import timezone
from typing import Any

from twisted.internet.defer import Deferred

from gtchat.ui.interpreter import FAILED, GOOD, INTERRUPTED, NO_CONNECTION
from gtchat.ui.line_mode import Shell
from gtchat.ui.rendering import Renderer
from gtchat.ui.terminal import Lines, Screen
from tests.client.fakes import ConnectedTestCase, resumed, spoken, welcome

GARDEN = {"room": {"room_name": "garden", "last_seq": 1}}


class FakeInput:
    """Where lines come from; remembers whether what is typed was shown."""

    def __init__(self, is_terminal: bool) -> None:
        self.is_terminal = is_terminal
        self.echoes: list[bool] = []
        self.echo = self.echoes.append

    def pause(self) -> None:
        """Lines are put by the test."""

    resume = pause


class ShellTestCase(ConnectedTestCase):
    is_terminal = False

    def setUp(self) -> None:
        super().setUp()
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        self.server.answers["login"] = welcome()
        self.output, self.errors = io.StringIO(), io.StringIO()
        self.lines = Lines()
        self.input: Any = FakeInput(self.is_terminal)
        self.lines.input = self.input
        screen = Screen(self.output, self.errors, False, lambda: None)
        renderer = Renderer(screen.paint, timezone.utc)
        self.shell = Shell(self.connection, self.lines, screen, renderer, self.clock)

    def start(self, first: Sequence[str] = ()) -> None:
        self.running = Deferred.fromCoroutine(self.shell.run(first))
        self.server.pump()

    def type(self, *lines: str) -> None:
        for line in lines:
            self.shell.typed(line.encode())
            self.server.pump()

    def finish(self) -> int:
        """There are no more lines; the exit status."""
        self.lines.end()
        self.server.pump()
        self.successResultOf(self.running)
        return self.shell.status

    def shown(self) -> list[str]:
        return self.output.getvalue().splitlines()

    def complaints(self) -> list[str]:
        return self.errors.getvalue().splitlines()


class PipeTests(ShellTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start()

    def test_a_line_is_said_in_the_current_room(self) -> None:
        self.server.answers["create_room"] = GARDEN
        self.type("/guest ann", "hello", "/create garden", "nice here", "//not a command")
        self.assertEqual(
            [(said["room_name"], said["msg"]) for said in self.server.asked("speak")],
            [("lobby", "hello"), ("garden", "nice here"), ("garden", "/not a command")],
        )

    def test_lines_are_done_one_after_the_other(self) -> None:
        self.server.answers["speak"] = None
        self.type("one", "two")
        self.assertEqual(len(self.server.requests), 1)
        self.server.reply(self.server.requests[0])
        self.server.pump()
        self.assertEqual(self.server.requests[1]["msg"], "two")

    def test_at_the_end_all_replies_are_waited_for(self) -> None:
        self.server.answers["speak"] = None
        self.type("one")
        self.lines.end()
        self.server.pump()
        self.assertNoResult(self.running)
        self.server.reply(self.server.requests[0])
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual(self.server.codes, [1000])
        self.assertEqual(self.shell.status, GOOD)

    def test_a_failed_command_is_said_and_makes_the_status(self) -> None:
        self.server.answers["join_room"] = {"code": "no_such_room", "msg": "There is none."}
        self.type("/join nowhere", "/ping")
        self.assertEqual(
            self.complaints(),
            ["error: There is none. (no_such_room): /rooms lists them, /create ROOM makes one"],
        )
        self.assertEqual(self.finish(), FAILED)

    def test_json_is_sent_as_it_is_and_its_reply_shown(self) -> None:
        line = '{"cmd":"ping", "tracker": 7}'
        self.type(line)
        self.assertEqual(self.server.lines, [line])
        self.assertEqual(json.loads(self.shown()[0])["tracker"], "7")
        self.assertEqual(self.finish(), GOOD)

    def test_json_that_is_refused_makes_the_status(self) -> None:
        self.server.answers["nonsense"] = {"code": "unknown_cmd"}
        self.type('{"cmd":"nonsense"}')
        self.assertIn("unknown_cmd", self.shown()[0])
        self.assertEqual(self.finish(), FAILED)

    def test_a_login_by_json_is_a_login(self) -> None:
        self.type('{"cmd":"login","type":"tmp","usr":"ann"}')
        self.assertEqual(self.connection.user, "ann")

    def test_what_the_server_wants_slower_is_sent_again(self) -> None:
        for line, cmd in (("hi", "speak"), ('{"cmd":"ping"}', "ping")):
            self.server.answers[cmd] = {"code": "rate_limited", "retry_after": 0.5}
            self.type(line)
            self.server.answers[cmd] = {}
            self.clock.advance(0.5)
            self.server.pump()
            self.assertEqual(len(self.server.asked(cmd)), 2)
        self.assertEqual(self.finish(), GOOD)

    def test_in_a_pipe_the_password_is_the_next_line(self) -> None:
        self.type("/login ann", "password1", "hello")
        self.assertEqual(self.server.asked("login")[0]["pwd"], "password1")
        self.assertEqual(self.server.asked("speak")[0]["msg"], "hello")
        self.assertEqual(self.input.echoes, [])

    def test_a_password_that_does_not_come_is_said(self) -> None:
        self.type("/login ann")
        self.assertEqual(self.finish(), FAILED)
        self.assertEqual(self.complaints(), ["error: Password: there is no more input"])

    def test_a_line_that_is_not_utf8_is_not_sent(self) -> None:
        self.shell.typed(b"caf\xe9")
        self.server.pump()
        self.assertEqual(self.server.requests, [])
        self.assertEqual(self.finish(), FAILED)

    def test_empty_lines_do_nothing(self) -> None:
        self.type("", "  ")
        self.assertEqual(self.server.requests, [])

    def test_quit_ends_behind_what_was_typed_before(self) -> None:
        self.type("hello", "/quit", "not any more")
        self.successResultOf(self.running)
        self.assertEqual(len(self.server.asked("speak")), 1)

    def test_what_happens_is_shown_safely(self) -> None:
        self.type("/guest ann")
        self.server.say(1, "bob", msg="\x1b[2Jhi")
        self.server.pump()
        self.assertEqual(self.shown()[-1], "07:08 #lobby <bob> \\x1b[2Jhi")

    def test_a_loss_is_said_and_nothing_is_lost(self) -> None:
        self.type("/guest ann")
        self.server.answers["resume"] = resumed(spoken(1))
        self.server.drop()
        self.type("said meanwhile")
        self.reconnect()
        self.assertEqual(
            self.shown()[-3:],
            [
                "* connection lost (closed by the server); trying again",
                "* connected again",
                "07:08 #lobby <bob> text 1",
            ],
        )
        self.assertEqual(self.server.asked("speak")[0]["msg"], "said meanwhile")

    def test_a_connection_that_ends_for_good_makes_the_status(self) -> None:
        self.server.answers["ping"] = None
        self.type("/ping", "/ping")
        self.server.close(4001)
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual(self.shell.status, NO_CONNECTION)
        self.assertIn("another client", self.complaints()[-1])

    def test_an_answer_that_was_lost_is_said(self) -> None:
        self.server.answers["create_room"] = None
        self.type("/create garden")
        self.server.drop()
        self.assertIn("see whether it was done", self.complaints()[0])

    def test_help_is_shown(self) -> None:
        self.type("/help")
        self.assertIn("  /ping", self.output.getvalue())


class PlaceTests(ShellTestCase):
    """Where one speaks follows where one is."""

    def setUp(self) -> None:
        super().setUp()
        self.start(["/guest ann"])
        self.server.answers["join_room"] = GARDEN
        self.type("/join garden")

    def room(self) -> str:
        self.type("here")
        room: str = self.server.asked("speak")[-1]["room_name"]
        return room

    def test_joining_goes_there(self) -> None:
        self.assertEqual(self.room(), "garden")

    def test_joining_where_one_is_already_goes_there_too(self) -> None:
        self.type("/room lobby")
        self.server.answers["join_room"] = {"code": "already_in_room"}
        self.type("/join garden")
        self.assertEqual(self.room(), "garden")
        self.assertEqual(self.finish(), GOOD)

    def test_leaving_goes_to_the_lobby(self) -> None:
        self.type("/leave")
        self.assertEqual(self.room(), "lobby")

    def test_being_put_out_goes_to_the_lobby(self) -> None:
        for kind in ("kicked", "removed"):
            self.type("/join garden")
            self.server.push(
                cmd="c_event", type=kind, usr="ann", by="eve", room_name="garden", seq=9
            )
            self.server.pump()
            self.assertEqual(self.room(), "lobby")

    def test_somebody_elses_going_does_not(self) -> None:
        self.server.push(cmd="c_event", type="leave_room", usr="eve", room_name="garden", seq=9)
        self.server.pump()
        self.assertEqual(self.room(), "garden")

    def test_a_room_that_is_gone_leads_to_the_lobby(self) -> None:
        self.server.push(cmd="c_event", type="room_gone", usr="eve", room_name="garden")
        self.server.pump()
        self.assertEqual(self.room(), "lobby")

    def test_an_invitation_can_be_taken_without_naming_it(self) -> None:
        self.server.push(cmd="c_invited", usr="eve", room_name="tower", msg="come")
        self.server.pump()
        self.server.answers["invite_reply"] = {"room": {"room_name": "tower"}}
        self.type("/accept")
        (request,) = self.server.asked("invite_reply")
        self.assertEqual((request["inviter"], request["reply"]), ("eve", "Y"))
        self.assertEqual(self.room(), "tower")


class FirstLinesTests(ShellTestCase):
    def test_in_a_pipe_nothing_is_said_if_coming_in_fails(self) -> None:
        self.server.answers["login"] = {"code": "name_taken"}
        self.lines.put(b"secret plans")
        self.start(["/guest ann"])
        self.successResultOf(self.running)
        self.assertEqual(self.server.asked("speak"), [])
        self.assertEqual(self.shell.status, FAILED)


class TerminalTests(ShellTestCase):
    is_terminal = True

    def setUp(self) -> None:
        super().setUp()
        self.start()

    def test_a_password_is_asked_for_and_not_shown(self) -> None:
        self.type("/login ann")
        self.assertEqual(self.input.echoes, [False])
        self.assertEqual(self.output.getvalue(), "Password: ")
        self.type("password1")
        self.assertEqual(self.input.echoes, [False, True])
        self.assertEqual(self.server.asked("login")[0]["pwd"], "password1")

    def test_a_new_password_is_typed_twice(self) -> None:
        self.type("/register ann", "password1", "password1")
        self.assertEqual(self.server.asked("register")[0]["pwd"], "password1")

    def test_a_new_password_that_was_mistyped_is_not_sent(self) -> None:
        self.type("/register ann", "password1", "password2")
        self.assertEqual(self.server.requests, [])
        self.assertIn("not the same", self.complaints()[0])

    def test_quit_does_not_wait_for_a_connection(self) -> None:
        self.server.refuses = True
        self.server.drop()
        self.type("hello", "/quit")
        self.successResultOf(self.running)

    def test_an_interrupt_before_anything_was_sent_has_its_own_status(self) -> None:
        self.shell.interrupt()
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual(self.shell.status, INTERRUPTED)
        self.assertEqual(self.server.codes, [1000])

    def test_an_interrupt_after_talking_is_a_good_end(self) -> None:
        self.type("/guest ann")
        self.shell.interrupt()
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual(self.shell.status, GOOD)
        self.assertEqual(self.complaints(), [])

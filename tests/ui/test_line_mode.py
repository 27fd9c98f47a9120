"""Line mode: typed lines become requests, errors are shown, the exit status follows."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from datetime import timezone
from typing import Any

from twisted.internet.defer import Deferred

from gtchat.ui.interpreter import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_NO_CONNECTION, EXIT_OK
from gtchat.ui.line_mode import LineClient
from gtchat.ui.read_marks import LAST_TIMEOUT
from gtchat.ui.rendering import Renderer
from gtchat.ui.terminal import LineQueue, TerminalOutput
from tests.client.fakes import AT, ConnectedTestCase, resumed, spoken, welcome, whisper

GARDEN = {"room": {"room_name": "garden", "last_seq": 1}}


class FakeReader:
    """Stands for the terminal or pipe; records when the echo was switched."""

    def __init__(self, is_terminal: bool) -> None:
        self.is_terminal = is_terminal
        self.echoes: list[bool] = []
        self.echo = self.echoes.append

    def pause(self) -> None:
        """Do nothing: the test adds lines."""

    resume = pause


class LineModeTestCase(ConnectedTestCase):
    is_terminal = False

    def setUp(self) -> None:
        super().setUp()
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        self.server.answers["login"] = welcome()
        self.output, self.errors = io.StringIO(), io.StringIO()
        self.lines = LineQueue()
        self.reader: Any = FakeReader(self.is_terminal)
        self.lines.reader = self.reader
        output = TerminalOutput(self.output, self.errors, False, lambda: None)
        renderer = Renderer(output.paint, timezone.utc)
        self.client = LineClient(self.connection, self.clock, self.lines, output, renderer)

    def start(self, startup: Sequence[str] = ()) -> None:
        self.running = Deferred.fromCoroutine(self.client.run(startup))
        self.server.pump()

    def type(self, *lines: str) -> None:
        for line in lines:
            self.client.line_typed(line.encode())
            self.server.pump()

    def finish(self) -> int:
        """End the input; return the exit status."""
        self.lines.end()
        self.server.pump()
        self.successResultOf(self.running)
        return self.client.exit_status

    def shown(self) -> list[str]:
        return self.output.getvalue().splitlines()

    def error_lines(self) -> list[str]:
        return self.errors.getvalue().splitlines()


class PipeTests(LineModeTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start()

    def test_a_line_is_sent_to_the_current_room(self) -> None:
        self.server.answers["create_room"] = GARDEN
        self.type("/guest ann", "hello", "/create garden", "nice here", "//not a command")
        self.assertEqual(
            [(sent["room_name"], sent["msg"]) for sent in self.server.asked("speak")],
            [("lobby", "hello"), ("garden", "nice here"), ("garden", "/not a command")],
        )

    def test_lines_are_executed_one_after_the_other(self) -> None:
        self.server.answers["speak"] = None
        self.type("one", "two")
        self.assertEqual(len(self.server.requests), 1)
        self.server.reply(self.server.requests[0])
        self.server.pump()
        self.assertEqual(self.server.requests[1]["msg"], "two")

    def test_at_the_end_of_input_open_requests_are_awaited(self) -> None:
        self.server.answers["speak"] = None
        self.type("one")
        self.lines.end()
        self.server.pump()
        self.assertNoResult(self.running)
        self.server.reply(self.server.requests[0])
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual(self.server.codes, [1000])
        self.assertEqual(self.client.exit_status, EXIT_OK)

    def test_a_failed_command_is_shown_and_sets_the_exit_status(self) -> None:
        self.server.answers["join_room"] = {"code": "no_such_room", "msg": "There is none."}
        self.type("/join nowhere", "/ping")
        self.assertEqual(
            self.error_lines(),
            [
                "error: There is none. (no_such_room): "
                "/rooms lists the rooms, /create ROOM creates one"
            ],
        )
        self.assertEqual(self.finish(), EXIT_FAILED)

    def test_json_is_sent_unchanged_and_its_reply_shown(self) -> None:
        line = '{"cmd":"ping", "tracker": 7}'
        self.type(line)
        self.assertEqual(self.server.lines, [line])
        self.assertEqual(json.loads(self.shown()[0])["tracker"], "7")
        self.assertEqual(self.finish(), EXIT_OK)

    def test_a_json_request_that_fails_sets_the_exit_status(self) -> None:
        self.server.answers["nonsense"] = {"code": "unknown_cmd"}
        self.type('{"cmd":"nonsense"}')
        self.assertIn("unknown_cmd", self.shown()[0])
        self.assertEqual(self.finish(), EXIT_FAILED)

    def test_a_login_by_json_is_a_login(self) -> None:
        self.type('{"cmd":"login","type":"tmp","usr":"ann"}')
        self.assertEqual(self.connection.user, "ann")

    def test_rate_limited_requests_are_repeated(self) -> None:
        for line, cmd in (("hi", "speak"), ('{"cmd":"ping"}', "ping")):
            self.server.answers[cmd] = {"code": "rate_limited", "retry_after": 0.5}
            self.type(line)
            self.server.answers[cmd] = {}
            self.clock.advance(0.5)
            self.server.pump()
            self.assertEqual(len(self.server.asked(cmd)), 2)
        self.assertEqual(self.finish(), EXIT_OK)

    def test_in_a_pipe_the_password_is_the_next_line(self) -> None:
        self.type("/login ann", "password1", "hello")
        self.assertEqual(self.server.asked("login")[0]["pwd"], "password1")
        self.assertEqual(self.server.asked("speak")[0]["msg"], "hello")
        self.assertEqual(self.reader.echoes, [])

    def test_a_missing_password_is_an_error(self) -> None:
        self.type("/login ann")
        self.assertEqual(self.finish(), EXIT_FAILED)
        self.assertEqual(self.error_lines(), ["error: Password: end of input"])

    def test_a_line_that_is_not_utf8_is_not_sent(self) -> None:
        self.client.line_typed(b"caf\xe9")
        self.server.pump()
        self.assertEqual(self.server.requests, [])
        self.assertEqual(self.finish(), EXIT_FAILED)

    def test_empty_lines_do_nothing(self) -> None:
        self.type("", "  ")
        self.assertEqual(self.server.requests, [])

    def test_quit_ends_after_the_lines_before_it(self) -> None:
        self.type("hello", "/quit", "not any more")
        self.successResultOf(self.running)
        self.assertEqual(len(self.server.asked("speak")), 1)

    def test_events_are_shown_escaped(self) -> None:
        self.type("/guest ann")
        self.server.say(1, "bob", msg="\x1b[2Jhi")
        self.server.pump()
        self.assertEqual(self.shown()[-1], "07:08 #lobby <bob> \\x1b[2Jhi")

    def test_a_lost_connection_is_reported_and_no_message_is_lost(self) -> None:
        self.type("/guest ann")
        self.server.answers["resume"] = resumed(spoken(1))
        self.server.drop()
        self.type("sent meanwhile")
        self.reconnect()
        self.assertEqual(
            self.shown()[-3:],
            [
                "* connection lost (closed by the server); reconnecting",
                "* reconnected",
                "07:08 #lobby <bob> text 1",
            ],
        )
        self.assertEqual(self.server.asked("speak")[0]["msg"], "sent meanwhile")

    def test_a_closed_connection_sets_the_exit_status(self) -> None:
        self.server.answers["ping"] = None
        self.type("/ping", "/ping")
        self.server.close(4001, "replaced")
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual(self.client.exit_status, EXIT_NO_CONNECTION)
        self.assertIn("logged in elsewhere", self.error_lines()[-1])

    def test_a_lost_reply_is_reported(self) -> None:
        self.server.answers["register"] = None
        self.type("/register bob", "password1", "password1")
        self.server.drop()
        self.assertIn("check whether it was executed", self.error_lines()[0])

    def test_me_says_what_the_user_does(self) -> None:
        self.type("/me waves  twice")
        (request,) = self.server.asked("speak")
        said = request["room_name"], request["msg"], request["style"]
        self.assertEqual(said, ("lobby", "waves  twice", "action"))

    def test_help_is_shown(self) -> None:
        self.type("/help")
        self.assertIn("  /ping", self.output.getvalue())


class UnreadTests(LineModeTestCase):
    def test_what_was_shown_is_not_marked_after_unread(self) -> None:
        self.server.answers["mark_unread"] = {"read_seq": 6, "msg": "Marked as unread."}
        self.start(["/guest ann"])
        self.server.say(7)
        self.server.pump()
        self.type("/unread 7")
        self.assertEqual(self.shown()[-1], "* Marked as unread.")
        self.assertEqual(self.server.asked("mark_unread")[0]["seq"], 7)
        self.clock.advance(10)
        self.server.pump()
        self.assertEqual(self.server.asked("mark_read"), [])


class SearchTests(LineModeTestCase):
    """/search asks the server and shows what it finds."""

    def search(self, *entries: dict[str, Any], **fields: Any) -> list[str]:
        """Return the lines that a search shows. entries: what the server finds."""
        self.start(["/guest ann"])
        self.server.answers["search"] = {"entries": list(entries), "more": False} | fields
        before = len(self.shown())
        self.type('/search "tea" from:bob')
        return self.shown()[before:]

    def test_messages_are_shown_oldest_first_with_date_room_and_sender(self) -> None:
        lines = self.search(spoken(9, msg="steal\nthis\x1b"), spoken(2, msg="Tea?"))
        self.assertEqual(
            lines,
            [
                '* 2 messages for ""tea" from:bob"',
                "2030-05-06 07:08 #lobby <bob> Tea?",
                "2030-05-06 07:08 #lobby <bob> steal",
                "      | this\\x1b",
            ],
        )
        (request,) = self.server.asked("search")
        self.assertEqual((request["q"], request["limit"]), ('"tea" from:bob', 20))
        self.assertNotIn("room_name", request)

    def test_direct_messages_are_shown_with_both_users(self) -> None:
        direct = {**spoken(3, msg="tea"), "cmd": "c_whisper", "to": "a\x1b", "direct": 9}
        del direct["room_name"]
        lines = self.search({**direct, "blocked": True}, {**direct, "marks": [[0, 3]]})
        self.assertEqual(
            lines[1:],
            [
                "2030-05-06 07:08 <bob> direct message to a\\x1b: tea",
                "2030-05-06 07:08 direct message * hidden: you block this user",
            ],
        )

    def test_it_says_what_is_missing(self) -> None:
        for fields, end in (
            ({}, ""),
            ({"more": True}, "; there are older ones, use before:DAY"),
            (
                {"more": True, "incomplete": True},
                "; the search took too long, older ones are missing",
            ),
        ):
            self.setUp()
            self.assertEqual(
                self.search(**fields), [f'* no messages for ""tea" from:bob"{end}'], fields
            )

    def test_messages_of_blocked_users_are_hidden(self) -> None:
        lines = self.search({**spoken(1, "eve", msg="tea"), "blocked": True})
        self.assertEqual(lines[1], "2030-05-06 07:08 #lobby * hidden: you block this user")

    def test_a_failure_is_shown(self) -> None:
        self.start(["/guest ann"])
        self.server.answers["search"] = {"code": "rate_limited", "msg": "Wait.", "retry_after": 2}
        self.type("/search tea")
        self.assertEqual(self.error_lines(), ["error: Wait. (rate_limited): try again in 2 s"])


class ReadMarkTests(LineModeTestCase):
    """What was shown in the current room is marked as read, and nothing else."""

    def setUp(self) -> None:
        super().setUp()
        self.start(["/guest ann"])

    def say(self, *seqs: int, room: str = "lobby") -> None:
        for seq in seqs:
            self.server.say(seq, room=room)
        self.server.pump()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.server.pump()

    def marked(self) -> list[tuple[str, int]]:
        return [(sent["room_name"], sent["seq"]) for sent in self.server.asked("mark_read")]

    def test_shown_messages_are_marked_once_in_two_seconds(self) -> None:
        self.say(1, 2)
        self.advance(1.9)
        self.assertEqual(self.marked(), [])
        self.say(3)
        self.advance(0.1)
        self.assertEqual(self.marked(), [("lobby", 3)])
        self.say(4)
        self.advance(1.9)
        self.assertEqual(self.marked(), [("lobby", 3)])
        self.advance(0.1)
        self.assertEqual(self.marked(), [("lobby", 3), ("lobby", 4)])

    def check_last_mark(self, end: Callable[[], object]) -> None:
        self.say(1, 2)
        end()
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual(self.marked(), [("lobby", 2)])

    def test_the_last_ones_are_marked_at_the_end_of_input(self) -> None:
        self.check_last_mark(self.finish)

    def test_the_last_ones_are_marked_at_quit(self) -> None:
        self.check_last_mark(lambda: self.type("/quit"))

    def test_the_last_ones_are_marked_at_an_interrupt(self) -> None:
        self.check_last_mark(self.client.interrupt)

    def test_other_rooms_and_events_are_not_marked(self) -> None:
        self.say(1, room="garden")
        self.server.push(cmd="c_event", type="login", usr="eve", at=AT)
        self.server.push(**whisper(1))
        self.server.answers["history"] = {"entries": [spoken(7)], "more": False}
        self.type("/history", "hello")
        self.advance(5)
        self.assertEqual(self.finish(), EXIT_OK)
        self.assertEqual(self.marked(), [])

    def test_a_room_that_was_the_current_one_is_marked_in_its_turn(self) -> None:
        self.say(1)
        self.server.answers["join_room"] = GARDEN
        self.type("/join garden")
        self.say(2, room="garden")
        self.advance(2)
        self.assertEqual(self.marked(), [("lobby", 1)])
        self.advance(2)
        self.assertEqual(self.marked(), [("lobby", 1), ("garden", 2)])

    def test_a_mark_waits_for_the_connection(self) -> None:
        self.say(1)
        self.server.refuses = True
        self.server.drop()
        self.advance(2)
        self.server.refuses = False
        self.server.answers["resume"] = resumed()
        for _ in range(30):
            self.advance(1)
        self.assertEqual(self.marked(), [("lobby", 1)])

    def test_the_end_does_not_wait_for_ever(self) -> None:
        self.say(1)
        self.server.answers["mark_read"] = None
        self.lines.end()
        self.server.pump()
        self.assertNoResult(self.running)
        self.advance(LAST_TIMEOUT)
        self.successResultOf(self.running)


class CurrentRoomTests(LineModeTestCase):
    """The current room follows joins, leaves and kicks."""

    def setUp(self) -> None:
        super().setUp()
        self.start(["/guest ann"])
        self.server.answers["join_room"] = GARDEN
        self.type("/join garden")

    def room(self) -> str:
        self.type("here")
        room: str = self.server.asked("speak")[-1]["room_name"]
        return room

    def test_joining_switches_to_the_room(self) -> None:
        self.assertEqual(self.room(), "garden")

    def test_joining_a_joined_room_switches_to_it(self) -> None:
        self.type("/room lobby")
        self.server.answers["join_room"] = {"code": "already_in_room"}
        self.type("/join garden")
        self.assertEqual(self.room(), "garden")
        self.assertEqual(self.finish(), EXIT_OK)

    def test_leaving_switches_to_the_lobby(self) -> None:
        self.type("/leave")
        self.assertEqual(self.room(), "lobby")

    def test_being_kicked_or_removed_switches_to_the_lobby(self) -> None:
        for kind in ("kicked", "removed"):
            self.type("/join garden")
            self.server.push(
                cmd="c_event", type=kind, usr="ann", by="eve", room_name="garden", seq=9
            )
            self.server.pump()
            self.assertEqual(self.room(), "lobby")

    def test_another_members_leaving_does_not(self) -> None:
        self.server.push(cmd="c_event", type="leave_room", usr="eve", room_name="garden", seq=9)
        self.server.pump()
        self.assertEqual(self.room(), "garden")

    def test_a_deleted_room_switches_to_the_lobby(self) -> None:
        self.server.push(cmd="c_event", type="room_gone", usr="eve", room_name="garden")
        self.server.pump()
        self.assertEqual(self.room(), "lobby")

    def test_the_last_invitation_is_the_default(self) -> None:
        self.server.push(cmd="c_invited", usr="eve", room_name="tower", msg="come")
        self.server.pump()
        self.server.answers["invite_reply"] = {"room": {"room_name": "tower"}}
        self.type("/accept")
        (request,) = self.server.asked("invite_reply")
        self.assertEqual((request["inviter"], request["reply"]), ("eve", "Y"))
        self.assertEqual(self.room(), "tower")


class StartupTests(LineModeTestCase):
    def test_a_moderator_who_logs_in_is_told_that_reports_wait(self) -> None:
        self.start()
        rooms: list[dict[str, Any]] = [
            {"room_name": "lobby", "joined": True, "owner": ""},
            {"room_name": "den", "joined": True, "owner": "eve", "role": "moderator"},
            {"room_name": "shed", "joined": False, "owner": "ann"},
        ]
        report = {"report_id": 4, "usr": "bob", "msg": "x", "by": "eve", "reason": "", "seq": 1}
        found = {"reports": [{**report, "sent": AT, "at": AT}]}
        for fields, reports, asked, shown in (
            ({"rooms": rooms[:1]}, found, [], ""),
            ({"rooms": rooms}, {"reports": []}, ["den"], ""),
            ({"rooms": rooms}, {"code": "not_stored"}, ["den"], ""),
            ({"rooms": rooms}, found, ["den"], "in #den (/reports #den)"),
            ({"rooms": rooms, "operator": True}, found, [None], "answer (/all-reports)"),
        ):
            with self.subTest(shown=shown):
                self.server.answers["login"] = welcome() | fields
                self.server.answers["get_reports"] = reports
                before = len(self.server.asked("get_reports"))
                self.output.truncate(0)
                self.type("/guest ann")
                requests = self.server.asked("get_reports")[before:]
                self.assertEqual([one.get("room_name") for one in requests], asked)
                self.assertEqual("reports wait" in self.output.getvalue(), bool(shown))
                self.assertIn(shown, self.output.getvalue())

    def test_in_a_pipe_nothing_is_sent_after_a_failed_login(self) -> None:
        self.server.answers["login"] = {"code": "name_taken"}
        self.lines.put(b"secret plans")
        self.start(["/guest ann"])
        self.successResultOf(self.running)
        self.assertEqual(self.server.asked("speak"), [])
        self.assertEqual(self.client.exit_status, EXIT_FAILED)


class TerminalTests(LineModeTestCase):
    is_terminal = True

    def setUp(self) -> None:
        super().setUp()
        self.start()

    def test_a_password_is_read_without_echo(self) -> None:
        self.type("/login ann")
        self.assertEqual(self.reader.echoes, [False])
        self.assertEqual(self.output.getvalue(), "Password: ")
        self.type("password1")
        self.assertEqual(self.reader.echoes, [False, True])
        self.assertEqual(self.server.asked("login")[0]["pwd"], "password1")

    def test_a_new_password_is_typed_twice(self) -> None:
        self.type("/register ann", "password1", "password1")
        self.assertEqual(self.server.asked("register")[0]["pwd"], "password1")

    def test_two_different_new_passwords_are_not_sent(self) -> None:
        self.type("/register ann", "password1", "password2")
        self.assertEqual(self.server.requests, [])
        self.assertIn("the passwords differ", self.error_lines()[0])

    def test_quit_does_not_wait_for_a_connection(self) -> None:
        self.server.refuses = True
        self.server.drop()
        self.type("hello", "/quit")
        self.successResultOf(self.running)

    def test_an_interrupt_before_anything_was_sent_has_its_own_status(self) -> None:
        self.client.interrupt()
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual(self.client.exit_status, EXIT_INTERRUPTED)
        self.assertEqual(self.server.codes, [1000])

    def test_an_interrupt_after_a_request_is_a_success(self) -> None:
        self.type("/guest ann")
        self.client.interrupt()
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual(self.client.exit_status, EXIT_OK)
        self.assertEqual(self.error_lines(), [])

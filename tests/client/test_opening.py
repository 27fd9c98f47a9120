"""Connecting with a user: logging in, all rooms, logging in again; running a bot."""

from __future__ import annotations

import sys
from importlib import import_module
from io import StringIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.test import iosim

from gtchat.client import (
    Broadcast,
    CannotConnect,
    CommandFailed,
    Connection,
    ConnectionRestored,
    Guest,
    Key,
    NotLoggedIn,
    RateLimited,
    Refused,
    Registered,
    Token,
    Whisper,
)
from gtchat.client.run import run_bot
from tests.client.fakes import AT, ConnectedTestCase, welcome, whisper


class OpeningTestCase(ConnectedTestCase):
    def opening(self, **options: Any) -> Deferred[None]:
        """Connect. options: see `Options`."""
        self.connection = self.make(**options)
        opening = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        return opening

    def fields(self, cmd: str) -> list[dict[str, Any]]:
        """Return the fields of the requests of a command."""
        own = ("cmd", "tracker")
        return [{k: v for k, v in one.items() if k not in own} for one in self.server.asked(cmd)]


class UserTests(OpeningTestCase):
    def test_each_kind_of_user_logs_in(self) -> None:
        account = {"type": "reg", "usr": "ann", "pwd": "secret123"}
        token = {"type": "device", "device": "d", "device_token": "t"}
        for user, device, expected in (
            (Guest("ann"), None, {"type": "tmp", "usr": "ann"}),
            (Registered("ann", "secret123"), None, account),
            (Registered("ann", "secret123"), "d", {**account, "device": "d"}),
            (Key("u"), "d", {"type": "reg", "uuid": "u", "device": "d"}),
            (Token("d", "t"), None, token),
            (Token("d", "t"), "other", token),
        ):
            self.setUp()
            self.server.answers["login"] = {**welcome(), "epoch": "e7"}
            self.successResultOf(self.opening(user=user, device=device))
            self.assertEqual(self.fields("login"), [expected])
            connection = self.connection
            self.assertEqual((connection.user, connection.epoch), ("ann", "e7"))
            self.assertNotIn("secret123", repr(user))

    def test_each_frame_is_sent_at_once(self) -> None:
        set_to: list[bool] = []
        self.patch(iosim.FakeTransport, "setTcpNoDelay", lambda _, enabled: set_to.append(enabled))
        self.open()
        self.assertEqual(set_to, [True])

    def test_what_the_server_says_of_itself_is_known(self) -> None:
        self.server.answers["hello"] = {
            "version": "1.2",
            "features": ["edit"],
            "limits": {"text_chars": 9},
        }
        self.successResultOf(self.opening())
        server = self.connection.server
        self.assertEqual((server.version, server.features), ("1.2", ("edit",)))
        self.assertEqual(self.connection.limits, {"text_chars": 9})
        self.assertEqual((self.connection.user, self.connection.epoch), (None, None))

    def test_a_refused_login_is_raised_and_nothing_goes_on(self) -> None:
        for code, expected in (
            ("bad_credentials", Refused),
            ("rate_limited", RateLimited),
            ("not_logged_in", NotLoggedIn),
            ("internal", CommandFailed),
        ):
            self.setUp()
            self.server.answers["login"] = {"code": code, "msg": "No.", "incident": "7"}
            error = self.failureResultOf(self.opening(user=Guest("ann")), CommandFailed).value
            self.assertIs(type(error), expected)
            self.assertEqual((error.cmd, error.text, error.incident), ("login", "No.", "7"))
            self.clock.advance(60)
            self.server.pump()
            self.assertEqual((self.server.attempts, self.connection.state), (1, "closed"))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_connection_lost_during_the_login_can_not_connect(self) -> None:
        self.server.answers["login"] = None
        opening = self.opening(user=Guest("ann"))
        self.server.close(1012, "restart")
        error = self.failureResultOf(opening, CannotConnect).value
        self.assertEqual(error.reason, "restart")

    def test_a_login_that_is_never_answered_ends(self) -> None:
        self.server.answers["login"] = None
        opening = self.opening(user=Guest("ann"), call_timeout=5)
        self.clock.advance(5)
        self.server.pump()
        self.failureResultOf(opening, CannotConnect)

    def test_an_account_is_created_where_there_is_none(self) -> None:
        logins = iter([{"code": "bad_credentials"}, welcome()])
        self.server.answers["login"] = lambda request: next(logins)
        user = Registered("ann", "secret123", create=True)
        self.successResultOf(self.opening(user=user))
        self.assertEqual(self.fields("register"), [{"usr": "ann", "pwd": "secret123"}])

    def test_a_wrong_password_creates_nothing(self) -> None:
        self.server.answers.update(
            login={"code": "bad_credentials"}, register={"code": "name_taken"}
        )
        for create, registers in ((False, 0), (True, 1)):
            user = Registered("ann", "wrong", create=create)
            error = self.failureResultOf(self.opening(user=user), CommandFailed).value
            self.assertEqual(error.code, "bad_credentials")
            self.assertEqual(len(self.server.asked("register")), registers)

    def test_2000_rooms_are_known_before_it_is_up(self) -> None:
        names = [f"r{number:04}" for number in range(2_000)]

        def listed(start: int, count: int) -> dict[str, Any]:
            rooms = [
                {"room_name": name, "last_seq": 5, "joined": True}
                for name in names[start : start + count]
            ]
            following = start + count
            return {
                "rooms": rooms,
                **({"rooms_next": str(following)} if following < len(names) else {}),
            }

        self.server.answers["login"] = {**welcome(), **listed(0, 700)}
        self.server.answers["get_room_list"] = lambda ask: listed(int(ask["after"]), 500)
        self.successResultOf(self.opening(user=Guest("ann")))
        self.assertEqual([*self.connection._stream.seen], names)
        self.assertTrue(all(ask["joined"] for ask in self.server.asked("get_room_list")))
        # A resume can name 1,000; of the others the list of rooms says whether they go on.
        self.server.answers["resume"] = lambda ask: {
            **welcome(),
            "resumed": [
                {"room_name": name, "state": "resumed", "last_seq": 5} for name in ask["seen"]
            ]
            + [
                {"room_name": name, "state": "reset", "reason": "unknown", "last_seq": 5}
                for name in names[1_000:1_010]
            ],
            **listed(0, 700),
        }
        self.server.drop()
        self.reconnect()
        [request] = self.server.asked("resume")
        self.assertEqual(len(request["seen"]), 1_000)
        events = self.connection.events()
        kinds = [
            type(self.successResultOf(Deferred.fromCoroutine(events.__anext__()))).__name__
            for _ in range(events.waiting)
        ]
        self.assertEqual(kinds, ["ConnectionLost", "ConnectionRestored"])
        self.assertEqual(len(self.connection._stream.seen), 2_000)

    def test_what_waited_is_delivered(self) -> None:
        self.server.answers["login"] = {**welcome(), "whispers": [whisper(1)]}
        self.successResultOf(self.opening(user=Guest("ann")))
        event = Deferred.fromCoroutine(self.connection.events().__anext__())
        self.assertIsInstance(self.successResultOf(event), Whisper)

    def test_it_logs_in_at_most_once_on_each_connection(self) -> None:
        self.server.answers.update(login=welcome(), resume={"code": "bad_session"})
        self.successResultOf(self.opening(user=Guest("ann")))
        for count in range(2, 5):
            self.server.drop()
            self.clock.advance(30)
            self.server.pump()
            self.assertEqual(len(self.server.asked("login")), count)
            self.assertEqual(self.server.attempts, count)
        self.server.answers["login"] = {"code": "not_stored"}
        self.server.drop()
        self.clock.advance(30)
        self.server.pump()
        self.assertEqual(len(self.server.asked("login")), self.server.attempts)

    def test_after_a_logout_it_stays_logged_out(self) -> None:
        self.server.answers["login"] = welcome()
        self.successResultOf(self.opening(user=Guest("ann")))
        self.result("logout")
        self.server.drop()
        self.reconnect()
        self.assertEqual(len(self.server.asked("login")), 1)
        self.assertIsNone(self.connection.user)


class StateTests(OpeningTestCase):
    def test_the_program_is_told_of_each_new_state(self) -> None:
        states: list[str] = []
        self.server.answers.update(login=welcome(), resume=welcome())
        self.successResultOf(self.opening(user=Guest("ann"), on_state=states.append))
        self.server.refuses = True
        self.server.drop()
        self.clock.advance(1)
        self.server.refuses = False
        self.clock.advance(30)
        self.server.pump()
        Deferred.fromCoroutine(self.connection.close())
        self.server.pump()
        self.assertEqual(states, ["up", "lost", "up", "closed"])

    def test_an_error_in_what_is_told_stops_nothing(self) -> None:
        states: list[str] = []

        def told(state: str) -> None:
            states.append(state)
            raise ValueError(state)

        self.server.answers.update(login=welcome(), resume=welcome())
        self.successResultOf(self.opening(user=Guest("ann"), on_state=told))
        self.server.drop()
        self.clock.advance(1)
        self.server.pump()
        closing = Deferred.fromCoroutine(self.connection.close())
        self.server.pump()
        self.successResultOf(closing)
        self.assertEqual(states, ["up", "lost", "up", "closed"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 4)

    def test_restored_says_whether_the_session_goes_on(self) -> None:
        self.server.answers.update(login=welcome(), resume=welcome())
        self.successResultOf(self.opening(user=Guest("ann")))
        events = self.connection.events()
        for answer, resumed in ((welcome(), True), ({"code": "bad_session"}, False)):
            self.server.answers["resume"] = answer
            self.server.drop()
            self.clock.advance(30)
            self.server.pump()
            found = [
                self.successResultOf(Deferred.fromCoroutine(events.__anext__()))
                for _ in range(events.waiting)
            ]
            self.assertEqual(found[1], ConnectionRestored(resumed=resumed))


class StoppingClock(Clock):
    """A clock with the system events of a reactor."""

    def __init__(self) -> None:
        super().__init__()
        self.triggers: list[Any] = []

    def addSystemEventTrigger(self, phase: str, kind: str, trigger: Any) -> Any:
        self.triggers.append(trigger)
        return trigger


class RunTests(OpeningTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.reactor = StoppingClock()
        self.server.answers["login"] = welcome()
        self.patch(sys, "stderr", StringIO())

        async def connected(url: str, reactor: Any, **options: Any) -> Connection:
            self.connection = self.make(**options)
            await self.connection.open()
            return self.connection

        self.patch(import_module("gtchat.client.run"), "connect", connected)

    def run_bot(self, bot: Any) -> Deferred[None]:
        running = Deferred.fromCoroutine(
            run_bot(self.reactor, bot, "ws://fake:9000/", user=Guest("ann"))
        )
        self.server.pump()
        return running

    async def read(self, connection: Connection) -> None:
        async for _ in connection.events():
            pass

    def failed(self, running: Deferred[None]) -> str:
        self.assertEqual(self.failureResultOf(running, SystemExit).value.code, 1)
        return sys.stderr.getvalue()  # type: ignore[attr-defined, no-any-return]

    def test_a_bot_that_is_done_closes_the_connection(self) -> None:
        async def bot(connection: Connection) -> None:
            await connection.speak("lobby", "hi")

        self.successResultOf(self.run_bot(bot))
        self.assertEqual(self.server.codes, [1000])
        self.successResultOf(self.reactor.triggers[0]())  # the reactor stops

    def test_stopping_the_reactor_closes_the_connection(self) -> None:
        running = self.run_bot(self.read)
        [trigger] = self.reactor.triggers
        stopping = trigger()
        self.server.pump()
        self.successResultOf(stopping)
        self.successResultOf(running)
        self.assertEqual(self.server.codes, [1000])

    def test_a_call_that_is_stopped_is_no_error(self) -> None:
        self.server.answers["ping"] = None

        async def bot(connection: Connection) -> None:
            await connection.call("ping")

        running = self.run_bot(bot)
        self.reactor.triggers[0]()
        self.clock.advance(2)
        self.server.pump()
        self.successResultOf(running)
        self.assertEqual(sys.stderr.getvalue(), "")  # type: ignore[attr-defined]

    def test_what_ends_it_is_one_line(self) -> None:
        self.server.answers["login"] = {"code": "name_taken", "msg": "Taken."}
        line = self.failed(self.run_bot(self.read))
        self.assertEqual(line, "ws://fake:9000/: Taken. (name_taken)\n")

    def test_a_server_that_is_away_is_one_line(self) -> None:
        self.server.refuses = True
        line = self.failed(self.run_bot(self.read))
        self.assertEqual(line, "ws://fake:9000/: Connection refused\n")

    def test_an_end_of_the_session_is_one_line(self) -> None:
        running = self.run_bot(self.read)
        self.server.close(4001, "replaced")
        self.assertEqual(self.failed(running), "ws://fake:9000/: the user logged in elsewhere\n")

    def test_a_handler_ends_the_program_with_its_status(self) -> None:
        async def bot(connection: Connection) -> None:
            connection.on(Broadcast)(lambda event: sys.exit(3))
            await Deferred()

        running = self.run_bot(bot)
        self.server.push(cmd="c_broadcast", usr="op", msg="stop", at=AT)
        self.server.pump()
        self.assertEqual(self.failureResultOf(running, SystemExit).value.code, 3)
        self.assertEqual(self.server.codes, [1000])
        self.assertEqual(sys.stderr.getvalue(), "")  # type: ignore[attr-defined]

    def test_other_errors_of_a_bot_are_not_hidden(self) -> None:
        for error in (ValueError("a bug"), CommandFailed("not_in_room", "No.")):

            async def bot(connection: Connection, error: Exception = error) -> None:
                raise error

            self.setUp()
            self.failureResultOf(self.run_bot(bot), type(error))
            self.assertEqual(self.server.codes, [1000])
            self.assertEqual(sys.stderr.getvalue(), "")  # type: ignore[attr-defined]

"""Losing a connection, and connecting again; closing it."""

from __future__ import annotations

import contextlib

from twisted.internet.defer import CancelledError, Deferred

from gtchat.client import (
    CannotConnect,
    CloseReason,
    ConnectionClosed,
    Unanswered,
)
from tests.client.fakes import ConnectedTestCase, welcome

RECONNECT_CODES = (1000, 1001, 1011, 1012, 1013, 4003, 4008, 4009, 4999)


class LossTests(ConnectedTestCase):
    def test_a_first_attempt_that_fails_raises(self) -> None:
        self.server.refuses = True
        opened = Deferred.fromCoroutine(self.connection.open())
        error = self.failureResultOf(opened, CannotConnect).value
        self.assertEqual(str(error), "Connection refused")
        self.clock.advance(100)
        self.assertEqual(self.server.attempts, 1)

    def test_a_close_before_hello_raises(self) -> None:
        self.server.answers["hello"] = None
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.server.close(1008)
        self.failureResultOf(opened, CannotConnect)

    def test_a_handshake_timeout_raises(self) -> None:
        opened = Deferred.fromCoroutine(self.connection.open())
        self.clock.advance(10)
        self.server.pump()
        self.failureResultOf(opened, CannotConnect)

    def test_final_close_codes_end_the_connection(self) -> None:
        for code, reason, expected in (
            (4001, "replaced", CloseReason.REPLACED),
            (4001, "password_changed: log in again", CloseReason.PASSWORD_CHANGED),
            (4001, "session_ended", CloseReason.SESSION_OVER),
            (4001, "a later word", CloseReason.REPLACED),
            (4002, "kicked: spam", CloseReason.KICKED),
            (4002, "banned", CloseReason.BANNED),
            (4002, "", CloseReason.KICKED),
            *((code, "", CloseReason.REFUSED) for code in (1002, 1003, 1007, 1008, 1009)),
        ):
            self.setUp()
            self.open()
            self.server.close(code, reason)
            error = self.failureResultOf(self.reading, ConnectionClosed).value
            self.assertEqual((error.code, error.reason), (code, expected), reason)
            self.assertTrue(error.text)
            self.assertEqual(self.connection.state, "closed")
            self.clock.advance(1000)
            self.assertEqual(self.server.attempts, 1, code)
            self.failureResultOf(self.call("ping"), ConnectionClosed)

    def test_all_other_close_codes_reconnect(self) -> None:
        for code in RECONNECT_CODES:
            self.setUp()
            self.open()
            self.log_in()
            self.server.answers["resume"] = welcome()
            self.server.close(code, "see you")
            self.assertEqual(self.received[0].reason, "see you", code)
            self.reconnect()
            self.assertEqual(self.server.attempts, 2, code)
            self.assertEqual(self.kinds(), ["ConnectionLost", "ConnectionRestored"], code)

    def test_retry_in_counts_down(self) -> None:
        self.open()
        self.assertEqual(self.connection.retry_in, 0)
        self.server.refuses = True
        self.server.drop()
        before = self.connection.retry_in
        self.assertTrue(0 < before <= 0.5, before)
        self.clock.advance(before / 2)
        self.assertAlmostEqual(self.connection.retry_in, before / 2)
        self.server.refuses = False
        self.reconnect()
        self.assertEqual(self.connection.retry_in, 0)

    def test_delays_double_up_to_a_maximum_with_jitter(self) -> None:
        self.open()
        self.server.refuses = True
        self.server.drop()
        waits = []
        for attempt in range(2, 12):
            start = self.clock.seconds()
            while self.server.attempts < attempt:
                self.clock.advance(0.05)
            waits.append(self.clock.seconds() - start)
        for wait, full in zip(waits, [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30], strict=True):
            self.assertTrue(full / 2 <= wait <= full + 0.1, (wait, full))
        self.assertNotEqual(len(set(waits[6:])), 1)

    def test_a_long_loss_is_reported_once(self) -> None:
        self.open()
        self.server.refuses = True
        self.server.drop()
        self.clock.pump([1] * 100)
        self.assertEqual(self.kinds(), ["ConnectionLost"])

    def test_commands_wait_while_the_connection_is_down(self) -> None:
        self.open()
        self.server.drop()
        calling = self.call("join_room", room_name="garden")
        self.assertNoResult(calling)
        self.reconnect()
        self.successResultOf(calling)
        self.assertEqual(len(self.server.asked("join_room")), 1)

    def test_a_command_that_may_have_been_executed_is_not_repeated(self) -> None:
        self.open()
        self.server.answers["register"] = None
        calling = self.call("register", usr="bob", pwd="password1")
        self.server.drop()
        error = self.failureResultOf(calling, Unanswered).value
        self.assertEqual(error.cmd, "register")
        self.reconnect()
        self.assertEqual(len(self.server.asked("register")), 1)

    def test_a_call_that_follows_a_lost_one_begins_no_connection_beside_the_next(self) -> None:
        async def call_again() -> None:
            with contextlib.suppress(Unanswered):
                await self.connection.call("register", usr="bob", pwd="password1")
            await self.connection.call("ping")

        self.open()
        self.log_in()
        self.server.answers["register"] = None
        calling = Deferred.fromCoroutine(call_again())
        self.server.pump()
        self.server.drop()
        self.reconnect()
        self.successResultOf(calling)
        self.assertEqual(self.server.attempts, 2)
        self.assertEqual(len(self.server.asked("resume")), 1)

    def test_a_read_only_command_is_repeated(self) -> None:
        self.open()
        self.server.answers["get_user_list"] = None
        calling = self.call("get_user_list")
        self.server.drop()
        self.server.answers["get_user_list"] = {"users": ["bob"]}
        self.reconnect()
        self.assertEqual(self.successResultOf(calling).users, ("bob",))

    def test_after_a_login_timeout_the_next_request_reconnects(self) -> None:
        self.open()
        self.server.close(4003)
        self.clock.advance(1000)
        self.assertEqual(self.server.attempts, 1)
        self.assertEqual(self.received, [])
        calling = self.call("ping")
        self.server.pump()
        self.successResultOf(calling)
        self.assertEqual(self.server.attempts, 2)

    def test_a_request_during_the_handshake_begins_no_other_one(self) -> None:
        self.open()
        self.server.close(4003)
        calling = Deferred.fromCoroutine(self.connection.call("ping"))
        again = Deferred.fromCoroutine(self.connection.call("ping"))
        self.server.pump()
        self.successResultOf(calling)
        self.successResultOf(again)
        self.assertEqual(self.server.attempts, 2)

    def test_a_request_while_the_server_closes_is_sent_on_the_next_link(self) -> None:
        self.open()
        self.server.peer.sendCloseFrame(code=1012, reasonUtf8=b"restart")
        self.server.pipe.pump()  # one way: the client knows, and has not answered
        registering = Deferred.fromCoroutine(self.connection.call("register", usr="a", pwd="b"))
        self.server.pump()
        self.reconnect()
        self.successResultOf(registering)
        self.assertEqual(len(self.server.asked("register")), 1)

    def test_a_server_that_stops_answering_is_dropped(self) -> None:
        self.open()
        self.clock.advance(20)
        self.clock.advance(20)
        self.server.pump()
        self.assertEqual(self.received[0].reason, "the server does not answer")

    def test_a_server_that_answers_pings_is_kept(self) -> None:
        self.open()
        for _ in range(10):
            self.server.pump()
            self.clock.advance(20)
        self.server.pump()
        self.assertEqual(self.received, [])


class CloseTests(ConnectedTestCase):
    def test_close_sends_code_1000_and_leaves_no_timer(self) -> None:
        self.open()
        closing = Deferred.fromCoroutine(self.connection.close())
        self.server.pump()
        self.successResultOf(closing)
        self.successResultOf(self.reading)
        self.assertEqual(self.server.codes, [1000])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_does_not_wait_for_a_silent_server(self) -> None:
        self.open()
        closing = Deferred.fromCoroutine(self.connection.close())
        self.clock.advance(2)
        self.server.pump()
        self.successResultOf(closing)

    def test_a_pause_changes_nothing_of_the_time_for_a_close(self) -> None:
        for paused_first in (True, False):
            self.setUp()
            self.open()
            link = self.connection._client._link
            assert link is not None
            if paused_first:
                link.pause()
            closing = Deferred.fromCoroutine(self.connection.close())
            if paused_first:
                link.resume()
            else:
                link.pause()
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            self.clock.advance(2)
            self.server.pump()
            self.successResultOf(closing)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_during_the_handshake_drops_the_link(self) -> None:
        opening = Deferred.fromCoroutine(self.connection.open())
        self.successResultOf(Deferred.fromCoroutine(self.connection.close()))
        self.failureResultOf(opening, CannotConnect)
        self.server.pump()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNotIn(1000, self.server.codes)  # the handshake was not waited for

    def test_close_while_a_retry_is_scheduled(self) -> None:
        self.open()
        self.server.drop()
        self.successResultOf(Deferred.fromCoroutine(self.connection.close()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_sends_what_was_called_and_waits_for_the_answers(self) -> None:
        self.server.answers["hello"] = {"limits": {"commands_burst": 3, "commands_per_second": 10}}
        self.open()
        calls = [self.call("ping") for _ in range(5)]
        closing = Deferred.fromCoroutine(self.connection.close())
        self.failureResultOf(self.call("ping"), ConnectionClosed)
        for _ in range(10):
            self.clock.advance(0.1)
            self.server.pump()
        self.successResultOf(closing)
        for call in calls:
            self.successResultOf(call)
        self.assertEqual(self.server.codes, [1000])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_fails_what_is_not_answered_in_time(self) -> None:
        for timeout in (0, 5):
            self.setUp()
            self.open()
            self.server.answers["ping"] = None
            calling = self.call("ping")
            closing = Deferred.fromCoroutine(self.connection.close(timeout))
            self.server.pump()
            self.assertEqual(calling.called, not timeout)
            self.clock.advance(timeout)
            self.server.pump()
            error = self.failureResultOf(calling, ConnectionClosed).value
            self.assertEqual((error.code, error.reason), (1000, CloseReason.CLOSED_BY_US))
            self.successResultOf(closing)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_async_context_closes_it(self) -> None:
        self.open()

        async def use() -> None:
            async with self.connection as same:
                self.assertIs(same, self.connection)

        using = Deferred.fromCoroutine(use())
        self.server.pump()
        self.successResultOf(using)
        self.assertEqual(self.connection.state, "closed")

    def test_a_close_that_is_cancelled_closes_without_waiting(self) -> None:
        self.open()
        self.server.answers["ping"] = None
        calling = self.call("ping")
        waiting = self.connection.close().__await__()
        next(waiting)
        with self.assertRaises(CancelledError):
            waiting.throw(CancelledError())  # as a task of asyncio does it
        closing = Deferred.fromCoroutine(self.connection.close())
        self.server.pump()
        self.successResultOf(closing)
        self.failureResultOf(calling, ConnectionClosed)
        self.assertEqual(self.server.codes, [1000])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closing_twice_is_allowed(self) -> None:
        self.open()
        both = [Deferred.fromCoroutine(self.connection.close()) for _ in range(2)]
        self.server.pump()
        for closing in both:
            self.successResultOf(closing)
        self.successResultOf(Deferred.fromCoroutine(self.connection.close()))

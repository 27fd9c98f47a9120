"""A connection: requests and replies, events, losing the connection, closing it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.client import (
    Broadcast,
    CannotConnect,
    CloseReason,
    CommandFailed,
    ConnectionClosed,
    Other,
    Reply,
    TooManyCalls,
    Unanswered,
    catch_up,
    event_stream,
    follow,
    reconnecting,
    requests,
)
from gtchat.client.requests import MAX_TIMEOUTS
from tests.client.fakes import AT, WHEN, ConnectedTestCase, resumed, spoken, welcome, whisper

#: Limits for tests, a hundredth of the real ones.
FULL, BRIMFUL = event_stream.FULL // 100, event_stream.BRIMFUL // 100
RECONNECT_CODES = (1000, 1001, 1011, 1012, 1013, 4003, 4008, 4009, 4999)


class CallTests(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()

    def test_a_command_gets_its_reply(self) -> None:
        self.server.answers["ping"] = {"at": AT}
        self.assertEqual(self.result("ping").at, WHEN)

    def test_an_error_is_raised_with_its_code(self) -> None:
        self.server.answers["login"] = {"code": "locked_out", "msg": "Wait.", "retry_after": 60}
        error = self.failureResultOf(self.call("login", type="reg"), CommandFailed).value
        self.assertEqual((error.code, error.text, error.retry_after), ("locked_out", "Wait.", 60))

    def test_replies_in_any_order_are_matched_by_tracker(self) -> None:
        self.server.answers.update(ping=None, get_user_list=None)
        ping, users = self.call("ping"), self.call("get_user_list")
        self.server.reply(self.server.requests[1], users=["ann"])
        self.server.reply(self.server.requests[0], at=AT)
        self.server.pump()
        self.assertEqual(self.successResultOf(ping).at, WHEN)
        self.assertEqual(self.successResultOf(users).users, ("ann",))

    def test_a_raw_line_is_sent_unchanged_and_its_reply_returned_unchanged(self) -> None:
        line = '{"cmd":"ping",  "tracker":7}'
        sending = Deferred.fromCoroutine(self.connection.send(line))
        self.server.pump()
        self.assertEqual(self.server.lines, [line])
        self.assertEqual(json.loads(self.successResultOf(sending))["tracker"], "7")

    def test_a_raw_line_that_is_not_json_gets_its_reply(self) -> None:
        self.server.answers[""] = {"code": "bad_request"}
        sending = Deferred.fromCoroutine(self.connection.send("{nonsense"))
        self.server.pump()
        self.assertIn("bad_request", self.successResultOf(sending))

    def test_a_request_above_the_servers_limit_is_not_sent(self) -> None:
        self.server.close(1012)
        self.server.answers["hello"] = {"limits": {"message_bytes": 300}}
        self.reconnect()
        error = self.failureResultOf(self.call("speak", msg="x" * 300), CommandFailed).value
        self.assertEqual(error.code, "too_long")
        self.assertEqual(self.server.asked("speak"), [])

    def test_speak_and_whisper_get_a_txn(self) -> None:
        self.result("speak", room_name="lobby", msg="hi")
        self.result("whisper", target_user="bob", msg="hi")
        speak, whisper = self.server.requests
        self.assertNotEqual(speak["txn"], whisper["txn"])
        self.assertTrue(0 < len(speak["txn"]) <= 64)

    def test_a_txn_of_the_caller_is_kept(self) -> None:
        self.result("speak", room_name="lobby", msg="hi", txn="mine")
        self.assertEqual(self.server.requests[0]["txn"], "mine")

    def test_a_reply_to_an_unknown_request_is_ignored(self) -> None:
        self.server.push(cmd="c_response", status="ok", last_cmd="ping", tracker="c99")
        self.server.pump()
        self.assertEqual(self.result("ping").status, "ok")

    def test_the_reply_to_a_cancelled_call_is_ignored(self) -> None:
        self.server.answers["ping"] = None
        calling = self.call("ping")
        calling.addErrback(lambda _: None)
        calling.cancel()
        self.server.reply(self.server.requests[0])
        self.server.pump()
        self.assertEqual(self.connection.state, "up")

    def test_a_cancelled_call_leaves_nothing_behind(self) -> None:
        open_requests = self.connection._client.requests
        for sent_first in (True, False):
            self.server.answers["get_user_list"] = None
            if not sent_first:
                self.server.drop()
            calling = self.call("get_user_list")
            calling.addErrback(lambda _: None)
            calling.cancel()
            self.assertEqual(len(open_requests), sent_first)
            if sent_first:
                self.server.drop()
            self.reconnect()
            self.clock.advance(5)
            self.server.pump()
            self.assertEqual(len(open_requests), 0)
        self.assertEqual(len(self.server.asked("get_user_list")), 1)

    def test_cancelled_calls_do_not_pile_up_while_the_connection_is_down(self) -> None:
        self.server.drop()
        calls = [self.call("ping") for _ in range(5)]
        for calling in calls[1:4]:
            calling.addErrback(lambda _: None)
            calling.cancel()
        open_requests = self.connection._client.requests
        self.assertEqual((len(open_requests), open_requests.unanswered), (2, 0))
        self.reconnect()
        for calling in calls[0], calls[4]:
            self.successResultOf(calling)
        self.assertEqual(len(self.server.asked("ping")), 2)

    def test_a_cancelled_call_does_not_hold_up_the_catch_up(self) -> None:
        self.server.answers["hello"] = {
            "limits": {"commands_burst": 4, "commands_per_second": 1},
        }
        self.server.drop()
        self.reconnect()
        self.log_in(lobby=3)
        self.server.answers.update(ping=None, resume=resumed(spoken(4)))
        calls = [self.call("get_user_list") for _ in range(2)] + [self.call("ping")]
        self.server.answers.update(get_user_list=None)
        calls += [self.call("get_user_list") for _ in range(3)]
        self.clock.advance(3)
        self.server.pump()
        self.server.drop()
        self.clock.advance(1)
        self.server.pump()
        for calling in calls:
            calling.addErrback(lambda _: None)
            calling.cancel()
        self.clock.pump([1] * 10)
        self.server.pump()
        self.assertEqual(self.texts(), ["text 4"])

    def test_a_refused_command_was_not_done(self) -> None:
        self.server.answers["join_room"] = {"code": "rate_limited", "retry_after": 5}
        calling = self.call("join_room", room_name="garden")
        self.server.drop()
        self.assertNoResult(calling)
        self.server.answers["join_room"] = {}
        self.clock.pump([1] * 8)
        self.server.pump()
        self.assertEqual(self.successResultOf(calling).status, "ok")


class TimeoutTests(ConnectedTestCase):
    """Calls always end."""

    def setUp(self) -> None:
        super().setUp()
        self.connection = self.make(call_timeout=7)
        self.open()
        self.log_in()
        self.server.answers["resume"] = welcome()

    def wait(self, seconds: float) -> None:
        self.server.pump()
        self.clock.advance(seconds)
        self.server.pump()

    def test_a_command_that_is_not_answered_drops_the_link(self) -> None:
        self.server.answers["register"] = None
        calling = self.call("register", usr="bob", pwd="password1")
        self.wait(6.9)
        self.assertNoResult(calling)
        self.wait(0.1)
        self.assertEqual(self.failureResultOf(calling, Unanswered).value.cmd, "register")
        self.assertEqual(self.received[-1].reason, "no answer to register in 7 s")
        self.wait(1)
        self.assertEqual(self.connection.state, "up")

    def test_a_command_that_may_be_repeated_is_sent_again_a_few_times(self) -> None:
        self.server.answers["ping"] = None
        calling = self.call("ping")
        for _ in range(MAX_TIMEOUTS):
            self.assertNoResult(calling)
            self.wait(7)
            self.wait(1)
        self.failureResultOf(calling, Unanswered)
        self.assertEqual(len(self.server.asked("ping")), MAX_TIMEOUTS)

    def test_what_waits_for_its_turn_or_for_the_connection_is_not_late(self) -> None:
        self.server.refuses = True
        self.server.drop()
        calling = self.call("register", usr="bob", pwd="password1")
        self.wait(60)
        self.assertNoResult(calling)
        self.server.refuses = False
        self.wait(30)
        self.successResultOf(calling)

    def test_an_answer_in_time_leaves_no_timer(self) -> None:
        before = len(self.clock.getDelayedCalls())
        for cmd in ("ping", "login", "speak"):
            self.result(cmd)
        self.assertEqual(len(self.clock.getDelayedCalls()), before)

    def test_reserved_fields_and_lone_surrogates_are_refused_before_sending(self) -> None:
        sent = len(self.server.requests)
        for fields, error in (
            ({"cmd": "ping"}, TypeError),
            ({"tracker": 5.5}, TypeError),
            ({"msg": object()}, TypeError),
            ({"msg": "half \ud83d"}, ValueError),
        ):
            self.failureResultOf(self.call("speak", **fields), error)
        self.assertEqual(len(self.server.requests), sent)

    def test_a_reply_without_a_tracker_answers_the_oldest_request(self) -> None:
        self.server.answers.update(ping=None)
        first, second = self.call("ping"), self.call("ping")
        self.server.reply({"cmd": "ping"}, code="bad_request")
        self.server.pump()
        self.failureResultOf(first, CommandFailed)
        self.assertNoResult(second)

    def test_no_more_than_1000_calls_wait(self) -> None:
        self.assertEqual(requests.MAX_WAITING, 1_000)
        self.patch(requests, "MAX_WAITING", 5)
        self.server.answers["ping"] = None
        calls = [self.call("ping") for _ in range(5)]
        error = self.failureResultOf(self.call("ping"), TooManyCalls).value
        self.assertEqual(error.reason, "5 calls wait")
        self.server.reply(self.server.requests[-5])
        self.server.pump()
        self.successResultOf(calls[0])
        self.assertNoResult(self.call("ping"))


class PushTests(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()

    def test_pushes_are_delivered_in_order(self) -> None:
        self.log_in()
        self.server.say(1)
        self.server.push(cmd="c_broadcast", usr="root", msg="all", at=AT)
        self.server.pump()
        self.assertEqual(self.texts(), ["text 1", "all"])

    def test_an_unknown_push_is_delivered(self) -> None:
        self.server.push(cmd="c_reaction", color="red", usr="bob")
        self.server.pump()
        [event] = self.received
        self.assertEqual((type(event), event.kind, event.user), (Other, "c_reaction", "bob"))
        self.assertEqual(event.raw["color"], "red")

    def test_an_invalid_message_drops_the_link_and_reconnects(self) -> None:
        for text in (b"{", b'{"cmd": 1}', b"[]", b'{"cmd":"c_speak","seq":"1"}'):
            self.server.peer.sendMessage(text)
            self.server.pump()
            self.assertEqual(self.connection.state, "lost", text)
            self.clock.advance(30)
            self.server.pump()
            self.assertEqual(self.connection.state, "up", text)

    def test_a_binary_message_drops_the_link(self) -> None:
        self.server.peer.sendMessage(b"{}", isBinary=True)
        self.server.pump()
        self.assertEqual(self.connection.state, "lost")

    def test_a_second_reader_is_refused(self) -> None:
        second = Deferred.fromCoroutine(self.connection.events().__anext__())
        self.failureResultOf(second, RuntimeError)


class QueueTests(SynchronousTestCase):
    def test_a_reply_in_order_is_found_without_a_look_at_the_requests_behind_it(self) -> None:
        queue = requests.RequestQueue()
        sent = [queue.make("ping", {}) for _ in range(3)]
        for request in sent:
            queue.add_sent(request)
            request.sent_count = 1
        looked_at = []

        class Watched(dict[int, requests.PendingRequest]):
            def values(self) -> Any:
                for request in super().values():
                    looked_at.append(request)
                    yield request

        queue._requests = Watched(queue._requests)
        for number, request in enumerate(sent):
            looked_at.clear()
            self.assertIs(queue.find(Reply(tracker=request.tracker)), request)
            self.assertEqual(looked_at, sent[: number + 1])


class LimitTests(SynchronousTestCase):
    def test_at_most_5000_events_wait_1000_of_them_beside_a_call(self) -> None:
        self.assertEqual(event_stream.FULL + 1_000, event_stream.BRIMFUL)
        waiting = event_stream.BRIMFUL + catch_up.PAGE_SIZE + follow.MAX_HELD
        self.assertEqual(waiting, 5_000)


class FloodTests(ConnectedTestCase):
    """A reader that falls behind stops the reading from the socket."""

    def setUp(self) -> None:
        super().setUp()
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        for module in (event_stream, reconnecting):
            self.patch(module, "FULL", FULL)
            self.patch(module, "BRIMFUL", BRIMFUL)
        self.paused: list[bool] = []
        self.server.transport.pauseProducing = lambda: self.paused.append(True)
        self.server.transport.resumeProducing = lambda: self.paused.append(False)

    def push(self, count: int) -> None:
        for number in range(count):
            self.server.push(cmd="c_broadcast", usr="root", msg=str(number), at=AT)
        self.server.pump()

    def take(self, count: int) -> list[str]:
        events = self.connection.events()
        taken = [Deferred.fromCoroutine(events.__anext__()) for _ in range(count)]
        return [self.successResultOf(one).text for one in taken]

    @property
    def waiting(self) -> int:
        return self.connection._client.stream.waiting

    def test_reading_stops_at_the_limit_and_resumes_at_half_of_it(self) -> None:
        self.push(FULL + 5)
        self.assertEqual((self.paused, self.waiting), ([True], FULL))
        self.take(FULL // 2)
        self.assertEqual(self.paused, [True, False])
        self.assertEqual(self.waiting, FULL // 2 + 5, "what was received is not lost")
        texts = [*map(str, range(FULL // 2, FULL + 5))]
        self.assertEqual(self.take(FULL // 2 + 5), texts)

    def test_a_program_that_reads_no_events_gets_its_replies(self) -> None:
        self.server.answers["ping"] = None
        for _ in range(3):
            call = self.call("ping")
            self.push(2 * BRIMFUL)
            self.server.reply(self.server.requests[-1])
            self.server.pump()
            self.successResultOf(call)
            self.assertLess(self.waiting, BRIMFUL)

    def test_a_reply_is_looked_for_in_a_reserve_only(self) -> None:
        self.connection.events()
        self.server.answers["ping"] = None
        self.push(FULL)
        call = self.call("ping")
        self.assertEqual(self.paused, [True, False])
        self.push(3 * BRIMFUL)
        self.assertEqual((self.paused[-1], self.waiting), (True, BRIMFUL))
        self.assertNoResult(call)

    def test_a_reply_in_the_reserve_is_found(self) -> None:
        self.server.answers["ping"] = None
        self.push(FULL)
        call = self.call("ping")
        self.push(1)
        self.server.reply(self.server.requests[-1])
        self.push(1)
        self.successResultOf(call)
        self.assertEqual((self.paused[-1], self.waiting), (True, FULL + 1))

    def test_what_was_received_and_not_read_is_not_lost_with_the_connection(self) -> None:
        self.log_in()
        self.server.answers["resume"] = welcome()
        self.push(FULL)
        self.server.say(1)
        self.server.push(**whisper(1))
        self.server.pump()
        self.assertEqual(self.waiting, FULL)
        self.server.drop()
        self.assertEqual(self.take(FULL + 1)[-1], "psst 1")

    def test_events_that_only_handlers_take_are_not_kept(self) -> None:
        self.push(10)
        seen: list[str] = []
        self.connection.on(Broadcast)(lambda event: seen.append(event.text))
        self.push(2 * FULL)
        self.assertEqual((self.waiting, len(seen), self.paused), (0, 2 * FULL, []))


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

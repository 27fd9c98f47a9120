"""A connection: requests and replies, events, losing the connection, closing it."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred

from gtchat.client import CannotConnect, CommandFailed, ConnectionClosed, Unanswered
from gtchat.client.event_stream import BRIMFUL, FULL
from tests.client.fakes import AT, ConnectedTestCase, resumed, spoken, welcome

RECONNECT_CODES = (1000, 1001, 1011, 1012, 1013, 4003, 4008, 4009, 4999)


class CallTests(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()

    def test_a_command_gets_its_reply(self) -> None:
        self.server.answers["ping"] = {"at": AT}
        self.assertEqual(self.result("ping").at, AT)

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
        self.assertEqual(self.successResultOf(ping).at, AT)
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
        self.assertTrue(self.connection.state == "up")

    def test_a_cancelled_call_leaves_nothing_behind(self) -> None:
        open_requests = self.connection._requests
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
        self.assertEqual(self.received, [Push(cmd="c_reaction", usr="bob")])

    def test_an_invalid_message_drops_the_link_and_reconnects(self) -> None:
        for text in (b"{", b'{"cmd": 1}', b"[]", b'{"cmd":"c_speak","seq":"1"}'):
            self.server.peer.sendMessage(text)
            self.server.pump()
            self.assertFalse(self.connection.is_up, text)
            self.clock.advance(30)
            self.server.pump()
            self.assertTrue(self.connection.is_up, text)

    def test_a_binary_message_drops_the_link(self) -> None:
        self.server.peer.sendMessage(b"{}", isBinary=True)
        self.server.pump()
        self.assertFalse(self.connection.state == "up")

    def test_a_second_reader_is_refused(self) -> None:
        second = Deferred.fromCoroutine(self.connection.events().__anext__())
        self.failureResultOf(second, RuntimeError)


class FloodTests(ConnectedTestCase):
    """A reader that falls behind stops the reading from the socket."""

    def setUp(self) -> None:
        super().setUp()
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        self.paused: list[bool] = []
        self.server.transport.pauseProducing = lambda: self.paused.append(True)
        self.server.transport.resumeProducing = lambda: self.paused.append(False)
        for number in range(MAX_WAITING_EVENTS + 1):
            self.server.push(cmd="c_broadcast", usr="root", msg=str(number), at=AT)
        self.server.pump()

    def test_reading_stops_at_the_limit_and_resumes_at_half_of_it(self) -> None:
        self.assertEqual(self.paused, [True])
        for _ in range(MAX_WAITING_EVENTS // 2 + 2):
            self.successResultOf(Deferred.fromCoroutine(self.connection.events().__anext__()))
        self.assertEqual(self.paused, [True, False])

    def test_an_open_request_resumes_reading(self) -> None:
        self.server.answers["ping"] = None
        self.call("ping")
        self.assertEqual(self.paused, [True, False])


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

    def test_fatal_close_codes_end_the_connection(self) -> None:
        for code, text in FATAL_CLOSE_CODES.items():
            self.setUp()
            self.open()
            self.server.close(code)
            error = self.failureResultOf(self.reading, ConnectionClosed).value
            self.assertEqual((error.code,), (code,))
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
        self.server.answers["join_room"] = None
        calling = self.call("join_room", room_name="garden")
        self.server.drop()
        self.failureResultOf(calling, Unanswered)
        self.reconnect()
        self.assertEqual(len(self.server.asked("join_room")), 1)

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

    def test_close_while_a_retry_is_scheduled(self) -> None:
        self.open()
        self.server.drop()
        self.successResultOf(Deferred.fromCoroutine(self.connection.close()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_fails_open_and_later_commands(self) -> None:
        self.open()
        self.server.answers["ping"] = None
        calling = self.call("ping")
        Deferred.fromCoroutine(self.connection.close())
        self.server.pump()
        self.failureResultOf(calling, ConnectionClosed)
        self.failureResultOf(self.call("ping"), ConnectionClosed)

    def test_closing_twice_is_allowed(self) -> None:
        self.open()
        both = [Deferred.fromCoroutine(self.connection.close()) for _ in range(2)]
        self.server.pump()
        for closing in both:
            self.successResultOf(closing)
        self.successResultOf(Deferred.fromCoroutine(self.connection.close()))

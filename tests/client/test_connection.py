"""A connection: requests and replies, pushes."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.client import (
    CommandFailed,
    Other,
    Reply,
    TooManyCalls,
    Unanswered,
    requests,
)
from gtchat.client.requests import MAX_TIMEOUTS
from tests.client.fakes import AT, WHEN, ConnectedTestCase, resumed, spoken, welcome


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

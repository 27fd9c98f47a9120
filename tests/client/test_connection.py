"""A connection: commands and their replies, pushes, losing it for good and for a while."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred

from gtchat.client import CannotConnect, CommandFailed, Ended, Push, Unanswered
from gtchat.client.connection import PUSHES_MOST, STAY_AWAY
from tests.client.fakes import AT, ConnectedTestCase, welcome

COME_BACK = (1000, 1001, 1011, 1012, 1013, 4003, 4008, 4009, 4999)


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

    def test_replies_find_their_commands_in_any_order(self) -> None:
        self.server.answers.update(ping=None, get_user_list=None)
        ping, users = self.call("ping"), self.call("get_user_list")
        self.server.reply(self.server.requests[1], users=["ann"])
        self.server.reply(self.server.requests[0], at=AT)
        self.server.pump()
        self.assertEqual(self.successResultOf(ping).at, AT)
        self.assertEqual(self.successResultOf(users).users, ("ann",))

    def test_a_line_is_sent_as_it_is_and_its_reply_given_as_it_came(self) -> None:
        line = '{"cmd":"ping",  "tracker":7}'
        sending = Deferred.fromCoroutine(self.connection.send(line))
        self.server.pump()
        self.assertEqual(self.server.lines, [line])
        self.assertEqual(json.loads(self.successResultOf(sending))["tracker"], "7")

    def test_a_line_that_is_not_json_gets_its_reply_too(self) -> None:
        self.server.answers[""] = {"code": "bad_request"}
        sending = Deferred.fromCoroutine(self.connection.send("{nonsense"))
        self.server.pump()
        self.assertIn("bad_request", self.successResultOf(sending))

    def test_a_message_longer_than_the_server_takes_is_not_sent(self) -> None:
        self.server.close(1012)
        self.server.answers["hello"] = {"limits": {"message_bytes": 300}}
        self.come_back()
        error = self.failureResultOf(self.call("speak", msg="x" * 300), CommandFailed).value
        self.assertEqual(error.code, "too_long")
        self.assertEqual(self.server.asked("speak"), [])

    def test_speak_and_whisper_are_marked_against_doubles(self) -> None:
        self.result("speak", room_name="lobby", msg="hi")
        self.result("whisper", target_user="bob", msg="hi")
        speak, whisper = self.server.requests
        self.assertNotEqual(speak["txn"], whisper["txn"])
        self.assertTrue(0 < len(speak["txn"]) <= 64)

    def test_ones_own_mark_is_left(self) -> None:
        self.result("speak", room_name="lobby", msg="hi", txn="mine")
        self.assertEqual(self.server.requests[0]["txn"], "mine")

    def test_a_reply_that_nobody_waits_for_is_ignored(self) -> None:
        self.server.push(cmd="c_response", status="ok", last_cmd="ping", tracker="c99")
        self.server.pump()
        self.assertEqual(self.result("ping").status, "ok")

    def test_a_call_that_was_given_up_does_no_harm_when_its_reply_comes(self) -> None:
        self.server.answers["ping"] = None
        calling = self.call("ping")
        calling.addErrback(lambda _: None)
        calling.cancel()
        self.server.reply(self.server.requests[0])
        self.server.pump()
        self.assertTrue(self.connection.is_up)


class PushTests(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()

    def test_pushes_are_told_in_order(self) -> None:
        self.log_in()
        self.server.say(1)
        self.server.push(cmd="c_broadcast", usr="root", msg="all", at=AT)
        self.server.pump()
        self.assertEqual(self.texts(), ["text 1", "all"])

    def test_a_push_of_a_newer_server_is_told(self) -> None:
        self.server.push(cmd="c_reaction", emoji="+1", usr="bob")
        self.server.pump()
        self.assertEqual(self.heard, [Push(cmd="c_reaction", usr="bob")])

    def test_what_can_not_be_understood_ends_the_link_and_another_is_made(self) -> None:
        for text in (b"{", b'{"cmd": 1}', b"[]", b'{"cmd":"c_speak","seq":"1"}'):
            self.server.peer.sendMessage(text)
            self.server.pump()
            self.assertFalse(self.connection.is_up, text)
            self.clock.advance(30)
            self.server.pump()
            self.assertTrue(self.connection.is_up, text)

    def test_a_binary_message_ends_the_link(self) -> None:
        self.server.peer.sendMessage(b"{}", isBinary=True)
        self.server.pump()
        self.assertFalse(self.connection.is_up)

    def test_iterating_in_two_places_is_refused(self) -> None:
        second = Deferred.fromCoroutine(self.connection.pushes().__anext__())
        self.failureResultOf(second, RuntimeError)


class FloodTests(ConnectedTestCase):
    """Whoever does not take pushes is not sent more than he can keep."""

    def setUp(self) -> None:
        super().setUp()
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        self.paused: list[bool] = []
        self.server.transport.pauseProducing = lambda: self.paused.append(True)
        self.server.transport.resumeProducing = lambda: self.paused.append(False)
        for number in range(PUSHES_MOST + 1):
            self.server.push(cmd="c_broadcast", usr="root", msg=str(number), at=AT)
        self.server.pump()

    def test_no_more_is_read_until_half_is_taken(self) -> None:
        self.assertEqual(self.paused, [True])
        for _ in range(PUSHES_MOST // 2 + 2):
            self.successResultOf(Deferred.fromCoroutine(self.connection.pushes().__anext__()))
        self.assertEqual(self.paused, [True, False])

    def test_a_reply_that_is_waited_for_is_read(self) -> None:
        self.server.answers["ping"] = None
        self.call("ping")
        self.assertEqual(self.paused, [True, False])


class LossTests(ConnectedTestCase):
    def test_a_first_connection_that_fails_is_an_error(self) -> None:
        self.server.refuses = True
        opened = Deferred.fromCoroutine(self.connection.open())
        error = self.failureResultOf(opened, CannotConnect).value
        self.assertEqual(str(error), "Connection refused")
        self.clock.advance(100)
        self.assertEqual(self.server.attempts, 1)

    def test_a_server_that_says_no_at_once_is_an_error(self) -> None:
        self.server.answers["hello"] = None
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.server.close(1008)
        self.failureResultOf(opened, CannotConnect)

    def test_a_handshake_that_does_not_come_is_an_error(self) -> None:
        opened = Deferred.fromCoroutine(self.connection.open())
        self.clock.advance(10)
        self.server.pump()
        self.failureResultOf(opened, CannotConnect)

    def test_after_codes_that_say_so_it_stays_away(self) -> None:
        for code, text in STAY_AWAY.items():
            self.setUp()
            self.open()
            self.server.close(code)
            error = self.failureResultOf(self.ended, Ended).value
            self.assertEqual((error.code, error.text), (code, text))
            self.clock.advance(1000)
            self.assertEqual(self.server.attempts, 1, code)
            self.failureResultOf(self.call("ping"), Ended)

    def test_after_all_other_codes_it_comes_back(self) -> None:
        for code in COME_BACK:
            self.setUp()
            self.open()
            self.log_in()
            self.server.answers["resume"] = welcome()
            self.server.close(code, "see you")
            self.assertEqual(self.heard[0].reason, "see you", code)
            self.come_back()
            self.assertEqual(self.server.attempts, 2, code)
            self.assertEqual(self.kinds(), ["Lost", "Back"], code)

    def test_it_says_when_it_is_tried_again(self) -> None:
        self.open()
        self.assertEqual(self.connection.retry_in, 0)
        self.server.refuses = True
        self.server.drop()
        before = self.connection.retry_in
        self.assertTrue(0 < before <= 0.5, before)
        self.clock.advance(before / 2)
        self.assertAlmostEqual(self.connection.retry_in, before / 2)
        self.server.refuses = False
        self.come_back()
        self.assertEqual(self.connection.retry_in, 0)

    def test_it_tries_later_and_later_and_never_all_at_once(self) -> None:
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

    def test_a_loss_is_told_once_however_long_it_lasts(self) -> None:
        self.open()
        self.server.refuses = True
        self.server.drop()
        self.clock.pump([1] * 100)
        self.assertEqual(self.kinds(), ["Lost"])

    def test_commands_wait_for_the_connection(self) -> None:
        self.open()
        self.server.drop()
        calling = self.call("join_room", room_name="garden")
        self.assertNoResult(calling)
        self.come_back()
        self.successResultOf(calling)
        self.assertEqual(len(self.server.asked("join_room")), 1)

    def test_a_command_that_may_have_been_done_is_not_sent_again(self) -> None:
        self.open()
        self.server.answers["join_room"] = None
        calling = self.call("join_room", room_name="garden")
        self.server.drop()
        self.failureResultOf(calling, Unanswered)
        self.come_back()
        self.assertEqual(len(self.server.asked("join_room")), 1)

    def test_a_question_is_asked_again(self) -> None:
        self.open()
        self.server.answers["get_user_list"] = None
        calling = self.call("get_user_list")
        self.server.drop()
        self.server.answers["get_user_list"] = {"users": ["bob"]}
        self.come_back()
        self.assertEqual(self.successResultOf(calling).users, ("bob",))

    def test_without_a_user_it_comes_back_only_when_there_is_something_to_say(self) -> None:
        self.open()
        self.server.close(4003)
        self.clock.advance(1000)
        self.assertEqual(self.server.attempts, 1)
        self.assertEqual(self.heard, [])
        calling = self.call("ping")
        self.server.pump()
        self.successResultOf(calling)
        self.assertEqual(self.server.attempts, 2)

    def test_a_server_that_says_nothing_any_more_is_left(self) -> None:
        self.open()
        self.clock.advance(20)
        self.clock.advance(20)
        self.server.pump()
        self.assertEqual(self.heard[0].reason, "the server does not answer")

    def test_a_server_that_answers_pings_is_not_left(self) -> None:
        self.open()
        for _ in range(10):
            self.server.pump()
            self.clock.advance(20)
        self.server.pump()
        self.assertEqual(self.heard, [])


class CloseTests(ConnectedTestCase):
    def test_it_closes_in_an_orderly_way(self) -> None:
        self.open()
        closing = Deferred.fromCoroutine(self.connection.close())
        self.server.pump()
        self.successResultOf(closing)
        self.successResultOf(self.ended)
        self.assertEqual(self.server.codes, [1000])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_server_that_does_not_answer_the_close_is_not_waited_for(self) -> None:
        self.open()
        closing = Deferred.fromCoroutine(self.connection.close())
        self.clock.advance(2)
        self.server.pump()
        self.successResultOf(closing)

    def test_it_closes_while_it_waits_to_come_back(self) -> None:
        self.open()
        self.server.drop()
        self.successResultOf(Deferred.fromCoroutine(self.connection.close()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_commands_that_wait_are_told_so(self) -> None:
        self.open()
        self.server.answers["ping"] = None
        calling = self.call("ping")
        Deferred.fromCoroutine(self.connection.close())
        self.server.pump()
        self.failureResultOf(calling, Ended)
        self.failureResultOf(self.call("ping"), Ended)

    def test_closing_twice_does_no_harm(self) -> None:
        self.open()
        both = [Deferred.fromCoroutine(self.connection.close()) for _ in range(2)]
        self.server.pump()
        for closing in both:
            self.successResultOf(closing)
        self.successResultOf(Deferred.fromCoroutine(self.connection.close()))

"""The pace of requests: never refused, in order, also after a refusal and a lost connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.client import CommandFailed, Invitation
from gtchat.client.close_codes import wait_of
from gtchat.client.pacing import BURST_SHARE, RATE_SHARE, Pacer
from tests.client.fakes import ConnectedTestCase, resumed, welcome, whisper

LIMITS = {"commands_burst": 20, "commands_per_second": 10}


class Tokens(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.pacer = Pacer(self.clock)

    def test_without_limits_nothing_waits(self) -> None:
        self.pacer.configure({})
        self.assertEqual([self.pacer.take() for _ in range(100)], [0.0] * 100)

    def test_burst_then_rate(self) -> None:
        self.pacer.configure(LIMITS)
        taken = [self.pacer.take() for _ in range(int(20 * BURST_SHARE))]
        self.assertEqual(set(taken), {0.0})
        self.assertAlmostEqual(self.pacer.take(), 1 / (10 * RATE_SHARE))
        self.clock.advance(1 / (10 * RATE_SHARE) + 1e-9)
        self.assertEqual(self.pacer.take(), 0.0)
        self.assertGreater(self.pacer.take(), 0.0)

    def test_requests_that_do_not_wait_count(self) -> None:
        self.pacer.configure(LIMITS)
        for _ in range(30):
            self.pacer.spend()
        self.assertGreater(self.pacer.take(), 1.0)

    def test_new_limits_give_back_nothing(self) -> None:
        self.pacer.configure(LIMITS)
        while not self.pacer.take():
            pass
        self.pacer.configure(LIMITS)
        self.assertGreater(self.pacer.take(), 0.0)

    def test_nothing_is_sent_for_some_seconds_after_a_refusal(self) -> None:
        for limits in ({}, LIMITS):
            self.pacer.configure(limits)
            self.pacer.refused(3.0)
            self.assertAlmostEqual(self.pacer.take(), 3.0)
            self.clock.advance(3.1)
            self.assertEqual(self.pacer.take(), 0.0)


class Calls(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.server.answers["hello"] = {"limits": LIMITS}
        self.open()
        self.log_in(lobby=0)

    def sent(self) -> list[str]:
        """Return the texts of the messages that the server got."""
        return [request["msg"] for request in self.server.asked("speak")]

    def test_300_calls_at_once_are_sent_in_order_below_the_rate(self) -> None:
        times: list[float] = []

        def answer(request: dict[str, Any]) -> dict[str, Any]:
            times.append(self.clock.seconds())
            return {"seq": len(times), "id": f"id{len(times)}"}

        self.server.answers["speak"] = answer
        texts = [str(number) for number in range(300)]
        calls = [self.call("speak", room_name="lobby", msg=text) for text in texts]
        for _ in range(3600):
            self.clock.advance(0.01)
            self.server.pump()
        self.assertEqual([self.successResultOf(call).seq for call in calls], list(range(1, 301)))
        self.assertEqual(self.sent(), texts)
        for first, second in zip(times, times[20:], strict=False):
            self.assertGreaterEqual(second - first, (20 - LIMITS["commands_burst"]) / 10)
        self.assertLessEqual(len([at for at in times if at < 1.0]), 20 + 10)

    def test_no_more_than_half_of_the_burst_is_unanswered(self) -> None:
        self.server.answers["speak"] = None
        for number in range(30):
            self.call("speak", room_name="lobby", msg=str(number))
        for _ in range(100):
            self.clock.advance(0.1)
            self.server.pump()
        self.assertEqual(len(self.sent()), 10)
        self.server.reply(self.server.requests[-10], seq=1)
        self.server.pump()
        self.assertEqual(self.sent()[10:], ["10"])

    def test_calls_that_arrive_bunched_are_not_refused_and_stay_in_order(self) -> None:
        """The way to the server takes a second now and then; its bucket fills meanwhile."""
        tokens, at, texts = 20.0, 0.0, [str(number) for number in range(100)]

        def answer(request: dict[str, Any]) -> dict[str, Any]:
            nonlocal tokens, at
            now = self.clock.seconds()
            tokens, at = min(20.0, tokens + (now - at) * 10), now
            if tokens < 1:
                return {"code": "rate_limited", "retry_after": 0.1}
            tokens -= 1
            return {"seq": 1}

        self.server.answers["speak"] = answer
        for text in texts:
            self.call("speak", room_name="lobby", msg=text)
        for step in range(600):
            self.clock.advance(0.05)
            if step % 20 == 0:
                self.server.pump()
        self.assertEqual(self.sent(), texts)

    def test_refused_call_is_sent_again_before_the_later_ones(self) -> None:
        self.server.answers["speak"] = {"code": "rate_limited", "retry_after": 2}
        first = self.call("speak", room_name="lobby", msg="first")
        self.server.answers["speak"] = {"seq": 1}
        second = self.call("speak", room_name="lobby", msg="second")
        self.assertNoResult(second)
        for seconds in (2, 0.2):
            self.clock.advance(seconds)
            self.server.pump()
        self.assertEqual(self.sent(), ["first", "first", "second"])
        self.successResultOf(first)
        self.successResultOf(second)

    def test_refusal_by_a_limit_of_its_own_is_the_callers(self) -> None:
        for cmd in ("login", "register", "update_pwd", "typing", "broadcast"):
            self.server.answers[cmd] = {"code": "rate_limited", "retry_after": 2}
            error = self.failureResultOf(self.call(cmd), CommandFailed)
            self.assertEqual(error.value.retry_after, 2)
        self.server.answers["speak"] = {"code": "over_quota", "retry_after": 900}
        failure = self.failureResultOf(self.call("speak", room_name="x", msg="y"), CommandFailed)
        self.assertEqual(failure.value.code, "over_quota")

    def test_calls_while_the_connection_is_down_are_sent_in_order_afterwards(self) -> None:
        self.server.answers["speak"] = {"seq": 1}
        self.server.answers["resume"] = resumed()
        self.server.drop()
        texts = [str(number) for number in range(60)]
        for text in texts:
            self.call("speak", room_name="lobby", msg=text)
        for _ in range(1000):
            self.clock.advance(0.01)
            self.server.pump()
        self.assertEqual(self.sent(), texts)

    def test_too_fast_is_come_back_after_the_seconds_told(self) -> None:
        self.server.close(4009, "flood: wait 12.5 s")
        self.assertAlmostEqual(self.connection.retry_in, 12.5)

    def test_seconds_in_the_reason_of_a_close(self) -> None:
        for code, reason, seconds in (
            (4009, "flood: wait 3 s", 3.0),
            (4009, "flood: wait 0.25 s", 0.25),
            (4009, "flood", 0.0),
            (1013, "busy: wait 3 s", 0.0),
            (None, "no answer in 30 s", 0.0),
        ):
            self.assertEqual(wait_of(code, reason), seconds)


class Rooms(ConnectedTestCase):
    def test_all_rooms_are_known_before_the_login_is_done(self) -> None:
        def page(request: dict[str, Any]) -> dict[str, Any]:
            self.assertTrue(request["joined"])
            number = int(request["after"])
            rooms = [{"room_name": f"r{number}", "last_seq": number, "joined": True}]
            more = {"rooms_next": str(number + 1)} if number < 3 else {}
            return {"rooms": rooms, **more}

        self.open()
        self.server.answers["get_room_list"] = page
        self.server.answers["login"] = {
            "usr": "ann",
            "session_id": "s",
            "epoch": "e",
            "rooms": [{"room_name": "r0", "last_seq": 9, "joined": True}],
            "rooms_next": "1",
        }
        reply = self.result("login", type="tmp", usr="ann")
        self.assertEqual([room.name for room in reply.rooms], ["r0", "r1", "r2", "r3"])
        self.server.drop()
        self.reconnect()
        [request] = self.server.asked("resume")
        self.assertEqual(request["seen"], {"r0": 9, "r1": 1, "r2": 2, "r3": 3})

    def test_rooms_that_cannot_be_read_leave_the_login_as_it_is(self) -> None:
        self.open()
        self.server.answers["get_room_list"] = {"code": "bad_request"}
        self.server.answers["login"] = {"usr": "ann", "session_id": "s", "rooms_next": "x"}
        self.assertEqual(self.result("login", type="tmp", usr="ann").rooms_next, "x")

    def test_resume_says_again_that_the_client_marks_what_was_read(self) -> None:
        self.open()
        self.server.answers["login"] = {"usr": "ann", "session_id": "s", "epoch": "e"}
        self.result("login", type="tmp", usr="ann", marks_read=True)
        self.server.drop()
        self.reconnect()
        self.assertTrue(self.server.asked("resume")[0]["marks_read"])

    def test_open_invitations_come_as_events(self) -> None:
        self.open()
        self.server.answers["login"] = {
            "usr": "ann",
            "session_id": "s",
            "invitations": [{"room_name": "den", "usr": "bob", "at": "2030-05-06T07:08:09.000Z"}],
        }
        self.result("login", type="tmp", usr="ann")
        [event] = self.received
        self.assertEqual((type(event), event.room, event.user), (Invitation, "den", "bob"))

    def test_what_waited_on_the_server_follows_the_reply_to_the_login(self) -> None:
        self.open()
        self.server.answers["login"] = {**welcome(), "whispers": [whisper(1)]}
        calling = Deferred.fromCoroutine(self.connection.call("login", type="tmp", usr="ann"))
        received_before: list[int] = []
        calling.addCallback(lambda _: received_before.append(len(self.received)))
        self.server.pump()
        self.assertEqual((received_before, self.texts()), ([0], ["psst 1"]))

"""A line in the log for each request over the older protocols."""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs
from twisted.logger._format import formatEvent

from gtchat.chat.limits import Limits
from gtchat.protocols.base.request_log import RequestLines
from tests.protocols.cases import CenterTestCase, LiveChatTestCase, PA1TestCase
from tests.protocols.randomchat.fakes import RandomTestCase

LIMITS = Limits(commands_per_second=0, ping_interval=0, registrations_per_minute=0, text_chars=100)


class Logged:
    """Keeps the lines of requests, without their numbers."""

    limits = LIMITS

    def record(self, requests: RequestLines) -> None:
        requests.enabled = True
        captured = capturedLogs()
        self.events: list[Any] = captured.__enter__()
        self.addCleanup(captured.__exit__, None, None, None)  # type: ignore[attr-defined]

    def taken(self) -> list[str]:
        """Take the lines; the numbers of requests differ."""
        lines = [formatEvent(event) for event in self.events]
        self.events.clear()
        found = [line.split(": ", 1) for line in lines if line.startswith("request ")]
        self.assertEqual(len({number for number, _ in found}), len(found))  # type: ignore[attr-defined]
        return [line for _, line in found]


class CenterLines(Logged, CenterTestCase):
    def test_each_request_has_a_line(self) -> None:
        self.record(self.center.requests)
        client = self.connect()
        self.exchange(client, "LIN", "ann", "a secret")
        self.log_in_all("ann")
        self.request("ann", "MSG", "bob|a secret")
        self.request("ann", "BRD", "to all")
        self.request("ann", "BRD", "\u200b")
        self.request("ann", "no such request", "")
        at = "from 192.0.2.7:"
        self.assertEqual(
            self.taken(),
            [
                f"message_center LIN (-) of none {at} bad_credentials",
                f"message_center LIN (-) of ann {at} ok",
                f"message_center MSG (-) of ann {at} ok",
                f"message_center BRD (-) of ann {at} ok",
                f"message_center BRD (-) of ann {at} bad_request",
                f"message_center no such request (-) of ann {at} ok",
            ],
        )

    def test_nothing_is_written_unless_it_is_wanted(self) -> None:
        self.record(self.center.requests)
        self.center.requests.enabled = False
        self.log_in_all("ann")
        self.request("ann", "BRD", "to all")
        self.assertEqual(self.taken(), [])


class RefusedCenterLines(Logged, CenterTestCase):
    limits = Limits(commands_per_second=0.001, commands_burst=2, ping_interval=0)

    def test_requests_that_come_too_fast_have_a_line(self) -> None:
        self.record(self.center.requests)
        self.log_in_all("ann")
        for _ in range(3):
            self.request("ann", "ONL")
        outcomes = [line.rpartition(" ")[2] for line in self.taken()]
        self.assertEqual(outcomes, ["ok", "ok", "ok", "rate_limited"])


class PA1Lines(Logged, PA1TestCase):
    def test_each_request_has_a_line(self) -> None:
        self.record(self.pa1.requests)
        self.send("logIn ann wrong 6001")
        self.log_in_all("ann")
        for line in ("online", "broadcast to all", "broadcast \u200b", "message ann x", "secret x"):
            self.send(f"ann {line}")
        at = "from 192.0.2.7:"
        self.assertEqual(
            self.taken(),
            [
                f"pa1 logIn (-) of none {at} bad_credentials",
                f"pa1 logIn (-) of ann {at} ok",
                f"pa1 online (-) of ann {at} ok",
                f"pa1 broadcast (-) of ann {at} ok",
                f"pa1 broadcast (-) of ann {at} bad_request",
                f"pa1 message (-) of ann {at} self_target",
                f"pa1 heartbeat (-) of ann {at} ok",
            ],
        )


class LiveChatLines(Logged, LiveChatTestCase):
    def test_logins_and_messages_have_a_line(self) -> None:
        self.record(self.factory.requests)
        ann = self.log_in("ann")
        self.connect().send(b"ann")
        ann.send(b"a secret")
        ann.send("\u200b".encode())
        at = "from 192.0.2.7:"
        self.wait()
        self.assertEqual(
            self.taken(),
            [
                f"livechat login (-) of ann {at} ok",
                f"livechat login (-) of none {at} name_taken",
                f"livechat speak (-) of ann {at} ok",
                f"livechat speak (-) of ann {at} bad_request",
            ],
        )


class RandomLines(Logged, RandomTestCase):
    def test_each_request_has_a_line(self) -> None:
        ana = self.client("Ana", "111")
        self.record(self.state.requests)
        self.room(ana, "den")
        ana.request("send_message", chat="den", message="a secret")
        ana.request("send_message", chat="attic", message="a secret")
        ana.request("a secret")
        found = [line.partition(" from ")[0::2] for line in self.taken()]
        self.assertEqual(
            [(what, where.rpartition(" ")[2]) for what, where in found],
            [
                ("randomchat create_chat (-) of Ana", "ok"),
                ("randomchat send_message (-) of Ana", "ok"),
                ("randomchat send_message (-) of Ana", "no_such_room"),
                ("randomchat a secret (-) of Ana", "unknown_cmd"),
            ],
        )

"""The quota over the older protocols: the client is told, and stays connected."""

from __future__ import annotations

from gtchat.chat.limits import Limits
from gtchat.protocols.base.dialback import END
from tests.protocols.cases import CenterTestCase, LiveChatTestCase, PA1TestCase
from tests.protocols.randomchat.fakes import RandomTestCase

LIMITS = Limits(
    commands_per_second=0,
    ping_interval=0,
    registrations_per_minute=0,
    daily_bytes_account=1000,
    daily_bytes_guest=1000,
)
REFUSED = "You have sent as much as is allowed in a day."
TEXT = "x" * 900


class CenterQuota(CenterTestCase):
    limits = LIMITS

    def test_a_broadcast_is_refused(self) -> None:  # G22
        self.log_in_all("ann")
        self.request("ann", "BRD", TEXT)
        self.pushed()
        self.request("ann", "BRD", TEXT)
        self.assertEqual([REFUSED in text for _, text in self.pushed()], [True])
        self.assertEqual(self.online(), ["ann"])


class PA1Quota(PA1TestCase):
    limits = LIMITS

    def test_a_broadcast_is_refused(self) -> None:
        self.send("logIn ann password 6001")
        self.called()
        self.send(f"ann broadcast {TEXT}")
        self.called()
        self.send(f"ann broadcast {TEXT}")
        self.reactor.advance(END)
        self.assertEqual([REFUSED in text for _, text in self.called()], [True])
        self.assertEqual(self.chat.users.online.page(None, 9), ["ann"])


class LiveChatQuota(LiveChatTestCase):
    limits = LIMITS

    def test_a_message_is_refused(self) -> None:
        alice = self.log_in("alice")
        alice.send(TEXT.encode())
        self.texts(alice)
        alice.send(TEXT.encode())
        self.assertEqual(self.texts(alice), [f"server > Not sent: {REFUSED}"])
        self.assertFalse(alice.closed)


class RandomQuota(RandomTestCase):
    limits = LIMITS

    def test_a_message_is_refused(self) -> None:
        ana = self.client("Ana", "111")
        self.room(ana, "den")
        ana.request("send_message", chat="den", message=TEXT)
        self.assertEqual(
            ana.error("send_message", chat="den", message=TEXT),
            ("over_quota", REFUSED),
        )
        self.assertIsNone(ana.transport.closed)

"""Message Center without sockets: what is pushed, the end of a session, rate."""

from __future__ import annotations

from unittest.mock import patch

from twisted.internet.defer import Deferred

from gtchat.chat import direct
from gtchat.chat.errors import RateLimited
from gtchat.chat.events import (
    LoggedIn,
)
from gtchat.chat.limits import Limits
from gtchat.protocols.base.dialback import READ_AT_ONCE
from gtchat.protocols.base.dialback_commands import REFUSAL_PAUSE
from gtchat.protocols.base.dialback_server import HEARTBEAT_CHECK
from gtchat.protocols.message_center import (
    AWAY,
    framed,
)
from tests.protocols.cases import CenterTestCase


class Pushes(CenterTestCase):
    def test_messages_that_come_while_the_login_is_completed_follow_it(self) -> None:
        bob = self.log_in_web("bob")
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password", "host")
        bob.call("speak", room_name="lobby", msg="early")
        bob.call("whisper", target_user="ann", msg="psst")
        self.assertEqual(self.pushed(), [])
        self.exchange(client, "6001")
        self.assertEqual(
            self.pushed(),
            [
                (6001, "While you were away...\n[bob]: psst\n"),
                (6001, "ann has logged on."),
                (6001, "[bob]: early"),
            ],
        )

    def test_the_answer_to_a_request_that_comes_before_the_port_follows_the_login(self) -> None:
        client = self.connect()
        _, self.tokens["ann"] = self.exchange(client, "LIN", "ann", "password", "host")
        self.request("ann", "ONL")
        self.exchange(client, "6001")
        self.assertEqual(
            self.pushed(), [(6001, "ann has logged on."), (6001, "[CURRENTLY ONLINE]: ann ")]
        )

    def test_many_messages_that_waited_do_not_wait_for_the_client(self) -> None:
        self.patch(direct, "PENDING_OF_STRANGER", 0)
        bob = self.log_in_web("bob")
        for number in range(150):
            bob.call("whisper", target_user="ann", msg=str(number))
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password", "host")
        bob.call("speak", room_name="lobby", msg="early")
        self.exchange(client, "6001")
        texts = [text for _, text in self.pushed()]
        away = "".join(text for text in texts if text.startswith(AWAY))
        self.assertEqual(away.count("[bob]: "), 150)
        self.assertEqual(texts[-2:], ["ann has logged on.", "[bob]: early"])
        self.log_in("ann", 6002)
        self.assertEqual(self.pushed()[-1:], [(6002, "ann has logged on.")])

    def test_messages_that_waited_are_joined_to_frames_that_are_read_at_once(self) -> None:
        bob = self.log_in_web("bob")
        for number in range(30):
            bob.call("whisper", target_user="ann", msg=f"{number:04}" + "\u20ac" * 100)
        self.log_in("ann", 6001)
        frames = [text for _, text in self.pushed() if text.startswith(AWAY)]
        self.assertLess(len(frames), 30)
        self.assertTrue(all(len(framed(frame)) <= READ_AT_ONCE for frame in frames))
        order = [line[7:11] for frame in frames for line in frame.splitlines()[1:]]
        self.assertEqual(order, [f"{number:04}" for number in range(30)])
        self.log_in("ann", 6002)
        self.assertEqual(self.pushed()[-1:], [(6002, "ann has logged on.")])

    def test_events_that_wait_for_a_login_are_bounded(self) -> None:
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password", "host")
        protocol = client.protocol._client
        for number in range(1001):
            protocol.on_event(LoggedIn(usr=f"g{number}", at=0), f"g{number} has logged on.")
        self.assertEqual((protocol.buffered_bytes, self.online()), (1000, ["ann"]))
        self.server.run_pending()
        self.assertEqual(self.online(), [])

    def test_a_client_with_too_many_calls_does_not_stop_the_others(self) -> None:
        self.log_in_all("ann", "bob")
        eve = self.log_in_web("eve")
        guest = self.server.guest("guest")
        with patch("gtchat.protocols.base.dialback.QUEUE_LIMIT", 2):
            for number in range(6):
                guest.call("speak", room_name="lobby", msg=str(number))
        heard = [push["msg"] for push in eve.pushes("c_speak")]
        self.assertEqual(heard, [str(number) for number in range(6)])
        self.assertEqual(self.online(), ["eve", "guest"])

    def test_presence_of_users_who_block_is_hidden_also_when_it_is_told_together(self) -> None:
        eve = self.log_in_web("eve")
        eve.call("block", user="ann")
        eve.call("logout")
        self.log_in_all("ann", "bob")
        self.reactor.advance(2)
        guests = [self.server.guest(f"g{number}") for number in range(25)]
        eve = self.log_in_web("eve")
        self.reactor.advance(1)
        eve.call("logout")
        self.reactor.advance(1)
        pushed = self.pushed()
        self.assertIn((6001, "g24 has logged on."), pushed)
        self.assertIn((6002, "eve has logged on."), pushed)
        self.assertNotIn("eve", str([text for port, text in pushed if port == 6001]))
        for guest in guests:
            guest.call("logout")

    def test_a_user_is_told_once_of_their_own_login(self) -> None:
        guests = [self.server.guest(f"g{number}") for number in range(25)]
        self.log_in_all("ann", "bob")
        self.reactor.advance(1)
        pushed = self.pushed()
        self.assertIn((6001, "bob has logged on."), pushed)
        self.assertNotIn((6001, "ann has logged on."), pushed)  # `log_in_all` took it
        for guest in guests:
            guest.call("logout")

    def test_a_client_that_can_not_be_called_is_logged_out(self) -> None:
        self.log_in("ann", 6001)
        self.refuse()
        self.server.run_pending()
        self.assertEqual((self.online(), self.center.clients), ([], set()))


class LargeMessages(CenterTestCase):
    """What waits for one client is bounded by `outbox_bytes`."""

    limits = Limits(commands_per_second=0, ping_interval=0, outbox_bytes=40_000)
    texts = tuple(f"{number:02}" + "x" * 3_990 for number in range(20))

    def test_a_client_for_which_too_many_bytes_wait_is_logged_out(self) -> None:
        eve = self.log_in_web("eve")
        self.log_in_all("ann")
        sent = 0
        while "ann" in self.online() and sent < len(self.texts):
            eve.call("speak", room_name="lobby", msg=self.texts[sent])
            self.server.run_pending()
            sent += 1
        self.assertEqual(sent, 11)  # one is on its way, nine wait, and one more is too many

    def test_more_direct_messages_than_can_wait_are_sent_at_several_logins(self) -> None:
        eve = self.log_in_web("eve")
        for text in self.texts:
            eve.call("whisper", target_user="ann", msg=text)
        read: list[str] = []
        for login in range(1, 5):
            self.log_in("ann", 6000 + login)
            waiting = [text for _, text in self.pushed() if text.startswith("While")]
            self.assertEqual(self.online(), ["ann", "eve"])
            self.assertLess(sum(map(len, waiting)), self.limits.outbox_bytes / 2 + 200)
            read += waiting
        self.assertEqual([text.split("[eve]: ")[1].strip() for text in read], list(self.texts))


class Ends(CenterTestCase):
    def test_a_kicked_client(self) -> None:
        self.log_in_all("ann", "bob")
        Deferred.fromCoroutine(self.chat.sessions.disconnect_user("ann"))
        self.server.run_pending()
        self.assertEqual(self.pushed(), [(6002, "ann is offline.")])
        self.assertEqual(self.request("ann", "GET", "bob").received(), [framed("FAIL")])

    def test_a_client_kicked_before_it_can_be_called(self) -> None:
        client = self.connect()
        self.exchange(client, "LIN", "ann", "password", "host")
        Deferred.fromCoroutine(self.chat.sessions.disconnect_user("ann"))
        self.server.run_pending()
        self.exchange(client, "6001")
        self.assertEqual((self.pushed(), client.closed), ([], True))

    def test_the_server_stops(self) -> None:
        self.log_in_all("ann", "bob")
        self.factory.stop()
        self.server.run_pending()
        self.assertEqual((self.center.clients, self.center._check), (set(), None))
        self.assertEqual(self.online(), [])

    def test_a_silent_client_is_logged_out(self) -> None:
        self.log_in_all("ann", "bob")
        for _ in range(10):
            self.reactor.advance(HEARTBEAT_CHECK)
            self.request("bob", "HEY")
        self.assertEqual(self.pushed(), [(6002, "ann is offline.")])
        self.assertEqual(self.online(), ["bob"])


class Rate(CenterTestCase):
    limits = Limits(ping_interval=0)

    def broadcast(self, times: int) -> int:
        """Broadcast on as many connections within 0.1 s; return how many were delivered."""
        for number in range(times):
            self.request("ann", "BRD", f"flood {number}")
            self.reactor.advance(0.1 / times)
        return len([text for port, text in self.pushed() if port == 6002 and "flood" in text])

    def setUp(self) -> None:
        super().setUp()
        self.log_in_all("ann", "bob")
        self.reactor.advance(10)

    def test_many_connections_have_the_rate_of_one_account(self) -> None:
        self.assertIn(self.broadcast(400), (20, 21))  # the burst, and what 0.1 s refills

    def test_a_new_login_does_not_refill_the_rate(self) -> None:
        self.broadcast(400)
        self.log_in("ann", 6001)
        self.pushed()
        self.assertLessEqual(self.broadcast(400), 2)

    def test_each_part_of_a_long_text_counts(self) -> None:
        for _ in range(4):
            self.request("ann", "BRD", "flood" * 12_000)
        texts = [text for port, text in self.pushed() if port == 6002]
        self.assertLessEqual(len(texts), self.limits.commands_burst + 2)

    def test_a_client_that_is_too_fast_is_told_so_once_a_second(self) -> None:
        for _ in range(2):
            for _ in range(50):
                self.request("ann", "ONL")
            self.reactor.advance(REFUSAL_PAUSE)
        texts = [text for _, text in self.pushed()]
        self.assertEqual(texts.count(RateLimited().text), 2)

    def test_a_request_that_is_refused_is_answered_and_closed(self) -> None:
        for _ in range(50):
            client = self.request("ann", "GET", "bob")
            self.assertTrue(client.closed)
        self.assertEqual(client.received(), [framed("FAIL")])

    def test_a_client_over_its_rate_is_alive(self) -> None:
        for _ in range(100):
            for _ in range(20):
                self.request("ann", "HEY")
            self.reactor.advance(1)
            self.request("bob", "HEY")
            self.pushed()
        self.assertEqual(self.online(), ["ann", "bob"])

    def test_a_flood_of_requests_does_no_more_than_a_few(self) -> None:
        for _ in range(1000):
            client = self.request("ann", "ONL")
        self.assertTrue(client.closed)
        self.assertEqual(self.online(), ["ann", "bob"])

"""Proof that direct messages have arrived: pongs, the closing handshake, calls, time."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.direct import PENDING_OF_PAIR, PENDING_OF_STRANGER
from gtchat.chat.events import MessageSent
from gtchat.chat.interfaces import DeliveryProof
from gtchat.chat.limits import Limits
from gtchat.protocols.gtchat_json.api import API_Chatroom
from tests.chat.test_edge_cases import DelayedMethod
from tests.fakes import TestServer


class DeliveryTestCase(SynchronousTestCase):
    """Ann sends whispers to bob."""

    limits = Limits(commands_per_second=0, registrations_burst=0)

    def setUp(self) -> None:
        self.server = TestServer(self.limits)
        self.ann, self.bob = self.server.member("ann"), self.server.member("bob")

    def whisper(self, text: str) -> str:
        """Let ann send a whisper to bob. Return its id."""
        return str(self.ann.call("whisper", target_user="bob", msg=text)["id"])

    def pending_whispers(self) -> list[str]:
        """Log bob in again. Return the texts of the whispers that come."""
        self.bob.drop()
        self.bob = self.server.connect()
        self.bob.login("bob", pwd="password")
        return [push["msg"] for push in self.bob.pushes("c_whisper")]

    def wait(self) -> None:
        """Let more time pass than the loss of a connection can go unnoticed."""
        for _ in range(6):
            self.server.clock.advance(10)
            self.server.run_pending()


class Pongs(DeliveryTestCase):
    def test_a_pong_proves_what_was_sent_before_its_ping(self) -> None:
        self.whisper("one")
        self.whisper("two")
        self.bob.api.ping_sent()
        self.whisper("three")
        self.bob.api.pong_received()
        self.bob.api.pong_received()
        self.assertEqual(self.pending_whispers(), ["three"])

    def test_time_proves_nothing(self) -> None:
        self.whisper("one")
        self.wait()
        self.bob.api.ping_sent()
        self.assertEqual(self.pending_whispers(), ["one"])

    def test_a_pong_proves_whispers_that_were_pending_at_the_login(self) -> None:
        self.bob.call("logout")
        self.whisper("one")
        self.assertEqual(self.pending_whispers(), ["one"])
        self.bob.ping()
        self.assertEqual(self.pending_whispers(), [])

    def test_a_pong_without_whispers_or_user_is_nothing(self) -> None:
        self.bob.ping()
        self.server.connect().ping()
        self.whisper("one")
        self.bob.api.pong_received()
        self.assertEqual(self.pending_whispers(), ["one"])

    def test_each_session_proves_its_own(self) -> None:
        server = TestServer(sessions="share")
        ann, bob = server.member("ann"), server.member("bob")
        second = server.connect()
        second.login("bob", pwd="password")
        ann.call("whisper", target_user="bob", msg="one")
        bob.drop()
        second.ping()
        third = server.connect()
        third.login("bob", pwd="password")
        self.assertEqual(third.pushes("c_whisper"), [])

    def test_a_whisper_that_another_session_has_received_is_not_waited_for(self) -> None:
        server = TestServer(sessions="share")
        ann, bob = server.member("ann"), server.member("bob")
        second = server.connect()
        whispers = DelayedMethod(self, server, "whispers")
        second.login("bob", pwd="password")
        ann.call("whisper", target_user="bob", msg="one")
        bob.ping()
        for _ in range(3):
            whispers.release()
        assert second.api.session is not None
        self.assertIsNone(second.api.session.pending)
        ann.call("whisper", target_user="bob", msg="two")
        self.assertEqual([push["msg"] for push in second.pushes("c_whisper")], ["two"])


class Closing(DeliveryTestCase):
    def test_a_closing_handshake_proves_what_was_sent(self) -> None:
        for clean, arrived, unsent, expected in (
            (True, True, 0, []),
            (False, True, 0, []),
            (False, False, 0, ["one"]),
            (False, True, 5, ["one"]),
        ):
            self.whisper("one")
            self.bob.outbox.buffered_bytes = unsent
            self.bob.drop(clean=clean, arrived=arrived)
            self.assertEqual(self.pending_whispers(), expected, (clean, arrived, unsent))
            self.bob.ping()

    def test_logging_out_proves_what_was_sent(self) -> None:
        self.whisper("one")
        self.bob.call("logout")
        self.assertEqual(self.pending_whispers(), [])

    def test_a_disconnection_by_the_operator_proves_nothing(self) -> None:
        self.whisper("one")
        Deferred.fromCoroutine(self.server.chat.sessions.disconnect_user("bob"))
        self.server.run_pending()
        self.assertEqual(self.pending_whispers(), ["one"])

    def test_a_guest_who_leaves_the_page_can_come_back(self) -> None:
        guest = self.server.guest("guest")
        guest.drop(clean=False, arrived=True)
        self.server.clock.advance(100)
        self.server.run_pending()
        self.assertIsNotNone(self.server.chat.users.get("guest"))


class Calls(DeliveryTestCase):
    """A protocol whose calls to the client prove what has arrived."""

    def setUp(self) -> None:
        self.patch(API_Chatroom, "delivery_proof", DeliveryProof.CALL)
        super().setUp()

    def test_confirmed_whisper_is_not_sent_again(self) -> None:
        ids = [self.whisper(text) for text in ("one", "two")]
        session = self.bob.api.session
        assert session is not None
        self.server.chat.whispers.confirm(session, [*ids[:1], "unknown"])
        self.server.chat.whispers.confirm(session, ["unknown"])
        self.server.run_pending()
        self.assertEqual(self.pending_whispers(), ["two"])

    def test_nothing_is_left_of_what_is_confirmed(self) -> None:
        session = self.bob.api.session
        assert session is not None
        for _ in "12":
            self.server.chat.whispers.confirm(session, [self.whisper("one")])
        self.server.chat.whispers.confirm(session, ["unknown"])
        self.assertEqual(self.pending_whispers(), [])

    def test_unconfirmed_whisper_is_kept_however_long_its_session_lives(self) -> None:
        self.whisper("one")
        self.wait()
        self.assertEqual(self.pending_whispers(), ["one"])

    def test_unconfirmed_whisper_is_kept_when_its_session_ends_in_order(self) -> None:
        self.whisper("one")
        self.bob.call("logout")
        self.assertEqual(self.pending_whispers(), ["one"])

    def test_message_of_a_room_can_be_kept_as_a_whisper(self) -> None:
        session = self.bob.api.session
        assert session is not None
        seq = self.ann.call("speak", room_name="lobby", msg="to all")["seq"]
        message = MessageSent(room_name="lobby", usr="ann", msg="to all", id="x", at=1, seq=seq)
        kept = Deferred.fromCoroutine(self.server.chat.whispers.keep(session.user, message))
        self.server.run_pending()
        self.successResultOf(kept)
        self.assertEqual(self.pending_whispers(), ["to all"])


class Time(DeliveryTestCase):
    """Without pings, what was sent has arrived when the connection is not lost for long enough."""

    limits = Limits(commands_per_second=0, ping_interval=0, ping_timeout=40)

    def test_whisper_has_arrived_after_a_while(self) -> None:
        self.whisper("one")
        self.server.clock.advance(35)
        self.server.run_pending()
        self.whisper("two")
        for _ in "12":
            self.server.clock.advance(10)
            self.server.run_pending()
        self.assertEqual(self.pending_whispers(), ["two"])

    def test_stopping_cancels_the_timer(self) -> None:
        before = len(self.server.clock.getDelayedCalls())
        self.whisper("one")
        self.assertEqual(len(self.server.clock.getDelayedCalls()), before + 1)
        self.server.chat.whispers.stop()
        self.whisper("two")
        self.assertEqual(len(self.server.clock.getDelayedCalls()), before)

    def test_whispers_of_a_session_that_has_ended_are_kept(self) -> None:
        self.whisper("one")
        self.bob.drop()
        self.wait()
        self.assertEqual(self.pending_whispers(), ["one"])


class Limited(DeliveryTestCase):
    """How many whispers can wait."""

    def codes(self, count: int) -> list[str | None]:
        """Let ann send whispers to bob. Return the codes of the answers."""
        return [
            self.ann.call("whisper", target_user="bob", msg="x").get("code") for _ in range(count)
        ]

    def test_a_stranger_can_send_100_and_a_correspondent_1000(self) -> None:
        self.bob.drop()
        self.assertEqual(self.codes(PENDING_OF_STRANGER), [None] * 100)
        self.assertEqual(self.codes(1), ["not_allowed"])
        self.bob = self.server.connect()
        self.bob.login("bob", pwd="password")
        self.bob.call("whisper", target_user="ann", msg="write to me")
        self.bob.drop()
        self.assertEqual(self.codes(PENDING_OF_PAIR - 100), [None] * 900)
        self.assertEqual(self.codes(1), ["not_allowed"])

    def test_what_has_arrived_does_not_count(self) -> None:
        for _ in "12":
            self.assertEqual(self.codes(PENDING_OF_STRANGER), [None] * 100)
            self.bob.ping()

    def test_strangers_do_not_shut_out_a_user_to_whom_the_receiver_wrote(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0, stored_whispers_per_user=2))
        self.ann, self.bob = self.server.member("ann"), self.server.member("bob")
        cid = self.server.member("cid")
        self.bob.call("whisper", target_user="ann", msg="hello")
        self.bob.call("logout")
        refused = [cid.call("whisper", target_user="bob", msg="x").get("code") for _ in "123"]
        self.assertEqual(refused, [None, None, "not_allowed"])
        self.assertEqual(self.codes(3), [None] * 3)

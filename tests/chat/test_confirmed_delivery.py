"""Direct messages over protocols that confirm what has arrived."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.events import MessageSent
from gtchat.protocols.gtchat_json.api import API_Chatroom
from tests.fakes import TestServer


class ConfirmedDelivery(SynchronousTestCase):
    """Methods for protocols that know what has arrived."""

    def setUp(self) -> None:
        self.patch(API_Chatroom, "confirms_delivery", True)
        self.server = TestServer()
        self.ann, self.bob = self.server.member("ann"), self.server.member("bob")

    def pending_whispers(self) -> list[str]:
        """Log bob in again after a lost connection. Return the texts of the whispers that come."""
        self.bob.drop()
        self.bob = self.server.connect()
        self.bob.login("bob", pwd="password")
        return [push["msg"] for push in self.bob.pushes("c_whisper")]

    def test_confirmed_whisper_is_not_sent_again(self) -> None:
        ids = [
            self.ann.call("whisper", target_user="bob", msg=text)["id"] for text in ("one", "two")
        ]
        session = self.bob.api.session
        assert session is not None
        self.server.chat.whispers.confirm(session, [*ids[:1], "unknown"])
        self.server.chat.whispers.confirm(session, ["unknown"])
        self.server.run_pending()
        self.assertEqual(self.pending_whispers(), ["two"])

    def test_unconfirmed_whisper_is_kept_however_long_its_session_lives(self) -> None:
        self.ann.call("whisper", target_user="bob", msg="one")
        self.server.clock.pump([10.0] * 20)
        self.assertEqual(self.pending_whispers(), ["one"])

    def test_unconfirmed_whisper_is_kept_when_its_session_ends_in_order(self) -> None:
        self.ann.call("whisper", target_user="bob", msg="one")
        self.bob.call("logout")
        self.assertEqual(self.pending_whispers(), ["one"])

    def test_message_of_a_room_can_be_kept_as_a_whisper(self) -> None:
        session = self.bob.api.session
        assert session is not None
        message = MessageSent(room_name="lobby", usr="ann", msg="to all", id="x", at=1)
        kept = Deferred.fromCoroutine(self.server.chat.whispers.keep(session.user, message))
        self.server.run_pending()
        self.successResultOf(kept)
        self.assertEqual(self.pending_whispers(), ["to all"])

"""Moderation of the lobby over the older protocols: the client is told, and stays connected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from gtchat.chat.authority import Sanction
from gtchat.chat.chat import Chat
from gtchat.chat.errors import IsMuted, ModeratedRoom, SlowMode
from gtchat.chat.ownership import RoomSettings
from gtchat.chat.users import Session
from gtchat.protocols.base.dialback import END
from tests.fakes import RecordingConnection, RecordingEncoder
from tests.protocols.cases import CenterTestCase, LiveChatTestCase, PA1TestCase
from tests.protocols.randomchat.fakes import RandomTestCase

#: What the operator does -> the text of the refusal.
RULES: tuple[tuple[Callable[[Chat, Session, str], Any], str], ...] = (
    (
        lambda chat, host, name: chat.moderators.mute(host, "lobby", name, Sanction()),
        IsMuted.default,
    ),
    (
        lambda chat, host, _: set_room(chat, host, RoomSettings(moderated=True)),
        ModeratedRoom.default,
    ),
    (lambda chat, host, _: set_room(chat, host, RoomSettings(slow=3600)), SlowMode.default),
)


def set_room(chat: Chat, host: Session, settings: RoomSettings) -> Any:
    return chat.membership.change(host, "lobby", settings, None)


def moderate(case: Any, rule: Callable[[Chat, Session, str], Any], name: str) -> None:
    """Let the operator do something in the lobby."""
    found: list[Session] = []
    login = case.chat.logins.login_host(RecordingEncoder(), RecordingConnection())
    Deferred.fromCoroutine(login).addCallback(found.append)
    case.server.run_pending()
    done = Deferred.fromCoroutine(rule(case.chat, found[0], name))
    case.server.run_pending()
    case.successResultOf(done)


class CenterModeration(CenterTestCase):
    def test_each_rule_refuses_a_broadcast(self) -> None:
        for rule, refused in RULES:
            self.setUp()
            self.log_in_all("ann")
            moderate(self, rule, "ann")
            self.request("ann", "BRD", "first")
            self.request("ann", "BRD", "second")
            texts = [text for _, text in self.pushed()]
            self.assertEqual(refused in texts[-1], True, (refused, texts))
            self.assertIn("ann", self.online())


class PA1Moderation(PA1TestCase):
    def test_each_rule_refuses_a_broadcast(self) -> None:
        for rule, refused in RULES:
            self.setUp()
            self.send("logIn ann password 6001")
            self.called()
            moderate(self, rule, "ann")
            for text in ("first", "second"):
                self.send(f"ann broadcast {text}")
                self.reactor.advance(END)
            texts = [text for _, text in self.called()]
            self.assertEqual(refused in texts[-1], True, (refused, texts))


class LiveChatModeration(LiveChatTestCase):
    def test_each_rule_refuses_a_message(self) -> None:
        for rule, refused in RULES:
            self.setUp()
            alice = self.log_in("alice")
            moderate(self, rule, "alice")
            self.texts(alice)
            for text in (b"first", b"second"):
                alice.send(text)
            self.assertEqual(self.texts(alice)[-1], f"server > Not sent: {refused}")
            self.assertFalse(alice.closed)


class RandomChatModeration(RandomTestCase):
    def test_a_muted_member_is_refused(self) -> None:
        ana, ben = self.client("Ana", "111"), self.client("Ben", "222")
        self.room(ana, "den")
        ana.request("add_member", chat="den", phone="222")
        room = self.chat.rooms.find("den")
        [session] = [one for user in self.chat.users for one in user.sessions if user.name == "Ana"]
        done = Deferred.fromCoroutine(
            self.chat.moderators.mute(session, room.name, "Ben", Sanction())
        )
        self.server.run_pending()
        self.successResultOf(done)
        ben.received()
        self.assertEqual(
            ben.error("send_message", chat="den", message="x"), ("muted", IsMuted.default)
        )
        self.assertIsNone(ben.transport.closed)

"""A node that other nodes have given up: it forgets everything, and begins anew."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import NotStored
from gtchat.chat.events import MessageSent
from gtchat.chat.guests import GUEST_GRACE_S
from gtchat.chat.interfaces import StoredState
from tests.fakes import AllRoomsStore, TestServer

#: Another node.
A = 7


class LostNode(SynchronousTestCase):
    """Ann owns the room `r`, bob and the guest gus are members."""

    def setUp(self) -> None:
        self.server = server = TestServer(store=AllRoomsStore)
        self.ann, self.bob, self.gus = (
            server.member("ann"),
            server.member("bob"),
            server.guest("gus"),
        )
        self.ann.call("create_room", room_name="r")
        for client in (self.bob, self.gus):
            client.call("join_room", room_name="r")
        self.clients = [self.ann, self.bob, self.gus]
        for client in self.clients:
            client.received()
        server.chat.on_lost = self.close_all

    def close_all(self) -> None:
        for client in self.clients:
            client.close(1012, "restarting")

    @property
    def store(self) -> AllRoomsStore:
        assert isinstance(self.server.store, AllRoomsStore)
        return self.server.store

    def lose(self) -> None:
        self.store.lost()
        self.server.run_pending()

    def restore(self) -> StoredState:
        """Let the store work again, with one user at another node. Return what it has loaded."""
        loaded = attrs.evolve(self.store.load(), online=((99, "dan", frozenset({A})),))
        self.store.restored(loaded)
        self.server.run_pending()
        return loaded

    def test_a_message_that_is_kept_too_late_is_not_stored(self) -> None:
        user, lobby = self.server.chat.users.get("bob"), self.server.chat.rooms.lobby
        assert user is not None
        event = MessageSent(room_name=lobby.name, usr="ann", at=1, seq=1, msg="x", id="1")
        self.lose()
        kept = Deferred.fromCoroutine(self.server.chat.whispers.keep(user, event))
        self.failureResultOf(kept, NotStored)
        with self.assertRaises(NotStored):
            self.server.chat.rooms.lobby.id  # noqa: B018

    def test_connections_are_closed_and_nothing_is_told(self) -> None:
        self.ann.call("whisper", target_user="bob", msg="x")
        self.bob.received()
        [session] = self.server.chat.users.get("ann").sessions  # type: ignore[union-attr]
        self.assertGreater(session.prepaid, 0)
        self.lose()
        for client in self.clients:
            self.assertEqual((client.closed, client.received()), ((1012, "restarting"), []))
        chat = self.server.chat
        self.assertEqual(([*chat.users], [*chat.rooms], len(chat.users.online)), ([], [], 0))
        self.assertEqual((chat.whispers._unconfirmed, session.prepaid), ({}, 0))
        self.assertEqual([*chat.users.subscribers], [])

    def test_it_is_available_while_it_can_serve(self) -> None:
        chat = self.server.chat
        self.assertTrue(chat.available)
        self.lose()
        self.assertFalse(chat.available)
        self.restore()
        self.assertTrue(chat.available)

    def test_what_is_under_way_fails(self) -> None:
        self.store.failing = 4
        self.ann.send("create_room", room_name="new", txn="1")
        self.ann.send("set_room", room_name="r", topic="new")
        self.bob.send("leave_room", room_name="r")
        self.gus.send("speak", room_name="r", msg="x")
        self.lose()
        for client in self.clients:
            self.assertEqual(client.closed, (1012, "restarting"))
        self.restore()
        chat = self.server.chat
        room = chat.rooms.find("r")
        self.assertEqual((room.topic, room.member_names.page(None, 9)), ("", ["ann", "bob", "gus"]))
        self.assertIsNone(chat.rooms.find_displayed("new"))
        self.assertNotIn("new", chat.rooms)
        self.assertEqual(chat.repeats._running._waiting, {})

    def test_nothing_is_queued_for_a_room_of_before(self) -> None:
        chat = self.server.chat
        before = chat.rooms.find("r")
        self.lose()
        self.restore()
        change = chat._ownership.change(before, before.settings, "ann", None)
        self.failureResultOf(Deferred.fromCoroutine(change), NotStored)
        self.assertEqual(before.queued, [])

    def test_it_serves_again(self) -> None:
        self.lose()
        self.restore()
        ann = self.server.connect()
        reply = ann.login("ann", pwd="password")
        self.assertEqual(reply["users"], ["ann", "dan"])
        self.assertEqual(ann.call("speak", room_name="r", msg="back")["status"], "ok")
        self.assertEqual(ann.call("delete_room", room_name="r")["status"], "ok")

    def test_guests_have_a_new_time_to_come_back(self) -> None:
        login = self.server.connect().login("hal")
        self.gus.drop()
        self.server.clock.advance(GUEST_GRACE_S - 1)
        self.lose()
        self.restore()
        self.server.clock.advance(2)
        self.server.run_pending()
        self.assertIsNotNone(self.server.chat.users.get("gus"))
        resumed = self.server.connect().call(
            "resume", session_id=login["session_id"], epoch=login["epoch"]
        )
        self.assertEqual(resumed["status"], "ok")
        self.server.clock.advance(GUEST_GRACE_S)
        self.server.run_pending()
        self.assertIsNone(self.server.chat.users.get("gus"))
        self.assertIsNotNone(self.server.chat.users.get("hal"))

"""Encoded list entries of rooms, which logins share."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.gtchat_json import rooms
from tests.fakes import TestServer


class ListCache(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer()
        self.ann = self.server.guest("ann")
        for name in ("one", "two", "three"):
            self.ann.call("create_room", room_name=name)
        self.cache = self.server.encoder.list_cache

    def test_a_login_caches_the_rooms_that_it_lists(self) -> None:
        self.assertEqual(self.cache, {})
        self.server.guest("bob")
        self.assertEqual(len(self.cache), 3)
        cached = dict(self.cache)
        self.server.guest("carl")
        self.assertTrue(all(self.cache[room_id] is cached[room_id] for room_id in cached))

    def test_a_list_caches_nothing(self) -> None:
        bob = self.server.guest("bob")
        self.cache.clear()
        bob.call("get_room_list")
        self.assertEqual(self.cache, {})

    def test_a_room_that_changed_is_encoded_again(self) -> None:
        self.server.guest("bob")
        cached = dict(self.cache)
        self.ann.call("speak", room_name="two", msg="x")
        self.server.guest("carl")
        changed = [room_id for room_id in cached if self.cache[room_id] is not cached[room_id]]
        self.assertEqual(changed, [self.server.chat.rooms.find("two").id])

    def test_the_cache_is_bounded(self) -> None:
        self.patch(rooms, "LIST_CACHE_LIMIT", 2)
        self.server.guest("bob")
        self.assertEqual(len(self.cache), 1)

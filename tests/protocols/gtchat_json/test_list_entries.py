"""Encoded list entries of rooms, which logins share."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import TestServer


class ListEntries(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer()
        self.ann = self.server.guest("ann")
        for name in ("one", "two", "three"):
            self.ann.call("create_room", room_name=name)

    def kept(self) -> dict[str, object]:
        """Return the entries that rooms have kept, by name."""
        rooms = self.server.chat.rooms
        return {room.name: room.list_entry for room in rooms if room.list_entry is not None}

    def test_rooms_keep_what_a_login_lists(self) -> None:
        self.assertEqual(self.kept(), {})
        listed: list[dict[str, Any]] = self.server.connect().login("bob")["rooms"]
        kept = self.kept()
        found = {name: json.loads(bytes(entry)) for name, entry in kept.items()}  # type: ignore[call-overload]
        self.assertEqual(found, {one["room_name"]: one for one in listed[1:]})
        self.assertEqual(self.server.connect().login("carl")["rooms"], listed_with(listed, 3))
        after = self.kept()
        self.assertTrue(all(after[name] is kept[name] for name in kept))

    def test_the_lobby_and_the_rooms_of_the_user_are_encoded_anew(self) -> None:
        self.server.guest("bob")
        before = self.kept()
        before.pop("one")
        carl = self.server.member("carl")
        carl.call("join_room", room_name="one")
        carl.drop(clean=True)
        carl = self.server.connect()
        listed = carl.login("carl", pwd="password")["rooms"]
        self.assertEqual([one["joined"] for one in listed], [True, True, False, False])
        self.assertEqual(self.kept(), before)

    def test_other_lists_keep_nothing(self) -> None:
        bob = self.server.guest("bob")
        self.ann.call("speak", room_name="two", msg="x")
        before = self.kept()
        bob.call("get_room_list")
        self.assertEqual(self.kept(), before)

    def test_a_room_that_changed_is_encoded_again(self) -> None:
        self.server.guest("bob")
        kept = self.kept()
        self.ann.call("speak", room_name="two", msg="x")
        self.server.guest("carl")
        after = self.kept()
        self.assertEqual([name for name in kept if after[name] is not kept[name]], ["two"])


def listed_with(listed: list[dict[str, Any]], online: int) -> list[dict[str, Any]]:
    """Return a list of rooms with another number of users who are online."""
    return [{**listed[0], "members": online}, *listed[1:]]

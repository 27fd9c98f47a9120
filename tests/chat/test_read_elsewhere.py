"""Typing, read marks, levels of notifications and broadcasts between two nodes of one chat."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred

from gtchat.chat.events import Joined, ReadMarked
from gtchat.chat.interfaces import AccountState, MembershipRecord
from gtchat.chat.read_state import load_user
from gtchat.chat.relay import DirectTyping, ReadMoved, RoomTyping
from gtchat.chat.users import User
from tests.chat.test_direct_elsewhere import ElsewhereCase
from tests.fakes import FakeClient


class ReadCase(ElsewhereCase):
    """Ann and Bob are members of the room `r`."""

    def setUp(self) -> None:
        super().setUp()
        self.ann[0].call("create_room", room_name="r")
        self.ann[0].call("add_member", room_name="r", user="bob")
        self.whisper(self.ann[0], "bob")
        self.forget()

    def kinds(self) -> list[list[str]]:
        """Take what each client was sent; return the kinds."""
        return [[push.get("type", push["cmd"]) for push in one] for one in self.pushes()]


class Typing(ReadCase):
    def test_others_are_told_at_each_node(self) -> None:
        for fields in ({"room_name": "r"}, {"target_user": "bob"}):
            self.assertEqual(self.ann[0].call("typing", **fields)["status"], "ok")
            ann, first, other_ann, second = self.pushes()
            self.assertEqual((ann, other_ann, len(first)), ([], [], 1))
            self.assertEqual(first, second)

    def test_a_user_who_writes_a_note_is_not_told(self) -> None:
        self.assertEqual(self.ann[0].call("typing", target_user="ann")["status"], "ok")
        self.assertEqual(self.kinds(), [[]] * 4)

    def test_those_who_block_the_user_are_not_told(self) -> None:
        self.bob[0].call("block", user="ann")
        eve = self.login("eve", 1)
        eve.received()
        self.ann[0].call("typing", room_name="lobby")
        self.assertEqual(self.kinds(), [[], [], [], []])
        self.assertEqual(len(eve.pushes("typing")), 1)

    def test_what_comes_for_users_and_rooms_that_are_not_here_is_dropped(self) -> None:
        self.bob[1].call("logout")
        self.ann[0].call("typing", target_user="bob")
        self.ann[0].call("create_room", room_name="new")
        self.tables.wakes = False
        self.ann[0].call("create_room", room_name="newer")
        self.tables.wakes = True
        self.ann[0].call("typing", room_name="newer")
        self.assertEqual(self.ann[1].pushes("typing"), [])

    def test_without_the_bus_only_the_own_node_is_told(self) -> None:
        self.lose_bus()
        self.ann[0].call("typing", room_name="r")
        self.look()
        self.assertEqual(self.kinds(), [[], ["typing"], [], []])


class Marks(ReadCase):
    def marks(self, client: FakeClient) -> tuple[int, int]:
        """Return up to which entry a client has read the room, and how many are unread."""
        [room] = (one for one in client.call("get_room_list")["rooms"] if one["room_name"] == "r")
        return room["read_seq"], room["unread"]

    def test_the_users_other_sessions_are_told_at_each_node(self) -> None:
        self.bob[0].call("speak", room_name="r", msg="3")
        self.bob[0].call("speak", room_name="r", msg="4")
        self.forget()
        for cmd, seq, read_seq in (("mark_read", 3, 3), ("mark_read", 4, 4), ("mark_unread", 3, 2)):
            self.ann[0].call(cmd, room_name="r", seq=seq)
            asked, _, told, _ = self.pushes()
            self.assertEqual(asked, [])
            self.assertEqual([push["read_seq"] for push in told], [read_seq])
            for client in self.ann:
                self.assertEqual(self.marks(client), (read_seq, 4 - read_seq), (cmd, seq))
        self.bob[1].call("mark_read", target_user="ann", seq=1)
        self.assertEqual(self.kinds(), [[], ["marked_read"], [], []])

    def test_a_mark_of_a_node_that_was_not_told_of_others_is_as_stored(self) -> None:
        self.bob[0].call("speak", room_name="r", msg="3")
        self.bob[0].call("speak", room_name="r", msg="4")
        self.lose_bus()
        self.ann[1].call("mark_read", room_name="r", seq=4)
        self.ann[0].call("mark_unread", room_name="r", seq=3)
        self.ann[1].call("mark_read", room_name="r", seq=3)
        self.assertEqual(self.marks(self.ann[1]), (3, 1))

    def test_what_history_has_can_be_marked_before_it_is_delivered(self) -> None:
        self.lose_bus()
        self.bob[0].call("speak", room_name="r", msg="3")
        page = self.ann[1].call("history", room_name="r")
        self.assertEqual(page["log_last"], 3)
        self.assertEqual(self.ann[1].call("mark_read", room_name="r", seq=3)["status"], "ok")
        self.assertEqual([push["seq"] for push in self.ann[1].pushes()], [3])
        self.assertEqual(
            self.ann[1].call("mark_unread", room_name="r", seq=4)["code"], "bad_request"
        )

    def test_a_member_who_was_removed_elsewhere_marks_nothing(self) -> None:
        self.lose_bus()
        self.ann[0].call("kick", room_name="r", user="bob")
        for seq, code in ((2, "not_in_room"), (9, "not_in_room")):
            reply = self.bob[1].call("mark_read", room_name="r", seq=seq)
            self.assertEqual(reply["code"], code)

    def test_without_the_bus_only_the_own_node_is_told(self) -> None:
        self.lose_bus()
        self.ann[0].call("mark_unread", room_name="r", seq=2)
        self.look()
        self.assertEqual(self.kinds(), [[]] * 4)
        [room] = self.login("ann", 1).call("get_room_list")["rooms"][1:]
        self.assertEqual(room["read_seq"], 1)


class Relayed(ReadCase):
    """What the relay brings late, or for users and rooms that are not here."""

    def test_it_is_dropped_where_it_does_not_apply(self) -> None:
        self.bob[1].call("logout")
        self.forget()
        rooms, users = self.servers[1].chat.rooms, self.servers[1].chat.users
        room, ann, relay = rooms.find("r"), users.get("ann"), self.servers[1].options["relay"]
        assert ann is not None
        self.bob[0].call("create_room", room_name="bobs")
        Deferred.fromCoroutine(self.servers[1].chat.loader.find("bobs"))
        self.look()
        other, seq = rooms.find("bobs"), ann.read_seq(room)
        event = ReadMarked(room_name="r", read_seq=seq, at=1)
        bob = self.tables.accounts.find("bob", None)
        assert bob is not None
        self.forget()
        for relayed in (
            ReadMoved(bob.id, room.id, 1, event),
            ReadMoved(ann.id, other.id, 1, event),
            ReadMoved(ann.id, room.id, seq, event),
            RoomTyping(999, bob.id, "bob"),
            DirectTyping(bob.id, ann.id, "ann"),
        ):
            relay.received(relayed)
            self.assertEqual(self.ann[1].pushes(), [], relayed)
        self.assertEqual((ann.read_seq(room), ann.read_seq(other)), (seq, 0))


class Loading(ReadCase):
    def test_rooms_whose_entries_are_not_delivered_yet_are_left_out(self) -> None:
        """A login reads memberships that the log in memory has not come to."""
        rooms = self.servers[0].chat.rooms
        room = rooms.find("r")
        eve = self.tables.accounts.find("eve", None)
        assert eve is not None
        ids = (rooms.lobby.id, room.id, 999)
        account_state = AccountState(
            eve, tuple(MembershipRecord(one, 1, "none") for one in ids), {}, frozenset()
        )
        entry = Joined(room_name="r", usr="eve", subject_id=eve.id, at=1)
        change = SimpleNamespace(entry=entry, undo=None)
        for is_queued in (False, True):
            user = User(eve.id, "eve", "eve", True)
            if is_queued:
                rooms.queue(room, change)  # type: ignore[arg-type]
            load_user(user, rooms, account_state)
            self.assertEqual((dict(user.rooms), user.lobby_read_seq), ({}, 1))
            self.assertEqual(dict(user.notify), {rooms.lobby.id: "none"})
        rooms.stored(room, change)  # type: ignore[arg-type]
        load_user(user, rooms, account_state)
        self.assertEqual(dict(user.rooms), {room: 1})


class Levels(ReadCase):
    def level(self, client: FakeClient) -> Any:
        """Return of which messages of the room a client is notified."""
        [room] = (one for one in client.call("get_room_list")["rooms"] if one["room_name"] == "r")
        return room.get("notify", "all")

    def test_the_users_other_sessions_are_told_at_each_node(self) -> None:
        for client, level in ((0, "none"), (1, "mentions"), (0, "all")):
            self.ann[client].call("set_notify", room_name="r", level=level)
            self.assertEqual([self.level(one) for one in self.ann], [level] * 2)
            found = self.kinds()
            self.assertEqual(found[0] + found[2], ["notify"], level)
        self.ann[0].call("set_notify", room_name="r", level="all")
        self.assertEqual(self.kinds(), [[]] * 4)
        self.ann[0].call("set_notify", target_user="bob", level="none")
        self.assertEqual(self.kinds(), [[], [], ["notify"], []])

    def test_two_levels_that_are_set_at_once_end_as_the_later_one(self) -> None:
        self.lose_bus()
        self.ann[0].call("set_notify", room_name="r", level="none")
        self.ann[1].call("set_notify", room_name="r", level="all")
        self.look()
        self.assertEqual([self.level(one) for one in self.ann], ["all"] * 2)

    def test_a_level_of_a_room_that_the_user_has_left_is_dropped(self) -> None:
        self.lose_bus()
        self.bob[0].call("set_notify", room_name="r", level="none")
        self.bob[0].call("leave_room", room_name="r")
        self.look()
        bob = self.servers[1].chat.users.get("bob")
        assert bob is not None
        self.assertEqual(dict(bob.notify), {})


class Broadcasts(ReadCase):
    options = {"broadcast_key": "key"}

    def test_all_users_are_told_once(self) -> None:
        reply = self.ann[0].call("broadcast", msg="to all", broadcast_key="key")
        self.assertEqual(reply["recipients"], 2)
        self.assertEqual(self.kinds(), [[], *[["c_broadcast"]] * 3])

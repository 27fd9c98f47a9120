"""Unread messages: whose messages count, which sessions mark, and what every list tells."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import fail

from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import UnreadRecord
from gtchat.chat.read_state import set_unread
from tests.chat.test_messages import RoomTestCase
from tests.fakes import FakeClient


def told(reply: dict[str, Any], room_name: str = "r") -> tuple[int, int]:
    """Return `read_seq` and `unread` of a room in a reply."""
    [room] = (room for room in reply["rooms"] if room["room_name"] == room_name)
    return room["read_seq"], room["unread"]


class UnreadTestCase(RoomTestCase):
    """Ann, bob and eve are members of `r`, whose log has three entries."""

    def log_in(self, name: str, **fields: object) -> tuple[FakeClient, dict[str, Any]]:
        client = self.server.connect()
        return client, client.login(name, pwd="password", **fields)

    def say(self, client: FakeClient, count: int = 1, room_name: str = "r") -> None:
        for _ in range(count):
            client.call("speak", room_name=room_name, msg="x")


class SessionsThatMark(UnreadTestCase):
    def test_nothing_counts_as_read_unless_it_is_marked(self) -> None:
        self.bob.drop(clean=True)
        self.say(self.ann, 3)
        for expected, end in enumerate(("logout", "close", "drop"), start=3):
            bob, reply = self.log_in("bob", marks_read=True)
            self.assertEqual(told(reply), (3, expected), end)
            self.say(self.ann)  # what is pushed is not read either
            bob.call("logout") if end == "logout" else bob.drop(clean=end == "close")

    def test_a_session_that_is_resumed_can_say_it(self) -> None:
        self.bob.drop()
        login = self.logins["bob"]
        client = self.server.connect()
        fields = {"session_id": login["session_id"], "epoch": login["epoch"]}
        client.call("resume", **fields, seen={"r": 3}, marks_read=True)
        self.say(self.ann, 2)
        client.call("logout")
        self.assertEqual(told(self.log_in("bob")[1]), (3, 2))

    def test_a_guest_can_say_it(self) -> None:
        guest = self.server.connect()
        login = guest.call("login", type="tmp", usr="guest", marks_read=True)
        self.say(self.ann, 2, "lobby")
        guest.drop()
        fields = {"session_id": login["session_id"], "epoch": login["epoch"]}
        reply = self.server.connect().call("resume", **fields)
        self.assertEqual(told(reply, "lobby"), (0, 2))

    def test_other_sessions_have_read_what_they_were_sent(self) -> None:
        self.say(self.ann, 2)
        self.bob.call("logout")
        self.assertEqual(told(self.log_in("bob")[1]), (5, 0))

    def test_it_is_a_feature_of_the_server(self) -> None:
        self.assertIn("marks_read", self.ann.call("hello")["features"])


class OwnMessages(UnreadTestCase):
    def test_speaking_marks_the_room_as_read(self) -> None:
        self.say(self.ann, 2)
        self.say(self.bob)
        self.say(self.ann)
        self.assertEqual(told(self.bob.call("get_room_list")), (6, 1))
        self.say(self.bob)
        self.assertEqual(told(self.bob.call("get_room_list")), (8, 0))

    def test_it_lasts_over_a_login_and_a_restart(self) -> None:
        bob, _ = self.log_in("bob", marks_read=True)
        self.say(self.ann, 2)
        self.say(bob)
        self.say(self.ann)
        bob.drop()
        bob, reply = self.log_in("bob", marks_read=True)
        self.assertEqual(told(reply), (6, 1))
        self.say(bob)
        self.server.start()
        self.assertEqual(told(self.log_in("bob", marks_read=True)[1]), (8, 0))

    def test_it_lasts_over_a_resume_before_the_loss_is_noticed(self) -> None:
        self.say(self.ann, 2)
        self.say(self.bob)
        self.say(self.ann)
        _, reply = self.resume("bob", r=6)
        self.assertEqual(told(reply), (6, 1))

    def test_the_mark_is_stored_soon_and_once(self) -> None:
        with patch.object(
            self.server.store, "set_read", wraps=self.server.store.set_read
        ) as set_read:
            self.say(self.bob, 3)
            self.say(self.bob, 1, "lobby")
            self.say(self.eve)
            self.assertEqual(set_read.call_count, 0)
            self.server.clock.advance(5)
            self.server.run_pending()
            self.server.clock.advance(60)
            self.server.run_pending()
        [stored] = set_read.call_args_list
        self.assertEqual(sorted(stored.args[0].values()), [1, 6, 7])

    def test_marks_that_cannot_be_stored_are_lost(self) -> None:
        bob, _ = self.log_in("bob", marks_read=True)
        self.say(self.ann, 2)
        self.say(bob)
        with patch.object(self.server.store, "set_read", lambda marks: fail(NotStored())):
            reply = bob.call("get_room_list")
        self.assertEqual(reply["status"], "ok")
        self.assertEqual(told(self.log_in("bob", marks_read=True)[1])[1], 2)

    def test_a_message_whose_session_has_ended_marks_nothing(self) -> None:
        self.ann.send("speak", room_name="r", msg="x")
        self.bob.send("speak", room_name="r", msg="y")
        self.bob.drop()
        self.assertEqual(told(self.log_in("bob")[1]), (3, 1))

    def test_what_has_not_left_is_not_read_by_speaking(self) -> None:
        for marks_read, expected in ((False, (3, 2)), (True, (9, 0))):
            bob, _ = self.log_in("bob", marks_read=marks_read)
            bob.outbox.buffered_bytes = 1  # the client does not read
            self.say(self.ann, 2)
            self.say(bob)
            self.server.clock.advance(5)
            bob.drop()
            self.assertEqual(told(self.log_in("bob", marks_read=True)[1]), expected)

    def test_a_mark_does_not_move_back_by_speaking(self) -> None:
        self.bob.send("speak", room_name="r", msg="x")
        self.bob.send("mark_read", room_name="r", seq=2)
        self.server.run_pending()
        self.bob.call("mark_read", room_name="r", seq=1)
        self.assertEqual(told(self.bob.call("get_room_list")), (4, 0))

    def test_a_message_that_is_stored_after_its_sender_left_marks_nothing(self) -> None:
        self.bob.send("speak", room_name="r", msg="x")
        self.bob.send("leave_room", room_name="r")
        self.server.run_pending()
        self.bob.call("join_room", room_name="r")
        self.assertEqual(told(self.bob.call("get_room_list")), (6, 0))


class BlockedUsers(UnreadTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.bob.call("block", user="ann")

    def test_their_messages_are_not_unread(self) -> None:
        self.say(self.ann, 2)
        self.say(self.eve)
        self.assertEqual(told(self.bob.call("get_room_list")), (2, 1))
        self.bob.call("unblock", user="ann")
        self.assertEqual(told(self.bob.call("get_room_list")), (2, 3))

    def test_their_messages_do_not_come_with_a_resume(self) -> None:
        self.bob.drop()
        self.say(self.ann, 2)
        self.ann.call("set_room", room_name="r", topic="new")
        self.say(self.eve)
        self.ann.call("leave_room", room_name="r")
        _, reply = self.resume("bob", r=3, lobby=0)
        rooms = {room["room_name"]: room for room in reply["resumed"]}
        entries = [(entry.get("type"), entry["usr"]) for entry in rooms["r"]["entries"]]
        self.assertEqual(entries, [("room_changed", "ann"), (None, "eve"), ("leave_room", "ann")])
        self.assertEqual((rooms["r"]["state"], rooms["r"]["last_seq"]), ("resumed", 8))
        self.assertEqual(told(reply), (3, 1))

    def test_their_messages_are_marked_in_the_history(self) -> None:
        self.say(self.ann)
        self.say(self.eve)
        self.ann.call("leave_room", room_name="r")
        entries = self.bob.call("history", room_name="r", after=3)["entries"]
        self.assertEqual([entry.get("blocked") for entry in entries], [True, None, None])
        [pushed] = self.eve.pushes("c_speak")
        self.assertEqual(entries[0], {**pushed, "blocked": True})
        entries = self.eve.call("history", room_name="r", after=3)["entries"]
        self.assertEqual([entry.get("blocked") for entry in entries], [None] * 3)


class ToldEverywhere(UnreadTestCase):
    options = {"sessions": "share"}

    def test_a_second_session_is_told_what_is_unread_now(self) -> None:
        self.bob.call("mark_read", room_name="r", seq=2)
        self.say(self.ann, 3)
        self.say(self.ann, 2, "lobby")
        second, reply = self.log_in("bob")
        for found in (reply, self.bob.call("get_room_list"), second.call("get_room_list")):
            self.assertEqual((told(found), told(found, "lobby")), ((2, 3), (0, 2)))
        self.bob.call("mark_read", room_name="r", seq=5)
        self.assertEqual(told(second.call("get_room_list")), (5, 1))
        second.drop()
        self.assertEqual(told(self.resume("bob", r=5)[1]), (6, 0))

    def test_messages_that_come_while_unread_ones_are_counted_are_added(self) -> None:
        self.say(self.ann)
        unread = self.server.store.unread
        self.patch(self.server.store, "unread", lambda *args: unread(*args).addCallback(self.more))
        self.assertEqual(told(self.bob.call("get_room_list")), (2, 3))

    def more(self, counted: object) -> object:
        """Store two more messages before a count is used."""
        for _ in range(2):
            self.ann.send("speak", room_name="r", msg="x")
        self.server.clock.advance(0)
        return counted

    def test_messages_that_were_counted_before_they_are_delivered_are_left_out(self) -> None:
        assert self.bob.api.session is not None
        user, room = self.bob.api.session.user, self.server.chat.rooms.find("r")
        self.say(self.ann, 3)
        # More than there are entries is a count of before another session was read.
        for counted, expected in ((3, 2), (1, 0), (99, 4)):
            record = UnreadRecord(counted, room.message_count + 1)
            set_unread(user, self.server.chat.rooms, {room.id: record})
            self.assertEqual(user.unread.get(room.id, 0), expected)

    def test_counts_stay_as_they_are_if_they_cannot_be_read(self) -> None:
        self.say(self.ann, 2)
        self.assertEqual(told(self.bob.call("get_room_list")), (2, 2))
        self.say(self.ann)
        with patch.object(self.server.store, "unread", lambda *args: fail(NotStored())):
            self.assertEqual(told(self.bob.call("get_room_list")), (2, 2))

    def test_a_session_that_ends_during_the_count_gets_no_list(self) -> None:
        self.bob.send("get_room_list", tracker="1")
        assert self.bob.api.session is not None
        self.bob.api.session = None
        self.server.run_pending()
        self.assertEqual(self.bob.reply("1")["code"], "not_logged_in")

    def test_rooms_that_ended_during_the_count_are_left_out(self) -> None:
        self.say(self.ann)
        self.bob.send("get_room_list", tracker="1")
        self.ann.send("delete_room", room_name="r")
        self.server.run_pending()
        self.assertEqual(len(self.bob.reply("1")["rooms"]), 1)

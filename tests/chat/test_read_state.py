"""Typing notifications and read marks."""

from __future__ import annotations

from gtchat.chat.limits import Limits
from tests.chat.test_messages import RoomTestCase
from tests.fakes import FakeClient, TestServer


class Typing(RoomTestCase):
    def test_other_members_are_notified(self) -> None:
        outsider = self.register("zoe")
        self.assertEqual(self.ann.call("typing", room_name="R")["status"], "ok")
        for client in (self.bob, self.eve):
            [push] = client.pushes()
            self.assertEqual(
                {key: push[key] for key in ("cmd", "type", "room_name", "usr")},
                {"cmd": "c_event", "type": "typing", "room_name": "r", "usr": "ann"},
            )
            self.assertNotIn("seq", push)
        self.assertEqual([client.pushes() for client in (self.ann, outsider)], [[], []])

    def test_users_who_block_the_sender_are_not_notified(self) -> None:
        self.bob.call("block", user="ann")
        self.ann.call("typing", room_name="r")
        self.assertEqual([len(client.pushes()) for client in (self.bob, self.eve)], [0, 1])

    def test_notifications_are_not_stored(self) -> None:
        self.ann.call("typing", room_name="r")
        page = self.bob.call("history", room_name="r")
        self.assertEqual(page["log_last"], 3)
        self.assertEqual([entry.get("type") for entry in page["entries"]][1:], ["join_room"] * 2)
        self.bob.drop()
        _, reply = self.resume("bob", r=3, lobby=0)
        self.assertEqual([room["entries"] for room in reply["resumed"]], [[], []])

    def test_notifications_are_limited_to_one_in_three_seconds_for_each_room(self) -> None:
        self.ann.call("typing", room_name="r")
        self.server.clock.advance(1)
        reply = self.ann.call("typing", room_name="r")
        self.assertEqual(reply["code"], "rate_limited")
        self.assertAlmostEqual(reply["retry_after"], 2, places=2)
        self.assertEqual(self.ann.call("typing", room_name="lobby")["status"], "ok")
        self.assertEqual(self.bob.call("typing", room_name="r")["status"], "ok")
        self.server.clock.advance(2.5)
        self.assertEqual(self.ann.call("typing", room_name="r")["status"], "ok")
        self.assertEqual(len(self.eve.pushes()), 4)

    def test_only_recent_notifications_are_remembered(self) -> None:
        assert self.ann.api.session is not None
        typed = self.ann.api.session.user.typed_at
        for number in range(20):
            self.ann.call("create_room", room_name=f"r{number}")
            self.ann.call("typing", room_name=f"r{number}")
            self.server.clock.advance(1)
            typed = self.ann.api.session.user.typed_at
            self.assertLessEqual(len(typed), 3)
        self.assertTrue(typed)

    def test_invalid_requests_are_refused(self) -> None:
        self.bob.call("leave_room", room_name="r")
        for room, code in (("r", "not_in_room"), ("nowhere", "no_such_room")):
            self.assertEqual(self.bob.call("typing", room_name=room)["code"], code)
        self.assertEqual(self.bob.call("typing")["code"], "bad_request")


class TypingWithoutLimit(RoomTestCase):
    options = {"limits": Limits(commands_per_second=0, typing_interval=0)}

    def test_interval_of_zero_is_no_limit(self) -> None:
        for _ in range(3):
            self.ann.call("typing", room_name="r")
        self.assertEqual(len(self.bob.pushes("typing")), 3)


class ReadMarks(RoomTestCase):
    def setUp(self) -> None:
        super().setUp()
        for text in "4567":
            self.bob.call("speak", room_name="r", msg=text)
        self.ann.received()

    def room(self, client: FakeClient, cmd: str = "get_room_list") -> tuple[int, int]:
        [room] = (one for one in client.call(cmd)["rooms"] if one["room_name"] == "r")
        return room["read_seq"], room["unread"]

    def log_in(self, name: str) -> tuple[int, int]:
        """Log in. Return the read mark and the unread count of the room."""
        client = self.server.connect()
        reply = client.login(name, pwd="password")
        [room] = (one for one in reply["rooms"] if one["room_name"] == "r")
        return room["read_seq"], room["unread"]

    def test_new_member_has_read_everything_before_joining(self) -> None:
        dan = self.server.member("dan")
        dan.call("join_room", room_name="r")
        self.assertEqual(self.room(dan), (8, 0))

    def test_mark_is_in_lists_and_in_the_next_login(self) -> None:
        self.assertEqual(self.ann.call("mark_read", room_name="R", seq=5)["status"], "ok")
        self.assertEqual(self.room(self.ann), (5, 2))
        self.ann.call("logout")
        self.assertEqual(self.log_in("ann"), (5, 2))

    def test_mark_is_in_the_reply_to_a_resume(self) -> None:
        self.ann.call("mark_read", room_name="r", seq=6)
        self.ann.drop()
        _, reply = self.resume("ann", r=7, lobby=0)
        [room] = (one for one in reply["rooms"] if one["room_name"] == "r")
        self.assertEqual((room["read_seq"], room["unread"]), (6, 1))

    def test_mark_lasts_over_a_restart(self) -> None:
        self.ann.call("mark_read", room_name="r", seq=5)
        self.server.start()
        self.assertEqual(self.log_in("ann"), (5, 2))

    def test_mark_never_goes_back(self) -> None:
        for seq in (6, 4, 0):
            self.assertEqual(self.ann.call("mark_read", room_name="r", seq=seq)["status"], "ok")
        self.assertEqual(self.room(self.ann), (6, 1))

    def test_client_without_marks_has_read_what_it_was_sent(self) -> None:
        self.eve.call("logout")
        self.assertEqual(self.log_in("eve"), (7, 0))

    def test_invalid_marks_are_refused(self) -> None:
        for fields, code in (
            ({"room_name": "r", "seq": 8}, "bad_request"),
            ({"room_name": "r", "seq": -1}, "bad_request"),
            ({"room_name": "r", "seq": 10**18}, "bad_request"),
            ({"room_name": "r", "seq": "5"}, "bad_request"),
            ({"room_name": "r"}, "bad_request"),
            ({"room_name": "nowhere", "seq": 1}, "no_such_room"),
        ):
            self.assertEqual(self.ann.call("mark_read", **fields)["code"], code, fields)
        self.eve.call("leave_room", room_name="r")
        self.assertEqual(self.eve.call("mark_read", room_name="r", seq=5)["code"], "not_in_room")
        self.assertEqual(self.room(self.eve), (0, 0))

    def test_lobby_can_be_marked(self) -> None:
        self.bob.call("speak", room_name="lobby", msg="hi")
        self.assertEqual(self.ann.call("mark_read", room_name="lobby", seq=1)["status"], "ok")
        self.ann.call("logout")
        rooms = self.server.connect().login("ann", pwd="password")["rooms"]
        [lobby] = (one for one in rooms if one["room_name"] == "lobby")
        self.assertEqual((lobby["read_seq"], lobby["unread"]), (1, 0))

    def test_guest_begins_with_the_lobby_read(self) -> None:
        self.bob.call("speak", room_name="lobby", msg="hi")
        rooms = self.server.connect().login("guest")["rooms"]
        self.assertEqual([(one["read_seq"], one["unread"]) for one in rooms[:1]], [(1, 0)])

    def test_mark_of_a_deleted_room_is_dropped(self) -> None:
        self.eve.call("mark_read", room_name="r", seq=5)
        assert self.eve.api.session is not None
        user = self.eve.api.session.user
        room = self.server.chat.rooms.find("r")
        self.assertEqual(user.read_seq(room), 5)
        self.ann.call("delete_room", room_name="r")
        self.assertEqual((user.read_seq(room), user.unread), (0, {}))


class ReadMarksOfTwoSessions(RoomTestCase):
    options = {"sessions": "share"}

    def test_other_sessions_of_the_user_receive_the_mark(self) -> None:
        second = self.server.connect()
        second.login("ann", pwd="password")
        second.received()
        self.ann.call("mark_read", room_name="r", seq=2)
        self.ann.call("mark_read", room_name="r", seq=1)
        self.assertEqual(self.ann.pushes(), [])
        self.ann.call("mark_read", room_name="r", seq=3)
        pushes = second.pushes()
        self.assertEqual(
            [(push["type"], push["room_name"], push["read_seq"]) for push in pushes],
            [("marked_read", "r", 2), ("marked_read", "r", 3)],
        )
        # Until the next release.
        self.assertEqual([push["seq"] for push in pushes], [2, 3])
        self.assertEqual([client.pushes() for client in (self.bob, self.eve)], [[], []])

    def test_other_sessions_of_the_user_receive_no_typing_notification(self) -> None:
        second = self.server.connect()
        second.login("ann", pwd="password")
        second.received()
        self.ann.call("typing", room_name="r")
        self.assertEqual(second.pushes(), [])


class ReadMarksAndMembership(RoomTestCase):
    def test_mark_after_leaving_is_refused(self) -> None:
        self.bob.send("leave_room", room_name="r", tracker=1)
        self.bob.send("mark_read", room_name="r", seq=1, tracker=2)
        self.server.run_pending()
        self.assertEqual(self.bob.reply("2")["code"], "not_in_room")

    def test_user_who_joins_again_has_read_everything(self) -> None:
        server: TestServer = self.server
        self.ann.call("speak", room_name="r", msg="1")
        self.bob.call("leave_room", room_name="r")
        self.ann.call("speak", room_name="r", msg="2")
        self.bob.call("join_room", room_name="r")
        server.run_pending()
        [room] = (r for r in self.bob.call("get_room_list")["rooms"] if r["room_name"] == "r")
        self.assertEqual((room["read_seq"], room["unread"]), (room["last_seq"], 0))

    def test_mark_of_a_member_kicked_meanwhile_is_dropped(self) -> None:
        assert self.bob.api.session is not None
        user = self.bob.api.session.user
        self.bob.send("mark_read", room_name="r", seq=1)
        self.ann.call("kick", room_name="r", user="bob")
        self.assertEqual((user.rooms, user.unread), ({}, {}))

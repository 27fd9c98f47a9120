"""Typing, and how far somebody has read."""

from __future__ import annotations

from gtchat.chat.limits import Limits
from tests.chat.test_messages import Talk
from tests.fakes import FakeClient, TestServer


class Typing(Talk):
    def test_all_others_in_the_room_see_it(self) -> None:
        outsider = self.come("zoe")
        self.assertEqual(self.ann.call("typing", room_name="R")["status"], "ok")
        for line in (self.bob, self.eve):
            [push] = line.pushes()
            self.assertEqual(
                {key: push[key] for key in ("cmd", "type", "room_name", "usr")},
                {"cmd": "c_event", "type": "typing", "room_name": "r", "usr": "ann"},
            )
            self.assertNotIn("seq", push)
        self.assertEqual([line.pushes() for line in (self.ann, outsider)], [[], []])

    def test_whoever_blocks_him_does_not(self) -> None:
        self.bob.call("block", user="ann")
        self.ann.call("typing", room_name="r")
        self.assertEqual([len(line.pushes()) for line in (self.bob, self.eve)], [0, 1])

    def test_it_is_in_no_log(self) -> None:
        self.ann.call("typing", room_name="r")
        page = self.bob.call("history", room_name="r")
        self.assertEqual(page["last"], 3)
        self.assertEqual([entry.get("type") for entry in page["entries"]][1:], ["join_room"] * 2)
        self.bob.drop()
        _, reply = self.resume("bob", r=3, lobby=0)
        self.assertEqual([room["entries"] for room in reply["resumed"]], [[], []])

    def test_it_is_told_once_in_three_seconds_for_each_room(self) -> None:
        self.ann.call("typing", room_name="r")
        self.world.clock.advance(1)
        reply = self.ann.call("typing", room_name="r")
        self.assertEqual(reply["code"], "rate_limited")
        self.assertAlmostEqual(reply["retry_after"], 2, places=2)
        self.assertEqual(self.ann.call("typing", room_name="lobby")["status"], "ok")
        self.assertEqual(self.bob.call("typing", room_name="r")["status"], "ok")
        self.world.clock.advance(2.5)
        self.assertEqual(self.ann.call("typing", room_name="r")["status"], "ok")
        self.assertEqual(len(self.eve.pushes()), 4)

    def test_only_the_last_seconds_are_remembered(self) -> None:
        assert self.ann.api.session is not None
        typed = self.ann.api.session.user.typed_at
        for number in range(20):
            self.ann.call("create_room", room_name=f"r{number}")
            self.ann.call("typing", room_name=f"r{number}")
            self.world.clock.advance(1)
            typed = self.ann.api.session.user.typed_at
            self.assertLessEqual(len(typed), 3)
        self.assertTrue(typed)

    def test_what_is_refused(self) -> None:
        self.bob.call("leave_room", room_name="r")
        for room, code in (("r", "not_in_room"), ("nowhere", "no_such_room")):
            self.assertEqual(self.bob.call("typing", room_name=room)["code"], code)
        self.assertEqual(self.bob.call("typing")["code"], "bad_request")


class TypingWithoutLimit(Talk):
    options = {"limits": Limits(commands_per_second=0, typing_interval=0)}

    def test_an_operator_may_let_it_be_told_every_time(self) -> None:
        for _ in range(3):
            self.ann.call("typing", room_name="r")
        self.assertEqual(len(self.bob.pushes("typing")), 3)


class Reading(Talk):
    def setUp(self) -> None:
        super().setUp()
        for text in "4567":
            self.bob.call("speak", room_name="r", msg=text)
        self.ann.received()

    def room(self, line: FakeClient, cmd: str = "get_room_list") -> tuple[int, int]:
        [room] = (one for one in line.call(cmd)["rooms"] if one["room_name"] == "r")
        return room["read_seq"], room["unread"]

    def again(self, name: str) -> tuple[int, int]:
        """What a login finds of the room."""
        line = self.world.connect()
        reply = line.login(name, pwd="password")
        [room] = (one for one in reply["rooms"] if one["room_name"] == "r")
        return room["read_seq"], room["unread"]

    def test_a_new_member_has_read_everything_up_to_his_coming(self) -> None:
        self.assertEqual(self.room(self.eve), (3, 0))

    def test_a_mark_is_in_every_list_and_in_the_next_login(self) -> None:
        self.assertEqual(self.ann.call("mark_read", room_name="R", seq=5)["status"], "ok")
        self.assertEqual(self.room(self.ann), (5, 2))
        self.ann.call("logout")
        self.assertEqual(self.again("ann"), (5, 2))

    def test_a_mark_is_in_the_reply_to_a_resume(self) -> None:
        self.ann.call("mark_read", room_name="r", seq=6)
        self.ann.drop()
        _, reply = self.resume("ann", r=7, lobby=0)
        [room] = (one for one in reply["rooms"] if one["room_name"] == "r")
        self.assertEqual((room["read_seq"], room["unread"]), (6, 1))

    def test_a_mark_lasts_over_a_restart(self) -> None:
        self.ann.call("mark_read", room_name="r", seq=5)
        self.world.start()
        self.assertEqual(self.again("ann"), (5, 2))

    def test_a_mark_never_goes_back(self) -> None:
        for seq in (6, 4, 0):
            self.assertEqual(self.ann.call("mark_read", room_name="r", seq=seq)["status"], "ok")
        self.assertEqual(self.room(self.ann), (6, 1))

    def test_who_does_not_mark_has_read_what_he_was_told(self) -> None:
        self.eve.call("logout")
        self.assertEqual(self.again("eve"), (7, 0))

    def test_what_is_refused(self) -> None:
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

    def test_the_lobby_too(self) -> None:
        self.bob.call("speak", room_name="lobby", msg="hi")
        self.assertEqual(self.ann.call("mark_read", room_name="lobby", seq=1)["status"], "ok")
        self.ann.call("logout")
        rooms = self.world.connect().login("ann", pwd="password")["rooms"]
        [lobby] = (one for one in rooms if one["room_name"] == "lobby")
        self.assertEqual((lobby["read_seq"], lobby["unread"]), (1, 0))

    def test_a_temporary_user_begins_with_all_read(self) -> None:
        self.bob.call("speak", room_name="lobby", msg="hi")
        rooms = self.world.connect().login("guest")["rooms"]
        self.assertEqual([(one["read_seq"], one["unread"]) for one in rooms[:1]], [(1, 0)])

    def test_a_room_that_is_gone_is_forgotten(self) -> None:
        self.bob.call("mark_read", room_name="r", seq=5)
        assert self.bob.api.session is not None
        user = self.bob.api.session.user
        room = self.world.chat.rooms.find("r")
        self.assertEqual(user.read_seq(room), 5)
        self.ann.call("delete_room", room_name="r")
        self.assertEqual((user.read_seq(room), user.unread), (0, {}))


class ReadingInTwoPlaces(Talk):
    options = {"sessions": "share"}

    def test_other_sessions_of_the_same_person_are_told(self) -> None:
        second = self.world.connect()
        second.login("ann", pwd="password")
        second.received()
        self.ann.call("mark_read", room_name="r", seq=2)
        self.ann.call("mark_read", room_name="r", seq=1)
        self.assertEqual(self.ann.pushes(), [])
        self.ann.call("mark_read", room_name="r", seq=3)
        self.assertEqual(
            [(push["type"], push["room_name"], push["seq"]) for push in second.pushes()],
            [("marked_read", "r", 2), ("marked_read", "r", 3)],
        )
        self.assertEqual([line.pushes() for line in (self.bob, self.eve)], [[], []])

    def test_typing_is_not_shown_to_oneself(self) -> None:
        second = self.world.connect()
        second.login("ann", pwd="password")
        second.received()
        self.ann.call("typing", room_name="r")
        self.assertEqual(second.pushes(), [])


class ReadingAsMembershipChanges(Talk):
    def test_a_mark_that_comes_after_one_has_left_is_refused(self) -> None:
        self.bob.send("leave_room", room_name="r", tracker=1)
        self.bob.send("mark_read", room_name="r", seq=1, tracker=2)
        self.world.run_pending()
        self.assertEqual(self.bob.reply("2")["code"], "not_in_room")

    def test_who_comes_back_to_a_room_has_read_everything(self) -> None:
        world: TestServer = self.world
        self.ann.call("speak", room_name="r", msg="1")
        self.bob.call("leave_room", room_name="r")
        self.ann.call("speak", room_name="r", msg="2")
        self.bob.call("join_room", room_name="r")
        world.run_pending()
        [room] = (r for r in self.bob.call("get_room_list")["rooms"] if r["room_name"] == "r")
        self.assertEqual((room["read_seq"], room["unread"]), (room["last_seq"], 0))

    def test_who_is_put_out_meanwhile_has_no_mark_there(self) -> None:
        assert self.bob.api.session is not None
        user = self.bob.api.session.user
        self.bob.send("mark_read", room_name="r", seq=1)
        self.ann.call("kick", room_name="r", user="bob")
        self.assertEqual((user.rooms, user.unread), ({}, {}))

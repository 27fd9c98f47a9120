"""Previews: what users who are not members see of a public room."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import REPLY_BYTES, Limits
from tests.fakes import FakeClient, TestServer


class PreviewCase(SynchronousTestCase):
    """Ann owns the public room `r` with the messages 1 and 2 of bob; eve is not a member."""

    def setUp(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0, previews_per_minute=0))
        self.ann, self.bob, self.eve = (self.server.member(n) for n in ("ann", "bob", "eve"))
        self.ann.call("create_room", room_name="r")
        self.bob.call("join_room", room_name="r")
        for text in "12":
            self.say(text)

    def say(self, text: str) -> int:
        """Let bob say something; return its seq."""
        seq: int = self.bob.call("speak", room_name="r", msg=text)["seq"]
        return seq

    def preview(self, client: FakeClient, **fields: object) -> dict[str, Any]:
        """Return the reply to a request for a preview."""
        return client.call("history", **{"room_name": "r", **fields}, preview=True)

    def texts(self, client: FakeClient, **fields: object) -> list[str]:
        """Return the texts in a preview."""
        return [entry["msg"] for entry in self.preview(client, **fields)["entries"]]

    def listed(self, client: FakeClient) -> dict[str, Any]:
        """Return the room as a list has it."""
        rooms = client.call("get_room_list")["rooms"]
        return next(room for room in rooms if room["room_name"] == "r")


class Reading(PreviewCase):
    def test_users_who_are_not_members_see_the_last_messages_alone(self) -> None:
        reply = self.preview(self.eve)
        self.assertEqual([one["cmd"] for one in reply["entries"]], ["c_speak", "c_speak"])
        self.assertEqual([one["msg"] for one in reply["entries"]], ["1", "2"])
        self.assertEqual((reply["log_first"], reply["log_last"], reply["more"]), (1, 4, False))
        history = self.bob.call("history", room_name="r", kinds=["c_speak"])
        self.assertEqual(reply["entries"], history["entries"])

    def test_positions_and_kinds_change_nothing_the_limit_does(self) -> None:
        for fields in ({"before": 3}, {"after": 3}, {"around": 1}, {"kinds": ["join_room"]}):
            self.assertEqual(self.texts(self.eve, **fields), ["1", "2"], fields)
        self.assertEqual(self.texts(self.eve, limit=1), ["2"])
        self.assertEqual(self.texts(self.bob), ["1", "2"])  # a member sees the same

    def test_it_has_the_messages_among_the_newest_50_entries(self) -> None:
        for number in range(3, 60):
            self.say(str(number))
        self.assertEqual(self.texts(self.eve), [str(number) for number in range(10, 60)])
        for _ in range(10):
            self.bob.call("react", room_name="r", seq=4, emoji="\N{THUMBS UP SIGN}")
            self.bob.call("react", room_name="r", seq=4, emoji="\N{THUMBS UP SIGN}", on=False)
        self.assertEqual(self.texts(self.eve), [str(number) for number in range(30, 60)])

    def test_a_reply_that_is_too_large_has_the_newest_and_nothing_follows(self) -> None:
        for number in range(50):
            self.say(f"{number} " + "\N{GRINNING FACE}" * 3990)
        reply = self.preview(self.eve, after=0, limit=200)
        self.assertLess(len(json.dumps(reply, ensure_ascii=False).encode()), REPLY_BYTES)
        self.assertTrue(reply["entries"][-1]["msg"].startswith("49 "))
        self.assertLess(len(reply["entries"]), 50)
        self.assertFalse(reply["more"])

    def test_it_subscribes_to_nothing_and_moves_no_mark(self) -> None:
        self.preview(self.eve)
        before = self.bob.call("mark_unread", room_name="r", seq=3)
        self.preview(self.bob)
        for client in (self.ann, self.bob, self.eve):
            client.received()
        self.say("3")
        self.assertEqual([push["msg"] for push in self.ann.pushes()], ["3"])
        self.assertEqual(self.eve.pushes(), [])
        room = self.listed(self.eve)
        self.assertEqual((room["joined"], room["unread"], room["read_seq"]), (False, 0, 0))
        self.assertEqual(before["read_seq"], 2)
        self.assertEqual(self.preview(self.eve)["entries"][-1]["msg"], "3")

    def test_messages_are_as_they_are_now_and_blocks_hold(self) -> None:
        self.bob.call("edit", room_name="r", seq=3, msg="one")
        self.ann.call("delete", room_name="r", seq=4, reason="spam")
        self.ann.call("react", room_name="r", seq=3, emoji="\N{THUMBS UP SIGN}")
        first, second = self.preview(self.eve)["entries"]
        self.assertEqual((first["msg"], first["edited"]), ("one", True))
        self.assertEqual(first["reactions"][0]["users"], ["ann"])
        self.assertEqual((second["msg"], second["deleted"]["by"]), ("", "ann"))
        self.eve.call("block", user="ann")
        self.eve.call("block", user="bob")
        first, second = self.preview(self.eve)["entries"]
        self.assertEqual((first["blocked"], second["blocked"]), (True, True))
        self.assertNotIn("reactions", first)

    def test_what_is_refused(self) -> None:
        self.ann.call("create_room", room_name="secret", public=False, preview=True)
        self.ann.call("create_room", room_name="closed", preview=False)
        for fields, code in (
            ({"room_name": "none"}, "no_such_room"),
            ({"room_name": "secret"}, "private_room"),
            ({"room_name": "closed"}, "not_allowed"),
            ({"room_name": "lobby"}, "not_allowed"),
            ({"room_name": None, "target_user": "bob"}, "bad_request"),
            ({"limit": 0}, "bad_request"),
            ({"before": 1, "after": 1}, "bad_request"),
        ):
            self.assertEqual(self.preview(self.eve, **fields).get("code"), code, fields)
        self.assertEqual(self.preview(self.server.connect())["code"], "not_logged_in")

    def test_a_room_that_becomes_private_meanwhile_is_not_shown(self) -> None:
        self.eve.send("history", room_name="r", preview=True, tracker="a")
        self.ann.send("set_room", room_name="r", public=False)
        self.server.run_pending()
        self.assertEqual(self.eve.reply("a")["code"], "private_room")

    def test_a_user_who_is_banned_from_the_room_sees_nothing(self) -> None:
        self.ann.call("ban", room_name="r", user="eve", seconds=90)
        reply = self.preview(self.eve)
        self.assertEqual((reply["code"], round(reply["retry_after"])), ("room_banned", 90))
        self.server.start()  # the room is not in memory now
        eve = self.server.connect()
        eve.login("eve", pwd="password")
        self.assertFalse(self.server.chat.rooms.has_key("r"))
        self.assertEqual(self.preview(eve)["code"], "room_banned")
        self.server.clock.advance(91)
        self.assertEqual(self.texts(eve), ["1", "2"])

    def test_a_user_who_is_banned_meanwhile_sees_nothing(self) -> None:
        self.eve.send("history", room_name="r", preview=True, tracker="a")
        self.ann.send("ban", room_name="r", user="eve")
        self.server.run_pending()
        self.assertEqual(self.eve.reply("a")["code"], "room_banned")

    def test_an_address_can_read_10_a_minute(self) -> None:
        server = TestServer(Limits(commands_per_second=0))
        owner = server.member("ann")
        for name, public in (("r", True), ("secret", False)):
            owner.call("create_room", room_name=name, public=public)
        clients = {}
        for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
            clients[address] = server.connect(address)
            clients[address].login(f"user{len(clients)}")
        first, second, other = clients.values()
        for count in range(10):
            self.assertEqual(self.preview(first, room_name="secret")["code"], "private_room")
            client = (first, second)[count % 2]
            self.assertEqual(self.preview(client)["status"], "ok")
        reply = self.preview(second)
        self.assertEqual((reply["code"], reply["retry_after"]), ("rate_limited", 6.0))
        self.assertEqual(self.preview(other)["status"], "ok")
        server.clock.advance(6)
        self.assertEqual(self.preview(first)["status"], "ok")
        self.assertEqual(self.preview(first)["code"], "rate_limited")


class Setting(PreviewCase):
    def test_it_is_on_for_new_public_rooms_unless_they_say_otherwise(self) -> None:
        for number, (fields, preview) in enumerate(
            (
                ({}, True),
                ({"public": False}, None),
                ({"preview": False}, None),
                ({"public": False, "preview": True}, True),
            )
        ):
            reply = self.ann.call("create_room", room_name=f"room {number}", **fields)
            self.assertEqual(reply["room"].get("preview"), preview, fields)

    def test_the_owner_changes_it_and_members_are_told(self) -> None:
        self.assertIs(self.listed(self.eve)["preview"], True)
        self.bob.received()
        self.assertEqual(
            self.bob.call("set_room", room_name="r", preview=False)["code"], "not_owner"
        )
        self.assertNotIn("preview", self.ann.call("set_room", room_name="r", preview=False)["room"])
        self.assertNotIn("preview", self.listed(self.eve))
        self.ann.call("set_room", room_name="r", topic="t")
        self.assertNotIn("preview", self.listed(self.eve))
        self.ann.call("set_room", room_name="r", preview=True)
        told = [push.get("preview", False) for push in self.bob.pushes("room_changed")]
        self.assertEqual(told, [False, False, True])
        entries = self.bob.call("history", room_name="r", kinds=["room_created", "room_changed"])
        told = [entry.get("preview", False) for entry in entries["entries"]]
        self.assertEqual(told, [True, False, False, True])

    def test_it_stays_as_it_is_over_a_restart_and_with_another_owner(self) -> None:
        self.ann.call("set_room", room_name="r", master="bob")
        self.server.start()
        eve = self.server.connect()
        eve.login("eve", pwd="password")
        self.assertIs(self.listed(eve)["preview"], True)
        self.assertEqual(self.texts(eve), ["1", "2"])

    def test_what_was_said_while_the_room_was_private_is_not_shown(self) -> None:  # F29
        self.ann.call("set_room", room_name="r", public=False)
        self.say("secret")
        self.ann.call("set_room", room_name="r", public=True)
        self.assertEqual(self.texts(self.eve), [])
        self.say("open")
        self.ann.call("set_room", room_name="r", topic="t")
        self.assertEqual(self.texts(self.eve), ["open"])

"""Replies with long lists: at most 256 KiB, and a way to the rest."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import blocks, resume
from gtchat.chat.limits import REPLY_BYTES, Limits
from gtchat.chat.rooms import Room
from gtchat.protocols.gtchat_json import reply_size, rooms, sessions
from gtchat.protocols.gtchat_json.reply_size import fitting_entries, fitting_names
from gtchat.protocols.gtchat_json.room_info import outside_info
from tests.fakes import FakeClient, TestServer

#: The longest text in bytes, and the longest name of a room.
LONG_TEXT, LONG_NAME = chr(0x1F600) * 4_000, chr(0x1F600) * 60


def names_of(reply: dict[str, Any]) -> list[str]:
    return [room["room_name"] for room in reply["rooms"]]


class Fitting(SynchronousTestCase):
    """What of a list fits."""

    def test_names(self) -> None:
        for names, max_bytes, fitting in (
            ([], 0, []),
            (["ann", "bob"], 12, ["ann", "bob"]),
            (["ann", "bob"], 11, ["ann"]),
            (["ann", "bob"], 1, ["ann"]),
            (["\u00e4\u00f6", "b"], 11, ["\u00e4\u00f6", "b"]),
            (["\u00e4\u00f6", "b"], 10, ["\u00e4\u00f6"]),
        ):
            self.assertEqual(fitting_names(names, max_bytes), fitting, (names, max_bytes))

    def test_entries_nearest_to_a_position(self) -> None:
        entries = [b"aaaa", b"bbbb", b"cccc", b"dddd", b"eeee"]
        for position, max_bytes, fitting in (
            (5, 25, "abcde"),
            (5, 24, "bcde"),
            (5, 10, "de"),
            (5, 1, "e"),
            (0, 14, "ab"),
            (0, 1, "a"),
            (2, 10, "bc"),
            (2, 15, "abc"),
            (2, 20, "abcd"),
            (1, 20, "abcd"),
            (4, 20, "bcde"),
        ):
            found = "".join(
                chr(entry[0]) for entry in fitting_entries(entries, position, max_bytes)
            )
            self.assertEqual(found, fitting, (position, max_bytes))
        self.assertEqual(fitting_entries([], 0, 10), [])


class ReplyCase(SynchronousTestCase):
    """A server whose replies are measured as they are sent."""

    def setUp(self) -> None:
        self.server = TestServer()
        self.ann = self.server.guest("ann")

    def call(self, client: FakeClient, cmd: str, **fields: object) -> dict[str, Any]:
        """Call, and check the size of the reply."""
        client.received()
        client.send(cmd, **fields)
        self.server.run_pending()
        [line] = [line for line in client.outbox.lines if b'"c_response"' in line[:30]]
        self.assertLessEqual(len(line), REPLY_BYTES)
        client.received()
        reply: dict[str, Any] = json.loads(line)
        self.assertEqual(reply["status"], "ok", reply)
        return reply

    def create_rooms(
        self, number: int, *owners: FakeClient, prefix: str = "r", **fields: object
    ) -> list[str]:
        """Create rooms, and return their names in order."""
        names = [f"{prefix}{index:04}" for index in range(number)]
        for index, name in enumerate(names):
            owner = owners[index % len(owners)]
            self.call(owner, "create_room", room_name=name, **fields)
        return names


class Rooms(ReplyCase):
    """Lists of rooms, which rooms_next continues."""

    def test_a_list_is_cut_by_its_size_and_continued(self) -> None:  # G05, G28
        owners = [self.server.guest(f"o{number}") for number in range(3)]
        names = self.create_rooms(250, *owners, topic=chr(0x1F600) * 500)
        bob = self.server.connect()
        reply = self.call(bob, "login", type="tmp", usr="bob")
        self.assertEqual(reply["rooms_total"], 251)
        self.assertLess(len(reply["rooms"]), 130)
        found = names_of(reply)
        while "rooms_next" in reply:
            reply = self.call(bob, "get_room_list", after=reply["rooms_next"], limit=1000)
            found += names_of(reply)
        self.assertEqual(found, ["lobby", *names])

    def test_a_list_is_cut_by_its_limit_and_continued(self) -> None:
        owners = [self.server.guest(f"o{number}") for number in range(3)]
        names = self.create_rooms(210, *owners)
        for room in ("r0003", "r0007"):
            self.call(self.ann, "join_room", room_name=room)
        others = [name for name in names if name not in ("r0003", "r0007")]
        for limit in (1, 2, 3, 4, 100, 213):
            reply = self.call(self.ann, "get_room_list", limit=limit)
            found = names_of(reply)
            while "rooms_next" in reply:
                reply = self.call(self.ann, "get_room_list", after=reply["rooms_next"], limit=limit)
                self.assertLessEqual(len(reply["rooms"]), limit)
                found += names_of(reply)
            self.assertEqual(found, ["lobby", "r0003", "r0007", *others], limit)
        first = self.call(self.server.connect(), "login", type="tmp", usr="bob")
        self.assertEqual(len(first["rooms"]), rooms.LIST)
        self.assertIn("rooms_next", first)

    def test_a_list_that_is_complete_has_no_next(self) -> None:
        self.assertNotIn("rooms_next", self.call(self.ann, "get_room_list"))
        self.assertNotIn(
            "rooms_next", self.call(self.server.connect(), "login", type="tmp", usr="bob")
        )

    def test_a_list_goes_on_behind_a_room_that_is_deleted(self) -> None:
        self.create_rooms(4, self.ann)
        bob = self.server.guest("bob")
        for client, first in ((self.ann, "r0000"), (bob, "r0000")):
            reply = self.call(client, "get_room_list", limit=2)
            self.assertEqual(names_of(reply), ["lobby", first])
        page = self.call(self.ann, "get_room_list", limit=2)
        self.call(self.ann, "delete_room", room_name="r0000")
        for client, after in ((self.ann, page["rooms_next"]), (bob, reply["rooms_next"])):
            rest = self.call(client, "get_room_list", after=after)
            self.assertEqual(names_of(rest), ["r0001", "r0002", "r0003"])

    def test_a_name_continues_a_list(self) -> None:
        self.create_rooms(3, self.ann)
        bob = self.server.guest("bob")
        self.call(bob, "join_room", room_name="r0001")
        for after, found in (
            ("lobby", ["r0001", "r0000", "r0002"]),
            ("r0001", ["r0000", "r0002"]),
            ("R0000", ["r0002"]),
            ("r0002", []),
            ("unknown", ["lobby", "r0001", "r0000", "r0002"]),
        ):
            self.assertEqual(names_of(self.call(bob, "get_room_list", after=after)), found, after)

    def test_the_rooms_of_the_user_alone(self) -> None:
        self.create_rooms(5, self.ann)
        bob = self.server.guest("bob")
        for room in ("r0001", "r0003"):
            self.call(bob, "join_room", room_name=room)
        reply = self.call(bob, "get_room_list", joined=True, limit=2)
        self.assertEqual((names_of(reply), reply["rooms_total"]), (["lobby", "r0001"], 3))
        reply = self.call(bob, "get_room_list", joined=True, after=reply["rooms_next"])
        self.assertEqual(names_of(reply), ["r0003"])
        self.assertNotIn("rooms_next", reply)

    def test_a_login_lists_all_rooms_of_the_user_that_fit_and_pages_have_the_rest(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0, rooms_per_user=0))
        ann, bob = self.server.member("ann"), self.server.guest("bob")
        own = ["lobby", *self.create_rooms(1_500, ann), *self.create_rooms(1, ann, prefix="s")]
        self.call(ann, "set_room", room_name=own[-1], public=False)
        self.call(ann, "leave_room", room_name=own[-1])  # as its owner ann sees it still
        self.create_rooms(3, bob, prefix="other")
        self.call(ann, "logout")
        login = self.call(ann, "login", type="reg", usr="ann", pwd="password")
        self.assertEqual((names_of(login), login["rooms_total"]), (own, len(own) + 3))
        more = self.create_rooms(500, ann, prefix="t")
        ann.drop()
        keys = {key: login[key] for key in ("session_id", "epoch")}
        credentials = {"type": "reg", "usr": "ann", "pwd": "password"}
        for cmd, fields, fewest in (("resume", keys, 800), ("login", credentials, 1_600)):
            client = self.server.connect()
            reply = self.call(client, cmd, **fields)
            found = names_of(reply)
            self.assertEqual(found, sorted(found))
            self.assertGreater(len(found), fewest)
            while "rooms_next" in reply:
                page = {"joined": True, "after": reply["rooms_next"], "limit": 1000}
                reply = self.call(client, "get_room_list", **page)
                found += names_of(reply)
            self.assertEqual([name for name in found if name != own[-1]], own[:-1] + more, cmd)

    def test_a_list_entry_has_at_least_the_bytes_that_are_counted(self) -> None:
        room = Room(id=1, name="r", key="r", owner_id=None, owner="")
        entry = msgspec.json.encode(outside_info(room))
        self.assertGreaterEqual(len(entry), rooms.ROOM_BYTES)

    def test_a_long_tracker_counts(self) -> None:
        owners = [self.server.guest(f"o{number}") for number in range(3)]
        self.create_rooms(150, *owners, topic=chr(0x1F600) * 500)
        reply = self.call(self.ann, "get_room_list", limit=1000, tracker="\x01" * 10_000)
        self.assertIn("rooms_next", reply)


class Users(ReplyCase):
    """Lists of users."""

    def setUp(self) -> None:
        super().setUp()
        self.names = [f"{number:03}" + "\U00010400" * 29 for number in range(40)]
        for module in (reply_size, sessions, rooms):
            self.patch(module, "NAMES_BYTES", 2_000)
        self.patch(reply_size, "REPLY_BYTES", 4_000)
        for name in self.names:
            self.server.chat.users.online.add(name)
            self.server.chat.rooms.lobby.member_names.add(name)

    def test_a_login_lists_as_many_users_as_fit(self) -> None:
        reply = self.call(self.server.connect(), "login", type="tmp", usr="bob")
        self.assertEqual(reply["users_total"], 42)
        self.assertEqual(reply["users"], self.names[: len(reply["users"])])
        self.assertLess(len(reply["users"]), 18)

    def test_lists_of_users_are_cut_and_continued(self) -> None:  # G05
        for cmd, fields, cut in (
            ("get_user_list", {}, 30),
            ("get_room_user_list", {"room_name": "lobby"}, 15),
        ):
            found: list[str] = []
            after = None
            while True:
                reply = self.call(self.ann, cmd, after=after, **fields)
                if not reply["users"]:
                    break
                self.assertLess(len(reply["users"]), cut)
                found += reply["users"]
                after = found[-1]
            self.assertEqual(found, [*self.names, "ann"], cmd)

    def test_a_room_lists_as_many_users_as_fit(self) -> None:
        self.call(self.ann, "create_room", room_name="den")
        room = self.server.chat.rooms.find("den")
        for name in self.names:
            room.member_names.add(name)
        reply = self.call(self.server.guest("bob"), "join_room", room_name="den")
        self.assertLess(len(reply["room"]["users"]), 18)
        self.assertEqual(reply["room"]["users_total"], 42)

    def test_a_user_can_block_so_many_others(self) -> None:
        self.patch(blocks, "BLOCK_LIMIT", 2)
        for name in ("bob", "carl", "dora"):
            self.server.guest(name)
        codes = [
            self.ann.call("block", user=name).get("code") for name in ("bob", "carl", "dora", "bob")
        ]
        self.assertEqual(codes, [None, None, "not_allowed", None])
        self.call(self.ann, "unblock", user="bob")
        self.assertEqual(self.call(self.ann, "block", user="dora")["blocked"], ["carl", "dora"])


class History(ReplyCase):
    """Pages of a log."""

    def setUp(self) -> None:
        super().setUp()
        self.call(self.ann, "create_room", room_name=LONG_NAME)
        for _ in range(50):
            self.call(self.ann, "speak", room_name=LONG_NAME, msg=LONG_TEXT)

    def page(self, **query: int) -> tuple[list[int], bool]:
        reply = self.call(self.ann, "history", room_name=LONG_NAME, limit=200, **query)
        self.assertEqual((reply["log_first"], reply["log_last"]), (1, 51))
        self.assertEqual((reply["first"], reply["last"]), (1, 51))
        return [entry["seq"] for entry in reply["entries"]], reply["more"]

    def test_a_page_has_the_entries_nearest_to_its_position(self) -> None:
        for query, expected in (
            ({}, range(37, 52)),
            ({"before": 40}, range(25, 40)),
            ({"after": 0}, range(1, 17)),
            ({"after": 10}, range(11, 26)),
            ({"around": 30}, range(23, 38)),
        ):
            self.assertEqual(self.page(**query), (list(expected), True), query)

    def test_all_entries_are_reached_page_by_page(self) -> None:  # G28
        found: list[int] = []
        more = True
        while more:
            seqs, more = self.page(after=found[-1] if found else 0)
            found += seqs
        self.assertEqual(found, list(range(1, 52)))
        more = True
        found = []
        while more:
            seqs, more = self.page(before=found[0] if found else 99)
            found = seqs + found
        self.assertEqual(found, list(range(1, 52)))

    def test_texts_that_are_longer_in_json_count_as_they_are_sent(self) -> None:
        self.call(self.ann, "create_room", room_name="quotes")
        for _ in range(60):
            self.call(self.ann, "speak", room_name="quotes", msg='"' * 4_000)
        reply = self.call(self.ann, "history", room_name="quotes", limit=200)
        self.assertEqual(reply["entries"][-1]["seq"], 61)
        self.assertTrue(reply["more"])


class Resuming(ReplyCase):
    """What a client missed."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.server.member("bob")

    def resume(self, seen: dict[str, int]) -> dict[str, tuple[str, int]]:
        """Resume Bob's session; return state and number of entries of each room."""
        session = self.session
        client = self.server.connect()
        reply = self.call(
            client, "resume", session_id=session["session_id"], epoch=session["epoch"], seen=seen
        )
        return {one["room_name"]: (one["state"], len(one["entries"])) for one in reply["resumed"]}

    def leave(self, *names: str) -> None:
        """Let Bob join rooms, and lose the connection."""
        for name in names:
            self.call(self.ann, "create_room", room_name=name)
        self.bob = self.server.connect()
        self.session = self.call(self.bob, "login", type="reg", usr="bob", pwd="password")
        for name in names:
            self.call(self.bob, "join_room", room_name=name)
        self.bob.drop()

    def test_what_does_not_fit_is_behind(self) -> None:  # G28
        self.leave("a", "b", "c")
        for room, number in (("a", 30), ("b", 3), ("c", 1), ("lobby", 2)):
            for _ in range(number):
                self.call(self.ann, "speak", room_name=room, msg=LONG_TEXT)
        found = self.resume({"a": 2, "b": 2, "c": 2, "lobby": 0})
        self.assertEqual(
            found,
            {"a": ("behind", 0), "b": ("resumed", 3), "c": ("resumed", 1), "lobby": ("resumed", 2)},
        )

    def test_texts_that_are_longer_in_json_count_as_they_are_sent(self) -> None:
        self.leave("a", "b")
        for room, number in (("a", 30), ("b", 20)):
            for _ in range(number):
                self.call(self.ann, "speak", room_name=room, msg='"' * 4_000)
        self.assertEqual(
            self.resume({"a": 2, "b": 2, "lobby": 0}),
            {"a": ("behind", 0), "b": ("resumed", 20), "lobby": ("resumed", 0)},
        )

    def test_rooms_beyond_the_size_of_a_reply_are_left_out(self) -> None:
        self.leave("a")
        seen = {f"{number}" + "x" * 400: 1 for number in range(900)}
        found = self.resume({"a": 2, **seen})
        self.assertEqual(found["a"], ("resumed", 0))
        self.assertLess(len(found), 700)

    def test_the_first_rooms_of_a_request_count(self) -> None:
        self.patch(resume, "SEEN_LIMIT", 2)
        self.leave("a", "b")
        self.assertEqual(
            self.resume({"a": 2, "lobby": 0, "b": 2, "x": 1}),
            {"a": ("resumed", 0), "lobby": ("resumed", 0), "b": ("reset", 0)},
        )

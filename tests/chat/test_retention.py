"""How much of the log of a room is kept: the rule, what owners and operators set, what is told."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.errors import BadRequest, NotAllowed
from gtchat.chat.limits import Limits
from gtchat.chat.ownership import RoomSettings
from gtchat.chat.retention import KEEP_ALL, NOTHING_REMOVED, Keep, Retention
from tests.fakes import TestServer, nodes

HOUR, DAY = 3_600_000, 86_400_000


class Rule(SynchronousTestCase):
    """`Keep` and `Retention`."""

    def test_the_smaller_of_two_limits_counts(self) -> None:
        cases = (
            (Keep(), Keep(), KEEP_ALL),
            (Keep(5, 2.5), Keep(), Keep(5, 2.5)),
            (Keep(), Keep(5, 2), Keep(5, 2)),
            (Keep(5, 2), Keep(7, 1), Keep(5, 1)),
            (Keep(5, 0), Keep(0, 1), Keep(5, 1)),
        )
        for one, other, expected in cases:
            self.assertEqual(one.narrowed(other), expected)

    def test_one_of_the_limits_is_enough(self) -> None:
        now = 10 * DAY
        cases = (
            (Keep(), 0, 99, False),
            (Keep(3), 0, 2, False),
            (Keep(3), 0, 3, True),
            (Keep(0, 2), 8 * DAY, 0, False),
            (Keep(0, 2), 8 * DAY - 1, 0, True),
            (Keep(3, 2), 8 * DAY, 3, True),
            (Keep(3, 2), 8 * DAY - 1, 2, True),
            (Keep(3, 2), 8 * DAY, 2, False),
        )
        for keep, at, later, expected in cases:
            found = Retention(now).removes(keep, at, later)
            self.assertIs(found, expected, (keep, at, later))

    def test_the_last_hour_is_kept(self) -> None:
        retention = Retention(10 * DAY)
        self.assertFalse(retention.removes(Keep(1, 0.01), 10 * DAY - HOUR, 9))
        self.assertTrue(retention.removes(Keep(1, 0.01), 10 * DAY - HOUR - 1, 9))
        self.assertFalse(retention.removes(Keep(1), 11 * DAY, 9))
        self.assertFalse(NOTHING_REMOVED.removes(Keep(1, 1), 0, 9))


class KeptCase(SynchronousTestCase):
    """Ann's room with Bob: 1 created, 2 Bob joins, 3 to 6 messages, said an hour ago."""

    def use(self, **limits: float) -> None:
        self.server = TestServer(Limits(commands_per_second=0, **limits))  # type: ignore[arg-type]
        self.ann, self.bob = self.server.member("ann"), self.server.member("bob")
        self.ann.call("create_room", room_name="den")
        self.bob.call("join_room", room_name="den")
        for text in "abcd":
            self.ann.call("speak", room_name="den", msg=text)
        self.server.clock.advance(3600.001)

    def set(self, **fields: Any) -> Any:
        return self.ann.call("set_room", room_name="den", **fields)

    def bounds(self) -> tuple[int, int]:
        """Return the bounds of the log, after the next time that the server has looked at it."""
        self.server.clock.advance(3600)
        self.server.run_pending()
        page = self.bob.call("history", room_name="den")
        return page["log_first"], page["log_last"]

    def done(self, coroutine: Any) -> Any:
        result = Deferred.fromCoroutine(coroutine)
        self.server.run_pending()
        return result


class Rooms(KeptCase):
    def test_all_is_kept_by_default(self) -> None:
        self.use()
        self.server.clock.advance(1000 * 86_400)
        self.assertEqual(self.bounds(), (1, 6))

    def test_the_server_limits_all_rooms(self) -> None:
        self.use(keep_messages=3)
        self.assertEqual(self.bounds(), (4, 6))
        self.assertEqual(self.ann.call("hello")["limits"]["keep_messages"], 3)

    def test_another_limit_holds_from_the_next_time_on(self) -> None:
        self.use()
        changed = attrs.evolve(self.server.limits, keep_days=0.01)
        self.server.chat.change_limits(changed)
        self.assertEqual(self.bounds(), (7, 6))

    def test_an_owner_keeps_less(self) -> None:
        self.use()
        reply = self.set(keep_messages=2)
        self.assertEqual(reply["room"]["keep_messages"], 2)
        self.assertNotIn("keep_days", reply["room"])
        [told] = self.bob.pushes("room_changed")
        self.assertEqual((told["keep_messages"], told.get("keep_days")), (2, None))
        self.assertEqual(self.bounds(), (5, 7))
        self.set(keep_days=1)
        rooms = self.bob.call("get_room_list")["rooms"]
        [info] = [one for one in rooms if one["room_name"] == "den"]
        self.assertEqual((info["keep_messages"], info["keep_days"]), (2, 1))
        self.set(topic="x")
        self.set(keep_messages=0)
        room = self.server.chat.rooms.find("den")
        self.assertEqual((room.topic, room.keep), ("x", Keep(0, 1)))

    def test_an_owner_cannot_keep_more_than_the_server(self) -> None:
        self.use(keep_messages=3, keep_days=2.5)
        for fields in ({"keep_messages": 4}, {"keep_days": 3}, {"keep_days": 2**31}):
            reply = self.set(**fields)
            self.assertEqual(reply["code"], "bad_request", fields)
        self.assertIn("2.5", self.set(keep_days=3)["msg"])
        self.assertEqual(self.set(keep_messages=3, keep_days=2)["status"], "ok")

    def test_a_room_begins_with_what_it_keeps(self) -> None:
        self.use(keep_messages=3, keep_days=2.5)
        for fields in ({"keep_messages": 4}, {"keep_days": 3}):
            reply = self.ann.call("create_room", room_name="new", **fields)
            self.assertEqual(reply["code"], "bad_request", fields)
        reply = self.ann.call("create_room", room_name="new", keep_messages=1, keep_days=2)
        room = reply["room"]
        self.assertEqual((room["keep_messages"], room["keep_days"]), (1, 2))
        for text in "ab":
            self.ann.call("speak", room_name="new", msg=text)
        self.server.clock.advance(3600.001)
        self.bounds()
        page = self.ann.call("history", room_name="new")
        self.assertEqual([entry["msg"] for entry in page["entries"]], ["b"])

    def test_only_the_owner_may_limit_a_room(self) -> None:
        self.use()
        self.ann.call("set_role", room_name="den", user="bob", role="moderator")
        reply = self.bob.call("set_room", room_name="den", keep_messages=1)
        self.assertEqual(reply["code"], "not_owner")

    def test_operators_limit_rooms(self) -> None:
        self.use()
        rooms = self.server.chat.admin.rooms
        room = self.successResultOf(
            self.done(rooms.keep("den", RoomSettings(keep_days=1), AT_CONSOLE))
        )
        self.assertEqual(room.keep, Keep(0, 1))
        wanted = RoomSettings(keep_messages=-1)
        self.failureResultOf(self.done(rooms.keep("den", wanted, AT_CONSOLE)), BadRequest)
        self.failureResultOf(self.done(rooms.keep("lobby", wanted, AT_CONSOLE)), NotAllowed)

    def test_a_client_is_told_what_is_not_kept(self) -> None:
        self.use(keep_messages=2)
        bob = self.server.connect()
        login = bob.login("bob", pwd="password")
        fields = {name: login[name] for name in ("session_id", "epoch")}
        bob.drop()
        self.server.clock.advance(3600)
        self.server.run_pending()
        for seen, expected in ((3, ("behind", 5)), (4, ("resumed", None))):
            bob = self.server.connect()
            reply = bob.call("resume", seen={"den": seen}, **fields)
            [found] = [one for one in reply["resumed"] if one["room_name"] == "den"]
            self.assertEqual((found["state"], found.get("log_first")), expected)
            bob.drop()


class TwoNodes(SynchronousTestCase):
    def test_a_node_that_has_the_room_in_memory_goes_on(self) -> None:
        first, second = nodes(2)
        first.limits.keep_messages = second.limits.keep_messages = 1
        ann, bob = first.member("ann"), second.member("bob")
        ann.call("create_room", room_name="den")
        second.run_pending()
        bob.call("join_room", room_name="den")
        for text in "abc":
            ann.call("speak", room_name="den", msg=text)
        for server in (first, second):
            server.clock.advance(3 * 3600)
            server.run_pending()
        page = bob.call("history", room_name="den")
        self.assertEqual((page["log_first"], page["log_last"]), (5, 5))
        bob.call("speak", room_name="den", msg="d")
        first.run_pending()
        self.assertEqual([one["msg"] for one in ann.pushes("c_speak")], ["d"])
        self.assertEqual(ann.call("get_room_user_list", room_name="den")["users_total"], 2)

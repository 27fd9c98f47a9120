"""The JSON API as its clients see it: order, rates, rules, pushes."""

from __future__ import annotations

import json
import os
import time
from itertools import count
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import NameTaken
from gtchat.chat.events import ENTRY_TYPES
from gtchat.chat.limits import Limits
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json.pushes import encode
from tests.fakes import FailingStore, FakeClient, TestServer


class Order(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = TestServer()
        self.ann = self.world.guest("ann")
        self.ann.call("create_room", room_name="r")
        self.ann.received()

    def replies(self, line: FakeClient) -> list[dict[str, Any]]:
        return [m for m in line.received() if m["cmd"] == "c_response"]

    def test_replies_keep_the_order_of_requests(self) -> None:
        self.ann.send("speak", room_name="r", msg="1", tracker=1)
        self.ann.send("ping", tracker=2)
        self.ann.send("speak", room_name="nowhere", msg="2", tracker=3)
        self.ann.send("speak", room_name="r", msg="3", tracker=4)
        self.ann.raw("nonsense")
        self.ann.send("history", room_name="r", tracker=5)
        self.world.run_pending()
        trackers = [r["tracker"] for r in self.replies(self.ann)]
        self.assertEqual(trackers, ["1", "2", "3", "4", "0", "5"])

    def test_messages_to_two_rooms_are_answered_in_order(self) -> None:
        self.ann.call("create_room", room_name="s")
        bob = self.world.guest("bob")
        for room in "rs":
            bob.call("join_room", room_name=room)
        bob.received()
        for number, room in enumerate("rsrsr"):
            self.ann.send("speak", room_name=room, msg=str(number), tracker=number)
        self.world.run_pending()
        replies = self.replies(self.ann)
        self.assertEqual([r["tracker"] for r in replies], list("01234"))
        heard = bob.pushes("c_speak")
        for room in "rs":
            seqs = [p["seq"] for p in heard if p["room_name"] == room]
            self.assertEqual(seqs, sorted(seqs))

    def test_everybody_hears_a_room_in_the_order_of_seq(self) -> None:
        bob, eve = self.world.guest("bob"), self.world.guest("eve")
        for line in (bob, eve):
            line.call("join_room", room_name="r")
        for line in (self.ann, bob, eve):
            line.received()
        for number in range(4):
            for line in (self.ann, bob, eve):
                line.send("speak", room_name="r", msg=f"{number}")
        self.world.run_pending()
        for line in (self.ann, bob, eve):
            seqs = [m["seq"] for m in line.received() if "seq" in m]
            self.assertEqual(seqs, list(range(seqs[0], seqs[0] + 12)))

    def test_a_push_for_oneself_comes_after_the_reply(self) -> None:
        for cmd, fields, kind in (
            ("speak", {"room_name": "r", "msg": "x"}, None),
            ("edit", {"room_name": "r", "seq": 2, "msg": "new"}, "edited"),
            ("delete", {"room_name": "r", "seq": 2}, "deleted"),
        ):
            self.ann.send(cmd, tracker="x", **fields)
            self.world.run_pending()
            came = [m.get("type", m["cmd"]) for m in self.ann.received()]
            self.assertEqual(came, ["c_response", kind] if kind else ["c_response"])

    def test_a_connection_lost_while_it_logs_in_leaves_nobody_behind(self) -> None:  # D24
        eve = self.world.connect()
        eve.call("register", usr="eve", pwd="password")
        self.world.passwords.held = []
        eve.send("login", type="reg", usr="eve", pwd="password")
        self.world.run_pending()
        eve.drop()
        for waiting in self.world.passwords.held:
            waiting.callback(None)
        self.world.run_pending()
        self.assertEqual(self.ann.call("get_user_list")["users"], ["ann"])

    def test_reading_pauses_while_much_waits(self) -> None:
        self.world.passwords.held = []
        line = self.world.connect()
        line.send("register", usr="eve", pwd="password")
        for _ in range(100):
            line.send("ping")
        self.world.run_pending()
        self.assertTrue(line.paused)
        held: list[Deferred[None]] = self.world.passwords.held
        held[0].callback(None)
        self.world.run_pending()
        self.assertFalse(line.paused)
        self.assertEqual(len(line.received()), 101)


class Envelope(SynchronousTestCase):
    def setUp(self) -> None:
        self.line = TestServer().connect()

    def test_the_tracker_is_echoed_as_a_string(self) -> None:
        for tracker, echoed in ((7, "7"), ("x", "x"), (None, "0")):
            self.line.raw(json.dumps({"cmd": "ping", "tracker": tracker}))
            self.assertEqual(self.line.received()[0]["tracker"], echoed)
        self.line.raw('{"cmd":"ping"}')
        self.assertEqual(self.line.received()[0]["tracker"], "0")

    def test_an_error_has_the_command_and_the_tracker(self) -> None:
        self.line.raw('{"cmd":"login","tracker":3,"type":"tmp","usr":5}')
        [reply] = self.line.received()
        self.assertEqual((reply["last_cmd"], reply["tracker"]), ("login", "3"))
        self.assertIn("usr", reply["msg"])

    def test_unknown_fields_are_ignored(self) -> None:
        self.assertEqual(self.line.call("ping", x={"y": [1]})["status"], "ok")

    def test_escapes_and_emoji_come_back_as_they_went(self) -> None:  # C08
        self.line.login("ann")
        self.line.raw('{"cmd":"speak","room_name":"lobby","msg":"\\ud83d\\ude00 \\u00e9"}')
        page = self.line.call("history", room_name="lobby")
        self.assertEqual(page["entries"][0]["msg"], "\U0001f600 é")

    def test_a_fault_of_ours_has_a_number_and_no_details(self) -> None:
        world = TestServer()
        line = world.guest("ann")
        world.store.history = lambda *args: 1 / 0  # type: ignore[method-assign,assignment]
        reply = line.call("history", room_name="lobby")
        self.assertEqual(reply["code"], "internal")
        self.assertIn(reply["incident"], reply["msg"])
        self.assertNotIn("Zero", json.dumps(reply))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_bug_in_speak_is_answered_in_its_turn(self) -> None:
        server = TestServer()
        client = server.guest("ann")
        client.send("speak", room_name="lobby", msg="1", tracker="1")
        server.chat.speak = lambda *args: 1 / 0  # type: ignore[method-assign,assignment]
        client.send("speak", room_name="lobby", msg="2", tracker="2")
        client.send("ping", tracker="3")
        server.run_pending()
        replies = [m for m in client.received() if m["cmd"] == "c_response"]
        found = [(reply["tracker"], reply.get("code")) for reply in replies]
        self.assertEqual(found, [("1", None), ("2", "internal"), ("3", None)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_second_login_that_fails_changes_nothing(self) -> None:
        server = TestServer()
        client, ben = server.guest("ann"), server.guest("ben")

        def taken(*args: object) -> Deferred[int]:
            return fail(NameTaken())

        server.store.login_guest = taken  # type: ignore[method-assign]
        self.assertEqual(client.login("zoe")["code"], "name_taken")
        self.assertEqual(ben.call("get_user_list")["users"], ["ann", "ben"])
        self.assertEqual(client.call("speak", room_name="lobby", msg="hi")["status"], "ok")
        self.assertEqual([push["msg"] for push in ben.pushes("c_speak")], ["hi"])


class Belongings(SynchronousTestCase):
    def test_who_comes_is_told_whom_he_blocks(self) -> None:
        world = TestServer()
        ann = world.member("ann")
        world.member("Zoe")
        world.member("bob")
        for name in ("zoe", "bob"):
            ann.call("block", user=name)
        ann.call("logout")
        self.assertEqual(ann.login("ann", pwd="password")["blocked"], ["Zoe", "bob"])


class Times(SynchronousTestCase):
    def test_times_are_utc_wherever_the_server_stands(self) -> None:  # G13
        before = os.environ.get("TZ", "")
        self.addCleanup(time.tzset)
        self.addCleanup(os.environ.__setitem__, "TZ", before)
        for zone in ("UTC", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"):
            os.environ["TZ"] = zone
            time.tzset()
            rfc3339.cache_clear()
            # Half an hour before and after New York's clocks go back.
            for ms, shown in (
                (1_793_511_000_123, "2026-11-01T05:30:00.123Z"),
                (1_793_514_600_000, "2026-11-01T06:30:00.000Z"),
            ):
                self.assertEqual(rfc3339(ms), shown, zone)


class Entries(SynchronousTestCase):
    def test_no_entry_tells_which_account_it_is_about_or_whether_it_is_temporary(self) -> None:
        values = {"str": "x", "int": 1, "bool": True}
        for kind in ENTRY_TYPES.values():
            fields = {
                field.name: values[str(field.type)]
                for field in attrs.fields(kind)
                if field.name != "subject_id"
            }
            sent = json.loads(encode(kind(**fields, subject_id=987_654_321)))
            self.assertNotIn(987_654_321, sent.values())
            self.assertFalse({"subject_id", "guest"} & sent.keys(), sent)


class Rates(SynchronousTestCase):
    def test_tokens_come_back_with_time(self) -> None:
        world = TestServer(Limits(commands_burst=3, commands_per_second=1))
        line = world.connect()
        codes = [line.call("ping").get("code") for _ in range(4)]
        self.assertEqual(codes, [None, None, None, "rate_limited"])
        world.clock.advance(1)
        self.assertEqual(line.call("ping")["status"], "ok")

    def test_a_refused_message_is_not_sent(self) -> None:
        world = TestServer(Limits(commands_burst=2, commands_per_second=1))
        line = world.guest("ann")
        line.call("ping")
        reply = line.call("speak", room_name="lobby", msg="x")
        self.assertEqual(reply["code"], "rate_limited")
        self.assertGreater(reply["retry_after"], 0)
        world.clock.advance(10)
        self.assertEqual(line.call("history", room_name="lobby")["last"], 0)

    def test_a_flood_is_put_out(self) -> None:
        line = TestServer(Limits(commands_burst=2, commands_per_second=1)).connect()
        for _ in range(30):
            line.send("ping")
        self.assertEqual(line.closed, (4009, "too fast; wait 2 s"))

    def test_old_nonsense_is_forgiven(self) -> None:
        world = TestServer()
        line = world.connect()
        for _ in range(20):
            line.raw("x")
        world.clock.advance(10)
        line.raw("x")
        self.assertIsNone(line.closed)
        for _ in range(20):
            line.raw("x")
        self.assertIsNotNone(line.closed)


class Lists(SynchronousTestCase):
    def test_a_room_looks_to_outsiders_as_it_is(self) -> None:
        world = TestServer()
        ann, outsider = world.guest("ann"), world.guest("eve")
        names = map("guest{}".format, count())
        bob = FakeClient(world)
        bob.call("register", usr="bob", pwd="password")
        bob.login("bob", pwd="password")

        def looks() -> list[dict[str, Any]]:
            """What a login tells, which is kept, and what a list tells."""
            first, second = (
                [room for room in reply["rooms"] if room["room_name"] != "lobby"]
                for reply in (FakeClient(world).login(next(names)), outsider.call("get_room_list"))
            )
            self.assertEqual(first, second)
            return first

        room = {
            "room_name": "r",
            "public": True,
            "topic": "",
            "owner": "ann",
            "members": 1,
            "last_seq": 1,
            "joined": False,
            "unread": 0,
            "read_seq": 0,
            "preview": True,
        }
        steps: list[tuple[FakeClient, str, dict[str, object], dict[str, object]]] = [
            (ann, "create_room", {}, {}),
            (ann, "speak", {"msg": "hi"}, {"last_seq": 2}),
            (bob, "join_room", {}, {"last_seq": 3, "members": 2}),
            (ann, "set_room", {"topic": "t"}, {"last_seq": 4, "topic": "t"}),
            (ann, "set_room", {"master": "bob"}, {"last_seq": 5, "owner": "bob"}),
            (ann, "leave_room", {}, {"last_seq": 6, "members": 1}),
            (bob, "set_room", {"public": False}, {"last_seq": 7, "public": False}),
            (bob, "set_room", {"public": True}, {"last_seq": 8, "public": True}),
        ]
        for line, cmd, fields, changed in steps:
            self.assertEqual(line.call(cmd, room_name="r", **fields)["status"], "ok", (cmd, fields))
            room |= changed
            self.assertEqual(looks(), [room] if room["public"] else [], (cmd, fields))
        self.assertEqual(outsider.call("join_room", room_name="r")["status"], "ok")
        own = {"joined": True, "members": 2, "last_seq": 9, "read_seq": 9}
        self.assertEqual(outsider.call("get_room_list")["rooms"][1], room | own)
        self.assertEqual(bob.call("delete_room", room_name="r")["status"], "ok")
        self.assertEqual(looks(), [])

    def test_what_could_not_be_kept_is_not_shown_on(self) -> None:
        world = TestServer(store=FailingStore)
        ann, bob, outsider = (world.guest(name) for name in ("ann", "bob", "eve"))
        ann.call("create_room", room_name="r")
        carl = world.guest("carl")
        carl.call("join_room", room_name="r")
        before = outsider.call("get_room_list")["rooms"][1:]
        for line, cmd, fields in (
            (bob, "join_room", {}),
            (carl, "leave_room", {}),
            (ann, "set_room", {"topic": "t"}),
        ):
            early, late = FakeClient(world), FakeClient(world)
            early.send("login", type="tmp", usr=f"early-{cmd}", tracker=cmd)
            world.store.failing = 1  # type: ignore[attr-defined]
            line.send(cmd, room_name="r", **fields)
            world.run_pending()
            # While it is queued the rules see it, and so does a user who logs in.
            self.assertNotEqual(early.reply(cmd)["rooms"][1:], before, cmd)
            self.assertEqual(late.login(f"late-{cmd}")["rooms"][1:], before, cmd)

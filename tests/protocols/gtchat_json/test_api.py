"""The JSON API as its clients see it: order, rates, rules, pushes."""

from __future__ import annotations

import json
import os
import time
from itertools import count
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import NameTaken
from gtchat.chat.events import ENTRY_TYPES
from gtchat.chat.limits import Limits
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json.event_pushes import EVENT_TYPES
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

    def test_a_second_login_says_who_was_logged_out(self) -> None:
        server = TestServer()
        client, ben = server.member("Ann"), server.guest("ben")
        client.call("register", usr="eve", pwd="password")
        self.assertEqual(client.login("zoe")["logged_out"], "Ann")
        self.assertEqual(client.login("eve", pwd="password")["logged_out"], "zoe")
        self.assertEqual([push["usr"] for push in ben.pushes("logout")], ["Ann", "zoe"])
        client.call("logout")
        self.assertNotIn("logged_out", client.login("zoe"))

    def test_a_login_or_resume_that_is_refused_changes_nothing(self) -> None:
        server = TestServer()
        server.member("eve").call("logout")
        bob, ben = server.connect(), server.guest("ben")
        bob.call("register", usr="bob", pwd="password")
        session = bob.login("bob", pwd="password")
        keys = {key: session[key] for key in ("session_id", "epoch")}
        device = {"device": "phone", "device_token": "x"}
        for name, client in (("ann", server.guest("ann")), ("carl", server.member("carl"))):
            client.received(), ben.received()
            for cmd, fields, code in (
                ("login", {"type": "tmp", "usr": "ben"}, "name_taken"),
                ("login", {"type": "tmp", "usr": "eve"}, "name_taken"),
                ("login", {"type": "tmp", "usr": "no name"}, "bad_name"),
                ("login", {"type": "tmp"}, "bad_request"),
                ("login", {"type": "tmp", "usr": 5}, "bad_request"),
                ("login", {"type": "tmp", "usr": name}, "already_logged_in"),
                ("login", {"type": "reg", "usr": name, "pwd": "password"}, "already_logged_in"),
                ("login", {"type": "reg", "usr": "nil", "pwd": "password"}, "bad_credentials"),
                ("login", {"type": "reg", "usr": "eve", "pwd": "password2"}, "bad_credentials"),
                ("login", {"type": "reg", "usr": "eve"}, "bad_request"),
                ("login", {"type": "reg", "uuid": "x"}, "bad_request"),
                ("login", {"type": "device", **device}, "bad_credentials"),
                ("login", {"type": "device", "device": "phone"}, "bad_request"),
                ("resume", keys, "already_logged_in"),
                ("resume", {"session_id": "x", "epoch": "y"}, "already_logged_in"),
            ):
                reply = client.call(cmd, **fields)
                self.assertEqual((fields, reply["code"]), (fields, code))
                sent = client.call("speak", room_name="lobby", msg="still here", usr=name)
                self.assertEqual((fields, sent["status"]), (fields, "ok"))
            self.assertEqual(ben.pushes("login", "logout"), [])
            self.assertIsNone(bob.closed)

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


class Strict(SynchronousTestCase):
    """Requests of a connection that has asked to be told of unknown fields."""

    def setUp(self) -> None:
        self.server = TestServer()
        self.client = self.server.guest("ann")
        self.client.call("hello", strict=True)

    def raw(self, payload: str) -> tuple[str | None, str, str]:
        self.client.raw(payload)
        [reply] = self.client.received()
        return reply.get("code"), reply["msg"].partition(":")[0], reply["tracker"]

    def test_an_unknown_field_is_named(self) -> None:
        speak = '{"cmd":"speak","room_name":"lobby","msg":"hi","tracker":7'
        for payload, field in (
            (speak + ',"mgs":"x"}', "mgs"),
            (speak + ',"x":1}', "x"),
            (speak + ',"a\\u0062c":null}', "abc"),
            ('{"cmd":"history","room_name":"lobby","befor":5,"tracker":7}', "befor"),
            ('{"cmd":"ping","tracker":7,"%s":1}' % ("x" * 100), "x" * 64),
            ('{"cmd":"hello","tracker":7,"stirct":false}', "stirct"),
        ):
            self.assertEqual(self.raw(payload), ("bad_request", field, "7"))

    def test_requests_without_one_are_answered_as_before(self) -> None:
        for payload, code in (
            ('{"cmd":"speak","room_name":"lobby","msg":"hi","usr":null,"tracker":"x"}', None),
            ('{"cmd":"speak","room_name":"lobby","msg":"a \\"b\\"","tracker":"x"}', None),
            ('{"cmd":"speak","room_name":"lobby","msg":5,"mgs":1,"tracker":"x"}', "bad_request"),
            ('{"cmd":"unknown","mgs":1,"tracker":"x"}', "unknown_cmd"),
        ):
            self.assertEqual(self.raw(payload)[::2], (code, "x"), payload)

    def test_it_holds_from_the_request_behind_hello_on_until_it_is_taken_back(self) -> None:
        client = TestServer().connect()
        client.send("register", usr="bob", pwd="password")  # is answered later: hello waits
        for tracker, (cmd, fields) in enumerate(
            (
                ("ping", {"x": 1}),
                ("hello", {"x": 1, "strict": True}),
                ("ping", {"x": 1}),
                ("hello", {}),
                ("ping", {"x": 1}),
                ("hello", {"strict": False}),
                ("ping", {"x": 1}),
            )
        ):
            client.send(cmd, tracker=tracker, **fields)
        client.ping()
        codes = [reply.get("code") for reply in client.received()][1:]
        bad = "bad_request"
        self.assertEqual(codes, [None, None, bad, None, bad, None, None])

    def test_it_is_of_one_connection(self) -> None:
        server = TestServer()
        first, second = server.connect(), server.connect()
        first.call("hello", strict=True)
        self.assertEqual(second.call("ping", x=1)["status"], "ok")

    @given(st.sets(st.sampled_from(["x", "msgs", "Txn", ""])), st.booleans())
    def test_a_message_with_an_unknown_field_is_never_sent(
        self, unknown: set[str], txn: bool
    ) -> None:
        self.server.clock.advance(10)  # malformed requests of earlier examples are forgiven
        known = {"room_name": "lobby", "msg": "hi", **({"txn": "t"} if txn else {})}
        reply = self.client.call("speak", **known, **dict.fromkeys(unknown, 1))
        self.assertEqual(reply.get("code"), "bad_request" if unknown else None)


class FieldNames(SynchronousTestCase):
    def test_an_error_names_the_field_as_the_page_does(self) -> None:
        server = TestServer()
        client = server.member("ann")
        client.call("create_room", room_name="r")
        client.call("speak", room_name="r", msg="hi")
        marks, place = "e" + "\u0300" * 31, {"room_name": "r"}
        for cmd, fields, name in (
            ("speak", {**place, "msg": ""}, "msg"),
            ("speak", {**place, "msg": marks}, "msg"),
            ("speak", {**place, "msg": "x" * 4_001}, "msg"),
            ("speak", {**place, "msg": "\0"}, "msg"),
            ("speak", {**place, "msg": "x", "txn": ""}, "txn"),
            ("speak", {**place, "msg": "x", "style": "x" * 5_000}, "style"),
            ("speak", {"msg": "x"}, "room_name"),
            ("edit", {**place, "seq": 2, "msg": marks}, "msg"),
            ("delete", {**place, "seq": 2, "reason": marks}, "reason"),
            ("delete", {**place, "seq": 2, "reason": "x" * 501}, "reason"),
            ("react", {**place, "seq": 2, "emoji": "x"}, "emoji"),
            ("set_room", {**place, "topic": marks}, "topic"),
            ("set_room", {**place, "topic": "x" * 501}, "topic"),
            ("set_room", {**place, "topic": "\0"}, "topic"),
            ("set_room", {**place, "max": -1}, "max"),
            ("search", {"q": "x" * 501}, "q"),
            ("search", {"q": marks}, "q"),
            ("history", {**place, "limit": 0}, "limit"),
            ("history", {**place, "kinds": ["speak"]}, "kinds"),
            ("history", {**place, "kinds": "c_speak"}, "kinds"),
            ("history", {**place, "kinds": [5]}, "kinds"),
            ("mark_read", {**place, "seq": 9}, "seq"),
            ("mark_read", {**place, "seq": 2**53 + 1}, "seq"),
            ("set_notify", {**place, "level": "x"}, "level"),
            ("set_address", {"port": 1}, "port"),
            ("get_mentions", {"before": "x"}, "before"),
            ("get_direct_list", {"before": "x"}, "before"),
            ("get_room_list", {"limit": 0}, "limit"),
            ("resume", {"session_id": "", "epoch": "", "seen": {"r": "x"}}, "seen"),
            ("resume", {"session_id": "", "epoch": "", "seen_directs": {"x": 1}}, "seen_directs"),
            ("login", {"type": "other"}, "type"),
            ("login", {"type": "tmp"}, "usr"),
            ("login", {"type": "reg", "uuid": "x"}, "uuid"),
            ("whisper", {"target_user": "bob"}, "msg"),
        ):
            reply = client.call(cmd, **fields)
            self.assertIn(reply["code"], ("bad_request", "too_long"), (cmd, fields))
            self.assertEqual((cmd, fields, reply["msg"].partition(":")[0]), (cmd, fields, name))
            self.assertLess(len(reply["msg"]), 300)

    def test_the_kinds_of_entries_are_those_that_entries_have(self) -> None:
        client = TestServer().guest("ann")
        reply = client.call("history", room_name="lobby", kinds=["speak"])
        kinds = reply["msg"].removeprefix("kinds: must be of ").removesuffix(".").split(", ")
        names = {EVENT_TYPES[kind] for kind in ENTRY_TYPES.values() if kind in EVENT_TYPES}
        self.assertEqual(set(kinds), {"all", "c_speak", "c_whisper", *names})
        for kind in kinds:
            reply = client.call("history", room_name="lobby", kinds=[kind])
            self.assertEqual(reply["status"], "ok", kind)


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
        self.assertEqual(line.call("history", room_name="lobby")["log_last"], 0)

    def test_a_flood_is_closed_with_a_code_to_come_back_from(self) -> None:
        for cmd, fields, as_guest in (
            ("ping", {}, False),
            ("ping", {}, True),
            ("login", {"type": "reg", "usr": "bob", "pwd": "wrong password"}, False),
            ("resume", {"session_id": "x", "epoch": "y"}, True),
            ("speak", {"room_name": "lobby", "msg": "x"}, False),  # not logged in
            ("speak", {"room_name": "lobby", "msg": "x"}, True),
            ("history", {"room_name": "nowhere"}, True),
            ("kick", {"room_name": "lobby", "user": "bob"}, True),
        ):
            server = TestServer(Limits(commands_burst=2, commands_per_second=1))
            client = server.guest("ann") if as_guest else server.connect()
            for _ in range(40):
                client.send(cmd, **fields)
                server.run_pending()
            self.assertEqual((cmd, client.closed), (cmd, (4009, "flood: wait 2 s")))

    def test_malformed_requests_are_closed_with_a_code_to_stay_away_from(self) -> None:
        for payload in ("nonsense", '{"cmd":"ping","cmd":"ping"}', '{"cmd":"login","usr":5}'):
            client = TestServer().connect()
            for _ in range(21):
                client.raw(payload)
            self.assertEqual(client.closed, (1008, "malformed: too many malformed requests"))

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
            (bob, "set_room", {"max": 9}, {"last_seq": 9}),  # members alone are told the limit
        ]
        for line, cmd, fields, changed in steps:
            self.assertEqual(line.call(cmd, room_name="r", **fields)["status"], "ok", (cmd, fields))
            room |= changed
            self.assertEqual(looks(), [room] if room["public"] else [], (cmd, fields))
        self.assertEqual(outsider.call("join_room", room_name="r")["status"], "ok")
        own = {"joined": True, "members": 2, "last_seq": 10, "read_seq": 10, "max": 9}
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
            # It is taken back before the login of the same batch is answered.
            self.assertEqual(early.reply(cmd)["rooms"][1:], before, cmd)
            self.assertEqual(late.login(f"late-{cmd}")["rooms"][1:], before, cmd)

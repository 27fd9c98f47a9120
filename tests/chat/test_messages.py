"""Messages, whispers, broadcasts, blocks, history."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import blocks
from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import Foreign, PendingEntry
from gtchat.chat.limits import Limits
from gtchat.chat.node_records import FailureCount
from tests.fakes import FakeClient, TestServer, nodes


class RoomTestCase(SynchronousTestCase):
    """The registered users ann, bob and eve are members of the room `r`."""

    options: dict[str, Any] = {}

    def setUp(self) -> None:
        self.server = TestServer(**self.options)
        self.logins: dict[str, dict[str, Any]] = {}
        self.ann, self.bob, self.eve = (self.register(n) for n in ("ann", "bob", "eve"))
        self.ann.call("create_room", room_name="r")
        for client in (self.bob, self.eve):
            client.call("join_room", room_name="r")
        for client in (self.ann, self.bob, self.eve):
            client.received()

    def register(self, name: str) -> FakeClient:
        client = self.server.connect()
        client.call("register", usr=name, pwd="password")
        self.logins[name] = client.login(name, pwd="password")
        return client

    def resume(self, name: str, **seen: int) -> tuple[FakeClient, dict[str, Any]]:
        client, login = self.server.connect(), self.logins[name]
        reply = client.call(
            "resume", session_id=login["session_id"], epoch=login["epoch"], seen=seen
        )
        return client, reply


class Speak(RoomTestCase):
    def test_message_reaches_all_other_members(self) -> None:
        reply = self.ann.call("speak", room_name="r", msg="hi")
        for client in (self.bob, self.eve):
            [push] = client.pushes()
            self.assertEqual(
                {k: push[k] for k in ("cmd", "room_name", "usr", "msg", "id", "seq", "at")},
                {"cmd": "c_speak", "room_name": "r", "usr": "ann", "msg": "hi"}
                | {k: reply[k] for k in ("id", "seq", "at")},
            )
        self.assertEqual(self.ann.pushes(), [])

    def test_invalid_messages_are_refused(self) -> None:
        self.ann.call("create_room", room_name="other")
        for fields, code in (
            ({"room_name": "nowhere", "msg": "x"}, "no_such_room"),
            ({"room_name": "other", "msg": "x"}, "not_in_room"),
            ({"room_name": "r", "msg": ""}, "bad_request"),
            ({"room_name": "r", "msg": "  "}, "bad_request"),
            ({"room_name": "r", "msg": "\x07"}, "bad_request"),
            ({"room_name": "r", "msg": "x" * 4001}, "too_long"),
            ({"room_name": "r", "msg": "x", "txn": ""}, "bad_request"),
            ({"room_name": "r", "msg": "x", "txn": "x" * 65}, "bad_request"),
            ({"room_name": "r", "msg": "x", "txn": "a\0b"}, "bad_request"),
            ({"msg": "x"}, "bad_request"),
        ):
            self.assertEqual(self.bob.call("speak", **fields).get("code"), code, fields)

    def test_text_is_stored_in_nfc(self) -> None:
        self.ann.call("speak", room_name="r", msg="e\u0301")
        self.assertEqual(self.bob.pushes()[0]["msg"], "\u00e9")

    def test_same_txn_is_stored_once(self) -> None:  # C19
        first = self.ann.call("speak", room_name="r", msg="hi", txn="t")
        again = self.ann.call("speak", room_name="r", msg="hi", txn="t")
        self.assertEqual(
            (again["seq"], again["id"], again["dup"]), (first["seq"], first["id"], True)
        )
        self.assertEqual(len(self.bob.pushes()), 1)
        other = self.ann.call("speak", room_name="r", msg="ho", txn="t")
        self.assertEqual(other["code"], "txn_conflict")

    def test_message_that_is_not_stored_is_not_delivered(self) -> None:  # H17
        append = self.server.store.append

        def refuse(entry: PendingEntry) -> None:
            entry.error = NotStored()
            self.server.store._deliver(Foreign(), [entry])

        self.server.store.append = refuse  # type: ignore[method-assign]
        reply = self.ann.call("speak", room_name="r", msg="lost")
        self.assertEqual(reply["code"], "not_stored")
        self.assertEqual(self.bob.pushes(), [])
        for cmd, fields in (
            ("leave_room", {"room_name": "r"}),
            ("create_room", {"room_name": "x"}),
            ("set_room", {"room_name": "r", "topic": "y"}),
            ("kick", {"room_name": "r", "user": "bob"}),
            ("add_member", {"room_name": "r", "user": "dan"}),
        ):
            self.register("dan") if cmd == "add_member" else None
            self.assertEqual(self.ann.call(cmd, **fields).get("code"), "not_stored", cmd)
        self.server.store.append = append  # type: ignore[method-assign]
        reply = self.ann.call("get_room_user_list", room_name="r")
        self.assertEqual(reply["users"], ["ann", "bob", "eve"])
        self.assertEqual(self.ann.call("speak", room_name="r", msg="back")["seq"], 4)
        self.assertEqual(self.ann.call("create_room", room_name="x")["status"], "ok")
        topics = {r["room_name"]: r["topic"] for r in self.ann.call("get_room_list")["rooms"]}
        self.assertEqual(topics["r"], "")


class Blocks(RoomTestCase):
    def test_messages_of_a_blocked_user_are_not_delivered(self) -> None:  # D21
        self.assertEqual(self.bob.call("block", user="Ann")["blocked"], ["ann"])
        self.ann.send("speak", room_name="r", msg="one")
        self.eve.send("speak", room_name="r", msg="two")
        self.server.run_pending()
        self.assertEqual([p["msg"] for p in self.bob.pushes("c_speak")], ["two"])
        reply = self.ann.call("whisper", target_user="bob", msg="psst")
        self.assertEqual(reply["code"], "blocked")
        self.assertEqual(self.ann.call("get_address", user="bob")["code"], "blocked")
        self.assertEqual(self.bob.call("unblock", user="ann")["blocked"], [])
        self.ann.call("speak", room_name="r", msg="three")
        self.assertEqual([p["msg"] for p in self.bob.pushes("c_speak")], ["three"])

    def test_a_block_holds_while_others_come_and_go(self) -> None:
        for client in (self.bob, self.eve):
            client.call("block", user="ann")
        self.bob.call("unblock", user="eve")  # who was not blocked
        self.bob.call("unblock", user="ann")
        self.ann.call("logout")
        self.ann.login("ann", pwd="password")
        self.eve.call("logout")
        self.eve.login("eve", pwd="password")
        self.ann.call("speak", room_name="r", msg="four")
        heard = [[p["msg"] for p in one.pushes("c_speak")] for one in (self.bob, self.eve)]
        self.assertEqual(heard, [["four"], []])
        self.eve.call("logout")
        self.assertEqual(self.server.chat.users._blocking, {})

    def test_block_lasts_over_sessions(self) -> None:
        self.bob.call("block", user="ann")
        self.bob.drop()
        reply = self.ann.call("whisper", target_user="bob", msg="psst")
        self.assertEqual(reply["code"], "blocked")
        self.ann.drop()
        bob, _ = self.resume("bob")
        ann, _ = self.resume("ann")
        ann.call("speak", room_name="r", msg="x")
        self.assertEqual(bob.pushes("c_speak"), [])

    def test_blocks_are_bounded(self) -> None:
        self.patch(blocks, "BLOCK_LIMIT", 1)
        codes = [self.bob.call("block", user=name).get("code") for name in ("ann", "ann", "eve")]
        self.assertEqual(codes, [None, None, "not_allowed"])
        self.bob.call("unblock", user="ann")
        self.assertEqual(self.bob.call("block", user="eve")["blocked"], ["eve"])

    def test_invalid_blocks_are_refused(self) -> None:
        self.assertEqual(self.ann.call("block", user="ann")["code"], "self_target")
        self.assertEqual(self.ann.call("block", user="unknown")["code"], "no_such_user")
        self.assertEqual(self.ann.call("block", user="no name")["code"], "no_such_user")


class Whispers(RoomTestCase):
    def test_whisper_is_delivered_now_or_at_the_next_login(self) -> None:
        reply = self.ann.call("whisper", target_user="bob", msg="psst")
        self.assertEqual(reply["delivered"], "now")
        self.assertEqual(self.bob.pushes()[0]["id"], reply["id"])
        self.bob.call("logout")
        stored = [self.ann.call("whisper", target_user="bob", msg=f"{n}") for n in range(3)]
        self.assertEqual({r["delivered"] for r in stored}, {"stored"})
        self.bob.received()
        self.bob.login("bob", pwd="password")
        self.assertEqual([p["msg"] for p in self.bob.pushes("c_whisper")], ["0", "1", "2"])
        self.bob.call("logout")
        self.bob.received()
        self.bob.login("bob", pwd="password")
        self.assertEqual(self.bob.pushes("c_whisper"), [])

    def test_unconfirmed_whisper_is_sent_again_with_its_id(self) -> None:
        reply = self.ann.call("whisper", target_user="bob", msg="psst")
        self.bob.drop()
        bob, _ = self.resume("bob")
        self.assertEqual([p["id"] for p in bob.pushes("c_whisper")], [reply["id"]])

    def test_same_txn_is_stored_once(self) -> None:
        first = self.ann.call("whisper", target_user="bob", msg="psst", txn="t")
        again = self.ann.call("whisper", target_user="bob", msg="psst", txn="t")
        self.assertEqual((again["id"], again["dup"]), (first["id"], True))
        self.assertEqual(len(self.bob.pushes()), 1)
        other = self.ann.call("whisper", target_user="eve", msg="psst", txn="t")
        self.assertEqual(other["code"], "txn_conflict")
        long = self.ann.call("whisper", target_user="eve", msg="psst", txn="x" * 65)
        self.assertEqual(long["code"], "bad_request")

    def test_invalid_targets_are_refused(self) -> None:  # F14
        reply = self.ann.call("whisper", target_user="unknown", msg="x")
        self.assertEqual(reply["code"], "no_such_user")

    def test_pending_whispers_are_sent_as_fast_as_the_client_reads(self) -> None:
        self.bob.call("whisper", target_user="ann", msg="write to me")
        self.bob.call("logout")
        for n in range(250):
            self.ann.call("whisper", target_user="bob", msg=f"{n}")
        self.bob.received()
        self.bob.outbox.buffered_bytes = 1
        self.bob.login("bob", pwd="password")
        received = [p["msg"] for p in self.bob.pushes("c_whisper")]
        self.assertEqual(len(received), 100)
        self.ann.call("whisper", target_user="bob", msg="live")
        self.bob.outbox.buffered_bytes = 0
        for _ in range(5):
            self.server.clock.advance(0.1)
            self.server.run_pending()
        received += [p["msg"] for p in self.bob.pushes("c_whisper")]
        self.assertEqual(received, [*map(str, range(250)), "live"])

    def test_long_pending_whispers_are_sent_as_fast_as_the_client_reads(self) -> None:
        self.bob.call("logout")
        for _ in range(40):
            self.ann.call("whisper", target_user="bob", msg=chr(0x1F600) * 4_000)
        self.bob.received()
        self.bob.outbox.buffered_bytes = 1
        self.bob.login("bob", pwd="password")
        self.assertEqual(len(self.bob.pushes("c_whisper")), 16)
        self.bob.outbox.buffered_bytes = 0
        for _ in range(5):
            self.server.clock.advance(0.1)
            self.server.run_pending()
        self.assertEqual(len(self.bob.pushes("c_whisper")), 24)

    def test_stored_whispers_are_bounded(self) -> None:  # F14
        server = TestServer(Limits(commands_per_second=0, stored_whispers_per_user=2))
        ann = server.member("ann")
        server.member("bob").call("logout")
        codes = [ann.call("whisper", target_user="bob", msg="x").get("code") for _ in range(3)]
        self.assertEqual(codes, [None, None, "not_allowed"])

    def test_client_lost_during_delivery_gets_the_rest_at_the_next_login(self) -> None:
        self.bob.call("whisper", target_user="ann", msg="write to me")
        self.bob.call("logout")
        for n in range(150):
            self.ann.call("whisper", target_user="bob", msg=f"{n}")
        self.bob.outbox.buffered_bytes = 1
        self.bob.login("bob", pwd="password")
        self.bob.drop()
        self.server.clock.advance(1)
        self.server.run_pending()
        bob = self.server.connect()
        bob.login("bob", pwd="password")
        self.server.clock.advance(1)
        self.server.run_pending()
        self.assertEqual(len(bob.pushes("c_whisper")), 150)

    def test_a_whisper_to_a_session_that_was_lost_stays_stored(self) -> None:
        self.ann.call("whisper", target_user="bob", msg="psst")
        self.bob.drop()
        self.server.clock.pump([10.0] * 20)
        bob = self.server.connect()
        bob.login("bob", pwd="password")
        self.assertEqual([push["msg"] for push in bob.pushes("c_whisper")], ["psst"])


class Broadcasts(RoomTestCase):
    options = {"broadcast_key": "open sesame"}

    def test_broadcast_with_the_key_reaches_all_users(self) -> None:  # C17
        reply = self.ann.call("broadcast", msg="all", broadcast_key="open sesame")
        self.assertEqual(reply["recipients"], 2)
        reply = self.ann.call("speak", msg="all", broadcast_key="open sesame")
        self.assertEqual(reply["recipients"], 2)
        self.assertEqual(len(self.bob.pushes("c_broadcast")), 2)
        self.assertEqual(self.ann.pushes("c_broadcast"), [])

    def test_wrong_keys_are_refused(self) -> None:  # D18
        for key in ("", "open", "open sesame!", "é"):
            reply = self.ann.call("broadcast", msg="all", broadcast_key=key)
            self.assertEqual(reply["code"], "bad_key")
            self.server.clock.advance(60)
            self.assertIn("recipients", self.broadcast(self.ann, "open sesame"))
        server = TestServer()
        reply = server.guest("x").call("broadcast", msg="all", broadcast_key="")
        self.assertEqual(reply["code"], "bad_key")

    def broadcast(self, client: FakeClient, key: str) -> dict[str, Any]:
        return client.call("broadcast", msg="all", broadcast_key=key)

    def test_three_wrong_keys_suspend_the_right_one(self) -> None:  # D18
        codes = [self.broadcast(self.ann, "wrong").get("code") for _ in range(4)]
        self.assertEqual(codes, ["bad_key"] * 3 + ["locked_out"])
        self.assertAlmostEqual(self.broadcast(self.ann, "open sesame")["retry_after"], 60, places=1)
        self.assertIn("recipients", self.broadcast(self.bob, "open sesame"))
        self.server.clock.advance(60)
        self.assertIn("recipients", self.broadcast(self.ann, "open sesame"))

    def test_wrong_keys_of_a_network_are_limited_for_all_of_its_users(self) -> None:  # D18
        codes = []
        for number in range(12):
            guest = self.server.connect(f"2001:db8::{number}")
            guest.login(f"g{number}")
            codes.append(self.broadcast(guest, "wrong").get("code"))
        self.assertEqual(codes, ["bad_key"] * 10 + ["rate_limited"] * 2)
        login = self.server.connect("2001:db8::99").login("unknown", pwd="wrong password")
        self.assertEqual(login["code"], "rate_limited")

    def test_wrong_keys_are_counted_for_all_nodes(self) -> None:  # D18
        both = nodes(2, broadcast_key="open sesame")
        codes = []
        for number, key in enumerate(["wrong"] * 3 + ["open sesame"] * 2):
            client = both[number % 2].connect()
            if not number:
                client.call("register", usr="ann", pwd="password")
            client.login("ann", pwd="password")
            codes.append(self.broadcast(client, key).get("code"))
        self.assertEqual(codes, ["bad_key"] * 3 + ["locked_out"] * 2)

    def test_wrong_keys_of_a_network_are_counted_for_all_nodes(self) -> None:  # D18
        both = nodes(2, broadcast_key="open sesame")
        codes = []
        for number in range(12):
            guest = both[number % 2].guest(f"g{number}")
            key = "wrong" if number < 10 else "open sesame"
            codes.append(self.broadcast(guest, key).get("code"))
        self.assertEqual(codes, ["bad_key"] * 10 + ["rate_limited"] * 2)

    def test_a_session_that_ends_while_its_key_is_checked_sends_nothing(self) -> None:
        server, _ = nodes(2, broadcast_key="open sesame")
        ann, bob = server.guest("ann"), server.guest("bob")
        counted = Deferred[Any]()
        with patch.object(server.store, "count_failures", lambda *_: counted):
            ann.send("broadcast", msg="all", broadcast_key="open sesame", tracker="1")
        ann.drop(clean=True)
        server.run_pending()
        counted.callback((None, FailureCount()))
        server.run_pending()
        self.assertEqual(bob.pushes("c_broadcast"), [])


class History(RoomTestCase):
    def setUp(self) -> None:
        super().setUp()
        for n in range(20):
            self.ann.call("speak", room_name="r", msg=f"{n}")

    def seqs(self, **fields: object) -> list[int]:
        reply = self.bob.call("history", room_name="r", **fields)
        return [entry["seq"] for entry in reply["entries"]]

    def test_pages_are_chosen_by_position_and_kind(self) -> None:
        self.assertEqual(self.seqs(limit=3), [21, 22, 23])
        self.assertEqual(self.seqs(limit=3, before=10), [7, 8, 9])
        self.assertEqual(self.seqs(limit=3, after=10), [11, 12, 13])
        self.assertIn(10, self.seqs(limit=3, around=10))
        self.assertEqual(self.seqs(limit=1000, after=0), list(range(1, 24)))
        self.assertEqual(self.seqs(kinds=["join_room"]), [2, 3])
        self.assertEqual(self.seqs(kinds=["c_speak"], limit=2), [22, 23])

    def test_all_kinds_are_all_entries_of_the_log(self) -> None:
        self.ann.call("react", room_name="r", seq=23, emoji="👍")
        self.assertEqual(self.seqs(), list(range(1, 24)))
        self.assertEqual(self.seqs(kinds=["all"]), list(range(1, 25)))
        self.assertEqual(self.seqs(kinds=["all"], after=22), [23, 24])

    def test_entry_equals_its_push(self) -> None:
        self.bob.received()
        self.ann.call("speak", room_name="r", msg="x")
        [push] = self.bob.pushes()
        page = self.bob.call("history", room_name="r", limit=1)
        self.assertEqual(page["entries"], [push])
        self.assertEqual((page["log_first"], page["log_last"], page["more"]), (1, 24, True))

    def test_invalid_queries_are_refused(self) -> None:  # C21
        for fields, code in (
            ({"limit": 0}, "bad_request"),
            ({"before": -1}, "bad_request"),
            ({"before": 10**18}, "bad_request"),
            ({"before": 1, "after": 1}, "bad_request"),
            ({"kinds": ["x"]}, "bad_request"),
            ({"room_name": "nowhere"}, "no_such_room"),
        ):
            reply = self.bob.call("history", **{"room_name": "r", **fields})
            self.assertEqual(reply["code"], code, fields)
        self.bob.call("leave_room", room_name="r")
        self.assertEqual(self.bob.call("history", room_name="r")["code"], "not_in_room")


class StoreErrors(RoomTestCase):
    def test_end_of_a_guest_that_is_not_stored_is_tried_again(self) -> None:
        guest = self.server.connect()
        guest.login("guest")
        guest.call("join_room", room_name="r")
        end_guest = self.server.store.end_guest

        def refuse(account_id: int) -> Deferred[None]:
            return fail(NotStored())

        self.server.store.end_guest = refuse  # type: ignore[method-assign]
        guest.call("logout")
        self.assertEqual(self.server.connect("192.0.2.7").login("guest")["code"], "name_taken")
        self.server.store.end_guest = end_guest  # type: ignore[method-assign]
        self.server.clock.advance(120)
        self.server.run_pending()
        self.assertEqual(self.server.connect("192.0.2.7").login("guest")["status"], "ok")

    def test_deletion_that_is_not_stored_leaves_the_room(self) -> None:
        delete_room = self.server.store.delete_room

        def refuse(*args: object) -> Deferred[Any]:
            return fail(NotStored())

        self.server.store.delete_room = refuse  # type: ignore[method-assign]
        self.assertEqual(self.ann.call("delete_room", room_name="r")["code"], "not_stored")
        self.server.store.delete_room = delete_room  # type: ignore[method-assign]
        self.assertEqual(self.bob.call("speak", room_name="r", msg="x")["status"], "ok")

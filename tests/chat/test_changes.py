"""Changes of messages: who may make which, what they change, and who is told."""

from __future__ import annotations

from typing import Any

from emoji import EMOJI_DATA
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.annotations import require_emoji
from gtchat.chat.errors import BadRequest
from gtchat.chat.events import MessageSent
from gtchat.chat.limits import Limits
from gtchat.store.memory.store import MemoryStore
from tests.chat.test_messages import RoomTestCase
from tests.fakes import FailingStore, RecordingConnection, RecordingEncoder, TestServer

HEART, THUMB = "\u2764\ufe0f", "\U0001f44d"
#: Twenty-one emoji.
MANY = [chr(0x1F600 + number) for number in range(21)]


class ChangesCase(RoomTestCase):
    """`r` has messages of ann (the owner) and of bob; the log is created, 2 joins, 4, 5."""

    options: dict[str, Any] = {"limits": Limits(commands_per_second=0, reactions_per_minute=0)}

    def setUp(self) -> None:
        super().setUp()
        self.anns = self.ann.call("speak", room_name="r", msg="of ann")["seq"]
        self.bobs = self.bob.call("speak", room_name="r", msg="of bob")["seq"]
        self.out = self.register("out")
        self.clients = {"ann": self.ann, "bob": self.bob, "eve": self.eve, "out": self.out}
        for client in self.clients.values():
            client.received()

    def change(self, who: str, cmd: str, seq: int, **fields: object) -> dict[str, Any]:
        return self.clients[who].call(cmd, room_name="r", seq=seq, **fields)

    def outcome(self, who: str, cmd: str, seq: int, **fields: object) -> str:
        """Make a change. Return its code: `stored` with an entry, `same` without."""
        reply = self.change(who, cmd, seq, **fields)
        stored = "stored" if "seq" in reply else "same"
        return str(reply.get("code", stored))

    def page(self, who: str = "eve", **query: object) -> list[dict[str, Any]]:
        reply = self.clients[who].call("history", room_name="r", **query)
        assert reply["status"] == "ok", reply
        return list(reply["entries"])

    def message(self, seq: int, who: str = "eve") -> dict[str, Any]:
        """Return a message as a page of history has it, without what every message has."""
        [found] = [one for one in self.page(who) if one["seq"] == seq]
        return {k: found[k] for k in found.keys() - {"cmd", "tracker", "room_name", "id", "at"}}


class Rules(ChangesCase):
    def test_who_may_change_what(self) -> None:
        for cmd, fields, codes in (
            ("edit", {"msg": "x"}, ("not_author", "stored", "not_author", "not_in_room")),
            ("delete", {}, ("stored", "stored", "not_author", "not_in_room")),
            ("react", {"emoji": HEART}, ("stored", "stored", "stored", "not_in_room")),
            ("pin", {}, ("stored", "not_owner", "not_owner", "not_owner")),
            ("unpin", {}, ("same", "not_owner", "not_owner", "not_owner")),
            ("versions", {}, ("not_allowed", "not_allowed", "not_allowed", "not_allowed")),
        ):
            for who, code in zip(("ann", "bob", "eve", "out"), codes, strict=True):
                seq = self.bob.call("speak", room_name="r", msg="of bob")["seq"]
                self.assertEqual(self.outcome(who, cmd, seq, **fields), code, (cmd, who))

    def test_only_messages_can_be_changed(self) -> None:
        last = self.change("bob", "edit", self.bobs, msg="edited")["seq"]
        for seq in (0, -1, 1, 2, last, last + 1, 2**53):
            for cmd, fields in (
                *(("edit", {"msg": "x"}), ("delete", {}), ("react", {"emoji": HEART})),
                *(("pin", {}), ("unpin", {})),
            ):
                self.assertEqual(self.outcome("ann", cmd, seq, **fields), "no_such_message", cmd)
            reply = self.ann.call("speak", room_name="r", msg="x", reply=seq)
            self.assertEqual(reply.get("code"), "no_such_message", seq)

    def test_what_is_as_wanted_already_is_no_entry(self) -> None:
        last = self.bobs
        for who, cmd, fields, code in (
            ("bob", "edit", {"msg": "of bob"}, "same"),
            ("bob", "react", {"emoji": HEART, "on": False}, "same"),
            ("bob", "react", {"emoji": HEART}, "stored"),
            ("bob", "react", {"emoji": HEART}, "same"),
            ("eve", "react", {"emoji": HEART}, "stored"),
            ("bob", "react", {"emoji": HEART, "on": False}, "stored"),
            ("ann", "unpin", {}, "same"),
            ("ann", "pin", {}, "stored"),
            ("ann", "pin", {}, "same"),
            ("ann", "unpin", {}, "stored"),
            ("ann", "delete", {}, "stored"),
            ("bob", "delete", {"reason": "again"}, "same"),
            ("ann", "unpin", {}, "same"),
            ("bob", "react", {"emoji": HEART, "on": False}, "same"),
        ):
            self.assertEqual(self.outcome(who, cmd, self.bobs, **fields), code, (cmd, fields))
            last += code == "stored"
            self.assertEqual(self.server.chat.rooms.find("r").last_seq, last)

    def test_a_deleted_message_can_be_changed_no_more(self) -> None:
        self.change("ann", "delete", self.bobs)
        for who, cmd, fields in (
            ("bob", "edit", {"msg": "back"}),
            ("eve", "react", {"emoji": HEART}),
            ("ann", "pin", {}),
        ):
            self.assertEqual(self.outcome(who, cmd, self.bobs, **fields), "deleted", cmd)
        reply = self.eve.call("speak", room_name="r", msg="x", reply=self.bobs)
        self.assertEqual(reply["code"], "deleted")

    def test_invalid_fields_are_refused(self) -> None:
        for cmd, fields, code in (
            ("edit", {"msg": ""}, "bad_request"),
            ("edit", {"msg": "\x07"}, "bad_request"),
            ("edit", {"msg": "x" * 4001}, "too_long"),
            ("edit", {"msg": "x", "txn": ""}, "bad_request"),
            ("edit", {"msg": "x", "txn": "x" * 65}, "bad_request"),
            ("delete", {"reason": "x" * 501}, "too_long"),
            ("delete", {"reason": "\x00"}, "bad_request"),
            ("react", {"emoji": ""}, "bad_request"),
            ("react", {"emoji": "x"}, "bad_request"),
            ("react", {"emoji": HEART + THUMB}, "bad_request"),
            ("react", {"emoji": HEART * 10_000}, "bad_request"),
            ("react", {"emoji": HEART, "on": 1}, "bad_request"),
        ):
            self.assertEqual(self.outcome("bob", cmd, self.bobs, **fields), code, fields)
        for fields in ({"style": "shout"}, {"reply": "5"}):
            reply = self.bob.call("speak", room_name="r", msg="x", **fields)
            self.assertEqual(reply["code"], "bad_request", fields)

    def test_a_message_can_be_edited_for_a_day(self) -> None:
        self.server.clock.advance(86_400)
        self.assertEqual(self.outcome("bob", "edit", self.bobs, msg="in time"), "stored")
        self.server.clock.advance(0.001)
        reply = self.change("bob", "edit", self.bobs, msg="late")
        self.assertEqual((reply["code"], reply["window"]), ("too_late", 86_400))
        self.assertEqual(reply["msg"], "A message can be edited within 24 hours only.")
        self.assertEqual(self.outcome("bob", "edit", self.bobs, msg="in time"), "same")
        self.assertEqual(self.outcome("bob", "delete", self.bobs), "stored")

    def test_a_later_user_of_a_guests_name_can_change_nothing(self) -> None:
        guest = self.server.guest("gus")
        guest.call("join_room", room_name="r")
        seq = guest.call("speak", room_name="r", msg="of the first gus")["seq"]
        guest.call("logout")
        self.clients["gus"] = later = self.server.guest("gus")
        later.call("join_room", room_name="r")
        for cmd, fields in (("edit", {"msg": "x"}), ("delete", {})):
            self.assertEqual(self.outcome("gus", cmd, seq, **fields), "not_author")
        self.assertEqual(self.outcome("ann", "delete", seq), "stored")

    def test_a_message_without_an_account_can_be_deleted_by_moderators_only(self) -> None:
        old = MessageSent(room_name="r", usr="bob", msg="old", id="old", at=0)
        store = self.server.store
        assert isinstance(store, MemoryStore)
        store._rooms.keys["r"].append(old)
        self.eve.call("block", user="bob")
        self.assertIs(self.message(old.seq)["blocked"], True)
        self.assertNotIn("blocked", self.message(old.seq, "ann"))
        for cmd, fields in (("edit", {"msg": "x"}), ("delete", {})):
            self.assertEqual(self.outcome("bob", cmd, old.seq, **fields), "not_author")
        self.assertEqual(self.outcome("ann", "delete", old.seq), "stored")

    def test_an_owner_who_left_may_still_moderate(self) -> None:
        self.ann.call("leave_room", room_name="r")
        self.assertEqual(self.outcome("ann", "pin", self.bobs), "stored")
        self.assertEqual(self.outcome("ann", "delete", self.bobs), "stored")
        self.assertEqual(self.outcome("ann", "edit", self.anns, msg="x"), "not_in_room")

    def test_in_the_lobby_only_authors_and_the_operator_may_delete(self) -> None:
        seqs = [self.bob.call("speak", room_name="lobby", msg=m)["seq"] for m in "xyz"]
        for who, cmd, code in (
            *(("ann", "delete", "not_author"), ("ann", "pin", "not_owner")),
            ("bob", "delete", None),
        ):
            reply = self.clients[who].call(cmd, room_name="lobby", seq=seqs[0])
            self.assertEqual(reply.get("code"), code, who)


class Effects(ChangesCase):
    def test_an_edited_message_has_its_new_text(self) -> None:
        reply = self.change("bob", "edit", self.bobs, msg="e\u0301")
        self.assertEqual(reply["seq"], self.bobs + 1)
        self.assertIn("at", reply)
        changed = {"msg": "\u00e9", "edited": True, "changed": reply["seq"]}
        self.assertEqual(self.message(self.bobs), {"usr": "bob", "seq": self.bobs, **changed})
        reply = self.change("bob", "edit", self.bobs, msg="again")
        self.assertEqual(self.message(self.bobs)["changed"], reply["seq"])

    def test_a_deleted_message_has_author_time_and_reason_only(self) -> None:
        seq = self.bob.call("speak", room_name="r", msg="x", reply=self.anns, style="action")["seq"]
        self.change("bob", "edit", seq, msg="y")
        self.change("eve", "react", seq, emoji=HEART)
        self.change("ann", "pin", seq)
        last = self.change("ann", "delete", seq, reason="spam")["seq"]
        self.assertEqual(
            self.message(seq),
            {
                "usr": "bob",
                "seq": seq,
                "msg": "",
                "changed": last,
                "deleted": {"by": "ann", "reason": "spam"},
            },
        )

    def test_reactions_are_counted_and_list_users(self) -> None:
        for who, emoji in (("bob", HEART), ("eve", THUMB), ("ann", HEART), ("eve", HEART)):
            self.change(who, "react", self.anns, emoji=emoji)
        self.change("bob", "react", self.anns, emoji=HEART, on=False)
        hearts = {"emoji": HEART, "count": 2, "users": ["ann", "eve"], "me": False}
        thumbs = {"emoji": THUMB, "count": 1, "users": ["eve"], "me": False}
        self.assertEqual(self.message(self.anns, "bob")["reactions"], [hearts, thumbs])
        mine = [{**hearts, "me": True}, {**thumbs, "me": True}]
        self.assertEqual(self.message(self.anns, "eve")["reactions"], mine)
        self.change("ann", "react", self.anns, emoji=HEART, on=False)
        self.change("eve", "react", self.anns, emoji=HEART, on=False)
        self.assertEqual(self.message(self.anns, "bob")["reactions"], [thumbs])

    def test_a_reaction_lists_the_first_ten_users(self) -> None:
        names = [f"user{number:02}" for number in range(12)]
        for name in names:
            self.clients[name] = self.register(name)
            self.clients[name].call("join_room", room_name="r")
            self.change(name, "react", self.anns, emoji=HEART)
        [reaction] = self.message(self.anns)["reactions"]
        self.assertEqual((reaction["count"], reaction["users"]), (12, names[:10]))
        self.change("user03", "react", self.anns, emoji=HEART, on=False)
        [reaction] = self.message(self.anns)["reactions"]
        self.assertEqual((reaction["count"], reaction["users"]), (11, names[:3] + names[4:11]))

    def test_an_emoji_is_the_same_however_it_is_written(self) -> None:
        self.assertEqual(self.outcome("bob", "react", self.anns, emoji="\u2764"), "stored")
        self.assertEqual(self.outcome("bob", "react", self.anns, emoji=HEART), "same")
        self.assertEqual(self.message(self.anns)["reactions"][0]["emoji"], HEART)

    def test_a_reply_names_the_author_that_it_replies_to(self) -> None:
        reply = self.eve.call("speak", room_name="r", msg="yes", reply=self.bobs)
        [push] = self.bob.pushes()
        self.assertEqual(push["reply"], {"seq": self.bobs, "usr": "bob"})
        self.assertEqual(self.page()[-1], push)
        self.assertEqual(push["seq"], reply["seq"])

    def test_an_action_says_so(self) -> None:
        self.eve.call("speak", room_name="r", msg="waves", style="action")
        [push] = self.bob.pushes()
        self.assertEqual((push["style"], push["msg"]), ("action", "waves"))
        self.assertEqual(self.page()[-1], push)

    def test_a_message_of_a_temporary_user_says_so(self) -> None:
        guest = self.server.guest("gus")
        guest.call("join_room", room_name="r")
        self.bob.received()
        guest.call("speak", room_name="r", msg="plain")
        guest.call("speak", room_name="r", msg="waves", style="action")
        pushes = self.bob.pushes()
        self.assertEqual([push["guest"] for push in pushes], [True, True])
        guest.call("logout")
        self.assertEqual(self.page(kinds=["c_speak"])[-2:], pushes)

    def test_a_pinned_message_says_so(self) -> None:
        self.change("ann", "pin", self.bobs)
        self.assertIs(self.message(self.bobs)["pinned"], True)
        self.change("ann", "unpin", self.bobs)
        self.assertNotIn("pinned", self.message(self.bobs))

    def test_a_plain_message_has_no_further_fields(self) -> None:
        self.assertEqual(self.message(self.bobs), {"usr": "bob", "seq": self.bobs, "msg": "of bob"})

    def test_deleted_and_own_messages_are_not_unread(self) -> None:
        self.eve.drop()
        last = self.bob.call("speak", room_name="r", msg="new")["seq"]
        for cmd, fields in (("react", {"emoji": HEART}), ("edit", {"msg": "newer"})):
            self.change("bob", cmd, last, **fields)
        client = self.server.connect()
        rooms = {r["room_name"]: r for r in client.login("eve", pwd="password")["rooms"]}
        self.assertEqual(rooms["r"]["unread"], 1)
        client.drop()
        self.change("bob", "delete", last)
        client = self.server.connect()
        rooms = {r["room_name"]: r for r in client.login("eve", pwd="password")["rooms"]}
        self.assertEqual(rooms["r"]["unread"], 0)


class Delivered(ChangesCase):
    def test_every_session_in_the_room_is_told_of_a_change(self) -> None:
        for who, cmd, kind, fields, pushed in (
            ("bob", "edit", "edited", {"msg": "new"}, {"usr": "bob", "msg": "new"}),
            (
                *("eve", "react", "reacted", {"emoji": HEART}),
                {"usr": "eve", "emoji": HEART, "on": True},
            ),
            ("ann", "pin", "pinned", {}, {"usr": "ann"}),
            ("ann", "unpin", "unpinned", {}, {"usr": "ann"}),
            (
                *("ann", "delete", "deleted", {"reason": "why"}),
                {"usr": "bob", "by": "ann", "reason": "why"},
            ),
        ):
            reply = self.change(who, cmd, self.bobs, **fields)
            common = {"cmd": "c_event", "tracker": "0", "type": kind, "room_name": "r"}
            expected = {**common, "of": self.bobs, "seq": reply["seq"], "at": reply["at"], **pushed}
            for name in ("ann", "bob", "eve"):
                self.assertEqual(self.clients[name].received(), [expected], (name, cmd))
            self.assertEqual(self.out.received(), [])
            self.assertEqual(self.page(kinds=[kind]), [expected])

    def test_an_edit_has_no_text_but_that_of_its_message(self) -> None:
        for msg in ("b", "c"):
            self.change("bob", "edit", self.bobs, msg=msg)
        edits = self.page(kinds=["edited"])
        self.assertEqual([edit["msg"] for edit in edits], ["c", "c"])
        self.change("bob", "delete", self.bobs)
        edits = self.page(kinds=["edited"])
        self.assertEqual([edit["msg"] for edit in edits], ["", ""])

    def test_the_reply_comes_before_the_push(self) -> None:
        self.bob.send("edit", room_name="r", seq=self.bobs, msg="new", tracker=1)
        self.server.run_pending()
        self.assertEqual([one["cmd"] for one in self.bob.received()], ["c_response", "c_event"])

    def test_a_change_comes_after_the_message_of_the_same_batch(self) -> None:
        self.bob.send("speak", room_name="r", msg="first")
        self.eve.send("react", room_name="r", seq=self.bobs + 1, emoji=HEART)
        self.eve.send("speak", room_name="r", msg="third")
        self.server.run_pending()
        kinds = [(p.get("type", p["cmd"]), p["seq"]) for p in self.ann.pushes()]
        first = self.bobs + 1
        self.assertEqual(
            kinds, [("c_speak", first), ("reacted", first + 1), ("c_speak", first + 2)]
        )
        self.assertEqual(self.message(first)["changed"], first + 1)

    def test_what_a_blocked_user_says_is_hidden(self) -> None:
        self.eve.call("block", user="bob")
        self.eve.received()
        seen = self.server.chat.rooms.find("r").last_seq
        self.change("bob", "edit", self.bobs, msg="hidden")
        self.change("bob", "react", self.anns, emoji=HEART)
        self.change("ann", "react", self.anns, emoji=HEART)
        self.change("bob", "react", self.anns, emoji=THUMB)
        self.change("ann", "pin", self.bobs)
        self.change("ann", "delete", self.bobs)
        told = ["reacted", "pinned", "deleted"]
        self.assertEqual([push["type"] for push in self.eve.pushes()], told)
        page = self.page(after=seen, kinds=["edited", "deleted", "reacted", "pinned"])
        marked = [(one["type"], one.get("blocked", False)) for one in page]
        self.assertEqual(
            marked,
            [
                *(("edited", True), ("reacted", True), ("reacted", False), ("reacted", True)),
                *(("pinned", False), ("deleted", False)),
            ],
        )
        self.assertIs(self.message(self.bobs)["blocked"], True)
        [heart] = self.message(self.anns)["reactions"]
        self.assertEqual((heart["emoji"], heart["count"], heart["users"]), (HEART, 1, ["ann"]))
        self.eve.drop()
        _, reply = self.resume("eve", r=seen)
        [room] = [one for one in reply["resumed"] if one["room_name"] == "r"]
        self.assertEqual([entry["type"] for entry in room["entries"]], told)

    def test_a_block_follows_the_account_and_not_the_name(self) -> None:
        guest = self.server.guest("gus")
        guest.call("join_room", room_name="r")
        self.eve.call("block", user="gus")
        guest.call("speak", room_name="r", msg="hidden")
        self.assertIs(self.page()[-1]["blocked"], True)
        guest.call("logout")
        later = self.server.guest("gus")
        later.call("join_room", room_name="r")
        self.eve.received()
        later.call("speak", room_name="r", msg="shown")
        self.assertEqual([push["msg"] for push in self.eve.pushes()], ["shown"])
        self.assertNotIn("blocked", self.page()[-1])

    def test_a_change_that_is_not_stored_is_told_to_the_user_alone(self) -> None:
        self.server.store.__class__ = FailingStore
        assert isinstance(self.server.store, FailingStore)
        self.server.store.failing = 1
        self.assertEqual(self.outcome("bob", "edit", self.bobs, msg="lost"), "not_stored")
        self.assertEqual(self.ann.received(), [])
        self.assertEqual(self.message(self.bobs)["msg"], "of bob")


class Repeated(ChangesCase):
    def test_the_same_txn_makes_one_change(self) -> None:
        for cmd, fields, other in (
            ("edit", {"msg": "new"}, {"msg": "newer"}),
            ("react", {"emoji": HEART}, {"emoji": THUMB}),
            ("react", {"emoji": THUMB}, {"emoji": THUMB, "on": False}),
            ("delete", {"reason": "why"}, {"reason": "because"}),
        ):
            txn = f"{cmd} {fields}"
            first = self.change("bob", cmd, self.bobs, txn=txn, **fields)
            again = self.change("bob", cmd, self.bobs, txn=txn, **fields)
            self.assertEqual((again["seq"], again["at"]), (first["seq"], first["at"]), cmd)
            self.assertEqual((first.get("dup"), again["dup"]), (None, True))
            for seq, changed in ((self.bobs, other), (self.anns, fields)):
                reply = self.change("bob", cmd, seq, txn=txn, **changed)
                self.assertEqual(reply["code"], "txn_conflict", (cmd, changed))
        self.assertEqual(len(self.eve.pushes()), 4)

    def test_a_repeated_request_that_changed_nothing_changes_nothing(self) -> None:
        self.change("bob", "edit", self.bobs, msg="of bob", txn="t")
        self.change("bob", "edit", self.bobs, msg="new")
        again = self.change("bob", "edit", self.bobs, msg="of bob", txn="t")
        self.assertEqual((again.get("seq"), again["dup"]), (None, True))
        self.assertEqual(self.message(self.bobs)["msg"], "new")

    def test_a_txn_belongs_to_one_reply_and_style(self) -> None:
        self.bob.call("speak", room_name="r", msg="x", txn="t")
        for fields in ({"reply": self.anns}, {"style": "action"}):
            reply = self.bob.call("speak", room_name="r", msg="x", txn="t", **fields)
            self.assertEqual(reply.get("code"), "txn_conflict", fields)


class Limited(ChangesCase):
    def test_a_message_has_reactions_with_twenty_emoji(self) -> None:
        for emoji in MANY[:10]:
            self.change("bob", "react", self.anns, emoji=emoji)
        for emoji in MANY[10:20]:
            self.change("eve", "react", self.anns, emoji=emoji)
        self.assertEqual(self.outcome("ann", "react", self.anns, emoji=MANY[20]), "too_many")
        self.assertEqual(self.outcome("ann", "react", self.anns, emoji=MANY[0]), "stored")

    def test_a_user_changes_reactions_to_a_message_twenty_times(self) -> None:
        for number in range(20):
            code = self.outcome("bob", "react", self.anns, emoji=HEART, on=number % 2 == 0)
            self.assertEqual(code, "stored")
        self.assertEqual(self.outcome("bob", "react", self.anns, emoji=THUMB), "too_many")
        self.assertEqual(self.outcome("bob", "react", self.bobs, emoji=HEART), "stored")
        self.assertEqual(self.outcome("eve", "react", self.anns, emoji=HEART), "stored")

    def test_a_room_has_fifty_pinned_messages(self) -> None:
        seqs = [self.bob.call("speak", room_name="r", msg="x")["seq"] for _ in range(51)]
        codes = [self.outcome("ann", "pin", seq) for seq in seqs]
        self.assertEqual(codes, ["stored"] * 50 + ["too_many"])
        self.assertEqual(self.outcome("ann", "pin", seqs[0]), "same")
        self.change("ann", "delete", seqs[0])
        self.assertEqual(self.outcome("ann", "pin", seqs[50]), "stored")

    def test_texts_of_edits_count_against_the_quota(self) -> None:
        server = TestServer(Limits(commands_per_second=0, daily_bytes_account=200))
        ann = server.member("ann")
        ann.call("create_room", room_name="r")
        seq = ann.call("speak", room_name="r", msg="x" * 10)["seq"]
        for text, code in (
            ("y" * 60, None),
            ("y" * 60, None),  # changes nothing, and is free
            ("z" * 120, None),
            ("y" * 60, "over_quota"),
        ):
            reply = ann.call("edit", room_name="r", seq=seq, msg=text)
            self.assertEqual(reply.get("code"), code, text)


class Unlimited(ChangesCase):
    options: dict[str, Any] = {
        "limits": Limits(
            commands_per_second=0,
            edit_window=0,
            reactions_per_minute=0,
            reactions_per_message=0,
            reaction_changes=0,
            pins_per_room=0,
        )
    }

    def test_zero_is_no_limit(self) -> None:
        for emoji in MANY:
            self.assertEqual(self.outcome("bob", "react", self.anns, emoji=emoji), "stored")
        seqs = [self.bob.call("speak", room_name="r", msg="x")["seq"] for _ in range(51)]
        self.assertEqual({self.outcome("ann", "pin", seq) for seq in seqs}, {"stored"})
        self.server.clock.advance(10**6)
        self.assertEqual(self.outcome("bob", "edit", self.bobs, msg="late"), "stored")


class Rate(RoomTestCase):
    def test_a_user_reacts_thirty_times_a_minute(self) -> None:
        seqs = [self.ann.call("speak", room_name="r", msg="x")["seq"] for _ in range(31)]
        react = {"room_name": "r", "emoji": HEART}
        codes = [self.bob.call("react", seq=seq, **react).get("code") for seq in seqs]
        self.assertEqual(codes, [None] * 30 + ["rate_limited"])
        wait = self.bob.call("react", seq=seqs[30], **react)["retry_after"]
        self.assertEqual(self.eve.call("react", seq=seqs[30], **react)["status"], "ok")
        self.server.clock.advance(wait)
        self.assertEqual(self.bob.call("react", seq=seqs[30], **react)["status"], "ok")


class Versions(ChangesCase):
    options: dict[str, Any] = {**ChangesCase.options, "keep_versions": True}

    def texts(self, who: str) -> list[tuple[int, str]]:
        reply = self.change(who, "versions", self.bobs)
        return [(one["seq"], one["msg"]) for one in reply["versions"]]

    def test_author_and_owner_read_the_earlier_texts(self) -> None:
        self.server.clock.advance(60)
        edits = [self.change("bob", "edit", self.bobs, msg=msg)["seq"] for msg in ("b", "c")]
        expected = [(self.bobs, "of bob"), (edits[0], "b"), (edits[1], "c")]
        self.assertEqual(self.texts("bob"), expected)
        self.assertEqual(self.texts("ann"), expected)
        times = [one["at"] for one in self.change("bob", "versions", self.bobs)["versions"]]
        self.assertEqual([time[11:19] for time in times], ["08:00:00", "08:01:00", "08:01:00"])
        self.assertEqual(self.change("eve", "versions", self.bobs)["code"], "not_author")
        self.assertEqual(self.change("out", "versions", self.bobs)["code"], "not_in_room")
        self.assertEqual(self.change("bob", "versions", 1)["code"], "no_such_message")

    def test_a_message_that_was_not_edited_has_one_text(self) -> None:
        self.assertEqual(self.texts("bob"), [(self.bobs, "of bob")])

    def test_deleting_deletes_the_earlier_texts(self) -> None:
        self.change("bob", "edit", self.bobs, msg="b")
        self.change("bob", "delete", self.bobs)
        self.assertEqual(self.change("bob", "versions", self.bobs)["code"], "deleted")

    def test_the_feature_is_listed_where_versions_are_kept(self) -> None:
        self.assertIn("versions", self.bob.call("hello")["features"])
        self.assertNotIn("versions", TestServer().connect().call("hello")["features"])


class Operator(ChangesCase):
    def test_the_operator_may_delete_in_the_lobby(self) -> None:
        host = RecordingConnection()
        login = self.server.chat.logins.login_host(RecordingEncoder(), host)
        started = Deferred.fromCoroutine(login)
        self.server.run_pending()
        session = self.successResultOf(started)
        seq = self.bob.call("speak", room_name="lobby", msg="x")["seq"]
        self.ann.received()
        done = Deferred.fromCoroutine(self.server.chat.changes.delete(session, "lobby", seq))
        self.server.run_pending()
        self.assertEqual(self.successResultOf(done).seq, seq + 1)
        self.assertEqual(self.ann.pushes("deleted")[0]["by"], "Host")


class Emoji(SynchronousTestCase):
    def test_a_long_text_is_not_looked_up(self) -> None:
        class Unhashable(str):
            __hash__ = None  # type: ignore[assignment]

        self.assertRaises(BadRequest, require_emoji, Unhashable("x" * 100))
        longest = max(map(len, EMOJI_DATA))
        self.assertRaises(TypeError, require_emoji, Unhashable("x" * longest))

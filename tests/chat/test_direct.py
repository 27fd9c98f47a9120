"""Direct conversations: rooms of two, by the JSON API."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.conversations import DirectTarget
from gtchat.chat.errors import NotStored, SelfTarget
from gtchat.chat.events import Edited
from gtchat.chat.limits import Limits
from gtchat.chat.pending_delivery import PendingDelivery
from tests.fakes import FakeClient, TestServer

PASSWORD = "password"


class DirectCase(SynchronousTestCase):
    """Ann and Bob are registered, and their clients mark what was read."""

    def setUp(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0))
        self.ann, self.bob = self.login("ann"), self.login("bob")

    def login(self, name: str, marks_read: bool = True) -> FakeClient:
        """Log a user in with an account, which is created if there is none."""
        client = self.server.connect()
        client.call("register", usr=name, pwd=PASSWORD)
        self.reply = client.call("login", type="reg", usr=name, pwd=PASSWORD, marks_read=marks_read)
        client.received()
        return client

    def whisper(self, msg: str, sender: FakeClient | None = None, to: str = "bob") -> Any:
        return (sender or self.ann).call("whisper", target_user=to, msg=msg)

    def code(self, client: FakeClient, cmd: str, **fields: Any) -> str | None:
        code: str | None = client.call(cmd, **fields).get("code")
        return code

    def entries(self, client: FakeClient, **fields: Any) -> list[Any]:
        found: list[Any] = client.call("history", **fields)["entries"]
        return found

    def directs(self, client: FakeClient) -> list[Any]:
        found: list[Any] = client.call("get_direct_list")["directs"]
        return found


class Messages(DirectCase):
    def test_first_message_is_seq_1_of_one_log_for_both(self) -> None:
        self.assertEqual(self.whisper("hello")["seq"], 1)
        self.assertEqual(self.whisper("hi", self.bob, "ann")["seq"], 2)
        for client, other in ((self.ann, "bob"), (self.bob, "ann")):
            found = self.entries(client, target_user=other)
            self.assertEqual(
                [(one["cmd"], one["seq"], one["usr"], one["to"], one["msg"]) for one in found],
                [
                    ("c_whisper", 1, "ann", "bob", "hello"),
                    ("c_whisper", 2, "bob", "ann", "hi"),
                ],
            )

    def test_a_push_has_no_receiver_and_its_number(self) -> None:
        self.whisper("hello")
        [push] = self.bob.pushes("c_whisper")
        self.assertEqual((push["seq"], "to" in push), (1, False))

    def test_a_message_can_be_spoken_by_name_or_by_id(self) -> None:
        first = self.ann.call("speak", target_user="bob", msg="a")
        direct = self.directs(self.bob)[0]["id"]
        reply = self.bob.call("speak", direct=direct, msg="b", reply=1, style="action", txn="t")
        self.assertEqual((first["seq"], reply["seq"]), (1, 2))
        again = self.bob.call("speak", direct=direct, msg="b", reply=1, style="action", txn="t")
        self.assertEqual((again["seq"], again["dup"]), (2, True))
        [push] = self.ann.pushes("c_whisper")
        self.assertEqual((push["reply"], push["style"]), ({"seq": 1, "usr": "ann"}, "action"))

    def test_a_request_names_one_place(self) -> None:
        self.whisper("a")
        direct = self.directs(self.ann)[0]["id"]
        for cmd, fields in (
            ("speak", {"msg": "x"}),
            ("edit", {"msg": "x", "seq": 1}),
            ("history", {}),
            ("mark_read", {"seq": 1}),
            ("mark_unread", {"seq": 1}),
            ("set_notify", {"level": "none"}),
            ("typing", {}),
        ):
            for places in (
                {},
                {"room_name": "lobby", "target_user": "bob"},
                {"room_name": "lobby", "direct": direct},
                {"target_user": "bob", "direct": direct},
            ):
                self.assertEqual(self.code(self.ann, cmd, **fields, **places), "bad_request", cmd)

    def test_others_find_no_conversation_by_its_id(self) -> None:  # F25
        self.whisper("a")
        direct, cid = self.directs(self.ann)[0]["id"], self.login("cid")
        for cmd, fields in (
            ("speak", {"msg": "x"}),
            ("edit", {"msg": "x", "seq": 1}),
            ("delete", {"seq": 1}),
            ("react", {"seq": 1, "emoji": "\U0001f44d"}),
            ("pin", {"seq": 1}),
            ("history", {}),
            ("mark_read", {"seq": 1}),
            ("mark_unread", {"seq": 1}),
            ("set_notify", {"level": "none"}),
            ("typing", {}),
        ):
            self.assertEqual(self.code(cid, cmd, direct=direct, **fields), "no_such_room", cmd)
        self.assertEqual(self.directs(cid), [])

    def test_a_conversation_that_has_not_begun_is_empty(self) -> None:
        self.assertEqual(self.entries(self.ann, target_user="bob"), [])
        self.assertEqual(
            self.code(self.ann, "edit", target_user="bob", seq=1, msg="x"), "no_such_message"
        )
        self.assertIsNone(self.code(self.ann, "mark_read", target_user="bob", seq=0))
        self.assertIsNone(self.code(self.ann, "typing", target_user="bob"))
        for cmd, fields, code in (
            ("mark_unread", {"seq": 1}, "bad_request"),
            ("set_notify", {"level": "none"}, "no_such_message"),
        ):
            self.assertEqual(self.code(self.ann, cmd, target_user="bob", **fields), code)
        self.assertEqual(
            self.code(self.ann, "speak", target_user="bob", msg="x", reply=1), "no_such_message"
        )

    def test_notes_to_self_are_a_conversation(self) -> None:
        self.assertEqual(self.whisper("note", to="ann")["delivered"], "stored")
        [note] = self.entries(self.ann, target_user="ann")
        self.assertEqual((note["usr"], note["to"]), ("ann", "ann"))
        self.assertEqual(self.directs(self.ann)[0]["unread"], 0)
        self.ann.call("edit", target_user="ann", seq=1, msg="another")
        [push] = self.ann.pushes()
        self.assertEqual((push["type"], push["target_user"]), ("edited", "ann"))


class Changes(DirectCase):
    def setUp(self) -> None:
        super().setUp()
        self.whisper("hello")
        self.bob.received()

    def test_changes_are_pushed_to_both_with_the_other_user(self) -> None:
        for sender, cmd, fields, kind in (
            (self.ann, "edit", {"msg": "hullo"}, "edited"),
            (self.bob, "react", {"emoji": "\U0001f44d"}, "reacted"),
            (self.ann, "delete", {"reason": "typo"}, "deleted"),
        ):
            other = "bob" if sender is self.ann else "ann"
            self.assertIsNone(self.code(sender, cmd, target_user=other, seq=1, **fields), cmd)
            for client, name in ((self.ann, "bob"), (self.bob, "ann")):
                [push] = client.pushes()
                self.assertEqual((push["type"], push["target_user"], push["of"]), (kind, name, 1))
                self.assertNotIn("room_name", push)
        [message, *_] = self.entries(self.bob, target_user="ann")
        self.assertEqual(message["deleted"], {"by": "ann", "reason": "typo"})

    def test_history_has_the_message_as_it_is(self) -> None:
        self.ann.call("edit", target_user="bob", seq=1, msg="hullo")
        self.bob.call("react", target_user="ann", seq=1, emoji="\U0001f44d")
        [found] = self.entries(self.bob, target_user="ann")
        self.assertEqual((found["msg"], found["edited"], found["changed"]), ("hullo", True, 3))
        self.assertEqual(found["reactions"][0]["me"], True)
        kinds = self.entries(self.bob, target_user="ann", kinds=["edited", "c_whisper"])
        self.assertEqual(
            [one.get("target_user", one["cmd"]) for one in kinds], ["c_whisper", "ann"]
        )

    def test_only_the_author_changes_a_message_and_neither_user_moderates(self) -> None:
        self.assertEqual(
            self.code(self.bob, "edit", target_user="ann", seq=1, msg="x"), "not_author"
        )
        self.assertEqual(self.code(self.bob, "delete", target_user="ann", seq=1), "not_author")
        for client, other in ((self.ann, "bob"), (self.bob, "ann")):
            self.assertEqual(self.code(client, "pin", target_user=other, seq=1), "not_owner")

    def test_a_user_who_is_blocked_writes_and_changes_nothing(self) -> None:
        self.bob.call("block", user="ann")
        for cmd, fields in (
            ("whisper", {"msg": "x"}),
            ("speak", {"msg": "x"}),
            ("edit", {"msg": "x", "seq": 1}),
            ("react", {"seq": 1, "emoji": "\U0001f44d"}),
            ("typing", {}),
        ):
            self.assertEqual(self.code(self.ann, cmd, target_user="bob", **fields), "blocked", cmd)
        direct = self.directs(self.ann)[0]["id"]
        self.assertEqual(self.code(self.ann, "speak", direct=direct, msg="x"), "blocked")

    def test_an_author_who_is_blocked_can_delete(self) -> None:
        self.bob.call("block", user="ann")
        delete = {"target_user": "bob", "seq": 1}
        self.assertEqual(self.code(self.ann, "delete", reason="read me", **delete), "blocked")
        self.assertIsNone(self.code(self.ann, "delete", **delete))
        self.assertEqual([push["type"] for push in self.bob.pushes()], ["deleted"])

    def test_what_a_blocked_user_said_is_marked_and_not_unread(self) -> None:
        self.bob.call("block", user="ann")
        self.assertEqual(self.entries(self.bob, target_user="ann")[0]["blocked"], True)
        self.assertEqual(self.directs(self.bob)[0]["unread"], 0)

    def test_typing_reaches_the_other_user(self) -> None:
        self.ann.call("typing", target_user="bob")
        [push] = self.bob.pushes()
        self.assertEqual((push["type"], push["usr"], push["target_user"]), ("typing", "ann", "ann"))
        self.assertEqual(self.code(self.ann, "typing", target_user="bob"), "rate_limited")
        self.assertEqual(self.ann.pushes(), [])
        self.bob.call("logout")
        self.server.clock.advance(10)
        self.assertIsNone(self.code(self.ann, "typing", target_user="bob"))


class Lists(DirectCase):
    def test_a_login_lists_conversations_newest_first(self) -> None:
        self.whisper("a")
        self.whisper("b", to="cid") if self.login("cid") else None
        self.bob.drop()
        self.ann.drop()
        self.login("ann")
        listed = self.reply["directs"]
        self.assertEqual([one["usr"] for one in listed], ["cid", "bob"])
        self.login("bob")
        [direct] = self.reply["directs"]
        self.assertEqual(
            {name: direct[name] for name in ("usr", "last_seq", "read_seq", "unread")},
            {"usr": "ann", "last_seq": 1, "read_seq": 0, "unread": 1},
        )

    def test_pages_follow_each_other(self) -> None:
        names = [f"user{n}" for n in range(5)]
        for name in names:
            self.login(name)
            self.whisper("x", to=name)
        found, before = [], None
        while True:
            page = self.ann.call(
                "get_direct_list", limit=2, **({} if before is None else {"before": before})
            )
            found += [one["usr"] for one in page["directs"]]
            before = page.get("next")
            if before is None:
                break
        self.assertEqual(found, names[::-1])
        for fields in (
            {"before": "no cursor"},
            {"before": "1f"},
            {"before": "f" * 40},
            {"limit": 0},
        ):
            self.assertEqual(self.code(self.ann, "get_direct_list", **fields), "bad_request")

    def test_reading_is_told_to_other_sessions_and_counted(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0), sessions="share")
        self.ann, self.bob = self.login("ann"), self.login("bob")
        other = self.login("bob")
        for text in "ab":
            self.whisper(text)
        other.received()
        self.bob.call("mark_read", target_user="ann", seq=1)
        self.bob.call("mark_read", target_user="ann", seq=1)
        [push] = other.pushes()
        self.assertEqual(
            (push["type"], push["target_user"], push["read_seq"]), ("marked_read", "ann", 1)
        )
        [direct] = self.directs(self.bob)
        self.assertEqual((direct["unread"], direct["read_seq"]), (1, 1))
        self.assertEqual(self.code(self.bob, "mark_read", target_user="ann", seq=9), "bad_request")

    def test_a_mark_is_set_back_and_told_to_other_sessions(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0), sessions="share")
        self.ann, self.bob = self.login("ann"), self.login("bob")
        other = self.login("bob")
        for text in "abc":
            self.whisper(text)
        self.bob.call("mark_read", target_user="ann", seq=3)
        other.received(), self.ann.received()
        for seq, pushed in ((2, [1]), (3, [])):
            reply = self.bob.call("mark_unread", target_user="ann", seq=seq)
            self.assertEqual(reply["read_seq"], 1)
            pushes = other.pushes()
            self.assertEqual([one["seq"] for one in pushes], pushed)
            self.assertTrue(all(one["target_user"] == "ann" for one in pushes))
        [direct] = self.directs(self.bob)
        self.assertEqual((direct["unread"], direct["read_seq"]), (2, 1))
        self.assertEqual(self.ann.pushes(), [])
        for seq in (0, 4):
            code = self.code(self.bob, "mark_unread", direct=direct["id"], seq=seq)
            self.assertEqual(code, "bad_request")

    def test_a_level_is_kept_and_told(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0), sessions="share")
        self.ann, self.bob = self.login("ann"), self.login("bob")
        other = self.login("bob")
        self.whisper("a")
        direct = self.directs(self.bob)[0]["id"]
        self.bob.received()
        for level, told in (("none", "none"), ("mentions", "mentions"), ("all", None)):
            for place, is_new in (({"target_user": "ann"}, True), ({"direct": direct}, False)):
                other.received()
                self.assertIsNone(self.code(self.bob, "set_notify", level=level, **place))
                self.assertEqual(self.directs(self.bob)[0].get("notify"), told)
                pushes = [(one["target_user"], one["level"]) for one in other.pushes()]
                self.assertEqual(pushes, [("ann", level)] if is_new else [])
            self.login("bob")
            self.assertEqual(self.reply["directs"][0].get("notify"), told)
        self.assertEqual((self.bob.pushes(), self.ann.pushes()), ([], []))
        self.assertNotIn("notify", self.directs(self.ann)[0])
        code = self.code(self.bob, "set_notify", direct=direct, level="some")
        self.assertEqual(code, "bad_request")

    def test_mentions_are_counted_and_listed_among_those_of_rooms(self) -> None:
        self.ann.call("speak", room_name="lobby", msg="@bob in the lobby")
        self.whisper("@bob")
        self.whisper("@ann @cid @room")
        self.whisper("hi")
        self.assertEqual(
            [(one["unread"], one.get("mentions")) for one in self.directs(self.bob)], [(3, 1)]
        )
        self.bob = self.login("bob")
        self.assertEqual(self.reply["directs"][0]["mentions"], 1)
        found = self.bob.call("get_mentions")["entries"]
        self.assertEqual(
            [(one["cmd"], one.get("to"), one["seq"], one["msg"]) for one in found],
            [("c_whisper", "bob", 1, "@bob"), ("c_speak", None, 1, "@bob in the lobby")],
        )
        self.bob.call("mark_read", target_user="ann", seq=1)
        self.assertNotIn("mentions", self.directs(self.bob)[0])
        self.assertEqual(len(self.bob.call("get_mentions")["entries"]), 2)
        self.ann.call("delete", target_user="bob", seq=1)
        self.assertEqual(len(self.bob.call("get_mentions")["entries"]), 1)
        self.assertEqual(self.ann.call("get_mentions")["entries"], [])

    def test_other_sessions_of_the_sender_get_the_message_with_its_receiver(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0), sessions="share")
        self.ann, self.bob = self.login("ann"), self.login("bob")
        other = self.login("ann")
        self.whisper("a")
        [push] = other.pushes("c_whisper")
        self.assertEqual((push["usr"], push["to"], push["seq"]), ("ann", "bob", 1))
        self.assertEqual(self.ann.pushes(), [])

    def test_the_conversation_with_a_guest_who_ended_is_read_by_its_id(self) -> None:  # D31
        gus = self.server.guest("gus")
        self.whisper("a", gus, "ann")
        [direct] = self.directs(self.ann)
        self.assertEqual((direct["usr"], direct["guest"], "ended" in direct), ("gus", True, False))
        gus.call("logout")
        [direct] = self.directs(self.ann)
        self.assertEqual((direct["usr"], direct["guest"], direct["ended"]), ("gus", True, True))
        self.assertEqual(self.code(self.ann, "history", target_user="gus"), "no_such_user")
        new = self.server.guest("gus")
        self.assertEqual(self.entries(new, target_user="ann"), [])
        self.assertEqual(self.entries(self.ann, target_user="gus"), [])
        self.assertEqual([one["msg"] for one in self.entries(self.ann, direct=direct["id"])], ["a"])
        for cmd, fields in (
            ("speak", {"msg": "x"}),
            ("delete", {"seq": 1}),
            ("react", {"seq": 1, "emoji": "\U0001f44d"}),
            ("typing", {}),
        ):
            self.assertEqual(
                self.code(self.ann, cmd, direct=direct["id"], **fields), "not_allowed", cmd
            )
        self.assertIsNone(self.code(self.ann, "mark_read", direct=direct["id"], seq=1))

    def test_what_is_set_of_the_conversation_with_a_user_who_ended_names_no_other_user(
        self,
    ) -> None:
        self.server = TestServer(Limits(commands_per_second=0), sessions="share")
        self.ann, gus = self.login("ann"), self.server.guest("gus")
        self.whisper("a", gus, "ann")
        direct = self.directs(self.ann)[0]["id"]
        gus.call("logout")
        self.server.guest("gus")
        other = self.login("ann")
        for cmd, fields in (
            ("mark_read", {"seq": 1}),
            ("mark_unread", {"seq": 1}),
            ("set_notify", {"level": "none"}),
        ):
            self.assertIsNone(self.code(self.ann, cmd, direct=direct, **fields))
            [push] = [one for one in other.pushes() if one["type"] in ("marked_read", "notify")]
            places = {"room_name", "target_user", "direct"} & push.keys()
            self.assertEqual((places, push["direct"]), ({"direct"}, direct), cmd)


class Resume(DirectCase):
    def resume(self, client: FakeClient, token: str, **fields: Any) -> Any:
        client.drop()
        new = self.server.connect()
        self.pushed = new
        return new.call(
            "resume", session_id=token, epoch=self.server.chat.epoch, marks_read=True, **fields
        )

    def test_a_client_gets_what_it_missed_of_the_conversations_that_it_names(self) -> None:  # F25
        self.whisper("a")
        bob = self.login("bob")
        token, direct = self.reply["session_id"], self.reply["directs"][0]["id"]
        bob.drop()
        self.whisper("b")
        self.ann.call("edit", target_user="bob", seq=2, msg="c")
        lobby = self.server.chat.rooms.lobby.id
        reply = self.resume(bob, token, seen_directs={direct: 1, 9_999: 1, lobby: 0, -1: 2})
        found = {one["direct"]: one for one in reply["resumed"] if "direct" in one}
        self.assertEqual(found.keys(), {direct, 9_999})
        mine = found[direct]
        self.assertEqual(
            (mine["target_user"], mine["state"], mine["last_seq"]), ("ann", "resumed", 3)
        )
        self.assertEqual(
            [(one["cmd"], one.get("to", one.get("target_user"))) for one in mine["entries"]],
            [("c_whisper", "bob"), ("c_event", "ann")],
        )
        unknown = found[9_999]
        self.assertEqual(
            (unknown["state"], unknown["reason"], unknown["entries"]), ("reset", "unknown", [])
        )
        self.assertEqual(reply["directs"][0]["last_seq"], 3)

    def test_a_client_that_names_none_is_told_of_none(self) -> None:
        self.whisper("a")
        bob = self.login("bob")
        token = self.reply["session_id"]
        reply = self.resume(bob, token)
        self.assertEqual([one for one in reply["resumed"] if "direct" in one], [])

    def test_what_a_blocked_user_wrote_is_left_out(self) -> None:
        self.whisper("a")
        bob = self.login("bob")
        token, direct = self.reply["session_id"], self.reply["directs"][0]["id"]
        self.whisper("b")
        bob.call("block", user="ann")
        reply = self.resume(bob, token, seen_directs={direct: 0})
        [mine] = [one for one in reply["resumed"] if "direct" in one]
        self.assertEqual(mine["entries"], [])


class Delivery(DirectCase):
    """Which clients are sent what waits, and when it has arrived."""

    def waiting(self) -> list[str]:
        """Log bob in with a client that does not show conversations; return what it is sent."""
        self.bob.drop()
        self.bob = self.server.connect()
        self.bob.login("bob", pwd=PASSWORD)
        return [push["msg"] for push in self.bob.pushes("c_whisper")]

    def test_clients_that_mark_what_was_read_are_not_sent_stored_messages(self) -> None:
        self.bob.drop()
        self.whisper("a")
        self.bob = self.login("bob")
        self.assertEqual(self.bob.pushes("c_whisper"), [])
        self.assertEqual(self.waiting(), ["a"])

    def test_what_such_a_client_was_told_of_has_arrived_with_its_pong(self) -> None:
        for tell in (False, True):  # by the reply to the login, by the list
            self.bob.drop()
            self.whisper("a")
            self.bob = self.login("bob")
            if tell:
                self.directs(self.bob)
            self.bob.ping()
            self.assertEqual(self.waiting(), [])
            self.bob.ping()

    def test_a_client_is_told_of_the_conversations_that_its_reply_has_space_for(self) -> None:
        self.bob.drop()
        self.whisper("a")
        self.whisper("b", self.login("cid"))
        with patch("gtchat.protocols.gtchat_json.sessions.NAMES_BYTES", 1):
            self.bob = self.login("bob")
        self.assertEqual([one["usr"] for one in self.reply["directs"]], ["cid"])
        self.bob.ping()
        self.assertEqual(self.waiting(), ["a"])

    def test_any_confirmed_session_moves_the_mark(self) -> None:
        self.bob.drop()
        self.whisper("a")
        self.bob = self.login("bob")
        self.whisper("b")
        self.bob.ping()
        self.assertEqual(self.waiting(), [])

    def test_what_has_arrived_at_a_client_that_marks_nothing_is_read(self) -> None:
        self.assertEqual(self.waiting(), [])
        self.whisper("a")
        self.assertEqual(self.directs(self.bob)[0]["unread"], 1)
        self.bob.ping()
        self.assertEqual(self.directs(self.bob)[0]["unread"], 0)

    def test_what_a_blocked_user_wrote_is_not_delivered(self) -> None:
        self.bob.drop()
        self.whisper("a")
        self.bob = self.login("bob")
        self.bob.call("block", user="ann")
        self.assertEqual(self.waiting(), [])
        self.bob.call("unblock", user="ann")
        self.assertEqual(self.waiting(), ["a"])

    def test_what_waits_is_sent_to_a_session_once(self) -> None:
        self.bob.drop()
        self.whisper("a")
        self.assertEqual(self.waiting(), ["a"])
        session = self.bob.api.session
        assert session is not None
        session.pending = PendingDelivery()
        again = Deferred.fromCoroutine(self.server.chat.whispers.deliver_pending(session))
        self.server.run_pending()
        self.successResultOf(again)
        self.assertEqual(self.bob.pushes("c_whisper"), [])

    def test_what_can_not_be_read_at_the_login_is_not_passed_by_later_messages(self) -> None:  # F26
        self.bob.drop()
        self.whisper("a")
        with patch.object(self.server.store, "whispers", lambda *_: fail(NotStored())):
            self.assertEqual(self.waiting(), [])
        self.whisper("b")
        self.assertEqual([push["msg"] for push in self.bob.pushes("c_whisper")], ["b"])
        self.bob.ping()
        self.assertEqual(self.waiting(), ["a"])

    def test_what_was_hidden_at_the_login_is_not_passed_by_later_messages(self) -> None:
        self.bob.drop()
        self.whisper("a")
        self.bob = self.login("bob")
        self.bob.call("block", user="ann")
        self.assertEqual(self.waiting(), [])
        self.bob.call("unblock", user="ann")
        self.whisper("b")
        self.assertEqual([push["msg"] for push in self.bob.pushes("c_whisper")], ["b"])
        self.bob.ping()
        self.assertEqual(self.waiting(), ["a"])

    def test_protocols_decide_whether_users_write_to_themselves(self) -> None:
        session = self.ann.api.session
        assert session is not None
        sending = self.server.chat.whispers.send(session, DirectTarget("ann"), "x", None)
        result = Deferred.fromCoroutine(sending)
        self.server.run_pending()
        self.failureResultOf(result, SelfTarget)

    def test_a_user_who_blocks_meanwhile_gets_no_change(self) -> None:
        self.whisper("a")
        session = self.ann.api.session
        assert session is not None
        finding = self.server.chat.conversations.find(DirectTarget("bob"), session.user)
        found = Deferred.fromCoroutine(finding)
        self.server.run_pending()
        edit = Edited(room_name="", usr="ann", at=1, seq=2, of=1, msg="b")
        self.bob.received()
        self.successResultOf(found).publish(edit, [self.bob.api])
        self.assertEqual((len(self.ann.pushes()), self.bob.pushes()), (1, []))

    def test_a_conversation_that_has_not_begun_has_no_versions(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0), keep_versions=True)
        self.ann, self.bob = self.login("ann"), self.login("bob")
        versions = {"cmd": "versions", "target_user": "bob", "seq": 1}
        self.assertEqual(self.code(self.ann, **versions), "no_such_message")
        self.whisper("a")
        self.assertIsNone(self.code(self.ann, **versions))

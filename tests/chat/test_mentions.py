"""Mentions: which names a text has, and what users are told of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import BadName
from gtchat.chat.limits import Limits
from gtchat.chat.mentions import MAX_LOOKUPS, find_mentions, mentioned_names, possible_names
from gtchat.chat.names import fold_user, user_key
from tests.chat.test_messages import RoomTestCase
from tests.chat.test_unread import UnreadTestCase

MEMBERS = {"ann": 1, "ann-marie": 2, "ann.b": 3, "小明": 4, "bob": 5, "ας": 6, "é": 7, "room2": 8}
AUTHOR = 99


def found(text: str, owner: bool = False, limit: int = 0, author: int = AUTHOR) -> list[Any]:
    return find_mentions(text, author, MEMBERS.get, lambda: owner, limit)


class Names(SynchronousTestCase):
    def test_the_longest_name_of_a_member_counts(self) -> None:
        for text, expected in (
            ("@ann", [1]),
            ("hello (@Ann), @BOB!", [1, 5]),
            ("@ann-marie and @ann-mar", [2, 1]),
            ("@ann.b. @ann.", [3, 1]),
            ("@annabel @ann2 @ann_", []),
            ("@@ann", [1]),
            ("ann@ann.b x@bob é@bob", []),
            ("@小明你好", [4]),
            ("你好@小明", []),
            ("@ＡＮＮ @ΑΣ @E\u0301x", [1, 6]),
            ("@é", [7]),
            ("@e\u0301", [7]),
            ("@ann\u0301", []),
            ("@小\u0301", []),
            ("@", []),
            ("@ ann", []),
            ("@dan @ann @ann", [1]),
            ("@room2", [8]),
        ):
            self.assertEqual(found(text), expected, text)

    def test_code_mentions_no_user(self) -> None:
        for text, expected in (
            ("`@ann` @bob", [5]),
            ("`` ` @ann `` @bob", [5]),
            ("` @ann", [1]),
            ("`` @ann ` @bob", [1, 5]),
            ("`a` @ann `@bob`", [1]),
            ("`\n\n@ann`", [1]),
            ("```\n@ann\n```\n@bob", [5]),
            ("~~~~\n@ann\n~~~\n@ann\n~~~~\n@bob", [5]),
            ("```py\n@ann", []),
            ("> ```\n> @ann\n> ```\n> @bob", [5]),
            ("> @ann `", [1]),
        ):
            self.assertEqual(found(text), expected, text)

    def test_the_word_room_mentions_all_if_the_author_may(self) -> None:
        self.assertEqual(found("@room @Room @ann", owner=True), [None, 1])
        self.assertEqual(found("@room @rooms @ann"), [1])
        self.assertEqual(found("@room.", owner=True), [None])

    def test_authors_do_not_mention_themselves(self) -> None:
        self.assertEqual(found("@ann @bob", author=1), [5])

    def test_the_limit_counts_users(self) -> None:
        self.assertEqual(found("@bob @bob @ann @é", limit=2), [5, 1])

    def test_only_so_many_names_are_looked_up(self) -> None:
        strangers = " ".join(f"@x{number}" for number in range(MAX_LOOKUPS - 1))
        self.assertEqual(found(f"{strangers} @ann"), [1])
        self.assertEqual(found(f"{strangers} @y @ann"), [])

    @settings(max_examples=300, deadline=None)
    @given(st.text(min_size=1, max_size=8))
    def test_a_part_of_a_text_is_compared_as_a_name_is(self, name: str) -> None:
        try:
            key = user_key(name)
        except BadName:
            return
        self.assertEqual(fold_user(name), key)

    @settings(max_examples=300, deadline=None)
    @given(
        st.sets(st.text("ab-.", min_size=1, max_size=4), max_size=8),
        st.text("ab-. @", max_size=20),
    )
    def test_it_is_the_longest_match_at_each_sign(self, names: set[str], text: str) -> None:
        members = {name: number for number, name in enumerate(sorted(names))}
        expected: dict[int, None] = {}
        for at, sign in enumerate(text):
            if sign != "@" or text[:at][-1:] in ("a", "b"):
                continue
            rest = text[at + 1 :]
            fitting = [
                name
                for name in names
                if rest.startswith(name) and rest[len(name) :][:1] not in ("a", "b")
            ]
            if fitting:
                expected[members[max(fitting, key=len)]] = None
        self.assertEqual(find_mentions(text, None, members.get, bool, 0), list(expected))

    @settings(max_examples=300, deadline=None)
    @given(st.text("@@@abAZ1_ ,", max_size=60) | st.text("@@@abAZ1_ .-`é日", max_size=30))
    def test_names_are_the_same_all_at_once(self, text: str) -> None:
        expected = {name for names in mentioned_names(text) for name in names}
        self.assertEqual(possible_names(text), expected)

    def test_a_sign_behind_a_long_name_begins_another(self) -> None:
        for text in ("@" + "a" * 33, "@a-b.c@d @é-ü", "@.a-", "@-", "x@a", "@@a"):
            expected = {name for names in mentioned_names(text) for name in names}
            self.assertEqual(possible_names(text), expected, text)

    def test_a_name_that_is_repeated_is_one_of_them(self) -> None:
        for sign in ("", "."):
            self.assertEqual(possible_names("@x " * MAX_LOOKUPS + sign + "@ann"), {"x", "ann"})

    @settings(max_examples=200, deadline=None)
    @given(st.text("`~\n> @ab", max_size=60))
    def test_every_name_is_outside_of_code(self, text: str) -> None:
        names = list(mentioned_names(text))
        self.assertLessEqual(len(names), text.count("@"))
        self.assertEqual(list(mentioned_names(f"```\n{text}")) if "```" not in text else [], [])


class Told(UnreadTestCase):
    """What is in lists, in the reply to a login and in `get_mentions`."""

    def room(self, reply: dict[str, Any], name: str = "r") -> dict[str, Any]:
        [room] = (room for room in reply["rooms"] if room["room_name"] == name)
        return room

    def mentions(self, client: Any, **fields: Any) -> tuple[list[str], str | None]:
        reply = client.call("get_mentions", **fields)
        self.assertEqual(reply["more"], "next" in reply)
        return [entry["msg"] for entry in reply["entries"]], reply.get("next")

    def test_lists_tell_of_unread_mentions(self) -> None:
        for text in ("@bob", "x", "@Bob, @room"):
            self.ann.call("speak", room_name="r", msg=text)
        room = self.room(self.bob.call("get_room_list"))
        self.assertEqual((room["unread"], room["mentions"]), (3, 2))
        room = self.room(self.eve.call("get_room_list"))
        self.assertEqual((room["unread"], room["mentions"]), (3, 1))
        self.bob.call("mark_read", room_name="r", seq=6)
        self.assertNotIn("mentions", self.room(self.bob.call("get_room_list")))
        self.ann.call("speak", room_name="lobby", msg="@eve")
        reply = self.log_in("eve", marks_read=True)[1]
        self.assertEqual(self.room(reply, "lobby").get("mentions"), None)  # it was sent

    def test_a_login_and_a_resume_tell_of_them(self) -> None:
        self.bob.drop(clean=True)
        self.ann.call("speak", room_name="r", msg="@bob")
        self.ann.call("speak", room_name="lobby", msg="@bob")
        bob, reply = self.log_in("bob", marks_read=True)
        self.assertEqual([self.room(reply, one)["mentions"] for one in ("r", "lobby")], [1, 1])
        bob.drop()
        fields = {"session_id": reply["session_id"], "epoch": reply["epoch"]}
        reply = self.server.connect().call("resume", **fields, marks_read=True)
        self.assertEqual(self.room(reply)["mentions"], 1)

    def test_edits_and_deletions_change_them(self) -> None:
        self.ann.call("speak", room_name="r", msg="x")
        self.ann.call("edit", room_name="r", seq=4, msg="@bob")
        self.assertEqual(self.mentions(self.bob), (["@bob"], None))
        self.ann.call("delete", room_name="r", seq=4)
        self.assertEqual(self.mentions(self.bob), ([], None))

    def test_those_by_blocked_users_do_not_count(self) -> None:
        self.ann.call("speak", room_name="r", msg="@bob")
        self.bob.call("block", user="ann")
        self.assertEqual(self.mentions(self.bob), ([], None))
        self.assertNotIn("mentions", self.room(self.bob.call("get_room_list")))

    def test_pages_follow_each_other(self) -> None:
        for text in ("@bob 1", "@bob 2", "@bob 3"):
            self.ann.call("speak", room_name="r", msg=text)
        page, after = self.mentions(self.bob, limit=2)
        self.assertEqual(page, ["@bob 3", "@bob 2"])
        self.assertEqual(self.mentions(self.bob, limit=2, before=after), (["@bob 1"], None))

    def test_invalid_requests_are_refused(self) -> None:
        for fields in (
            {"limit": 0},
            {"limit": -1},
            *({"before": one} for one in ("", "x", "AAAAAAAAAAA", "AAAAAAAAAA", "é" * 11)),
            {"before": "_" * 11},
        ):
            reply = self.bob.call("get_mentions", **fields)
            expected = "ok" if fields.get("before") == "AAAAAAAAAAA" else "error"
            self.assertEqual(reply["status"], expected, fields)

    def test_a_room_that_the_user_has_left_is_not_listed(self) -> None:
        self.ann.call("speak", room_name="r", msg="@bob")
        self.assertEqual(self.room(self.bob.call("get_room_list"))["mentions"], 1)
        self.bob.call("leave_room", room_name="r")
        self.assertEqual(self.mentions(self.bob), ([], None))
        assert self.bob.api.session is not None
        self.assertEqual(self.bob.api.session.user.mentions, {})


class Limited(RoomTestCase):
    options = {"limits": Limits(mentions_per_message=1, mentions_per_account=2)}

    def test_the_settings_count(self) -> None:
        for number in range(3):
            self.ann.call("speak", room_name="r", msg=f"@bob @eve {number}")
        for client, count in ((self.bob, 2), (self.eve, 0)):
            self.assertEqual(len(client.call("get_mentions")["entries"]), count)


class Levels(UnreadTestCase):
    """Of which messages users are notified, and marks that are set back."""

    def second(self, name: str) -> Any:
        """Return another session of a user."""
        return self.log_in(name, marks_read=True)[0]

    def level(self, reply: dict[str, Any], name: str = "r") -> str | None:
        [room] = (room for room in reply["rooms"] if room["room_name"] == name)
        return room.get("notify")

    def test_a_level_is_kept_and_told(self) -> None:
        for level, told in (("none", "none"), ("mentions", "mentions"), ("all", None)):
            for room in ("r", "lobby"):
                reply = self.bob.call("set_notify", room_name=room, level=level)
                self.assertEqual(reply["status"], "ok")
                self.assertEqual(self.level(self.bob.call("get_room_list"), room), told)
        self.bob.call("set_notify", room_name="R", level="none")
        self.assertEqual(self.level(self.log_in("bob")[1]), "none")
        self.assertIsNone(self.level(self.ann.call("get_room_list")))

    def test_invalid_levels_are_refused(self) -> None:
        for fields, code in (
            ({"room_name": "r", "level": "some"}, "bad_request"),
            ({"room_name": "nowhere", "level": "all"}, "no_such_room"),
        ):
            self.assertEqual(self.bob.call("set_notify", **fields)["code"], code)
        self.eve.call("leave_room", room_name="r")
        reply = self.eve.call("set_notify", room_name="r", level="none")
        self.assertEqual(reply["code"], "not_in_room")

    def test_a_level_ends_with_the_membership(self) -> None:
        self.bob.call("set_notify", room_name="r", level="none")
        self.bob.call("set_notify", room_name="lobby", level="none")
        self.bob.call("leave_room", room_name="r")
        self.bob.call("join_room", room_name="r")
        self.assertIsNone(self.level(self.bob.call("get_room_list")))
        self.assertEqual(self.level(self.bob.call("get_room_list"), "lobby"), "none")

    def test_a_mark_is_set_back(self) -> None:
        self.say(self.ann, 3)
        self.bob.call("mark_read", room_name="r", seq=6)
        reply = self.bob.call("mark_unread", room_name="R", seq=5)
        self.assertEqual(reply["read_seq"], 4)
        room = next(
            one
            for one in self.bob.call("get_room_list")["rooms"]
            if one["joined"] and one["room_name"] == "r"
        )
        self.assertEqual((room["read_seq"], room["unread"]), (4, 2))
        self.assertEqual(self.bob.call("mark_unread", room_name="r", seq=6)["read_seq"], 4)

    def test_what_the_user_has_said_does_not_read_it_again(self) -> None:
        self.say(self.ann, 2)
        self.say(self.bob)
        self.assertEqual(self.bob.call("mark_unread", room_name="r", seq=5)["read_seq"], 4)
        self.server.clock.advance(10)
        self.server.run_pending()
        room = next(
            one for one in self.bob.call("get_room_list")["rooms"] if one["room_name"] == "r"
        )
        self.assertEqual((room["read_seq"], room["unread"]), (4, 1))

    def test_invalid_marks_are_refused(self) -> None:
        for seq in (0, 4, -1):
            reply = self.bob.call("mark_unread", room_name="r", seq=seq)
            self.assertEqual(reply["code"], "bad_request")


class OtherSessions(UnreadTestCase):
    options = {"sessions": "share"}

    def test_the_other_sessions_of_the_user_are_told(self) -> None:
        self.say(self.ann, 2)
        other, _ = self.log_in("bob", marks_read=True)
        self.bob.received(), self.ann.received()
        for cmd, fields, expected in (
            ("mark_read", {"seq": 5}, {"type": "marked_read", "read_seq": 5}),
            ("mark_unread", {"seq": 5}, {"type": "marked_read", "read_seq": 4}),
            ("mark_unread", {"seq": 5}, None),
            ("set_notify", {"level": "none"}, {"type": "notify", "level": "none"}),
            ("set_notify", {"level": "none"}, None),
        ):
            self.bob.call(cmd, room_name="r", **fields)
            pushes = [
                {key: push[key] for key in push if key in ("type", "read_seq", "level")}
                for push in other.pushes()
            ]
            self.assertEqual(pushes, [expected] if expected else [], cmd)
            self.assertEqual((self.bob.pushes(), self.ann.pushes()), ([], []))

    def test_they_are_told_that_an_invitation_is_declined(self) -> None:
        self.ann.call("create_room", room_name="den", public=False)
        other, _ = self.log_in("bob", marks_read=True)
        for reply, kinds in (("L", []), ("N", ["invitation_ended"]), ("Y", ["join_room"])):
            self.ann.call("invite", room_name="den", invitee="bob")
            other.received()
            self.bob.call("invite_reply", inviter="ann", room_name="den", reply=reply)
            pushes = other.pushes()
            self.assertEqual([push["type"] for push in pushes], kinds)
            if kinds == ["invitation_ended"]:
                self.assertEqual((pushes[0]["usr"], pushes[0]["room_name"]), ("ann", "den"))

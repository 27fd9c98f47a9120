"""Messages on the full screen: changed in their place, replied to, selected, direct ones too."""

from __future__ import annotations

from typing import Any

from tests.client.fakes import AT, spoken, welcome, whisper
from tests.ui.tui.test_window import WindowTestCase

THUMB = "\U0001f44d"


class MessagesTestCase(WindowTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.server.answers["speak"] = {"seq": 3, "id": "lobby-3", "at": AT}
        for cmd in ("edit", "delete", "react"):
            self.server.answers[cmd] = {"seq": 99, "at": AT}

    def change(self, kind: str, of: int, seq: int, usr: str = "bob", **fields: Any) -> None:
        place = {} if "target_user" in fields else {"room_name": "lobby"}
        self.event(kind, **{"usr": usr, "of": of, "seq": seq, **place, **fields})

    def shown_rows(self) -> list[str]:
        """Return the rows of messages and their notes, without their times."""
        rows = (row.split("│")[1][7:].strip() for row in self.rows()[:-2])
        others = ("* logged in", "* your rooms", "* the numbers", "PageUp")
        return [row for row in rows if row and "─" not in row and not row.startswith(others)]

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.window.keypress(self.size, key)


class InPlaceTests(MessagesTestCase):
    def test_a_message_changes_in_its_place(self) -> None:
        for kind, fields, rows in (
            ("edited", {"msg": "new"}, ["bob new  (edited)"]),
            ("reacted", {"emoji": "+", "on": True, "usr": "cid"}, ["bob new  (edited)", "+ cid"]),
            ("pinned", {}, ["bob new  (edited)  (pinned)", "+ cid"]),
            ("unpinned", {}, ["bob new  (edited)", "+ cid"]),
            ("deleted", {"by": "cid", "reason": "spam"}, ["bob deleted by cid: spam"]),
        ):
            self.change(kind, 1, self.model.current.last_seq + 1, **fields)
            self.assertEqual(self.shown_rows(), [*rows, "bob text 2"])

    def test_changes_are_no_lines_and_not_unread(self) -> None:
        self.switch_to("garden")
        self.change("edited", 2, 3, msg="new")
        lobby = self.model.rooms["lobby"]
        texts = [line.text for line in lobby.lines if line.kind in ("message", "event")]
        self.assertEqual((lobby.unread, lobby.last_seq, texts), (0, 3, ["text 1", "new"]))

    def test_a_deleted_message_is_not_unread_any_more(self) -> None:
        self.switch_to("garden")
        self.server.say(3)
        self.server.say(4)
        self.server.pump()
        self.change("deleted", 3, 5, by="bob", reason="")
        self.change("deleted", 2, 6, by="bob", reason="")  # which was read
        self.assertEqual(self.model.rooms["lobby"].unread, 1)

    def test_a_change_that_comes_before_its_page_of_history_is_in_it(self) -> None:
        self.server.answers["history"] = None
        garden = self.switch_to("garden")
        self.change("edited", 30, 31, msg="new", room_name="garden")
        request = self.server.asked("history")[-1]
        self.server.reply(request, entries=[spoken(30, room="garden")], more=False)
        self.server.pump()
        self.assertEqual([line.text for line in garden.lines], ["new"])

    def test_the_own_message_changes_too(self) -> None:
        self.type("hello")
        self.change("reacted", 3, 4, emoji="+", on=True)
        self.assertEqual(self.shown_rows()[-2:], ["ann hello", "+ bob"])

    def test_history_has_what_there_is_to_say_of_a_message(self) -> None:
        entries = [
            {**spoken(1, msg=""), "deleted": {"by": "bob", "reason": ""}},
            {**spoken(2, msg="waves"), "style": "action"},
            {**spoken(3, msg="no"), "reply": {"seq": 2, "usr": "bob"}, "edited": True},
            {**spoken(4), "reply": {"seq": 1, "usr": "bob"}},
            {**spoken(5), "blocked": True},
        ]
        self.server.answers["history"] = {"entries": entries, "more": False}
        self.switch_to("garden")
        expected = [
            "bob deleted",
            "* bob waves",
            "bob \u21aa bob: waves",
            "no  (edited)",
            "bob \u21aa bob: (deleted)",
            "text 4",
            "\u00b7 a message of bob is hidden: you block this user",
        ]
        self.assertEqual(self.shown_rows(), expected)

    def test_a_quote_follows_what_it_quotes(self) -> None:
        self.push(**{**spoken(3, "eve", msg="yes"), "reply": {"seq": 2, "usr": "bob"}})
        for kind, fields, quoted in (
            ("edited", {"msg": "first line\nsecond"}, "first line"),
            ("edited", {"msg": "x" * 99}, "x" * 60 + "\u2026"),
            ("deleted", {"by": "bob", "reason": ""}, "(deleted)"),
        ):
            self.change(kind, 2, self.model.current.last_seq + 1, **fields)
            self.assertEqual(self.lines()[-1].quote, quoted)

    def test_the_topic_is_above_the_conversation(self) -> None:
        self.event("room_changed", usr="bob", room_name="lobby", seq=3, topic="tea \x1b[2J")
        self.assertTrue(self.middle()[0].startswith("tea \\x1b[2J"), self.middle()[0])
        self.assertNotIn("tea", self.rows()[-2])
        self.size = (120, 7)
        self.assertNotIn("tea", self.middle()[0])


class SelectionTests(MessagesTestCase):
    def test_keys_begin_commands_about_the_newest_message(self) -> None:
        self.type("mine")
        for key, begun in (
            ("meta r", "/reply #2 "),
            ("meta t", "/react #2 "),
            ("meta e", "/edit #3 mine"),
            ("meta d", "/delete #3 "),
        ):
            self.window.prompt.replace("")
            self.keys(key)
            self.assertEqual(self.window.prompt.edit_text, begun)

    def test_keys_begin_commands_about_the_selected_message(self) -> None:
        self.type("mine")
        self.keys("shift up", "meta k", "shift up", "shift up", "meta j", "shift up")
        self.assertIn("Alt-R reply", self.rows()[-2])
        self.keys("meta r")
        self.assertEqual(self.window.prompt.edit_text, "/reply #1 ")
        self.keys("esc", "meta t")
        self.assertNotIn("Alt-R reply", self.rows()[-2])
        self.assertEqual(self.window.prompt.edit_text, "/react #2 ")

    def test_a_draft_becomes_the_reply_and_is_kept_otherwise(self) -> None:
        self.window.prompt.replace("well said")
        self.keys("meta r")
        self.assertEqual(self.window.prompt.edit_text, "/reply #2 well said")
        self.keys("meta t")
        self.assertEqual(self.window.prompt.edit_text, "/react #2 ")
        self.keys("up")
        self.assertEqual(self.window.prompt.edit_text, "/reply #2 well said")

    def test_without_a_message_a_key_says_so(self) -> None:
        self.keys("meta e")
        self.assertEqual(self.window.prompt.edit_text, "")
        self.assertIn("no new message of yours", self.shown()[-1])

    def test_a_reply_is_shown_with_what_it_replies_to(self) -> None:
        self.server.answers["speak"] = None
        self.keys("shift up")
        self.type("/reply yes")
        self.assertEqual(
            self.shown_rows()[-2:], ["ann \u21aa bob: text 2", "yes  (sending \u2026)"]
        )
        request = self.server.asked("speak")[0]
        self.assertEqual((request["reply"], request["msg"]), (2, "yes"))
        self.server.reply(request, seq=3, id="i3", at=AT)
        self.server.pump()
        self.assertEqual(self.shown_rows()[-2:], ["ann \u21aa bob: text 2", "yes"])

    def test_the_newest_message_may_be_on_its_way(self) -> None:
        self.type("mine")
        self.server.answers["speak"] = None
        self.type("newer", "/edit newest", "third")
        self.assertEqual(self.server.asked("edit"), [])
        self.server.reply(self.server.asked("speak")[-1], seq=4, id="i4", at=AT)
        self.server.pump()
        request = self.server.asked("edit")[0]
        self.assertEqual((request["seq"], request["msg"]), (4, "newest"))

    def test_before_the_login_there_is_no_message(self) -> None:
        self.type("/logout", "/reply yes")
        self.assertIn("you are not logged in", self.controller.last_error)
        self.type("/room garden")
        self.assertIn("you are not logged in", self.shown()[-1])

    def test_a_command_ends_the_selection(self) -> None:
        self.keys("shift up", "shift up")
        self.type("/react :thumbsup:")
        request = self.server.asked("react")[0]
        self.assertEqual((request["seq"], request["emoji"]), (1, THUMB))
        self.assertEqual(self.model.current.selected, 0)

    def test_deleted_messages_and_those_being_sent_are_not_selected(self) -> None:
        self.server.answers["speak"] = None
        self.type("hello")
        self.change("deleted", 2, 3, by="bob", reason="")
        self.keys("shift up", "meta r")
        self.assertEqual(self.window.prompt.edit_text, "/reply #1 ")

    def test_numbers_are_shown_on_demand(self) -> None:
        self.type("/numbers")
        self.assertEqual(self.shown_rows()[0], "bob #1 text 1")
        self.type("/numbers")
        self.assertEqual(self.shown_rows()[0], "bob text 1")


class DirectTests(MessagesTestCase):
    def answer(self, *entries: dict[str, Any]) -> None:
        self.server.answers["history"] = {"entries": list(entries), "more": False}

    def entry(self, seq: int, usr: str = "bob", **more: Any) -> dict[str, Any]:
        to = "ann" if usr == "bob" else "bob"
        return {**whisper(seq, usr), "seq": seq, "to": to, **more}

    def test_their_history_is_loaded_when_they_are_shown(self) -> None:
        self.push(**{**whisper(3), "seq": 3})
        self.answer(self.entry(1), self.entry(2, "ann", edited=True), self.entry(3))
        self.controller.open_direct("bob")
        self.settle()
        self.assertEqual(self.server.asked("history")[-1]["target_user"], "bob")
        expected = ["bob psst 1", "ann psst 2  (edited)", "bob psst 3"]
        self.assertEqual(self.shown_rows(), expected)

    def test_one_that_is_in_the_history_already_is_shown_once(self) -> None:
        self.answer(self.entry(2), self.entry(3))
        self.controller.open_direct("bob")
        self.settle()
        self.push(**{**whisper(3), "seq": 3})
        self.assertEqual(self.shown_rows(), ["bob psst 2", "bob psst 3"])

    def test_they_change_in_their_place(self) -> None:
        self.answer(self.entry(1), self.entry(2, "ann"))
        self.controller.open_direct("bob")
        self.settle()
        self.change("edited", 1, 3, target_user="bob", msg="new")
        self.change("reacted", 2, 4, target_user="bob", emoji="+", on=True)
        self.assertEqual(self.shown_rows(), ["bob new  (edited)", "ann psst 2", "+ bob"])
        self.assertEqual(self.model.directs["bob"].last_seq, 4)

    def test_commands_are_about_the_conversation(self) -> None:
        self.answer(self.entry(1), self.entry(2, "ann"))
        self.controller.open_direct("bob")
        self.settle()
        self.server.answers["mark_unread"] = {"read_seq": 0}
        for line, cmd, seq in (("/edit new", "edit", 2), ("/react +", "react", 1),
                               ("/unread", "mark_unread", 1)):  # fmt: skip
            self.type(line)
            request = self.server.asked(cmd)[0]
            self.assertEqual((request["target_user"], request["seq"]), ("bob", seq))
        self.type("/notify none")
        self.assertEqual(self.model.directs["bob"].notify, "none")
        self.assertEqual((self.model.directs["bob"].unread), 1)

    def test_another_account_of_the_name_begins_again(self) -> None:
        self.push(**{**whisper(3), "seq": 3})
        self.answer()
        self.controller.open_direct("bob")
        self.settle()
        self.push(**{**whisper(1), "seq": 1})
        self.push(**{**whisper(1), "seq": 1})
        self.assertEqual(self.shown_rows(), ["bob psst 3", "bob psst 1"])
        self.change("edited", 1, 2, target_user="bob", msg="new")
        self.assertEqual(self.shown_rows(), ["bob psst 3", "bob new  (edited)"])

    def test_a_user_who_does_not_exist_has_no_history(self) -> None:
        self.server.answers["history"] = {"code": "no_such_user", "msg": "No."}
        self.controller.open_direct("zoe")
        self.settle()
        self.assertIn("beginning of zoe", "".join(self.middle()))

    def test_typing_and_read_marks_of_other_sessions(self) -> None:
        self.push(**{**whisper(1), "seq": 1})
        bob = self.model.directs["bob"]
        self.assertEqual(bob.unread, 1)
        self.event("marked_read", target_user="bob", read_seq=1)
        self.event("notify", target_user="bob", level="mentions")
        self.assertEqual((bob.unread, bob.notify), (0, "mentions"))
        self.answer(self.entry(1))
        self.controller.open_direct("bob")
        self.settle()
        self.event("typing", usr="bob", target_user="bob")
        self.assertEqual(self.model.typing_users(), ["bob"])
        self.controller.loader.typing()
        self.server.pump()
        self.assertEqual(self.server.asked("typing")[-1]["target_user"], "bob")

    def test_the_newest_conversations_are_listed_after_a_login(self) -> None:
        self.server.answers["login"] = {
            **welcome("ann", lobby=2),
            "directs": [
                {"id": 5, "usr": "bob", "last_seq": 1, "read_seq": 1, "notify": "none"},
                {"id": 6, "usr": "gus", "last_seq": 1, "read_seq": 1, "ended": True},
            ],
        }
        self.type("/logout", "/guest ann")
        self.assertEqual(list(self.model.directs), ["bob", "gus"])
        self.answer(self.entry(1))
        self.controller.open_direct("gus")
        self.settle()
        self.assertEqual(self.server.asked("history")[-1].get("direct"), 6)

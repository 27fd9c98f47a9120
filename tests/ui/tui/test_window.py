"""How the screen looks, drawn without a terminal, and what keys and the mouse do."""

from __future__ import annotations

import re
from datetime import timezone
from typing import Any

import urwid
from wcwidth import wcswidth

from gtchat.ui.tui.conversation import Conversation
from gtchat.ui.tui.markup import FAINT, NAMES, PALETTE, colour_of
from gtchat.ui.tui.panes import Status
from gtchat.ui.tui.window import MEMBERS, ROOMS, Window
from tests.client.fakes import AT
from tests.ui.tui.test_controller import DeskTestCase

#: What an edge writes besides its character.
GOING = re.compile(r"\x1b\[[0-9]*[GK]")


class WindowTestCase(DeskTestCase):
    size = (120, 30)

    def setUp(self) -> None:
        super().setUp()
        before = urwid.util.get_encoding()
        urwid.set_encoding("utf-8")
        self.addCleanup(urwid.set_encoding, before)
        self.redrawn = 0
        self.conversation = Conversation(self.world, self.older, timezone.utc)
        self.window = Window(
            self.world,
            self.desk,
            self.conversation,
            Status(self.world, self.connection),
            self.redraw,
        )
        self.start("/guest ann")

    def redraw(self) -> None:
        self.redrawn += 1

    def older(self, talk: Any) -> None:
        if not talk.complete and not talk.loading and talk.loaded:
            self.desk.start(self.desk.looking.load(talk))

    def raw(self) -> list[str]:
        """The rows as they are sent to a terminal."""
        canvas = self.window.render(self.size, True)
        return [b"".join(text for _, _, text in row).decode() for row in canvas.content()]

    def rows(self) -> list[str]:
        """The rows as they are seen."""
        return [GOING.sub("", row) for row in self.raw()]

    def middle(self) -> list[str]:
        """The rows of the conversation."""
        return [row.split("│")[1].strip(" ") for row in self.rows()[:-2]]

    def see(self, words: str) -> None:
        shown = "\n".join(self.rows())
        self.assertIn(words, shown)

    def key(self, *keys: str) -> None:
        for key in keys:
            self.window.keypress(self.size, key)
            self.server.pump()
        self.settle()

    def write(self, text: str) -> None:
        for character in text:
            self.window.keypress(self.size, character)

    def click(self, column: int, row: int, button: int = 1) -> None:
        self.window.mouse_event(self.size, "mouse press", button, column, row, True)
        self.settle()


class LayoutTests(WindowTestCase):
    def test_three_columns_a_status_and_a_line(self) -> None:
        rows = self.rows()
        self.assertEqual(len(rows), 30)
        self.assertTrue(rows[1].startswith(" 1 #lobby"), rows[1])
        self.assertIn("● bob", rows[2][-MEMBERS:])
        self.assertTrue(rows[-2].startswith(" connected │ ann │ #lobby"), rows[-2])
        self.assertEqual(rows[-1].rstrip(), "›")
        self.assertEqual(
            self.middle()[-6:-2],
            [
                "────── the beginning of #lobby " + "─" * 46,
                "────── Monday, 6 May 2030 " + "─" * 51,
                "07:08    bob text 1",
                "07:08    bob text 2",
            ],
        )

    def test_members_and_then_rooms_give_way_to_the_conversation(self) -> None:
        for width, edges in ((100, 2), (99, 1), (60, 1), (59, 0), (20, 0)):
            self.size = (width, 20)
            rows = self.rows()
            self.assertEqual({row.count("│") for row in rows[:-2]}, {edges}, width)
            self.assertEqual({wcswidth(row) for row in rows}, {width}, width)

    def test_a_tiny_terminal_shows_what_is_typed(self) -> None:
        self.write("hello")
        for height in (1, 2, 3):
            self.size = (10, height)
            self.assertIn("hello", self.rows()[-1])
            self.assertEqual(len(self.rows()), height)

    def test_wide_signs_keep_the_columns(self) -> None:
        texts = (
            "日本語" * 30,
            "👩\u200d👩\u200d👧 👍🏽 🇩🇪 ❤\ufe0f" * 9,
            "e\u0301" * 200,
            "שלום " * 40,
        )
        for seq, text in enumerate(texts, 3):
            self.server.say(seq, "番茄", msg=text)
        self.server.pump()
        for row in self.raw()[:-2]:
            self.assertIn(f"\x1b[{ROOMS + 1}G│\x1b[K ", row)
            self.assertIn(f"\x1b[{self.size[0] - MEMBERS}G│", row)
        for row in self.rows():
            self.assertEqual(wcswidth(row), 120, row)

    def test_nothing_that_others_write_acts_on_the_terminal(self) -> None:
        evil = "\x1b]0;owned\x07 \x1b[2J \x1b]52;c;aGk=\x07 \x9b2J \u202eback\r\x08"
        self.server.say(3, evil, msg=evil + "\nsecond")
        self.push(cmd="c_whisper", usr=evil, msg=evil, id="w1", at=AT)
        self.event("room_changed", usr=evil, room_name="lobby", seq=4, topic=evil)
        self.event("login", usr=evil)
        self.event("typing", usr=evil, room_name="lobby")
        self.push(cmd="c_invited", usr=evil, room_name=evil, msg=evil, at=AT)
        self.push(cmd="c_broadcast", usr=evil, msg=evil, at=AT)
        self.server.answers["ping"] = {"code": evil, "msg": evil}
        self.type("/ping")
        self.size = (600, 30)  # so that nothing is cut off
        for talk in self.world.talks:
            self.desk.go_to(talk)
            shown = "".join(self.rows())
            self.assertTrue(shown.isprintable(), shown)
            self.assertIn("\\x1b", shown)

    def test_a_message_can_t_look_like_somebody_else_s(self) -> None:
        self.server.say(3, "eve", msg="hi\n07:08    bob I owe eve 5")
        self.server.pump()
        self.assertEqual(self.middle()[-1], "07:08    bob I owe eve 5")
        self.assertIn("│              07:08    bob", self.rows()[-3])

    def test_what_is_new_has_a_line(self) -> None:
        self.server.say(31, room="garden")
        self.server.pump()
        self.assertRegex(self.rows()[2], r"^ 2 #garden +1 ")
        self.key("ctrl n")
        self.assertTrue(self.middle()[-2].startswith("────── new ──"), self.middle())

    def test_a_mention_is_marked(self) -> None:
        self.server.say(31, room="garden", msg="ann?")
        self.server.pump()
        self.assertRegex(self.rows()[2], r"^ 2 #garden +@1 ")

    def test_what_becomes_of_a_message_is_seen(self) -> None:
        self.server.answers["speak"] = None
        self.type("hello", "again")
        self.see("hello  (sending …)")
        first = self.server.asked("speak")[0]
        self.server.reply(first, code="blocked", msg="Not now.")
        self.server.pump()
        self.see("hello  (not sent: error: Not now. (blocked))")

    def test_the_status_counts_down_to_the_next_try(self) -> None:
        self.server.refuses = True
        self.server.drop()
        self.clock.advance(1)
        self.assertRegex(self.rows()[-2], r"^ connection lost, trying again in \d s ")

    def test_a_narrow_screen_tells_what_is_new_elsewhere(self) -> None:
        self.size = (59, 20)
        self.server.say(31, room="garden")
        self.server.pump()
        self.assertIn("#garden 1", self.rows()[-2])


class ScrollTests(WindowTestCase):
    size = (80, 12)

    def setUp(self) -> None:
        super().setUp()
        self.go_to("garden")
        for _ in range(3):  # a page has five lines, a screen more
            self.rows()
            self.settle()

    def said(self) -> list[int]:
        """The numbers of the messages that are seen."""
        return [int(found) for found in re.findall(r"text (\d+)", "\n".join(self.rows()))]

    def test_back_to_the_beginning_and_to_the_newest(self) -> None:
        seen = set(self.said())
        for _ in range(20):
            self.key("page up")
            seen |= set(self.said())
        self.assertEqual(seen, set(range(1, 31)))
        self.see("the beginning of #garden")
        self.see("↓ newer: Esc")
        self.key("esc")
        self.assertEqual(self.said()[-1], 30)

    def test_page_down_comes_back(self) -> None:
        before = self.said()
        self.key(*["page up"] * 3, *["page down"] * 4)
        self.assertEqual(self.said()[-1], before[-1])
        self.assertFalse(self.conversation.below)

    def test_what_comes_does_not_move_what_is_read(self) -> None:
        self.key("page up")
        before = self.said()
        for seq in range(31, 41):
            self.server.say(seq, room="garden")
        self.server.pump()
        self.assertEqual(self.said(), before)
        self.key("esc")
        self.assertEqual(self.said()[-1], 40)

    def test_whoever_speaks_sees_what_he_says(self) -> None:
        self.server.answers["speak"] = {"seq": 31, "id": "garden-31", "at": AT}
        self.key("page up")
        self.write("hello")
        self.key("enter")
        self.see("hello")

    def test_another_width_keeps_the_place(self) -> None:
        self.key("page up")
        last = self.said()[-1]
        self.size = (61, 12)
        self.assertEqual(self.said()[-1], last)

    def test_the_wheel_scrolls(self) -> None:
        self.key("page up", "page up", "esc")
        before = self.said()
        self.click(40, 3, button=4)
        self.assertEqual(self.said()[-1], before[-1] - 3)
        self.click(40, 3, button=5)
        self.assertEqual(self.said(), before)


class KeyTests(WindowTestCase):
    def test_a_line_is_said_and_can_be_had_again(self) -> None:
        self.write("hello there")
        self.key("enter")
        self.assertEqual(self.server.asked("speak")[0]["msg"], "hello there")
        self.key("up")
        self.assertEqual(self.window.typed.edit_text, "hello there")
        self.key("down")
        self.assertEqual(self.window.typed.edit_text, "")

    def test_several_lines_are_one_message(self) -> None:
        self.write("one")
        self.key("meta enter")
        self.write("two")
        self.key("enter")
        self.assertEqual(self.server.asked("speak")[0]["msg"], "one\ntwo")

    def test_what_is_pasted_is_not_sent_before_it_is_wanted(self) -> None:
        self.key("begin paste", "a", "enter", "tab", "ctrl u", "esc", "b", "end paste")
        self.assertEqual(self.server.asked("speak"), [])
        self.key("enter")
        self.assertEqual(self.server.asked("speak")[0]["msg"], "a\n    b")

    def test_tab_completes(self) -> None:
        self.write("/joi")
        self.key("tab")
        self.write("ga")
        self.key("tab")
        self.assertEqual(self.window.typed.edit_text, "/join garden")
        self.window.typed.write("bo")
        self.key("shift tab")
        self.assertEqual(self.window.typed.edit_text, "bob: ")

    def test_keys_switch_conversations(self) -> None:
        for key, name in (
            ("ctrl n", "garden"),
            ("ctrl n", "lobby"),
            ("ctrl p", "garden"),
            ("meta 1", "lobby"),
            ("meta 2", "garden"),
            ("meta 9", "garden"),
            ("meta up", "lobby"),
            ("meta down", "garden"),
        ):
            self.key(key)
            self.assertEqual(self.world.current.name, name, key)

    def test_a_key_goes_to_what_is_new(self) -> None:
        self.server.say(31, room="garden")
        self.server.pump()
        self.key("meta a")
        self.assertEqual(self.world.current.name, "garden")

    def test_a_click_goes_to_a_room_or_whispers_to_a_member(self) -> None:
        self.rows()
        self.click(3, 2)
        self.assertEqual(self.world.current.name, "garden")
        self.click(3, 1)
        self.rows()
        self.click(115, 2)
        self.assertEqual((self.world.current.kind, self.world.current.name), ("whisper", "bob"))
        self.key("ctrl x")
        self.assertEqual(self.world.current.name, "lobby")

    def test_editing_as_in_a_shell(self) -> None:
        typed = self.window.typed
        self.write("one two three")
        self.key("ctrl w")
        self.assertEqual(typed.edit_text, "one two ")
        self.key("ctrl a", "delete", "ctrl d")
        self.assertEqual(typed.edit_text, "e two ")
        self.key("ctrl e", "left", "left", "left", "ctrl k")
        self.assertEqual(typed.edit_text, "e t")
        self.key("ctrl u")
        self.assertEqual(typed.edit_text, "")

    def test_a_secret_is_not_shown_and_not_remembered(self) -> None:
        self.type("/password")
        self.rows()
        self.write("secret!!")
        self.see("Old password: ••••••••")
        self.assertNotIn("secret", "\n".join(self.rows()))
        self.key("tab", "up", "enter", "esc")
        self.key("up")
        self.assertNotIn("secret", self.window.typed.edit_text)

    def test_what_was_being_typed_comes_back_behind_a_secret(self) -> None:
        self.write("half a line")
        self.type("/password")
        self.rows()
        self.key("esc")
        self.see("› half a line")

    def test_ctrl_d_leaves_when_nothing_is_typed(self) -> None:
        self.write("x")
        self.key("ctrl d")
        self.assertNoResult(self.running)
        self.key("backspace", "ctrl d")
        self.successResultOf(self.running)

    def test_ctrl_l_draws_anew(self) -> None:
        self.key("ctrl l")
        self.assertEqual(self.redrawn, 1)

    def test_writing_a_message_is_told_and_writing_a_command_is_not(self) -> None:
        self.write("/ping")
        self.server.pump()
        self.assertEqual(self.server.asked("typing"), [])
        self.window.typed.write("")
        self.write("hi")
        self.server.pump()
        self.assertEqual(len(self.server.asked("typing")), 1)


def luminance(number: int) -> float:
    """Of a colour of 256 (WCAG 2.2)."""
    if number >= 232:
        levels = [8 + 10 * (number - 232)] * 3
    else:
        steps = (0, 95, 135, 175, 215, 255)
        cube = number - 16
        levels = [steps[cube // 36], steps[cube // 6 % 6], steps[cube % 6]]
    parts = [level / 255 for level in levels]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


class ColourTests(WindowTestCase):
    def test_names_are_legible_on_black_and_on_white(self) -> None:
        for colour in (*(high for _, high in NAMES), FAINT):
            light = luminance(int(colour[1:]))
            for ground in (0.0, 1.0):
                low, high = sorted((light, ground))
                self.assertTrue((high + 0.05) / (low + 0.05) >= 3.9, colour)

    def test_a_name_has_always_the_same_colour(self) -> None:
        self.assertEqual(colour_of("Ann"), colour_of("ann"))
        self.assertTrue(len({colour_of(f"user{number}") for number in range(100)}) > 8)

    def test_all_that_is_drawn_has_its_colours(self) -> None:
        known = {row[0] for row in PALETTE} | {None}
        self.server.answers["speak"] = {"code": "blocked", "msg": "No."}
        self.server.say(3, msg="hi ann")
        self.server.pump()
        self.type("no", "/help", "/nothing")
        canvas = self.window.render(self.size, True)
        drawn = {attribute for row in canvas.content() for attribute, _, _ in row}
        self.assertEqual(drawn - known, set())

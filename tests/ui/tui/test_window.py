"""The screen drawn without a terminal, and what keys and the mouse do."""

from __future__ import annotations

import re
from datetime import timezone
from typing import Any

import urwid
from wcwidth import wcswidth

from gtchat.client.replies import Reply
from gtchat.ui.tui.conversation import ConversationView
from gtchat.ui.tui.markup import FAINT, NAME_COLORS, PALETTE, name_color
from gtchat.ui.tui.panes import StatusBar
from gtchat.ui.tui.window import BUFFER_COLUMNS, MEMBER_COLUMNS, Window
from tests.client.fakes import AT
from tests.ui.tui.test_controller import ControllerTestCase

#: The control sequences of an edge.
EDGE_CONTROLS = re.compile(r"\x1b\[[0-9]*[GK]")


class WindowTestCase(ControllerTestCase):
    size = (120, 30)

    def setUp(self) -> None:
        super().setUp()
        before = urwid.util.get_encoding()
        urwid.set_encoding("utf-8")
        self.addCleanup(urwid.set_encoding, before)
        self.redrawn = 0
        self.conversation = ConversationView(self.model, self.load_older, timezone.utc)
        self.window = Window(
            self.model,
            self.controller,
            self.conversation,
            StatusBar(self.model, self.connection),
            self.redraw,
        )
        self.start("/guest ann")

    def redraw(self) -> None:
        self.redrawn += 1

    def load_older(self, buffer: Any) -> None:
        if not buffer.complete and not buffer.loading and buffer.loaded:
            self.controller.run_in_background(self.controller.loader.load_history(buffer))

    def raw(self) -> list[str]:
        """Return the rows as they are sent to a terminal."""
        canvas = self.window.render(self.size, True)
        return [b"".join(text for _, _, text in row).decode() for row in canvas.content()]

    def rows(self) -> list[str]:
        """Return the rows as they are seen."""
        return [EDGE_CONTROLS.sub("", row) for row in self.raw()]

    def middle(self) -> list[str]:
        """Return the rows of the conversation."""
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
    def test_three_columns_a_status_bar_and_a_prompt(self) -> None:
        rows = self.rows()
        self.assertEqual(len(rows), 30)
        self.assertTrue(rows[1].startswith(" 1 #lobby"), rows[1])
        self.assertIn("● bob", rows[2][-MEMBER_COLUMNS:])
        self.assertTrue(rows[-2].startswith(" connected │ ann │ #lobby"), rows[-2])
        self.assertEqual(rows[-1].rstrip(), "›")
        self.assertEqual(
            self.middle()[-6:-2],
            [
                "────── beginning of #lobby " + "─" * 50,
                "────── Monday, 6 May 2030 " + "─" * 51,
                "07:08    bob text 1",
                "07:08    bob text 2",
            ],
        )

    def test_a_log_whose_beginning_was_removed_says_so(self) -> None:
        for first, text in ((1, "beginning of #lobby"), (2, "older messages were removed")):
            self.model.add_history(self.model.current, Reply(log_first=first))
            self.see(text)

    def test_a_narrow_screen_hides_members_then_rooms(self) -> None:
        for width, edges in ((100, 2), (99, 1), (60, 1), (59, 0), (20, 0)):
            self.size = (width, 20)
            rows = self.rows()
            self.assertEqual({row.count("│") for row in rows[:-2]}, {edges}, width)
            self.assertEqual({wcswidth(row) for row in rows}, {width}, width)

    def test_a_tiny_terminal_shows_the_prompt(self) -> None:
        self.write("hello")
        for height in (1, 2, 3):
            self.size = (10, height)
            self.assertIn("hello", self.rows()[-1])
            self.assertEqual(len(self.rows()), height)

    def test_wide_characters_keep_the_columns(self) -> None:
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
            self.assertIn(f"\x1b[{BUFFER_COLUMNS + 1}G│\x1b[K ", row)
            self.assertIn(f"\x1b[{self.size[0] - MEMBER_COLUMNS}G│", row)
        for row in self.rows():
            self.assertEqual(wcswidth(row), 120, row)

    def test_texts_of_others_can_not_control_the_terminal(self) -> None:
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
        for buffer in self.model.buffers:
            self.controller.switch_to(buffer)
            shown = "".join(self.rows())
            self.assertTrue(shown.isprintable(), shown)
            self.assertIn("\\x1b", shown)

    def test_a_message_can_not_imitate_another_one(self) -> None:
        self.server.say(3, "eve", msg="hi\n07:08    bob I owe eve 5")
        self.server.pump()
        self.assertEqual(self.middle()[-1], "07:08    bob I owe eve 5")
        self.assertIn("│              07:08    bob", self.rows()[-3])

    def test_new_messages_have_a_rule(self) -> None:
        self.server.say(31, room="garden")
        self.server.pump()
        self.assertRegex(self.rows()[2], r"^ 2 #garden +1 ")
        self.key("ctrl n")
        self.assertTrue(self.middle()[-2].startswith("────── new messages ──"), self.middle())

    def test_a_mention_is_marked(self) -> None:
        self.server.say(31, room="garden", msg="ann?")
        self.server.pump()
        self.assertRegex(self.rows()[2], r"^ 2 #garden +@1 ")

    def test_the_state_of_a_message_is_shown(self) -> None:
        self.server.answers["speak"] = None
        self.type("hello", "again")
        self.see("hello  (sending …)")
        first = self.server.asked("speak")[0]
        self.server.reply(first, code="blocked", msg="Not now.")
        self.server.pump()
        self.see("hello  (not sent: Not now. (blocked))")

    def test_the_status_bar_counts_down_to_the_reconnect(self) -> None:
        self.server.refuses = True
        self.server.drop()
        self.clock.advance(1)
        self.assertRegex(self.rows()[-2], r"^ connection lost, reconnecting in \d s ")

    def test_a_narrow_screen_shows_unread_counts_in_the_status_bar(self) -> None:
        self.size = (59, 20)
        self.server.say(31, room="garden")
        self.server.pump()
        self.assertIn("#garden 1", self.rows()[-2])


class ScrollTests(WindowTestCase):
    size = (80, 12)

    def setUp(self) -> None:
        super().setUp()
        self.switch_to("garden")
        for _ in range(3):  # a page of history is shorter than the screen
            self.rows()
            self.settle()

    def visible_numbers(self) -> list[int]:
        """Return the numbers of the messages that are visible."""
        return [int(found) for found in re.findall(r"text (\d+)", "\n".join(self.rows()))]

    def test_scrolling_to_the_beginning_and_to_the_end(self) -> None:
        seen = set(self.visible_numbers())
        for _ in range(20):
            self.key("page up")
            seen |= set(self.visible_numbers())
        self.assertEqual(seen, set(range(1, 31)))
        self.see("beginning of #garden")
        self.see("↓ newer: Esc")
        self.key("esc")
        self.assertEqual(self.visible_numbers()[-1], 30)

    def test_page_down_returns(self) -> None:
        before = self.visible_numbers()
        self.key(*["page up"] * 3, *["page down"] * 4)
        self.assertEqual(self.visible_numbers()[-1], before[-1])
        self.assertFalse(self.conversation.scrolled_back)

    def test_new_messages_do_not_move_the_view(self) -> None:
        self.key("page up")
        before = self.visible_numbers()
        for seq in range(31, 41):
            self.server.say(seq, room="garden")
        self.server.pump()
        self.assertEqual(self.visible_numbers(), before)
        self.key("esc")
        self.assertEqual(self.visible_numbers()[-1], 40)

    def test_sending_a_message_scrolls_to_the_end(self) -> None:
        self.server.answers["speak"] = {"seq": 31, "id": "garden-31", "at": AT}
        self.key("page up")
        self.write("hello")
        self.key("enter")
        self.see("hello")

    def test_help_begins_in_the_first_row(self) -> None:
        self.write("/help")
        self.key("enter")
        self.assertIn("/guest NAME", self.middle_rows()[0])
        self.see("↓ newer: Esc")
        self.key("page up")
        self.assertNotIn("/guest NAME", self.middle_rows()[0])
        self.key("page down")
        self.assertIn("/guest NAME", self.middle_rows()[0])
        self.key("esc")
        self.assertIn("quit", self.middle_rows()[-1])

    def test_help_that_fits_is_shown_at_the_end(self) -> None:
        self.size = (80, 200)
        self.write("/help")
        self.key("enter")
        self.see("/guest NAME")
        self.assertIn("Ctrl-C, Ctrl-D, /quit", self.middle_rows()[-1])
        self.assertFalse(self.conversation.scrolled_back)

    def middle_rows(self) -> list[str]:
        """Return the rows of the conversation beside the list of rooms."""
        return [row.split("│")[1] for row in self.rows()[:-2]]

    def test_a_resize_keeps_the_position(self) -> None:
        self.key("page up")
        last = self.visible_numbers()[-1]
        self.size = (61, 12)
        self.assertEqual(self.visible_numbers()[-1], last)

    def test_the_wheel_scrolls(self) -> None:
        self.key("page up", "page up", "esc")
        before = self.visible_numbers()
        self.click(40, 3, button=4)
        self.assertEqual(self.visible_numbers()[-1], before[-1] - 3)
        self.click(40, 3, button=5)
        self.assertEqual(self.visible_numbers(), before)


class KeyTests(WindowTestCase):
    def test_a_line_is_sent_and_kept_in_the_history(self) -> None:
        self.write("hello there")
        self.key("enter")
        self.assertEqual(self.server.asked("speak")[0]["msg"], "hello there")
        self.key("up")
        self.assertEqual(self.window.prompt.edit_text, "hello there")
        self.key("down")
        self.assertEqual(self.window.prompt.edit_text, "")

    def test_several_lines_are_one_message(self) -> None:
        self.write("one")
        self.key("meta enter")
        self.write("two")
        self.key("enter")
        self.assertEqual(self.server.asked("speak")[0]["msg"], "one\ntwo")

    def test_pasted_text_is_not_sent_before_enter(self) -> None:
        self.key("begin paste", "a", "enter", "tab", "ctrl u", "esc", "b", "end paste")
        self.assertEqual(self.server.asked("speak"), [])
        self.key("enter")
        self.assertEqual(self.server.asked("speak")[0]["msg"], "a\n    b")

    def test_tab_completes(self) -> None:
        self.write("/joi")
        self.key("tab")
        self.write("ga")
        self.key("tab")
        self.assertEqual(self.window.prompt.edit_text, "/join garden")
        self.window.prompt.replace("bo")
        self.key("shift tab")
        self.assertEqual(self.window.prompt.edit_text, "bob: ")

    def test_keys_switch_buffers(self) -> None:
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
            self.assertEqual(self.model.current.name, name, key)

    def test_a_key_switches_to_unread_messages(self) -> None:
        self.server.say(31, room="garden")
        self.server.pump()
        self.key("meta a")
        self.assertEqual(self.model.current.name, "garden")

    def test_a_click_switches_to_a_room_or_opens_direct_messages(self) -> None:
        self.rows()
        self.click(3, 2)
        self.assertEqual(self.model.current.name, "garden")
        self.click(3, 1)
        self.rows()
        self.click(115, 2)
        self.assertEqual((self.model.current.kind, self.model.current.name), ("direct", "bob"))
        self.key("ctrl x")
        self.assertEqual(self.model.current.name, "lobby")

    def test_editing_keys_of_a_shell(self) -> None:
        prompt = self.window.prompt
        self.write("one two three")
        self.key("ctrl w")
        self.assertEqual(prompt.edit_text, "one two ")
        self.key("ctrl a", "delete", "ctrl d")
        self.assertEqual(prompt.edit_text, "e two ")
        self.key("ctrl e", "left", "left", "left", "ctrl k")
        self.assertEqual(prompt.edit_text, "e t")
        self.key("ctrl u")
        self.assertEqual(prompt.edit_text, "")

    def test_a_secret_is_masked_and_not_kept_in_the_history(self) -> None:
        self.type("/password")
        self.rows()
        self.write("secret!!")
        self.see("Old password: ••••••••")
        self.assertNotIn("secret", "\n".join(self.rows()))
        self.key("tab", "up", "enter", "esc")
        self.key("up")
        self.assertNotIn("secret", self.window.prompt.edit_text)

    def test_the_draft_returns_after_a_secret(self) -> None:
        self.write("half a line")
        self.type("/password")
        self.rows()
        self.key("esc")
        self.see("› half a line")

    def test_ctrl_d_quits_when_the_prompt_is_empty(self) -> None:
        self.write("x")
        self.key("ctrl d")
        self.assertNoResult(self.running)
        self.key("backspace", "ctrl d")
        self.successResultOf(self.running)

    def test_ctrl_l_redraws(self) -> None:
        self.key("ctrl l")
        self.assertEqual(self.redrawn, 1)

    def test_typing_a_message_is_notified_and_typing_a_command_is_not(self) -> None:
        self.write("/ping")
        self.server.pump()
        self.assertEqual(self.server.asked("typing"), [])
        self.window.prompt.replace("")
        self.write("hi")
        self.server.pump()
        self.assertEqual(len(self.server.asked("typing")), 1)


def luminance(number: int) -> float:
    """Return the relative luminance of one of 256 colors (WCAG 2.2)."""
    if number >= 232:
        levels = [8 + 10 * (number - 232)] * 3
    else:
        steps = (0, 95, 135, 175, 215, 255)
        cube = number - 16
        levels = [steps[cube // 36], steps[cube // 6 % 6], steps[cube % 6]]
    parts = [level / 255 for level in levels]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


class ColorTests(WindowTestCase):
    def test_names_have_contrast_to_black_and_to_white(self) -> None:
        for color in (*(high for _, high in NAME_COLORS), FAINT):
            light = luminance(int(color[1:]))
            for ground in (0.0, 1.0):
                low, high = sorted((light, ground))
                self.assertTrue((high + 0.05) / (low + 0.05) >= 3.9, color)

    def test_a_name_always_has_the_same_color(self) -> None:
        self.assertEqual(name_color("Ann"), name_color("ann"))
        self.assertTrue(len({name_color(f"user{number}") for number in range(100)}) > 8)

    def test_every_attribute_is_in_the_palette(self) -> None:
        known = {row[0] for row in PALETTE} | {None}
        self.server.answers["speak"] = {"code": "blocked", "msg": "No."}
        self.server.say(3, msg="hi ann")
        self.server.pump()
        self.type("no", "/help", "/nothing")
        canvas = self.window.render(self.size, True)
        drawn = {attribute for row in canvas.content() for attribute, _, _ in row}
        self.assertEqual(drawn - known, set())

"""The markup of messages: what is drawn, and that no character is lost."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.ui.tui.buffer import BufferLine
from gtchat.ui.tui.emoji import EMOJI
from gtchat.ui.tui.markup import PALETTE, style_line
from gtchat.ui.tui.message_markup import QUOTE_BAR, STYLES, parse_message

STATIC = Path(__file__).resolve().parents[3] / "static"

#: Text -> what is drawn, with the style of each part that has one.
DRAWN: dict[str, list[tuple[str, str]]] = {
    "**bold** and *not* so": [("bold", "strong"), (" and ", ""), ("not", "em"), (" so", "")],
    "***both***": [("both", "strong em")],
    "*a **b** c*": [("a ", "em"), ("b", "strong em"), (" c", "em")],
    "~~gone~~": [("gone", "del")],
    "`x = **1**`": [("x = **1**", "code")],
    "``a ` b``": [("a ` b", "code")],
    "(*so*)": [("(", ""), ("so", "em"), (")", "")],
    "日*本*語": [("日", ""), ("本", "em"), ("語", "")],
    "two\n*lines\nof it*": [("two\n", ""), ("lines\nof it", "em")],
    "- *one*\n* two*": [("- ", ""), ("one", "em"), ("\n* two*", "")],
    "> said *so*\nme": [(QUOTE_BAR, "faint"), ("said ", ""), ("so", "em"), ("\nme", "")],
    ">> a\n> b": [
        (QUOTE_BAR * 2, "faint"),
        ("a\n", ""),
        (QUOTE_BAR, "faint"),
        ("b", ""),
    ],
    "```py\n*x*\n\n  y\n```\nend": [
        ("```py\n", "faint"),
        ("*x*\n\n  y\n", "code"),
        ("```\n", "faint"),
        ("end", ""),
    ],
    ":tada: **:+1:** :nothing:": [("🎉 ", ""), ("👍", "strong"), (" :nothing:", "")],
    "*https://x.example/*": [("https://x.example/", "em")],
}
#: Texts without markup.
AS_WRITTEN = (
    "",
    "2*3*4",
    "a*b* c",
    "* no *",
    "__init__ and _this_",
    r"\*no\* C:\*.* \\",
    "&#65; &amp; <b>x</b>",
    "    indented\n\ttab",
    "3. three\n7. seven",
    "# title\n---\n| a | b |",
    "*open **and ~~open `and open",
    "*one\n\ntwo*",
    "https://x.example/*a*b :nothing:",
    "[a *b* c](https://x.example/)",
    "****",
    "** **",
)


def drawn(text: str) -> list[tuple[str, str]]:
    """Return what is drawn, with styles; neighbours of the same style are one."""
    parts: list[tuple[str, str]] = []
    for span in parse_message(text):
        if parts and parts[-1][1] == span.style:
            parts[-1] = (parts[-1][0] + span.shown, span.style)
        elif span.shown:
            parts.append((span.shown, span.style))
    return parts


class MarkupTests(SynchronousTestCase):
    def test_markup_is_drawn(self) -> None:
        for text, expected in DRAWN.items():
            self.assertEqual(drawn(text), expected, text)

    def test_other_text_is_drawn_as_written(self) -> None:
        for text in AS_WRITTEN:
            spans = parse_message(text)
            self.assertEqual("".join(span.shown for span in spans), text)
            self.assertEqual({span.style for span in spans} - {""}, set(), text)

    def test_a_text_that_takes_long_to_parse_is_drawn_as_written(self) -> None:  # E18
        for text in ("*a* " * 200, "*a* " + "b" * 1001, "*a* " + "b " * 10_000, "> " * 20 + "*a*"):
            self.assertEqual(drawn(text), [(text, "")])

    def test_deep_nesting_is_drawn_as_written(self) -> None:
        self.assertIn(("> *a*", ""), drawn(">" * 8 + " *a*")[1:])

    @given(
        st.lists(
            st.sampled_from(
                ["*", "**", "~~", "`", "```", "\n", "> ", "- ", "1. ", " ", "a", "é", "語", "\\"]
                + [":smile:", ":", "[a](https://x.example)", "https://x.example/", "<", "\x1b", "_"]
            ),
            max_size=40,
        ).map("".join)
        | st.text(max_size=60)
    )
    def test_no_character_is_lost(self, text: str) -> None:  # E18
        spans = parse_message(text)
        self.assertEqual("".join(span.source for span in spans), text)
        for span in spans:
            if span.shown == "":
                self.assertRegex(span.source, r"^(\*{1,3}|~~|`+)$")
            elif span.shown == QUOTE_BAR != span.source:
                self.assertRegex(span.source, r"^ {0,3}> ?$")
            elif span.shown != span.source:
                self.assertEqual(span.shown, EMOJI[span.source.strip(":")])


class DrawingTests(SynchronousTestCase):
    """How a message with markup becomes a line of the screen."""

    def test_every_style_is_in_the_palette(self) -> None:
        self.assertEqual({*STYLES, "code", "faint"} - {row[0] for row in PALETTE}, set())

    def test_the_name_of_the_user_is_marked_in_markup_too(self) -> None:
        line = BufferLine("message", "**hi ann** :wave:", usr="bob", mention=True)
        text = style_line(line, "ann").text
        self.assertEqual(text, [("strong", "hi "), ("mention", "ann"), (None, " "), (None, "👋")])

    def test_control_characters_in_markup_are_escaped(self) -> None:
        line = BufferLine("message", "*\x1b[2J*\n> `\x9b`", usr="bob")
        shown = "".join(part for _, part in style_line(line, "ann").text)
        self.assertEqual(shown, f"\\x1b[2J\n{QUOTE_BAR}\\x9b")

    def test_a_message_being_sent_is_faint(self) -> None:
        line = BufferLine("message", "*so*", usr="ann", state="sending")
        self.assertEqual(style_line(line, "ann").text[0], ("faint", "so"))


class EmojiTests(SynchronousTestCase):
    def test_the_names_are_those_of_the_page(self) -> None:
        script = (STATIC / "js/emoji.js").read_text(encoding="utf-8")
        table, aliases = script.split("const ALIASES = {")
        words = "".join(re.findall(r'"([^"]*)"', table[table.index("const TABLE") :]))
        pairs = re.findall(r"([a-z0-9_]+) ([^\s,a-z]+)", words)
        listed = re.findall(r'"?([\w+-]+)"?: "(\w+)"', aliases.split("}")[0])
        page = dict(pairs)
        page.update({alias: page[name] for alias, name in listed})
        self.assertEqual(EMOJI, page)

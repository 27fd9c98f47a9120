"""Text and times as several protocols write them."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.events import Event, LoggedIn, LoggedOut, MessageSent, WhisperSent
from gtchat.protocols import livechat, message_center, pa1
from gtchat.protocols.base.text import (
    TextEncoder,
    TextGroups,
    escape_controls,
    first_names,
    format_clock,
    join_names,
    rfc3339,
    split_text,
    strip_controls,
)


class Escapes(SynchronousTestCase):
    """Texts of users, which other protocols allow to have any characters."""

    def test_no_text_controls_a_terminal(self) -> None:  # E14
        self.assertEqual(
            escape_controls("a\x9b2J\x1b]0;b\x07c\x7f"), "a\\x9b2J\\x1b]0;b\\x07c\\x7f"
        )
        for text in ("caf\u00e9 \u2603", "a\tb", "\U0001f469\u200d\U0001f469"):
            self.assertEqual(escape_controls(text), text)

    def test_no_text_changes_the_order_of_others(self) -> None:  # F24
        for code in (*range(0x2028, 0x202F), *range(0x2066, 0x206A)):
            self.assertEqual(escape_controls(f"a{chr(code)}b"), f"a\\u{code:04x}b")
        for text in ("\u05e9\u05dc\u05d5\u05dd\u200f", "\u2027", "\u202f", "\u2065", "\u206a"):
            self.assertEqual(escape_controls(text), text)

    def test_no_line_can_be_taken_for_the_message_of_another_user(self) -> None:  # E12, F24
        event = MessageSent(
            room_name="lobby",
            usr="mallory",
            msg="x\n>>>bob<<<logs out\n[bob]: y\n[00:00:00] bob > z\n[*] bob exited.",
            id="1",
            at=0,
        )
        whisper = WhisperSent(usr="mallory", msg=event.msg, id="1", at=0)
        for text in (
            *(protocol.render(event) for protocol in (livechat, message_center, pa1)),
            *(protocol.render(whisper) for protocol in (livechat, message_center, pa1)),
            message_center.MessageCenter.pending_text(Any, whisper),
            pa1.PA1.pending_text(Any, whisper),
        ):
            first, *more = (text or "").strip("\n").split("\n")
            self.assertIn("mallory", first)
            self.assertEqual([line[:4] for line in more], ["    "] * 4)


class Names(SynchronousTestCase):
    def test_a_list_has_the_names_that_fit_and_the_number_of_the_others(self) -> None:
        names = [f"n{number}" for number in range(8)]
        for max_bytes, text in (
            (50, "n0 n1 n2 n3 n4 n5 n6 n7 "),
            (35, "n0 n1 n2 n3 n4 n5 n6 n7 "),
            (34, "n0 n1 n2 n3 n4 n5 n6 and 1 more "),
            (20, "n0 n1 n2 and 5 more "),
            (0, "and 8 more "),
        ):
            self.assertEqual(join_names(names, " ", max_bytes), text, max_bytes)
            self.assertLessEqual(len(text), max(max_bytes, 11))

    def test_names_count_in_utf_8(self) -> None:
        names = ["\u00e4\u00f6", "b", "c"]
        self.assertEqual(first_names(names, 7), names[:2])


class Texts(SynchronousTestCase):
    def test_controls_and_white_space_at_the_end_are_stripped(self) -> None:
        for data, text in (
            (b"caf\xc3\xa9 \r\n", "caf\u00e9"),
            (b"a\r\nb\rc\n", "a\nb\nc"),
            (b"a\x00\x1b[2J\x7f\tb\xff", "a[2J\tb\ufffd"),
            ("a\x9b2J", "a2J"),
            (b" \n ", ""),
        ):
            self.assertEqual(strip_controls(data), text)

    @given(st.text(max_size=50), st.integers(0, 9))
    def test_the_parts_of_a_text_are_the_text(self, text: str, limit: int) -> None:
        parts = split_text(text, limit)
        self.assertTrue(all(part.strip() and (not limit or len(part) <= limit) for part in parts))
        self.assertEqual("".join("".join(parts).split()), "".join(text.split()))

    @given(st.lists(st.text(max_size=9), max_size=20), st.integers(1, 20), st.integers(1, 9))
    def test_grouped_texts_keep_their_order_and_are_as_few_as_possible(
        self, texts: list[str], size: int, limit: int
    ) -> None:
        grouped = TextGroups[str](str, size, limit)
        for text in texts:
            grouped.add(text)
        groups = grouped.groups
        members = [text for _, members in groups for text in members]
        self.assertEqual(members, texts[: len(members)])
        self.assertLessEqual(len(groups), limit)
        for joined, items in groups:
            self.assertEqual(joined, "".join(items))
            self.assertTrue(len(joined.encode()) <= size or len(items) == 1)
        starts = [items[0] for _, items in groups] + texts[len(members) :][:1]
        for (joined, _), start in zip(groups, starts[1:], strict=False):
            self.assertGreater(len((joined + start).encode()), size)
        if len(members) < len(texts):
            self.assertEqual(len(groups), limit)

    @given(st.lists(st.text(max_size=9), max_size=20), st.integers(1, 30))
    def test_grouped_texts_have_a_limited_size_but_for_the_first(
        self, texts: list[str], limit: int
    ) -> None:
        grouped = TextGroups[str](str, 9, 99, limit)
        for text in texts:
            grouped.add(text)
        members = [text for _, members in grouped.groups for text in members]
        self.assertEqual(members, texts[: len(members)])
        size = len("".join(members).encode())
        self.assertTrue(size <= limit or len(members) == 1)
        self.assertGreaterEqual(len(members), min(len(texts), 1))
        if len(members) < len(texts):
            self.assertGreater(size + len(texts[len(members)].encode()), limit)

    def test_times(self) -> None:
        self.assertEqual(rfc3339(1_800_000_000_007), "2027-01-15T08:00:00.007Z")
        local = time.localtime(1_800_000_000)
        self.assertEqual(format_clock(1_800_000_000_999), time.strftime("[%H:%M:%S]", local))


class Encoder(SynchronousTestCase):
    def test_each_event_is_rendered_once_and_sent_if_it_has_a_text(self) -> None:
        rendered: list[Event] = []

        def render(event: Event) -> str | None:
            rendered.append(event)
            return None if isinstance(event, LoggedOut) else f"text of {event.at}"

        class Connection:
            def __init__(self) -> None:
                self.texts: list[str] = []

            def on_event(self, event: Event, text: str) -> None:
                self.texts.append(text)

        sent = [LoggedIn(usr="a", at=1), LoggedOut(usr="a", at=2), LoggedIn(usr="a", at=3)]
        batch = TextEncoder(render).encode(sent)
        connections: list[Any] = [Connection(), Connection()]
        batch.send(connections)
        batch.send_part(connections[1], 0, 2)
        self.assertEqual(rendered, sent)
        self.assertEqual(connections[0].texts, ["text of 1", "text of 3"])
        self.assertEqual(connections[1].texts, ["text of 1", "text of 3", "text of 1"])

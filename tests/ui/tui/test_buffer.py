"""A buffer: entries in the order of their seq, other lines where they arrived."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.ui.tui.buffer import MAX_LINES, Buffer, BufferLine, mentions


def entry(seq: int, usr: str = "bob") -> BufferLine:
    return BufferLine("message", f"text {seq}", usr=usr, seq=seq)


def texts(buffer: Buffer) -> list[str]:
    return [line.text for line in buffer.lines]


class OrderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.buffer = Buffer("garden", last_seq=3)

    def test_entries_are_in_order_and_once(self) -> None:
        for seq in (5, 4, 6, 5):
            self.buffer.add_entry(entry(seq))
        self.assertEqual(texts(self.buffer), ["text 4", "text 5", "text 6"])
        self.assertEqual((self.buffer.first_seq, self.buffer.last_seq), (4, 6))

    def test_a_notice_is_placed_after_the_last_entry_of_its_time(self) -> None:
        self.buffer.append(BufferLine("notice", "a note"))
        for seq in (4, 2, 3):
            self.buffer.add_entry(entry(seq))
        self.assertEqual(texts(self.buffer), ["text 2", "text 3", "a note", "text 4"])

    def test_a_message_being_sent_is_last_until_it_has_a_seq(self) -> None:
        line = self.buffer.append(BufferLine("message", "mine", usr="ann", state="sending"))
        self.buffer.add_entry(entry(4))
        self.buffer.add_entry(entry(6))
        self.assertEqual(texts(self.buffer)[-1], "mine")
        self.buffer.finish_sending(line, 5, state="")
        self.assertEqual(texts(self.buffer), ["text 4", "mine", "text 6"])
        self.assertEqual(self.buffer.lines[1].number, line.number)

    def test_an_own_message_that_arrived_with_the_history_is_shown_once(self) -> None:
        line = self.buffer.append(BufferLine("message", "mine", usr="ann", state="sending"))
        self.buffer.add_entry(BufferLine("message", "mine", usr="ann", seq=4))
        self.buffer.finish_sending(line, 4, state="")
        self.assertEqual(texts(self.buffer), ["mine"])

    def test_a_failed_message_stays_after_the_entries_before_it(self) -> None:
        line = self.buffer.append(BufferLine("message", "mine", usr="ann", state="sending"))
        self.buffer.add_entry(entry(4))
        self.buffer.finish_sending(line, state="failed", error="no")
        self.buffer.add_entry(entry(5))
        self.assertEqual(texts(self.buffer), ["text 4", "mine", "text 5"])

    def test_clear_keeps_messages_being_sent(self) -> None:
        self.buffer.add_entry(entry(4))
        self.buffer.append(BufferLine("message", "mine", usr="ann", state="sending"))
        self.buffer.clear()
        self.assertEqual(texts(self.buffer), ["mine"])
        self.assertTrue(self.buffer.add_entry(entry(4)))

    def test_clear_forgets_how_far_the_room_was_read(self) -> None:
        self.buffer.read_seq = 3
        self.buffer.clear()
        self.assertEqual((self.buffer.read_seq, self.buffer.last_seq), (0, 0))

    def test_old_lines_are_removed_but_not_while_scrolled_back(self) -> None:
        for seq in range(1, 2 * MAX_LINES):
            self.buffer.add_entry(entry(seq))
        self.buffer.complete = self.buffer.scrolled_back = True
        self.buffer.trim()
        self.assertEqual(len(self.buffer.lines), 2 * MAX_LINES - 1)
        self.buffer.scrolled_back = False
        self.buffer.trim()
        self.assertEqual((len(self.buffer.lines), self.buffer.first_seq), (MAX_LINES, MAX_LINES))
        self.assertFalse(self.buffer.complete)


class UnreadTests(SynchronousTestCase):
    def test_the_mark_is_before_the_first_unread_message(self) -> None:
        buffer = Buffer("garden")
        for seq in (1, 2):
            line = entry(seq)
            buffer.add_entry(line)
            buffer.count_unread(line)
        self.assertEqual((buffer.unread, buffer.new_from), (2, buffer.lines[0].number))
        buffer.mark_seen()
        self.assertEqual((buffer.unread, buffer.new_from), (0, buffer.lines[0].number))
        buffer.hide()
        self.assertEqual(buffer.new_from, 0)

    def test_the_mark_after_loading_counts_messages_of_others(self) -> None:
        buffer = Buffer("garden", unread=2)
        for seq, usr in ((1, "bob"), (2, "bob"), (3, "ann"), (4, "bob")):
            buffer.add_entry(entry(seq, usr))
        buffer.mark_unread("ann")
        self.assertEqual(buffer.new_from, buffer.lines[1].number)


class MentionTests(SynchronousTestCase):
    def test_a_mention_is_a_whole_word_in_any_case(self) -> None:
        for text in ("hi ann", "Ann: look", "@ANN!", "ann"):
            self.assertTrue(mentions(text, "ann"), text)
        for text in ("annual", "joann", "an n"):
            self.assertFalse(mentions(text, "ann"), text)
        self.assertFalse(mentions("anything", ""))

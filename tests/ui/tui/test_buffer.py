"""A conversation: entries in the order of their seq, what has none where it came."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.ui.tui.buffer import LINES_MOST, Line, Talk, mentions


def entry(seq: int, usr: str = "bob") -> Line:
    return Line("said", f"text {seq}", usr=usr, seq=seq)


def texts(talk: Talk) -> list[str]:
    return [line.text for line in talk.lines]


class OrderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.talk = Talk("garden", tip=3)

    def test_entries_stand_in_the_order_of_their_seq_and_once(self) -> None:
        for seq in (5, 4, 6, 5):
            self.talk.add(entry(seq))
        self.assertEqual(texts(self.talk), ["text 4", "text 5", "text 6"])
        self.assertEqual((self.talk.first, self.talk.tip), (4, 6))

    def test_a_note_stands_behind_what_was_said_before_it_was_made(self) -> None:
        self.talk.put(Line("note", "a note"))
        for seq in (4, 2, 3):
            self.talk.add(entry(seq))
        self.assertEqual(texts(self.talk), ["text 2", "text 3", "a note", "text 4"])

    def test_what_is_being_sent_stands_last_until_it_has_its_place(self) -> None:
        line = self.talk.put(Line("said", "mine", usr="ann", state="sending"))
        self.talk.add(entry(4))
        self.talk.add(entry(6))
        self.assertEqual(texts(self.talk)[-1], "mine")
        self.talk.settle(line, 5, state="")
        self.assertEqual(texts(self.talk), ["text 4", "mine", "text 6"])
        self.assertEqual(self.talk.lines[1].number, line.number)

    def test_a_message_that_came_with_the_history_meanwhile_is_shown_once(self) -> None:
        line = self.talk.put(Line("said", "mine", usr="ann", state="sending"))
        self.talk.add(Line("said", "mine", usr="ann", seq=4))
        self.talk.settle(line, 4, state="")
        self.assertEqual(texts(self.talk), ["mine"])

    def test_a_message_that_failed_stays_behind_what_was_said(self) -> None:
        line = self.talk.put(Line("said", "mine", usr="ann", state="sending"))
        self.talk.add(entry(4))
        self.talk.settle(line, state="failed", why="no")
        self.talk.add(entry(5))
        self.assertEqual(texts(self.talk), ["text 4", "mine", "text 5"])

    def test_another_log_takes_the_place_of_the_old_one(self) -> None:
        self.talk.add(entry(4))
        self.talk.put(Line("said", "mine", usr="ann", state="sending"))
        self.talk.clear()
        self.assertEqual(texts(self.talk), ["mine"])
        self.assertTrue(self.talk.add(entry(4)))

    def test_old_lines_of_many_are_forgotten_but_not_while_they_are_read(self) -> None:
        for seq in range(1, 2 * LINES_MOST):
            self.talk.add(entry(seq))
        self.talk.complete = self.talk.held = True
        self.talk.trim()
        self.assertEqual(len(self.talk.lines), 2 * LINES_MOST - 1)
        self.talk.held = False
        self.talk.trim()
        self.assertEqual((len(self.talk.lines), self.talk.first), (LINES_MOST, LINES_MOST))
        self.assertFalse(self.talk.complete)


class NewTests(SynchronousTestCase):
    def test_the_mark_stands_before_the_first_that_came(self) -> None:
        talk = Talk("garden")
        for seq in (1, 2):
            line = entry(seq)
            talk.add(line)
            talk.came(line)
        self.assertEqual((talk.unread, talk.new_from), (2, talk.lines[0].number))
        talk.seen()
        self.assertEqual((talk.unread, talk.new_from), (0, talk.lines[0].number))
        talk.gone_from()
        self.assertEqual(talk.new_from, 0)

    def test_the_mark_of_what_was_missed_counts_what_others_said(self) -> None:
        talk = Talk("garden", unread=2)
        for seq, usr in ((1, "bob"), (2, "bob"), (3, "ann"), (4, "bob")):
            talk.add(entry(seq, usr))
        talk.mark_missed("ann")
        self.assertEqual(talk.new_from, talk.lines[1].number)


class MentionTests(SynchronousTestCase):
    def test_a_name_is_a_word_of_its_own_in_any_case(self) -> None:
        for text in ("hi ann", "Ann: look", "@ANN!", "ann"):
            self.assertTrue(mentions(text, "ann"), text)
        for text in ("annual", "joann", "an n"):
            self.assertFalse(mentions(text, "ann"), text)
        self.assertFalse(mentions("anything", ""))

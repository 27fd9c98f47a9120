"""Completion and the lines that were typed before."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.ui.tui.editing import Completion, History, Vocabulary, candidates

WORDS = Vocabulary(("Bob", "bodo", "eve"), ("Bob", "zoe"), ("garden", "my den", "gate"))


class CompletionTests(SynchronousTestCase):
    def whole(self, text: str) -> list[str]:
        """What a line that ends at the cursor could be."""
        return [line for line, _ in candidates(text, len(text), WORDS)]

    def test_commands(self) -> None:
        self.assertEqual(self.whole("/cr"), ["/create ", "/create-private "])
        self.assertEqual(self.whole("/nothing"), [])

    def test_rooms_where_a_command_wants_one(self) -> None:
        self.assertEqual(self.whole("/join g"), ["/join garden", "/join gate"])
        self.assertEqual(self.whole("/join my d"), ["/join my den"])
        self.assertEqual(self.whole("/invite eve G"), ["/invite eve garden", "/invite eve gate"])

    def test_people_where_a_command_wants_one(self) -> None:
        self.assertEqual(self.whole("/whisper b"), ["/whisper Bob ", "/whisper bodo "])
        self.assertEqual(self.whole("/block z"), ["/block zoe"])

    def test_names_in_a_command_s_text(self) -> None:
        self.assertEqual(self.whole("/whisper eve ask bo")[0], "/whisper eve ask Bob ")

    def test_a_command_that_takes_nothing(self) -> None:
        self.assertEqual(self.whole("/ping x"), [])
        self.assertEqual(self.whole("/help cr"), ["/help create", "/help create-private"])

    def test_names_at_the_beginning_of_a_message_address_somebody(self) -> None:
        self.assertEqual(self.whole("ev"), ["eve: "])
        self.assertEqual(self.whole("and ev"), ["and eve "])

    def test_rooms_in_a_message(self) -> None:
        self.assertEqual(self.whole("see #ga"), ["see #garden ", "see #gate "])

    def test_what_is_behind_the_cursor_stays(self) -> None:
        self.assertEqual(candidates("ev, hi", 2, WORDS), [("eve: , hi", 5)])

    def test_again_and_again_it_goes_through_all_and_back(self) -> None:
        completion = Completion()
        at: tuple[str, int] | None = ("b", 1)
        seen = []
        for step in (1, 1, 1, -1):
            at = completion.complete(*at, WORDS, step)
            assert at is not None
            seen.append(at[0])
        self.assertEqual(seen, ["Bob: ", "bodo: ", "Bob: ", "bodo: "])

    def test_nothing_fits(self) -> None:
        self.assertIsNone(Completion().complete("qu", 2, WORDS))


class HistoryTests(SynchronousTestCase):
    def test_up_and_down(self) -> None:
        history = History()
        for line in ("one", "two", "two"):
            history.add(line)
        self.assertEqual(history.older("draft"), "two")
        self.assertEqual(history.older("two"), "one")
        self.assertEqual(history.older("one"), "one")
        self.assertEqual(history.newer("one"), "two")
        self.assertEqual(history.newer("two"), "draft")
        self.assertEqual(history.newer("draft"), "draft")

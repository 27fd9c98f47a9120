"""Completion and input history."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.ui.tui.editing import Completion, CompletionWords, InputHistory, candidates

WORDS = CompletionWords(("Bob", "bodo", "eve"), ("Bob", "zoe"), ("garden", "my den", "gate"))


class CompletionTests(SynchronousTestCase):
    def lines(self, text: str) -> list[str]:
        """Return the completions of a line with the cursor at its end."""
        return [line for line, _ in candidates(text, len(text), WORDS)]

    def test_commands(self) -> None:
        self.assertEqual(self.lines("/cr"), ["/create ", "/create-private "])
        self.assertEqual(self.lines("/nothing"), [])

    def test_aliases_of_commands(self) -> None:
        self.assertEqual(self.lines("/ms"), ["/msg "])
        self.assertEqual(self.lines("/msg z"), ["/msg zoe "])

    def test_rooms_where_a_command_takes_one(self) -> None:
        self.assertEqual(self.lines("/join g"), ["/join garden", "/join gate"])
        self.assertEqual(self.lines("/join my d"), ["/join my den"])
        self.assertEqual(self.lines("/invite eve G"), ["/invite eve garden", "/invite eve gate"])

    def test_users_where_a_command_takes_one(self) -> None:
        self.assertEqual(self.lines("/whisper b"), ["/whisper Bob ", "/whisper bodo "])
        self.assertEqual(self.lines("/block z"), ["/block zoe"])

    def test_names_in_the_text_of_a_command(self) -> None:
        self.assertEqual(self.lines("/whisper eve ask bo")[0], "/whisper eve ask Bob ")

    def test_a_command_without_names(self) -> None:
        self.assertEqual(self.lines("/ping x"), [])
        self.assertEqual(self.lines("/help cr"), ["/help create", "/help create-private"])

    def test_a_name_at_the_start_of_a_message_gets_a_colon(self) -> None:
        self.assertEqual(self.lines("ev"), ["eve: "])
        self.assertEqual(self.lines("and ev"), ["and eve "])

    def test_rooms_in_a_message(self) -> None:
        self.assertEqual(self.lines("see #ga"), ["see #garden ", "see #gate "])

    def test_text_after_the_cursor_is_kept(self) -> None:
        self.assertEqual(candidates("ev, hi", 2, WORDS), [("eve: , hi", 5)])

    def test_repeated_it_goes_through_all_candidates_and_back(self) -> None:
        completion = Completion()
        at: tuple[str, int] | None = ("b", 1)
        seen = []
        for step in (1, 1, 1, -1):
            at = completion.complete(*at, WORDS, step)
            assert at is not None
            seen.append(at[0])
        self.assertEqual(seen, ["Bob: ", "bodo: ", "Bob: ", "bodo: "])

    def test_no_candidate(self) -> None:
        self.assertIsNone(Completion().complete("qu", 2, WORDS))


class InputHistoryTests(SynchronousTestCase):
    def test_up_and_down(self) -> None:
        history = InputHistory()
        for line in ("one", "two", "two"):
            history.add(line)
        self.assertEqual(history.older("draft"), "two")
        self.assertEqual(history.older("two"), "one")
        self.assertEqual(history.older("one"), "one")
        self.assertEqual(history.newer("one"), "two")
        self.assertEqual(history.newer("two"), "draft")
        self.assertEqual(history.newer("draft"), "draft")

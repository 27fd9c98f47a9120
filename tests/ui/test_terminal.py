"""The terminal: nothing that others wrote acts on it; lines come from pipes and terminals."""

from __future__ import annotations

import io
import os
import pty
import termios

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.ui.terminal import LINE_MOST, LINES_MOST, Input, Lines, Screen, visible


class VisibleTests(SynchronousTestCase):
    def test_every_control_is_an_escape(self) -> None:  # C16
        for number in (*range(0x09), *range(0x0A, 0x20), *range(0x7F, 0xA0)):
            self.assertEqual(visible(chr(number)), f"\\x{number:02x}")

    def test_escape_sequences_do_nothing(self) -> None:  # E14
        self.assertEqual(visible("\x1b]0;owned\x07\x9b2J"), "\\x1b]0;owned\\x07\\x9b2J")

    def test_what_turns_the_order_of_reading_is_an_escape(self) -> None:  # C15
        for character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c":
            self.assertEqual(visible(character), f"\\u{ord(character):04x}")

    def test_separators_of_lines_and_invisible_signs_are_escapes(self) -> None:
        self.assertEqual(
            visible("\u2028\u2029\ufeff\u200b\U000e0041"),
            visible("\u2028") + "\\u2029\\ufeff\\u200b\\U000e0041",
        )

    def test_a_tab_is_spaces(self) -> None:
        self.assertEqual(visible("a\tb"), "a    b")

    def test_what_people_write_stays(self) -> None:
        for text in (
            "héllo wörld",
            "日本語",
            "שלום",
            "👩\u200d👩\u200d👧",
            "می\u200cخواهم",
            "a\\x1b",
        ):
            self.assertEqual(visible(text), text)


class ScreenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.output, self.errors = io.StringIO(), io.StringIO()
        self.broken = 0

    def screen(self, colours: bool) -> Screen:
        return Screen(self.output, self.errors, colours, self._break)

    def _break(self) -> None:
        self.broken += 1

    def test_without_colours_there_is_no_escape(self) -> None:
        screen = self.screen(False)
        screen.show(screen.paint("hi", "bold"))
        screen.complain("oh")
        self.assertEqual((self.output.getvalue(), self.errors.getvalue()), ("hi\n", "oh\n"))

    def test_a_style_ends_with_its_text(self) -> None:
        self.assertEqual(self.screen(True).paint("hi", "bold"), "\x1b[1mhi\x1b[0m")

    def test_an_output_that_nobody_reads_is_noticed(self) -> None:
        def write(text: str) -> int:
            raise BrokenPipeError

        self.output.write = write
        self.screen(False).show("hi")
        self.assertEqual(self.broken, 1)


class FakeReactor:
    """Reads when it is told."""

    def __init__(self) -> None:
        self.readers: list[Input] = []
        self.addReader = self.readers.append
        self.removeReader = self.readers.remove


class InputTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.source, self.target = os.pipe()
        self.addCleanup(os.close, self.source)
        self.reactor = FakeReactor()
        self.got: list[bytes | None] = []
        self.input = Input(self.source, self.reactor, self.got.append, self._end)
        self.input.resume()

    def _end(self) -> None:
        self.got.append(None)

    def write(self, data: bytes) -> None:
        os.write(self.target, data)
        self.input.doRead()

    def test_lines_are_put_together(self) -> None:
        self.write(b"one\ntw")
        self.write(b"o\r\nthree")
        self.assertEqual(self.got, [b"one", b"two"])
        os.close(self.target)
        self.input.doRead()
        self.assertEqual(self.got[2:], [b"three", None])
        self.assertEqual(self.reactor.readers, [])

    def test_a_pipe_that_hangs_up_is_at_its_end(self) -> None:
        os.close(self.target)
        self.input.connectionLost(None)
        self.input.connectionLost(None)
        self.assertEqual(self.got, [None])

    def test_a_line_without_end_does_not_grow_for_ever(self) -> None:
        self.addCleanup(os.close, self.target)
        while not self.got:
            self.write(b"x" * 65_536)
        self.assertTrue(len(self.got[0] or b"") <= LINE_MOST + 65_536)

    def test_more_lines_than_are_taken_are_not_read(self) -> None:
        self.addCleanup(os.close, self.target)
        lines = Lines()
        lines.input = self.input
        for _ in range(LINES_MOST):
            lines.put(b"x")
        self.assertEqual(self.reactor.readers, [])
        for _ in range(LINES_MOST):
            self.successResultOf(Deferred.fromCoroutine(lines.next()))
        self.assertEqual(self.reactor.readers, [self.input])

    def test_a_pipe_has_no_echo_to_switch(self) -> None:
        self.addCleanup(os.close, self.target)
        self.input.echo(False)


class EchoTests(SynchronousTestCase):
    def test_a_terminal_does_not_show_a_password_and_shows_the_rest(self) -> None:
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        terminal = Input(theirs, FakeReactor(), lambda line: None, lambda: None)
        before = termios.tcgetattr(theirs)
        terminal.echo(False)
        self.assertFalse(termios.tcgetattr(theirs)[3] & termios.ECHO)
        terminal.echo(True)
        self.assertEqual(termios.tcgetattr(theirs), before)

"""The terminal: control characters are escaped; lines are read from pipes and terminals."""

from __future__ import annotations

import io
import os
import pty
import termios

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.ui.terminal import (
    MAX_LINE_BYTES,
    MAX_WAITING_LINES,
    LineQueue,
    LineReader,
    TerminalOutput,
    escape_controls,
)


class EscapeTests(SynchronousTestCase):
    def test_every_control_is_escaped(self) -> None:  # C16
        for number in (*range(0x09), *range(0x0A, 0x20), *range(0x7F, 0xA0)):
            self.assertEqual(escape_controls(chr(number)), f"\\x{number:02x}")

    def test_escape_sequences_are_escaped(self) -> None:  # E14
        self.assertEqual(escape_controls("\x1b]0;owned\x07\x9b2J"), "\\x1b]0;owned\\x07\\x9b2J")

    def test_bidirectional_controls_are_escaped(self) -> None:  # C15
        for character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c":
            self.assertEqual(escape_controls(character), f"\\u{ord(character):04x}")

    def test_separators_and_invisible_characters_are_escaped(self) -> None:
        self.assertEqual(
            escape_controls("\u2028\u2029\ufeff\u200b\U000e0041"),
            escape_controls("\u2028") + "\\u2029\\ufeff\\u200b\\U000e0041",
        )

    def test_a_tab_becomes_spaces(self) -> None:
        self.assertEqual(escape_controls("a\tb"), "a    b")

    def test_ordinary_text_is_unchanged(self) -> None:
        for text in (
            "héllo wörld",
            "日本語",
            "שלום",
            "👩\u200d👩\u200d👧",
            "می\u200cخواهم",
            "a\\x1b",
        ):
            self.assertEqual(escape_controls(text), text)


class OutputTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.output, self.errors = io.StringIO(), io.StringIO()
        self.broken = 0

    def make(self, colors: bool) -> TerminalOutput:
        return TerminalOutput(self.output, self.errors, colors, self._break)

    def _break(self) -> None:
        self.broken += 1

    def test_without_colors_there_is_no_escape_sequence(self) -> None:
        output = self.make(False)
        output.show(output.paint("hi", "bold"))
        output.show_error("oh")
        self.assertEqual((self.output.getvalue(), self.errors.getvalue()), ("hi\n", "oh\n"))

    def test_a_style_ends_with_its_text(self) -> None:
        self.assertEqual(self.make(True).paint("hi", "bold"), "\x1b[1mhi\x1b[0m")

    def test_a_broken_pipe_is_reported(self) -> None:
        def write(text: str) -> int:
            raise BrokenPipeError

        self.output.write = write
        self.make(False).show("hi")
        self.assertEqual(self.broken, 1)


class FakeReactor:
    """Records what it should read."""

    def __init__(self) -> None:
        self.readers: list[LineReader] = []
        self.addReader = self.readers.append
        self.removeReader = self.readers.remove


class LineReaderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.source, self.target = os.pipe()
        self.addCleanup(os.close, self.source)
        self.reactor = FakeReactor()
        self.got: list[bytes | None] = []
        self.input = LineReader(self.source, self.reactor, self.got.append, self._end)
        self.input.resume()

    def _end(self) -> None:
        self.got.append(None)

    def write(self, data: bytes) -> None:
        os.write(self.target, data)
        self.input.doRead()

    def test_lines_are_assembled(self) -> None:
        self.write(b"one\ntw")
        self.write(b"o\r\nthree")
        self.assertEqual(self.got, [b"one", b"two"])
        os.close(self.target)
        self.input.doRead()
        self.assertEqual(self.got[2:], [b"three", None])
        self.assertEqual(self.reactor.readers, [])

    def test_a_closed_pipe_ends_once(self) -> None:
        os.close(self.target)
        self.input.connectionLost(None)
        self.input.connectionLost(None)
        self.assertEqual(self.got, [None])

    def test_a_line_without_end_is_split(self) -> None:
        self.addCleanup(os.close, self.target)
        while not self.got:
            self.write(b"x" * 65_536)
        self.assertTrue(len(self.got[0] or b"") <= MAX_LINE_BYTES + 65_536)

    def test_reading_pauses_while_too_many_lines_wait(self) -> None:
        self.addCleanup(os.close, self.target)
        lines = LineQueue()
        lines.reader = self.input
        for _ in range(MAX_WAITING_LINES):
            lines.put(b"x")
        self.assertEqual(self.reactor.readers, [])
        for _ in range(MAX_WAITING_LINES):
            self.successResultOf(Deferred.fromCoroutine(lines.next()))
        self.assertEqual(self.reactor.readers, [self.input])

    def test_echo_does_nothing_for_a_pipe(self) -> None:
        self.addCleanup(os.close, self.target)
        self.input.echo(False)


class EchoTests(SynchronousTestCase):
    def test_echo_is_switched_off_and_restored(self) -> None:
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        terminal = LineReader(theirs, FakeReactor(), lambda line: None, lambda: None)
        before = termios.tcgetattr(theirs)
        terminal.echo(False)
        self.assertFalse(termios.tcgetattr(theirs)[3] & termios.ECHO)
        terminal.echo(True)
        self.assertEqual(termios.tcgetattr(theirs), before)

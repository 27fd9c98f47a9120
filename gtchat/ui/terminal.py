"""A terminal, or the pipe in its place: reading lines, and printing lines that are safe.

Text of other users must pass through `escape_controls` before it is printed.
"""

from __future__ import annotations

import os
import sys
import termios
import unicodedata
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

#: Maximum length in bytes of a line; a longer one is split.
MAX_LINE_BYTES = 1_048_576
#: Lines that wait, beyond which reading pauses.
MAX_WAITING_LINES = 100
#: Zero-width non-joiner and joiner: scripts and emoji need them, and they are harmless.
_JOINERS = frozenset("\u200c\u200d")
#: Style -> parameter of an SGR sequence (ECMA-48).
_STYLES = {"dim": "2", "bold": "1", "room": "36", "direct": "35", "error": "31"}
#: Controls, format characters, surrogates, line and paragraph separators (Unicode, chapter 4.5).
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def escape_controls(text: str) -> str:
    """Return a text that can neither control a terminal nor change the reading order.

    Controls (C0, C1, ESC), bidirectional and other format characters and line separators are
    replaced by escapes such as `\\x1b` and `\\u202e`; a tab is replaced by spaces. A newline is
    escaped too: split a text of several lines first.
    """
    return "".join(map(_escape, text)) if not text.isprintable() else text


def _escape(character: str) -> str:
    if character == "\t":
        return "    "
    if character in _JOINERS or unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def supports_full_screen(environ: Mapping[str, str]) -> bool:
    """Return whether stdin and stdout are a terminal that can address its rows and columns."""
    streams = (sys.stdin, sys.stdout)
    if not all(stream is not None and stream.isatty() for stream in streams):
        return False
    return environ.get("TERM", "") not in ("", "dumb", "unknown")


class TerminalOutput:
    """Prints lines.

    Args:
        output: stream for lines.
        errors: stream for error messages.
        colors: whether to use colors and styles.
        broken: called when the reader of a pipe is gone.
    """

    def __init__(
        self, output: TextIO, errors: TextIO, colors: bool, broken: Callable[[], None]
    ) -> None:
        self._output = output
        self._errors = errors
        self._colors = colors
        self._broken = broken

    def paint(self, text: str, style: str) -> str:
        """Return a text in a style.

        Args:
            text: without control characters.
            style: `dim`, `bold`, `room`, `direct` or `error`.
        """
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colors else text

    def show(self, line: str) -> None:
        """Print a line without control characters of others."""
        self._write(self._output, line + "\n")

    def show_error(self, line: str) -> None:
        """Print an error message without control characters of others."""
        self._write(self._errors, self.paint(line, "error") + "\n")

    def prompt(self, text: str) -> None:
        """Print a question; the answer is typed on the same line."""
        self._write(self._output, text)

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except BrokenPipeError:
            self._broken()


@implementer(IReadDescriptor)
class LineReader:
    """Reads lines from a terminal, a pipe or a file; the descriptor stays in blocking mode.

    Args:
        descriptor: file descriptor to read.
        reactor: Twisted's reactor.
        line: called with each line, without its end.
        end: called after the last line.

    Attributes:
        is_terminal: whether it is a terminal.
    """

    def __init__(
        self,
        descriptor: int,
        reactor: Any,
        line: Callable[[bytes], None],
        end: Callable[[], None],
    ) -> None:
        self.is_terminal = os.isatty(descriptor)
        self._descriptor = descriptor
        self._reactor = reactor
        self._line = line
        self._end = end
        self._rest = b""
        self._reading = False
        self._ended = False
        self._attributes: list[Any] | None = None

    def resume(self) -> None:
        """Start to read, or go on."""
        if not self._ended and not self._reading:
            self._reading = True
            self._reactor.addReader(self)

    def pause(self) -> None:
        """Stop reading until `resume` is called."""
        if self._reading:
            self._reading = False
            self._reactor.removeReader(self)

    def echo(self, on: bool) -> None:
        """Switch the terminal's echo of typed characters; without a terminal do nothing."""
        if not self.is_terminal:
            return
        if self._attributes is None:
            self._attributes = termios.tcgetattr(self._descriptor)
        attributes = list(self._attributes)
        if not on:
            attributes[3] &= ~termios.ECHO
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, attributes)

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "input"

    def doRead(self) -> None:
        try:
            data = os.read(self._descriptor, 65_536)
        except OSError:
            data = b""
        if not data:
            self._finish()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._line(line.removesuffix(b"\r"))

    def connectionLost(self, reason: Any) -> None:
        """Handle the end of the pipe, or of the reactor."""
        self._finish()

    def _finish(self) -> None:
        self.pause()
        if self._ended:
            return
        self._ended = True
        if self._rest:
            self._line(self._rest)
        self._end()


class LineQueue:
    """Lines that were read and wait to be executed.

    Attributes:
        reader: paused while too many lines wait; None until it is set.
    """

    def __init__(self) -> None:
        self.reader: LineReader | None = None
        self._lines: deque[bytes] = deque()
        self._ended = False
        self._waiting: Deferred[None] | None = None

    def put(self, line: bytes) -> None:
        """Append a line."""
        self._lines.append(line)
        if len(self._lines) >= MAX_WAITING_LINES and self.reader is not None:
            self.reader.pause()
        self._wake()

    def end(self) -> None:
        """Note that no more lines follow."""
        self._ended = True
        self._wake()

    def abandon(self) -> None:
        """Drop all lines that wait, and end."""
        self._lines.clear()
        self.end()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def next(self) -> bytes | None:
        """Wait for the next line and return it; None after the last one."""
        while not self._lines:
            if self._ended:
                return None
            self._waiting = Deferred()
            await self._waiting
        line = self._lines.popleft()
        if self.reader is not None and not self._lines:
            self.reader.resume()
        return line

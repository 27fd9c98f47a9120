"""A person's terminal, or what stands for it in a pipe: lines in, safe lines out.

Nothing that others wrote reaches a terminal as a control character.
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

#: Bytes of a line beyond which it is not read.
LINE_MOST = 1_048_576
#: Lines that wait, beyond which no more are read for a while.
LINES_MOST = 100
#: Zero-width joiners, which scripts and emoji need and which do no harm.
_JOINERS = frozenset("\u200c\u200d")
_STYLES = {"dim": "2", "bold": "1", "room": "36", "whisper": "35", "error": "31"}


def visible(text: str) -> str:
    """A text with everything visible that could act on a terminal or change the order of reading.

    Controls (C0, C1, ESC), bidirectional and other format characters and line separators become
    escapes such as `\\x1b` and `\\u202e`; a tab becomes spaces. A newline becomes one as well: who
    shows several lines splits first.
    """
    return "".join(map(_visible, text)) if not text.isprintable() else text


def _visible(character: str) -> str:
    if character == "\t":
        return "    "
    if character in _JOINERS or unicodedata.category(character) not in _UNSAFE:
        return character
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


#: Controls, format characters, surrogates, line and paragraph separators (Unicode, chapter 4.5).
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def takes_a_screen(environ: Mapping[str, str]) -> bool:
    """Whether there is a terminal, at both ends, on all of which can be drawn."""
    streams = (sys.stdin, sys.stdout)
    if not all(stream is not None and stream.isatty() for stream in streams):
        return False
    return environ.get("TERM", "") not in ("", "dumb", "unknown")


class Screen:
    """Where lines are shown.

    Args:
        output, errors: streams. colours: whether to colour.
        broken: called when nobody reads the output any more.
    """

    def __init__(
        self, output: TextIO, errors: TextIO, colours: bool, broken: Callable[[], None]
    ) -> None:
        self._output = output
        self._errors = errors
        self._colours = colours
        self._broken = broken

    def paint(self, text: str, style: str) -> str:
        """A text in a style: `dim`, `bold`, `room`, `whisper`, `error`."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colours else text

    def show(self, line: str) -> None:
        """Show a line that is safe."""
        self._write(self._output, line + "\n")

    def complain(self, line: str) -> None:
        """Show, among the errors, a line that is safe."""
        self._write(self._errors, self.paint(line, "error") + "\n")

    def prompt(self, text: str) -> None:
        """Ask for something; the answer is typed behind it."""
        self._write(self._output, text)

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except BrokenPipeError:
            self._broken()


@implementer(IReadDescriptor)
class Input:
    """Lines from a terminal, a pipe or a file. The descriptor is left as it is, blocking.

    Args:
        descriptor: of the file. reactor: Twisted's.
        line: called with each line, without its end. end: called behind the last one.
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
        self._over = False
        self._attributes: list[Any] | None = None

    def resume(self) -> None:
        """Read."""
        if not self._over and not self._reading:
            self._reading = True
            self._reactor.addReader(self)

    def pause(self) -> None:
        """Read no more, until `resume`."""
        if self._reading:
            self._reading = False
            self._reactor.removeReader(self)

    def echo(self, on: bool) -> None:
        """Show what is typed, or do not. It does nothing where there is no terminal."""
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
        if len(self._rest) > LINE_MOST:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._line(line.removesuffix(b"\r"))

    def connectionLost(self, reason: Any) -> None:
        """Nobody writes to the pipe any more, or the reactor stops."""
        self._finish()

    def _finish(self) -> None:
        self.pause()
        if self._over:
            return
        self._over = True
        if self._rest:
            self._line(self._rest)
        self._end()


class Lines:
    """Lines that were typed, in their order, with room for those that wait."""

    def __init__(self) -> None:
        self.input: Input | None = None
        self._lines: deque[bytes] = deque()
        self._ended = False
        self._waiting: Deferred[None] | None = None

    def put(self, line: bytes) -> None:
        """A line was typed."""
        self._lines.append(line)
        if len(self._lines) >= LINES_MOST and self.input is not None:
            self.input.pause()
        self._wake()

    def end(self) -> None:
        """There are no more."""
        self._ended = True
        self._wake()

    def abandon(self) -> None:
        """Those that wait are not wanted any more."""
        self._lines.clear()
        self.end()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def next(self) -> bytes | None:
        """The next line; None behind the last."""
        while not self._lines:
            if self._ended:
                return None
            self._waiting = Deferred()
            await self._waiting
        line = self._lines.popleft()
        if self.input is not None and not self._lines:
            self.input.resume()
        return line

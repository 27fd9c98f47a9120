"""Administrative commands at the consoles of a server: their lines, and those of `gtchat admin`."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.background import Progress, no_progress
from gtchat.chat.errors import BadRequest, ChatError, TooLong
from gtchat.server.admin.arguments import check_arguments, read_words
from gtchat.server.admin.command import Channel
from gtchat.server.admin.commands import AdminCommands, help_output, require_found
from gtchat.server.admin.output import NARROW, Output
from gtchat.server.admin.socket import MAX_REPLY, decode_request, encode_progress, encode_reply

#: Seconds after which progress is written that is none, so that the client goes on waiting.
SILENCE_S = 10


class AdminLines:
    """Runs lines of consoles.

    Args:
        commands: runs administrative commands.
        seconds: returns monotonic seconds.
    """

    def __init__(self, commands: AdminCommands, seconds: Callable[[], float]) -> None:
        self._commands = commands
        self._seconds = seconds

    async def answer(self, line: bytes, write: Callable[[bytes], None]) -> bytes:
        """Return the reply to a request of `gtchat admin`; see `admin.socket`.

        Args:
            line: the request.
            write: writes lines before the reply.
        """
        result: Output | ChatError
        try:
            request = decode_request(line)
            result = await self._commands.call(
                AT_CONSOLE,
                Channel.CONSOLE,
                request.name,
                request.args,
                self._progress(write) if request.progress else no_progress,
            )
        except ChatError as error:
            result = error
        reply = encode_reply(result)
        if len(reply) > MAX_REPLY:  # the client reads no more
            return encode_reply(TooLong("The result is too long: ask for fewer with --limit."))
        return reply

    def _progress(self, write: Callable[[bytes], None]) -> Progress:
        """Return what writes how far a command is: each percent, and whenever it was silent."""
        shown, at = -1, self._seconds()

        def report(done: int, total: int) -> None:
            nonlocal shown, at
            percent, now = 100 * done // max(total, 1), self._seconds()
            if percent != shown or now - at >= SILENCE_S:
                shown, at = percent, now
                write(encode_progress(done, total))

        return report

    async def run(self, line: str, screen: bool) -> str:
        """Run a line of the host console, without its first word. Return what it shows.

        Args:
            line: the line.
            screen: whether it is on a terminal, where what cannot be undone wants `--yes`.

        Raises:
            ChatError: the command has failed, or cannot be given there.
        """
        words = _split(line)
        if not words or words[0].lower() == "help":
            listed = help_output(Channel.HOST, words[1:])
            return f"Commands, behind the word ADMIN:\n{listed.text}"
        command, rest = require_found(words)
        if command.secret is not None:
            raise BadRequest(f"The password would be seen here: use gtchat admin {command.name}.")
        arguments = read_words(command.arguments, rest)
        values = check_arguments(command.arguments, arguments, 0)
        if screen and (question := command.find_question(values)):
            raise BadRequest(f"{question} If so, add --yes.")
        output = await self._commands.call(AT_CONSOLE, Channel.HOST, command.name, arguments)
        return output.fitted(NARROW) if screen else output.text


def _split(line: str) -> list[str]:
    """Return the words of a line; quotation marks group them if they are in pairs."""
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()

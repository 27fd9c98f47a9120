"""The commands of a client that is called back: Message Center's and PA1's.

They come on many short connections. They run in the order of their arrival, at the rate of the
account (`CommandQueue`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime

from gtchat.chat.chat import Chat
from gtchat.chat.errors import ChatError, RateLimited
from gtchat.protocols.base.command_queue import CommandQueue
from gtchat.protocols.base.text import split_text

#: Seconds in which a client is told once that it sends too fast: each time is a call to it.
REFUSAL_PAUSE = 1.0


@attrs.frozen(eq=False)
class DialbackCommand:
    """A command of a client.

    Attributes:
        run: runs it.
        done: is called when it has run, or will not.
    """

    run: Callable[[], Coroutine[Any, Any, None]]
    done: Callable[[], None]


class DialbackCommands:
    """The commands of one client.

    Args:
        chat: the chat.
        clock: monotonic time in seconds.
        refuse: tells the client why a command was refused.

    Attributes:
        queue: those that wait.
    """

    def __init__(
        self, chat: Chat, clock: IReactorTime, refuse: Callable[[ChatError], None]
    ) -> None:
        self._chat = chat
        self._clock = clock
        self._refuse = refuse
        self.queue = CommandQueue[DialbackCommand](self, chat)
        self._refused_at = -math.inf

    def submit(
        self, run: Callable[[], Coroutine[Any, Any, None]], done: Callable[[], None]
    ) -> RateLimited | None:
        """Run a command when those before it have run; return why not if that is too fast.

        Args:
            run: runs the command.
            done: is called when it has run, or will not.
        """
        if self.queue.closed:
            done()
            return None
        refusal = self.queue.charge()
        if refusal is None and self.queue.full:
            refusal = RateLimited()
        if refusal is None:
            self.queue.submit(DialbackCommand(run, done))
            return None
        now = self._clock.seconds()
        if now - self._refused_at >= REFUSAL_PAUSE:
            self._refused_at = now
            self._refuse(refusal)
        done()
        return refusal

    def split(self, text: str) -> Iterator[str]:
        """Yield the messages that a text is cut into.

        Raises:
            RateLimited: each but the first counts as a command, and this is one too many.
        """
        for index, part in enumerate(split_text(text, self._chat.limits.text_chars)):
            refusal = self.queue.charge() if index else None
            if refusal is not None:
                raise refusal
            yield part

    def close(self) -> None:
        """Run none of those that wait."""
        for command in self.queue.close():
            command.done()

    async def run_command(self, command: DialbackCommand) -> None:
        """Run a command; see `CommandClient.run_command`."""
        try:
            await command.run()
        except ChatError as error:
            self._chat.measures.refusals[error.code] += 1
            self._refuse(error)
        finally:
            command.done()

    def pause_reading(self) -> None:
        """Each command has a connection of its own, which waits until the command has run."""

    def resume_reading(self) -> None:
        """Nothing was paused."""

    def disconnect_flood(self) -> None:
        """Refused commands do nothing, and their connections are closed."""
